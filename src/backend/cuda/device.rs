//! The device: context, memory, copies and events. With `launch.rs`, the only user of `cust`.
//!
//! All work of a [`Device`] is ordered on one non-blocking stream of its own. Memory comes from the
//! driver's pool for that stream, which keeps what is freed; the pool's use is accounted for here, so
//! that a budget can be held and the peak be reported.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytemuck::{Pod, Zeroable};
use cust::CudaFlags;
use cust::context::{Context, CurrentContext};
use cust::device::DeviceAttribute;
use cust::error::CudaError;

use super::driver::{self, Code, SUCCESS};
use super::launch::Modules;
use crate::{Error, Result};

/// `CU_STREAM_NON_BLOCKING`: no ordering with the legacy default stream.
const NON_BLOCKING: u32 = 1;
/// `CU_MEMPOOL_ATTR_RELEASE_THRESHOLD`: bytes the pool keeps when nothing uses them.
const RELEASE_THRESHOLD: u32 = 4;
/// Bytes of pinned memory through which small uploads go.
const STAGING_BYTES: usize = 1 << 20;
/// Larger uploads wait for the device.
const MAX_STAGED_BYTES: usize = STAGING_BYTES / 4;
/// What fresh memory holds in builds with debug assertions.
const POISON: u8 = 0xa5;

/// How to open a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Which of the driver's devices, from 0.
    pub ordinal: u32,
    /// Most bytes of device memory to use; by default all there are.
    pub vram_budget: Option<u64>,
}

/// A GPU, or the CPU stand-in for one. Cheap to clone: clones are the same device.
#[derive(Clone, Debug)]
pub struct Device(Arc<Inner>);

/// What a device says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Info {
    /// Its name.
    pub name: String,
    /// Major and minor compute capability.
    pub compute_capability: (u32, u32),
    /// Streaming multiprocessors.
    pub num_multiprocessors: u32,
    /// Memory in bytes.
    pub total_bytes: u64,
    /// Largest shared memory of a block, in bytes, for a kernel that asks for it.
    pub max_shared_bytes: u32,
    /// Shared memory of a multiprocessor in bytes.
    pub multiprocessor_shared_bytes: u32,
    /// Level-two cache in bytes.
    pub l2_bytes: u32,
    /// CUDA version of the driver: major and minor.
    pub driver: (u32, u32),
    /// Whether it is the CPU stand-in, whose timings mean nothing.
    pub stand_in: bool,
}

/// Use of device memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryUse {
    /// Bytes in use.
    pub live: u64,
    /// Most bytes in use at a time since [`Device::reset_peak`].
    pub peak: u64,
    /// Most bytes that may be in use.
    pub budget: u64,
}

struct Inner {
    /// Dropped last: fields are dropped in order.
    modules: Modules,
    stream: Stream,
    staging: Mutex<Staging>,
    memory: Mutex<MemoryUse>,
    info: Info,
    context: Context,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// A stream handle; destroyed on drop.
struct Stream(*mut c_void);

// SAFETY: driver handles may be used from any thread.
unsafe impl Send for Stream {}
// SAFETY: as above; the driver locks.
unsafe impl Sync for Stream {}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: the handle was made by `cuStreamCreate` and is not used again.
        unsafe { driver::cuStreamDestroy_v2(self.0) };
    }
}

/// Pinned memory for small uploads, used round and round.
struct Staging {
    memory: Pinned,
    next: usize,
}

/// Page-locked host memory, which the device copies to and from directly.
struct Pinned {
    pointer: *mut u8,
    num_bytes: usize,
}

// SAFETY: it owns its memory, as a `Box<[u8]>` does.
unsafe impl Send for Pinned {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Pinned {}

impl Pinned {
    fn new(num_bytes: usize) -> Result<Self> {
        let mut pointer = null_mut();
        // SAFETY: `pointer` takes the address.
        check(
            unsafe { driver::cuMemHostAlloc(&raw mut pointer, num_bytes.max(1), 0) },
            || format!("pinning {num_bytes} bytes of host memory"),
        )?;
        // SAFETY: the driver gave that many bytes; they are made initialised here.
        unsafe { pointer.cast::<u8>().write_bytes(0, num_bytes) };
        Ok(Self {
            pointer: pointer.cast(),
            num_bytes,
        })
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the memory is `num_bytes` long, initialised, and borrowed mutably with `self`.
        unsafe { std::slice::from_raw_parts_mut(self.pointer, self.num_bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `cuMemHostAlloc` and is not used again.
        unsafe { driver::cuMemFreeHost(self.pointer.cast()) };
    }
}

/// Page-locked host memory of `T`s.
pub(super) struct PinnedVec<T> {
    memory: Pinned,
    len: usize,
    _items: PhantomData<T>,
}

impl<T: Pod> PinnedVec<T> {
    /// The items.
    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        let num_bytes = self.len * size_of::<T>();
        bytemuck::cast_slice_mut(&mut self.memory.bytes_mut()[..num_bytes])
    }
}

/// The error of a failed driver call; `doing` says what was tried.
fn check(code: Code, doing: impl FnOnce() -> String) -> Result<()> {
    match code {
        SUCCESS => Ok(()),
        _ => Err(failed(driver::last_code(), &doing())),
    }
}

/// The error for the driver's code `code`.
pub(super) fn failed(code: Code, doing: &str) -> Error {
    match code {
        driver::NO_DRIVER => Error::NoDevice(
            driver::missing()
                .unwrap_or("the CUDA driver is a stub")
                .to_owned()
                + "; install an NVIDIA driver, or use --backend cpu",
        ),
        driver::NO_DEVICE => Error::NoDevice(
            "the CUDA driver finds no GPU; use --backend cpu, or check CUDA_VISIBLE_DEVICES".into(),
        ),
        driver::OUT_OF_MEMORY => Error::OutOfDeviceMemory(doing.to_owned()),
        code => Error::Device(format!("{doing}: {}", driver::describe(code))),
    }
}

/// The error of a failed call through `cust`.
pub(super) fn cust_failed(error: CudaError, doing: &str) -> Error {
    let code = driver::last_code();
    match error {
        CudaError::UnknownError => failed(code, doing),
        _ if code == SUCCESS => Error::Device(format!("{doing}: {error}")),
        _ => failed(code, doing),
    }
}

/// Locks a mutex whose data is valid whatever panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the loaded driver is the CPU stand-in.
fn is_stand_in() -> bool {
    driver::address(c"rewit_standin_version").is_some()
}

impl Device {
    /// Opens a device.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if there is no driver or no such device, [`Error::Device`] if the driver
    /// fails.
    pub fn open(options: &Options) -> Result<Self> {
        let doing = "starting the CUDA driver";
        cust::init(CudaFlags::empty()).map_err(|e| cust_failed(e, doing))?;
        let count = cust::device::Device::num_devices().map_err(|e| cust_failed(e, doing))?;
        if options.ordinal >= count {
            return Err(Error::NoDevice(format!(
                "there is no GPU {}: the driver has {count}; give a lower --device",
                options.ordinal
            )));
        }
        let doing = format!("opening GPU {}", options.ordinal);
        let failed = |e| cust_failed(e, &doing);
        let device = cust::device::Device::get_device(options.ordinal).map_err(failed)?;
        let context = Context::new(device).map_err(failed)?;
        CurrentContext::set_current(&context).map_err(failed)?;
        let info = describe(device, &doing)?;
        let mut stream = null_mut();
        // SAFETY: `stream` takes the handle; the context is current.
        check(
            unsafe { driver::cuStreamCreate(&raw mut stream, NON_BLOCKING) },
            || doing.clone(),
        )?;
        let stream = Stream(stream);
        keep_freed_memory(options.ordinal, &doing)?;
        let budget = options.vram_budget.unwrap_or(info.total_bytes);
        let staging = Staging {
            memory: Pinned::new(STAGING_BYTES)?,
            next: 0,
        };
        Ok(Self(Arc::new(Inner {
            modules: Modules::default(),
            stream,
            staging: Mutex::new(staging),
            memory: Mutex::new(MemoryUse {
                budget,
                ..MemoryUse::default()
            }),
            info,
            context,
        })))
    }

    /// What it says of itself.
    pub fn info(&self) -> &Info {
        &self.0.info
    }

    /// Its memory's use.
    pub fn memory(&self) -> MemoryUse {
        *lock(&self.0.memory)
    }

    /// Forgets the peak of memory use.
    pub fn reset_peak(&self) {
        let mut memory = lock(&self.0.memory);
        memory.peak = memory.live;
    }

    /// Waits until all work is done.
    ///
    /// # Errors
    /// [`Error::Device`] if any of it failed, naming the kernels since the last wait.
    pub fn synchronize(&self) -> Result<()> {
        self.bind()?;
        // SAFETY: the stream is this device's.
        let code = unsafe { driver::cuStreamSynchronize(self.0.stream.0) };
        self.after_wait(code, "waiting for the device")
    }

    /// Turns the result of a call that waited into an error that names the kernels it waited for.
    fn after_wait(&self, code: Code, doing: &str) -> Result<()> {
        let launched = self.0.modules.take_launched();
        check(code, || match launched.is_empty() {
            true => doing.to_owned(),
            false => format!("{doing}, after the kernels {}", launched.join(", ")),
        })
    }

    /// The modules and functions loaded so far.
    pub(super) fn modules(&self) -> &Modules {
        &self.0.modules
    }

    /// The stream that orders its work.
    pub(super) fn stream(&self) -> *mut c_void {
        self.0.stream.0
    }

    /// Makes its context the calling thread's.
    pub(super) fn bind(&self) -> Result<()> {
        CurrentContext::set_current(&self.0.context)
            .map_err(|e| cust_failed(e, "selecting the device"))
    }

    /// Memory for `len` items, with undefined contents.
    ///
    /// - `what`: names it in errors.
    ///
    /// # Errors
    /// [`Error::OutOfDeviceMemory`] if the budget or the device does not have it.
    pub(super) fn alloc<T: Pod>(&self, what: &'static str, len: usize) -> Result<Buffer<T>> {
        let num_bytes = self.take_from_budget(what, len, size_of::<T>())?;
        let mut address = 0;
        // From here on `buffer` gives back what it took, whatever fails.
        let mut buffer = Buffer {
            device: self.clone(),
            address: 0,
            len,
            num_bytes,
            _items: PhantomData,
        };
        if num_bytes > 0 {
            self.bind()?;
            // SAFETY: `address` takes the pointer; the stream is this device's.
            let code = unsafe {
                driver::cuMemAllocAsync(&raw mut address, num_bytes as usize, self.0.stream.0)
            };
            check(code, || self.no_memory(what, num_bytes))?;
            buffer.address = address;
            if cfg!(debug_assertions) {
                self.fill_bytes(&buffer, POISON)?;
            }
        }
        Ok(buffer)
    }

    /// Memory for `len` items, all zero.
    ///
    /// # Errors
    /// As for [`alloc`](Self::alloc).
    pub(super) fn zeros<T: Pod + Zeroable>(
        &self,
        what: &'static str,
        len: usize,
    ) -> Result<Buffer<T>> {
        let buffer = self.alloc(what, len)?;
        self.fill_bytes(&buffer, 0)?;
        Ok(buffer)
    }

    /// Overwrites every byte of a buffer.
    pub(super) fn fill_bytes<T>(&self, buffer: &Buffer<T>, value: u8) -> Result<()> {
        if buffer.num_bytes == 0 {
            return Ok(());
        }
        self.bind()?;
        // SAFETY: the buffer has that many bytes.
        let code = unsafe {
            driver::cuMemsetD8Async(
                buffer.address,
                value,
                buffer.num_bytes as usize,
                self.0.stream.0,
            )
        };
        check(code, || "filling memory".into())
    }

    /// A buffer with the items of `from`.
    ///
    /// Small ones go through pinned memory and do not wait; for large ones it waits until the device
    /// has copied them.
    ///
    /// # Errors
    /// As for [`alloc`](Self::alloc), and [`Error::Device`] if the copy fails.
    pub(super) fn upload<T: Pod>(&self, what: &'static str, from: &[T]) -> Result<Buffer<T>> {
        let buffer = self.alloc(what, from.len())?;
        self.write(buffer.view(0..from.len()), from)?;
        Ok(buffer)
    }

    /// Overwrites `to` with the items of `from`; waits as [`upload`](Self::upload) does.
    ///
    /// # Panics
    /// If the lengths differ.
    pub(super) fn write<T: Pod>(&self, to: View<'_, T>, from: &[T]) -> Result<()> {
        assert_eq!(to.len, from.len(), "a copy has as many items as its source");
        let bytes: &[u8] = bytemuck::cast_slice(from);
        if bytes.is_empty() {
            return Ok(());
        }
        self.bind()?;
        if bytes.len() > MAX_STAGED_BYTES {
            // SAFETY: both sides have that many bytes; the source outlives the wait below.
            let code = unsafe {
                driver::cuMemcpyHtoDAsync_v2(
                    to.address,
                    bytes.as_ptr().cast(),
                    bytes.len(),
                    self.0.stream.0,
                )
            };
            check(code, || {
                format!("copying {} bytes to the device", bytes.len())
            })?;
            return self.synchronize();
        }
        let mut staging = lock(&self.0.staging);
        if staging.next + bytes.len() > STAGING_BYTES {
            self.synchronize()?;
            staging.next = 0;
        }
        let start = staging.next;
        staging.next += bytes.len().next_multiple_of(16);
        let staged = &mut staging.memory.bytes_mut()[start..][..bytes.len()];
        staged.copy_from_slice(bytes);
        // SAFETY: both sides have that many bytes; the staged ones are not overwritten before the
        // device has waited.
        let code = unsafe {
            driver::cuMemcpyHtoDAsync_v2(
                to.address,
                staged.as_ptr().cast(),
                bytes.len(),
                self.0.stream.0,
            )
        };
        check(code, || {
            format!("copying {} bytes to the device", bytes.len())
        })
    }

    /// The contents of a buffer; waits for the device.
    ///
    /// # Errors
    /// [`Error::Device`] if work before it, or the copy, fails.
    pub(super) fn download<T: Pod>(&self, from: &Buffer<T>) -> Result<Vec<T>> {
        let mut to = crate::memory::zeroed_vec(from.len)?;
        self.download_into(from.view(0..from.len), &mut to)?;
        Ok(to)
    }

    /// Copies `from` into `to`; waits for the device.
    ///
    /// # Errors
    /// As for [`download`](Self::download).
    /// # Panics
    /// If the lengths differ.
    pub(super) fn download_into<T: Pod>(&self, from: View<'_, T>, to: &mut [T]) -> Result<()> {
        assert_eq!(from.len, to.len(), "a copy has as many items as its source");
        if size_of_val(to) > 0 {
            self.bind()?;
            // SAFETY: both sides have that many bytes; the target is borrowed until the wait below.
            let code = unsafe {
                driver::cuMemcpyDtoHAsync_v2(
                    to.as_mut_ptr().cast(),
                    from.address,
                    size_of_val(to),
                    self.0.stream.0,
                )
            };
            check(code, || {
                format!("copying {} bytes from the device", size_of_val(to))
            })?;
        }
        self.synchronize()
    }

    /// Copies `from` to `to` on the device.
    ///
    /// # Panics
    /// If the lengths differ.
    pub(super) fn copy<T: Pod>(&self, from: View<'_, T>, to: View<'_, T>) -> Result<()> {
        assert_eq!(from.len, to.len, "a copy has as many items as its source");
        if from.len == 0 {
            return Ok(());
        }
        self.bind()?;
        // SAFETY: both sides have that many bytes.
        let code = unsafe {
            driver::cuMemcpyDtoDAsync_v2(
                to.address,
                from.address,
                from.len * size_of::<T>(),
                self.0.stream.0,
            )
        };
        check(code, || "copying on the device".into())
    }

    /// Page-locked host memory for `len` items, zero.
    ///
    /// # Errors
    /// [`Error::OutOfDeviceMemory`] if the driver refuses.
    pub(super) fn pinned<T: Pod>(&self, len: usize) -> Result<PinnedVec<T>> {
        self.bind()?;
        Ok(PinnedVec {
            memory: Pinned::new(len * size_of::<T>())?,
            len,
            _items: PhantomData,
        })
    }

    /// Marks this point of the device's work.
    ///
    /// # Errors
    /// [`Error::Device`] if the driver fails.
    pub fn mark(&self) -> Result<Mark> {
        self.bind()?;
        let mut event = null_mut();
        let doing = || "recording an event".to_owned();
        // SAFETY: `event` takes the handle.
        check(unsafe { driver::cuEventCreate(&raw mut event, 0) }, doing)?;
        let mark = Mark {
            device: self.clone(),
            event,
        };
        // SAFETY: event and stream are this device's.
        check(
            unsafe { driver::cuEventRecord(event, self.0.stream.0) },
            doing,
        )?;
        Ok(mark)
    }

    /// Counts memory that is about to be taken.
    fn take_from_budget(&self, what: &str, len: usize, item_bytes: usize) -> Result<u64> {
        let num_bytes = (len as u64).saturating_mul(item_bytes as u64);
        {
            let mut memory = lock(&self.0.memory);
            let live = memory.live.saturating_add(num_bytes);
            if live <= memory.budget {
                memory.live = live;
                memory.peak = memory.peak.max(live);
                return Ok(num_bytes);
            }
        }
        Err(Error::OutOfDeviceMemory(self.no_memory(what, num_bytes)))
    }

    fn no_memory(&self, what: &str, num_bytes: u64) -> String {
        let MemoryUse { live, budget, .. } = self.memory();
        format!(
            "{what} needs {} MB beside {} MB in use, of {} MB on {}; give a lower \
             --segment-log-cycles or a higher --vram-budget",
            num_bytes / 1_000_000,
            live / 1_000_000,
            budget / 1_000_000,
            self.0.info.name
        )
    }
}

fn describe(device: cust::device::Device, doing: &str) -> Result<Info> {
    let failed = |e| cust_failed(e, doing);
    let attribute = |which: DeviceAttribute| {
        let value = device.get_attribute(which).map_err(failed)?;
        Ok::<_, Error>(u32::try_from(value).unwrap_or(0))
    };
    use DeviceAttribute as A;
    let version = cust::CudaApiVersion::get().map_err(failed)?;
    let part = |number: i32| u32::try_from(number).unwrap_or(0);
    Ok(Info {
        name: device.name().map_err(failed)?,
        compute_capability: (
            attribute(A::ComputeCapabilityMajor)?,
            attribute(A::ComputeCapabilityMinor)?,
        ),
        num_multiprocessors: attribute(A::MultiprocessorCount)?,
        total_bytes: device.total_memory().map_err(failed)? as u64,
        max_shared_bytes: raw_attribute(device, MAX_SHARED_OPT_IN, doing)?,
        multiprocessor_shared_bytes: attribute(A::MaxSharedMemoryPerMultiprocessor)?,
        l2_bytes: attribute(A::L2CacheSize)?,
        driver: (part(version.major()), part(version.minor())),
        stand_in: is_stand_in(),
    })
}

/// `CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN`, which `cust` does not list.
const MAX_SHARED_OPT_IN: u32 = 97;

fn raw_attribute(device: cust::device::Device, attribute: u32, doing: &str) -> Result<u32> {
    let mut value = 0;
    // SAFETY: `value` takes the attribute.
    let code = unsafe { driver::cuDeviceGetAttribute(&raw mut value, attribute, device.as_raw()) };
    check(code, || doing.to_owned())?;
    Ok(u32::try_from(value).unwrap_or(0))
}

/// Lets the driver's pool keep what is freed, so that taking it again costs nothing.
fn keep_freed_memory(ordinal: u32, doing: &str) -> Result<()> {
    let mut pool = null_mut();
    let mut threshold = u64::MAX;
    // SAFETY: `pool` takes the handle, which is the device's own; the attribute is a 64-bit number.
    unsafe {
        let code = driver::cuDeviceGetDefaultMemPool(&raw mut pool, ordinal as i32);
        check(code, || doing.to_owned())?;
        let value = (&raw mut threshold).cast();
        let code = driver::cuMemPoolSetAttribute(pool, RELEASE_THRESHOLD, value);
        check(code, || doing.to_owned())
    }
}

/// Device memory for `len` items; freed in the order of the device's work.
#[derive(Debug)]
pub(super) struct Buffer<T> {
    device: Device,
    address: u64,
    len: usize,
    num_bytes: u64,
    _items: PhantomData<T>,
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        if self.address != 0 && self.device.bind().is_ok() {
            // SAFETY: the address came from `cuMemAllocAsync` and is not used by later work.
            unsafe { driver::cuMemFreeAsync(self.address, self.device.0.stream.0) };
        }
        lock(&self.device.0.memory).live -= self.num_bytes;
    }
}

impl<T> Buffer<T> {
    /// Number of items.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Its address, as a kernel's argument.
    pub(super) fn ptr(&self) -> Ptr<T> {
        Ptr::new(self.address)
    }

    /// The items of `range`.
    ///
    /// # Panics
    /// If they are not within.
    pub(super) fn view(&self, range: Range<usize>) -> View<'_, T> {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "items {range:?} of a buffer of {}",
            self.len
        );
        View {
            address: self.address + (range.start * size_of::<T>()) as u64,
            len: range.end - range.start,
            _buffer: PhantomData,
        }
    }

    /// All items.
    pub(super) fn all(&self) -> View<'_, T> {
        self.view(0..self.len)
    }

    /// The device it is on.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }
}

/// Part of a buffer.
#[derive(Debug)]
pub(super) struct View<'a, T> {
    address: u64,
    len: usize,
    _buffer: PhantomData<&'a Buffer<T>>,
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

impl<T> View<'_, T> {
    /// Number of items.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Its address, as a kernel's argument.
    pub(super) fn ptr(&self) -> Ptr<T> {
        Ptr::new(self.address)
    }
}

/// An address in device memory, as a kernel takes it.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Ptr<T>(u64, PhantomData<T>);

impl<T> Ptr<T> {
    fn new(address: u64) -> Self {
        Self(address, PhantomData)
    }

    /// No address.
    pub(super) fn null() -> Self {
        Self::new(0)
    }
}

impl<T> Clone for Ptr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ptr<T> {}

// SAFETY: a 64-bit number; 0 is the null address.
unsafe impl<T> Zeroable for Ptr<T> {}
// SAFETY: a transparent 64-bit number.
unsafe impl<T: 'static> Pod for Ptr<T> {}

/// A point in a device's work.
#[derive(Debug)]
pub struct Mark {
    device: Device,
    event: *mut c_void,
}

impl Mark {
    /// Seconds of the device's clock between `earlier` and this point; waits for this point.
    ///
    /// # Errors
    /// [`Error::Device`] if work before it failed.
    pub fn seconds_since(&self, earlier: &Self) -> Result<f64> {
        self.device.bind()?;
        // SAFETY: the event is this device's.
        let code = unsafe { driver::cuEventSynchronize(self.event) };
        check(code, || "waiting for an event".into())?;
        let mut milliseconds = 0f32;
        // SAFETY: both events are recorded, `milliseconds` takes the time.
        let code =
            unsafe { driver::cuEventElapsedTime(&raw mut milliseconds, earlier.event, self.event) };
        check(code, || "reading an event".into())?;
        Ok(f64::from(milliseconds) / 1e3)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // SAFETY: the event came from `cuEventCreate` and is not used again.
        unsafe { driver::cuEventDestroy_v2(self.event) };
    }
}

// SAFETY: driver handles may be used from any thread.
unsafe impl Send for Mark {}
// SAFETY: as above.
unsafe impl Sync for Mark {}
