//! The near end of a link: sends messages of every size both ways, and takes the time.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::protocol::{
    Hello, LinkError, Operation, Pattern, Reply, Request, Status, VERSION, buffer, send,
};
use super::{Link, LinkDirection, LinkPoint};
use crate::measure::Summary;
use crate::{Error, Result};

/// Most time for a connection to be made, and for its greeting.
const CONNECT: Duration = Duration::from_secs(10);
/// Most time for a message.
const MESSAGE: Duration = Duration::from_mins(2);
/// Longest message there and back.
const MAX_ECHO: u64 = 64 << 10;
/// No sample is added to a point that took this long.
const POINT: Duration = Duration::from_secs(2);
/// Messages do not get longer once one took this long.
const LONG: Duration = Duration::from_secs(6);
/// Factor between sizes.
const STEP: u64 = 4;

/// What to measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProbeOptions {
    /// Longest message in bytes.
    pub max_message: u64,
    /// Most samples of each point.
    pub samples: u32,
    /// Connections that carry messages at a time, beside measuring with one.
    pub streams: u32,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self {
            max_message: 64 << 20,
            samples: 20,
            streams: 4,
        }
    }
}

/// Measures a link to a [`LinkServer`](super::LinkServer).
///
/// - `address`: host and port.
/// - `progress`: told each point when it was measured.
///
/// # Errors
/// [`Error::Io`] if there is no connection or it breaks, [`Error::Usage`] if the server takes no such
/// messages, [`Error::Differs`] if a message arrived changed, [`Error::Resource`] without threads.
pub fn probe_link(
    address: &str,
    options: &ProbeOptions,
    progress: &mut dyn FnMut(&LinkPoint),
) -> Result<Link> {
    let ProbeOptions {
        max_message,
        samples,
        streams,
    } = *options;
    if max_message == 0 || samples == 0 || streams == 0 {
        return Err(Error::Usage(
            "--max-message, --samples and --streams are at least 1".into(),
        ));
    }
    let failed = |error| fail(address, error);
    let pattern = Pattern::new();
    let mut connections = Vec::new();
    for _ in 0..streams {
        let connection = Connection::open(address)?;
        if max_message > connection.max_message {
            return Err(Error::Usage(format!(
                "--max-message {max_message} is above what the server takes, {}; lower it",
                connection.max_message
            )));
        }
        connections.push(Mutex::new(connection));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(streams as usize)
        .build()
        .map_err(|error| Error::Resource(format!("no threads (--streams): {error}")))?;
    let probe = Probe {
        pattern: &pattern,
        connections: &connections,
        pool: &pool,
        samples,
    };
    let mut points = Vec::new();
    let mut add = |point: LinkPoint| {
        progress(&point);
        points.push(point);
    };
    // The first messages find out how fast they may go; they are of no size in particular.
    for direction in [LinkDirection::ToServer, LinkDirection::FromServer] {
        for _ in 0..3 {
            let message = max_message.min(1 << 20);
            probe.timed(direction, message, streams).map_err(failed)?;
        }
    }
    let echo = LinkDirection::RoundTrip;
    for message in sizes(max_message.min(MAX_ECHO)) {
        let [point] = probe.points([echo], message, 1).map_err(failed)?;
        add(point);
    }
    let both = [LinkDirection::ToServer, LinkDirection::FromServer];
    for message in sizes(max_message) {
        let mut longest = 0.0_f64;
        let counts: &[u32] = if streams > 1 { &[1, streams] } else { &[1] };
        for &count in counts {
            for point in probe.points(both, message, count).map_err(failed)? {
                longest = longest.max(point.summary.max);
                add(point);
            }
        }
        if longest > LONG.as_secs_f64() {
            break;
        }
    }
    let description = connection_of(&connections[0]).describe();
    for connection in connections.iter().rev() {
        connection_of(connection).bye().map_err(failed)?;
    }
    Link::measured(description, points)
        .ok_or_else(|| Error::Resource("the link was not measured in both directions".into()))
}

/// 1, 4, 16 … up to `max`, and `max`.
fn sizes(max: u64) -> Vec<u64> {
    let powers = std::iter::successors(Some(1_u64), |size| size.checked_mul(STEP));
    let mut sizes: Vec<u64> = powers.take_while(|&size| size < max).collect();
    sizes.push(max);
    sizes
}

/// The error of a connection, for who asked for it.
fn fail(address: &str, error: LinkError) -> Error {
    let io = |source| Error::Io {
        path: format!("link to {address}").into(),
        source,
    };
    match error {
        LinkError::Io(source) => io(source),
        LinkError::Changed(_) => Error::Differs(format!("link to {address}: {error}")),
        LinkError::Refused(Status::Busy) => Error::Resource(format!("link to {address}: {error}")),
        other => io(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            other.to_string(),
        )),
    }
}

fn connection_of(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connections, and threads to use them with.
struct Probe<'a> {
    pattern: &'a Pattern,
    connections: &'a [Mutex<Connection>],
    pool: &'a rayon::ThreadPool,
    samples: u32,
}

impl Probe<'_> {
    /// Measures messages of a size in some directions, in turns.
    fn points<const N: usize>(
        &self,
        directions: [LinkDirection; N],
        message_bytes: u64,
        streams: u32,
    ) -> Result<[LinkPoint; N], LinkError> {
        let mut samples = directions.map(|_| Vec::new());
        let start = Instant::now();
        // The first round is a warm-up, unless it took as long as all may.
        for round in 0..=self.samples {
            let mut seconds = [0.0; N];
            for (direction, seconds) in directions.into_iter().zip(&mut seconds) {
                *seconds = self.timed(direction, message_bytes, streams)?;
            }
            let late = start.elapsed() >= POINT;
            if round > 0 || late {
                let all = samples.iter_mut().zip(seconds);
                all.for_each(|(samples, seconds)| samples.push(seconds));
            }
            if late {
                break;
            }
        }
        let mut samples = samples.into_iter();
        Ok(directions.map(|direction| {
            let samples = samples.next().expect("there is one vector per direction");
            LinkPoint {
                direction,
                message_bytes,
                streams,
                summary: Summary::of(&samples).expect("every point has a sample"),
                samples,
            }
        }))
    }

    /// Seconds until as many messages as there are streams went in a direction.
    fn timed(&self, direction: LinkDirection, bytes: u64, streams: u32) -> Result<f64, LinkError> {
        let operation = match direction {
            LinkDirection::RoundTrip => Operation::Echo,
            LinkDirection::ToServer => Operation::Put,
            LinkDirection::FromServer => Operation::Get,
        };
        let message = |i: usize| {
            let mut connection = connection_of(&self.connections[i]);
            connection.message(self.pattern, operation, bytes)
        };
        let start = Instant::now();
        if streams == 1 {
            message(0)?;
        } else {
            let done = self.pool.broadcast(|thread| message(thread.index()));
            done.into_iter().collect::<Result<(), _>>()?;
        }
        // A clock that stands still is no measurement of infinite speed.
        Ok(start.elapsed().as_secs_f64().max(1e-9))
    }
}

/// A connection to a server.
struct Connection {
    stream: TcpStream,
    max_message: u64,
    nonce: u32,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> Result<Self> {
        let failed = |error: LinkError| fail(address, error);
        let io = |error: std::io::Error| failed(error.into());
        let mut found = Err(io(std::io::ErrorKind::NotFound.into()));
        for address in address.to_socket_addrs().map_err(io)? {
            found = TcpStream::connect_timeout(&address, CONNECT).map_err(io);
            if found.is_ok() {
                break;
            }
        }
        let stream = found?;
        stream.set_nodelay(true).map_err(io)?;
        let deadline = Instant::now() + CONNECT;
        let theirs = Hello::read(&stream, deadline).map_err(failed)?;
        if theirs.status != Status::Ok {
            return Err(failed(LinkError::Refused(theirs.status)));
        }
        if theirs.max_message == 0 {
            return Err(failed(LinkError::Malformed("greeting")));
        }
        let ours = Hello {
            version: VERSION,
            status: Status::Ok,
            max_message: 0,
        };
        send(&stream, &ours.to_bytes(), deadline).map_err(failed)?;
        Ok(Self {
            stream,
            max_message: theirs.max_message,
            nonce: 0,
            buffer: buffer(),
        })
    }

    /// What kind of link it is, in words that name neither end.
    fn describe(&self) -> String {
        let ends = (self.stream.local_addr(), self.stream.peer_addr());
        let (Ok(near), Ok(far)) = ends else {
            return "TCP".into();
        };
        let version = if far.is_ipv6() { 6 } else { 4 };
        if far.ip().is_loopback() {
            format!("TCP over IPv{version}, loopback: both ends on one machine")
        } else if near.ip() == far.ip() {
            format!("TCP over IPv{version}, both ends on one machine")
        } else {
            format!("TCP over IPv{version}, between two addresses")
        }
    }

    /// Sends a message, receives it, or both.
    fn message(
        &mut self,
        pattern: &Pattern,
        operation: Operation,
        length: u64,
    ) -> Result<(), LinkError> {
        let deadline = Instant::now() + MESSAGE;
        // Another payload each time, so that an old message is none of now.
        self.nonce = self.nonce.wrapping_add(0x9e37_79b1);
        let request = Request {
            operation,
            nonce: self.nonce,
            length,
        };
        let (stream, header) = (&self.stream, request.to_bytes());
        let payload = (self.nonce, length);
        if operation == Operation::Get {
            send(stream, &header, deadline)?;
        } else {
            let sent = pattern.send(stream, &header, payload, &mut self.buffer, deadline);
            if let Err(error) = sent {
                // A server that ends the connection may have said why.
                let why = Reply::read(stream, Instant::now() + Duration::from_secs(1));
                return Err(why.map_or(error, refused));
            }
        }
        let reply = Reply::read(stream, deadline)?;
        if reply.status != Status::Ok {
            return Err(refused(reply));
        }
        if reply.length != length {
            return Err(LinkError::Malformed("reply"));
        }
        match operation {
            Operation::Put | Operation::Bye => Ok(()),
            Operation::Echo | Operation::Get => {
                pattern.receive(stream, payload, &mut self.buffer, deadline)
            }
        }
    }

    /// Says goodbye.
    fn bye(&self) -> Result<(), LinkError> {
        let request = Request {
            operation: Operation::Bye,
            nonce: 0,
            length: 0,
        };
        send(&self.stream, &request.to_bytes(), Instant::now() + CONNECT)
    }
}

/// The error that a reply is.
fn refused(reply: Reply) -> LinkError {
    match reply.status {
        Status::Changed => LinkError::Changed(reply.length),
        Status::Ok => LinkError::Malformed("reply"),
        other => LinkError::Refused(other),
    }
}

#[cfg(test)]
mod tests {
    use super::sizes;

    #[test]
    fn sizes_grow_fourfold_and_end_at_the_largest() {
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(4), [1, 4]);
        assert_eq!(sizes(20), [1, 4, 16, 20]);
        assert_eq!(sizes(64 << 20).len(), 14);
        assert_eq!(sizes(u64::MAX).last(), Some(&u64::MAX));
    }
}
