//! Folding: all chunks of a segment, and samples at other chunk sizes.

mod run;
mod sample;
mod types;

#[cfg(feature = "peers")]
pub use run::peers as fold_peers;
pub use run::{FoldJob, FoldProgress, fold};
pub use sample::{FoldableSegment, sample};
pub use types::{
    FoldMeasurement, FoldParameters, FoldStage, Hops, Peer, PeerStep, Samples, Session, SizeRow,
    StageSeconds, TableSize,
};
