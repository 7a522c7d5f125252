//! What the files say, in sentences; and how to cite them.

use maud::{Markup, html};

use super::parts::{sentence, tag};
use super::{Data, MAX_NAME, MAX_RUNS, one_line};
use crate::measure::Kind;
use crate::report::conclusion::conclusion;
use crate::report::format_threads;

/// Break-even sentences of every run.
pub(super) fn conclusions(data: &Data<'_>) -> Markup {
    let mut said = Vec::new();
    for run in data.runs.iter().take(MAX_RUNS) {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = conclusion(&mut text, run);
        let lines: Vec<String> = text
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| one_line(line, 600))
            .collect();
        if lines.is_empty() {
            continue;
        }
        let about = format!(
            "{}, segments of 2^{} cycles, {}, {}",
            one_line(&run.guest.name, MAX_NAME),
            run.parameters.log_cycles,
            format_threads(run.parameters.threads),
            one_line(&run.hardware.cpu, MAX_NAME)
        );
        said.push((about, lines));
    }
    let several = said.len() > 1;
    html! {
        section .conclusion aria-label="Conclusion" {
            @if said.is_empty() {
                p .missing { (sentence("No run is among the files, so there is no break-even bandwidth; `rewit run --out FILE` measures one.")) }
            }
            @for (about, lines) in &said {
                // Of several runs it is named first which one is spoken of.
                @if several { p .about { (about) } }
                @for (i, line) in lines.iter().enumerate() {
                    p .headline[i == 0] { (sentence(line)) "\u{a0}" (tag(Kind::Modelled)) }
                }
                @if !several { p .about { (about) } }
            }
            @if data.runs.len() > MAX_RUNS {
                p .note { "The first " (MAX_RUNS) " of " (data.runs.len()) " runs." }
            }
        }
    }
}

/// How to cite the files and make the page again.
pub(super) fn cite(data: &Data<'_>) -> Markup {
    let names: Vec<String> = data
        .sources
        .iter()
        .map(|source| one_line(&source.name, MAX_NAME))
        .collect();
    html! {
        section #cite aria-labelledby="cite-heading" {
            h2 #cite-heading { "How to cite and repeat" }
            p { "Cite the version, the commit and the BLAKE3 of the files that the numbers are from:" }
            ul {
                @for source in data.sources {
                    li {
                        (one_line(&source.name, MAX_NAME)) ", " (source.file.kind()) ", "
                        (one_line(&source.file.tool().headline(), MAX_NAME)) ", " (one_line(source.file.created(), 40))
                        ", BLAKE3 " code .hash { (source.blake3) }
                    }
                }
            }
            p { "This page again, from the same files:" }
            pre { code { "rewit report " (names.join(" ")) " -o report.html" } }
            p { "What is inside each measured stage is described in docs/method.md; " code { "rewit schema KIND" } " prints the schema of each kind of file." }
        }
    }
}
