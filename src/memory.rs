//! Large allocations.

use bytemuck::Zeroable;

/// Smaller allocations are left to the system's page size.
#[cfg(target_os = "linux")]
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// `len` zeros, in memory that is not touched before it is used.
///
/// Large vectors ask for 2 MiB pages: a witness of 2^20 rows otherwise takes 180,000 page faults.
///
/// # Errors
/// If there is no such memory.
pub(crate) fn zeroed_vec<T: Zeroable>(len: usize) -> Result<Vec<T>, NoMemory> {
    let no_memory = NoMemory {
        bytes: len.saturating_mul(size_of::<T>()),
    };
    let zeros = bytemuck::allocation::try_zeroed_slice_box(len).map_err(|()| no_memory)?;
    advise_huge_pages(&zeros);
    Ok(zeros.into_vec())
}

/// An allocation that the system refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoMemory {
    /// Its size.
    pub(crate) bytes: usize,
}

#[cfg(target_os = "linux")]
fn advise_huge_pages<T>(memory: &[T]) {
    const PAGE: usize = 4096;
    let start = (memory.as_ptr() as usize).next_multiple_of(PAGE);
    let end = (memory.as_ptr() as usize + size_of_val(memory)) / PAGE * PAGE;
    if end.saturating_sub(start) >= HUGE_PAGE_BYTES {
        // SAFETY: the range lies within `memory`'s allocation, and the advice changes no content.
        // A refusal costs only speed.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages<T>(_: &[T]) {}
