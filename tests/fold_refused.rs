//! Folded segments that are refused, each for its reason: changed proofs, chunks that are missing,
//! swapped or doubled, other statements and programs, and provers that fold a wrong witness.

mod common;
mod proofs;

use std::collections::BTreeSet;

use proofs::{Run, guest, input};
use rewit::backend::Cpu;
use rewit::backend::curve::{Fr, G1Affine};
use rewit::fold::verify::VerifyError;
use rewit::fold::{
    FoldProof, Folder, FoldingError, LOOKUP, MAIN, Order, PART_NAMES, Unsatisfied, Verifier,
    X_FIRST, X_INDEX, X_LAST, X_PUBLIC, X_SUM,
};
use rewit::stark::Statement;
use rewit::vm::Program;
use rewit::witness::layout::{A, PC, public};
use rewit::witness::{Witness, from_monty, to_monty};

const LOG_ROWS: u32 = 6;
const BUDGET: u64 = 1 << 26;
const NAMES: [&str; 5] = ["cpu", "boundary", "program", "range", "log"];

struct Setup {
    run: Run,
    folder: Folder<'static, Cpu>,
    verifier: Verifier,
}

impl Setup {
    fn new() -> Self {
        let run = Run::new(guest(), input(), 8);
        let folder = Folder::new(&Cpu, &run.program, LOG_ROWS, None, BUDGET).unwrap();
        let verifier = Verifier::new(&run.program, LOG_ROWS, folder.key().clone()).unwrap();
        Self {
            run,
            folder,
            verifier,
        }
    }

    /// What a prover of `statement` with this witness makes, in both orders.
    fn prove(&self, statement: &Statement, witness: &Witness) -> [FoldProof; 2] {
        let session = self
            .folder
            .commit_statement(statement, witness, None, &mut |_| ());
        let session = session.unwrap();
        Order::ALL.map(|order| session.fold(order, &mut |_| ()).unwrap().proof)
    }
}

/// Name of an error's variant, and of the one inside it.
fn reason(error: &VerifyError) -> String {
    let name = |debug: String| {
        let end = debug.find(|c: char| !c.is_alphanumeric());
        debug[..end.unwrap_or(debug.len())].to_owned()
    };
    match error {
        VerifyError::Folding { table: _, error } => match error {
            FoldingError::Unsatisfied(error) => {
                format!("Unsatisfied {}", name(format!("{error:?}")))
            }
            error => format!("Folding {}", name(format!("{error:?}"))),
        },
        error => name(format!("{error:?}")),
    }
}

/// One change of a proof, and the reason for which it is refused.
type Change<'a> = (&'a str, VerifyError, Box<dyn Fn(&mut FoldProof) + 'a>);

fn folding(table: usize, error: FoldingError) -> VerifyError {
    VerifyError::Folding {
        table: NAMES[table],
        error,
    }
}

fn accumulator(table: usize, field: &'static str) -> VerifyError {
    folding(table, FoldingError::Accumulator { field })
}

/// Changes of what the instances of a segment say.
fn changes_of_instances<'a>(point: G1Affine, proof: &FoldProof) -> Vec<Change<'a>> {
    let one = Fr::from(1);
    let mut changes: Vec<Change<'a>> = vec![
        (
            "other chunk size",
            VerifyError::LogRows {
                found: 7,
                accepted: 6,
            },
            Box::new(|p| p.log_rows = 7),
        ),
        (
            "more cycles than there can be",
            VerifyError::LogCycles { found: 60 },
            Box::new(|p| p.log_cycles = 60),
        ),
        (
            "no cycles",
            VerifyError::LogCycles { found: 0 },
            Box::new(|p| p.log_cycles = 0),
        ),
        (
            "more cycles than chunks",
            VerifyError::NumChunks {
                table: "cpu",
                found: 4,
                expected: 8,
            },
            Box::new(|p| p.log_cycles += 1),
        ),
        (
            "other order",
            accumulator(0, "u"),
            Box::new(|p| {
                p.order = match p.order {
                    Order::Sequential => Order::Tree,
                    Order::Tree => Order::Sequential,
                }
            }),
        ),
        (
            "a table less",
            VerifyError::NumTables { found: 4 },
            Box::new(|p| p.tables.truncate(4)),
        ),
        (
            "a table more",
            VerifyError::NumTables { found: 6 },
            Box::new(|p| p.tables.push(p.tables[4].clone())),
        ),
        (
            "swapped chunks",
            VerifyError::Index {
                table: "cpu",
                chunk: 1,
            },
            Box::new(|p| p.tables[0].instances.swap(1, 2)),
        ),
        (
            "a chunk twice, another not at all",
            VerifyError::Index {
                table: "range",
                chunk: 8,
            },
            Box::new(|p| p.tables[3].instances[8] = p.tables[3].instances[7].clone()),
        ),
        (
            "a chunk says it is first",
            VerifyError::Flag {
                table: "cpu",
                chunk: 1,
                flag: "first",
            },
            Box::new(move |p| p.tables[0].instances[1].x[X_FIRST] = one),
        ),
        (
            "the last chunk says it is not",
            VerifyError::Flag {
                table: "boundary",
                chunk: proof.tables[1].instances.len() - 1,
                flag: "last",
            },
            Box::new(move |p| {
                let last = p.tables[1].instances.last_mut();
                last.unwrap().x[X_LAST] -= one;
            }),
        ),
        (
            "an index that is no integer",
            VerifyError::Index {
                table: "log",
                chunk: 0,
            },
            Box::new(move |p| p.tables[4].instances[0].x[X_INDEX] -= one),
        ),
        (
            "a public value more",
            VerifyError::NumPublic {
                table: "program",
                chunk: 0,
                found: 5,
                expected: 4,
            },
            Box::new(move |p| p.tables[2].instances[0].x.push(one)),
        ),
        (
            "no balance",
            VerifyError::Balance,
            Box::new(move |p| p.tables[3].instances[1].x[X_SUM] += one),
        ),
        (
            "sums that balance, of other chunks",
            accumulator(0, "u"),
            Box::new(move |p| {
                p.tables[0].instances[0].x[X_SUM] += one;
                p.tables[0].instances[1].x[X_SUM] -= one;
            }),
        ),
        (
            "another main part, and thereby other challenges",
            accumulator(0, "u"),
            Box::new(move |p| p.tables[4].instances[0].parts[MAIN] = point),
        ),
        (
            "another lookup part",
            accumulator(2, "u"),
            Box::new(move |p| p.tables[2].instances[3].parts[LOOKUP] = point),
        ),
    ];
    for index in 0..public::COUNT {
        changes.push((
            "another public value",
            VerifyError::PublicValue {
                table: "cpu",
                chunk: 3,
                index,
            },
            Box::new(move |p| p.tables[0].instances[3].x[X_PUBLIC + index] += one),
        ));
    }
    for (table, name) in NAMES.into_iter().enumerate() {
        let len = proof.tables[table].instances.len();
        changes.push((
            "a chunk missing",
            VerifyError::NumChunks {
                table: name,
                found: len - 1,
                expected: len,
            },
            Box::new(move |p| {
                p.tables[table].instances.remove(len / 2);
            }),
        ));
        changes.push((
            "a chunk too many",
            VerifyError::NumChunks {
                table: name,
                found: len + 1,
                expected: len,
            },
            Box::new(move |p| {
                let last = p.tables[table].instances[len - 1].clone();
                p.tables[table].instances.push(last);
            }),
        ));
        changes.push((
            "another known part",
            VerifyError::Known {
                table: name,
                chunk: len - 1,
            },
            Box::new(move |p| p.tables[table].instances[len - 1].parts[0] = point),
        ));
    }
    changes
}

/// Changes of what the instances were folded into.
fn changes_of_accumulators<'a>(point: G1Affine, proof: &FoldProof) -> Vec<Change<'a>> {
    let one = Fr::from(1);
    let mut changes: Vec<Change<'a>> = Vec::new();
    for table in 0..5 {
        let accumulator = |field| accumulator(table, field);
        let folds = proof.tables[table].cross_terms.len();
        changes.push((
            "u",
            accumulator("u"),
            Box::new(move |p| p.tables[table].accumulator.u += one),
        ));
        changes.push((
            "x",
            accumulator("x"),
            Box::new(move |p| p.tables[table].accumulator.x[X_SUM] += one),
        ));
        changes.push((
            "error commitment",
            accumulator("error"),
            Box::new(move |p| p.tables[table].accumulator.error = point),
        ));
        for (part, name) in PART_NAMES.into_iter().enumerate() {
            changes.push((
                "part's commitment",
                accumulator(name),
                Box::new(move |p| p.tables[table].accumulator.parts[part] = point),
            ));
        }
        changes.push((
            "x of another length",
            folding(
                table,
                FoldingError::NumPublic {
                    instance: folds + 1,
                    found: proof.tables[table].accumulator.x.len() + 1,
                    expected: proof.tables[table].accumulator.x.len(),
                },
            ),
            Box::new(move |p| p.tables[table].accumulator.x.push(one)),
        ));
        changes.push((
            "no error vector",
            folding(
                table,
                FoldingError::Unsatisfied(Unsatisfied::Length {
                    vector: "error",
                    found: 0,
                    expected: proof.tables[table].witness.error.len(),
                }),
            ),
            Box::new(move |p| p.tables[table].witness.error.clear()),
        ));
        changes.push((
            "error vector",
            folding(
                table,
                FoldingError::Unsatisfied(Unsatisfied::Quadratic { constraint: 1 }),
            ),
            Box::new(move |p| p.tables[table].witness.error[1] += one),
        ));
        if folds > 0 {
            changes.push((
                "a cross term less",
                folding(
                    table,
                    FoldingError::NumCrossTerms {
                        found: folds - 1,
                        expected: folds,
                    },
                ),
                Box::new(move |p| p.tables[table].cross_terms.truncate(folds - 1)),
            ));
            changes.push((
                "another first cross term",
                accumulator("u"),
                Box::new(move |p| p.tables[table].cross_terms[0] = point),
            ));
            changes.push((
                "another last cross term",
                accumulator("u"),
                Box::new(move |p| p.tables[table].cross_terms[folds - 1] = point),
            ));
        }
    }
    changes
}

/// All reasons but three are reached: `NoInstances` and `Opening` stand behind checks that notice
/// before them here, and are reached in the unit tests; `Statement` is reached below.
#[test]
fn every_change_of_a_proof_is_refused() {
    let setup = Setup::new();
    let statement = Statement::new(1, &setup.run.witnesses[1]);
    let point = setup.folder.key().points()[3];
    let mut reasons = BTreeSet::new();
    for proof in setup.prove(&statement, &setup.run.witnesses[1]) {
        setup.verifier.verify(&statement, &proof).unwrap();
        let mut changes = changes_of_instances(point, &proof);
        changes.extend(changes_of_accumulators(point, &proof));
        for (name, expected, change) in changes {
            let mut changed = proof.clone();
            change(&mut changed);
            let error = setup.verifier.verify(&statement, &changed).unwrap_err();
            assert_eq!(error, expected, "{name}, {:?}", proof.order);
            reasons.insert(reason(&error));
        }
        // Every part of every accumulator's witness, in its first and last scalar.
        for (table, name) in NAMES.into_iter().enumerate() {
            for (part, part_name) in PART_NAMES.into_iter().enumerate() {
                let scalars = &proof.tables[table].witness.parts[part];
                for at in [0, scalars.len().saturating_sub(1)] {
                    if scalars.is_empty() {
                        continue;
                    }
                    let mut changed = proof.clone();
                    changed.tables[table].witness.parts[part][at] += Fr::from(1);
                    let error = setup.verifier.verify(&statement, &changed).unwrap_err();
                    let named = matches!(
                        error,
                        VerifyError::Folding {
                            table,
                            error: FoldingError::Unsatisfied(_) | FoldingError::Opening { .. }
                        } if table == name
                    );
                    assert!(named, "{name} {part_name} {at}: {error}");
                    reasons.insert(reason(&error));
                }
            }
        }
    }
    let mut expected = BTreeSet::from([
        "Balance",
        "Flag",
        "Folding Accumulator",
        "Folding NumCrossTerms",
        "Folding NumPublic",
        "Index",
        "Known",
        "LogCycles",
        "LogRows",
        "NumChunks",
        "NumPublic",
        "NumTables",
        "PublicValue",
        "Unsatisfied Length",
        "Unsatisfied Quadratic",
    ]);
    // A scalar that no constraint reads is held by the opening alone; some only by a linear one.
    for more in ["Folding Opening", "Unsatisfied Linear"] {
        if reasons.contains(more) {
            expected.insert(more);
        }
    }
    let reasons: BTreeSet<_> = reasons.iter().map(String::as_str).collect();
    assert_eq!(reasons, expected);
}

#[test]
fn other_statements_and_programs_are_refused() {
    let setup = Setup::new();
    let witness = &setup.run.witnesses[1];
    let statement = Statement::new(1, witness);
    let proofs = setup.prove(&statement, witness);
    type Vary = fn(&mut Statement);
    let variations: [(&str, &str, Vary); 8] = [
        ("index", "Folding Accumulator", |s| s.index += 1),
        ("pc", "PublicValue", |s| s.public[public::START_PC] += 1),
        ("cycles", "PublicValue", |s| {
            s.public[public::NUM_CYCLES] += 1;
        }),
        ("cell before", "Known", |s| s.boundary[3].first ^= 1),
        ("cell after", "Known", |s| s.boundary[3].last ^= 1 << 31),
        ("cell removed", "Known", |s| {
            s.boundary.remove(0);
        }),
        ("x0", "Statement", |s| {
            let x0 = s.boundary.len() - 32;
            s.boundary[x0].last = 1;
        }),
        ("public value", "Statement", |s| {
            s.public[public::START_MOVE] = 2;
        }),
    ];
    for (name, expected, vary) in variations {
        let mut other = statement.clone();
        vary(&mut other);
        for proof in &proofs {
            let error = setup.verifier.verify(&other, proof).unwrap_err();
            assert_eq!(reason(&error), expected, "{name}: {error}");
        }
    }
    // The guest with another constant in its first instruction, which is one page into the file.
    let mut elf = guest();
    elf[4096 + 3] ^= 1;
    let other = Program::from_elf(elf).unwrap();
    let verifier = Verifier::new(&other, LOG_ROWS, setup.folder.key().clone()).unwrap();
    for proof in &proofs {
        let error = verifier.verify(&statement, proof).unwrap_err();
        assert!(
            matches!(
                error,
                VerifyError::Known {
                    table: "program",
                    ..
                }
            ),
            "{error}"
        );
    }
    // Another segment's tables in this one's proof.
    let others = setup.prove(
        &Statement::new(2, &setup.run.witnesses[2]),
        &setup.run.witnesses[2],
    );
    for table in 0..5 {
        for (proof, other) in proofs.iter().zip(&others) {
            let mut mixed = proof.clone();
            mixed.tables[table] = other.tables[table].clone();
            setup.verifier.verify(&statement, &mixed).unwrap_err();
        }
    }
}

/// A prover that follows the protocol with a witness that is wrong in one cell, or with a statement
/// that is not the witness's.
#[test]
fn wrong_witnesses_are_refused_in_both_orders() {
    let setup = Setup::new();
    let honest = &setup.run.witnesses[1];
    let statement = Statement::new(1, honest);
    type Tamper = fn(&mut Witness);
    fn bump(words: &mut [u32], at: usize) {
        words[at] = to_monty((from_monty(words[at]) + 1) % rewit::witness::P);
    }
    let tampers: [(&str, Tamper); 8] = [
        ("a bit of a in the first row", |w| bump(&mut w.cpu.words, A)),
        ("pc in the last row of the first chunk", |w| {
            let at = 63 * w.cpu.width + PC;
            bump(&mut w.cpu.words, at);
        }),
        ("pc in the first row of the second chunk", |w| {
            let at = 64 * w.cpu.width + PC;
            bump(&mut w.cpu.words, at);
        }),
        ("two rows swapped across a chunk's end", |w| {
            for column in 0..w.cpu.width {
                w.cpu
                    .words
                    .swap(127 * w.cpu.width + column, 128 * w.cpu.width + column);
            }
        }),
        ("a boundary cell", |w| {
            let at = w.boundary.width + rewit::witness::layout::boundary::TIME;
            bump(&mut w.boundary.words, at);
        }),
        ("an instruction's count", |w| bump(&mut w.program.words, 5)),
        ("a range count", |w| bump(&mut w.range.words, 1000)),
        ("a clock in the last row", |w| {
            let at = w.cpu.words.len() - w.cpu.width + rewit::witness::layout::CLK;
            bump(&mut w.cpu.words, at);
        }),
    ];
    for (name, tamper) in tampers {
        let mut witness = honest.clone();
        tamper(&mut witness);
        assert_ne!(&witness, honest, "{name}");
        for proof in setup.prove(&statement, &witness) {
            let error = setup.verifier.verify(&statement, &proof).unwrap_err();
            let reason = reason(&error);
            assert!(
                reason == "Balance" || reason.starts_with("Unsatisfied"),
                "{name}, {:?}: {error}",
                proof.order
            );
        }
    }
    // Challenges of another statement.
    let mut other = statement.clone();
    other.index += 1;
    for proof in setup.prove(&other, honest) {
        setup.verifier.verify(&other, &proof).unwrap();
        let error = setup.verifier.verify(&statement, &proof).unwrap_err();
        assert_eq!(reason(&error), "Folding Accumulator");
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let setup = Setup::new();
    let key = setup.folder.key().clone();
    for log_rows in [0, 17, u32::MAX] {
        let error = Folder::new(&Cpu, &setup.run.program, log_rows, None, BUDGET)
            .err()
            .unwrap();
        assert!(error.to_string().contains("--rows-per-chunk"), "{error}");
        let error = Verifier::new(&setup.run.program, log_rows, key.clone())
            .err()
            .unwrap();
        assert!(error.to_string().contains("--rows-per-chunk"), "{error}");
    }
    let error = Verifier::new(&setup.run.program, 12, key.clone())
        .err()
        .unwrap();
    assert!(error.to_string().contains("points"), "{error}");
    // A folder derives what is missing.
    let folder = Folder::new(&Cpu, &setup.run.program, LOG_ROWS + 1, Some(key), BUDGET).unwrap();
    assert!(folder.key().len() > setup.folder.key().len());
}
