//! Stages on a GPU: kernels of our own, launched through `cust`.

mod device;
mod driver;
mod elements;
mod fri;
mod grind;
mod launch;
mod merkle;
mod open;
#[cfg(test)]
mod testing;

/// The kernels' images, by file.
mod images {
    include!(concat!(env!("OUT_DIR"), "/images.rs"));
}

pub use device::{Device, Info, Mark, MemoryUse, Options};
