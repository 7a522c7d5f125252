//! The same program as on `riscv32`, on std: fd 0 in, fd 1 and 2 out, fd 3 the journal if it is open.

use std::io::{Read, Write, stderr, stdin, stdout};
use std::process::exit;
use std::vec::Vec;

use crate::{EXIT_BAD_INPUT, Guest};

/// Runs `guest` as the whole program. The journal is not written: std cannot name fd 3.
pub fn start(guest: Guest) {
    let mut input = Vec::new();
    stdin().read_to_end(&mut input).expect("fd 0 is readable");
    match guest(&input) {
        Ok(output) => {
            stdout()
                .write_all(output.text.as_bytes())
                .expect("fd 1 is writable");
        }
        Err(why) => {
            writeln!(stderr(), "bad input: {}", why.0).expect("fd 2 is writable");
            exit(EXIT_BAD_INPUT as i32);
        }
    }
}
