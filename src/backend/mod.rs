//! Where stages are computed.
