//! The machine a measurement was made on; nothing that names it or its owner.

mod caches;
mod gpu;
mod memory;

use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::Result;

pub use caches::{Cache, CacheKind};
pub use gpu::{CopyBandwidth, CopyDirection, Gpu, GpuLoad, GpuState, Pcie};
pub use memory::MemoryBandwidth;

/// Where Linux lists the nodes that have memory.
const NUMA_NODES: &str = "/sys/devices/system/node/has_memory";
/// Where Linux names the governor of the first processor's clock.
const GOVERNOR: &str = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";

/// What is known of the machine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// Name the processor gives itself.
    pub cpu: String,
    /// Cores, if known; threads of the same core count once.
    pub physical_cores: Option<u32>,
    /// Threads the processor runs at once and this process may use.
    pub logical_cores: u32,
    /// Vector instructions.
    pub simd: Simd,
    /// Caches that the first processor reaches; none if unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caches: Vec<Cache>,
    /// Parts of main memory that processors reach at different speeds, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numa_nodes: Option<u32>,
    /// Name of the policy by which the system sets the processor's clock, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// Main memory in bytes; 0 if unknown.
    pub ram_bytes: u64,
    /// How fast it is copied, if that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bandwidth: Option<MemoryBandwidth>,
    /// Operating system and version.
    pub os: String,
    /// Version of its kernel.
    pub kernel: String,
    /// Instruction set, as Rust names it.
    pub arch: String,
    /// The GPU that was used; none if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
}

/// Vector instructions: `avx512`, `avx2`, `sse2`, `neon` or `none`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Simd {
    /// What this binary was compiled for: the level its own loops use.
    pub compiled: String,
    /// What the processor has: the level of libraries that choose at run time, such as BLAKE3.
    pub available: String,
    /// Target features of the build, as rustc lists them.
    pub target_features: String,
}

impl Hardware {
    /// Looks at this machine, and measures nothing: a few milliseconds.
    pub fn detect() -> Self {
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(what).ok();
        let known = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
        let cpu = system.as_ref().and_then(|system| system.cpus().first());
        let brand = cpu.map(|cpu| cpu.brand().trim().to_owned());
        Self {
            cpu: known(brand.filter(|brand| !brand.is_empty())),
            physical_cores: System::physical_core_count().ok().map(|n| n as u32),
            logical_cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            simd: Simd::detect(),
            caches: caches::read(Path::new(caches::SYSFS)),
            numa_nodes: line_of(NUMA_NODES).and_then(|list| caches::count(&list)),
            governor: line_of(GOVERNOR),
            ram_bytes: system.map_or(0, |system| system.total_memory()),
            memory_bandwidth: None,
            os: known(System::long_os_version().ok()),
            kernel: known(System::kernel_version().ok()),
            arch: std::env::consts::ARCH.to_owned(),
            gpu: None,
        }
    }

    /// Looks at this machine, and measures how fast its memory copies.
    ///
    /// - `threads`: as many as the job will have.
    ///
    /// Cost: a second or two, and twice the memory that [`MemoryBandwidth`] says.
    /// # Errors
    /// [`Error::Resource`](crate::Error::Resource) if there is no such memory, or no such threads.
    pub fn profile(threads: u32) -> Result<Self> {
        let mut hardware = Self::detect();
        let caches = &hardware.caches;
        let bandwidth = MemoryBandwidth::measure(threads, caches, hardware.ram_bytes)?;
        hardware.memory_bandwidth = Some(bandwidth);
        Ok(hardware)
    }
}

/// The one line of a small file of the system; `None` if there is none.
fn line_of(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim();
    (!line.is_empty() && line.len() <= 64 && !line.contains('\n')).then(|| line.to_owned())
}

impl Simd {
    fn detect() -> Self {
        let compiled = if cfg!(target_feature = "avx512f") {
            "avx512"
        } else if cfg!(target_feature = "avx2") {
            "avx2"
        } else if cfg!(target_feature = "sse2") {
            "sse2"
        } else if cfg!(target_feature = "neon") {
            "neon"
        } else {
            "none"
        };
        #[cfg(target_arch = "x86_64")]
        let available = if is_x86_feature_detected!("avx512f") {
            "avx512"
        } else if is_x86_feature_detected!("avx2") {
            "avx2"
        } else {
            "sse2"
        };
        #[cfg(not(target_arch = "x86_64"))]
        let available = compiled;
        Self {
            compiled: compiled.to_owned(),
            available: available.to_owned(),
            target_features: env!("REWIT_TARGET_FEATURES").to_owned(),
        }
    }
}
