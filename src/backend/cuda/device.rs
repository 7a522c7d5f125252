//! The device: context, stream and events. With `launch.rs`, the only user of `cust`.
//!
//! All work of a [`Device`] is ordered on one non-blocking stream of its own. `memory.rs` has its
//! memory, `copy.rs` the copies.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cust::CudaFlags;
use cust::context::{Context, CurrentContext};
use cust::device::DeviceAttribute;
use cust::error::CudaError;

use super::copy::Staging;
use super::driver::{self, Code, SUCCESS};
use super::launch::Modules;
use crate::{Error, Result};

pub(super) use super::memory::{Buffer, Ptr, View};

/// `CU_STREAM_NON_BLOCKING`: no ordering with the legacy default stream.
const NON_BLOCKING: u32 = 1;
/// `CU_MEMPOOL_ATTR_RELEASE_THRESHOLD`: bytes the pool keeps when nothing uses them.
const RELEASE_THRESHOLD: u32 = 4;

/// How to open a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Which of the driver's devices, from 0.
    pub ordinal: u32,
    /// Most bytes of device memory to use; by default all that are free when it is opened.
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
    /// Where it is on the PCI bus: domain, bus and device. It finds the device in other interfaces of
    /// the driver, and is kept out of files.
    pub pci_address: (u32, u32, u32),
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
    /// Most bytes that plans said would be in use, with what was when they were made.
    pub planned: u64,
    /// Most bytes that may be in use.
    pub budget: u64,
}

struct Inner {
    modules: Modules,
    stream: Stream,
    staging: Mutex<Staging>,
    memory: Mutex<MemoryUse>,
    info: Info,
    /// Dropped last: fields are dropped in order.
    context: Context,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Modules and pinned memory go when nothing uses them, on whichever thread that is.
        if CurrentContext::set_current(&self.context).is_ok() {
            // SAFETY: the stream is this device's. A failure was reported, or will not matter.
            unsafe { driver::cuStreamSynchronize(self.stream.0) };
        }
    }
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

/// The error of pinning host memory.
pub(super) fn pinning_failed(code: Code, num_bytes: usize) -> Error {
    match code {
        driver::OUT_OF_MEMORY => Error::Resource(format!(
            "no memory to pin {} MB of for copies to the GPU",
            num_bytes.div_ceil(1_000_000)
        )),
        code => failed(code, &format!("pinning {num_bytes} bytes of host memory")),
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
        let code = unsafe { driver::cuStreamCreate(&raw mut stream, NON_BLOCKING) };
        check(code, || doing.clone())?;
        let stream = Stream(stream);
        keep_freed_memory(options.ordinal, &doing)?;
        let budget = match options.vram_budget {
            Some(budget) => budget,
            None => free_bytes(&doing)?,
        };
        Ok(Self(Arc::new(Inner {
            modules: Modules::default(),
            stream,
            staging: Mutex::new(Staging::new()?),
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
        self.check(code, || "waiting for the device".into())?;
        self.0.modules.forget_launched();
        Ok(())
    }

    /// Pinned memory for small uploads.
    pub(super) fn staging(&self) -> MutexGuard<'_, Staging> {
        lock(&self.0.staging)
    }

    /// The account of its memory.
    pub(super) fn account(&self) -> MutexGuard<'_, MemoryUse> {
        lock(&self.0.memory)
    }

    /// The error of a failed driver call, with the kernels launched since the last wait: any call may
    /// be the first to report what one of them did.
    pub(super) fn check(&self, code: Code, doing: impl FnOnce() -> String) -> Result<()> {
        check(code, || {
            let (doing, launched) = (doing(), self.0.modules.launched());
            match launched.is_empty() {
                true => doing,
                false => format!("{doing}, after the kernels {}", launched.join(", ")),
            }
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
        let code = unsafe { driver::cuEventRecord(event, self.0.stream.0) };
        check(code, doing)?;
        Ok(mark)
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
        pci_address: (
            attribute(A::PciDomainId)?,
            attribute(A::PciBusId)?,
            attribute(A::PciDeviceId)?,
        ),
        stand_in: is_stand_in(),
    })
}

/// Memory of the current device that nothing uses.
fn free_bytes(doing: &str) -> Result<u64> {
    let (mut free, mut total) = (0, 0);
    // SAFETY: both take numbers.
    let code = unsafe { driver::cuMemGetInfo_v2(&raw mut free, &raw mut total) };
    check(code, || doing.to_owned())?;
    Ok(free as u64)
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
        self.device.check(code, || "waiting for an event".into())?;
        let mut milliseconds = 0f32;
        // SAFETY: both events are recorded, `milliseconds` takes the time.
        let code =
            unsafe { driver::cuEventElapsedTime(&raw mut milliseconds, earlier.event, self.event) };
        self.device.check(code, || "reading an event".into())?;
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

#[cfg(test)]
mod tests;
