//! A shipment's body as a stream: written and read once, front to back, through the codec.

use bytemuck::Pod;
use rayon::prelude::*;

use crate::memory::zeroed_vec;

use super::codec::{CHUNK_BYTES, Packer, Unpacker};
use super::{At, Compression, HEADER_BYTES, ShipError};

/// Most bytes allocated for one array before any of it was decompressed...
const TRUSTED_BYTES: usize = 64 << 20;
/// ...and how many more for each stored byte. Past that, memory grows as bytes arrive.
const TRUSTED_RATIO: usize = 64;

/// An unsigned integer of the wire, little-endian there.
pub(super) trait Word: Pod + Send + Sync {
    /// Turns words as read into words of this machine.
    fn localize(words: &mut [Self]);
}

impl Word for u8 {
    fn localize(_: &mut [Self]) {}
}

impl Word for u32 {
    fn localize(words: &mut [Self]) {
        if cfg!(target_endian = "big") {
            words.par_iter_mut().for_each(|w| *w = Self::from_le(*w));
        }
    }
}

/// Copies in parallel: a fresh page costs more to map than to fill.
fn copy(dst: &mut [u8], src: &[u8]) {
    if dst.len() <= CHUNK_BYTES {
        dst.copy_from_slice(src);
        return;
    }
    dst.par_chunks_mut(CHUNK_BYTES)
        .zip(src.par_chunks(CHUNK_BYTES))
        .for_each(|(d, s)| d.copy_from_slice(s));
}

/// Appends a body to a buffer.
///
/// Raw: the buffer has its final length from the start. Compressed: holds at most one chunk of raw
/// bytes, and compressed chunks of one parallel batch.
pub(super) struct BodyWriter<'a> {
    out: &'a mut Vec<u8>,
    compression: Compression,
    written: u64,
    pending: Vec<u8>,
}

impl<'a> BodyWriter<'a> {
    /// Starts a body of `raw_bytes` behind the `HEADER_BYTES` that `out` already has.
    pub(super) fn new(out: &'a mut Vec<u8>, compression: Compression) -> Self {
        Self {
            out,
            compression,
            written: 0,
            pending: Vec::new(),
        }
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn words(&mut self, words: &[u32]) {
        if cfg!(target_endian = "big") {
            for part in words.chunks(CHUNK_BYTES / 4) {
                let swapped: Vec<u32> = part.iter().map(|w| w.to_le()).collect();
                self.bytes(bytemuck::cast_slice(&swapped));
            }
        } else {
            self.bytes(bytemuck::cast_slice(words));
        }
    }

    pub(super) fn bytes(&mut self, mut bytes: &[u8]) {
        let start = HEADER_BYTES + usize::try_from(self.written).expect("bodies fit memory");
        self.written += bytes.len() as u64;
        if self.compression == Compression::Raw {
            copy(&mut self.out[start..start + bytes.len()], bytes);
            return;
        }
        if !self.pending.is_empty() {
            let (head, rest) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.pending.len()));
            self.pending.extend_from_slice(head);
            bytes = rest;
            if self.pending.len() == CHUNK_BYTES {
                self.flush();
            }
        }
        let (whole, rest) = bytes.split_at(bytes.len() / CHUNK_BYTES * CHUNK_BYTES);
        pack(self.compression, whole, self.out);
        self.pending.extend_from_slice(rest);
    }

    /// Ends the body and returns its raw length in bytes.
    pub(super) fn finish(mut self) -> u64 {
        self.flush();
        self.written
    }

    fn flush(&mut self) {
        pack(self.compression, &self.pending, self.out);
        self.pending.clear();
    }
}

/// Appends `raw` to `out` as length-prefixed chunks.
fn pack(compression: Compression, raw: &[u8], out: &mut Vec<u8>) {
    let packer = || Packer::new(compression).expect("raw bodies have no chunks");
    let mut append = |chunk: &[u8]| {
        let len = u32::try_from(chunk.len()).expect("a chunk grows by less than a percent");
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(chunk);
    };
    if raw.len() <= CHUNK_BYTES {
        if !raw.is_empty() {
            append(&packer().pack(raw));
        }
        return;
    }
    for batch in raw.chunks(CHUNK_BYTES * 4 * rayon::current_num_threads()) {
        let chunks: Vec<Vec<u8>> = batch
            .par_chunks(CHUNK_BYTES)
            .map_init(packer, Packer::pack)
            .collect();
        chunks.iter().for_each(|chunk| append(chunk));
    }
}

/// Reads a body whose lengths the frame has checked.
pub(super) struct BodyReader<'a> {
    source: Source<'a>,
    /// Raw bytes read so far.
    pos: u64,
    raw_bytes: u64,
    stored_bytes: usize,
}

enum Source<'a> {
    Raw(&'a [u8]),
    Packed(Packed<'a>),
}

impl<'a> BodyReader<'a> {
    /// Opens `stored`, which says it holds `raw_bytes` bytes.
    ///
    /// # Errors
    /// If the chunks do not tile `stored`, or are not as many as `raw_bytes` needs.
    pub(super) fn new(
        stored: &'a [u8],
        compression: Compression,
        raw_bytes: u64,
    ) -> Result<Self, ShipError> {
        let source = if compression == Compression::Raw {
            debug_assert_eq!(raw_bytes, stored.len() as u64);
            Source::Raw(stored)
        } else {
            Source::Packed(Packed::new(stored, compression, raw_bytes)?)
        };
        Ok(Self {
            source,
            pos: 0,
            raw_bytes,
            stored_bytes: stored.len(),
        })
    }

    /// Where the next byte is.
    pub(super) fn at(&self) -> At {
        At::Body(self.pos)
    }

    /// Raw bytes not read yet.
    pub(super) fn remaining(&self) -> u64 {
        self.raw_bytes - self.pos
    }

    /// Checks that exactly `len` raw bytes are left.
    pub(super) fn expect_remaining(&self, what: &'static str, len: u64) -> Result<(), ShipError> {
        self.need(what, len)?;
        match self.remaining() - len {
            0 => Ok(()),
            extra => Err(ShipError::TrailingBytes {
                at: At::Body(self.pos + len),
                extra,
            }),
        }
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, ShipError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], ShipError> {
        let mut bytes = [0; N];
        self.need(what, N as u64)?;
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads `len` bytes or words.
    pub(super) fn vec<T: Word>(
        &mut self,
        what: &'static str,
        len: u64,
    ) -> Result<Vec<T>, ShipError> {
        let mut out = Vec::new();
        self.append(what, len, &mut out)?;
        Ok(out)
    }

    /// Reads `len` bytes or words into `out`, and keeps its allocation where it is large enough.
    pub(super) fn read_into<T: Word>(
        &mut self,
        what: &'static str,
        len: usize,
        out: &mut Vec<T>,
    ) -> Result<(), ShipError> {
        out.clear();
        self.append(what, len as u64, out)
    }

    fn append<T: Word>(
        &mut self,
        what: &'static str,
        len: u64,
        out: &mut Vec<T>,
    ) -> Result<(), ShipError> {
        let size = size_of::<T>();
        self.need(what, len.saturating_mul(size as u64))?;
        let len = to_usize(what, self.at(), len)?;
        let trusted = (TRUSTED_BYTES + TRUSTED_RATIO * self.stored_bytes) / size;
        if out.capacity() == 0 {
            // From the allocator's zeroed pages, which is free, not by writing zeros.
            *out = zeroed_vec(len.min(trusted))?;
        } else {
            out.resize(len.min(trusted), T::zeroed());
        }
        self.fill(bytemuck::cast_slice_mut(out))?;
        while out.len() < len {
            let start = out.len();
            let more = start.min(len - start);
            let bytes = more * size;
            out.try_reserve_exact(more)
                .map_err(|_| ShipError::NoMemory { bytes })?;
            out.resize(start + more, T::zeroed());
            self.fill(bytemuck::cast_slice_mut(&mut out[start..]))?;
        }
        T::localize(out);
        Ok(())
    }

    fn need(&self, what: &'static str, len: u64) -> Result<(), ShipError> {
        if len > self.remaining() {
            return Err(ShipError::Truncated {
                what,
                at: self.at(),
                expected: len,
                found: self.remaining(),
            });
        }
        Ok(())
    }

    /// Fills `dst`, which is at most [`remaining`](Self::remaining) long.
    fn fill(&mut self, dst: &mut [u8]) -> Result<(), ShipError> {
        match &mut self.source {
            Source::Raw(bytes) => {
                let (head, tail) = bytes.split_at(dst.len());
                copy(dst, head);
                *bytes = tail;
            }
            Source::Packed(packed) => packed.fill(dst)?,
        }
        self.pos += dst.len() as u64;
        Ok(())
    }
}

/// Converts a length that was checked against the body's.
pub(super) fn to_usize(what: &'static str, at: At, value: u64) -> Result<usize, ShipError> {
    usize::try_from(value).map_err(|_| ShipError::LengthOutOfRange {
        what,
        at,
        value,
        min: 0,
        max: usize::MAX as u64,
    })
}

/// A body in chunks.
struct Packed<'a> {
    compression: Compression,
    raw_bytes: u64,
    stored: &'a [u8],
    /// Offset in `stored` and length of every chunk.
    chunks: Vec<(usize, usize)>,
    /// First chunk not decompressed yet.
    next: usize,
    /// A chunk that was only needed in part, and how much of it was read.
    pending: Vec<u8>,
    read: usize,
}

impl<'a> Packed<'a> {
    fn new(stored: &'a [u8], compression: Compression, raw_bytes: u64) -> Result<Self, ShipError> {
        let expected = raw_bytes.div_ceil(CHUNK_BYTES as u64);
        let mut chunks = Vec::new();
        let mut pos = 0;
        while chunks.len() as u64 <= expected
            && let Some((prefix, rest)) = stored[pos..].split_first_chunk()
        {
            let len = u32::from_le_bytes(*prefix) as usize;
            pos += prefix.len();
            if len > rest.len() {
                return Err(ShipError::Truncated {
                    what: "compressed chunk",
                    at: At::File((HEADER_BYTES + pos) as u64),
                    expected: len as u64,
                    found: rest.len() as u64,
                });
            }
            chunks.push((pos, len));
            pos += len;
        }
        if chunks.len() as u64 != expected {
            return Err(ShipError::Inconsistent {
                what: "number of compressed chunks",
                at: At::File(HEADER_BYTES as u64),
                value: chunks.len() as u64,
                expected,
            });
        }
        if pos < stored.len() {
            return Err(ShipError::TrailingBytes {
                at: At::File((HEADER_BYTES + pos) as u64),
                extra: (stored.len() - pos) as u64,
            });
        }
        Ok(Self {
            compression,
            raw_bytes,
            stored,
            chunks,
            next: 0,
            pending: Vec::new(),
            read: 0,
        })
    }

    fn raw_len(&self, chunk: usize) -> usize {
        let left = self.raw_bytes - chunk as u64 * CHUNK_BYTES as u64;
        CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES))
    }

    fn fill(&mut self, mut dst: &mut [u8]) -> Result<(), ShipError> {
        loop {
            let ready = &self.pending[self.read..];
            let (head, rest) = dst.split_at_mut(ready.len().min(dst.len()));
            head.copy_from_slice(&ready[..head.len()]);
            self.read += head.len();
            dst = rest;
            if dst.is_empty() {
                return Ok(());
            }
            let mut whole = 0;
            let mut end = self.next;
            while end < self.chunks.len() && whole + self.raw_len(end) <= dst.len() {
                whole += self.raw_len(end);
                end += 1;
            }
            let (head, rest) = dst.split_at_mut(whole);
            if end > self.next {
                self.unpack(end - self.next, head)?;
            }
            dst = rest;
            if dst.is_empty() {
                return Ok(());
            }
            let mut pending = std::mem::take(&mut self.pending);
            pending.resize(self.raw_len(self.next), 0);
            self.unpack(1, &mut pending)?;
            self.pending = pending;
            self.read = 0;
        }
    }

    /// Decompresses the next `count` chunks into `dst`, which is as long as they are.
    fn unpack(&mut self, count: usize, dst: &mut [u8]) -> Result<(), ShipError> {
        let chunks = &self.chunks[self.next..self.next + count];
        self.next += count;
        let unpacker = || Unpacker::new(self.compression).expect("raw bodies have no chunks");
        let unpack = |unpacker: &mut Unpacker, raw: &mut [u8], &(offset, len): &(usize, usize)| {
            let stored = &self.stored[offset..offset + len];
            unpacker
                .unpack(stored, raw)
                .map_err(|error| ShipError::BadChunk {
                    codec: self.compression.name(),
                    offset: (HEADER_BYTES + offset) as u64,
                    expected: raw.len() as u64,
                    reason: error.to_string(),
                })
        };
        if let [chunk] = chunks {
            return unpack(&mut unpacker(), dst, chunk);
        }
        let results: Vec<Result<(), ShipError>> = dst
            .par_chunks_mut(CHUNK_BYTES)
            .zip(chunks)
            .map_init(unpacker, |unpacker, (raw, chunk)| {
                unpack(unpacker, raw, chunk)
            })
            .collect();
        results.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `parts`, then reads them back in pieces of `step` bytes.
    fn round_trip(compression: Compression, parts: &[Vec<u8>], step: usize) {
        let expected = parts.concat();
        let raw = if compression == Compression::Raw {
            expected.len()
        } else {
            0
        };
        let mut out = vec![0; HEADER_BYTES + raw];
        let mut writer = BodyWriter::new(&mut out, compression);
        for part in parts {
            writer.bytes(part);
        }
        let written = writer.finish();
        assert_eq!(written, expected.len() as u64);
        let mut reader = BodyReader::new(&out[HEADER_BYTES..], compression, written).unwrap();
        let mut found = Vec::new();
        while reader.remaining() > 0 {
            let len = reader.remaining().min(step as u64);
            found.extend(reader.vec::<u8>("test bytes", len).unwrap());
        }
        assert!(found == expected, "{compression}, step {step}");
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut x = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (x >> 61) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn chunk_boundaries() {
        // One below, at and above a chunk; several chunks; a short write before a long one, so that
        // the long one does not start on a chunk; reads that end within, at and across chunks.
        for compression in Compression::ALL {
            for len in [
                0,
                1,
                CHUNK_BYTES - 1,
                CHUNK_BYTES,
                CHUNK_BYTES + 1,
                5 * CHUNK_BYTES + 7,
            ] {
                let bytes = noise(len);
                for step in [
                    CHUNK_BYTES - 3,
                    CHUNK_BYTES,
                    3 * CHUNK_BYTES + 1,
                    usize::MAX,
                ] {
                    round_trip(compression, std::slice::from_ref(&bytes), step);
                }
                round_trip(compression, &[noise(12), bytes, noise(5)], CHUNK_BYTES + 1);
            }
        }
    }

    #[test]
    fn chunks_must_tile_the_body() {
        let mut out = vec![0; HEADER_BYTES];
        let mut writer = BodyWriter::new(&mut out, Compression::Lz4);
        writer.bytes(&noise(CHUNK_BYTES + 1));
        let raw = writer.finish();
        let open = |bytes: &[u8], raw| BodyReader::new(bytes, Compression::Lz4, raw).map(|_| ());
        let body = &out[HEADER_BYTES..];
        assert_eq!(open(body, raw), Ok(()));
        assert!(matches!(
            open(&body[..body.len() - 1], raw),
            Err(ShipError::Truncated {
                what: "compressed chunk",
                ..
            })
        ));
        let longer = [body, &[0; 3]].concat();
        assert!(matches!(
            open(&longer, raw),
            Err(ShipError::TrailingBytes { extra: 3, .. })
        ));
        assert!(matches!(
            open(body, raw * 2),
            Err(ShipError::Inconsistent { expected: 3, .. })
        ));
    }

    #[test]
    fn chunks_must_have_their_length() {
        for compression in [Compression::Lz4, Compression::Zstd] {
            let mut out = vec![0; HEADER_BYTES];
            let mut writer = BodyWriter::new(&mut out, compression);
            writer.bytes(&noise(CHUNK_BYTES + 5));
            let written = writer.finish();
            for raw in [written - 1, written + 1] {
                let mut reader = BodyReader::new(&out[HEADER_BYTES..], compression, raw).unwrap();
                let result = reader.vec::<u8>("test bytes", raw);
                let expected = raw - CHUNK_BYTES as u64;
                assert!(
                    matches!(result, Err(ShipError::BadChunk { expected: e, .. }) if e == expected)
                );
            }
        }
    }
}
