//! `rewit link`: measuring a link between two processes or machines.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, Subcommand};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use rewit::Result;
use rewit::measure::{
    Link, LinkDirection, LinkLimits, LinkPoint, LinkServer, ProbeOptions, probe_link,
};
use rewit::report::{LinkFile, format_bandwidth, format_bytes, format_seconds};

use super::out::Out;
use super::units::parse_bytes;
use super::{now, print, say};

/// Longest message that may be asked for.
const MAX_MESSAGE: u64 = 1 << 30;

#[derive(Args, Debug)]
pub(crate) struct LinkArgs {
    #[command(subcommand)]
    command: LinkCommand,
}

#[derive(Subcommand, Debug)]
enum LinkCommand {
    /// Answer probes, until interrupted. Whoever reaches the port can have this machine send and
    /// receive data without end: listen to others only on networks you trust.
    Serve(ServeArgs),
    /// Measure the link to a server: time there and back and bandwidth both ways, by size of message.
    Probe(ProbeArgs),
}

#[derive(Args, Debug)]
struct ServeArgs {
    /// Where to listen; 0.0.0.0 is every IPv4 address of this machine, port 0 any free port.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:7117")]
    listen: String,
    /// End after the first probe that finished.
    #[arg(long)]
    once: bool,
}

#[derive(Args, Debug)]
struct ProbeArgs {
    /// Host and port of `rewit link serve`.
    #[arg(value_name = "HOST:PORT")]
    address: String,
    /// Longest message, in bytes or with a suffix such as 64MiB.
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = parse_message)]
    max_message: u64,
    /// Most samples of each point; fewer are taken of what takes long.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// Connections to measure bandwidth with at a time, beside one.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    streams: u32,
    /// Print the link file instead of the table.
    #[arg(long)]
    json: bool,
    /// Write a link file with all samples.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn parse_message(text: &str) -> Result<u64, String> {
    parse_bytes(text).and_then(|bytes| {
        if (1..=MAX_MESSAGE).contains(&bytes) {
            Ok(bytes)
        } else {
            Err(format!("expected 1 to {MAX_MESSAGE} bytes"))
        }
    })
}

/// Serves or probes.
pub(crate) fn link(args: &LinkArgs) -> Result<()> {
    match &args.command {
        LinkCommand::Serve(args) => serve(args),
        LinkCommand::Probe(args) => probe(args),
    }
}

fn serve(args: &ServeArgs) -> Result<()> {
    let server = LinkServer::bind(&args.listen, LinkLimits::default())?;
    let address = server.address()?;
    print(format!("listening on {address}\n").as_bytes())?;
    server.serve(args.once, &say)
}

fn probe(args: &ProbeArgs) -> Result<()> {
    let out = args.out.as_deref();
    let out = out.map(|path| Out::new(path, &[])).transpose()?;
    let options = ProbeOptions {
        max_message: args.max_message,
        samples: args.samples,
        streams: args.streams,
    };
    let (created, start) = (now(), Instant::now());
    let mut last = Instant::now();
    let link = probe_link(&args.address, &options, &mut |point| {
        if last.elapsed().as_secs() >= 2 {
            last = Instant::now();
            let size = format_bytes(point.message_bytes as f64);
            // If nobody reads this, nobody has to.
            let _ = writeln!(std::io::stderr(), "rewit: messages of {size}");
        }
    })?;
    let file = LinkFile::new(link, &created, start.elapsed().as_secs_f64());
    let text = file.to_json();
    if let Some(out) = &out {
        out.finish(&text)?;
    }
    if args.json {
        return print(text.as_bytes());
    }
    print(render(&file.link).as_bytes())
}

/// The link as a table and two lines.
fn render(link: &Link) -> String {
    use LinkDirection::{FromServer, RoundTrip, ToServer};
    let point = |direction, bytes, streams| {
        let matches = |p: &&LinkPoint| {
            (p.direction, p.message_bytes, p.streams) == (direction, bytes, streams)
        };
        link.points.iter().find(matches)
    };
    let mut sizes: Vec<u64> = link
        .points
        .iter()
        .map(|point| point.message_bytes)
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut counts: Vec<u32> = link.points.iter().map(|point| point.streams).collect();
    counts.sort_unstable();
    counts.dedup();
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    let mut header = vec!["message".to_owned(), "there and back".to_owned()];
    for direction in ["to server", "from server"] {
        header.extend(counts.iter().map(|count| match count {
            1 => format!("{direction}, 1 stream"),
            n => format!("{direction}, {n} streams"),
        }));
    }
    table.set_header(header);
    for bytes in sizes {
        let echo = point(RoundTrip, bytes, 1);
        let echo = echo.map(|point| format_seconds(point.summary.median));
        let mut row = vec![format_bytes(bytes as f64), echo.unwrap_or_default()];
        for direction in [ToServer, FromServer] {
            row.extend(counts.iter().map(|&count| {
                let point = point(direction, bytes, count);
                point.map_or(String::new(), |p| format_bandwidth(p.bits_per_second()))
            }));
        }
        let cells = row.into_iter().map(Cell::new);
        table.add_row(cells.map(|cell| cell.set_alignment(CellAlignment::Right)));
    }
    format!(
        "{table}\nlink (measured): {}\nbandwidth {}, latency {} one way\n",
        link.description,
        format_bandwidth(link.bits_per_second),
        format_seconds(link.latency_seconds)
    )
}
