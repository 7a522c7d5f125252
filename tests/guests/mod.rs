//! The built-in guests, for tests.
#![allow(dead_code, reason = "each test binary uses a part")]

use rewit::vm::Program;

/// All built-in guests.
pub(crate) const NAMES: [&str; 6] = [
    "fib",
    "sha2-chain",
    "keccak-chain",
    "sort",
    "ecdsa",
    "block",
];

/// A guest with an input that it handles quickly.
pub(crate) struct Guest {
    pub(crate) program: Program,
    pub(crate) input: Vec<u8>,
}

impl Guest {
    pub(crate) fn small(name: &str) -> Self {
        let elf = std::fs::read(format!("guests/prebuilt/{name}.elf")).expect("prebuilt guest");
        let input = ["txt", "bin"]
            .iter()
            .find_map(|ext| std::fs::read(format!("guests/inputs/{name}-small.{ext}")).ok())
            .expect("small input");
        Self {
            program: Program::from_elf(elf).expect("valid ELF"),
            input,
        }
    }
}
