//! What tests of kernels share.

use std::io::Write;

use super::{Device, Options};
use crate::Error;

/// The device to test on: a GPU, or the CPU stand-in.
///
/// Prints SKIPPED and returns `None` without either, unless `REQUIRE_CUDA=1` or `REQUIRE_GPU=1`; the
/// second also refuses the stand-in.
///
/// # Panics
/// If one is required and missing, or fails to open.
pub(crate) fn device() -> Option<Device> {
    device_with(&Options::default())
}

/// The same with options.
pub(crate) fn device_with(options: &Options) -> Option<Device> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|v| v == "1");
    let gpu = is_set("REQUIRE_GPU");
    match Device::open(options) {
        Ok(device) => {
            assert!(
                !(gpu && device.info().stand_in),
                "REQUIRE_GPU=1, but this is {}",
                device.info().name
            );
            Some(device)
        }
        Err(Error::NoDevice(why)) if !gpu && !is_set("REQUIRE_CUDA") => {
            // Straight to standard error: the test harness captures `eprintln!`.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
            None
        }
        Err(e) => panic!("no device to test on: {e}"),
    }
}

/// A small deterministic generator (xorshift64*), so that failures name a seed.
pub(crate) struct Rng(u64);

impl Rng {
    /// Starts from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A word.
    pub(crate) fn word(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    /// A field element in Montgomery form, often 0 or P − 1.
    pub(crate) fn element(&mut self) -> u32 {
        match self.word() % 16 {
            0 => 0,
            1 => crate::witness::P - 1,
            _ => self.word() % crate::witness::P,
        }
    }

    /// `len` field elements.
    pub(crate) fn elements(&mut self, len: usize) -> Vec<u32> {
        (0..len).map(|_| self.element()).collect()
    }
}
