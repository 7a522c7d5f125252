//! What every guest shares: the entry point, an allocator, the system calls, and the shape of a guest.
//!
//! A guest is a function from input bytes to an [`Output`]. [`guest!`] turns it into a program: on `riscv32` a bare
//! program that speaks Linux system calls, on any other target a std program with the same behaviour. The host tool
//! calls the function directly, so expected outputs come from native code.
#![no_std]

extern crate alloc;
#[cfg(not(target_arch = "riscv32"))]
extern crate std;

use alloc::string::String;
use alloc::vec::Vec;

#[cfg(target_arch = "riscv32")]
mod heap;
#[cfg(not(target_arch = "riscv32"))]
mod native;
#[cfg(target_arch = "riscv32")]
mod riscv;

#[cfg(not(target_arch = "riscv32"))]
pub use native::start;
#[cfg(target_arch = "riscv32")]
pub use riscv::start;

/// Exit code of a guest that refuses its input.
pub const EXIT_BAD_INPUT: u32 = 2;

/// Exit code of a guest that panicked, the one that std programs use.
pub const EXIT_PANIC: u32 = 101;

/// What a guest hands back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Written to fd 1, for people.
    pub text: String,
    /// Written to fd 3: the public result that a proof binds.
    pub journal: Vec<u8>,
}

/// Why an input was refused; written to fd 2, then the guest exits with [`EXIT_BAD_INPUT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadInput(pub &'static str);

/// The logic of a guest.
pub type Guest = fn(&[u8]) -> Result<Output, BadInput>;

/// Makes a binary of a [`Guest`].
#[macro_export]
macro_rules! guest {
    ($run:path) => {
        #[cfg(target_arch = "riscv32")]
        #[unsafe(no_mangle)]
        extern "C" fn guest_main() -> ! {
            $crate::start($run)
        }

        #[cfg(not(target_arch = "riscv32"))]
        fn main() {
            $crate::start($run)
        }
    };
}

/// Splits an ASCII input at white space and parses every word as a decimal `u32`.
///
/// # Errors
/// [`BadInput`] if a word is not a decimal number below 2^32 or there are not between `min` and `N` of them; absent
/// ones keep the value in `default`.
pub fn parse_numbers<const N: usize>(
    input: &[u8],
    min: usize,
    default: [u32; N],
) -> Result<[u32; N], BadInput> {
    let text = core::str::from_utf8(input).map_err(|_| BadInput("input is not ASCII"))?;
    let mut numbers = default;
    let mut found = 0;
    for word in text.split_ascii_whitespace() {
        let slot = numbers
            .get_mut(found)
            .ok_or(BadInput("input has too many numbers"))?;
        if !word.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadInput("input is not a decimal number"));
        }
        *slot = word
            .parse()
            .map_err(|_| BadInput("number does not fit 32 bits"))?;
        found += 1;
    }
    if found < min {
        return Err(BadInput("input has too few numbers"));
    }
    Ok(numbers)
}

/// Appends `bytes` to `text` as lower-case hexadecimal digits.
pub fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_parsed_or_refused() {
        assert_eq!(parse_numbers(b" 7\n", 1, [0]), Ok([7]));
        assert_eq!(parse_numbers(b"7", 1, [0, 9]), Ok([7, 9]));
        assert_eq!(parse_numbers(b"4294967295", 1, [0]), Ok([u32::MAX]));
        for bad in [&b""[..], b"x", b"+1", b"-1", b"4294967296", b"1 2", b"\xff"] {
            assert!(parse_numbers(bad, 1, [0]).is_err(), "{bad:?}");
        }
    }
}
