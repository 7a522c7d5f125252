//! `--backend`: where stages are computed.

use clap::{Args, ValueEnum};
use rewit::backend::Cpu;
#[cfg(feature = "cuda")]
use rewit::backend::{
    Checked,
    cuda::{Cuda, Device, Options},
};
#[cfg(feature = "cuda")]
use rewit::measure::Nvml;
use rewit::measure::{ClockSampler, Gpu};
use rewit::{Error, Result};

use super::units::parse_bytes;
#[cfg(feature = "cuda")]
use {super::say, rewit::report::format_bytes};

/// Where stages are computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Choice {
    /// The CPU.
    Cpu,
    /// A GPU.
    Cuda,
    /// Both, comparing witnesses cell by cell, and proofs as far as grinding leaves them the same.
    Check,
    /// A GPU where there is one, else the CPU.
    Auto,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct BackendArgs {
    /// Where witnesses are regenerated and proofs made.
    #[arg(long, value_enum, value_name = "NAME", default_value = "cpu")]
    pub(crate) backend: Choice,
    /// Number of the GPU, from 0; of no use with the CPU.
    #[arg(long, value_name = "N", default_value_t = 0)]
    device: u32,
    /// Most memory of the GPU to use, in bytes or with a suffix such as 8GiB or 500MB [default: what is
    /// free].
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    vram_budget: Option<u64>,
}

/// A backend that was chosen and is there.
#[derive(Debug)]
pub(crate) enum Chosen {
    Cpu(Cpu),
    #[cfg(feature = "cuda")]
    Cuda(Cuda),
    #[cfg(feature = "cuda")]
    Check(Checked<Cpu, Cuda>),
}

/// Evaluates an expression with the backend chosen, whichever type it has.
macro_rules! on {
    ($chosen:expr, $backend:ident => $body:expr) => {
        match $chosen {
            $crate::cli::backend::Chosen::Cpu($backend) => $body,
            #[cfg(feature = "cuda")]
            $crate::cli::backend::Chosen::Cuda($backend) => $body,
            #[cfg(feature = "cuda")]
            $crate::cli::backend::Chosen::Check($backend) => $body,
        }
    };
}
pub(crate) use on;

impl BackendArgs {
    /// Opens the backend.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if it is not built in or not there.
    #[cfg(feature = "cuda")]
    pub(crate) fn open(&self) -> Result<Chosen> {
        let options = Options {
            ordinal: self.device,
            vram_budget: self.vram_budget,
        };
        Ok(match self.backend {
            Choice::Cpu => Chosen::Cpu(Cpu),
            Choice::Cuda => Chosen::Cuda(Cuda::open(&options)?),
            Choice::Check => Chosen::Check(Checked::new(Cpu, Cuda::open(&options)?)),
            Choice::Auto => match Cuda::open(&options) {
                Ok(cuda) if !cuda.device().info().stand_in => {
                    say(&format!("backend: {}", cuda.device().info().name));
                    Chosen::Cuda(cuda)
                }
                Ok(cuda) => {
                    say(&format!(
                        "backend: the CPU, for {}",
                        cuda.device().info().name
                    ));
                    Chosen::Cpu(Cpu)
                }
                Err(Error::NoDevice(why)) if self.device == 0 => {
                    say(&format!("backend: the CPU, for {why}"));
                    Chosen::Cpu(Cpu)
                }
                Err(error) => return Err(error),
            },
        })
    }

    /// Opens the backend.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if it is not built in.
    #[cfg(not(feature = "cuda"))]
    pub(crate) fn open(&self) -> Result<Chosen> {
        match self.backend {
            Choice::Cpu | Choice::Auto => Ok(Chosen::Cpu(Cpu)),
            Choice::Cuda | Choice::Check => Err(Error::NoDevice(
                "built without CUDA; rebuild with --features cuda".into(),
            )),
        }
    }
}

impl Chosen {
    /// The GPU it uses.
    #[cfg(feature = "cuda")]
    fn device(&self) -> Option<&Device> {
        match self {
            Self::Cpu(_) => None,
            Self::Cuda(cuda) => Some(cuda.device()),
            Self::Check(checked) => Some(checked.second().device()),
        }
    }

    /// The GPU it uses, as CUDA and NVML describe it.
    #[cfg(feature = "cuda")]
    pub(crate) fn gpu(&self) -> Option<Gpu> {
        self.device().map(Gpu::of)
    }

    /// The same, with measured bandwidths of copies.
    ///
    /// # Errors
    /// Those of [`Gpu::measure_copies`].
    #[cfg(feature = "cuda")]
    pub(crate) fn measured_gpu(&self) -> Result<Option<Gpu>> {
        let Some(device) = self.device() else {
            return Ok(None);
        };
        let mut gpu = Gpu::of(device);
        gpu.measure_copies(device)?;
        Ok(Some(gpu))
    }

    /// Starts to watch the clocks of the GPU it uses; `None` if there is none, or nothing to watch
    /// it with.
    #[cfg(feature = "cuda")]
    pub(crate) fn watch_clocks(&self) -> Option<ClockSampler> {
        let address = self.device()?.info().pci_address;
        let nvml = Nvml::load().ok()?;
        ClockSampler::start(nvml, address).ok()
    }

    /// The GPU it uses: none is built in.
    #[cfg(not(feature = "cuda"))]
    #[expect(clippy::unused_self, reason = "with CUDA it depends on the backend")]
    pub(crate) fn gpu(&self) -> Option<Gpu> {
        None
    }

    /// The GPU it uses: none is built in.
    #[cfg(not(feature = "cuda"))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "with CUDA it depends on the backend"
    )]
    pub(crate) fn measured_gpu(&self) -> Result<Option<Gpu>> {
        Ok(None)
    }

    /// Starts to watch the clocks of the GPU it uses: none is built in.
    #[cfg(not(feature = "cuda"))]
    #[expect(clippy::unused_self, reason = "with CUDA it depends on the backend")]
    pub(crate) fn watch_clocks(&self) -> Option<ClockSampler> {
        None
    }

    /// Refuses to have numbers kept that say nothing: a check's times are of two backends, and a
    /// stand-in's of no GPU.
    ///
    /// # Errors
    /// [`Error::Usage`] if `wanted` names a flag that keeps numbers.
    pub(crate) fn refuse_numbers(&self, wanted: Option<&str>) -> Result<()> {
        let (Some(flag), Some(why)) = (wanted, self.no_numbers()) else {
            return Ok(());
        };
        Err(Error::Usage(format!("{why}; leave out {flag}")))
    }

    /// Says how much of the GPU's memory was used, and how much was planned for.
    #[cfg(feature = "cuda")]
    pub(crate) fn say_memory(&self) {
        let device = match self {
            Self::Cpu(_) => return,
            Self::Cuda(cuda) => cuda.device(),
            Self::Check(checked) => checked.second().device(),
        };
        let memory = device.memory();
        say(&format!(
            "device memory: {} used at most, {} planned, of {}",
            format_bytes(memory.peak as f64),
            format_bytes(memory.planned as f64),
            format_bytes(memory.budget as f64)
        ));
    }

    /// Says how much of the GPU's memory was used: none is built in.
    #[cfg(not(feature = "cuda"))]
    #[expect(clippy::unused_self, reason = "with CUDA it depends on the backend")]
    pub(crate) fn say_memory(&self) {}

    /// Why its times say nothing; `None` if they do.
    #[cfg(feature = "cuda")]
    pub(crate) fn no_numbers(&self) -> Option<String> {
        let stand_in = |cuda: &Cuda| {
            let name = &cuda.device().info().name;
            let stand_in = cuda.device().info().stand_in;
            stand_in.then(|| format!("times of {name} say nothing of a GPU"))
        };
        match self {
            Self::Cpu(_) => None,
            Self::Cuda(cuda) => stand_in(cuda),
            Self::Check(checked) => Some(
                stand_in(checked.second())
                    .unwrap_or_else(|| "a run that checks is not one that measures".into()),
            ),
        }
    }

    /// Why its times say nothing; `None` if they do.
    #[cfg(not(feature = "cuda"))]
    #[expect(clippy::unused_self, reason = "with CUDA it depends on the device")]
    pub(crate) fn no_numbers(&self) -> Option<String> {
        None
    }
}
