//! `rewit model`: a cluster, simulated.

mod build;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, ValueEnum};
use rewit::model::cluster::{
    Axis, Cluster, Stragglers, Sweep, Varied, encodings_of, estimate_cluster, simulate_cluster,
    sweep, try_all_encodings, try_encodings, with_encoding,
};
use rewit::report::{self, CLUSTER_FORMAT, ClusterReport, MAX_BYTES, SweepReport};
use rewit::{Error, Result};

use super::note::{Format, parse_bytes};
use super::parse::{
    LinkArg, LossArg, ProfileArg, SweepArg, parse_link, parse_loss, parse_map, parse_price,
    parse_profile, parse_stragglers, parse_sweep, spaced,
};
use crate::cli::files::{failed, read_file_up_to, refuse_same};
use crate::cli::units::{parse_bandwidth, parse_seconds};
use crate::cli::{parse_compression, parse_encoding, print};
use build::clusters;

/// Options of the simulation.
#[derive(Args, Debug)]
#[command(next_help_heading = "The cluster")]
pub(crate) struct ClusterArgs {
    /// A result file with what one machine takes; with :COUNT that many of the workers are like it, and with
    /// :COUNT@SPEED so many times as fast. The first is the executor's too, at its measured speed. Give the option again for other machines.
    #[arg(long, value_name = "FILE[:COUNT[@SPEED]]", value_parser = parse_profile)]
    profile: Vec<ProfileArg>,
    /// The guest, if the files have several [default: that of the first].
    #[arg(long, value_name = "NAME")]
    guest: Option<String>,
    /// The backend, if the files have several [default: the first].
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Base-2 logarithm of the cycles in a segment [default: the largest that was proven or folded].
    #[arg(long, value_name = "K")]
    segment_log_cycles: Option<u32>,
    /// The encoding segments are shipped in, or `best` for the fastest of those measured.
    #[arg(long, value_name = "NAME", default_value = "best")]
    encoding: String,
    /// Its compression, or `best`.
    #[arg(long, value_name = "NAME", default_value = "best")]
    compression: String,
    /// Every worker's link, and the executor's unless that is given: bandwidth, and latency one way [default: the one
    /// in the file, or else 10Gb/s,50us].
    #[arg(long, value_name = "BANDWIDTH[,LATENCY]", value_parser = parse_link)]
    link: Option<LinkArg>,
    /// The executor's link.
    #[arg(long, value_name = "BANDWIDTH[,LATENCY]", value_parser = parse_link)]
    executor_link: Option<LinkArg>,
    /// Bandwidth of the switch between all machines [default: no limit].
    #[arg(long, value_name = "BANDWIDTH", value_parser = parse_bandwidth)]
    switch: Option<f64>,
    /// What becomes of proofs.
    #[arg(long, value_enum, value_name = "HOW", default_value = "fri")]
    aggregate: Aggregate,
    /// Seconds to join two proofs [default: 1.1 to 1.9, published for p3-recursion on 2 cores].
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    join_seconds: Option<f64>,
    /// Bytes of a joined proof [default: 451 to 496 kB, published].
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    join_bytes: Option<f64>,
    /// Where two objects are joined.
    #[arg(long, value_enum, value_name = "WHERE", default_value = "coordinator")]
    joins: Joins,
    /// Tasks that take longer: which part of them, and how many times as long, such as 5%:3x.
    #[arg(long, value_name = "PART:FACTOR", value_parser = parse_stragglers)]
    stragglers: Option<Stragglers>,
    /// Workers that are lost: how many an hour each, such as 0.01/h, or in which part of tasks, such as 1%.
    #[arg(long, value_name = "RATE/h|PART", value_parser = parse_loss)]
    loss: Option<LossArg>,
    /// How long until a loss is noticed.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_seconds, requires = "loss")]
    loss_detect: f64,
    /// How long until a lost worker is replaced, once that is noticed [default: never].
    #[arg(long, value_name = "TIME", value_parser = parse_seconds, requires = "loss")]
    loss_replace: Option<f64>,
    /// A last step on the final object, such as a wrap in a pairing-based proof.
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    wrap: Option<f64>,
    /// Price of a machine per hour.
    #[arg(long, value_name = "PRICE/h", value_parser = parse_price)]
    price: Option<f64>,
    /// Price of 10^9 bytes that leave the executor's machine.
    #[arg(long, value_name = "PRICE", value_parser = parse_price, requires = "price")]
    egress_price: Option<f64>,
    /// Tasks a worker is assigned beyond the one it works on.
    #[arg(long, value_name = "N", default_value_t = 1)]
    prefetch: u32,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Times the job is simulated with the measurements resampled, for the error bar; fewer if the cluster is large.
    #[arg(long, value_name = "N", default_value_t = 200)]
    replicates: u32,
    /// Vary one thing: machines=1,10,100, bandwidth=1Gb/s..1Tb/s, segment=14..20 (those measured) or encoding=all.
    #[arg(long, value_name = "AXIS=VALUES", value_parser = parse_sweep)]
    sweep: Vec<SweepArg>,
    /// Which encoding is fastest where, over two things: bandwidth×machines, say. --sweep gives other values.
    #[arg(long, value_name = "AXIS×AXIS", value_parser = parse_map)]
    map: Option<MapArg>,
    /// Write everything here as JSON, inputs and timeline too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One of these options that was given.
    #[arg(skip)]
    given: Option<String>,
}

/// Two axes; a type of its own, since clap takes an array for an argument given many times.
type MapArg = [Axis; 2];

/// What becomes of proofs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Aggregate {
    /// They are returned.
    None,
    /// Joined in a binary tree of recursive proofs.
    Fri,
    /// Segments are folded instead, and their accumulators merged in a binary tree.
    Fold,
}

/// Where two objects are joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Joins {
    /// On any worker: the coordinator sends both and gets the result.
    Coordinator,
    /// On one of the two workers that hold them.
    InPlace,
}

impl ClusterArgs {
    /// Remembers one of these options that stands on the command line.
    pub(super) fn remember(&mut self, matches: &ArgMatches) {
        let options = Self::augment_args(Command::new("cluster"));
        let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let mut given = options
            .get_arguments()
            .filter(|arg| given(arg.get_id().as_str()));
        self.given = given.find_map(|arg| arg.get_long().map(str::to_owned));
    }

    /// Refuses options that the ledger would ignore.
    pub(super) fn refuse_with_note(&self) -> Result<()> {
        match &self.given {
            Some(flag) => Err(Error::Usage(format!(
                "--{flag} is of the cluster and has no effect on --note; leave one of them out"
            ))),
            None => Ok(()),
        }
    }
}

/// Simulates, and prints what was asked for.
pub(super) fn cluster(
    args: &ClusterArgs,
    shared: super::Cluster,
    files: &[PathBuf],
    format: Format,
) -> Result<()> {
    let started = Instant::now();
    if format == Format::Markdown {
        return Err(Error::Usage(
            "--format markdown is of --note; the tables of --format text are Markdown".to_owned(),
        ));
    }
    let mut bases = clusters(args, shared, files)?;
    if let Some(out) = &args.out {
        check_out(out, args, files)?;
    }
    let wanted = wanted(args, &bases[0])?;
    let (text, json) = if args.sweep.is_empty() && args.map.is_none() {
        let base = bases.swap_remove(0);
        let (tried, cluster) = match &wanted[..] {
            [(encoding, compression)] => (Vec::new(), with_encoding(&base, encoding, compression)),
            several => {
                let tried = try_encodings(&base, several)?;
                let cluster = with_encoding(&base, &tried[0].encoding, &tried[0].compression);
                (tried, cluster)
            }
        };
        let outcome = simulate_cluster(&cluster)?;
        let (inputs, _) = estimate_cluster(&cluster)?;
        let elapsed = started.elapsed().as_secs_f64();
        let report = ClusterReport::new(cluster, tried, inputs, outcome, elapsed);
        let text = match format {
            Format::Csv => report.to_csv(),
            _ => report.to_text(),
        };
        (text, report.to_json())
    } else {
        let sweep = vary(args, &bases, &wanted)?;
        let elapsed = started.elapsed().as_secs_f64();
        let report = SweepReport::new(bases.swap_remove(0), sweep, elapsed);
        let text = match format {
            Format::Csv => report.to_csv(),
            _ => report.to_text(),
        };
        (text, report.to_json())
    };
    if let Some(out) = &args.out {
        write_out(out, &json)?;
    }
    let text = if format == Format::Json { json } else { text };
    print(text.as_bytes())
}

fn vary(args: &ClusterArgs, bases: &[Cluster], wanted: &[(String, String)]) -> Result<Sweep> {
    let mut given: Vec<(Axis, Vec<f64>)> = Vec::new();
    let mut encodings = false;
    for sweep in &args.sweep {
        match sweep {
            SweepArg::Encodings => encodings = true,
            SweepArg::Segments(..) | SweepArg::Axis(..) => {
                let (axis, values) = &values_of(sweep, bases)?;
                if given.iter().any(|(other, _)| other == axis) {
                    return Err(Error::Usage(format!(
                        "--sweep {}= is given twice; list its values once",
                        axis.name()
                    )));
                }
                given.push((*axis, values.clone()));
            }
        }
    }
    let bandwidth = |axis: &Axis| *axis == Axis::Bandwidth;
    let varied = given.iter().any(|(axis, _)| bandwidth(axis));
    if args.executor_link.is_some()
        && (varied || args.map.is_some_and(|axes| axes.iter().any(bandwidth)))
    {
        return Err(Error::Usage(
            "--executor-link does not go with a --sweep or --map over bandwidth, which varies every link; leave one of \
             them out"
                .to_owned(),
        ));
    }
    if encodings {
        if !given.is_empty() || args.map.is_some() {
            return Err(Error::Usage(
                "--sweep encoding=all compares encodings at one point; leave out the other --sweep and --map"
                    .to_owned(),
            ));
        }
        let all = encodings_of(&bases[0]);
        return try_all_encodings(&bases[0], &all);
    }
    let axes = match args.map {
        Some(axes) => {
            if let Some((axis, _)) = given.iter().find(|(axis, _)| !axes.contains(axis)) {
                return Err(Error::Usage(format!(
                    "--sweep {}= is no axis of --map; leave one of them out",
                    axis.name()
                )));
            }
            axes.map(|axis| {
                let values = given.iter().find(|(other, _)| *other == axis);
                values.map_or_else(|| default_values(axis, bases), |(_, values)| values.clone())
            })
            .into_iter()
            .zip(axes)
            .map(|(values, axis)| Varied { axis, values })
            .collect()
        }
        None if given.len() == 1 => given
            .into_iter()
            .map(|(axis, values)| Varied { axis, values })
            .collect(),
        None => {
            return Err(Error::Usage(
                "two --sweep make a map: say which is across with --map".to_owned(),
            ));
        }
    };
    let best = args.encoding == "best" && args.compression == "best";
    sweep(bases, axes, (!best).then_some(wanted))
}

/// An axis and its values: of a range of segment sizes those that were measured.
fn values_of(sweep: &SweepArg, bases: &[Cluster]) -> Result<(Axis, Vec<f64>)> {
    match sweep {
        SweepArg::Axis(axis, values) => Ok((*axis, values.clone())),
        SweepArg::Segments(low, high) => {
            let measured = default_values(Axis::Segment, bases);
            let within = |size: &&f64| (*low..=*high).contains(*size);
            let values: Vec<f64> = measured.iter().filter(within).copied().collect();
            if values.is_empty() {
                return Err(Error::Usage(format!(
                    "--sweep segment={low}..{high}: no profile has segments of such a size; those given have {}",
                    measured
                        .iter()
                        .map(f64::to_string)
                        .collect::<Vec<_>>()
                        .join(", ")
                )));
            }
            Ok((Axis::Segment, values))
        }
        SweepArg::Encodings => unreachable!("encodings are no axis"),
    }
}

fn default_values(axis: Axis, bases: &[Cluster]) -> Vec<f64> {
    match axis {
        Axis::Machines => spaced(axis, 1.0, 10_000.0),
        Axis::Bandwidth => spaced(axis, 1e8, 1e12),
        Axis::Segment => {
            let sizes = bases.iter().map(|base| base.executor.log_cycles);
            let mut sizes: Vec<f64> = sizes.map(f64::from).collect();
            sizes.sort_by(f64::total_cmp);
            sizes.dedup();
            sizes
        }
    }
}

/// The encodings that were asked for, of those that were measured.
fn wanted(args: &ClusterArgs, cluster: &Cluster) -> Result<Vec<(String, String)>> {
    let name = |given: &str, parse: &dyn Fn(&str) -> Result<(), String>| match given {
        "best" => Ok(()),
        given => parse(given).map_err(Error::Usage),
    };
    name(&args.encoding, &|name| parse_encoding(name).map(|_| ()))?;
    name(&args.compression, &|name| {
        parse_compression(name).map(|_| ())
    })?;
    let is = |given: &str, name: &str| given == "best" || given == name;
    if args.encoding != "best" && args.compression != "best" {
        return Ok(vec![(args.encoding.clone(), args.compression.clone())]);
    }
    let mut found = encodings_of(cluster);
    found.retain(|(encoding, compression)| {
        is(&args.encoding, encoding) && is(&args.compression, compression)
    });
    if found.is_empty() {
        // One that was not measured, or that no cluster can use: the simulation says why.
        let compression = match &*args.compression {
            "best" => "raw",
            given => given,
        };
        if args.encoding != "best" {
            return Ok(vec![(args.encoding.clone(), compression.to_owned())]);
        }
        return Err(Error::Usage(format!(
            "no encoding in --compression {compression} was measured on all machines"
        )));
    }
    Ok(found)
}

/// Refuses to overwrite what is no model of ours, or a file that is read.
fn check_out(out: &Path, args: &ClusterArgs, files: &[PathBuf]) -> Result<()> {
    let mut read: Vec<(&str, &Path)> = args
        .profile
        .iter()
        .map(|profile| ("--profile", Path::new(&profile.path)))
        .collect();
    read.extend(files.iter().map(|path| ("FILE", path.as_path())));
    refuse_same("--out", out, &read)?;
    let Ok(found) = fs::metadata(out) else {
        return Ok(());
    };
    if !found.is_file() && !found.is_dir() || found.is_file() && found.len() == 0 {
        return Ok(());
    }
    let ours = found.is_file()
        && read_file_up_to(out, MAX_BYTES as u64)
            .map_err(failed(format!("--out {}", out.display())))?
            .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
            .and_then(|value| Some(value.get("format")?.as_str()?.starts_with(CLUSTER_FORMAT)))
            .unwrap_or(false);
    if ours {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "--out {} is there already and is no model of a cluster; choose another file",
        out.display()
    )))
}

/// Writes a file whole, under its name once it is complete.
fn write_out(out: &Path, text: &str) -> Result<()> {
    let name = failed(format!("--out {}", out.display()));
    let special = fs::metadata(out).is_ok_and(|file| !file.is_file());
    if special {
        return fs::write(out, text).map_err(name);
    }
    let mut partial = out.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    report::write_text(&partial, text)?;
    fs::rename(&partial, out).map_err(name)
}
