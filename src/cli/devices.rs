//! `rewit devices`: this machine, what this build can compute on, and how fast it copies.

use std::fmt::Write;

use clap::Args;
use rewit::Result;
use rewit::measure::{CopyDirection, Gpu, GpuState, Hardware, Nvml, NvmlGpu, Pcie};
use rewit::report::{Tool, format_bytes, format_counted};
use serde::Serialize;

use super::{print, use_threads};

#[derive(Args, Debug)]
pub(crate) struct DevicesArgs {
    /// Also measure how fast main memory and GPUs copy: a few seconds.
    #[arg(long)]
    measure: bool,
    /// Threads that copy main memory [default: as many as the processor runs at once].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    threads: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is known of a machine and its GPUs.
#[derive(Serialize)]
struct Devices {
    /// The program that looked.
    tool: Tool,
    /// Processor and memory.
    hardware: Hardware,
    /// GPUs that this build can compute on.
    gpus: Vec<Gpu>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_gpus: Option<String>,
    /// GPUs that the management library knows, whether this build can compute on them or not.
    nvml: Vec<NvmlGpu>,
    /// Why there is none, or why one of them is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_nvml: Option<String>,
}

/// Prints what there is.
pub(crate) fn devices(args: &DevicesArgs) -> Result<()> {
    let threads = use_threads(args.threads)?;
    let hardware = match args.measure {
        true => Hardware::profile(threads)?,
        false => Hardware::detect(),
    };
    let (gpus, no_gpus) = gpus(args.measure)?;
    let (nvml, no_nvml) = nvml();
    let devices = Devices {
        tool: Tool::this(),
        hardware,
        gpus,
        no_gpus,
        nvml,
        no_nvml,
    };
    if args.json {
        let text = serde_json::to_string_pretty(&devices).expect("devices are plain data");
        return print(format!("{text}\n").as_bytes());
    }
    print(render(&devices).as_bytes())
}

/// GPUs that this build can compute on, or why there is none.
#[cfg(not(feature = "cuda"))]
#[expect(clippy::unnecessary_wraps, reason = "with CUDA it can fail")]
fn gpus(_: bool) -> Result<(Vec<Gpu>, Option<String>)> {
    let why = "built without CUDA; rebuild with --features cuda";
    Ok((Vec::new(), Some(why.to_owned())))
}

/// GPUs that this build can compute on, or why there is none.
#[cfg(feature = "cuda")]
fn gpus(measure: bool) -> Result<(Vec<Gpu>, Option<String>)> {
    use rewit::Error;
    use rewit::backend::cuda::{Device, Options};

    let mut gpus = Vec::new();
    for ordinal in 0.. {
        let options = Options {
            ordinal,
            ..Options::default()
        };
        match Device::open(&options) {
            Ok(device) => {
                let mut gpu = Gpu::of(&device);
                if measure {
                    gpu.measure_copies(&device)?;
                }
                gpus.push(gpu);
            }
            Err(Error::NoDevice(why)) => {
                return Ok((gpus, (ordinal == 0).then(|| format!("none: {why}"))));
            }
            Err(error) => return Ok((gpus, Some(format!("{ordinal}: {error}")))),
        }
    }
    Ok((gpus, None))
}

/// GPUs that NVML knows, or why there is none.
fn nvml() -> (Vec<NvmlGpu>, Option<String>) {
    let found = match Nvml::load().and_then(|nvml| nvml.gpus()) {
        Ok(found) => found,
        Err(why) => return (Vec::new(), Some(why)),
    };
    let (mut gpus, mut missing) = (Vec::new(), Vec::new());
    for (i, gpu) in found.into_iter().enumerate() {
        match gpu {
            Ok(gpu) => gpus.push(gpu),
            Err(why) => missing.push(format!("{i}: {why}")),
        }
    }
    if gpus.is_empty() && missing.is_empty() {
        missing.push("NVML knows no GPU".into());
    }
    (gpus, (!missing.is_empty()).then(|| missing.join("; ")))
}

/// Bytes a second.
fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", format_bytes(bytes_per_second))
}

/// A few lines per device.
fn render(devices: &Devices) -> String {
    let mut text = processor(&devices.hardware);
    let mut line = |name: &str, rest: &str| {
        writeln!(text, "{name:5} {rest}").expect("a string takes all");
    };
    for (i, gpu) in devices.gpus.iter().enumerate() {
        line("gpu", &format!("{i}: {}", describe(gpu)));
        if let Some(state) = &gpu.nvml {
            line("", &state_of(state));
        }
        for copy in &gpu.copies {
            let what = match copy.direction {
                CopyDirection::HostToDevice => "from page-locked host memory",
                CopyDirection::DeviceToHost => "to page-locked host memory",
                CopyDirection::Device => "within device memory",
            };
            line(
                "",
                &format!(
                    "copies {} {what} (measured, {} at a time)",
                    rate(copy.summary.median),
                    format_bytes(copy.buffer_bytes as f64)
                ),
            );
        }
    }
    if let Some(why) = &devices.no_gpus {
        line("gpu", why);
    }
    // What CUDA found has what NVML says of it above.
    if devices.gpus.is_empty() {
        for (i, gpu) in devices.nvml.iter().enumerate() {
            let memory = gpu
                .memory_bytes
                .map(|bytes| format!(", {} of memory", format_bytes(bytes as f64)));
            line(
                "nvml",
                &format!("{i}: {}{}", gpu.name, memory.unwrap_or_default()),
            );
            line("", &state_of(&gpu.state));
        }
    }
    if let Some(why) = &devices.no_nvml {
        line("nvml", why);
    }
    text
}

fn processor(hardware: &Hardware) -> String {
    let Hardware {
        cpu,
        physical_cores,
        logical_cores,
        simd,
        caches,
        numa_nodes,
        governor,
        ram_bytes,
        memory_bandwidth,
        os,
        kernel,
        arch,
        gpu: _,
    } = hardware;
    let cores = physical_cores.map_or(String::new(), |n| format!("{n} cores, "));
    let mut text = format!(
        "cpu   {cpu} ({arch}), {cores}{logical_cores} threads, built for {}, has {}{}\n",
        simd.compiled,
        simd.available,
        governor
            .as_ref()
            .map_or(String::new(), |name| format!(", governor {name}"))
    );
    if !caches.is_empty() {
        let caches = caches.iter().map(|cache| {
            let bytes = match cache.bytes {
                bytes if bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
                bytes => format!("{} KiB", bytes >> 10),
            };
            let shared = cache.shared_by.filter(|&threads| threads > 1);
            let shared = shared.map(|threads| format!(" for {threads} threads"));
            format!(
                "L{} {} {bytes}{}",
                cache.level,
                cache.kind.name(),
                shared.unwrap_or_default()
            )
        });
        let caches: Vec<String> = caches.collect();
        text += &format!("cache {}\n", caches.join(", "));
    }
    text += &format!("ram   {}", format_bytes(*ram_bytes as f64));
    if let Some(nodes) = numa_nodes {
        text += &format!(", {}", format_counted((*nodes).into(), "NUMA node"));
    }
    text += "\n";
    if let Some(bandwidth) = memory_bandwidth {
        text += &format!(
            "      copies {} (measured, {} threads, {} at a time; each byte read and written counts once)\n",
            rate(bandwidth.summary.median),
            bandwidth.threads,
            format_bytes(bandwidth.buffer_bytes as f64)
        );
    }
    text + &format!("os    {os}, kernel {kernel}\n")
}

fn describe(gpu: &Gpu) -> String {
    let missing = gpu.nvml_missing.as_ref();
    format!(
        "{}, compute capability {}, {} multiprocessors, {} of memory, driver for CUDA {}{}",
        gpu.name,
        gpu.compute_capability,
        gpu.num_multiprocessors,
        format_bytes(gpu.memory_bytes as f64),
        gpu.cuda_version,
        missing.map_or(String::new(), |why| format!(" ({why})"))
    )
}

/// What NVML says, on a line.
fn state_of(state: &GpuState) -> String {
    let GpuState {
        driver_version,
        sm_clock_mhz,
        max_sm_clock_mhz,
        memory_clock_mhz,
        max_memory_clock_mhz,
        power_limit_watts,
        ecc,
        pcie,
        max_pcie,
    } = state;
    let unknown = || "unknown".to_owned();
    let clock = |clock: &Option<u32>| clock.map_or_else(unknown, |mhz| mhz.to_string());
    let link = |link: &Option<Pcie>| {
        link.map_or_else(unknown, |pcie| {
            format!("generation {} x{}", pcie.generation, pcie.width)
        })
    };
    format!(
        "driver {}, clock {} of {} MHz, memory {} of {} MHz, power limit {}, ECC {}, PCIe {} of {}",
        driver_version.clone().unwrap_or_else(unknown),
        clock(sm_clock_mhz),
        clock(max_sm_clock_mhz),
        clock(memory_clock_mhz),
        clock(max_memory_clock_mhz),
        power_limit_watts.map_or_else(unknown, |watts| format!("{watts} W")),
        ecc.map_or_else(unknown, |on| if on { "on".into() } else { "off".into() }),
        link(pcie),
        link(max_pcie)
    )
}
