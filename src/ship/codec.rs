//! Compression of one chunk of a body. Chunks are independent, so both ways run in parallel.

use std::io;

use super::Compression;

/// Raw bytes in every chunk of a compressed body but the last.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Level given to zstd.
///
/// `lz4` is the choice of those who want speed, so this is for those who want few bytes: against
/// level 1 it makes trace rows 22 % and memory 10 % smaller. `docs/shipment.md` has the measurement.
pub const ZSTD_LEVEL: i32 = 3;

/// A compressor that may be used for any number of chunks.
pub(super) enum Packer {
    Lz4,
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Packer {
    /// Makes a compressor; `None` for [`Compression::Raw`], which has no chunks.
    pub(super) fn new(compression: Compression) -> Option<Self> {
        match compression {
            Compression::Raw => None,
            Compression::Lz4 => Some(Self::Lz4),
            Compression::Zstd => Some(Self::Zstd(
                zstd::bulk::Compressor::new(ZSTD_LEVEL).expect("the level is one zstd has"),
            )),
        }
    }

    /// Compresses `raw`, which is at most [`CHUNK_BYTES`] long.
    pub(super) fn pack(&mut self, raw: &[u8]) -> Vec<u8> {
        match self {
            Self::Lz4 => lz4_flex::block::compress(raw),
            Self::Zstd(context) => context
                .compress(raw)
                .expect("the output is as large as zstd may need"),
        }
    }
}

/// A decompressor that may be used for any number of chunks.
pub(super) enum Unpacker {
    Lz4,
    Zstd(zstd::bulk::Decompressor<'static>),
}

impl Unpacker {
    /// Makes a decompressor; `None` for [`Compression::Raw`], which has no chunks.
    pub(super) fn new(compression: Compression) -> Option<Self> {
        match compression {
            Compression::Raw => None,
            Compression::Lz4 => Some(Self::Lz4),
            Compression::Zstd => Some(Self::Zstd(
                zstd::bulk::Decompressor::new().expect("a context without a dictionary"),
            )),
        }
    }

    /// Fills `raw` from `stored`, and allocates nothing that depends on `stored`.
    ///
    /// # Errors
    /// If `stored` is malformed or does not give exactly `raw.len()` bytes.
    pub(super) fn unpack(&mut self, stored: &[u8], raw: &mut [u8]) -> io::Result<()> {
        let len = match self {
            Self::Lz4 => lz4_flex::block::decompress_into(stored, raw).map_err(io::Error::other)?,
            Self::Zstd(context) => context.decompress_to_buffer(stored, raw)?,
        };
        if len == raw.len() {
            Ok(())
        } else {
            Err(io::Error::other(format!("it gives {len}")))
        }
    }
}
