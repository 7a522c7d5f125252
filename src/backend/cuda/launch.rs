//! Loading modules and launching kernels. With `device.rs`, the only user of `cust`.

use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt;
use std::ptr::null_mut;
use std::sync::Mutex;

use bytemuck::Pod;
use cust::module::Module;

use super::device::{Device, cust_failed, failed, lock};
use super::driver::{self, SUCCESS};
use super::images::IMAGES;
use crate::{Error, Result};

/// `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`.
const MAX_DYNAMIC_SHARED: u32 = 8;
/// Dynamic shared memory that a kernel gets without asking.
const DEFAULT_SHARED_BYTES: u32 = 48 << 10;
/// Kernels remembered for errors.
const MAX_LAUNCHED: usize = 16;

/// A kernel: its file in `kernels/`, and its name there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(super) struct Kernel {
    stem: &'static str,
    name: &'static str,
}

impl Kernel {
    /// The kernel `name` of `kernels/<stem>.cu`.
    pub(super) const fn new(stem: &'static str, name: &'static str) -> Self {
        Self { stem, name }
    }
}

/// How many blocks of how many threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    /// Blocks in x, y and z.
    pub(super) blocks: [u32; 3],
    /// Threads of a block, in x.
    pub(super) threads: u32,
    /// Dynamic shared memory of a block.
    pub(super) shared_bytes: u32,
}

impl Shape {
    /// At least one thread an item, in blocks of `threads`.
    ///
    /// # Panics
    /// If that is more than 2^31 blocks.
    pub(super) fn linear(items: usize, threads: u32) -> Self {
        let blocks = items.div_ceil(threads as usize);
        assert!(
            blocks < 1 << 31,
            "{items} items are too many for one launch"
        );
        Self {
            blocks: [blocks as u32, 1, 1],
            threads,
            shared_bytes: 0,
        }
    }

    /// The same with dynamic shared memory.
    pub(super) fn with_shared(self, shared_bytes: u32) -> Self {
        Self {
            shared_bytes,
            ..self
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.blocks;
        write!(f, "{x}x{y}x{z} blocks of {} threads", self.threads)?;
        match self.shared_bytes {
            0 => Ok(()),
            bytes => write!(f, " with {bytes} bytes of shared memory"),
        }
    }
}

/// A kernel's arguments: a tuple of scalars, `repr(C)` structs and addresses.
pub(super) trait Args {
    /// Calls `f` with the address and size of each.
    fn with<R>(self, f: impl FnOnce(&mut [*mut c_void], &[usize]) -> R) -> R;
}

macro_rules! args {
    ($($name:ident)*) => {
        impl<$($name: Pod),*> Args for ($($name,)*) {
            #[expect(non_snake_case, reason = "named after the types")]
            fn with<R>(self, f: impl FnOnce(&mut [*mut c_void], &[usize]) -> R) -> R {
                let ($(mut $name,)*) = self;
                f(&mut [$((&raw mut $name).cast()),*], &[$(size_of::<$name>()),*])
            }
        }
    };
}

args!(A);
args!(A B);
args!(A B C);
args!(A B C D);
args!(A B C D E);
args!(A B C D E F);
args!(A B C D E F G);
args!(A B C D E F G H);
args!(A B C D E F G H I);
args!(A B C D E F G H I J);
args!(A B C D E F G H I J K);
args!(A B C D E F G H I J K L);
args!(A B C D E F G H I J K L M);
args!(A B C D E F G H I J K L M N);
args!(A B C D E F G H I J K L M N O);
args!(A B C D E F G H I J K L M N O Q);

/// A loaded kernel.
struct Function {
    handle: *mut c_void,
    /// Sizes of its parameters, if the driver says them.
    params: Option<Vec<usize>>,
    /// Dynamic shared memory it was given leave to use.
    shared_bytes: u32,
}

// SAFETY: driver handles may be used from any thread.
unsafe impl Send for Function {}

/// Modules and kernels, loaded when first used.
#[derive(Default)]
pub(super) struct Modules {
    loaded: Mutex<Loaded>,
    launched: Mutex<Vec<&'static str>>,
}

#[derive(Default)]
struct Loaded {
    functions: HashMap<Kernel, Function>,
    modules: HashMap<&'static str, Module>,
}

impl Modules {
    /// Names of the kernels launched since they were last forgotten, the last few.
    pub(super) fn launched(&self) -> Vec<&'static str> {
        lock(&self.launched).clone()
    }

    /// Forgets them: they are known to have ended well.
    pub(super) fn forget_launched(&self) {
        lock(&self.launched).clear();
    }

    fn note(&self, name: &'static str) {
        let mut launched = lock(&self.launched);
        if launched.last() != Some(&name) {
            if launched.len() == MAX_LAUNCHED {
                launched.remove(0);
            }
            launched.push(name);
        }
    }
}

/// Whether every launch waits for its kernel, so that an error names the kernel that failed:
/// `REWIT_LAUNCH_BLOCKING=1`.
fn blocking() -> bool {
    use std::sync::OnceLock;
    static BLOCKING: OnceLock<bool> = OnceLock::new();
    *BLOCKING.get_or_init(|| std::env::var_os("REWIT_LAUNCH_BLOCKING").is_some_and(|v| v == "1"))
}

impl Device {
    /// Launches a kernel; returns before it has run.
    ///
    /// A launch of no block does nothing.
    ///
    /// # Safety
    /// The arguments are those the kernel declares, and every address is of memory as large as the
    /// kernel's documentation asks for this shape and these arguments.
    ///
    /// # Errors
    /// [`Error::Device`] naming the kernel if it cannot be loaded or launched; what it does wrong
    /// when it runs is reported by the next call that waits.
    pub(super) unsafe fn launch<A: Args>(
        &self,
        kernel: Kernel,
        shape: Shape,
        args: A,
    ) -> Result<()> {
        if shape.blocks.contains(&0) {
            return Ok(());
        }
        self.bind()?;
        let doing = || format!("launching {} ({shape})", kernel.name);
        args.with(|addresses, sizes| {
            let handle = self.function(kernel, shape.shared_bytes, sizes)?;
            let [x, y, z] = shape.blocks;
            // SAFETY: the handle is this kernel's; the caller vouches for the arguments, which live
            // until the call returns.
            let code = unsafe {
                driver::cuLaunchKernel(
                    handle,
                    x,
                    y,
                    z,
                    shape.threads,
                    1,
                    1,
                    shape.shared_bytes,
                    self.stream(),
                    addresses.as_mut_ptr(),
                    null_mut(),
                )
            };
            self.check(code, doing)
        })?;
        self.modules().note(kernel.name);
        if blocking() {
            self.synchronize()?;
        }
        Ok(())
    }

    /// The loaded kernel, allowed `shared_bytes` of dynamic shared memory.
    ///
    /// # Panics
    /// If the driver says that its parameters have other sizes: the wrapper is wrong.
    fn function(&self, kernel: Kernel, shared_bytes: u32, sizes: &[usize]) -> Result<*mut c_void> {
        let loaded = &mut *lock(&self.modules().loaded);
        if !loaded.functions.contains_key(&kernel) {
            let doing = format!("loading {} of {}.cu", kernel.name, kernel.stem);
            if !loaded.modules.contains_key(kernel.stem) {
                loaded
                    .modules
                    .insert(kernel.stem, self.load(kernel.stem, &doing)?);
            }
            let module = &loaded.modules[kernel.stem];
            let function = module
                .get_function(kernel.name)
                .map_err(|e| cust_failed(e, &doing))?;
            let handle = function.to_raw().cast();
            let function = Function {
                handle,
                params: parameter_sizes(handle),
                shared_bytes: DEFAULT_SHARED_BYTES,
            };
            loaded.functions.insert(kernel, function);
        }
        let function = loaded.functions.get_mut(&kernel).expect("inserted above");
        if let Some(params) = &function.params {
            assert_eq!(params, sizes, "sizes of the parameters of {}", kernel.name);
        }
        if shared_bytes > function.shared_bytes {
            // SAFETY: the handle is the kernel's.
            let code = unsafe {
                driver::cuFuncSetAttribute(function.handle, MAX_DYNAMIC_SHARED, shared_bytes as i32)
            };
            if code != SUCCESS {
                let doing = format!(
                    "giving {} {shared_bytes} bytes of shared memory",
                    kernel.name
                );
                return Err(failed(driver::last_code(), &doing));
            }
            function.shared_bytes = shared_bytes;
        }
        Ok(function.handle)
    }

    fn load(&self, stem: &'static str, doing: &str) -> Result<Module> {
        let image = IMAGES.iter().find(|(name, _)| *name == stem);
        let (_, image) = image.unwrap_or_else(|| panic!("there is no kernels/{stem}.cu"));
        if image.is_empty() && !self.info().stand_in {
            return Err(Error::NoDevice(
                "this program was built without machine code for GPUs (REWIT_KERNELS=none); \
                 build it where nvcc is"
                    .into(),
            ));
        }
        Module::from_fatbin(image, &[]).map_err(|e| match driver::last_code() {
            driver::NO_BINARY => Error::NoDevice(format!(
                "this program has no machine code for {} (compute capability {}.{}); build it with \
                 REWIT_CUDA_ARCHS={}{}",
                self.info().name,
                self.info().compute_capability.0,
                self.info().compute_capability.1,
                self.info().compute_capability.0,
                self.info().compute_capability.1
            )),
            _ => cust_failed(e, doing),
        })
    }
}

/// Sizes of a kernel's parameters; `None` with a driver older than CUDA 12.4.
fn parameter_sizes(function: *mut c_void) -> Option<Vec<usize>> {
    driver::address(c"cuFuncGetParamInfo")?;
    let mut sizes = Vec::new();
    loop {
        let (mut offset, mut size) = (0, 0);
        // SAFETY: the handle is a kernel's; both numbers are taken.
        let code = unsafe {
            driver::cuFuncGetParamInfo(function, sizes.len(), &raw mut offset, &raw mut size)
        };
        if code != SUCCESS {
            return Some(sizes);
        }
        sizes.push(size);
    }
}
