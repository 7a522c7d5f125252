//! Device memory. `copy.rs` has the copies to and from it.
//!
//! Memory comes from the driver's pool for the device's stream, which keeps what is freed. Its use is
//! accounted for here, so that a budget can be held and the peak be reported.

use std::marker::PhantomData;
use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::device::{Device, MemoryUse};
use super::driver;
use super::plan::megabytes;
use crate::{Error, Result};

/// What fresh memory holds in builds with debug assertions.
const POISON: u8 = 0xa5;

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
            if code == driver::OUT_OF_MEMORY {
                drop(buffer);
                return Err(Error::OutOfDeviceMemory(self.no_memory(what, num_bytes)));
            }
            self.check(code, || format!("taking {num_bytes} bytes for {what}"))?;
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
        self.check(code, || "filling memory".into())
    }

    /// A buffer with the items of `from`; they go through pinned memory, and it does not wait until
    /// the device has them.
    ///
    /// # Errors
    /// As for [`alloc`](Self::alloc), and [`Error::Device`] if the copy fails.
    pub(super) fn upload<T: Pod>(&self, what: &'static str, from: &[T]) -> Result<Buffer<T>> {
        let buffer = self.alloc(what, from.len())?;
        self.write(buffer.view(0..from.len()), from)?;
        Ok(buffer)
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

    /// - `num_bytes`: not among those in use.
    fn no_memory(&self, what: &str, num_bytes: u64) -> String {
        let MemoryUse { live, budget, .. } = self.memory();
        let whole = budget >= self.info().total_bytes;
        format!(
            "{what} needs {} MB beside {} MB in use, of {} MB on {}; give a lower \
             --segment-log-cycles{}",
            megabytes(num_bytes),
            megabytes(live),
            megabytes(budget),
            self.info().name,
            if whole {
                ""
            } else {
                " or a higher --vram-budget"
            }
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
    pub(super) address: u64,
    pub(super) len: usize,
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
