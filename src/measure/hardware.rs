//! The machine a measurement was made on; nothing that names it or its owner.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

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
    /// Main memory in bytes; 0 if unknown.
    pub ram_bytes: u64,
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

/// A GPU, as its driver describes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// Compute capability, such as `9.0`.
    pub compute_capability: String,
    /// Streaming multiprocessors.
    pub num_multiprocessors: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Newest CUDA version the driver supports, such as `13.0`.
    pub cuda_version: String,
}

#[cfg(feature = "cuda")]
impl From<&crate::backend::cuda::Info> for Gpu {
    fn from(info: &crate::backend::cuda::Info) -> Self {
        let version = |(major, minor): (u32, u32)| format!("{major}.{minor}");
        Self {
            name: info.name.clone(),
            compute_capability: version(info.compute_capability),
            num_multiprocessors: info.num_multiprocessors,
            memory_bytes: info.total_bytes,
            cuda_version: version(info.driver),
        }
    }
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
    /// Looks at this machine.
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
            ram_bytes: system.map_or(0, |system| system.total_memory()),
            os: known(System::long_os_version().ok()),
            kernel: known(System::kernel_version().ok()),
            arch: std::env::consts::ARCH.to_owned(),
            gpu: None,
        }
    }
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
