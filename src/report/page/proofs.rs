//! Proofs: how long, and how secure.

use super::parts::{self, Cell, bytes, count, maybe, number, seconds, text};
use super::plot::proof_sizes;
use super::{Data, MAX_NAME, Section, one_line};
use crate::measure::proof_size::{Bits, KIB, Kind as SizeKind, Row};
use crate::measure::{Kind, Stage, Summary};
use crate::report::ResultFile;

/// A plot of all sizes, the proofs of runs, and the suite's rows behind a line.
pub(super) fn section(data: &Data<'_>) -> Section {
    let mut section = Section::default();
    let rows: Vec<Row> = data
        .sizes
        .iter()
        .flat_map(|file| &file.rows)
        .cloned()
        .collect();
    section.plot(
        proof_sizes(&rows, &data.runs, &data.foldings, &data.source(|_| true)),
        "Discs are lengths of proofs that were made, verified from their bytes and refused with a bit changed; outlines \
         are modelled. Bits are computed from the parameters: the \
         better of unique decoding and the Johnson bound.",
        "No proof is among the files; `rewit run --out FILE` makes one, `rewit proof-size --json FILE` a grid of them.",
    );
    let proofs: Vec<Vec<Cell>> = data.runs.iter().flat_map(|run| proofs_of(run)).collect();
    if !proofs.is_empty() {
        let head = [
            "run",
            "segment",
            "rows",
            "argument",
            "statement",
            "proved in",
            "verified in",
            "peak memory",
            "bits, unique decoding",
            "bits, Johnson",
            "bits, conjectured",
        ];
        section.push(parts::table("Proofs of segments", &head, proofs));
    }
    for file in &data.sizes {
        let requirements = file.requirements.iter().map(|requirement| {
            let params = requirement.params.map_or_else(String::new, |params| {
                format!(
                    "blowup 2^{}, {} queries, degree {}",
                    params.log_blowup, params.num_queries, params.extension
                )
            });
            vec![
                text(&requirement.subject),
                number(
                    Kind::Declared,
                    &requirement.target_bits.to_string(),
                    requirement.target_bits.into(),
                ),
                number(
                    Kind::Declared,
                    &format!("{} KiB", requirement.limit_kib),
                    f64::from(requirement.limit_kib) * KIB,
                ),
                text(if requirement.reached {
                    "reached"
                } else {
                    "not reached"
                }),
                text(&params),
                maybe(
                    requirement
                        .modelled_bytes
                        .map(|size| bytes(Kind::Modelled, size)),
                ),
            ]
        });
        let head = [
            "subject",
            "provable bits",
            "limit",
            "",
            "smallest at",
            "size",
        ];
        let table = parts::table("What limits of size take", &head, requirements);
        section.push(parts::folded("What limits of size take", &table));
        let head = [
            "subject",
            "parameters",
            "scheme",
            "size",
            "modelled",
            "residual",
            "bits, unique decoding",
            "bits, Johnson",
            "bits, Johnson of 2025",
            "bits, conjectured",
            "prove",
            "verify",
            "note",
        ];
        let table = parts::table("All proof sizes", &head, file.rows.iter().map(size_row));
        section.push(parts::folded(
            &format!("All {} proof sizes", file.rows.len()),
            &table,
        ));
    }
    section
}

fn bits(value: f64) -> Cell {
    number(Kind::Modelled, &format!("{value:.1}"), value)
}

fn proofs_of(run: &ResultFile) -> Vec<Vec<Cell>> {
    let median = |stage, index| {
        let whole = run
            .rows
            .iter()
            .find(|row| row.key.stage == stage && row.key.part.is_none())?;
        let of = whole
            .samples
            .iter()
            .filter(|sample| sample.segment == Some(index));
        let values: Vec<f64> = of.map(|sample| sample.value).collect();
        Some(seconds(whole.kind, Summary::of(&values)?.median))
    };
    let row = |proof: &crate::measure::ProvenSegment| {
        vec![
            text(&format!(
                "{}, 2^{} cycles",
                one_line(&run.guest.name, MAX_NAME),
                run.parameters.log_cycles
            )),
            text(&proof.index.to_string()),
            count(Kind::Measured, proof.rows.into()),
            bytes(Kind::Measured, proof.argument_bytes as f64),
            bytes(Kind::Measured, proof.statement_bytes as f64),
            maybe(median(Stage::Prove, proof.index)),
            maybe(median(Stage::Verify, proof.index)),
            maybe(
                proof
                    .peak_memory_bytes
                    .map(|peak| bytes(Kind::Measured, peak as f64)),
            ),
            bits(proof.unique_decoding_bits),
            maybe(proof.johnson_bits.map(bits)),
            bits(proof.conjectured_bits),
        ]
    };
    run.proofs.iter().map(row).collect()
}

fn size_row(row: &Row) -> Vec<Cell> {
    let level = |level: &Option<Bits>| {
        maybe(level.as_ref().map(|level| {
            let words = format!("{:.1} {}", level.bits, one_line(&level.binding, 24));
            number(Kind::Modelled, &words, level.bits)
        }))
    };
    let kind = match row.kind {
        SizeKind::Measured => Kind::Measured,
        SizeKind::Modelled | SizeKind::Refused => Kind::Modelled,
    };
    let size = row.bytes().filter(|_| row.kind != SizeKind::Refused);
    vec![
        text(&row.subject),
        text(&row.purpose),
        text(row.scheme.name()),
        maybe(size.map(|size| bytes(kind, size))),
        maybe(row.modelled_bytes.map(|size| bytes(Kind::Modelled, size))),
        maybe(
            row.residual_percent
                .map(|percent| number(Kind::Modelled, &format!("{percent:+.2} %"), percent)),
        ),
        level(&row.unique),
        level(&row.johnson),
        level(&row.johnson_2025),
        level(&row.conjectured),
        maybe(
            row.measured
                .map(|measured| seconds(Kind::Measured, measured.prove_seconds)),
        ),
        maybe(
            row.measured
                .map(|measured| seconds(Kind::Measured, measured.verify_seconds)),
        ),
        text(row.setting.as_deref().unwrap_or(&row.note)),
    ]
}
