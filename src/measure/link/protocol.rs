//! What probe and server say to each other. All numbers are little-endian.
//!
//! ```text
//! server: HELLO  "rewit link" version:u16 status:u16 0:u16 longest message:u64
//! probe:  HELLO  "rewit link" version:u16 0:u16      0:u16 0:u64
//! probe:  REQUEST  operation:u16 0:u16 nonce:u32 length:u64 [payload]
//! server: REPLY    status:u16 0:u16 0:u32 length:u64 [payload]
//! ```
//!
//! The server speaks first, so that it can turn a probe away before that has sent anything.
//! - `ECHO`: a payload to the server, the same back. At most [`PART_BYTES`] long.
//! - `PUT`: a payload to the server, which replies once it has all of it.
//! - `GET`: a payload from the server.
//! - `BYE`: the end of the session; no reply.
//!
//! A payload is a part of the [`Pattern`] that its nonce selects. Both sides know it, so that whoever
//! receives one compares every byte.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Version of this protocol.
pub(super) const VERSION: u16 = 1;
const MAGIC: &[u8; 10] = b"rewit link";
/// Bytes of a `HELLO`.
const HELLO_BYTES: usize = 24;
/// Bytes of a `REQUEST` or a `REPLY`.
const HEADER_BYTES: usize = 16;
/// Bytes that are sent, received and compared at a time, and the longest `ECHO`.
pub(super) const PART_BYTES: usize = 256 << 10;
/// Period of the pattern: a prime, so that parts of a power of two bytes are all different.
const PERIOD: usize = (1 << 20) - 3;

/// What went wrong on a connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// The connection failed or was closed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The peer does not speak this protocol.
    #[error("the peer is no rewit link")]
    NoLink,
    /// The peer speaks another version.
    #[error("the peer speaks version {0} of the protocol, this build version {VERSION}")]
    Version(u16),
    /// The peer says no.
    #[error("the peer refused: {}", .0.text())]
    Refused(Status),
    /// A header makes no sense.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A message is longer than agreed.
    #[error("a message of {0} bytes, longer than agreed")]
    TooLong(u64),
    /// A payload is not the pattern.
    #[error("byte {0} of a message arrived changed")]
    Changed(u64),
    /// A message took too long.
    #[error("a message was not there in time")]
    Late,
}

/// What a server thinks of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    Ok,
    /// As many connections as it takes are there.
    Busy,
    /// The request makes no sense.
    Malformed,
    /// The message is longer than it takes.
    TooLong,
    /// The payload arrived changed; the reply's length says where.
    Changed,
}

impl Status {
    const ALL: [Self; 5] = [
        Self::Ok,
        Self::Busy,
        Self::Malformed,
        Self::TooLong,
        Self::Changed,
    ];

    fn from_number(number: u16) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    fn text(self) -> &'static str {
        match self {
            Self::Ok => "nothing is wrong",
            Self::Busy => "it has as many connections as it takes",
            Self::Malformed => "the request is malformed",
            Self::TooLong => "the message is too long",
            Self::Changed => "the message arrived changed",
        }
    }
}

/// What a request wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operation {
    Echo,
    Put,
    Get,
    Bye,
}

impl Operation {
    const ALL: [Self; 4] = [Self::Echo, Self::Put, Self::Get, Self::Bye];
}

/// The first words of either side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hello {
    pub(super) version: u16,
    pub(super) status: Status,
    /// Longest message in bytes; 0 from a probe.
    pub(super) max_message: u64,
}

/// What a probe asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Request {
    pub(super) operation: Operation,
    pub(super) nonce: u32,
    pub(super) length: u64,
}

/// What the server says to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    pub(super) status: Status,
    pub(super) length: u64,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

impl Hello {
    pub(super) fn to_bytes(self) -> [u8; HELLO_BYTES] {
        let mut bytes = [0; HELLO_BYTES];
        bytes[..10].copy_from_slice(MAGIC);
        bytes[10..12].copy_from_slice(&self.version.to_le_bytes());
        bytes[12..14].copy_from_slice(&(self.status as u16).to_le_bytes());
        bytes[16..].copy_from_slice(&self.max_message.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; HELLO_BYTES]) -> Result<Self, LinkError> {
        if bytes[..10] != MAGIC[..] {
            return Err(LinkError::NoLink);
        }
        // What follows may be other in another version.
        let version = u16_at(bytes, 10);
        if version != VERSION {
            return Err(LinkError::Version(version));
        }
        let status = Status::from_number(u16_at(bytes, 12));
        Ok(Self {
            version,
            status: status
                .filter(|_| u16_at(bytes, 14) == 0)
                .ok_or(LinkError::Malformed("greeting"))?,
            max_message: u64_at(bytes, 16),
        })
    }

    /// Reads the peer's, by `deadline`.
    pub(super) fn read(from: &TcpStream, deadline: Instant) -> Result<Self, LinkError> {
        let mut bytes = [0; HELLO_BYTES];
        read_exact_by(from, &mut bytes, deadline)?;
        Self::from_bytes(&bytes)
    }
}

impl Request {
    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..2].copy_from_slice(&(self.operation as u16).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.nonce.to_le_bytes());
        bytes[8..].copy_from_slice(&self.length.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Result<Self, LinkError> {
        let operation = Operation::ALL.get(usize::from(u16_at(bytes, 0))).copied();
        let operation = operation.filter(|_| u16_at(bytes, 2) == 0);
        Ok(Self {
            operation: operation.ok_or(LinkError::Malformed("request"))?,
            nonce: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            length: u64_at(bytes, 8),
        })
    }

    /// Reads one; `None` if the connection ends before it. Waits for its first byte until `idle`
    /// and from there no longer than `limit`.
    pub(super) fn read(
        from: &TcpStream,
        idle: Instant,
        limit: Duration,
    ) -> Result<Option<Self>, LinkError> {
        let mut bytes = [0; HEADER_BYTES];
        let first = read_by(from, &mut bytes, idle)?;
        if first == 0 {
            return Ok(None);
        }
        read_exact_by(from, &mut bytes[first..], Instant::now() + limit)?;
        Self::from_bytes(&bytes).map(Some)
    }
}

impl Reply {
    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..2].copy_from_slice(&(self.status as u16).to_le_bytes());
        bytes[8..].copy_from_slice(&self.length.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Result<Self, LinkError> {
        let status = Status::from_number(u16_at(bytes, 0));
        let status = status.filter(|_| bytes[2..8] == [0; 6]);
        Ok(Self {
            status: status.ok_or(LinkError::Malformed("reply"))?,
            length: u64_at(bytes, 8),
        })
    }

    /// Reads one, by `deadline`.
    pub(super) fn read(from: &TcpStream, deadline: Instant) -> Result<Self, LinkError> {
        let mut bytes = [0; HEADER_BYTES];
        read_exact_by(from, &mut bytes, deadline)?;
        Self::from_bytes(&bytes)
    }
}

/// Time until `deadline`, never 0, which would be forever.
fn left(deadline: Instant) -> Result<Duration, LinkError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(LinkError::Late);
    }
    Ok(left)
}

/// A timeout is an error of its own.
fn late(error: io::Error) -> LinkError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => LinkError::Late,
        _ => LinkError::Io(error),
    }
}

/// Reads some bytes, 0 at the end.
fn read_by(mut from: &TcpStream, to: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
    loop {
        from.set_read_timeout(Some(left(deadline)?))?;
        match from.read(to) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(late),
        }
    }
}

/// Fills `to`.
fn read_exact_by(from: &TcpStream, to: &mut [u8], deadline: Instant) -> Result<(), LinkError> {
    let mut filled = 0;
    while filled < to.len() {
        match read_by(from, &mut to[filled..], deadline)? {
            0 => return Err(LinkError::Io(io::ErrorKind::UnexpectedEof.into())),
            n => filled += n,
        }
    }
    Ok(())
}

/// Sends all of `bytes`.
pub(super) fn send(mut to: &TcpStream, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
    let mut sent = 0;
    while sent < bytes.len() {
        to.set_write_timeout(Some(left(deadline)?))?;
        match to.write(&bytes[sent..]) {
            Ok(0) => return Err(LinkError::Io(io::ErrorKind::WriteZero.into())),
            Ok(n) => sent += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(late(error)),
        }
    }
    Ok(())
}

/// What a connection sends from and receives into: made once, since filling it takes longer than a
/// small message.
pub(super) fn buffer() -> Vec<u8> {
    vec![0; HEADER_BYTES + PART_BYTES]
}

/// The bytes that payloads are made of: the output of BLAKE3, over and over.
pub(super) struct Pattern(Vec<u8>);

impl Pattern {
    /// Makes it: 1.3 MB.
    pub(super) fn new() -> Self {
        let mut bytes = vec![0; PERIOD + PART_BYTES];
        blake3::Hasher::new_derive_key("rewit link payload, version 1")
            .finalize_xof()
            .fill(&mut bytes[..PERIOD]);
        bytes.copy_within(..PART_BYTES, PERIOD);
        Self(bytes)
    }

    /// Bytes of the payload of `nonce` from position `at`: `len` of them, [`PART_BYTES`] at most.
    pub(super) fn part(&self, nonce: u32, at: u64, len: usize) -> &[u8] {
        let period = PERIOD as u64;
        let start = ((u64::from(nonce) + at % period) % period) as usize;
        &self.0[start..start + len]
    }

    /// Sends the payload of a nonce; its first part together with `header`, which is a small
    /// message's only packet so.
    ///
    /// - `buffer`: of [`buffer`], overwritten.
    pub(super) fn send(
        &self,
        to: &TcpStream,
        header: &[u8; HEADER_BYTES],
        (nonce, length): (u32, u64),
        buffer: &mut [u8],
        deadline: Instant,
    ) -> Result<(), LinkError> {
        let first = length.min(PART_BYTES as u64) as usize;
        let start = &mut buffer[..HEADER_BYTES + first];
        start[..HEADER_BYTES].copy_from_slice(header);
        start[HEADER_BYTES..].copy_from_slice(self.part(nonce, 0, first));
        send(to, start, deadline)?;
        let mut at = first as u64;
        while at < length {
            let len = (length - at).min(PART_BYTES as u64) as usize;
            send(to, self.part(nonce, at, len), deadline)?;
            at += len as u64;
        }
        Ok(())
    }

    /// Receives the payload of a nonce to its end, and compares it.
    ///
    /// - `buffer`: of [`buffer`], overwritten.
    ///
    /// # Errors
    /// [`LinkError::Changed`] once all of it was received, if a byte differs.
    pub(super) fn receive(
        &self,
        from: &TcpStream,
        (nonce, length): (u32, u64),
        buffer: &mut [u8],
        deadline: Instant,
    ) -> Result<(), LinkError> {
        let (mut at, mut changed) = (0, None);
        while at < length {
            let len = (length - at).min(PART_BYTES as u64) as usize;
            let len = read_by(from, &mut buffer[..len], deadline)?;
            if len == 0 {
                return Err(LinkError::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            let expected = self.part(nonce, at, len);
            if changed.is_none() && buffer[..len] != *expected {
                let first = buffer.iter().zip(expected).position(|(a, b)| a != b);
                changed = first.map(|first| at + first as u64);
            }
            at += len as u64;
        }
        changed.map_or(Ok(()), |at| Err(LinkError::Changed(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_back_and_bad_ones_do_not() {
        let hello = Hello {
            version: VERSION,
            status: Status::Busy,
            max_message: u64::MAX,
        };
        assert_eq!(Hello::from_bytes(&hello.to_bytes()).unwrap(), hello);
        for operation in Operation::ALL {
            let request = Request {
                operation,
                nonce: 0xdead_beef,
                length: 1 << 40,
            };
            assert_eq!(Request::from_bytes(&request.to_bytes()).unwrap(), request);
        }
        for status in Status::ALL {
            let reply = Reply { status, length: 7 };
            assert_eq!(Reply::from_bytes(&reply.to_bytes()).unwrap(), reply);
        }
        // Every byte that has one meaning only, changed.
        for at in 0..16 {
            let mut bytes = hello.to_bytes();
            bytes[at] ^= 0x80;
            assert!(Hello::from_bytes(&bytes).is_err(), "hello, byte {at}");
        }
        for at in [0, 1, 2, 3] {
            let mut bytes = [0; HEADER_BYTES];
            bytes[at] = 0x80;
            assert!(Request::from_bytes(&bytes).is_err(), "request, byte {at}");
        }
        for at in 0..8 {
            let mut bytes = [0; HEADER_BYTES];
            bytes[at] = 0x80;
            assert!(Reply::from_bytes(&bytes).is_err(), "reply, byte {at}");
        }
    }

    /// Byte i of a payload is byte (nonce + i) mod period, wherever it is cut.
    #[test]
    fn parts_are_of_one_sequence() {
        let pattern = Pattern::new();
        let period = PERIOD as u64;
        for nonce in [0, 1, PERIOD as u32 - 1, PERIOD as u32, u32::MAX] {
            for at in [0, 1, period - 1, period, 3 * period + 5, 1 << 40] {
                for len in [0, 1, 1000, PART_BYTES] {
                    let part = pattern.part(nonce, at, len);
                    for i in [0, len / 2, len.saturating_sub(1)] {
                        if i < len {
                            let position = (u64::from(nonce) + at + i as u64) % period;
                            assert_eq!(part[i], pattern.0[position as usize]);
                        }
                    }
                }
            }
        }
        assert_ne!(
            pattern.part(0, 0, PART_BYTES),
            pattern.part(1, 0, PART_BYTES)
        );
    }
}
