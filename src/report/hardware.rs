//! Checking what a file says of the machine.

use super::check::{bad, number};
use super::link::check_samples;
use crate::Result;
use crate::measure::{
    Cache, CopyBandwidth, Gpu, GpuLoad, GpuState, Hardware, Kind, MemoryBandwidth, Pcie,
};

/// Longest text of a field, in bytes.
const MAX_TEXT: usize = 4096;
/// Most caches, copies or reasons.
const MAX_ENTRIES: usize = 64;

/// Checks a machine in a file, at the field `at`: lengths, ranges, and that summaries are those of
/// their samples. A stand-in for a GPU is refused: its times are no results.
///
/// # Errors
/// [`Error::ResultFile`](crate::Error::ResultFile) naming the field.
pub(super) fn check_hardware(at: &str, hardware: &Hardware) -> Result<()> {
    let Hardware {
        cpu,
        physical_cores: _,
        logical_cores: _,
        simd,
        caches,
        numa_nodes: _,
        governor,
        ram_bytes: _,
        memory_bandwidth,
        os,
        kernel,
        arch,
        gpu,
    } = hardware;
    for (field, value) in [
        ("cpu", cpu),
        ("simd.compiled", &simd.compiled),
        ("simd.available", &simd.available),
        ("simd.target_features", &simd.target_features),
        ("os", os),
        ("kernel", kernel),
        ("arch", arch),
    ] {
        text(&format!("{at}.{field}"), value)?;
    }
    if let Some(governor) = governor {
        text(&format!("{at}.governor"), governor)?;
    }
    few(&format!("{at}.caches"), caches.len())?;
    for (i, cache) in caches.iter().enumerate() {
        let Cache {
            level,
            kind: _,
            bytes,
            shared_by,
        } = cache;
        if !(1..=16).contains(level) || *bytes == 0 || *shared_by == Some(0) {
            return Err(bad(&format!(
                "{at}.caches[{i}] has no level from 1 to 16, no bytes, or nobody to share it"
            )));
        }
    }
    if let Some(bandwidth) = memory_bandwidth {
        let MemoryBandwidth {
            kind,
            buffer_bytes,
            threads,
            samples,
            summary,
        } = bandwidth;
        let at = format!("{at}.memory_bandwidth");
        if *buffer_bytes == 0 || *threads == 0 {
            return Err(bad(&format!("{at} is of no bytes or no threads")));
        }
        not_modelled(&at, *kind)?;
        check_samples(&at, samples, summary)?;
    }
    gpu.as_ref()
        .map_or(Ok(()), |gpu| check_gpu(&format!("{at}.gpu"), gpu))
}

fn check_gpu(at: &str, gpu: &Gpu) -> Result<()> {
    let Gpu {
        name,
        compute_capability,
        num_multiprocessors: _,
        memory_bytes: _,
        cuda_version,
        nvml,
        nvml_missing,
        load,
        copies,
    } = gpu;
    if gpu.is_stand_in() {
        return Err(bad(&format!(
            "{at} is a stand-in for one, whose times are no results"
        )));
    }
    text(&format!("{at}.name"), name)?;
    text(&format!("{at}.compute_capability"), compute_capability)?;
    text(&format!("{at}.cuda_version"), cuda_version)?;
    if let Some(why) = nvml_missing {
        text(&format!("{at}.nvml_missing"), why)?;
    }
    if let Some(state) = nvml {
        let GpuState {
            driver_version,
            sm_clock_mhz: _,
            max_sm_clock_mhz: _,
            memory_clock_mhz: _,
            max_memory_clock_mhz: _,
            power_limit_watts,
            ecc: _,
            pcie: now,
            max_pcie,
        } = state;
        let at = format!("{at}.nvml");
        if let Some(version) = driver_version {
            text(&format!("{at}.driver_version"), version)?;
        }
        number(
            &format!("{at}.power_limit_watts"),
            power_limit_watts.unwrap_or_default(),
        )?;
        pcie(&format!("{at}.pcie"), now.as_ref())?;
        pcie(&format!("{at}.max_pcie"), max_pcie.as_ref())?;
    }
    if let Some(load) = load {
        check_load(&format!("{at}.load"), load)?;
    }
    few(&format!("{at}.copies"), copies.len())?;
    for (i, copy) in copies.iter().enumerate() {
        let CopyBandwidth {
            direction,
            kind,
            buffer_bytes,
            samples,
            summary,
        } = copy;
        let at = format!("{at}.copies[{i}]");
        if copies[..i]
            .iter()
            .any(|other| other.direction == *direction)
        {
            return Err(bad(&format!("{at} has the direction of an earlier one")));
        }
        if *buffer_bytes == 0 {
            return Err(bad(&format!("{at}.buffer_bytes is 0")));
        }
        not_modelled(&at, *kind)?;
        check_samples(&at, samples, summary)?;
    }
    Ok(())
}

fn check_load(at: &str, load: &GpuLoad) -> Result<()> {
    let GpuLoad {
        num_samples: _,
        num_idle: _,
        sm_clock_mhz,
        min_sm_clock_mhz,
        memory_clock_mhz,
        min_memory_clock_mhz,
        power_watts,
        max_temperature_celsius: _,
        pcie: seen,
        throttle_reasons,
    } = load;
    for (field, value) in [
        ("sm_clock_mhz", sm_clock_mhz),
        ("min_sm_clock_mhz", min_sm_clock_mhz),
        ("memory_clock_mhz", memory_clock_mhz),
        ("min_memory_clock_mhz", min_memory_clock_mhz),
        ("power_watts", power_watts),
    ] {
        number(&format!("{at}.{field}"), value.unwrap_or_default())?;
    }
    for (field, min, median) in [
        ("min_sm_clock_mhz", min_sm_clock_mhz, sm_clock_mhz),
        (
            "min_memory_clock_mhz",
            min_memory_clock_mhz,
            memory_clock_mhz,
        ),
    ] {
        if min.is_some() != median.is_some() || min > median {
            return Err(bad(&format!(
                "{at}.{field} is above the median, or without one"
            )));
        }
    }
    pcie(&format!("{at}.pcie"), seen.as_ref())?;
    few(&format!("{at}.throttle_reasons"), throttle_reasons.len())?;
    for (i, reason) in throttle_reasons.iter().enumerate() {
        text(&format!("{at}.throttle_reasons[{i}]"), reason)?;
    }
    Ok(())
}

/// What is measured or declared is not computed from something else.
fn not_modelled(at: &str, kind: Kind) -> Result<()> {
    match kind {
        Kind::Modelled => Err(bad(&format!(
            "{at}.kind is modelled: expected measured or declared"
        ))),
        Kind::Measured | Kind::Declared => Ok(()),
    }
}

fn pcie(at: &str, link: Option<&Pcie>) -> Result<()> {
    let fits = |link: &Pcie| (1..=16).contains(&link.generation) && (1..=64).contains(&link.width);
    match link {
        Some(link) if !fits(link) => Err(bad(&format!(
            "{at} has no generation from 1 to 16 or no width from 1 to 64"
        ))),
        _ => Ok(()),
    }
}

fn few(at: &str, count: usize) -> Result<()> {
    if count <= MAX_ENTRIES {
        Ok(())
    } else {
        Err(bad(&format!(
            "{at} are {count}, expected at most {MAX_ENTRIES}"
        )))
    }
}

fn text(at: &str, text: &str) -> Result<()> {
    if text.len() <= MAX_TEXT && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(bad(&format!(
            "{at} is not one line of at most {MAX_TEXT} bytes"
        )))
    }
}
