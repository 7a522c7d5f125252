//! `rewit model`: what follows for clusters and links that were not measured.

mod cluster;
mod note;
mod parse;

use std::path::PathBuf;

use clap::{ArgMatches, Args};
use rewit::Result;

use cluster::ClusterArgs;
use note::{Cluster, Format, NoteArgs, parse_number};

#[derive(Args, Debug)]
pub(crate) struct ModelArgs {
    /// Result files of `rewit run` and `rewit fold` to take measured sizes and times from.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Workers [default: 1000].
    #[arg(long, value_name = "N", value_parser = parse_number, allow_negative_numbers = true)]
    machines: Option<f64>,
    /// Cycles of the computation [default: 1e9].
    #[arg(long, value_name = "N", value_parser = parse_number, allow_negative_numbers = true)]
    cycles: Option<f64>,
    /// How to print.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    // Last, since their headings would hold for what follows.
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    note: NoteArgs,
}

impl ModelArgs {
    /// Remembers what stands on the command line, which parsed values with defaults do not say.
    pub(super) fn remember(&mut self, matches: &ArgMatches) {
        self.cluster.remember(matches);
    }
}

/// Does what was asked for.
pub(crate) fn model(args: &ModelArgs) -> Result<()> {
    let format = if args.json { Format::Json } else { args.format };
    let cluster = Cluster {
        machines: args.machines,
        cycles: args.cycles,
    };
    if args.note.asked() {
        args.cluster.refuse_with_note()?;
        return note::note(&args.note, cluster, &args.files, format);
    }
    cluster::cluster(&args.cluster, cluster, &args.files, format)
}
