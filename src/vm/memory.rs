//! Guest memory: all 4 GiB reserved, backed by zero pages until written.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;

use memmap2::{MmapMut, MmapOptions};

use crate::segment::{LOG_PAGE_BYTES, PAGE_BYTES};
use crate::{Error, Result};

const SPACE_BYTES: usize = 1 << 32;

/// The guest's 4 GiB address space.
///
/// Every address is mapped, so no access needs a bounds check; memory that was never written reads
/// as zero and costs nothing. Guest words are little-endian whatever the host is.
#[derive(Debug)]
pub struct Memory {
    map: MmapMut,
}

impl Memory {
    /// Reserves an address space of zeroes.
    ///
    /// # Errors
    /// [`Error::Resource`] if the operating system refuses to reserve 4 GiB of addresses.
    pub fn new() -> Result<Self> {
        const { assert!(usize::BITS == 64, "guest memory needs a 64-bit host") };
        let map = MmapOptions::new().len(SPACE_BYTES).no_reserve_swap().map_anon().map_err(|e| {
            Error::Resource(format!(
                "cannot reserve 4 GiB of addresses for guest memory: {e}; check `ulimit -v` and \
                 vm.overcommit_memory"
            ))
        })?;
        Ok(Self { map })
    }

    /// A view for reading and writing that can be copied; see [`View`].
    #[inline(always)]
    pub fn view(&mut self) -> View<'_> {
        let base = NonNull::from(self.map.as_mut()).cast();
        View {
            base,
            borrow: PhantomData,
        }
    }

    /// The word at `addr`, which is rounded down to a multiple of 4.
    pub fn read_word(&self, addr: u32) -> u32 {
        let at = (addr & !3) as usize;
        let bytes = self.map[at..at + 4]
            .try_into()
            .expect("the slice has four bytes");
        u32::from_le_bytes(bytes)
    }

    /// The byte at `addr`.
    pub fn read_byte(&self, addr: u32) -> u8 {
        self.map[addr as usize]
    }

    /// Copies `bytes` to `addr`.
    ///
    /// # Panics
    /// If they do not end within the address space.
    pub fn write_bytes(&mut self, addr: u32, bytes: &[u8]) {
        self.map[addr as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// The `len` bytes at `addr`.
    ///
    /// # Panics
    /// If they do not end within the address space.
    pub fn bytes(&self, addr: u32, len: usize) -> &[u8] {
        &self.map[addr as usize..][..len]
    }

    /// Contents of the 1 KiB page `number` (address >> 10).
    ///
    /// # Panics
    /// If `number` is not below `2^22`.
    pub fn page(&self, number: u32) -> &[u8; PAGE_BYTES] {
        let at = (number as usize) << LOG_PAGE_BYTES;
        self.map[at..at + PAGE_BYTES]
            .try_into()
            .expect("the slice has one page")
    }

    /// Sets the contents of the 1 KiB page `number` (address >> 10).
    ///
    /// # Panics
    /// If `number` is not below `2^22`.
    pub fn load_page(&mut self, number: u32, contents: &[u8; PAGE_BYTES]) {
        let at = (number as usize) << LOG_PAGE_BYTES;
        self.map[at..at + PAGE_BYTES].copy_from_slice(contents);
    }
}

/// A copyable view of a [`Memory`] for one thread, like a `&Cell` of all its bytes.
///
/// Half-word and word addresses are rounded down to a multiple of their size, so every access stays
/// within the address space.
#[derive(Clone, Copy, Debug)]
pub struct View<'m> {
    base: NonNull<u8>,
    borrow: PhantomData<&'m Cell<[u8]>>,
}

impl View<'_> {
    #[inline(always)]
    fn at<T>(self, addr: u32) -> *mut T {
        let addr = addr as usize & !(size_of::<T>() - 1);
        // SAFETY: the view's base is the start of a live mapping of 2^32 bytes (`Memory::new`), and
        // an aligned access of size_of::<T>() <= 4 bytes at addr < 2^32 ends within it.
        unsafe { self.base.as_ptr().add(addr).cast() }
    }

    /// The word at `addr`, which is rounded down to a multiple of 4.
    #[inline(always)]
    pub fn word(self, addr: u32) -> u32 {
        // SAFETY: `at` is in bounds and aligned (the mapping is page-aligned); the view borrows the
        // memory mutably for one thread, so nothing else reads or writes it.
        u32::from_le(unsafe { self.at::<u32>(addr).read() })
    }

    /// The half-word at `addr`, which is rounded down to a multiple of 2.
    #[inline(always)]
    pub fn half(self, addr: u32) -> u16 {
        // SAFETY: as in `word`.
        u16::from_le(unsafe { self.at::<u16>(addr).read() })
    }

    /// The byte at `addr`.
    #[inline(always)]
    pub fn byte(self, addr: u32) -> u8 {
        // SAFETY: as in `word`.
        unsafe { self.at::<u8>(addr).read() }
    }

    /// Writes the word at `addr`, which is rounded down to a multiple of 4.
    #[inline(always)]
    pub fn set_word(self, addr: u32, value: u32) {
        // SAFETY: as in `word`; no reference into the memory lives while the view borrows it.
        unsafe { self.at::<u32>(addr).write(value.to_le()) }
    }

    /// Writes the half-word at `addr`, which is rounded down to a multiple of 2.
    #[inline(always)]
    pub fn set_half(self, addr: u32, value: u16) {
        // SAFETY: as in `set_word`.
        unsafe { self.at::<u16>(addr).write(value.to_le()) }
    }

    /// Writes the byte at `addr`.
    #[inline(always)]
    pub fn set_byte(self, addr: u32, value: u8) {
        // SAFETY: as in `set_word`.
        unsafe { self.at::<u8>(addr).write(value) }
    }

    /// A copy of the 1 KiB page that contains `addr`.
    pub fn page_at(self, addr: u32) -> [u8; PAGE_BYTES] {
        let start = addr as usize & !(PAGE_BYTES - 1);
        // SAFETY: the page is within the mapping of 2^32 bytes; a byte array has alignment 1; no
        // other thread writes it (see `word`).
        unsafe {
            self.base
                .as_ptr()
                .add(start)
                .cast::<[u8; PAGE_BYTES]>()
                .read()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_addresses_are_usable() {
        let mut memory = Memory::new().unwrap();
        let view = memory.view();
        view.set_word(0xffff_fffc, 0x1234_5678);
        view.set_byte(0xffff_ffff, 0xab);
        assert_eq!(view.word(0xffff_ffff), 0xab34_5678);
        assert_eq!(view.half(0xffff_fffe), 0xab34);
        assert_eq!(view.page_at(0xffff_ffff)[1023], 0xab);
        assert_eq!(memory.page((1 << 22) - 1)[1020], 0x78);
        assert_eq!(memory.read_word(0), 0);
    }

    #[test]
    fn pages_load_and_read_back() {
        let mut memory = Memory::new().unwrap();
        memory.load_page(5, &[7; PAGE_BYTES]);
        assert_eq!(memory.page(5), &[7; PAGE_BYTES]);
        assert_eq!(memory.page(4), &[0; PAGE_BYTES]);
        assert_eq!(memory.read_byte(5 << 10), 7);
        assert_eq!(memory.bytes((5 << 10) - 1, 2), [0, 7]);
    }
}
