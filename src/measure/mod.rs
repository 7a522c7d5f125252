//! Measuring: stages with named boundaries, the machine they ran on, and the main job.
//!
//! `docs/method.md` says what lies inside each boundary.

mod capture;
mod encodings;
mod folding;
mod folds;
mod hardware;
mod link;
mod memory;
mod nvml;
#[cfg(feature = "peers")]
pub mod peers;
pub mod proof_size;
mod proofs;
mod run;
mod stage;

pub use capture::{Capture, Captured};
#[cfg(feature = "peers")]
pub use folding::fold_peers;
pub use folding::{
    FoldJob, FoldMeasurement, FoldParameters, FoldProgress, FoldStage, FoldableSegment, Hops, Peer,
    PeerStep, Samples, Session, SizeRow, StageSeconds, TableSize, fold, sample,
};
pub use folds::FoldedSample;
pub use hardware::{
    Cache, CacheKind, CopyBandwidth, CopyDirection, Gpu, GpuLoad, GpuState, Hardware,
    MemoryBandwidth, Pcie, Simd,
};
pub use link::{
    Link, LinkDirection, LinkLimits, LinkPoint, LinkServer, ProbeOptions, conclude_link, probe_link,
};
pub use memory::{PeakMemory, available_memory};
pub use nvml::{ClockSampler, Nvml, NvmlGpu, PciAddress};
pub use proofs::ProvenSegment;
pub use run::{
    Guest, Job, MeasuredSegment, Measurement, Parameters, Progress, Selection, run, segments_of,
};
pub use stage::{Interval, Key, Kind, Row, Rows, Sample, Stage, Summary, Unit};
