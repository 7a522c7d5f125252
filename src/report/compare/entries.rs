//! Rows of any file in one form.

use serde_json::Value;

use super::{CompareOptions, ComparedUnit, RowLabel, refuse};
use crate::measure::proof_size::{self, Object};
use crate::measure::{Guest, Kind, Link, MeasuredSegment, Row, Sample, Samples, Stage, Unit};
use crate::report::{AnyFile, FoldingFile, ProofSizes, ResultFile};
use crate::stark::Params;

/// Name of a condition that two others entail.
pub(super) const CYCLES: &str = "cycles of the guest";

/// A row of a file.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    /// What it is of: rows of different labels are never compared.
    pub(super) label: RowLabel,
    /// Parameters in words.
    pub(super) at: String,
    pub(super) unit: ComparedUnit,
    pub(super) kind: Kind,
    /// What must be equal for a row to be compared.
    pub(super) conditions: Vec<Condition>,
    /// What tells rows of one file apart that have the same conditions.
    pub(super) context: Vec<String>,
    pub(super) samples: Vec<Sample>,
    /// Whether bytes vary from run to run with everything equal, as those of proofs do.
    pub(super) random: bool,
    pub(super) backend: Option<&'a str>,
    /// The run it is of.
    pub(super) run: Option<&'a ResultFile>,
}

/// A parameter that must be equal.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) name: String,
    pub(super) value: String,
    /// How the value is printed, if otherwise.
    pub(super) shown: Option<String>,
}

impl Condition {
    fn new(name: &str, value: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            value: value.into(),
            shown: None,
        }
    }

    pub(super) fn shown(&self) -> &str {
        self.shown.as_deref().unwrap_or(&self.value)
    }
}

/// Name of a guest with the start of its digest.
pub(super) fn guest_name(guest: &Guest) -> String {
    let digest = guest.elf_blake3.get(..12).unwrap_or(&guest.elf_blake3);
    format!("{} ({digest})", clipped(&guest.name))
}

/// The start of a name that may be long.
fn clipped(name: &str) -> String {
    const MOST: usize = 64;
    match name.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// All rows of a file, in its order.
pub(super) fn entries<'a>(file: &'a AnyFile, options: &CompareOptions) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    for run in file.runs() {
        entries.extend(run.rows.iter().map(|row| of_run(run, row)));
    }
    for folding in file.foldings() {
        of_folding(folding, &mut entries);
    }
    for sizes in file.proof_sizes() {
        of_proof_sizes(sizes, &mut entries);
    }
    if let Some(link) = file.link() {
        of_link(link, &mut entries);
    }
    for entry in &mut entries {
        let Some(backend) = entry.backend else {
            continue;
        };
        if options.across_backends && !refuse::parts_differ(&entry.label) {
            entry.context.push(backend.to_owned());
        } else {
            entry.conditions.push(Condition::new("backend", backend));
        }
    }
    entries
}

fn guest_conditions(guest: &Guest, conditions: &mut Vec<Condition>) {
    let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
    conditions.push(Condition {
        shown: Some(guest_name(guest)),
        ..Condition::new("guest", &guest.elf_blake3)
    });
    let input = format!(
        "{} bytes ({})",
        guest.input_bytes,
        short(&guest.input_blake3)
    );
    conditions.push(Condition {
        shown: Some(input),
        ..Condition::new("input", &guest.input_blake3)
    });
}

fn power(log: u32, of: &str) -> String {
    format!("2^{log} {of}")
}

fn of_run<'a>(run: &'a ResultFile, row: &'a Row) -> Entry<'a> {
    let key = &row.key;
    let parameters = &run.parameters;
    let size = power(parameters.log_cycles, "cycles");
    let mut conditions = Vec::new();
    guest_conditions(&run.guest, &mut conditions);
    conditions.push(Condition::new(CYCLES, run.guest.cycles.to_string()));
    let mut context = vec![parameters.threads.to_string()];
    let whole = key.stage == Stage::Execute;
    if whole {
        context.push(size.clone());
    } else {
        conditions.push(Condition::new("segment", &size));
    }
    match key.stage {
        Stage::ExecuteRecordReads
        | Stage::ExecuteRecordAll
        | Stage::Encode
        | Stage::Decode
        | Stage::Regenerate
        | Stage::Size => {
            let chunk = power(parameters.log_chunk, "cycles");
            conditions.push(Condition::new("chunk of a minimal trace", chunk));
        }
        Stage::Prove | Stage::Verify | Stage::ProofSize => {
            params_conditions(parameters.proof.as_ref(), &mut conditions);
        }
        Stage::Fold => {
            let rows = run
                .folds
                .first()
                .map(|fold| power(fold.cpu.log_rows, "rows"));
            let rows = rows.unwrap_or_else(|| "unknown".to_owned());
            conditions.push(Condition::new("chunk to fold", rows));
        }
        Stage::Execute => {}
    }
    let backend = key.backend.as_deref();
    Entry {
        label: RowLabel {
            stage: key.stage.name().to_owned(),
            part: key.part.clone(),
            encoding: key.encoding.clone(),
            compression: key.compression.clone(),
            of: None,
        },
        at: match (whole, backend) {
            (true, _) => String::new(),
            (false, None) => size,
            (false, Some(backend)) => format!("{size}, {backend}"),
        },
        unit: match row.unit {
            Unit::Seconds => ComparedUnit::Seconds,
            Unit::Bytes => ComparedUnit::Bytes,
        },
        kind: row.kind,
        conditions,
        context,
        samples: row.samples.clone(),
        random: key.stage == Stage::ProofSize,
        backend,
        run: Some(run),
    }
}

/// Every parameter of a proof as a condition of its own, so that a refusal names the one that is
/// different.
fn params_conditions(params: Option<&Params>, conditions: &mut Vec<Condition>) {
    let Some(params) = params else {
        conditions.push(Condition::new("parameters of proofs", "none"));
        return;
    };
    let value = serde_json::to_value(params).unwrap_or(Value::Null);
    for (name, value) in leaves(&value) {
        conditions.push(Condition::new(&format!("proof's {name}"), value));
    }
}

/// Names and values of everything in a JSON value, but for samples, of which the median is there.
pub(super) fn leaves(value: &Value) -> Vec<(String, String)> {
    /// More are of no use to anyone.
    const MOST: usize = 4096;
    fn walk(name: &str, value: &Value, out: &mut Vec<(String, String)>) {
        let below = |key: &str| match name {
            "" => key.to_owned(),
            _ => format!("{name}.{key}"),
        };
        if out.len() >= MOST {
            return;
        }
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match key.as_str() {
                        "samples" | "points" => {}
                        "summary" => walk(&below("median"), &value["median"], out),
                        _ => walk(&below(key), value, out),
                    }
                }
            }
            Value::Array(values) => {
                for (i, value) in values.iter().enumerate() {
                    walk(&below(&i.to_string()), value, out);
                }
            }
            Value::Null => {}
            Value::String(text) => out.push((name.to_owned(), clipped(text))),
            other => out.push((name.to_owned(), other.to_string())),
        }
    }
    let mut out = Vec::new();
    walk("", value, &mut out);
    out
}

fn of_whole(value: f64) -> Vec<Sample> {
    vec![Sample {
        segment: None,
        value,
    }]
}

fn of_samples(samples: &Samples) -> Vec<Sample> {
    let sample = |&value: &f64| Sample {
        segment: None,
        value,
    };
    samples.samples.iter().map(sample).collect()
}

fn of_folding<'a>(file: &'a FoldingFile, entries: &mut Vec<Entry<'a>>) {
    let measured = &file.measured;
    let parameters = &measured.parameters;
    let mut conditions = Vec::new();
    guest_conditions(&measured.guest, &mut conditions);
    conditions.push(Condition::new(
        "segment",
        power(parameters.log_cycles, "cycles"),
    ));
    conditions.push(Condition::new(
        "number of the segment",
        parameters.segment.to_string(),
    ));
    let backend = parameters.backend.as_str();
    let base = Entry {
        label: RowLabel::default(),
        at: format!("2^{} cycles, {backend}", parameters.log_cycles),
        unit: ComparedUnit::Seconds,
        kind: Kind::Measured,
        conditions,
        context: vec![parameters.threads.to_string()],
        samples: Vec::new(),
        random: false,
        backend: Some(backend),
        run: None,
    };
    let label = |stage: &str, part: Option<&str>, of: Option<&str>| RowLabel {
        stage: stage.to_owned(),
        part: part.map(str::to_owned),
        of: of.map(str::to_owned),
        ..RowLabel::default()
    };
    let bytes = |label: RowLabel, samples: Vec<Sample>| Entry {
        label,
        unit: ComparedUnit::Bytes,
        samples,
        // Bytes are the same whatever computed them.
        backend: None,
        at: power(parameters.log_cycles, "cycles"),
        ..base.clone()
    };
    let times = |label: RowLabel, samples: Vec<Sample>| Entry {
        label,
        samples,
        ..base.clone()
    };

    for (part, count) in [
        ("tables", measured.witness_bytes),
        ("reads", measured.shipment_bytes),
    ] {
        entries.push(bytes(
            label("fold-size", Some(part), None),
            of_whole(count as f64),
        ));
    }
    for row in &measured.sizes {
        let of = power(row.log_rows, "rows");
        let of = Some(of.as_str());
        let segment = of_whole(row.segment_bytes() as f64);
        entries.push(bytes(label("fold-size", Some("accumulators"), of), segment));
        if let Some(cpu) = row.cpu() {
            let accumulator = of_whole(cpu.accumulator_bytes() as f64);
            entries.push(bytes(
                label("fold-size", Some("cpu-accumulator"), of),
                accumulator,
            ));
        }
        if let Some(fresh) = &row.fresh_witness {
            let fresh = of_samples(fresh);
            entries.push(bytes(label("fold-size", Some("fresh-witness"), of), fresh));
        }
        let parts = [
            ("commit", &row.commit),
            ("cross-term", &row.cross_term),
            ("rest", &row.fold),
        ];
        for (part, samples) in parts {
            if let Some(samples) = samples {
                entries.push(times(label("fold", Some(part), of), of_samples(samples)));
            }
        }
    }
    let chunk = Condition::new("chunk to fold", power(parameters.log_rows, "rows"));
    for session in &measured.sessions {
        let of = Some(session.order.as_str());
        let mut all = vec![
            times(label("fold-session", None, of), of_whole(session.seconds)),
            times(
                label("fold-session", Some("verify"), of),
                of_whole(session.verify_seconds),
            ),
        ];
        for entry in &session.stages {
            let label = label("fold-session", Some(entry.stage.name()), of);
            all.push(times(label, of_whole(entry.seconds)));
        }
        let sizes = [
            ("proof", session.proof_bytes),
            ("accumulators", session.accumulator_bytes),
            ("transfers", session.hop_bytes()),
        ];
        for (part, count) in sizes {
            let label = label("fold-session-size", Some(part), of);
            all.push(bytes(label, of_whole(count as f64)));
        }
        for entry in &mut all {
            entry.conditions.push(chunk.clone());
            let rows = chunk.value.clone();
            entry.at = format!("{}, {rows} a chunk", entry.at);
        }
        entries.extend(all);
    }
    for peer in &measured.peers {
        let of = format!("{}, {}", peer.name, peer.curve);
        let of = Some(of.as_str());
        let mut all = vec![
            times(
                label("fold-peer", Some("prove"), of),
                of_samples(&peer.prove),
            ),
            times(
                label("fold-peer", Some("setup"), of),
                of_whole(peer.setup_seconds),
            ),
            times(
                label("fold-peer", Some("verify"), of),
                of_whole(peer.verify_seconds),
            ),
            bytes(
                label("fold-peer", Some("bytes"), of),
                of_whole(peer.bytes as f64),
            ),
        ];
        for entry in &mut all {
            // It does not see our tables, only a step as large as a chunk of them.
            let step = format!("{} small, {} full", peer.step.small, peer.step.full);
            entry.conditions = vec![
                Condition::new("step", step),
                Condition::new("constraints", peer.primary_constraints.to_string()),
            ];
            entry.backend = None;
            entry.at = power(peer.log_rows, "rows");
        }
        entries.extend(all);
    }
}

fn of_proof_sizes<'a>(file: &'a ProofSizes, entries: &mut Vec<Entry<'a>>) {
    for row in &file.rows {
        let object = match row.of {
            Object::Proof => "proof",
            Object::Opening => "opening",
        };
        let mut conditions = vec![
            Condition::new("scheme", row.scheme.name()),
            Condition::new("object", object),
            Condition::new("elements", row.elements.to_string()),
        ];
        // Tables made for the purpose are of no guest.
        let guest = file.guest.as_ref();
        if let Some(guest) = guest.filter(|guest| row.subject.starts_with(&guest.name)) {
            guest_conditions(guest, &mut conditions);
        }
        match &row.setting {
            Some(setting) => conditions.push(Condition::new("setting", clipped(setting))),
            None => params_conditions(row.params.as_ref(), &mut conditions),
        }
        // What the same parameters are worth, by the formulas of the time.
        if let Some(bits) = row.provable_bits {
            conditions.push(Condition::new("provable bits", format!("{bits:.1}")));
        }
        let base = Entry {
            label: RowLabel::default(),
            at: String::new(),
            unit: ComparedUnit::Bytes,
            kind: Kind::Measured,
            conditions,
            context: file.threads.iter().map(u32::to_string).collect(),
            samples: Vec::new(),
            random: false,
            backend: None,
            run: None,
        };
        let label = |part: &str| RowLabel {
            stage: "proof-suite".to_owned(),
            part: Some(part.to_owned()),
            of: Some(format!("{}: {}", row.subject, row.purpose)),
            ..RowLabel::default()
        };
        if let Some(bytes) = row
            .modelled_bytes
            .filter(|_| row.kind != proof_size::Kind::Refused)
        {
            entries.push(Entry {
                label: label("model"),
                kind: Kind::Modelled,
                samples: of_whole(bytes),
                ..base.clone()
            });
        }
        let Some(measured) = &row.measured else {
            continue;
        };
        entries.push(Entry {
            label: label("bytes"),
            samples: of_whole(measured.bytes as f64),
            random: true,
            ..base.clone()
        });
        for (part, seconds) in [
            ("prove", measured.prove_seconds),
            ("verify", measured.verify_seconds),
        ] {
            entries.push(Entry {
                label: label(part),
                unit: ComparedUnit::Seconds,
                samples: of_whole(seconds),
                ..base.clone()
            });
        }
    }
}

/// The segments of two runs that are in both, by number.
pub(super) fn shared<'a>(a: &'a ResultFile, b: &'a ResultFile) -> Vec<[&'a MeasuredSegment; 2]> {
    // Both ascend.
    let mut others = b.segments.iter().peekable();
    let mut shared = Vec::new();
    for segment in &a.segments {
        while others
            .next_if(|other| other.index < segment.index)
            .is_some()
        {}
        if let Some(other) = others.next_if(|other| other.index == segment.index) {
            shared.push([segment, other]);
        }
    }
    shared
}

fn of_link<'a>(link: &'a Link, entries: &mut Vec<Entry<'a>>) {
    for point in &link.points {
        let samples = point.samples.iter().map(|&value| Sample {
            segment: None,
            value,
        });
        entries.push(Entry {
            label: RowLabel {
                stage: "link".to_owned(),
                part: Some(point.direction.name().to_owned()),
                of: Some(format!(
                    "{} B in each of {} streams",
                    point.message_bytes, point.streams
                )),
                ..RowLabel::default()
            },
            at: String::new(),
            unit: ComparedUnit::Seconds,
            kind: link.kind,
            conditions: Vec::new(),
            context: Vec::new(),
            samples: samples.collect(),
            random: false,
            backend: None,
            run: None,
        });
    }
}
