//! Links over loopback, and peers that do not keep to the protocol.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::protocol::{Hello, Operation, Pattern, Reply, Request, Status, VERSION};
use super::*;
use crate::measure::Kind;
use crate::{Error, Result};

const OPTIONS: ProbeOptions = ProbeOptions {
    max_message: 5000,
    samples: 3,
    streams: 2,
};

fn limits() -> LinkLimits {
    LinkLimits {
        max_message: 1 << 20,
        ..LinkLimits::default()
    }
}

/// Runs `body` against a server, then a proper probe; gives what both came to, and what the server
/// noted.
fn with_server<T>(
    limits: LinkLimits,
    body: impl FnOnce(&str) -> T,
) -> (T, Result<Link>, Vec<String>) {
    let server = LinkServer::bind("127.0.0.1:0", limits).unwrap();
    let address = server.address().unwrap().to_string();
    let notes = Mutex::new(Vec::new());
    let note = |text: &str| notes.lock().unwrap().push(text.to_owned());
    let (done, link) = thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve(true, &note));
        let done = body(&address);
        let link = loop {
            match probe_link(&address, &OPTIONS, &mut |_| ()) {
                // The server has not seen yet that others are gone.
                Err(Error::Resource(_)) => thread::sleep(Duration::from_millis(5)),
                other => break other,
            }
        };
        if link.is_err() {
            say_goodbye(&address);
        }
        serving.join().unwrap().unwrap();
        (done, link)
    });
    (done, link, notes.into_inner().unwrap())
}

/// A connection with the server's greeting read.
fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let hello = Hello::read(&stream, soon()).unwrap();
    assert_eq!((hello.version, hello.status), (VERSION, Status::Ok));
    stream
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// The same, with ours sent.
fn greet(address: &str) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(&hello(VERSION)).unwrap();
    stream
}

fn hello(version: u16) -> [u8; 24] {
    let hello = Hello {
        version,
        status: Status::Ok,
        max_message: 0,
    };
    hello.to_bytes()
}

fn request(operation: Operation, length: u64) -> [u8; 16] {
    let request = Request {
        operation,
        nonce: 7,
        length,
    };
    request.to_bytes()
}

/// Has a server that serves once end; tries whatever went wrong before.
fn say_goodbye(address: &str) {
    if let Ok(mut stream) = TcpStream::connect(address) {
        let _ = Hello::read(&stream, Instant::now() + Duration::from_secs(1));
        let _ = stream.write_all(&hello(VERSION));
        let _ = stream.write_all(&request(Operation::Bye, 0));
        let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
        wait_for_end(stream);
    }
}

/// Waits until the peer closed; what it still sent does not matter.
fn wait_for_end(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn a_link_is_measured_both_ways() {
    let ((), link, notes) = with_server(limits(), |_| ());
    assert_eq!(notes, Vec::<String>::new());
    let link = link.unwrap();
    assert_eq!(link.kind, Kind::Measured);
    assert!(link.description.contains("loopback"), "{link:?}");
    // No address, no port, no name.
    assert!(!link.description.contains("127.0"), "{link:?}");
    // Sizes 1, 4, 16, 64, 256, 1024, 4096 and 5000: there and back, and both ways with 1 and 2 streams.
    assert_eq!(link.points.len(), 8 * 5);
    for point in &link.points {
        assert_eq!(point.samples.len(), 3, "{point:?}");
        assert!(point.samples.iter().all(|&s| s > 0.0), "{point:?}");
        let bits = 8.0 * (point.message_bytes * u64::from(point.streams)) as f64;
        let product = point.bits_per_second() * point.summary.median;
        assert!((product - bits).abs() <= 1e-9 * bits, "{point:?}");
    }
    let found = conclude_link(&link.points).unwrap();
    assert_eq!(found, (link.bits_per_second, link.latency_seconds));
    let largest =
        |p: &&LinkPoint| p.message_bytes == 5000 && p.direction != LinkDirection::RoundTrip;
    let mut bits = link
        .points
        .iter()
        .filter(largest)
        .map(LinkPoint::bits_per_second);
    assert!(bits.any(|bits| bits == link.bits_per_second));
}

/// Points with round numbers; what follows was worked out by hand.
#[test]
fn bandwidth_is_of_the_slower_direction_and_the_better_number_of_streams() {
    use LinkDirection::{FromServer, RoundTrip, ToServer};
    let point = |direction, message_bytes, streams, seconds| LinkPoint {
        direction,
        message_bytes,
        streams,
        samples: vec![seconds],
        summary: crate::measure::Summary::of(&[seconds]).unwrap(),
    };
    let points = vec![
        point(RoundTrip, 64, 1, 0.5),
        point(RoundTrip, 1, 1, 0.25),
        point(ToServer, 1000, 1, 0.001),
        point(ToServer, 4000, 1, 0.5),
        point(ToServer, 4000, 2, 0.5),
        point(FromServer, 4000, 1, 0.25),
        point(FromServer, 4000, 2, 4.0),
    ];
    // To: 8·4000·2/0.5 = 128,000. From: 8·4000/0.25 = 128,000 as well; halved, the lower counts.
    assert_eq!(conclude_link(&points), Some((128_000.0, 0.125)));
    let mut slower = points.clone();
    slower[5] = point(FromServer, 4000, 1, 0.5);
    assert_eq!(conclude_link(&slower), Some((64_000.0, 0.125)));
    for direction in [RoundTrip, ToServer, FromServer] {
        let mut points = points.clone();
        points.retain(|point| point.direction != direction);
        assert_eq!(Link::measured("a link", points), None);
    }
    let declared = Link::declared(1e9, 1e-3);
    assert_eq!((declared.kind, declared.points.len()), (Kind::Declared, 0));
}

#[test]
fn whoever_does_not_speak_the_protocol_is_turned_away() {
    let ((), link, notes) = with_server(limits(), |address| {
        let mut stream = connect(address);
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        wait_for_end(stream);
        let mut stream = connect(address);
        stream.write_all(&hello(VERSION + 1)).unwrap();
        wait_for_end(stream);
        // Nothing at all, half a greeting, and a request cut off.
        drop(connect(address));
        let mut stream = connect(address);
        stream.write_all(&hello(VERSION)[..11]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        wait_for_end(stream);
        let mut stream = greet(address);
        stream
            .write_all(&request(Operation::Put, 100)[..9])
            .unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        wait_for_end(stream);
        // A message cut off.
        let mut stream = greet(address);
        stream.write_all(&request(Operation::Put, 100)).unwrap();
        stream.write_all(&[0; 50]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        wait_for_end(stream);
    });
    link.unwrap();
    assert!(notes[0].contains("no rewit link"), "{notes:?}");
    assert!(notes[1].contains("version 2"), "{notes:?}");
    assert!(notes.len() >= 5, "{notes:?}");
}

#[test]
fn requests_out_of_bounds_get_a_reason() {
    let limits = limits();
    let (replies, link, notes) = with_server(limits, |address| {
        let ask = |bytes: &[u8]| {
            let mut stream = greet(address);
            stream.write_all(bytes).unwrap();
            let reply = Reply::read(&stream, soon()).unwrap();
            wait_for_end(stream);
            reply
        };
        let mut unknown = request(Operation::Put, 1);
        unknown[0] = 9;
        [
            ask(&request(Operation::Put, limits.max_message + 1)),
            ask(&request(Operation::Get, u64::MAX)),
            ask(&request(Operation::Echo, (256 << 10) + 1)),
            ask(&request(Operation::Bye, 1)),
            ask(&unknown),
        ]
    });
    link.unwrap();
    assert_eq!(replies[0].length, limits.max_message);
    assert_eq!(replies[2].length, 256 << 10);
    for reply in &replies[..4] {
        assert_eq!(reply.status, Status::TooLong);
    }
    assert_eq!(replies[4].status, Status::Malformed);
    assert_eq!(notes.len(), 5, "{notes:?}");
}

#[test]
fn the_server_notices_a_changed_byte() {
    // In the first part, at its end, at the start of the next, and at the very end.
    const LENGTH: usize = 600_000;
    const PART: usize = 256 << 10;
    let positions = [0, 1, PART - 1, PART, LENGTH - 1];
    let pattern = Pattern::new();
    let mut payload = Vec::new();
    while payload.len() < LENGTH {
        let len = (LENGTH - payload.len()).min(PART);
        payload.extend_from_slice(pattern.part(7, payload.len() as u64, len));
    }
    let (replies, link, _) = with_server(limits(), |address| {
        let send = |payload: &[u8]| {
            let mut stream = greet(address);
            stream
                .write_all(&request(Operation::Put, LENGTH as u64))
                .unwrap();
            stream.write_all(payload).unwrap();
            Reply::read(&stream, soon()).unwrap()
        };
        assert_eq!(send(&payload).status, Status::Ok);
        positions.map(|at| {
            let mut payload = payload.clone();
            payload[at] ^= 1;
            send(&payload)
        })
    });
    link.unwrap();
    for (reply, at) in replies.iter().zip(positions) {
        assert_eq!((reply.status, reply.length), (Status::Changed, at as u64));
    }
}

#[test]
fn slow_peers_do_not_hold_the_server() {
    let limits = LinkLimits {
        header: Duration::from_millis(300),
        idle: Duration::from_millis(300),
        message: Duration::from_millis(300),
        ..limits()
    };
    let server = LinkServer::bind("127.0.0.1:0", limits).unwrap();
    let address = server.address().unwrap().to_string();
    let notes = Mutex::new(Vec::new());
    let note = |text: &str| notes.lock().unwrap().push(text.to_owned());
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve(true, &note));
        // Says nothing; says a byte; sends nothing of a message; asks for nothing.
        let silent = connect(&address);
        wait_for_end(silent);
        let mut slow = connect(&address);
        slow.write_all(b"r").unwrap();
        wait_for_end(slow);
        let mut waiting = greet(&address);
        waiting.write_all(&request(Operation::Put, 10)).unwrap();
        wait_for_end(waiting);
        wait_for_end(greet(&address));
        // As often as it takes: a greeting may be late on a machine that is busy elsewhere.
        while !serving.is_finished() {
            say_goodbye(&address);
        }
        serving.join().unwrap().unwrap();
    });
    let notes = notes.into_inner().unwrap();
    let late = notes
        .iter()
        .filter(|note| note.contains("not there in time"));
    assert!(late.count() >= 4, "{notes:?}");
}

#[test]
fn a_full_server_says_so() {
    let limits = LinkLimits {
        max_connections: 2,
        ..limits()
    };
    let (error, link, _) = with_server(limits, |address| {
        let held = greet(address);
        let error = probe_link(address, &OPTIONS, &mut |_| ()).unwrap_err();
        drop(held);
        error
    });
    assert!(
        matches!(&error, Error::Resource(text) if text.contains("as many connections")),
        "{error}"
    );
    link.unwrap();
}

/// What the probe says of a server that does `serve` with each of its connections.
fn error_of(serve: impl Fn(TcpStream) + Sync) -> Error {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::scope(|scope| {
        scope.spawn(|| serve(listener.accept().unwrap().0));
        let options = ProbeOptions {
            streams: 1,
            ..OPTIONS
        };
        probe_link(&address, &options, &mut |_| ()).unwrap_err()
    })
}

#[test]
fn the_probe_refuses_servers_that_are_none() {
    let first_words = |bytes: &'static [u8]| {
        error_of(move |mut stream| {
            stream.write_all(bytes).unwrap();
            wait_for_end(stream);
        })
        .to_string()
    };
    let error = first_words(b"SSH-2.0-OpenSSH_9.9 and more of it");
    assert!(error.contains("no rewit link"), "{error}");
    let error = first_words(b"rewit link\x02\x00 and whatever comes in it");
    assert!(error.contains("version 2"), "{error}");
    let error = error_of(drop).to_string();
    assert!(error.contains("link to 127.0.0.1"), "{error}");
    // A server that takes too little.
    let error = error_of(|mut stream| {
        let hello = Hello {
            version: VERSION,
            status: Status::Ok,
            max_message: 10,
        };
        stream.write_all(&hello.to_bytes()).unwrap();
        wait_for_end(stream);
    });
    assert!(
        matches!(&error, Error::Usage(text) if text.contains("--max-message")),
        "{error}"
    );
}

#[test]
fn the_probe_notices_changed_bytes_and_false_replies() {
    /// Takes messages, and answers with what `answer` makes of the reply.
    fn serve(mut stream: TcpStream, answer: impl Fn(&mut Reply)) {
        let greeting = Hello {
            version: VERSION,
            status: Status::Ok,
            max_message: 1 << 20,
        };
        stream.write_all(&greeting.to_bytes()).unwrap();
        Hello::read(&stream, soon()).unwrap();
        while let Ok(Some(request)) = Request::read(&stream, soon(), Duration::from_secs(20)) {
            let mut reply = Reply {
                status: Status::Ok,
                length: request.length,
            };
            let mut payload = vec![0; request.length as usize];
            if request.operation != Operation::Get && stream.read_exact(&mut payload).is_err() {
                return;
            }
            answer(&mut reply);
            // A probe that had enough has gone.
            if stream.write_all(&reply.to_bytes()).is_err() {
                return;
            }
            if request.operation != Operation::Put
                && stream.write_all(&vec![0; request.length as usize]).is_err()
            {
                return;
            }
        }
    }
    // Zeros are not the pattern.
    let error = error_of(|stream| serve(stream, |_| ()));
    assert!(
        matches!(&error, Error::Differs(text) if text.contains("byte 0 ")),
        "{error}"
    );
    let error = error_of(|stream| serve(stream, |reply| reply.length = u64::MAX));
    assert!(error.to_string().contains("malformed reply"), "{error}");
    let error = error_of(|stream| {
        serve(stream, |reply| {
            *reply = Reply {
                status: Status::Changed,
                length: 17,
            };
        });
    });
    assert!(
        matches!(&error, Error::Differs(text) if text.contains("byte 17 ")),
        "{error}"
    );
    let error = error_of(|stream| serve(stream, |reply| reply.status = Status::TooLong));
    assert!(error.to_string().contains("too long"), "{error}");
}

#[test]
fn a_server_answers_one_probe_after_another() {
    let options = ProbeOptions {
        streams: 1,
        max_message: 1,
        samples: 1,
    };
    let server = LinkServer::bind("127.0.0.1:0", limits()).unwrap();
    let address = server.address().unwrap().to_string();
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve(true, &|_| ()));
        // As long as somebody is connected, it does not end.
        let held = greet(&address);
        for _ in 0..3 {
            let mut seen = 0;
            probe_link(&address, &options, &mut |_| seen += 1).unwrap();
            assert_eq!(seen, 3);
        }
        drop(held);
        serving.join().unwrap().unwrap();
    });
}

#[test]
fn options_of_zero_are_refused() {
    for options in [
        ProbeOptions {
            max_message: 0,
            ..OPTIONS
        },
        ProbeOptions {
            samples: 0,
            ..OPTIONS
        },
        ProbeOptions {
            streams: 0,
            ..OPTIONS
        },
    ] {
        let error = probe_link("127.0.0.1:1", &options, &mut |_| ()).unwrap_err();
        assert!(matches!(error, Error::Usage(_)), "{error}");
    }
    let error = probe_link("no port", &OPTIONS, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("no port"), "{error}");
}
