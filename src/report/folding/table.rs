//! The folding table and what stands around it.

use std::fmt::Write;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::FoldingFile;
use super::model::{LEAVES, step};
use crate::measure::{FoldStage, Kind, Samples, TableSize};
use crate::model::Tree;
use crate::report::{format_bytes, format_count, format_ratio, format_seconds, format_threads};

impl FoldingFile {
    /// The report of a run as text: tables in Markdown, what they mean below each.
    pub fn render(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.header(&mut out);
        let _ = self.relations(&mut out);
        let _ = self.sessions(&mut out);
        let _ = self.folding_table(&mut out);
        let _ = self.trees(&mut out);
        let _ = self.circuits(&mut out);
        let _ = self.peers(&mut out);
        for answer in &self.modelled.answers {
            let _ = writeln!(out, "\n{}\n{}", answer.question, wrap(&answer.answer, 2));
        }
        let _ = writeln!(out, "\nelapsed {}", format_seconds(self.elapsed_seconds));
        out
    }

    fn header(&self, out: &mut String) -> std::fmt::Result {
        let (tool, hardware) = (&self.tool, &self.hardware);
        let measured = &self.measured;
        let (guest, parameters) = (&measured.guest, &measured.parameters);
        writeln!(out, "{}", tool.headline())?;
        writeln!(
            out,
            "machine   {}, {} used of {}, {}, {} of memory",
            hardware.cpu,
            format_threads(parameters.threads),
            hardware.logical_cores,
            hardware.simd.compiled,
            format_bytes(hardware.ram_bytes as f64),
        )?;
        if let Some(gpu) = &hardware.gpu {
            writeln!(
                out,
                "gpu       {}, {} of memory",
                gpu.name,
                format_bytes(gpu.memory_bytes as f64)
            )?;
        }
        writeln!(
            out,
            "guest     {}, segment {} of 2^{} cycles; tables {}, minimal trace {}",
            guest.name,
            parameters.segment,
            parameters.log_cycles,
            format_bytes(measured.witness_bytes as f64),
            format_bytes(measured.shipment_bytes as f64)
        )?;
        writeln!(
            out,
            "folding   R1CS over the BN254 scalar field, Nova's NIFS, Pedersen commitments; backend {}",
            parameters.backend
        )
    }

    fn relations(&self, out: &mut String) -> std::fmt::Result {
        let head = [
            "table",
            "rows",
            "chunks",
            "of rows",
            "quadratic",
            "linear",
            "known",
            "main",
            "lookup",
            "instance",
            "accumulator",
        ];
        let rows = self.measured.tables.iter().map(|table| {
            vec![
                table.table.clone(),
                format_count(table.rows),
                format_count(table.num_chunks),
                format!("2^{}", table.log_rows),
                format_count(table.quadratic),
                format_count(table.linear),
                format_count(table.known),
                format_count(table.main),
                format_count(table.lookup),
                format_bytes(table.fresh_bytes as f64),
                format_bytes(table.accumulator_bytes() as f64),
            ]
        });
        writeln!(out, "\n{}", markdown(&head, rows))?;
        writeln!(
            out,
            "{}",
            wrap(
                "Per chunk: quadratic constraints have a scalar of E each, linear ones none; known (to \
                 whoever verifies), main and lookup are scalars of W; bytes of a fresh instance, and of a \
                 folded one with W and E.",
                0
            )
        )
    }

    fn sessions(&self, out: &mut String) -> std::fmt::Result {
        if self.measured.sessions.is_empty() {
            return Ok(());
        }
        let mut head = vec!["order", "folds"];
        head.extend(FoldStage::ALL.map(FoldStage::name));
        head.extend([
            "all",
            "hops",
            "proof",
            "accumulators",
            "verify",
            "peak memory",
        ]);
        let rows = self.measured.sessions.iter().map(|session| {
            let mut cells = vec![session.order.clone(), format_count(session.folds)];
            cells.extend(FoldStage::ALL.map(|stage| format_seconds(session.stage(stage))));
            cells.push(format_seconds(session.seconds));
            cells.push(format_bytes(session.hop_bytes() as f64));
            cells.push(format_bytes(session.proof_bytes as f64));
            cells.push(format_bytes(session.accumulator_bytes as f64));
            cells.push(format_seconds(session.verify_seconds));
            cells.push(
                session
                    .peak_memory_bytes
                    .map_or("-".into(), |bytes| format_bytes(bytes as f64)),
            );
            cells
        });
        writeln!(out, "\n{}", markdown(&head, rows))?;
        writeln!(
            out,
            "{}",
            wrap(
                "All chunks of all tables, folded and accepted by the verifier; refused with a bit of the \
                 proof changed. Seconds by stage, all folds together, as the thread that folds waits for \
                 them; commitments and lookups are made once for all orders. Hops: bytes sent and \
                 returned if every fold is made elsewhere.",
                0
            )
        )?;
        for session in &self.measured.sessions {
            let cpu = session.hops.iter().filter(|hops| hops.table == "cpu");
            let levels: Vec<String> = cpu
                .map(|hops| {
                    format!(
                        "{} folds {} + {}",
                        format_count(hops.folds),
                        format_bytes(hops.sent_bytes as f64),
                        format_bytes(hops.returned_bytes as f64)
                    )
                })
                .collect();
            writeln!(
                out,
                "hops of the cpu table, {}: {}",
                session.order,
                levels.join(", ")
            )?;
        }
        Ok(())
    }

    fn folding_table(&self, out: &mut String) -> std::fmt::Result {
        if self.measured.sizes.is_empty() {
            return Ok(());
        }
        let nova = self
            .modelled
            .circuits
            .iter()
            .find(|circuit| circuit.name.starts_with("Nova, "));
        let counted = self
            .modelled
            .circuits
            .iter()
            .find(|circuit| circuit.kind == Kind::Measured);
        let stark = self.starks.first();
        let mut head = vec![
            "rows",
            "quadratic",
            "linear",
            "cells",
            "W fresh",
            "W",
            "E",
            "on the wire",
            "all tables",
            "instance",
            "folded",
            "commit",
            "cross term",
            "fold",
            "n",
            "Nova's share (published)",
        ];
        if counted.is_some() {
            head.push("(measured)");
        }
        head.extend(["1000 leaves", "of STARKs'"]);
        let bytes = |bytes: u64| format_bytes(bytes as f64);
        let time = |times: &Option<Samples>| {
            times
                .as_ref()
                .map_or("-".into(), |times| format_seconds(times.summary.median))
        };
        let rows = self.measured.sizes.iter().filter_map(|row| {
            let cpu = row.cpu()?;
            let share =
                |constraints| format!("{:.1} %", 100.0 * step(cpu).verifier_share(constraints));
            let mut cells = vec![
                format!("2^{}", row.log_rows),
                format_count(cpu.quadratic),
                format_count(cpu.linear),
                bytes(cpu.cell_bytes),
                row.fresh_witness
                    .as_ref()
                    .map_or("-".into(), |bytes| format_bytes(bytes.summary.mean)),
                bytes(cpu.witness_bytes()),
                bytes(cpu.error_bytes()),
                bytes(cpu.accumulator_bytes()),
                bytes(row.segment_bytes()),
                bytes(cpu.fresh_bytes),
                bytes(cpu.instance_bytes),
                time(&row.commit),
                time(&row.cross_term),
                time(&row.fold),
                row.fold
                    .as_ref()
                    .map_or("0".into(), |times| times.samples.len().to_string()),
                nova.map_or("-".into(), |circuit| share(circuit.primary)),
            ];
            cells.extend(counted.map(|circuit| share(circuit.primary)));
            let leaf = row.segment_bytes() as f64;
            cells.push(format_bytes(Tree::new(LEAVES).bytes(leaf)));
            cells.push(stark.map_or("-".into(), |stark| format_ratio(leaf / stark.bytes)));
            Some(cells)
        });
        writeln!(out, "\n{}", markdown(&head, rows))?;
        writeln!(
            out,
            "{}",
            wrap(
                "Chunks of the cpu table, measured: constraints; bytes of its cells as a STARK has them; \
                 before folding, when W is of small integers (mean) and E is zero; after the first fold, \
                 at 32 B a scalar; the accumulator on the wire, and those of all tables; instances; \
                 medians of n folds: commitments to a fresh chunk, products and cross term, the rest. \
                 Share: of the scalars of a step, that a verifier circuit in it would take. Modelled: the \
                 tree over 1000 segments of one accumulator a table, two sent and one returned a join; \
                 and how many times the first STARK below a leaf is.",
                0
            )
        )
    }

    fn trees(&self, out: &mut String) -> std::fmt::Result {
        let head = ["1000 leaves of", "kind", "each", "tree", "in place"];
        let rows = self.modelled.trees.iter().map(|tree| {
            vec![
                tree.object.clone(),
                kind(tree.kind).into(),
                format_bytes(tree.bytes),
                format_bytes(tree.tree_bytes),
                format_bytes(tree.in_place_bytes),
            ]
        });
        writeln!(out, "\n{}", markdown(&head, rows))?;
        let head = [
            "a segment, handed on as",
            "kind",
            "bytes",
            "formula",
            "costs",
        ];
        let rows = self.modelled.alternatives.iter().map(|row| {
            vec![
                row.name.clone(),
                kind(row.kind).into(),
                format_bytes(row.bytes),
                row.formula.clone(),
                row.cost.clone(),
            ]
        });
        writeln!(out, "\n{}", markdown(&head, rows))
    }

    fn circuits(&self, out: &mut String) -> std::fmt::Result {
        let mut head: Vec<String> = [
            "verifier circuit",
            "kind",
            "constraints",
            "other curve",
            "bytes",
        ]
        .map(str::to_owned)
        .to_vec();
        head.extend(
            self.measured
                .sizes
                .iter()
                .map(|row| format!("at 2^{}", row.log_rows)),
        );
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        let rows = self.modelled.circuits.iter().map(|circuit| {
            let mut cells = vec![
                circuit.name.clone(),
                match circuit.kind {
                    Kind::Declared => "published".into(),
                    other => kind(other).into(),
                },
                format_count(circuit.primary),
                circuit.secondary.map_or("-".into(), format_count),
                format_bytes(64.0 * circuit.primary as f64),
            ];
            cells.extend(self.measured.sizes.iter().map(|row| {
                row.cpu().map_or("-".into(), |cpu: &TableSize| {
                    format!("{:.1} %", 100.0 * step(cpu).verifier_share(circuit.primary))
                })
            }));
            cells
        });
        writeln!(out, "\n{}", markdown(&head, rows))
    }

    fn peers(&self, out: &mut String) -> std::fmt::Result {
        if self.measured.peers.is_empty() {
            return Ok(());
        }
        let head = [
            "peer",
            "as rows",
            "step",
            "primary",
            "verifier",
            "secondary",
            "prove",
            "n",
            "verify",
            "bytes",
        ];
        let rows = self.measured.peers.iter().map(|peer| {
            vec![
                peer.name.clone(),
                format!("2^{}", peer.log_rows),
                format!(
                    "{} small + {} full",
                    format_count(peer.step.small),
                    format_count(peer.step.full)
                ),
                format_count(peer.primary_constraints),
                format_count(peer.verifier_constraints),
                format_count(peer.secondary_constraints),
                format_seconds(peer.prove.summary.median),
                peer.prove.samples.len().to_string(),
                format_seconds(peer.verify_seconds),
                format_bytes(peer.bytes as f64),
            ]
        });
        writeln!(out, "\n{}", markdown(&head, rows))?;
        writeln!(
            out,
            "{}",
            wrap(
                "Measured in this run: a step that commits to as many scalars as a chunk of the cpu table. \
                 Its times include the verifier circuit and the second curve, which Rewit's folds have \
                 not.",
                0
            )
        )
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Measured => "measured",
        Kind::Modelled => "modelled",
        Kind::Declared => "declared",
    }
}

/// Breaks text into lines, each after so many spaces.
pub(in crate::report) fn wrap(text: &str, indent: usize) -> String {
    const WIDTH: usize = 120;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is a first line");
        if !last.is_empty() && indent + last.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    let lines = lines.iter().map(|line| format!("{:indent$}{line}", ""));
    lines.collect::<Vec<_>>().join("\n")
}

/// A Markdown table; the first column to the left.
pub(in crate::report) fn markdown(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.iter().copied());
    for cells in rows {
        table.add_row(cells.into_iter().enumerate().map(|(i, text)| {
            let digit = text.starts_with(|c: char| c.is_ascii_digit());
            let numeric = (digit && text.len() < 16) || text == "-";
            let side = if i > 0 && numeric {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            };
            Cell::new(text).set_alignment(side)
        }));
    }
    table
}
