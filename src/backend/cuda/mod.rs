//! Stages on a GPU: kernels of our own, launched through `cust`.

mod device;
mod driver;
mod histogram;
mod launch;
mod regenerate;
mod scan;
mod sort;
#[cfg(test)]
mod testing;
mod transpose;

/// The kernels' images, by file.
mod images {
    include!(concat!(env!("OUT_DIR"), "/images.rs"));
}

pub use device::{Device, Info, Mark, MemoryUse, Options};
pub use regenerate::{
    DeviceMatrix, DeviceProgram, DeviceReads, DeviceRegenerated, DeviceWitness, Job, Plan, Size,
    plan, regenerate, regenerate_from_reads, regenerate_many,
};
