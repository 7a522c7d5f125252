//! A bump allocator over `brk`.
//!
//! Memory is handed out upwards and only the newest block is ever taken back, so a growing vector grows in place and
//! an allocation costs a few cycles. A guest is short-lived; what it never frees it pays for in touched pages.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

use crate::riscv::brk;

/// The break moves in steps of this many bytes, so that system calls stay rare.
const STEP: usize = 256 * 1024;

struct Heap(UnsafeCell<Bounds>);

struct Bounds {
    /// First free byte; 0 before the first allocation.
    next: usize,
    /// Where mapped memory ends.
    end: usize,
}

// SAFETY: a guest has one thread.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Bounds { next: 0, end: 0 }));

impl Bounds {
    /// Makes `[start, start + size)` the newest block, or says no.
    fn take(&mut self, start: usize, size: usize) -> Option<()> {
        let next = start.checked_add(size)?;
        if next > self.end {
            let end = next.checked_next_multiple_of(STEP)?;
            if brk(end) < end {
                return None;
            }
            self.end = end;
        }
        self.next = next;
        Some(())
    }
}

// SAFETY: blocks do not overlap, because `next` passes every block before it is handed out and only moves back over
// the newest one when that is given back or shrunk.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no reference outlives this call.
        let bounds = unsafe { &mut *self.0.get() };
        if bounds.next == 0 {
            bounds.next = brk(0);
            bounds.end = bounds.next;
        }
        let Some(start) = bounds.next.checked_next_multiple_of(layout.align()) else {
            return ptr::null_mut();
        };
        match bounds.take(start, layout.size()) {
            Some(()) => start as *mut u8,
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        let bounds = unsafe { &mut *self.0.get() };
        if block as usize + layout.size() == bounds.next {
            bounds.next = block as usize;
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        {
            // SAFETY: as in `alloc`; the reference ends with this scope, before `alloc` takes its own.
            let bounds = unsafe { &mut *self.0.get() };
            if block as usize + layout.size() == bounds.next {
                return match bounds.take(block as usize, new_size) {
                    Some(()) => block,
                    None => ptr::null_mut(),
                };
            }
        }
        if new_size <= layout.size() {
            return block;
        }
        // SAFETY: the caller promises a valid size for the alignment; the copy stays inside both blocks, and the
        // old one stays readable because memory is never unmapped.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size());
            }
            moved
        }
    }
}
