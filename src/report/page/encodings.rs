//! Encodings: time to the witness, stages and bytes.

use maud::html;

use super::parts::{self, Cell, bandwidth, bytes, code, count, maybe, number, seconds, text};
use super::plot::{self, encoding_stages, segment_stages, shipped_bytes, time_to_witness};
use super::{Data, MAX_NAME, MAX_RUNS, Section, one_line};
use crate::measure::{Kind, Row, Stage, Unit};
use crate::model::{Crossing, GIGABIT, LINKS_GBPS};
use crate::report::conclusion::{NEEDS_PREVIOUS, best, fastest};
use crate::report::verdict::{in_place, row};
use crate::report::{ResultFile, Verdict, Witnesses, format_ratio, format_threads};
use crate::ship::{Compression, Encoding};

const MISSING: &str = "No run is among the files; `rewit run --out FILE` measures the encodings.";

fn name(run: &ResultFile) -> String {
    format!(
        "{}, segments of 2^{} cycles, {}",
        one_line(&run.guest.name, MAX_NAME),
        run.parameters.log_cycles,
        format_threads(run.parameters.threads)
    )
}

/// Time to the witness by bandwidth: a plot and a table for every run.
pub(super) fn section(data: &Data<'_>) -> Section {
    let mut section = Section::default();
    if data.runs.is_empty() {
        section.push(parts::missing(MISSING));
    }
    for (i, run) in data.runs.iter().take(MAX_RUNS).enumerate() {
        let id = format!("time-to-witness-{}", i + 1);
        section.plot(
            time_to_witness(run, &id, &data.source_of(run)),
            "Modelled from measured bytes and times: sending, then decoding, then regenerating, each encoding in its \
             fastest compression; the link's latency is not in it. A diamond marks where an encoding takes as long as \
             the raw tables received in place.",
            "The run measured no encoding to its end; `rewit run --out FILE` does.",
        );
        if !run.verdicts.is_empty() {
            section.push(encodings(run));
            if run
                .verdicts
                .iter()
                .any(|v| v.encoding == Encoding::DeltaPrevious.name())
            {
                section.push(html! { p .note { "delta-prev: " (NEEDS_PREVIOUS) "; keeping or forwarding it is not counted." } });
            }
        }
    }
    section
}

fn crossing(found: Crossing) -> Cell {
    let word = |word: &str| number(Kind::Modelled, word, f64::NAN);
    match found {
        Crossing::Below { bits_per_second } => bandwidth(Kind::Modelled, bits_per_second),
        Crossing::Above { bits_per_second } => number(
            Kind::Modelled,
            &format!("> {}", plot::format_bits(bits_per_second)),
            bits_per_second,
        ),
        Crossing::Always => word("always"),
        Crossing::Never => word("never"),
    }
}

fn encodings(run: &ResultFile) -> maud::Markup {
    let head = [
        "encoding",
        "raw",
        "lz4",
        "zstd",
        "bytes a cycle",
        "encode",
        "decode",
        "regenerate",
        "samples",
    ];
    let mut modelled_head = vec!["encoding".to_owned(), "break-even".to_owned()];
    modelled_head.extend(LINKS_GBPS.map(|gbps| format!("at {gbps} Gb/s")));
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let mut modelled: Vec<Vec<Cell>> = Vec::new();
    if let Some(route) = in_place(&run.segments) {
        let mut cells = vec![
            text("witness, in place"),
            bytes(Kind::Measured, route.bytes),
        ];
        let cycles: f64 = run.segments.iter().map(|s| f64::from(s.num_cycles)).sum();
        let per_cycle = route.bytes * run.segments.len() as f64 / cycles;
        cells.extend([parts::none(), parts::none()]);
        cells.push(number(Kind::Measured, &format_ratio(per_cycle), per_cycle));
        cells.extend([parts::none(), parts::none(), parts::none(), parts::none()]);
        rows.push(cells);
        let mut cells = vec![text("witness, in place"), parts::none()];
        cells.extend(
            LINKS_GBPS.map(|gbps| seconds(Kind::Modelled, route.total_seconds(gbps * GIGABIT))),
        );
        modelled.push(cells);
    }
    for encoding in Encoding::ALL {
        let name = encoding.name();
        let of = || run.verdicts.iter().filter(move |v| v.encoding == name);
        let Some(first) = of().next() else { continue };
        let stage = |stage, compression| row(&run.rows, stage, name, compression);
        let mut cells = vec![code(name)];
        cells.extend(Compression::ALL.map(|c| {
            let size = stage(Stage::Size, Some(c.name()));
            maybe(size.map(|row| bytes(row.kind, row.summary.mean)))
        }));
        let least = of().map(|v| v.bytes_per_cycle).min_by(f64::total_cmp);
        cells.push(maybe(
            least.map(|v| number(Kind::Measured, &format_ratio(v), v)),
        ));
        let compression = Some(first.compression.as_str());
        let took = |row: Option<&Row>| maybe(row.map(|row| seconds(row.kind, row.summary.median)));
        cells.push(took(stage(Stage::Encode, compression)));
        cells.push(took(stage(Stage::Decode, compression)));
        let regenerate = stage(Stage::Regenerate, None);
        cells.push(took(regenerate));
        let samples = regenerate.map(|row| row.samples.len() as u64);
        cells.push(maybe(samples.map(|n| count(Kind::Measured, n))));
        rows.push(cells);
        let found = best(of(), Witnesses::RawInPlace);
        let mut cells = vec![code(name), maybe(found.map(|(_, found)| crossing(found)))];
        for gbps in LINKS_GBPS {
            cells.push(maybe(
                fastest(of(), gbps).map(|(_, s)| seconds(Kind::Modelled, s)),
            ));
        }
        modelled.push(cells);
    }
    let modelled_head: Vec<&str> = modelled_head.iter().map(String::as_str).collect();
    let caption = format!(
        "Break-even bandwidth, below which recomputing is faster than receiving the raw witness in place, and time to the \
         witness by link: {}",
        name(run)
    );
    html! {
        (parts::table(&caption, &modelled_head, modelled))
        (parts::table(&format!("Encodings as measured: {}", name(run)), &head, rows))
    }
}

/// Stages: plots, and every row of every run behind a line.
pub(super) fn stages(data: &Data<'_>) -> Section {
    let mut section = Section::default();
    section.plot(
        segment_stages(&data.runs, &data.foldings, &data.source(|file| !file.runs().is_empty() || !file.foldings().is_empty())),
        "Medians of measured times over the cycles of a segment, one bar a run or order of folding; regeneration from the encoding that takes the least work. A folded \
         bar is all chunks of one segment.",
        "No run or folding is among the files; `rewit run --out FILE` and `rewit fold --out FILE` measure their stages.",
    );
    for (i, run) in data.runs.iter().take(MAX_RUNS).enumerate() {
        let id = format!("encoding-stages-{}", i + 1);
        section.plot(
            encoding_stages(run, &id, &data.source_of(run)),
            "Medians of measured times; `reads` is replayed while the tables are filled, so that is one part.",
            MISSING,
        );
    }
    for run in data.runs.iter().take(MAX_RUNS) {
        let caption = format!("All stages: {}", name(run));
        let head = [
            "stage",
            "part",
            "encoding",
            "compression",
            "backend",
            "median or mean",
            "least",
            "most",
            "interval of the median",
            "samples",
        ];
        let rows = run.rows.iter().map(stage_row);
        section.push(parts::folded(
            &caption,
            &parts::table(&caption, &head, rows),
        ));
    }
    section
}

fn stage_row(row: &Row) -> Vec<Cell> {
    let of = |value: f64| match row.unit {
        Unit::Seconds => seconds(row.kind, value),
        Unit::Bytes => bytes(row.kind, value),
    };
    let words = |value: f64| match row.unit {
        Unit::Seconds => plot::seconds(value),
        Unit::Bytes => plot::bytes(value),
    };
    let key = &row.key;
    let optional = |value: &Option<String>| text(value.as_deref().unwrap_or(""));
    let interval = row.summary.interval.map_or(String::new(), |interval| {
        format!(
            "{} – {} ({:.0} %)",
            words(interval.low),
            words(interval.high),
            100.0 * interval.confidence
        )
    });
    let central = match row.unit {
        Unit::Seconds => row.summary.median,
        Unit::Bytes => row.summary.mean,
    };
    vec![
        text(key.stage.name()),
        optional(&key.part),
        optional(&key.encoding),
        optional(&key.compression),
        optional(&key.backend),
        of(central),
        of(row.summary.min),
        of(row.summary.max),
        text(&interval),
        count(row.kind, row.samples.len() as u64),
    ]
}

/// Shipped bytes by program.
pub(super) fn bytes_section(data: &Data<'_>) -> Section {
    let mut section = Section::default();
    section.plot(
        shipped_bytes(&data.runs, &data.source(|file| !file.runs().is_empty())),
        "Measured means over the segments, on a logarithmic scale: a disc for the shipment as it is, a circle for its \
         smallest compression.",
        MISSING,
    );
    let verdicts = |run: &&ResultFile| {
        let name = name(run);
        let row = move |v: &Verdict| {
            vec![
                code(&v.encoding),
                text(&v.compression),
                text(&name),
                bytes(Kind::Measured, v.bytes),
                number(
                    Kind::Measured,
                    &format_ratio(v.bytes_per_cycle),
                    v.bytes_per_cycle,
                ),
            ]
        };
        run.verdicts.iter().map(row).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<Cell>> = data.runs.iter().flat_map(verdicts).collect();
    if !rows.is_empty() {
        let head = [
            "encoding",
            "compression",
            "run",
            "bytes a segment",
            "bytes a cycle",
        ];
        section.push(parts::folded(
            "All shipments",
            &parts::table("Shipments", &head, rows),
        ));
    }
    section
}
