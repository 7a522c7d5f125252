//! The CUDA driver, found at run time.
//!
//! `cust` calls the driver by linked names. They are defined here and pass each call on to the
//! library that is loaded when the first one is made: `libcuda.so.1`, or what `REWIT_LIBCUDA` names.
//! So one program runs with and without a driver, and says which it misses.
//!
//! `cust` takes results as a Rust enum that ends with the codes of CUDA 11.4; a newer code would be
//! undefined behaviour. Codes it does not know are therefore returned as [`UNKNOWN`], and
//! [`last_code`] has the one the driver gave.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;

/// A driver function's result.
pub(super) type Code = u32;

/// `CUDA_SUCCESS`.
pub(super) const SUCCESS: Code = 0;
/// `CUDA_ERROR_OUT_OF_MEMORY`.
pub(super) const OUT_OF_MEMORY: Code = 2;
/// `CUDA_ERROR_STUB_LIBRARY`: what every function returns if no driver could be loaded.
pub(super) const NO_DRIVER: Code = 34;
/// `CUDA_ERROR_NO_DEVICE`.
pub(super) const NO_DEVICE: Code = 100;
/// `CUDA_ERROR_NO_BINARY_FOR_GPU`.
pub(super) const NO_BINARY: Code = 209;
/// `CUDA_ERROR_NOT_FOUND`.
pub(super) const NOT_FOUND: Code = 500;
/// `CUDA_ERROR_UNKNOWN`.
pub(super) const UNKNOWN: Code = 999;

/// The codes that `cust_raw` 0.11.3 declares.
const DECLARED: [Code; 86] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 34, 100, 101, 102, 200, 201, 202, 205, 206, 207, 208, 209, 210, 211,
    212, 213, 214, 215, 216, 217, 218, 219, 220, 221, 222, 223, 224, 300, 301, 302, 303, 304, 400,
    401, 500, 600, 700, 701, 702, 703, 704, 705, 708, 709, 710, 711, 712, 713, 714, 715, 716, 717,
    718, 719, 720, 800, 801, 802, 803, 804, 805, 806, 807, 808, 809, 900, 901, 902, 903, 904, 905,
    906, 907, 908, 909, 910, 911,
];

thread_local! {
    static LAST: Cell<Code> = const { Cell::new(SUCCESS) };
}

/// The last code that is no success and that the driver gave this thread, as it gave it.
pub(super) fn last_code() -> Code {
    LAST.get()
}

/// The loaded library, or why there is none.
fn library() -> Result<&'static Library, &'static str> {
    static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();
    LIBRARY
        .get_or_init(Library::load)
        .as_ref()
        .map_err(String::as_str)
}

/// Why no driver could be loaded; `None` if one is.
pub(super) fn missing() -> Option<&'static str> {
    library().err()
}

/// Address of the function `name`, if a driver is loaded and has it.
pub(super) fn address(name: &CStr) -> Option<*mut c_void> {
    let address = library().ok()?.symbol(name);
    (!address.is_null()).then_some(address)
}

struct Library(*mut c_void);

// SAFETY: a handle of `dlopen` may be used from any thread.
unsafe impl Send for Library {}
// SAFETY: as above; `dlsym` is thread-safe.
unsafe impl Sync for Library {}

impl Library {
    fn load() -> Result<Self, String> {
        let name = std::env::var("REWIT_LIBCUDA").unwrap_or_else(|_| "libcuda.so.1".to_owned());
        let c_name = CString::new(name.clone()).map_err(|_| format!("{name:?} is no file name"))?;
        // SAFETY: `c_name` is a string; loading a library runs its initialisers, which for a driver
        // is what is wanted.
        let handle = unsafe { libc::dlopen(c_name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if !handle.is_null() {
            return Ok(Self(handle));
        }
        // SAFETY: `dlerror` returns null or a string that lives until this thread's next call.
        let reason = unsafe {
            let reason = libc::dlerror();
            if reason.is_null() {
                "unknown reason".into()
            } else {
                CStr::from_ptr(reason).to_string_lossy()
            }
        };
        Err(format!("the CUDA driver cannot be loaded: {reason}"))
    }

    fn symbol(&self, name: &CStr) -> *mut c_void {
        // SAFETY: the handle is never closed, `name` is a string.
        unsafe { libc::dlsym(self.0, name.as_ptr()) }
    }
}

/// Notes a code, and gives what `cust` may see of it.
fn seen(code: Code) -> Code {
    if code != SUCCESS {
        LAST.set(code);
    }
    if DECLARED.contains(&code) || code == UNKNOWN {
        code
    } else {
        UNKNOWN
    }
}

/// Defines driver functions that pass their arguments on.
macro_rules! forward {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {
        $(
            /// The driver's function of this name, as `cuda.h` declares it.
            #[unsafe(no_mangle)]
            pub(super) unsafe extern "C" fn $name($($arg: $type),*) -> Code {
                static ADDRESS: OnceLock<Option<usize>> = OnceLock::new();
                const NAME: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                    Ok(name) => name,
                    Err(_) => panic!("a name has one nul"),
                };
                let Some(found) = *ADDRESS.get_or_init(|| address(NAME).map(|a| a as usize)) else {
                    return seen(if missing().is_some() { NO_DRIVER } else { NOT_FOUND });
                };
                type Function = unsafe extern "C" fn($($type),*) -> Code;
                // SAFETY: the driver's function of this name has these parameters, `CUresult` is a
                // 32-bit integer, and the address is that function's.
                let function = unsafe { std::mem::transmute::<usize, Function>(found) };
                // SAFETY: the caller's arguments are as `cuda.h` asks.
                seen(unsafe { function($($arg),*) })
            }
        )*
    };
}

type Handle = *mut c_void;

forward! {
    cuInit(flags: c_uint);
    cuDriverGetVersion(version: *mut c_int);
    cuDeviceGet(device: *mut c_int, ordinal: c_int);
    cuDeviceGetCount(count: *mut c_int);
    cuDeviceGetName(name: *mut c_char, len: c_int, device: c_int);
    cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int);
    cuDeviceGetAttribute(value: *mut c_int, attribute: c_uint, device: c_int);
    cuDevicePrimaryCtxRetain(context: *mut Handle, device: c_int);
    cuDevicePrimaryCtxRelease_v2(device: c_int);
    cuCtxSetCurrent(context: Handle);
    cuCtxSynchronize();
    cuModuleLoadDataEx(module: *mut Handle, image: *const c_void, n: c_uint, options: *mut c_uint, values: *mut *mut c_void);
    cuModuleLoadFatBinary(module: *mut Handle, image: *const c_void);
    cuModuleUnload(module: Handle);
    cuModuleGetFunction(function: *mut Handle, module: Handle, name: *const c_char);
    cuFuncSetAttribute(function: Handle, attribute: c_uint, value: c_int);
    cuFuncGetAttribute(value: *mut c_int, attribute: c_uint, function: Handle);
    cuFuncGetParamInfo(function: Handle, index: usize, offset: *mut usize, size: *mut usize);
    cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks: *mut c_int, function: Handle, threads: c_int, shared: usize);
    cuLaunchKernel(function: Handle, gx: c_uint, gy: c_uint, gz: c_uint, bx: c_uint, by: c_uint, bz: c_uint, shared: c_uint, stream: Handle, params: *mut *mut c_void, extra: *mut *mut c_void);
    cuStreamCreate(stream: *mut Handle, flags: c_uint);
    cuStreamDestroy_v2(stream: Handle);
    cuStreamSynchronize(stream: Handle);
    cuStreamWaitEvent(stream: Handle, event: Handle, flags: c_uint);
    cuEventCreate(event: *mut Handle, flags: c_uint);
    cuEventDestroy_v2(event: Handle);
    cuEventRecord(event: Handle, stream: Handle);
    cuEventSynchronize(event: Handle);
    cuEventElapsedTime(milliseconds: *mut f32, start: Handle, end: Handle);
    cuMemAllocAsync(pointer: *mut u64, bytes: usize, stream: Handle);
    cuMemFreeAsync(pointer: u64, stream: Handle);
    cuDeviceGetDefaultMemPool(pool: *mut Handle, device: c_int);
    cuMemPoolSetAttribute(pool: Handle, attribute: c_uint, value: *mut c_void);
    cuMemPoolTrimTo(pool: Handle, bytes: usize);
    cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
    cuMemHostAlloc(pointer: *mut *mut c_void, bytes: usize, flags: c_uint);
    cuMemFreeHost(pointer: *mut c_void);
    cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: Handle);
    cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: Handle);
    cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: Handle);
    cuMemsetD8Async(to: u64, value: u8, bytes: usize, stream: Handle);
    cuMemsetD32Async(to: u64, value: c_uint, words: usize, stream: Handle);
    cuGetErrorName(code: Code, name: *mut *const c_char);
    cuGetErrorString(code: Code, text: *mut *const c_char);
}

/// What the driver calls a code: name and description.
pub(super) fn describe(code: Code) -> String {
    type Lookup = unsafe extern "C" fn(Code, *mut *const c_char) -> Code;
    let text = |lookup: Lookup| {
        let mut text = std::ptr::null();
        // SAFETY: the function writes null or the address of a static string.
        unsafe {
            let found = lookup(code, &raw mut text) == SUCCESS && !text.is_null();
            found.then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    };
    match (text(cuGetErrorName), text(cuGetErrorString)) {
        (Some(name), Some(meaning)) => format!("{name} ({code}): {meaning}"),
        _ => format!("CUDA error {code}"),
    }
}
