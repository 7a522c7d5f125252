//! Compiles all kernels and prints what the compiler made of each: registers, spills, stack frames and shared memory.
//! Fails where a kernel exceeds its limits in `ci/kernels.txt` or has none. Run by `ci/kernels.sh`.

mod kernels;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kernels::{Compiled, Compiler};

/// What the compiler used for one kernel on one architecture, or may use at most.
#[derive(Clone, Copy, Default)]
struct Use {
    registers: u32,
    /// Bytes of spill stores, or of spill loads if those are more.
    spill_bytes: u32,
    stack_bytes: u32,
}

/// A kernel on one architecture as compiled.
struct Row {
    kernel: String,
    arch: u32,
    used: Use,
    spill_store_bytes: u32,
    spill_load_bytes: u32,
    shared_bytes: u32,
}

/// One line of `ci/kernels.txt`.
struct Limit {
    kernel: String,
    /// None: all that have no line of their own.
    arch: Option<u32>,
    most: Use,
}

/// The number right before `unit` in `text`, or 0.
fn number_before(text: &str, unit: &str) -> u32 {
    text.split(unit)
        .next()
        .filter(|before| before.len() < text.len())
        .and_then(|before| before.split([' ', ',', ':']).next_back())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// Reads what the compiler said about one file for one architecture. A function that is called rather than inlined
/// counts with the kernel before it.
fn rows(unit: &Compiled) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in unit.log.lines() {
        if let Some(rest) = line.split("Compiling entry function '").nth(1) {
            rows.push(Row {
                kernel: rest.split('\'').next().unwrap_or_default().into(),
                arch: unit.arch,
                used: Use::default(),
                spill_store_bytes: 0,
                spill_load_bytes: 0,
                shared_bytes: 0,
            });
        }
        let Some(row) = rows.last_mut() else { continue };
        if line.contains(" bytes stack frame") {
            row.used.stack_bytes += number_before(line, " bytes stack frame");
            row.spill_store_bytes += number_before(line, " bytes spill stores");
            row.spill_load_bytes += number_before(line, " bytes spill loads");
            row.used.spill_bytes = row.spill_store_bytes.max(row.spill_load_bytes);
        }
        if line.contains(": Used ") {
            row.used.registers = row.used.registers.max(number_before(line, " registers"));
            row.shared_bytes = number_before(line, " bytes smem");
        }
    }
    rows
}

/// Reads `ci/kernels.txt`.
fn limits(text: &str) -> Result<Vec<Limit>, String> {
    let mut limits = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let limit = match words[..] {
            [] => continue,
            [kernel, arch, registers, spill, stack] => (|| {
                Some(Limit {
                    kernel: kernel.into(),
                    arch: if arch == "*" {
                        None
                    } else {
                        Some(arch.parse().ok()?)
                    },
                    most: Use {
                        registers: registers.parse().ok()?,
                        spill_bytes: spill.parse().ok()?,
                        stack_bytes: stack.parse().ok()?,
                    },
                })
            })(),
            _ => None,
        };
        limits.push(limit.ok_or(format!(
            "ci/kernels.txt:{}: not of the form: kernel architecture registers spill-bytes stack-bytes",
            at + 1
        ))?);
    }
    Ok(limits)
}

/// What the table says of a kernel on one architecture.
fn cell(row: &Row) -> String {
    let mut cell = row.used.registers.to_string();
    if row.used.spill_bytes > 0 {
        cell += &format!(" s{}/{}", row.spill_store_bytes, row.spill_load_bytes);
    }
    if row.used.stack_bytes > 0 {
        cell += &format!(" f{}", row.used.stack_bytes);
    }
    cell
}

/// The table: a line per kernel, a column per architecture.
fn table(rows: &[Row], archs: &[u32]) -> String {
    let mut kernels: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        kernels.entry(&row.kernel).or_default().push(row);
    }
    let mut lines = vec![vec!["kernel".to_owned(), "shared".to_owned()]];
    lines[0].extend(archs.iter().map(|arch| format!("sm_{arch}")));
    for (kernel, rows) in kernels {
        let shared = rows.iter().map(|row| row.shared_bytes).max().unwrap_or(0);
        let mut line = vec![kernel.to_owned(), shared.to_string()];
        for arch in archs {
            let row = rows.iter().find(|row| row.arch == *arch);
            line.push(row.map_or("-".into(), |row| cell(row)));
        }
        lines.push(line);
    }
    let width = |col: usize| lines.iter().map(|line| line[col].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let _ = write!(out, "{:<1$}", line[0], widths[0]);
        for (text, width) in line.iter().zip(&widths).skip(1) {
            let _ = write!(out, "  {text:>width$}");
        }
        out.push('\n');
    }
    out
}

/// What is wrong: kernels beyond their limits, without limits, and limits without kernels.
fn faults(rows: &[Row], limits: &[Limit]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut unlimited = BTreeSet::new();
    for row in rows {
        let of = |arch| {
            limits
                .iter()
                .find(|limit| limit.kernel == row.kernel && limit.arch == arch)
        };
        let Some(limit) = of(Some(row.arch)).or_else(|| of(None)) else {
            unlimited.insert(row.kernel.as_str());
            continue;
        };
        for (what, used, most) in [
            ("registers", row.used.registers, limit.most.registers),
            (
                "bytes of spills",
                row.used.spill_bytes,
                limit.most.spill_bytes,
            ),
            (
                "bytes of stack frame",
                row.used.stack_bytes,
                limit.most.stack_bytes,
            ),
        ] {
            if used > most {
                faults.push(format!(
                    "{} on sm_{}: {used} {what}, at most {most} allowed",
                    row.kernel, row.arch
                ));
            }
        }
    }
    for kernel in unlimited {
        let mut most = Use::default();
        for row in rows.iter().filter(|row| row.kernel == kernel) {
            // Registers are handed out in eights.
            most.registers = most.registers.max(row.used.registers.next_multiple_of(8));
            most.spill_bytes = most.spill_bytes.max(row.used.spill_bytes);
            most.stack_bytes = most.stack_bytes.max(row.used.stack_bytes);
        }
        let Use {
            registers,
            spill_bytes,
            stack_bytes,
        } = most;
        faults.push(format!(
            "{kernel} has no limits; what it uses now, as a line of ci/kernels.txt: \
             {kernel} * {registers} {spill_bytes} {stack_bytes}"
        ));
    }
    let known: BTreeSet<&str> = rows.iter().map(|row| row.kernel.as_str()).collect();
    for limit in limits
        .iter()
        .filter(|limit| !known.contains(limit.kernel.as_str()))
    {
        faults.push(format!(
            "ci/kernels.txt names {}, which is no kernel",
            limit.kernel
        ));
    }
    faults
}

fn run(root: &Path, folder: &Path, jobs: usize) -> Result<Vec<String>, String> {
    let compiler = Compiler::find(root)?;
    let archs = match std::env::var_os("REWIT_CUDA_ARCHS") {
        Some(_) => kernels::architectures(&compiler)?,
        None => kernels::ARCHITECTURES.to_vec(),
    };
    let compiled = compiler.compile(root, &folder.join("include"), folder, &archs, jobs)?;
    let mut faults = Vec::new();
    for unit in &compiled {
        for line in unit.log.lines().filter(|line| line.contains("warning")) {
            faults.push(format!("{}.cu for sm_{}: {line}", unit.stem, unit.arch));
        }
    }
    let rows: Vec<Row> = compiled.iter().flat_map(rows).collect();
    print!("{}", table(&rows, &archs));
    println!(
        "registers a thread; sN/M: bytes of spill stores and loads; fN: bytes of stack frame; shared: static bytes a block"
    );
    let path = root.join("ci/kernels.txt");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    faults.extend(self::faults(&rows, &limits(&text)?));
    let kernels: BTreeSet<&str> = rows.iter().map(|row| row.kernel.as_str()).collect();
    println!(
        "{} kernels, {} architectures, {} faults",
        kernels.len(),
        archs.len(),
        faults.len()
    );
    Ok(faults)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let [_, root, folder, jobs] = &args[..] else {
        eprintln!("usage: table REPOSITORY FOLDER JOBS");
        return ExitCode::from(2);
    };
    match run(
        &PathBuf::from(root),
        &PathBuf::from(folder),
        jobs.parse().unwrap_or(1),
    ) {
        Ok(faults) => {
            for fault in &faults {
                println!("FAULT {fault}");
            }
            ExitCode::from(u8::from(!faults.is_empty()))
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}
