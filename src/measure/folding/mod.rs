//! Folding: all chunks of a segment, and samples at other chunk sizes.

mod types;

pub use types::{
    FoldMeasurement, FoldParameters, FoldStage, Hops, Peer, PeerStep, Session, SizeRow,
    StageSeconds, TableSize, Times,
};
