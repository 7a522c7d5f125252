//! Every guest, and the inputs that are committed with it.

use anyhow::Result;
use guest_rt::Guest;

use crate::{chain, signatures};

/// Makes an input file.
pub type MakeInput = fn() -> Result<Vec<u8>>;

/// One guest.
pub struct Entry {
    /// Of the package (`guest-NAME`), the ELF file and the inputs.
    pub name: &'static str,
    /// One line for a listing.
    pub description: &'static str,
    /// Its logic, to be run natively.
    pub run: Guest,
    /// What its input files end in.
    pub extension: &'static str,
    /// Names of the inputs and what makes them: `default` for everyday measurements, `small` for quick tests.
    pub inputs: &'static [(&'static str, MakeInput)],
}

fn text(line: &str) -> Vec<u8> {
    format!("{line}\n").into_bytes()
}

/// The guests, simplest first.
pub const GUESTS: &[Entry] = &[
    Entry {
        name: "fib",
        description: "Fibonacci numbers modulo 2^32 in a loop that lives in registers",
        run: guest_fib::run,
        extension: "txt",
        inputs: &[
            ("default", || Ok(text("5000000"))),
            ("small", || Ok(text("100000"))),
        ],
    },
    Entry {
        name: "sha2-chain",
        description: "a chain of SHA-256 hashes",
        run: guest_sha2_chain::run,
        extension: "txt",
        inputs: &[
            ("default", || Ok(text("10000"))),
            ("small", || Ok(text("100"))),
        ],
    },
    Entry {
        name: "keccak-chain",
        description: "a chain of Keccak-256 hashes",
        run: guest_keccak_chain::run,
        extension: "txt",
        inputs: &[
            ("default", || Ok(text("2000"))),
            ("small", || Ok(text("50"))),
        ],
    },
    Entry {
        name: "sort",
        description: "sorts 32-bit numbers in a working set of chosen size (default input: 8 MiB)",
        run: guest_sort::run,
        extension: "txt",
        inputs: &[
            ("default", || Ok(text("8192 1"))),
            ("small", || Ok(text("64 1"))),
        ],
    },
    Entry {
        name: "ecdsa",
        description: "verifies secp256k1 signatures, some of them tampered with",
        run: guest_ecdsa::run,
        extension: "bin",
        inputs: &[
            ("default", || Ok(signatures::input(10))),
            ("small", || Ok(signatures::input(1))),
        ],
    },
    Entry {
        name: "block",
        description: "a block of signed transactions executed by revm, with sender recovery and state roots",
        run: guest_block::run,
        extension: "bin",
        inputs: &[
            ("default", || {
                chain::input(chain::Size {
                    accounts: 8,
                    transfers: 2,
                    token_transfers: 2,
                    allowances: 1,
                    churns: 1,
                    slots_per_churn: 16,
                    filled_slots: 16,
                    creations: 0,
                    reverts: 1,
                    rejects: 2,
                })
            }),
            ("small", || {
                chain::input(chain::Size {
                    accounts: 1,
                    token_transfers: 1,
                    ..chain::Size::default()
                })
            }),
            ("large", || {
                chain::input(chain::Size {
                    accounts: 64,
                    transfers: 16,
                    token_transfers: 16,
                    allowances: 4,
                    churns: 8,
                    slots_per_churn: 64,
                    filled_slots: 256,
                    creations: 1,
                    reverts: 2,
                    rejects: 4,
                })
            }),
        ],
    },
];
