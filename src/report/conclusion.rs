//! What the verdicts say in words.

use std::fmt::Write;

use super::verdict::in_place;
use super::{ResultFile, Verdict, Witnesses, format_bandwidth, format_seconds};
use crate::model::{Crossing, GIGABIT, LINKS_GBPS};
use crate::ship::Encoding;

/// What whoever regenerates from `delta-prev` has to have.
pub(super) const NEEDS_PREVIOUS: &str =
    "the receiver must hold the memory at the previous boundary";

/// The one with the least total time at a bandwidth.
pub(super) fn fastest<'r>(
    verdicts: impl Iterator<Item = &'r Verdict>,
    gbps: f64,
) -> Option<(&'r Verdict, f64)> {
    verdicts
        .map(|verdict| (verdict, verdict.route().total_seconds(gbps * GIGABIT)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// On how many links recomputing is faster: the bandwidth up to which it is, or a number in its place.
pub(super) fn rank(crossing: Crossing) -> f64 {
    match crossing {
        Crossing::Never => -1.0,
        // Neither faster on slow links nor comparable: it sends more than the witness.
        Crossing::Above { .. } => 0.0,
        Crossing::Below { bits_per_second } => bits_per_second,
        Crossing::Always => f64::INFINITY,
    }
}

/// The one that is faster than shipping on the most links.
pub(super) fn best<'r>(
    verdicts: impl Iterator<Item = &'r Verdict>,
    witness: Witnesses,
) -> Option<(&'r Verdict, Crossing)> {
    verdicts
        .filter_map(|verdict| Some((verdict, verdict.against(witness)?)))
        // The first of equals.
        .reduce(|a, b| if rank(b.1) > rank(a.1) { b } else { a })
}

/// Name of a way, with what it needs where that is more than bytes.
fn name(verdict: &Verdict) -> String {
    let Verdict {
        encoding,
        compression,
        ..
    } = verdict;
    if needs_previous(verdict) {
        format!("`{encoding}` ({compression}; {NEEDS_PREVIOUS})")
    } else {
        format!("`{encoding}` ({compression})")
    }
}

fn needs_previous(verdict: &Verdict) -> bool {
    verdict.encoding == Encoding::DeltaPrevious.name()
}

/// Bandwidths between which a way to ship the witness is faster than every recomputation.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Window {
    from: f64,
    to: f64,
}

impl Window {
    /// `None` if there are none, or that way was not measured.
    fn of<'r>(recompute: impl Iterator<Item = &'r Verdict>, way: Witnesses) -> Option<Self> {
        let (mut from, mut to) = (0.0_f64, f64::INFINITY);
        for verdict in recompute {
            match verdict.against(way)? {
                Crossing::Below { bits_per_second } => from = from.max(bits_per_second),
                Crossing::Above { bits_per_second } => to = to.min(bits_per_second),
                Crossing::Always => return None,
                Crossing::Never => {}
            }
        }
        (from < to).then_some(Self { from, to })
    }

    fn words(self) -> String {
        match (self.from > 0.0, self.to.is_finite()) {
            (false, false) => "on every link".into(),
            (true, false) => format!("above {}", format_bandwidth(self.from)),
            (false, true) => format!("below {}", format_bandwidth(self.to)),
            (true, true) => format!(
                "between {} and {}",
                format_bandwidth(self.from),
                format_bandwidth(self.to)
            ),
        }
    }
}

/// Writes what follows from the verdicts; nothing if nothing was recomputed.
pub(super) fn conclusion(out: &mut String, result: &ResultFile) -> std::fmt::Result {
    let recompute = || {
        result
            .verdicts
            .iter()
            .filter(|v| v.encoding != Encoding::Witness.name())
    };
    let Some((verdict, found)) = best(recompute(), Witnesses::RawInPlace) else {
        return Ok(());
    };
    writeln!(out)?;
    // Bandwidth below which recomputing beats the raw witness in place.
    let bound = match found {
        Crossing::Below { bits_per_second } => {
            writeln!(
                out,
                "Below {} recomputing from {} beats receiving the raw witness in place; above, \
                 receiving is faster.",
                format_bandwidth(bits_per_second),
                name(verdict)
            )?;
            near(out, recompute(), verdict, bits_per_second)?;
            bits_per_second
        }
        Crossing::Always => {
            writeln!(
                out,
                "On any link recomputing from {} beats receiving the raw witness in place.",
                name(verdict)
            )?;
            f64::INFINITY
        }
        Crossing::Never | Crossing::Above { .. } => {
            writeln!(
                out,
                "On no link does recomputing beat receiving the raw witness in place: nothing \
                 measured has fewer bytes."
            )?;
            0.0
        }
    };
    decoded(out, result, bound, recompute)?;
    by_link(out, result)
}

/// Says where a witness that is shipped and decoded, compressed or not, beats recomputing.
fn decoded<'r, I: Iterator<Item = &'r Verdict>>(
    out: &mut String,
    result: &ResultFile,
    bound: f64,
    recompute: impl Fn() -> I,
) -> std::fmt::Result {
    let ways = [
        (Witnesses::Raw, "raw"),
        (Witnesses::Lz4, "lz4"),
        (Witnesses::Zstd, "zstd"),
    ];
    let mut words = Vec::new();
    let mut stronger = Vec::new();
    for (way, label) in ways {
        let shipped = |v: &&Verdict| v.encoding == "witness" && v.compression == label;
        if !result.verdicts.iter().any(|v| shipped(&v)) {
            continue;
        }
        match Window::of(recompute(), way) {
            None => words.push(format!("as {label} on no link")),
            Some(window) => {
                words.push(format!("as {label} {}", window.words()));
                if window.from < bound {
                    let to = window.to.min(bound);
                    let part = Window { to, ..window };
                    stronger.push(format!("{} ({label})", part.words()));
                }
            }
        }
    }
    if words.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "A witness that is shipped, decoded and checked as measured here beats every \
         recomputation: {}.",
        words.join(", ")
    )?;
    if stronger.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "So the witness in place is not the strongest rival: {} shipping the witness in that form \
         is faster than recomputing, though receiving it raw in place is not.",
        stronger.join(", ")
    )
}

/// Names the fastest way on each link of the table, the witness in place among them.
fn by_link(out: &mut String, result: &ResultFile) -> std::fmt::Result {
    let raw = in_place(&result.segments);
    let mut previous = false;
    let mut links = Vec::new();
    for gbps in LINKS_GBPS {
        let Some((verdict, seconds)) = fastest(result.verdicts.iter(), gbps) else {
            continue;
        };
        let received = raw.map(|raw| raw.total_seconds(gbps * GIGABIT));
        links.push(match received.filter(|received| *received < seconds) {
            Some(received) => {
                format!(
                    "{gbps} Gb/s witness, in place ({})",
                    format_seconds(received)
                )
            }
            None => {
                previous |= needs_previous(verdict);
                format!(
                    "{gbps} Gb/s {} {} ({})",
                    verdict.encoding,
                    verdict.compression,
                    format_seconds(seconds)
                )
            }
        });
    }
    let footnote = if previous {
        format!("; for delta-prev {NEEDS_PREVIOUS}")
    } else {
        String::new()
    };
    writeln!(out, "Fastest way by link: {}{footnote}.", links.join(", "))
}

/// Names the encodings that are no worse than the best but for noise.
fn near<'r>(
    out: &mut String,
    recompute: impl Iterator<Item = &'r Verdict>,
    best: &Verdict,
    bits_per_second: f64,
) -> std::fmt::Result {
    const MARGIN: f64 = 0.95;
    let mut names: Vec<String> = recompute
        .filter(|v| v.encoding != best.encoding)
        .filter(|v| match v.against(Witnesses::RawInPlace) {
            Some(Crossing::Below {
                bits_per_second: other,
            }) => other >= MARGIN * bits_per_second,
            _ => false,
        })
        .map(|v| match needs_previous(v) {
            true => format!("`{}` ({NEEDS_PREVIOUS})", v.encoding),
            false => format!("`{}`", v.encoding),
        })
        .collect();
    names.dedup();
    if names.is_empty() {
        return Ok(());
    }
    writeln!(out, "Within 5 % of that: {}.", names.join(", "))
}
