//! Stages on a GPU: kernels of our own, launched through `cust`.

mod device;
mod driver;
mod grind;
mod histogram;
mod launch;
mod lde;
mod memory;
mod merkle;
mod plan;
mod scan;
mod sort;
mod transpose;
#[cfg(test)]
mod testing;

/// The kernels' images, by file.
mod images {
    include!(concat!(env!("OUT_DIR"), "/images.rs"));
}

pub use device::{Device, Info, Mark, MemoryUse, Options};
pub use plan::Plan;
