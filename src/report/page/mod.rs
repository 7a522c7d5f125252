//! The report as a page: one HTML file that loads nothing.
//!
//! It can be read without its script. Whatever comes from a file is escaped by the templates, made
//! one line and cut by [`one_line`], and limited in number.

mod calculator;
mod cluster;
mod encodings;
mod folding;
mod note;
mod parts;
mod proofs;
mod provenance;
mod summary;

use std::cmp::Reverse;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::plot::{self, Figure, MAX_NAME, one_line};
use super::{AnyFile, FoldingFile, ProofSizes, ResultFile, Tool, costs, format_threads};
use crate::Result;
use crate::model::Costs;
use crate::model::cluster::LinkCost;
use calculator::{CalculatorData, SCRIPT};

const STYLE: &str = include_str!("style.css");
/// What marks a page of ours, so that it may be overwritten.
const GENERATOR: &str = "rewit report";
/// Most runs with plots of their own.
const MAX_RUNS: usize = 6;
/// Most files of a page.
const MAX_SOURCES: usize = 64;

/// A result file that a page is made from.
#[derive(Clone, PartialEq, Debug)]
pub struct Source {
    /// Its name, without folders.
    pub name: String,
    /// BLAKE3 of its bytes, in hexadecimal digits.
    pub blake3: String,
    /// What is in it.
    pub file: AnyFile,
}

impl Source {
    /// Reads a file.
    ///
    /// - `name`: its name, without folders.
    ///
    /// # Errors
    /// As [`AnyFile::read`].
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            blake3: blake3::hash(bytes).to_hex().to_string(),
            file: AnyFile::read(bytes)?,
        })
    }
}

/// What a page says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageOptions {
    /// Its title.
    pub title: String,
    /// When it is made, RFC 3339 in UTC.
    pub created: String,
}

/// A page and the plots in it.
#[derive(Clone, Debug)]
pub struct Page {
    /// The whole file.
    pub html: String,
    /// Its plots, in order.
    pub figures: Vec<Figure>,
}

/// What the sections are made from.
struct Data<'s> {
    sources: &'s [Source],
    options: &'s PageOptions,
    /// Those of the largest segments first.
    runs: Vec<&'s ResultFile>,
    foldings: Vec<&'s FoldingFile>,
    sizes: Vec<&'s ProofSizes>,
}

/// A section under construction.
#[derive(Default)]
struct Section {
    body: Vec<Markup>,
    figures: Vec<Figure>,
}

impl Section {
    fn push(&mut self, markup: Markup) {
        self.body.push(markup);
    }

    /// Adds a plot, or what would measure it.
    ///
    /// - `caption`: what the numbers are.
    fn plot(&mut self, figure: Option<Figure>, caption: &str, missing: &str) {
        match figure {
            Some(figure) => {
                self.body.push(parts::figure(&figure, caption));
                self.figures.push(figure);
            }
            None => self.body.push(parts::missing(missing)),
        }
    }
}

/// Whether these are the bytes of a page that [`page`] made.
pub fn is_page(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(2000)];
    let mark = format!("<meta name=\"generator\" content=\"{GENERATOR} ");
    start.starts_with(b"<!DOCTYPE html>")
        && start
            .windows(mark.len())
            .any(|part| part == mark.as_bytes())
}

/// Makes the page of result files.
///
/// Cost: linear in the rows that are shown; of long tables the start is shown.
///
/// # Errors
/// [`Error::Usage`](crate::Error::Usage) without files, or with more than 64.
pub fn page(sources: &[Source], options: &PageOptions) -> Result<Page> {
    if sources.is_empty() || sources.len() > MAX_SOURCES {
        return Err(crate::Error::Usage(format!(
            "{} result files; give 1 to {MAX_SOURCES}",
            sources.len()
        )));
    }
    let mut runs: Vec<&ResultFile> = sources.iter().flat_map(|s| s.file.runs()).collect();
    runs.sort_by_key(|run| Reverse(run.parameters.log_cycles));
    let data = Data {
        sources,
        options,
        runs,
        foldings: sources.iter().flat_map(|s| s.file.foldings()).collect(),
        sizes: sources.iter().flat_map(|s| s.file.proof_sizes()).collect(),
    };
    let files: Vec<AnyFile> = sources.iter().map(|source| source.file.clone()).collect();
    // Without costs the sections that need some say what measures them.
    let mut costs = costs(&files).unwrap_or_default();
    costs.sort_by_key(|costs| Reverse(costs.log_cycles));
    for costs in &mut costs {
        costs.guest = one_line(&costs.guest, MAX_NAME);
        costs.machine = one_line(&costs.machine, 2 * MAX_NAME);
    }
    let sections: [(&str, &str, Section); 9] = [
        (
            "witness",
            "Time to the witness: recompute or ship?",
            encodings::section(&data),
        ),
        ("stages", "Where the time goes", encodings::stages(&data)),
        ("bytes", "Shipped bytes", encodings::bytes_section(&data)),
        ("proofs", "Proof sizes and security", proofs::section(&data)),
        ("folding", "Folding", folding::section(&data)),
        ("note", "The note's ledger", note::section(&data)),
        ("cluster", "A cluster", cluster::section(&data, &costs)),
        ("calculator", "Calculator", calculate(&data, &costs)),
        (
            "provenance",
            "What was measured, where and by what",
            provenance::section(&data),
        ),
    ];
    let html = document(&data, &sections);
    let figures = sections
        .into_iter()
        .flat_map(|(_, _, section)| section.figures)
        .collect();
    Ok(Page { html, figures })
}

/// The calculator, at its defaults.
fn calculate(data: &Data<'_>, costs: &[Costs]) -> Section {
    let mut section = Section::default();
    section.push(calculator::section(&CalculatorData::new(
        costs,
        &data.link(),
    )));
    section
}

/// Nothing is loaded, and only our script runs.
fn policy() -> String {
    let digest = BASE64_STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; base-uri 'none'; \
         form-action 'none'"
    )
}

fn document(data: &Data<'_>, sections: &[(&str, &str, Section)]) -> String {
    let title = one_line(&data.options.title, 200);
    let tool = Tool::this();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="generator" content=(format!("{GENERATOR} {}", tool.version));
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(calculator::STYLE)) }
            }
            body {
                a .skip href="#main" { "To the content" }
                header {
                    h1 { (title) }
                    p .by { (tool.headline()) ", " time datetime=(one_line(&data.options.created, 40)) { (one_line(&data.options.created, 40)) } }
                    (summary::conclusions(data))
                    (parts::legend())
                    nav aria-label="Sections" {
                        ul { @for (id, name, _) in sections { li { a href=(format!("#{id}")) { (name) } } } li { a href="#cite" { "How to cite and repeat" } } }
                    }
                }
                main id="main" {
                    @for (id, name, section) in sections {
                        section id=(id) aria-labelledby=(format!("{id}-heading")) {
                            h2 id=(format!("{id}-heading")) { (name) }
                            @for part in &section.body { (part) }
                        }
                    }
                }
                footer { (summary::cite(data)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}

impl Data<'_> {
    /// The first link of a file, or that which is assumed without.
    fn link(&self) -> LinkCost {
        let mut links = self.sources.iter().filter_map(|source| source.file.link());
        links.next().map_or_else(LinkCost::assumed, LinkCost::of)
    }

    /// Where a run's numbers are from, in a line.
    fn source_of(&self, run: &ResultFile) -> String {
        format!(
            "{}; {}, {}; {}",
            run.tool.headline(),
            one_line(&run.hardware.cpu, 60),
            format_threads(run.parameters.threads),
            one_line(&run.created, 30)
        )
    }

    /// Where the numbers of a plot are from, in a line.
    ///
    /// - `used`: whether it has numbers of a file.
    fn source(&self, used: impl Fn(&AnyFile) -> bool) -> String {
        let mut lines: Vec<String> = Vec::new();
        for source in self.sources.iter().filter(|source| used(&source.file)) {
            let Some(hardware) = source.file.hardware() else {
                continue;
            };
            let line = format!(
                "{}; {}",
                source.file.tool().headline(),
                one_line(&hardware.cpu, 60)
            );
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines.truncate(3);
        lines.join(" · ")
    }
}
