//! `rewit devices`: what this build can compute on.

use rewit::Result;
use rewit::measure::Hardware;
use rewit::report::format_bytes;

use super::print;

/// Prints a line per device.
pub(crate) fn devices() -> Result<()> {
    let Hardware {
        cpu,
        physical_cores,
        logical_cores,
        simd,
        ram_bytes,
        os,
        arch,
        ..
    } = Hardware::detect();
    let cores = physical_cores.map_or(String::new(), |n| format!("{n} cores, "));
    let mut text = format!(
        "cpu   {cpu} ({arch}), {cores}{logical_cores} threads, built for {}, has {}, {} of memory, \
         {os}\n",
        simd.compiled,
        simd.available,
        format_bytes(ram_bytes as f64)
    );
    for line in gpus() {
        text += &format!("gpu   {line}\n");
    }
    print(text.as_bytes())
}

/// A line per GPU, or why there is none.
#[cfg(not(feature = "cuda"))]
fn gpus() -> Vec<String> {
    vec!["built without CUDA; rebuild with --features cuda".to_owned()]
}

/// A line per GPU, or why there is none.
#[cfg(feature = "cuda")]
fn gpus() -> Vec<String> {
    use rewit::Error;
    use rewit::backend::cuda::{Device, Options};

    let mut lines = Vec::new();
    for ordinal in 0.. {
        let options = Options {
            ordinal,
            ..Options::default()
        };
        match Device::open(&options) {
            Ok(device) => {
                let info = device.info();
                lines.push(format!(
                    "{ordinal}: {}, compute capability {}.{}, {} multiprocessors, {} of memory, \
                     driver for CUDA {}.{}",
                    info.name,
                    info.compute_capability.0,
                    info.compute_capability.1,
                    info.num_multiprocessors,
                    format_bytes(info.total_bytes as f64),
                    info.driver.0,
                    info.driver.1
                ));
            }
            Err(Error::NoDevice(why)) => {
                if ordinal == 0 {
                    lines.push(format!("none: {why}"));
                }
                break;
            }
            Err(error) => {
                lines.push(format!("{ordinal}: {error}"));
                break;
            }
        }
    }
    lines
}
