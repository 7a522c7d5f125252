//! The GPU that tests run on, or its stand-in on the CPU.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::io::Write;

use rewit::backend::cuda::{Cuda, Device, Options};
use rewit::{Error, Result};

/// The device to test on.
///
/// Prints SKIPPED and returns `None` without a GPU or stand-in, unless `REQUIRE_CUDA=1` or
/// `REQUIRE_GPU=1`; the second also refuses the stand-in.
///
/// # Panics
/// If one is required and missing, or fails to open.
pub(crate) fn device() -> Option<Device> {
    device_with(&Options::default())
}

/// The same with options.
pub(crate) fn device_with(options: &Options) -> Option<Device> {
    usable(Device::open(options), |device| device)
}

/// The same as a backend.
pub(crate) fn cuda() -> Option<Cuda> {
    usable(Cuda::open(&Options::default()), Cuda::device)
}

/// Runs a suite on the device, and then sees that nothing is left in its memory.
///
/// # Panics
/// If something is, and as [`device`].
pub(crate) fn on_cuda(suite: impl FnOnce(&Cuda)) {
    if let Some(cuda) = cuda() {
        suite(&cuda);
        let device = cuda.device().clone();
        drop(cuda);
        assert_eq!(device.memory().live, 0, "device memory is left over");
    }
}

fn usable<T>(opened: Result<T>, device: impl Fn(&T) -> &Device) -> Option<T> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|v| v == "1");
    let gpu = is_set("REQUIRE_GPU");
    match opened {
        Ok(opened) => {
            let info = device(&opened).info();
            assert!(
                !(gpu && info.stand_in),
                "REQUIRE_GPU=1, but this is {}",
                info.name
            );
            Some(opened)
        }
        Err(Error::NoDevice(why)) if !gpu && !is_set("REQUIRE_CUDA") => {
            // Straight to standard error: the test harness captures `eprintln!`.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
            None
        }
        Err(error) => panic!("no device to test on: {error}"),
    }
}
