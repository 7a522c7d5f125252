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
    let text = format!(
        "cpu   {cpu} ({arch}), {cores}{logical_cores} threads, built for {}, has {}, {} of memory, \
         {os}\n\
         gpu   built without CUDA; rebuild with --features cuda\n",
        simd.compiled,
        simd.available,
        format_bytes(ram_bytes as f64)
    );
    print(text.as_bytes())
}
