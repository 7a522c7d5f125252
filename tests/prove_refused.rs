//! Runs that did not happen, programs that did not run, and lies about those that did: refused, each
//! with its reason, by the verifier or by the chain.

mod common;
mod proofs;

use proofs::{CHEAP, Run, forge, guest, input, opening, same_variant, tables};
use rewit::stark::{Cell, ChainError, Event, Prover, SegmentProof, Statement, VerifyError};
use rewit::vm::Program;
use rewit::witness::layout::{Class, boundary, public};

fn run() -> Run {
    Run::new(guest(), input(), 8)
}

/// Statements that differ from `statement` in one place: every public value, every field of the
/// first and last cell and of a few between, every field of every log entry.
fn variations(statement: &Statement) -> Vec<(String, Statement)> {
    let mut all = Vec::new();
    let mut vary = |name: String, change: &dyn Fn(&mut Statement)| {
        let mut changed = statement.clone();
        change(&mut changed);
        assert_ne!(&changed, statement, "{name}");
        all.push((name, changed));
    };
    vary("index".into(), &|s| s.index += 1);
    for i in 0..public::COUNT {
        vary(format!("public {i}"), &|s| s.public[i] ^= 1);
        vary(format!("public {i} + 4"), &|s| s.public[i] += 4);
    }
    let last = statement.boundary.len() - 1;
    for i in [0, 1, last / 2, last - 31, last - 30, last] {
        vary(format!("cell {i} address"), &|s| s.boundary[i].address += 1);
        vary(format!("cell {i} first"), &|s| {
            s.boundary[i].first ^= 1 << 9;
        });
        vary(format!("cell {i} last"), &|s| s.boundary[i].last ^= 1 << 30);
        vary(format!("cell {i} removed"), &|s| {
            s.boundary.remove(i);
        });
    }
    let fields: [fn(&mut Event) -> &mut u32; 6] = [
        |e| &mut e.clk,
        |e| &mut e.kind,
        |e| &mut e.a,
        |e| &mut e.b,
        |e| &mut e.result,
        |e| &mut e.left,
    ];
    for i in 0..statement.log.len() {
        for (name, field) in ["clk", "kind", "a", "b", "result", "left"]
            .iter()
            .zip(fields)
        {
            vary(format!("event {i} {name}"), &|s| *field(&mut s.log[i]) ^= 1);
        }
        vary(format!("event {i} removed"), &|s| {
            s.log.remove(i);
        });
    }
    all
}

/// A statement changed after the proof was made: refused as malformed if it is, else because the
/// transcript starts with it.
#[test]
fn a_changed_statement_is_refused() {
    let run = run();
    let (program, mut proofs) = run.prove(CHEAP);
    let (mut malformed, mut bound) = (0, 0);
    for segment in [0, 1, 4] {
        let proof = &mut proofs[segment];
        let original = proof.statement.clone();
        for (name, changed) in variations(&original) {
            proof.statement = changed;
            let error = proof.verify(&CHEAP, &program).unwrap_err();
            match proof.statement.check() {
                Err(reason) => {
                    malformed += 1;
                    assert!(
                        matches!(&error, VerifyError::Statement(found) if *found == reason),
                        "segment {segment} {name}: {error:?}"
                    );
                }
                Ok(()) => {
                    bound += 1;
                    // Fewer log entries may need fewer rows.
                    let height = matches!(error, VerifyError::Height { .. });
                    assert!(
                        same_variant(&error, &opening()) || height,
                        "segment {segment} {name}: {error:?}"
                    );
                }
            }
        }
        proof.statement = original;
        proof.verify(&CHEAP, &program).unwrap();
    }
    println!("{malformed} changed statements malformed, {bound} not what was proven");
    assert!(malformed > 100 && bound > 20, "{malformed}, {bound}");
}

#[test]
fn another_program_is_refused() {
    let run = run();
    let (program, mut proofs) = run.prove(CHEAP);
    let mut elf = guest();
    // The last instruction of the loop goes the other way round: `bne` becomes `beq`.
    let bne = common::asm::branch(1, 5, 0, -8).to_le_bytes();
    let at = elf.windows(4).position(|word| word == bne).unwrap();
    elf[at..at + 4].copy_from_slice(&common::asm::branch(0, 5, 0, -8).to_le_bytes());
    let other = Program::from_elf(elf).unwrap();
    let other = Prover::new(&other, CHEAP).unwrap();
    let other_digest = other.key().digest(&CHEAP);

    let error = proofs[0].verify(&CHEAP, &other_digest).unwrap_err();
    assert!(
        matches!(error, VerifyError::Program { found, expected }
            if found == program && expected == other_digest),
        "{error:?}"
    );
    // Under the other program's name.
    proofs[0].key = other.key().clone();
    let error = proofs[0].verify(&CHEAP, &program).unwrap_err();
    assert!(matches!(error, VerifyError::Program { .. }), "{error:?}");
    let error = proofs[0].verify(&CHEAP, &other_digest).unwrap_err();
    assert!(same_variant(&error, &opening()), "{error:?}");
    proofs[0].key.log_rows += 1;
    let digest = proofs[0].key.digest(&CHEAP);
    let error = proofs[0].verify(&CHEAP, &digest).unwrap_err();
    assert!(
        matches!(
            error,
            VerifyError::Height {
                table: "program",
                ..
            }
        ),
        "{error:?}"
    );
    // A key that is none, accepted by a verifier that was told its digest.
    proofs[0].key.log_rows -= 1;
    proofs[0].key.commitment.clear();
    let digest = proofs[0].key.digest(&CHEAP);
    let error = proofs[0].verify(&CHEAP, &digest).unwrap_err();
    assert!(matches!(error, VerifyError::Key(_)), "{error:?}");
}

/// What the chain says to segments that are all proven, but not those of the run.
#[test]
fn segments_must_be_all_in_order() {
    let run = run();
    let (_, proofs) = run.prove(CHEAP);
    let p =
        |indices: &[usize]| -> Vec<&SegmentProof> { indices.iter().map(|i| &proofs[*i]).collect() };
    run.chain(&p(&[0, 1, 2, 3, 4])).unwrap();
    for (order, error) in [
        (
            &[1, 0, 2, 3, 4][..],
            ChainError::Index {
                found: 1,
                expected: 0,
            },
        ),
        (
            &[0, 1, 3, 4],
            ChainError::Index {
                found: 3,
                expected: 2,
            },
        ),
        (
            &[0, 1, 1, 2, 3, 4],
            ChainError::Index {
                found: 1,
                expected: 2,
            },
        ),
        (&[0, 1, 2, 3, 4, 4], ChainError::AfterExit { segment: 4 }),
        (
            &[0, 1, 2, 3],
            ChainError::NotExited {
                num_segments: 4,
                num_cycles: 1024,
            },
        ),
        (
            &[],
            ChainError::NotExited {
                num_segments: 0,
                num_cycles: 0,
            },
        ),
    ] {
        assert_eq!(run.chain(&p(order)), Err(error), "{order:?}");
    }
}

#[test]
fn another_input_or_image_is_refused() {
    let mut run = run();
    let (_, proofs) = run.prove(CHEAP);
    let proofs: Vec<_> = proofs.iter().collect();
    // A byte of the second segment's part.
    run.input[1100] ^= 1;
    let error = run.chain(&proofs).unwrap_err();
    assert!(
        matches!(
            error,
            ChainError::Input {
                segment: 1,
                position: 1100,
                ..
            }
        ),
        "{error:?}"
    );
    run.input.truncate(1199);
    let error = run.chain(&proofs).unwrap_err();
    assert!(
        matches!(
            error,
            ChainError::Result {
                segment: 0,
                number: 63,
                found: 1200,
                expected: 1199,
                ..
            }
        ),
        "{error:?}"
    );
    // Another image: the data is not part of the key.
    run.input = input();
    let mut elf = guest();
    let at = elf.iter().position(|byte| *byte == 0xa5).unwrap();
    elf[at] = 0;
    run.program = Program::from_elf(elf).unwrap();
    let error = run.chain(&proofs).unwrap_err();
    assert!(
        matches!(
            error,
            ChainError::Word {
                segment: 0,
                address: common::DATA,
                found: 0xa5a5_a5a5,
                expected: 0xa5a5_a500,
            }
        ),
        "{error:?}"
    );
}

/// A statement that is not true and well formed all the same.
fn cheat(statement: &Statement, change: impl FnOnce(&mut Statement)) -> Statement {
    let mut lie = statement.clone();
    change(&mut lie);
    assert_ne!(&lie, statement);
    assert_eq!(lie.check(), Ok(()), "the lie must be well formed");
    lie
}

/// A prover that commits to what happened and says something else, for each kind of field.
#[test]
fn a_lie_about_the_boundary_is_caught_by_its_column() {
    let run = run();
    let prover = Prover::new(&run.program, CHEAP).unwrap();
    let program = prover.key().digest(&CHEAP);
    let witness = &run.witnesses[0];
    let statement = Statement::new(0, witness);
    let words = statement.boundary.len() - 32;
    let register = words + 11;
    assert!(words > 200);
    let last_word = statement.boundary[words - 1].address;
    type Change<'a> = &'a dyn Fn(&mut Statement);
    let lies: [(usize, Change); 18] = [
        (boundary::LO, &|s| s.boundary[words - 1].address += 1),
        (boundary::LO, &|s| s.boundary[0].address -= 1),
        (boundary::HI, &|s| s.boundary[words - 1].address += 1 << 16),
        (boundary::HI, &|s| {
            s.boundary[words - 1].address = (1 << 30) - 0x10000 + (last_word & 0xffff);
        }),
        (boundary::INIT, &|s| s.boundary[5].first ^= 1),
        (boundary::INIT + 1, &|s| s.boundary[5].first ^= 1 << 8),
        (boundary::INIT + 2, &|s| s.boundary[5].first ^= 1 << 23),
        (boundary::INIT + 3, &|s| s.boundary[5].first ^= 1 << 31),
        (boundary::INIT + 3, &|s| {
            s.boundary[register].first ^= 1 << 31;
        }),
        (boundary::FINAL, &|s| s.boundary[5].last ^= 1),
        (boundary::FINAL + 1, &|s| s.boundary[5].last ^= 1 << 8),
        (boundary::FINAL + 2, &|s| s.boundary[5].last ^= 1 << 23),
        (boundary::FINAL + 3, &|s| s.boundary[5].last ^= 1 << 31),
        (boundary::FINAL, &|s| s.boundary[register].last ^= 1),
        // A word is left out, or made up, at either end.
        (boundary::REAL, &|s| {
            s.boundary.remove(0);
        }),
        (boundary::REAL, &|s| {
            s.boundary.remove(words - 1);
        }),
        (boundary::REAL, &|s| {
            s.boundary.insert(
                0,
                Cell {
                    address: 1,
                    first: 0,
                    last: 0,
                },
            );
        }),
        (boundary::REAL, &|s| {
            s.boundary.insert(
                words,
                Cell {
                    address: last_word + 1,
                    first: 7,
                    last: 9,
                },
            );
        }),
    ];
    for (i, (expected, change)) in lies.into_iter().enumerate() {
        let lie = cheat(&statement, change);
        let proof = prover.prove_statement(lie, witness.clone()).unwrap();
        let error = proof.verify(&CHEAP, &program).unwrap_err();
        assert!(
            matches!(error, VerifyError::Column { table: "boundary", column } if column == expected),
            "lie {i}: {error:?}, expected column {expected}"
        );
    }
}

/// The same for the log, by a prover whose log table is the true one and whose statement is not.
#[test]
fn a_lie_about_the_log_is_caught_by_its_column() {
    // Segments of 2^10 cycles: the second has the calls that end the run.
    let run = Run::new(guest(), input(), 10);
    let (program, proofs) = run.prove(CHEAP);
    let (mut columns, mut lookups) = ([0; 10], 0);
    let mut lies = 0;
    for (proof, witness) in proofs.iter().zip(&run.witnesses) {
        let truth = &proof.statement;
        let tables = tables(witness, truth);
        let prover = Prover::new(&run.program, CHEAP).unwrap();
        for (name, lie) in log_lies(truth) {
            lies += 1;
            let argument = forge(&run.program, proof, &lie, &tables);
            let forged = SegmentProof {
                params: CHEAP,
                key: proof.key.clone(),
                statement: lie.clone(),
                argument,
            };
            let error = forged.verify(&CHEAP, &program).unwrap_err();
            let VerifyError::Column {
                table: "log",
                column,
            } = error
            else {
                panic!("{name}: {error:?}");
            };
            columns[column] += 1;
            // With the log table that fits the lie, what the cpu table sends has no receiver.
            let proof = prover.prove_statement(lie, witness.clone()).unwrap();
            let error = proof.verify(&CHEAP, &program).unwrap_err();
            assert!(
                matches!(error, VerifyError::Lookups(_)),
                "{name}: {error:?}"
            );
            lookups += 1;
        }
    }
    println!("{lies} lies about the log: columns {columns:?}, lookups {lookups}");
    // `left` is what the row before implies, so no well-formed statement differs in it first.
    assert!(columns[..9].iter().all(|count| *count > 0), "{columns:?}");
}

/// Well-formed statements that differ from a true one in the log alone.
fn log_lies(truth: &Statement) -> Vec<(String, Statement)> {
    let mut lies: Vec<_> = variations(truth)
        .into_iter()
        .filter(|(name, lie)| name.starts_with("event") && lie.check().is_ok())
        .collect();
    for (i, event) in truth.log.iter().enumerate() {
        let mut add = |name: &str, change: &dyn Fn(&mut Event)| {
            let mut lie = truth.clone();
            change(&mut lie.log[i]);
            if lie != *truth && lie.check().is_ok() {
                lies.push((format!("event {i} {name}"), lie));
            }
        };
        add("a, high limb", &|e| e.a ^= 1 << 20);
        add("b, high limb", &|e| e.b ^= 1 << 20);
        add("result, high limb", &|e| e.result ^= 1 << 20);
        if event.kind == Class::Sw as u32 {
            add("turned round", &|e| {
                (e.kind, e.result) = (Class::Lw as u32, e.b);
            });
        }
    }
    // Not each of hundreds of moves: calls, and what is first and last.
    lies.retain(|(name, _)| {
        let i: usize = name.split(' ').nth(1).unwrap().parse().unwrap();
        let near = i < 6 || i + 4 >= truth.log.len();
        near || truth.log[i].kind == Class::Ecall as u32
    });
    // A transfer whose moves all go the other way is as well formed as the one that happened.
    let mut turned = truth.clone();
    for event in &mut turned.log {
        if event.kind == Class::Ecall as u32 && event.a == 63 {
            event.a = 64;
        }
        if event.kind == Class::Sw as u32 {
            (event.kind, event.result) = (Class::Lw as u32, event.b);
        }
    }
    if turned != *truth {
        assert_eq!(turned.check(), Ok(()));
        lies.push(("turned round".into(), turned));
    }
    // Calls of a kind that the log has, where none was made.
    let mut more = truth.clone();
    let at = more.log.iter().position(|e| e.left == 0 && e.a == 214);
    if let Some(at) = at {
        let mut event = more.log[at];
        event.clk -= 1;
        more.log.insert(at, event);
        assert_eq!(more.check(), Ok(()));
        lies.push(("made up".into(), more));
    }
    lies
}

/// Public values other than the witness's: no constraint of the cpu table's ends holds.
#[test]
fn a_lie_about_public_values_is_caught_by_constraints() {
    let run = run();
    let prover = Prover::new(&run.program, CHEAP).unwrap();
    let program = prover.key().digest(&CHEAP);
    let mut caught = [0; public::COUNT];
    let mut refused = [0; public::COUNT];
    for (witness, index) in run.witnesses.iter().zip(0..).take(2) {
        let statement = Statement::new(index, witness);
        for i in 0..public::COUNT {
            for change in [1, 4, 8] {
                let mut lie = statement.clone();
                lie.public[i] ^= change;
                let malformed = lie.check().err();
                let proof = prover.prove_statement(lie, witness.clone()).unwrap();
                let error = proof.verify(&CHEAP, &program).unwrap_err();
                if let Some(reason) = malformed {
                    assert!(
                        matches!(&error, VerifyError::Statement(found) if *found == reason),
                        "public value {i}: {error:?}"
                    );
                    refused[i] += 1;
                } else {
                    assert!(
                        matches!(error, VerifyError::Constraints { table: "cpu" }),
                        "public value {i}: {error:?}"
                    );
                    caught[i] += 1;
                }
            }
        }
        // The position of the transfer that the boundary cuts, with a log that agrees.
        let mut lie = statement.clone();
        let moves = [Class::Lb, Class::Lw, Class::Sb, Class::Sw].map(|class| class as u32);
        for event in &mut lie.log {
            if event.kind == Event::SETUP || moves.contains(&event.kind) {
                event.a += 8;
            }
        }
        for ptr in [public::START_PTR, public::END_PTR] {
            let in_progress = lie.public[ptr] != 0;
            lie.public[ptr] += if in_progress { 8 } else { 0 };
        }
        assert_eq!(lie.check(), Ok(()));
        let proof = prover.prove_statement(lie, witness.clone()).unwrap();
        let error = proof.verify(&CHEAP, &program).unwrap_err();
        assert!(
            matches!(error, VerifyError::Constraints { table: "cpu" }),
            "{error:?}"
        );
    }
    println!("public values: caught by constraints {caught:?}, malformed {refused:?}");
    for i in [public::START_PC, public::END_PC, public::NUM_CYCLES] {
        assert!(caught[i] > 0, "public value {i}");
    }
    assert!((0..public::COUNT).all(|i| caught[i] + refused[i] == 6));
}

/// A segment's number is bound to the proof, and whether it is right is the chain's to say.
#[test]
fn a_wrong_number_is_proven_but_not_chained() {
    let run = run();
    let prover = Prover::new(&run.program, CHEAP).unwrap();
    let program = prover.key().digest(&CHEAP);
    let mut proof = prover.prove(3, run.witnesses[0].clone()).unwrap();
    proof.verify(&CHEAP, &program).unwrap();
    assert_eq!(
        run.chain(&[&proof]),
        Err(ChainError::Index {
            found: 3,
            expected: 0
        })
    );
    proof.statement.index = 0;
    let error = proof.verify(&CHEAP, &program).unwrap_err();
    assert!(same_variant(&error, &opening()), "{error:?}");
}
