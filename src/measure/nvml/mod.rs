//! What NVML, the management library of NVIDIA's driver, says of GPUs.
//!
//! The library is loaded when asked for: `libnvidia-ml.so.1`, or what `REWIT_LIBNVML` names. It is of
//! the driver, not of CUDA, and is asked by builds without the feature `cuda` too. Whatever it fails
//! to answer is missing in the answer; that is never an error.

mod sampler;
mod tally;

use std::ffi::OsString;

use nvml_wrapper as nvml;
use nvml_wrapper::enum_wrappers::device::Clock;
use nvml_wrapper::error::NvmlError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hardware::{GpuState, Pcie};
pub use sampler::ClockSampler;

/// Name of the library where `REWIT_LIBNVML` names none.
const LIBRARY: &str = "libnvidia-ml.so.1";
/// Most GPUs that are looked at.
const MAX_GPUS: u32 = 256;

/// Where a GPU is on the PCI bus: domain, bus and device. It finds the GPU of one driver interface in
/// another, and goes into no file.
pub type PciAddress = (u32, u32, u32);

/// The library, loaded and initialised.
#[derive(Debug)]
pub struct Nvml(nvml::Nvml);

/// A GPU that NVML knows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NvmlGpu {
    /// Its name.
    pub name: String,
    /// Memory in bytes, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// What else it says.
    #[serde(flatten)]
    pub state: GpuState,
}

impl Nvml {
    /// Loads the library.
    ///
    /// # Errors
    /// Why there is none, in words that name no file.
    pub fn load() -> Result<Self, String> {
        let name = std::env::var_os("REWIT_LIBNVML").filter(|name| !name.is_empty());
        Self::load_from(name.unwrap_or_else(|| LIBRARY.into()))
    }

    /// Loads the library of this name or path.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn load_from(name: impl Into<OsString>) -> Result<Self, String> {
        let name = name.into();
        let loaded = nvml::Nvml::builder().lib_path(&name).init();
        loaded.map(Self).map_err(|error| explain(&error))
    }

    /// The GPUs, in its order; in place of one that does not answer, why.
    ///
    /// # Errors
    /// Why it cannot count them.
    pub fn gpus(&self) -> Result<Vec<Result<NvmlGpu, String>>, String> {
        let count = self.0.device_count().map_err(|error| explain(&error))?;
        let gpu = |index| {
            let device = self.0.device_by_index(index);
            let device = device.map_err(|error| explain(&error))?;
            Ok(NvmlGpu {
                name: device.name().map_err(|error| explain(&error))?,
                memory_bytes: device.memory_info().ok().map(|memory| memory.total),
                state: self.state_of(&device),
            })
        };
        Ok((0..count.min(MAX_GPUS)).map(gpu).collect())
    }

    /// What it says of the GPU at an address.
    ///
    /// # Errors
    /// Why it does not, in words.
    pub fn state(&self, address: PciAddress) -> Result<GpuState, String> {
        Ok(self.state_of(&self.find(address)?))
    }

    /// The GPU at an address.
    fn find(&self, address: PciAddress) -> Result<nvml::Device<'_>, String> {
        let count = self.0.device_count().map_err(|error| explain(&error))?;
        let mut silent = None;
        for index in 0..count.min(MAX_GPUS) {
            let device = self.0.device_by_index(index);
            match device.and_then(|device| Ok((device.pci_info()?, device))) {
                Ok((pci, device)) if (pci.domain, pci.bus, pci.device) == address => {
                    return Ok(device);
                }
                Ok(_) => {}
                Err(error) => silent = Some(explain(&error)),
            }
        }
        Err(silent.unwrap_or_else(|| format!("NVML knows {count} GPUs, and not this one")))
    }

    fn state_of(&self, device: &nvml::Device<'_>) -> GpuState {
        GpuState {
            driver_version: self.0.sys_driver_version().ok(),
            sm_clock_mhz: device.clock_info(Clock::SM).ok(),
            max_sm_clock_mhz: device.max_clock_info(Clock::SM).ok(),
            memory_clock_mhz: device.clock_info(Clock::Memory).ok(),
            max_memory_clock_mhz: device.max_clock_info(Clock::Memory).ok(),
            power_limit_watts: device.enforced_power_limit().ok().map(watts),
            ecc: device
                .is_ecc_enabled()
                .ok()
                .map(|ecc| ecc.currently_enabled),
            pcie: pcie(
                device.current_pcie_link_gen(),
                device.current_pcie_link_width(),
            ),
            max_pcie: pcie(device.max_pcie_link_gen(), device.max_pcie_link_width()),
        }
    }
}

/// Watts of milliwatts.
fn watts(milliwatts: u32) -> f64 {
    f64::from(milliwatts) / 1e3
}

/// A link of which both numbers are known.
fn pcie(generation: Result<u32, NvmlError>, width: Result<u32, NvmlError>) -> Option<Pcie> {
    let (generation, width) = (generation.ok()?, width.ok()?);
    (generation > 0 && width > 0).then_some(Pcie { generation, width })
}

/// An error in words; those of the loader would name a file.
fn explain(error: &NvmlError) -> String {
    match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => {
            "the NVML library cannot be loaded; it comes with NVIDIA's driver".to_owned()
        }
        NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound => {
            "the NVML library lacks a function; it may be older than 2018".to_owned()
        }
        other => format!("NVML: {other}"),
    }
}
