//! A GPU: what its driver says of it, how it did under load, and how fast it copies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(feature = "cuda")]
use crate::measure::Nvml;
use crate::measure::{Kind, Summary};

/// A GPU, as its driver describes it. Nothing in it tells two GPUs of a model apart.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
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
    /// What the management library NVML says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nvml: Option<GpuState>,
    /// Why `nvml` is missing, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nvml_missing: Option<String>,
    /// What was seen of it while it worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<GpuLoad>,
    /// Measured bandwidths of copies, one per direction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopyBandwidth>,
}

/// A GPU by NVML. A field is missing where the GPU or its driver does not say.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GpuState {
    /// Version of the driver, such as `580.65.06`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_version: Option<String>,
    /// Clock of the multiprocessors when looked at, in MHz; what they idle at, unless there was work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sm_clock_mhz: Option<u32>,
    /// Highest clock of the multiprocessors, in MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sm_clock_mhz: Option<u32>,
    /// Clock of the memory when looked at, in MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_clock_mhz: Option<u32>,
    /// Highest clock of the memory, in MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_clock_mhz: Option<u32>,
    /// Power limit in force, in watts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_limit_watts: Option<f64>,
    /// Whether memory errors are corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecc: Option<bool>,
    /// The link to the host when looked at; an idle one may have slowed down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcie: Option<Pcie>,
    /// The most that GPU and host can do together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pcie: Option<Pcie>,
}

/// A PCI Express link.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Pcie {
    /// Generation.
    pub generation: u32,
    /// Lanes.
    pub width: u32,
}

/// What was seen of a GPU in looks at it, twenty a second, while a kernel ran.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GpuLoad {
    /// Looks of which the following are: those in which it was in use, or did not say whether.
    pub num_samples: u64,
    /// Further looks, in which it had not been in use for a moment.
    pub num_idle: u64,
    /// Clock of the multiprocessors in MHz: median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sm_clock_mhz: Option<f64>,
    /// The lowest seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_sm_clock_mhz: Option<f64>,
    /// Clock of the memory in MHz: median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_clock_mhz: Option<f64>,
    /// The lowest seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_memory_clock_mhz: Option<f64>,
    /// Power drawn in watts: median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_watts: Option<f64>,
    /// Highest temperature in degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_temperature_celsius: Option<u32>,
    /// The fastest link to the host seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcie: Option<Pcie>,
    /// Reasons for lower clocks that were given at least once, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub throttle_reasons: Vec<String>,
}

/// From where to where a GPU copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CopyDirection {
    /// Page-locked host memory to device memory.
    HostToDevice,
    /// Device memory to page-locked host memory.
    DeviceToHost,
    /// Device memory to device memory.
    Device,
}

impl CopyDirection {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HostToDevice, Self::DeviceToHost, Self::Device];

    /// Its name in result files.
    pub fn name(self) -> &'static str {
        match self {
            Self::HostToDevice => "host-to-device",
            Self::DeviceToHost => "device-to-host",
            Self::Device => "device",
        }
    }
}

/// Bandwidth of one kind of copy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyBandwidth {
    /// From where to where.
    pub direction: CopyDirection,
    /// Measured, unless somebody wrote it.
    pub kind: Kind,
    /// Bytes of a copy.
    pub buffer_bytes: u64,
    /// Bytes copied a second, by the device's clock, one per sample. A byte that is read once and
    /// written once counts once.
    pub samples: Vec<f64>,
    /// What the samples say together.
    pub summary: Summary,
}

impl CopyBandwidth {
    /// From measured samples, bytes copied a second; `None` without any.
    pub fn measured(
        direction: CopyDirection,
        buffer_bytes: u64,
        samples: Vec<f64>,
    ) -> Option<Self> {
        let summary = Summary::of(&samples)?;
        Some(Self {
            direction,
            kind: Kind::Measured,
            buffer_bytes,
            samples,
            summary,
        })
    }
}

impl Gpu {
    /// Whether it is, or was looked at through, a stand-in: its numbers say nothing of a GPU.
    pub fn is_stand_in(&self) -> bool {
        let version = self
            .nvml
            .as_ref()
            .and_then(|nvml| nvml.driver_version.as_ref());
        self.name.contains("stand-in") || version.is_some_and(|v| v.contains("stand-in"))
    }

    /// The bandwidth of a kind of copy, if it was measured.
    pub fn copy(&self, direction: CopyDirection) -> Option<&CopyBandwidth> {
        self.copies.iter().find(|copy| copy.direction == direction)
    }
}

#[cfg(feature = "cuda")]
impl Gpu {
    /// What CUDA and NVML say of a device.
    pub fn of(device: &crate::backend::cuda::Device) -> Self {
        let info = device.info();
        let mut gpu = Self::from(info);
        match Nvml::load().and_then(|nvml| nvml.state(info.pci_address)) {
            Ok(state) => gpu.nvml = Some(state),
            Err(why) => gpu.nvml_missing = Some(why),
        }
        gpu
    }

    /// Measures how fast a device copies; on the stand-in it copies, and measures nothing.
    ///
    /// # Errors
    /// Those of [`copy_seconds`](crate::backend::cuda::copy_seconds).
    pub fn measure_copies(&mut self, device: &crate::backend::cuda::Device) -> crate::Result<()> {
        let copies = crate::backend::cuda::copy_seconds(device)?;
        let bytes = copies.num_bytes;
        let bandwidth = |direction, seconds: &[f64]| {
            let samples = seconds.iter().map(|seconds| bytes as f64 / seconds);
            CopyBandwidth::measured(direction, bytes, samples.collect())
        };
        self.copies = [
            bandwidth(CopyDirection::HostToDevice, &copies.host_to_device),
            bandwidth(CopyDirection::DeviceToHost, &copies.device_to_host),
            bandwidth(CopyDirection::Device, &copies.device),
        ]
        .into_iter()
        .flatten()
        .collect();
        Ok(())
    }
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
            ..Self::default()
        }
    }
}
