//! Folding: sizes, sessions, trees, and the note's questions.

use maud::html;

use super::parts::{self, Cell, bytes, count, maybe, seconds, text};
use super::plot::folded_witness;
use super::{Data, MAX_NAME, Section, one_line};
use crate::measure::{Kind, SizeRow};
use crate::report::FoldingFile;

/// A plot of all sizes, and what every file says.
pub(super) fn section(data: &Data<'_>) -> Section {
    let mut section = Section::default();
    section.plot(
        folded_witness(&data.foldings, &data.source(|file| !file.foldings().is_empty())),
        "Lengths of encodings that were made. An accumulator has 32 bytes a scalar of W and E; before it is folded a \
         chunk's integers are small.",
        "No folding is among the files; `rewit fold --out FILE` measures it.",
    );
    for file in &data.foldings {
        for table in tables(file) {
            section.push(table);
        }
    }
    section
}

fn tables(file: &FoldingFile) -> Vec<maud::Markup> {
    let guest = one_line(&file.measured.guest.name, MAX_NAME);
    let log_cycles = file.measured.parameters.log_cycles;
    let of = format!("{guest}, a segment of 2^{log_cycles} cycles");
    let mut parts = Vec::new();
    let answers = &file.modelled.answers;
    if !answers.is_empty() {
        parts.push(html! {
            dl .answers aria-label="The note's questions" {
                @for answer in answers.iter().take(50) {
                    dt { (one_line(&answer.question, 300)) }
                    dd { (one_line(&answer.answer, 1500)) " " (parts::tag(Kind::Modelled)) }
                }
            }
        });
    }
    let head = [
        "rows of a chunk",
        "constraints",
        "cells in a trace",
        "before folding",
        "accumulator",
        "of all tables",
        "commit",
        "cross term",
        "rest",
    ];
    let sizes = file.measured.sizes.iter().map(size);
    parts.push(parts::table(&format!("Chunk sizes: {of}"), &head, sizes));
    let head = [
        "order",
        "folds",
        "time",
        "verified in",
        "proof",
        "accumulators",
        "moved",
        "peak memory",
    ];
    let sessions = file.measured.sessions.iter().map(|session| {
        vec![
            text(&session.order),
            count(session.kind, session.folds),
            seconds(session.kind, session.seconds),
            seconds(session.kind, session.verify_seconds),
            bytes(session.kind, session.proof_bytes as f64),
            bytes(session.kind, session.accumulator_bytes as f64),
            bytes(session.kind, session.hop_bytes() as f64),
            maybe(
                session
                    .peak_memory_bytes
                    .map(|peak| bytes(session.kind, peak as f64)),
            ),
        ]
    });
    parts.push(parts::table(
        &format!("All chunks folded: {of}"),
        &head,
        sessions,
    ));
    let head = [
        "joined 1000 to one",
        "object",
        "moved: two sent, one returned",
        "moved: joined in place",
    ];
    let trees = file.modelled.trees.iter().map(|tree| {
        vec![
            text(&tree.object),
            bytes(tree.kind, tree.bytes),
            bytes(Kind::Modelled, tree.tree_bytes),
            bytes(Kind::Modelled, tree.in_place_bytes),
        ]
    });
    let table = parts::table("Trees of 1000", &head, trees);
    parts.push(parts::folded("What aggregation trees move", &table));
    let head = [
        "verifier circuit",
        "constraints",
        "on the other curve",
        "source",
    ];
    let circuits = file.modelled.circuits.iter().map(|circuit| {
        vec![
            text(&circuit.name),
            count(circuit.kind, circuit.primary),
            maybe(circuit.secondary.map(|n| count(circuit.kind, n))),
            text(&circuit.source),
        ]
    });
    let table = parts::table("Verifier circuits", &head, circuits);
    parts.push(parts::folded(
        "Verifier circuits, published and counted",
        &table,
    ));
    let head = ["handed on instead", "bytes", "formula", "cost"];
    let alternatives = file.modelled.alternatives.iter().map(|other| {
        vec![
            text(&other.name),
            bytes(other.kind, other.bytes),
            text(&other.formula),
            text(&other.cost),
        ]
    });
    let table = parts::table("Other ways to hand on what was folded", &head, alternatives);
    parts.push(parts::folded(
        "Other ways to hand on what was folded",
        &table,
    ));
    parts
}

fn size(row: &SizeRow) -> Vec<Cell> {
    let median =
        |samples: &Option<crate::measure::Samples>| samples.as_ref().map(|s| s.summary.median);
    let cpu = row.cpu();
    vec![
        text(&format!("2^{}", row.log_rows)),
        maybe(cpu.map(|cpu| count(row.kind, cpu.quadratic.saturating_add(cpu.linear)))),
        maybe(cpu.map(|cpu| bytes(row.kind, cpu.cell_bytes as f64))),
        maybe(median(&row.fresh_witness).map(|value| bytes(row.kind, value))),
        maybe(cpu.map(|cpu| bytes(row.kind, cpu.accumulator_bytes() as f64))),
        bytes(row.kind, row.segment_bytes() as f64),
        maybe(median(&row.commit).map(|value| seconds(row.kind, value))),
        maybe(median(&row.cross_term).map(|value| seconds(row.kind, value))),
        maybe(median(&row.fold).map(|value| seconds(row.kind, value))),
    ]
}
