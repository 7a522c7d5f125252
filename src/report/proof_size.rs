//! Tables and files of proof sizes.

mod validate;

use std::fmt::Write;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::write::{json_text, schema_text};
use super::{Size, Tool, format_seconds, plot};
use crate::measure::proof_size::{Bits, KIB, Kind, LIMITS_KIB, Options, Requirement, Row, Suite};
use crate::measure::{Guest, Hardware};
use crate::stark::Params;
use crate::{Error, Result};

pub(super) use validate::check as check_proof_sizes;
pub use validate::read_proof_sizes;

/// What the file says it is.
pub const PROOF_SIZE_FORMAT: &str = "rewit proof sizes";
/// Version of the format written, and the only one read.
pub const PROOF_SIZE_VERSION: u32 = 1;

/// A run of the proof-size suite. `docs/proof-size.md` explains it, `docs/proof-size.schema.json` is
/// the schema of the file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofSizes {
    /// What the file is: `rewit proof sizes`.
    pub format: String,
    /// Version of the format.
    pub version: u32,
    /// When the run started, RFC 3339 in UTC.
    pub created: String,
    /// Seconds it took.
    pub elapsed_seconds: f64,
    /// The program that measured.
    pub tool: Tool,
    /// The machine it ran on.
    pub hardware: Hardware,
    /// Threads; none in files of before they were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// The guest whose segments were proved; none if there were none, or in files of before it was
    /// kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// What was asked for.
    pub options: Options,
    /// Sizes.
    pub rows: Vec<Row>,
    /// What size limits take.
    pub requirements: Vec<Requirement>,
}

impl ProofSizes {
    /// The file of what was measured by this build, on this machine, without threads and guest.
    pub fn new(suites: Vec<Suite>, options: &Options, created: &str, elapsed_seconds: f64) -> Self {
        let mut rows = Vec::new();
        let mut requirements = Vec::new();
        for suite in suites {
            rows.extend(suite.rows);
            requirements.extend(suite.requirements);
        }
        Self {
            format: PROOF_SIZE_FORMAT.to_owned(),
            version: PROOF_SIZE_VERSION,
            created: created.to_owned(),
            elapsed_seconds,
            tool: Tool::this(),
            hardware: Hardware::detect(),
            threads: None,
            guest: None,
            options: options.clone(),
            rows,
            requirements,
        }
    }

    /// The file's text: JSON, indented, with a line end.
    pub fn to_json(&self) -> String {
        json_text(self)
    }

    /// One line per row, with a header line; commas in text become semicolons.
    pub fn to_csv(&self) -> String {
        let mut csv =
            "subject,log_height,elements,scheme,purpose,kind,log_blowup,queries,log_arity,\
             log_final,cap,extension,grind_lookup,grind_ood,grind_batch,grind_commit,grind_query,\
             setting,bytes,modelled_bytes,residual_percent,unique_bits,unique_binding,johnson_bits,\
             johnson_binding,johnson_m,johnson_2025_bits,johnson_2025_binding,johnson_2025_m,conjectured_bits,conjectured_binding,prove_seconds,\
             verify_seconds,within_600_kib,within_300_kib,note\n"
                .to_owned();
        for row in &self.rows {
            let fields = csv_fields(row).map(|field| field.replace(',', ";").replace('\n', " "));
            csv.push_str(&fields.join(","));
            csv.push('\n');
        }
        csv
    }

    /// Size against provable bits: FRI and WHIR, with the limits as lines.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is nothing to draw.
    pub fn to_svg(&self) -> Result<String> {
        let source = format!("{}, {}", self.tool.headline(), self.hardware.cpu);
        let figure = plot::proof_sizes(&self.rows, &[], &[], &source)
            .ok_or_else(|| Error::Usage("nothing to draw: no row was measured".into()))?;
        let mut svg = figure.svg(Size::Desktop);
        svg.push('\n');
        Ok(svg)
    }

    /// The table and what follows from it, for people.
    pub fn render(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(out, "{}", table(&self.rows));
        let _ = writeln!(
            out,
            "\ngrind: bits of proof of work before lookups/out-of-domain point/batching/folding/queries. \
             UDR, JBR:\nprovable bits by p3-security, unique decoding and Johnson bound (eprint \
             2026/2056); JBR 2025: by the\nformulas of ethereum/soundcalc (BCHKS25); conj.: \
             conjectured; each with its smallest term. Sizes are\nlengths of proofs that verified \
             and were refused with a bit changed; those marked ~ are modelled.\nprove: with \
             serialization and grinding; verify: from the bytes."
        );
        for row in &self.rows {
            let texts = [row.setting.as_deref(), Some(row.note.as_str())];
            for text in texts.into_iter().flatten().filter(|text| !text.is_empty()) {
                let _ = writeln!(out, "{}, {}: {text}", row.subject, row.purpose);
            }
        }
        for requirement in &self.requirements {
            let _ = writeln!(out, "{}", sentence(requirement));
        }
        let measured = self.rows.iter().filter_map(|row| row.residual_percent);
        let residuals: Vec<f64> = measured.collect();
        if !residuals.is_empty() {
            let mean = residuals.iter().sum::<f64>() / residuals.len() as f64;
            let worst = residuals.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            let _ = writeln!(
                out,
                "model: {} proofs, mean residual {mean:+.2} %, largest {worst:.2} %",
                residuals.len()
            );
        }
        let _ = writeln!(out, "elapsed {}", format_seconds(self.elapsed_seconds));
        out
    }
}

/// JSON Schema of [`ProofSizes`], as published in `docs/proof-size.schema.json`.
pub fn proof_size_schema() -> String {
    schema_text::<ProofSizes>()
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header([
            "subject",
            "parameters",
            "blowup",
            "queries",
            "arity",
            "final",
            "cap",
            "deg",
            "grind",
            "bytes",
            "model",
            "resid %",
            "UDR",
            "JBR",
            "JBR 2025",
            "conj.",
            "prove",
            "verify",
            "600 KiB",
            "300 KiB",
        ]);
    for row in rows {
        let cells = cells(row);
        table.add_row(cells.into_iter().enumerate().map(|(i, cell)| {
            let alignment = if (2..=11).contains(&i) {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            };
            Cell::new(cell).set_alignment(alignment)
        }));
    }
    table
}

fn cells(row: &Row) -> [String; 20] {
    let none = || "–".to_owned();
    let param = |get: &dyn Fn(&Params) -> String| row.params.as_ref().map_or_else(none, get);
    let fits = |limit| match row.fits(limit) {
        Some(true) => "pass".to_owned(),
        Some(false) => "fail".to_owned(),
        None => none(),
    };
    let seconds = |get: fn(&crate::measure::proof_size::Measured) -> f64| {
        let seconds = row.measured.as_ref().map(get);
        seconds.map_or_else(none, format_seconds)
    };
    let bytes = match (row.kind, row.bytes()) {
        (Kind::Measured, Some(bytes)) => format!("{bytes:.0}"),
        (_, Some(bytes)) => format!("~{bytes:.0}"),
        _ => none(),
    };
    let number = |value: Option<f64>, places: usize| {
        value.map_or_else(none, |value| format!("{value:.places$}"))
    };
    [
        row.subject.clone(),
        row.purpose.clone(),
        param(&|params| format!("2^{}", params.log_blowup)),
        param(&|params| params.num_queries.to_string()),
        param(&|params| format!("2^{}", params.log_arity)),
        param(&|params| format!("2^{}", params.log_final_len)),
        param(&|params| format!("2^{}", params.cap_height)),
        param(&|params| params.extension.to_string()),
        param(&|params| {
            let work = params.grinding;
            format!(
                "{}/{}/{}/{}/{}",
                work.lookup, work.out_of_domain, work.batch, work.commit, work.query
            )
        }),
        bytes,
        number(row.modelled_bytes, 0),
        number(row.residual_percent, 2),
        level(row.unique.as_ref()),
        level(row.johnson.as_ref()),
        level(row.johnson_2025.as_ref()),
        level(row.conjectured.as_ref()),
        seconds(|measured| measured.prove_seconds),
        seconds(|measured| measured.verify_seconds),
        fits(600),
        fits(300),
    ]
}

fn level(bits: Option<&Bits>) -> String {
    let Some(bits) = bits else {
        return "–".to_owned();
    };
    let multiplicity = bits.multiplicity.map(|m| format!(", m {m}"));
    format!(
        "{:.1} {}{}",
        bits.bits,
        short(&bits.binding),
        multiplicity.unwrap_or_default()
    )
}

/// A term's name, in a word.
fn short(term: &str) -> &str {
    match term {
        "air-composition" => "constraints",
        "deep-ali" => "deep",
        "batch-combination" => "batching",
        "ldt-commit-phase" => "folding",
        "ldt-query-phase" => "queries",
        "logup-fingerprint" => "lookups",
        "commitment-collision" => "hash",
        other => other,
    }
}

/// What a limit takes, in words.
fn sentence(requirement: &Requirement) -> String {
    let Requirement {
        subject,
        target_bits,
        limit_kib,
        reached,
        params,
        modelled_bytes,
    } = requirement;
    let start = format!("{subject}: {target_bits} provable bits within {limit_kib} KiB");
    let (Some(params), Some(bytes)) = (params, modelled_bytes) else {
        return format!("{start}: not reachable at any size within the limits of the search");
    };
    let what = format!(
        "blowup 2^{}, {} queries, degree {}",
        params.log_blowup, params.num_queries, params.extension
    );
    let kib = bytes / KIB;
    if *reached {
        format!("{start}: takes {what} ({kib:.0} KiB)")
    } else {
        format!("{start}: not reached; the smallest is {kib:.0} KiB at {what}")
    }
}

fn csv_fields(row: &Row) -> [String; 36] {
    let param = |get: fn(&Params) -> u16| {
        let value = row.params.as_ref().map(get);
        value.map_or_else(String::new, |value| value.to_string())
    };
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let bits = |level: &Option<Bits>| number(level.as_ref().map(|level| level.bits));
    let binding = |level: &Option<Bits>| {
        let binding = level.as_ref().map(|level| level.binding.clone());
        binding.unwrap_or_default()
    };
    let multiplicity = |level: &Option<Bits>| {
        let multiplicity = level.as_ref().and_then(|level| level.multiplicity);
        multiplicity.map_or_else(String::new, |m| m.to_string())
    };
    let [within_600, within_300] = LIMITS_KIB.map(|limit| row.fits(limit));
    let flag = |value: Option<bool>| value.map_or_else(String::new, |value| value.to_string());
    [
        row.subject.clone(),
        row.log_height.to_string(),
        row.elements.to_string(),
        row.scheme.name().to_owned(),
        row.purpose.clone(),
        row.kind.name().to_owned(),
        param(|params| params.log_blowup.into()),
        param(|params| params.num_queries),
        param(|params| params.log_arity.into()),
        param(|params| params.log_final_len.into()),
        param(|params| params.cap_height.into()),
        param(|params| params.extension.into()),
        param(|params| params.grinding.lookup.into()),
        param(|params| params.grinding.out_of_domain.into()),
        param(|params| params.grinding.batch.into()),
        param(|params| params.grinding.commit.into()),
        param(|params| params.grinding.query.into()),
        row.setting.clone().unwrap_or_default(),
        number(row.measured.map(|measured| measured.bytes as f64)),
        number(row.modelled_bytes),
        number(row.residual_percent),
        bits(&row.unique),
        binding(&row.unique),
        bits(&row.johnson),
        binding(&row.johnson),
        multiplicity(&row.johnson),
        bits(&row.johnson_2025),
        binding(&row.johnson_2025),
        multiplicity(&row.johnson_2025),
        bits(&row.conjectured),
        binding(&row.conjectured),
        number(row.measured.map(|measured| measured.prove_seconds)),
        number(row.measured.map(|measured| measured.verify_seconds)),
        flag(within_600),
        flag(within_300),
        row.note.clone(),
    ]
}
