//! Device memory and copies.
//!
//! Memory comes from the driver's pool for the device's stream, which keeps what is freed. Its use is
//! accounted for here, so that a budget can be held and the peak be reported.

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::null_mut;

use bytemuck::{Pod, Zeroable};

use super::device::{Device, MemoryUse, check};
use super::driver;
use crate::{Error, Result};

/// Bytes of pinned memory through which small uploads go.
const STAGING_BYTES: usize = 1 << 20;
/// Larger uploads wait for the device.
const MAX_STAGED_BYTES: usize = STAGING_BYTES / 4;
/// What fresh memory holds in builds with debug assertions.
const POISON: u8 = 0xa5;

/// Pinned memory for small uploads, used round and round.
pub(super) struct Staging {
    memory: Pinned,
    next: usize,
}

impl Staging {
    /// All of it free.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            memory: Pinned::new(STAGING_BYTES)?,
            next: 0,
        })
    }
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
        let code = unsafe { driver::cuMemHostAlloc(&raw mut pointer, num_bytes.max(1), 0) };
        check(code, || format!("pinning {num_bytes} bytes of host memory"))?;
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

impl Device {
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
                driver::cuMemAllocAsync(&raw mut address, num_bytes as usize, self.stream())
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
                self.stream(),
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
                    self.stream(),
                )
            };
            check(code, || {
                format!("copying {} bytes to the device", bytes.len())
            })?;
            return self.synchronize();
        }
        let mut staging = self.staging();
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
                self.stream(),
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
                    self.stream(),
                )
            };
            check(code, || {
                format!("copying {} bytes from the device", size_of_val(to))
            })?;
        }
        self.synchronize()
    }

    /// Counts memory that is about to be taken.
    fn take_from_budget(&self, what: &str, len: usize, item_bytes: usize) -> Result<u64> {
        let num_bytes = (len as u64).saturating_mul(item_bytes as u64);
        {
            let mut memory = self.account();
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
            self.info().name
        )
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
            unsafe { driver::cuMemFreeAsync(self.address, self.device.stream()) };
        }
        self.device.account().live -= self.num_bytes;
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

impl<'a, T> View<'a, T> {
    /// The items of `range`.
    ///
    /// # Panics
    /// If they are not within.
    pub(super) fn view(&self, range: Range<usize>) -> View<'a, T> {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "items {range:?} of a view of {}",
            self.len
        );
        View {
            address: self.address + (range.start * size_of::<T>()) as u64,
            len: range.end - range.start,
            _buffer: PhantomData,
        }
    }

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
