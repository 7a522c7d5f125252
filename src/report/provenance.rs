//! What a file does not say of where its numbers come from, and what makes them worth less.

use super::{AnyFile, FoldingFile, ProofSizes, ResultFile, Tool};
use crate::measure::Hardware;

impl AnyFile {
    /// What is missing for the file to be cited, in words; empty if nothing is.
    ///
    /// A commit or processor that is unknown, a build from files that differ from their commit or
    /// without optimization, a part that did not end, and, in files of proof sizes of before they
    /// were kept, threads and guest. What every file must have is checked when it is read.
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        of_tool(self.tool(), &mut gaps);
        if let Some(hardware) = self.hardware() {
            of_machine(hardware, &mut gaps);
        }
        if !self.complete() {
            gaps.push("the run did not end".to_owned());
        }
        match self {
            Self::Link(_) => {}
            Self::Run(run) => of_run("", run, &mut gaps),
            Self::Folding(folding) => of_folding("", folding, &mut gaps),
            Self::ProofSizes(sizes) => of_sizes("", sizes, &mut gaps),
            Self::Profile(profile) => {
                for (i, run) in profile.runs.iter().enumerate() {
                    let at = format!("runs[{i}]: ");
                    ended(&at, run.complete, &mut gaps);
                    of_run(&at, run, &mut gaps);
                }
                for (i, folding) in profile.foldings.iter().enumerate() {
                    let at = format!("foldings[{i}]: ");
                    ended(&at, folding.complete, &mut gaps);
                    of_folding(&at, folding, &mut gaps);
                }
                for (i, sizes) in profile.proof_sizes.iter().enumerate() {
                    of_sizes(&format!("proof_sizes[{i}]: "), sizes, &mut gaps);
                }
            }
        }
        gaps
    }
}

fn of_tool(tool: &Tool, gaps: &mut Vec<String>) {
    if tool.git_commit == "unknown" {
        gaps.push("commit unknown".to_owned());
    }
    if tool.git_dirty {
        gaps.push("built from files that differ from the commit".to_owned());
    }
    if tool.profile != "release" {
        gaps.push(format!("a {} build", tool.profile));
    }
}

fn of_machine(hardware: &Hardware, gaps: &mut Vec<String>) {
    if hardware.cpu == "unknown" {
        gaps.push("processor unknown".to_owned());
    }
    if hardware.ram_bytes == 0 {
        gaps.push("memory unknown".to_owned());
    }
}

fn ended(at: &str, complete: bool, gaps: &mut Vec<String>) {
    if !complete {
        gaps.push(format!("{at}did not end"));
    }
}

fn of_run(at: &str, run: &ResultFile, gaps: &mut Vec<String>) {
    if run.rows.is_empty() {
        gaps.push(format!("{at}no rows"));
    }
}

fn of_folding(at: &str, folding: &FoldingFile, gaps: &mut Vec<String>) {
    if folding.measured.sessions.is_empty() && folding.measured.sizes.is_empty() {
        gaps.push(format!("{at}nothing was folded"));
    }
}

fn of_sizes(at: &str, sizes: &ProofSizes, gaps: &mut Vec<String>) {
    if sizes.threads.is_none() {
        gaps.push(format!("{at}threads unknown"));
    }
    if sizes.guest.is_none() && sizes.rows.iter().any(|row| !is_table(&row.subject)) {
        gaps.push(format!("{at}the guest's digests unknown"));
    }
    if sizes.rows.is_empty() {
        gaps.push(format!("{at}no rows"));
    }
}

/// Whether a subject is a table made for the purpose, whose name says all: `2^14 × 64`.
fn is_table(subject: &str) -> bool {
    let Some((height, width)) = subject.split_once(" × ") else {
        return false;
    };
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    height.strip_prefix("2^").is_some_and(is_number) && is_number(width)
}
