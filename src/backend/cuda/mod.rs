//! Stages on a GPU: kernels of our own, launched through `cust`.

mod backend;
mod bandwidth;
mod bn254;
mod challenger;
mod copy;
mod device;
mod driver;
mod elements;
mod folding;
mod fri;
mod grind;
#[allow(
    dead_code,
    reason = "for the multi-scalar multiplication, which is next"
)]
mod histogram;
mod launch;
mod lde;
mod memory;
mod merkle;
pub mod micro;
#[cfg(test)]
mod mont256;
mod msm;
mod open;
mod pcs;
#[cfg(feature = "peers-cuda")]
pub mod peers;
mod plan;
pub mod regenerate;
#[allow(
    dead_code,
    reason = "sums and compaction are for the multi-scalar multiplication, which is next"
)]
mod scan;
#[cfg(test)]
mod shared;
mod sort;
mod table;
#[cfg(test)]
mod testing;
mod transpose;

/// The kernels' images, by file.
mod images {
    include!(concat!(env!("OUT_DIR"), "/images.rs"));
}

pub use backend::{Cuda, CudaLayer, CudaTree};
pub use bandwidth::{CopySeconds, copy_seconds};
pub use challenger::{CudaChallenger, Transcript};
pub use device::{Device, Info, Mark, MemoryUse, Options};
pub use folding::{CudaKey, CudaMatrices, CudaVector};
pub use pcs::{CommitmentPlan, CpuPcs, CudaPcs, CudaProverData, MatrixPlan};
pub use plan::Plan;
pub use table::{DeviceMatrix, DeviceWitness};
