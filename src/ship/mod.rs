//! Shipments: the encodings of a segment that can be sent to another machine.

/// placeholder
#[derive(Debug, thiserror::Error)]
pub enum ShipError {}
