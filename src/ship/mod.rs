//! Shipments: the encodings of a segment that can be sent to another machine.

mod record;

pub use record::{ROW_KIND_SHIFT, Record, RowKind};

/// placeholder
#[derive(Debug, thiserror::Error)]
pub enum ShipError {}
