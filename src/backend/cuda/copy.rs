//! Copies between host and device, all through page-locked memory.
//!
//! A driver copies ordinary memory through pinned memory of its own, one part after the other. Here the
//! host's threads fill one slot while the device takes the other.

use std::ffi::c_void;
use std::ptr::null_mut;

use bytemuck::Pod;
use rayon::prelude::*;

use super::device::{Device, pinning_failed};
use super::driver::{self, SUCCESS};
use super::memory::{Buffer, View};
use crate::Result;

/// Bytes of pinned memory through which small uploads go, round and round.
const SMALL_BYTES: usize = 1 << 20;
/// Larger copies go through slots.
const MAX_SMALL_BYTES: usize = SMALL_BYTES / 4;
/// Bytes of a slot.
const SLOT_BYTES: usize = 8 << 20;
/// Bytes that a thread copies at a time.
const PART_BYTES: usize = 256 << 10;
/// `CU_EVENT_DISABLE_TIMING`.
const UNTIMED: u32 = 2;

/// Pinned memory that copies go through.
pub(super) struct Staging {
    small: Pinned,
    /// First byte of `small` that no copy may still read.
    next: usize,
    /// Made when first used.
    slots: Option<[Slot; 2]>,
}

impl Staging {
    /// All of it free.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            small: Pinned::new(SMALL_BYTES)?,
            next: 0,
            slots: None,
        })
    }
}

/// Page-locked host memory, which the device copies to and from directly.
pub(super) struct Pinned {
    pointer: *mut u8,
    num_bytes: usize,
}

// SAFETY: it owns its memory, as a `Box<[u8]>` does.
unsafe impl Send for Pinned {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Pinned {}

impl Pinned {
    pub(super) fn new(num_bytes: usize) -> Result<Self> {
        let mut pointer = null_mut();
        // SAFETY: `pointer` takes the address.
        let code = unsafe { driver::cuMemHostAlloc(&raw mut pointer, num_bytes.max(1), 0) };
        if code != SUCCESS {
            return Err(pinning_failed(driver::last_code(), num_bytes));
        }
        // SAFETY: the driver gave that many bytes; they are made initialised here.
        unsafe { pointer.cast::<u8>().write_bytes(0, num_bytes) };
        Ok(Self {
            pointer: pointer.cast(),
            num_bytes,
        })
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
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

/// Pinned memory, and an event after the last copy that used it.
struct Slot {
    memory: Pinned,
    event: *mut c_void,
}

// SAFETY: driver handles may be used from any thread.
unsafe impl Send for Slot {}

impl Slot {
    fn new(device: &Device) -> Result<Self> {
        let memory = Pinned::new(SLOT_BYTES)?;
        let mut event = null_mut();
        // SAFETY: `event` takes the handle.
        let code = unsafe { driver::cuEventCreate(&raw mut event, UNTIMED) };
        device.check(code, || "making an event".into())?;
        Ok(Self { memory, event })
    }

    /// Waits until no copy uses the memory.
    fn wait(&self, device: &Device) -> Result<()> {
        // SAFETY: the event is the slot's; one that was not recorded is no wait.
        let code = unsafe { driver::cuEventSynchronize(self.event) };
        device.check(code, || "waiting for a copy".into())
    }

    /// Marks the copy just queued as the last that uses the memory.
    fn mark(&self, device: &Device) -> Result<()> {
        // SAFETY: event and stream are the device's.
        let code = unsafe { driver::cuEventRecord(self.event, device.stream()) };
        device.check(code, || "recording an event".into())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: the event came from `cuEventCreate` and is not used again.
        unsafe { driver::cuEventDestroy_v2(self.event) };
    }
}

/// Copies with all threads.
fn copy_bytes(from: &[u8], to: &mut [u8]) {
    to.par_chunks_mut(PART_BYTES)
        .zip(from.par_chunks(PART_BYTES))
        .for_each(|(to, from)| to.copy_from_slice(from));
}

impl Device {
    /// Overwrites `to` with the items of `from`; they are read before it returns.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if work before it, or the copy, fails.
    /// # Panics
    /// If the lengths differ.
    pub(super) fn write<T: Pod>(&self, to: View<'_, T>, from: &[T]) -> Result<()> {
        assert_eq!(to.len, from.len(), "a copy has as many items as its source");
        let bytes: &[u8] = bytemuck::cast_slice(from);
        if bytes.is_empty() {
            return Ok(());
        }
        self.bind()?;
        let staging = &mut *self.staging();
        if bytes.len() > MAX_SMALL_BYTES {
            let slots = self.slots(staging)?;
            let mut address = to.address;
            for (i, part) in bytes.chunks(SLOT_BYTES).enumerate() {
                let slot = &mut slots[i % 2];
                slot.wait(self)?;
                let staged = &mut slot.memory.bytes_mut()[..part.len()];
                copy_bytes(part, staged);
                self.queue_to_device(address, staged)?;
                slot.mark(self)?;
                address += part.len() as u64;
            }
            return Ok(());
        }
        if staging.next + bytes.len() > SMALL_BYTES {
            self.synchronize()?;
            staging.next = 0;
        }
        let start = staging.next;
        staging.next += bytes.len().next_multiple_of(16);
        let staged = &mut staging.small.bytes_mut()[start..][..bytes.len()];
        staged.copy_from_slice(bytes);
        // Not overwritten before the device has waited.
        self.queue_to_device(to.address, staged)
    }

    /// Queues a copy of pinned memory, which must not change until it is done.
    fn queue_to_device(&self, to: u64, staged: &[u8]) -> Result<()> {
        let (from, len) = (staged.as_ptr().cast(), staged.len());
        // SAFETY: both sides have that many bytes; the callers keep the pinned ones.
        let code = unsafe { driver::cuMemcpyHtoDAsync_v2(to, from, len, self.stream()) };
        self.check(code, || format!("copying {len} bytes to the device"))
    }

    fn slots<'a>(&self, staging: &'a mut Staging) -> Result<&'a mut [Slot; 2]> {
        if staging.slots.is_none() {
            staging.slots = Some([Slot::new(self)?, Slot::new(self)?]);
        }
        Ok(staging.slots.as_mut().expect("made above"))
    }

    /// The contents of a buffer; waits for the device.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if work before it, or the copy, fails.
    pub(super) fn download<T: Pod>(&self, from: &Buffer<T>) -> Result<Vec<T>> {
        let mut to = crate::memory::zeroed_vec(from.len())?;
        self.download_into(from.all(), &mut to)?;
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
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(to);
        if bytes.is_empty() {
            return self.synchronize();
        }
        self.bind()?;
        let staging = &mut *self.staging();
        let slots = self.slots(staging)?;
        // While a slot is copied out, the device fills the other.
        let mut queued = 0;
        let mut filled: Option<(usize, &mut [u8])> = None;
        let mut parts = bytes.chunks_mut(SLOT_BYTES);
        for i in 0.. {
            let part = parts.next();
            if let Some(part) = &part {
                let slot = &mut slots[i % 2];
                let len = part.len();
                let pointer = slot.memory.bytes_mut().as_mut_ptr().cast();
                // SAFETY: both sides have that many bytes; the slot is read after the wait below, and
                // a copy before this one that uses it is before it on the stream.
                let code = unsafe {
                    driver::cuMemcpyDtoHAsync_v2(pointer, from.address + queued, len, self.stream())
                };
                self.check(code, || format!("copying {len} bytes from the device"))?;
                slot.mark(self)?;
                queued += len as u64;
            }
            if let Some((at, out)) = filled.take() {
                let slot = &mut slots[at % 2];
                slot.wait(self)?;
                let len = out.len();
                copy_bytes(&slot.memory.bytes_mut()[..len], out);
            }
            match part {
                Some(part) => filled = Some((i, part)),
                None => break,
            }
        }
        // Nothing is left to wait for; errors of kernels before the copy are reported here at the latest.
        self.synchronize()
    }
}
