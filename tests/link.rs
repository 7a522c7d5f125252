//! `rewit link` and link files.

mod command;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use command::{Dir, expect, fails};
use proptest::prelude::*;
use rewit::measure::{Kind, Link, LinkDirection, LinkPoint, Summary};
use rewit::report::{LinkFile, is_link_file, link_schema, read_link};
use serde_json::{Value, json};

/// Starts a server on a free port that ends after a probe; gives it and its address.
fn serve() -> (std::process::Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_rewit"))
        .args(["link", "serve", "--listen", "127.0.0.1:0", "--once"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap();
    (server, address.to_owned())
}

#[test]
fn a_probe_measures_a_server_and_writes_a_file() {
    let dir = Dir::new();
    let out = dir.name("link.json");
    let (mut server, address) = serve();
    // Somebody else's noise first.
    drop(TcpStream::connect(&address).unwrap());
    let (table, _) = expect(
        0,
        &[
            "link",
            "probe",
            &address,
            "--max-message",
            "64KiB",
            "--samples",
            "3",
            "--streams",
            "2",
            "--out",
            &out,
        ],
    );
    assert!(server.wait().unwrap().success());
    let mut notes = String::new();
    server.stderr.unwrap().read_to_string(&mut notes).unwrap();
    assert!(!notes.contains("panicked"), "{notes}");
    for words in [
        "there and back",
        "to server, 2 streams",
        "65.5 kB",
        "(measured): TCP over IPv4, loopback",
    ] {
        assert!(table.contains(words), "no {words:?} in {table}");
    }
    let bytes = fs::read(&out).unwrap();
    let file = read_link(&bytes).unwrap();
    assert!(is_link_file(&bytes));
    assert_eq!(file.link.kind, Kind::Measured);
    // 1 B to 64 KiB by fours: there and back, and two ways with 1 and 2 streams.
    assert_eq!(file.link.points.len(), 9 * 5);
    // Neither end is named.
    let text = String::from_utf8(bytes).unwrap();
    let port = address.rsplit_once(':').unwrap().1;
    assert!(
        !text.contains("127.0.0.1") && !text.contains(&format!(":{port}")),
        "{text}"
    );
    // A file of its kind may be replaced, any other not.
    let other = dir.file("notes.txt", b"mine");
    fails(
        2,
        &["--out", "no rewit result file"],
        &["link", "probe", "127.0.0.1:1", "--out", &other],
    );
    let (mut server, address) = serve();
    let (text, _) = expect(
        0,
        &[
            "link",
            "probe",
            &address,
            "--max-message",
            "10",
            "--samples",
            "1",
            "--streams",
            "1",
            "--json",
            "--out",
            &out,
        ],
    );
    assert!(server.wait().unwrap().success());
    assert_eq!(text, fs::read_to_string(&out).unwrap());
    assert_eq!(read_link(text.as_bytes()).unwrap().link.points.len(), 3 * 3);
}

#[test]
fn wrong_usage_is_told() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    fails(
        1,
        &["link to 127.0.0.1", "refused"],
        &["link", "probe", &address],
    );
    fails(1, &["link to nowhere"], &["link", "probe", "nowhere"]);
    fails(
        1,
        &["--listen", "nowhere"],
        &["link", "serve", "--listen", "nowhere"],
    );
    for args in [
        &["link", "probe", "x:1", "--max-message", "0"][..],
        &["link", "probe", "x:1", "--max-message", "2GiB"],
        &["link", "probe", "x:1", "--samples", "0"],
        &["link", "probe", "x:1", "--streams", "65"],
        &["link", "probe"],
        &["link"],
    ] {
        expect(2, args);
    }
}

#[test]
fn the_published_schema_is_up_to_date() {
    let published = fs::read_to_string("docs/link.schema.json").unwrap();
    assert!(
        published == link_schema(),
        "run `rewit schema link > docs/link.schema.json`"
    );
    assert_eq!(expect(0, &["schema", "link"]).0, published);
}

/// A link with round numbers.
fn sample() -> LinkFile {
    use LinkDirection::{FromServer, RoundTrip, ToServer};
    let point = |direction, message_bytes, samples: &[f64]| LinkPoint {
        direction,
        message_bytes,
        streams: 1,
        samples: samples.to_vec(),
        summary: Summary::of(samples).unwrap(),
    };
    let points = vec![
        point(RoundTrip, 1, &[0.001, 0.002, 0.003]),
        point(ToServer, 1000, &[0.5]),
        point(FromServer, 1000, &[0.25, 0.25]),
    ];
    let link = Link::measured("TCP, made up", points).unwrap();
    assert_eq!(
        (link.bits_per_second, link.latency_seconds),
        (16_000.0, 0.001)
    );
    LinkFile::new(link, "2026-11-22T00:00:00Z", 1.5)
}

fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut json = serde_json::to_value(sample()).unwrap();
    change(&mut json);
    read_link(json.to_string().as_bytes()).map_or_else(|error| error.to_string(), |_| "fine".into())
}

#[test]
fn link_files_are_read_back_and_checked() {
    let file = sample();
    assert!(read_link(file.to_json().as_bytes()).unwrap() == file);
    for (name, value, expected) in [
        (
            "/format",
            json!("rewit folding"),
            "format is \"rewit folding\"",
        ),
        ("/schema_version", json!(2), "schema_version is 2"),
        ("/created", json!("yesterday"), "created is \"yesterday\""),
        ("/elapsed_seconds", json!(-1), "elapsed_seconds is -1"),
        ("/link/kind", json!("declared"), "link.kind is not measured"),
        ("/link/kind", json!("modelled"), "link.kind is not measured"),
        (
            "/link/description",
            json!("x".repeat(501)),
            "link.description",
        ),
        (
            "/link/description",
            json!("a\u{1b}[31mb"),
            "link.description",
        ),
        (
            "/link/bits_per_second",
            json!(0),
            "link.bits_per_second is 0",
        ),
        (
            "/link/bits_per_second",
            json!(1e300),
            "link.bits_per_second is 1000",
        ),
        ("/link/bits_per_second", json!(16_001.0), "expected 16000"),
        (
            "/link/latency_seconds",
            json!(-1),
            "link.latency_seconds is -1",
        ),
        ("/link/latency_seconds", json!(0.002), "expected 0.001"),
        ("/link/points", json!([]), "lack a direction"),
        (
            "/link/points/0/message_bytes",
            json!(0),
            "points[0].message_bytes is 0",
        ),
        (
            "/link/points/0/message_bytes",
            json!(u64::MAX),
            "points[0].message_bytes",
        ),
        ("/link/points/1/streams", json!(0), "points[1].streams is 0"),
        (
            "/link/points/1/streams",
            json!(u32::MAX),
            "points[1].streams",
        ),
        (
            "/link/points/1/samples",
            json!([]),
            "points[1].samples is empty",
        ),
        (
            "/link/points/1/samples",
            json!([0.0]),
            "points[1].samples[0] is 0",
        ),
        ("/link/points/1/samples", json!([0.75]), "points[1].summary"),
        (
            "/link/points/1/direction",
            json!("from-server"),
            "points[2] has direction",
        ),
        ("/link/points/1/direction", json!("sideways"), "sideways"),
        ("/link/host", json!("x"), "host"),
    ] {
        let error = changed(|json| {
            let (parent, field) = name.rsplit_once('/').unwrap();
            let parent = json.pointer_mut(parent).unwrap();
            match parent.as_array_mut() {
                Some(_) => unreachable!("fields are of objects"),
                None => parent[field] = value.clone(),
            }
        });
        assert!(error.contains(expected), "{name} {value}: {error}");
    }
    assert_eq!(changed(|_| ()), "fine");
    assert!(read_link(&vec![b' '; rewit::report::MAX_BYTES + 1]).is_err());
    assert!(read_link("[".repeat(100_000).as_bytes()).is_err());
    assert!(!is_link_file(b"{}"));
}

proptest! {
    /// Cut short or with a byte changed, a file is refused or holds; it never panics.
    #[test]
    fn damaged_files_do_no_harm(cut in 0.0..1.0_f64, at in 0.0..1.0_f64, byte in any::<u8>()) {
        let text = sample().to_json().into_bytes();
        let part = |share: f64| (share * text.len() as f64) as usize;
        // What the last line end is cut from is whole.
        prop_assert!(read_link(&text[..part(cut).min(text.len() - 2)]).is_err());
        let mut damaged = text.clone();
        damaged[part(at)] = byte;
        if let Ok(file) = read_link(&damaged) {
            prop_assert!(read_link(file.to_json().as_bytes()).unwrap() == file);
        }
    }
}
