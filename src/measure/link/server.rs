//! The far end of a link: answers probes, whoever they are.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::protocol::{
    Hello, LinkError, Operation, PART_BYTES, Pattern, Reply, Request, Status, VERSION, buffer, send,
};
use crate::{Error, Result};

/// Pause between two looks for connections.
const PAUSE: Duration = Duration::from_millis(5);

/// What a server allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkLimits {
    /// Longest message in bytes. No memory is set aside for it.
    pub max_message: u64,
    /// Most connections at a time; each takes a thread and half a megabyte.
    pub max_connections: usize,
    /// Most time for a greeting or a header.
    pub header: Duration,
    /// Most time for a message.
    pub message: Duration,
    /// Most time between messages.
    pub idle: Duration,
    /// Most time for a connection.
    pub session: Duration,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            max_message: 1 << 30,
            max_connections: 72,
            header: Duration::from_secs(5),
            message: Duration::from_mins(2),
            idle: Duration::from_mins(5),
            session: Duration::from_hours(1),
        }
    }
}

/// A socket that waits for probes.
#[derive(Debug)]
pub struct LinkServer {
    listener: TcpListener,
    limits: LinkLimits,
}

/// What connections share.
struct Shared<'a> {
    limits: LinkLimits,
    pattern: Pattern,
    /// Connections that are open.
    open: AtomicUsize,
    /// Whether a probe said goodbye.
    served: AtomicBool,
    note: &'a (dyn Fn(&str) + Sync),
}

impl LinkServer {
    /// Listens at an address such as `127.0.0.1:7117`; port 0 takes any that is free.
    ///
    /// # Errors
    /// [`Error::Io`] naming the address.
    pub fn bind(address: &str, limits: LinkLimits) -> Result<Self> {
        let failed = |source| Error::Io {
            path: format!("--listen {address}").into(),
            source,
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        // Looked at in turns with whether to end.
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self { listener, limits })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// [`Error::Io`] if the system does not say.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|source| Error::Io {
            path: "--listen".into(),
            source,
        })
    }

    /// Answers probes. Whatever one of them does, the others are answered.
    ///
    /// - `once`: end after the first probe that finished, when no connection is open.
    /// - `note`: told what happens, with the peer's address.
    ///
    /// # Errors
    /// [`Error::Io`] if the socket fails.
    pub fn serve(&self, once: bool, note: &(dyn Fn(&str) + Sync)) -> Result<()> {
        let shared = Shared {
            limits: self.limits,
            pattern: Pattern::new(),
            open: AtomicUsize::new(0),
            served: AtomicBool::new(false),
            note,
        };
        thread::scope(|scope| {
            loop {
                let served = shared.served.load(Ordering::Acquire);
                if once && served && shared.open.load(Ordering::Acquire) == 0 {
                    return Ok(());
                }
                let (stream, peer) = match self.listener.accept() {
                    Ok(accepted) => accepted,
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {
                            thread::sleep(PAUSE);
                            continue;
                        }
                        // A peer that was gone at once.
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset => {
                            continue;
                        }
                        _ => {
                            // Such as too many open files; those that are open will be closed.
                            note(&format!("cannot take a connection: {error}"));
                            thread::sleep(Duration::from_millis(200));
                            continue;
                        }
                    },
                };
                let before = shared.open.fetch_add(1, Ordering::AcqRel);
                let shared = &shared;
                let work = move || {
                    // Held to the end, and given back if the thread panics.
                    let _open = Open(&shared.open);
                    let busy = before >= shared.limits.max_connections;
                    match shared.connection(&stream, busy) {
                        Ok(()) => {}
                        Err(error) => (shared.note)(&format!("{peer}: {error}")),
                    }
                };
                // One more than the limit may be there to be turned away, not many.
                if before >= shared.limits.max_connections + 8 {
                    shared.open.fetch_sub(1, Ordering::AcqRel);
                    continue;
                }
                if let Err(error) = thread::Builder::new()
                    .name("link".into())
                    .spawn_scoped(scope, work)
                {
                    shared.open.fetch_sub(1, Ordering::AcqRel);
                    note(&format!("{peer}: no thread to serve it: {error}"));
                }
            }
        })
    }
}

/// Counts a connection until dropped.
struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Shared<'_> {
    /// Serves a connection to its end.
    fn connection(&self, stream: &TcpStream, busy: bool) -> Result<(), LinkError> {
        let limits = &self.limits;
        // On some systems it has the listener's mode.
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        let start = Instant::now();
        let end = start + limits.session;
        let hello = Hello {
            version: VERSION,
            status: if busy { Status::Busy } else { Status::Ok },
            max_message: limits.max_message,
        };
        send(stream, &hello.to_bytes(), start + limits.header)?;
        if busy {
            return Err(LinkError::Refused(Status::Busy));
        }
        Hello::read(stream, start + limits.header)?;
        let mut buffer = buffer();
        loop {
            let idle = end.min(Instant::now() + limits.idle);
            let request = match Request::read(stream, idle, limits.header) {
                Ok(Some(request)) => request,
                Ok(None) => return Ok(()),
                Err(error) => {
                    if let LinkError::Malformed(_) = error {
                        refuse(stream, Status::Malformed, 0, limits);
                    }
                    return Err(error);
                }
            };
            let Request {
                operation,
                nonce,
                length,
            } = request;
            let most = match operation {
                Operation::Echo => limits.max_message.min(PART_BYTES as u64),
                Operation::Put | Operation::Get => limits.max_message,
                Operation::Bye => 0,
            };
            if length > most {
                refuse(stream, Status::TooLong, most, limits);
                return Err(LinkError::TooLong(length));
            }
            let deadline = end.min(Instant::now() + limits.message);
            let payload = (nonce, length);
            if matches!(operation, Operation::Echo | Operation::Put) {
                let received = self.pattern.receive(stream, payload, &mut buffer, deadline);
                if let Err(LinkError::Changed(at)) = received {
                    refuse(stream, Status::Changed, at, limits);
                }
                received?;
            }
            let reply = Reply {
                status: Status::Ok,
                length,
            };
            let reply = reply.to_bytes();
            match operation {
                Operation::Put => send(stream, &reply, deadline)?,
                Operation::Echo | Operation::Get => {
                    let pattern = &self.pattern;
                    pattern.send(stream, &reply, payload, &mut buffer, deadline)?;
                }
                Operation::Bye => {
                    self.served.store(true, Ordering::Release);
                    return Ok(());
                }
            }
        }
    }
}

/// Tells a peer why it is turned away, if it still listens.
fn refuse(stream: &TcpStream, status: Status, length: u64, limits: &LinkLimits) {
    let reply = Reply { status, length };
    // What becomes of this reply is the peer's matter: the connection ends either way.
    let _ = send(stream, &reply.to_bytes(), Instant::now() + limits.header);
}
