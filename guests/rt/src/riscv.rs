//! Bare-metal start-up and the five system calls, with Linux RISC-V numbers.

use alloc::vec::Vec;
use core::arch::{asm, global_asm};
use core::fmt::{self, Write};
use core::panic::PanicInfo;

use crate::{EXIT_BAD_INPUT, EXIT_PANIC, Guest};

const SYS_READ: u32 = 63;
const SYS_WRITE: u32 = 64;
const SYS_EXIT: u32 = 93;
const SYS_BRK: u32 = 214;

const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;
const JOURNAL: u32 = 3;

// The loader sets sp; everything else is ours to set. `gp` must not be relaxed against itself.
global_asm!(
    ".section .text._start, \"ax\", @progbits",
    ".globl _start",
    "_start:",
    ".option push",
    ".option norelax",
    "la gp, __global_pointer$",
    ".option pop",
    "andi sp, sp, -16",
    "call guest_main",
    "unimp",
);

/// Reads all of fd 0, runs `guest`, writes what it returns and exits.
pub fn start(guest: Guest) -> ! {
    let input = read_all();
    match guest(&input) {
        Ok(output) => {
            write_all(STDOUT, output.text.as_bytes());
            write_all(JOURNAL, &output.journal);
            exit(0)
        }
        Err(why) => {
            for part in ["bad input: ", why.0, "\n"] {
                write_all(STDERR, part.as_bytes());
            }
            exit(EXIT_BAD_INPUT)
        }
    }
}

/// Moves the program break to `address` (0 asks for it) and returns the break that holds afterwards.
pub(crate) fn brk(address: usize) -> usize {
    // SAFETY: moving the break up maps zeroed memory; nothing in a guest ever moves it down.
    unsafe { syscall(SYS_BRK, address as u32, 0, 0) as usize }
}

fn read_all() -> Vec<u8> {
    const CHUNK: usize = 16 * 1024;
    let mut input: Vec<u8> = Vec::new();
    loop {
        input.reserve(CHUNK);
        let spare = input.spare_capacity_mut();
        // SAFETY: the call writes at most `spare.len()` bytes to `spare`.
        let got = unsafe {
            syscall(
                SYS_READ,
                STDIN,
                spare.as_mut_ptr() as u32,
                spare.len() as u32,
            )
        } as i32;
        let Ok(got) = usize::try_from(got) else {
            write_all(STDERR, b"cannot read fd 0\n");
            exit(EXIT_BAD_INPUT);
        };
        if got == 0 {
            return input;
        }
        // SAFETY: the call has just written the next `got` bytes.
        unsafe { input.set_len(input.len() + got) };
    }
}

/// Writes all of `bytes`; gives up silently if the descriptor is not open, as the journal may be.
fn write_all(fd: u32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the system call only reads the `bytes` it is given.
        let put = unsafe { syscall(SYS_WRITE, fd, bytes.as_ptr() as u32, bytes.len() as u32) };
        match usize::try_from(put as i32) {
            Ok(put) if put > 0 => bytes = &bytes[put..],
            _ => return,
        }
    }
}

fn exit(code: u32) -> ! {
    loop {
        // SAFETY: exit does not return; the loop only tells the compiler so.
        unsafe { syscall(SYS_EXIT, code, 0, 0) };
    }
}

/// # Safety
/// The call must be one of the four above, with pointers that are valid for what it does.
unsafe fn syscall(number: u32, a0: u32, a1: u32, a2: u32) -> u32 {
    let result;
    // SAFETY: the caller vouches for the arguments; Linux preserves every register but a0.
    unsafe {
        asm!("ecall", in("a7") number, inlateout("a0") a0 => result, in("a1") a1, in("a2") a2);
    }
    result
}

struct Stderr;

impl Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_all(STDERR, text.as_bytes());
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // Nothing is left to do if even this fails.
    let _ = writeln!(Stderr, "{info}");
    exit(EXIT_PANIC)
}
