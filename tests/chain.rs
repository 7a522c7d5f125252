//! The boundary chain accepts the statements of every run, and nothing else.

mod common;
mod guests;
#[macro_use]
mod statements;

use common::{CODE, DATA, Rng, asm, program};
use guests::{Guest, NAMES};
use rewit::segment::Runner;
use rewit::stark::{Cell, Chain, ChainError, Event, Statement, StatementError};
use rewit::vm::{MAX_TRANSFER_BYTES, Program, Stop};
use rewit::witness::layout::{Class, public};
use statements::{EXIT, INPUT, Run, io_program, is_call, statement, verify};

#[test]
fn transfers_are_followed_across_every_end() {
    let mut moves = 0;
    for log_cycles in 4..=8 {
        let run = Run::io(log_cycles);
        assert_eq!(
            verify(&run.program, &run.input, &run.statements),
            Ok(run.outcome.clone()),
            "2^{log_cycles} cycles"
        );
        let outcome = &run.outcome;
        assert_eq!(outcome.check_claim(EXIT, &outcome.journal), Ok(()));
        for statement in &run.statements {
            assert_eq!(statement.check(), Ok(()));
            moves += statement.public[public::START_MOVE];
        }
    }
    assert!(moves > 10, "{moves} segments start in a transfer");
}

/// A transfer may be cut anywhere: the same run, shifted by one cycle at a time.
#[test]
fn transfers_are_cut_at_every_cycle() {
    let (mut setups, mut moves) = (0, 0);
    for delay in 0..16 {
        let mut code = vec![asm::addi(0, 0, 0); delay];
        for (fd, len) in [(0, 7), (1, 21), (0, 0), (2, 0), (0, 26), (3, 13)] {
            let number = if fd == 0 { 63 } else { 64 };
            code.extend(asm::syscall(number, &[fd, DATA + 2, len]));
        }
        code.extend(asm::syscall(93, &[3]));
        let program = Program::from_elf(program(&code, &[7; 64])).unwrap();
        let run = Run::new(program, INPUT, 4);
        assert_eq!(
            verify(&run.program, &run.input, &run.statements),
            Ok(run.outcome.clone()),
            "delayed by {delay} cycles"
        );
        for statement in &run.statements {
            setups += statement.public[public::START_SETUP];
            moves += statement.public[public::START_MOVE];
        }
    }
    // Every call is cut after its `ecall` once, and before each of its moves.
    assert_eq!((setups, moves), (6, 4 + 9 + 8 + 7));
}

#[test]
fn built_in_guests_are_accepted() {
    let mut exits = 0;
    for name in NAMES {
        let Guest { program, input } = Guest::small(name);
        let mut runner = Runner::new(&program, &input, 14, 6).unwrap();
        let mut chain = Chain::new(&program, &input).unwrap();
        // Two of them exit within so many segments.
        for _ in 0..31 {
            let Some(recording) = runner.next_segment() else {
                break;
            };
            let statement = statement(&program, &recording);
            assert_eq!(chain.push(&statement), Ok(()), "{name}");
        }
        if let Some(stop) = runner.stop() {
            let outcome = chain.finish().unwrap();
            assert_eq!(stop, Stop::Exit(outcome.exit_code));
            assert_eq!(outcome.stdout, runner.vm().stdout());
            assert_eq!(outcome.check_claim(0, runner.vm().journal()), Ok(()));
            exits += 1;
        } else {
            let unfinished = chain.finish();
            assert!(matches!(unfinished, Err(ChainError::NotExited { .. })));
        }
    }
    assert!(exits >= 2, "{exits} guests exit");
}

#[test]
fn segments_are_all_there_in_order() {
    let run = Run::io(6);
    let last = run.statements.len() - 1;
    let renumber = |statements: &mut Vec<Statement>| {
        for (statement, index) in statements.iter_mut().zip(0..) {
            statement.index = index;
        }
    };
    use ChainError::{AfterExit, Index, NotExited, Register, StartPc};
    for dropped in 0..last {
        refused!(run, |s| drop(s.remove(dropped)), Index { .. });
        let result = run.changed(|s| {
            s.remove(dropped);
            renumber(s);
        });
        assert!(result.is_err(), "without segment {dropped}: {result:?}");
        refused!(run, |s| s.swap(dropped, dropped + 1), Index { .. });
        refused!(run, |s| s.insert(dropped, s[dropped].clone()), Index { .. });
        refused!(run, |s| s.truncate(dropped), NotExited { .. });
    }
    refused!(
        run,
        |s| {
            s.remove(0);
            renumber(s);
        },
        StartPc {
            segment: 0,
            expected: CODE,
            ..
        }
    );
    refused!(
        run,
        |s| {
            s.swap(1, 2);
            renumber(s);
        },
        StartPc { segment: 1, .. }
    );
    // Seven segments on, the loop over memory is at the same instruction again.
    let looping = Run::io(4);
    let pc = |at: usize| looping.statements[at].public[public::START_PC];
    let at = looping.segment(0, |v| {
        let at = looping.statements.iter().position(|s| s.public == *v);
        let at = at.expect("the values are those of a segment");
        let plain = [public::START_SETUP, public::START_MOVE]
            .iter()
            .all(|flag| v[*flag] == 0);
        plain && at + 7 < looping.statements.len() && pc(at) == pc(at + 7)
    });
    refused!(
        looping,
        |s| {
            s.drain(at..at + 7);
            renumber(s);
        },
        Register { segment, .. } if segment as usize == at
    );
    for index in [last as u32, last as u32 + 1] {
        refused!(
            run,
            |s| s.push(Statement {
                index,
                ..s[last].clone()
            }),
            AfterExit { .. }
        );
    }
    let empty = verify(&run.program, &run.input, &[]);
    assert!(matches!(
        empty,
        Err(NotExited {
            num_segments: 0,
            num_cycles: 0
        })
    ));
}

#[test]
fn another_program_or_input_is_noticed() {
    let run = Run::io(6);
    let mut input = run.input.clone();
    input[20] ^= 1;
    let result = verify(&run.program, &input, &run.statements);
    assert!(
        matches!(result, Err(ChainError::Input { position, .. }) if position <= 20),
        "{result:?}"
    );
    // More or less of it changes what the last reads return.
    let end = run.input.len();
    for input in [&run.input[..end - 1], &[&run.input[..], b"!"].concat()] {
        let result = verify(&run.program, input, &run.statements);
        assert!(matches!(result, Err(ChainError::Result { number: 63, .. })));
    }

    let code = asm::syscall(93, &[0]);
    let other = Program::from_elf(program(&code, b"\0")).unwrap();
    let result = verify(&other, &run.input, &run.statements);
    assert!(matches!(result, Err(ChainError::Word { .. })), "{result:?}");
    let entry = common::elf(
        CODE + 4,
        &[common::Load::new(
            CODE,
            common::RX,
            vec![0x13, 0, 0, 0, 0x73, 0, 0, 0],
        )],
    );
    let other = Program::from_elf(entry).unwrap();
    let result = verify(&other, &run.input, &run.statements);
    assert!(
        matches!(result, Err(ChainError::StartPc { segment: 0, .. })),
        "{result:?}"
    );
    // Only an instruction differs: that is for the proof, unless the code is loaded, too.
    let other = io_program(EXIT + 1);
    let result = verify(&other, &run.input, &run.statements);
    assert_eq!(result, Ok(run.outcome));
}

#[test]
fn every_content_is_as_it_was_left() {
    let run = Run::io(6);
    for (s, statement) in run.statements.iter().enumerate() {
        for (c, cell) in statement.boundary.iter().enumerate() {
            let bit = 1 << ((7 * s + 5 * c) % 32);
            let first = run
                .changed(|s2| s2[s].boundary[c].first ^= bit)
                .unwrap_err();
            match cell.register() {
                Some(0) => assert!(matches!(
                    first,
                    ChainError::Statement {
                        error: StatementError::ZeroRegister { .. },
                        ..
                    }
                )),
                Some(r) => assert!(
                    matches!(first, ChainError::Register { segment, register, .. }
                        if segment as usize == s && register == r)
                ),
                None => assert!(matches!(first, ChainError::Word { segment, address, .. }
                        if segment as usize == s && address == 4 * cell.address)),
            }
        }
    }
    // What a segment leaves is what the next that touches it finds.
    let touched = |cell: &Cell, from: usize| {
        let later = run.statements[from..].iter();
        later
            .flat_map(|statement| &statement.boundary)
            .any(|later| later.address == cell.address)
    };
    let (mut words, mut code) = (0, 0);
    for (s, statement) in run.statements.iter().enumerate() {
        for (c, cell) in statement.boundary.iter().enumerate() {
            let result = run.changed(|s2| s2[s].boundary[c].last ^= 1 << (c % 32));
            match cell.register() {
                Some(0) => assert!(matches!(
                    result,
                    Err(ChainError::Statement {
                        error: StatementError::ZeroRegister { .. },
                        ..
                    })
                )),
                Some(_) if s + 1 < run.statements.len() => {
                    assert!(matches!(result, Err(ChainError::Register { .. })));
                }
                None if run.program.is_code(4 * cell.address) => {
                    code += 1;
                    assert!(matches!(result, Err(ChainError::CodeChanged { .. })));
                }
                None if touched(cell, s + 1) => {
                    words += 1;
                    assert!(matches!(result, Err(ChainError::Word { .. })));
                }
                // Nothing depends on it any more.
                _ => assert_eq!(result, Ok(run.outcome.clone())),
            }
        }
    }
    assert!(words > 50 && code > 0, "{words} words, {code} of code");
}

#[test]
fn claims_are_compared() {
    let run = Run::io(8);
    let outcome = &run.outcome;
    let mut journal = outcome.journal.clone();
    assert!(journal.len() > 90);
    assert_eq!(
        outcome.check_claim(EXIT + 1, &journal),
        Err(ChainError::ExitCode {
            found: EXIT,
            expected: EXIT + 1
        })
    );
    journal[50] ^= 1;
    let result = outcome.check_claim(EXIT, &journal);
    assert!(matches!(result, Err(ChainError::Journal { at: 50, .. })));
    journal.truncate(40);
    let result = outcome.check_claim(EXIT, &journal);
    assert!(matches!(result, Err(ChainError::Journal { at: 40, .. })));

    // What the log says is what comes out.
    let (s, e) = run.find(0, |event| is_call(event) && event.a == 93);
    let other = run.changed(|s2| {
        let event = &mut s2[s].log[e];
        (event.b, event.result) = (0x107, 0x107);
    });
    assert_eq!(other.unwrap().exit_code, 7);
}

/// A part of a statement.
#[derive(Clone, Copy, Debug)]
enum Place {
    Index,
    Public(usize),
    Address(usize),
    First(usize),
    Last(usize),
    Log(usize, usize),
}

impl Place {
    fn random(rng: &mut Rng, statement: &Statement) -> Self {
        let cell = rng.below(statement.boundary.len() as u32) as usize;
        match rng.below(8) {
            0 => Self::Index,
            1 | 2 => Self::Public(rng.below(public::COUNT as u32) as usize),
            3 => Self::Address(cell),
            4 => Self::First(cell),
            5 => Self::Last(cell),
            _ if statement.log.is_empty() => Self::First(cell),
            _ => Self::Log(
                rng.below(statement.log.len() as u32) as usize,
                rng.below(6) as usize,
            ),
        }
    }

    fn of(self, statement: &mut Statement) -> &mut u32 {
        let log = &mut statement.log;
        match self {
            Self::Index => &mut statement.index,
            Self::Public(index) => &mut statement.public[index],
            Self::Address(cell) => &mut statement.boundary[cell].address,
            Self::First(cell) => &mut statement.boundary[cell].first,
            Self::Last(cell) => &mut statement.boundary[cell].last,
            Self::Log(event, 0) => &mut log[event].clk,
            Self::Log(event, 1) => &mut log[event].kind,
            Self::Log(event, 2) => &mut log[event].a,
            Self::Log(event, 3) => &mut log[event].b,
            Self::Log(event, 4) => &mut log[event].result,
            Self::Log(event, _) => &mut log[event].left,
        }
    }

    /// Whether only a proof can tell that this part of segment `s` of `run` is another.
    fn is_for_the_proof(self, run: &Run, s: usize) -> bool {
        let statement = &run.statements[s];
        let ends = s + 1 == run.statements.len();
        match self {
            Self::Index | Self::First(_) => false,
            Self::Public(public::NUM_CYCLES) => !ends,
            Self::Public(index) => index == public::END_PC && ends,
            Self::Address(cell) => statement.boundary[cell].register().is_none(),
            Self::Last(cell) => {
                let cell = &statement.boundary[cell];
                let mut later = run.statements[s + 1..].iter().flat_map(|s| &s.boundary);
                cell.register() != Some(0)
                    && !run.program.is_code(cell.address.wrapping_mul(4))
                    && later.all(|later| later.address != cell.address)
            }
            Self::Log(event, field) => {
                let event = &statement.log[event];
                let transfers = is_call(event) && (event.a == 63 || event.a == 64);
                match field {
                    0 => is_call(event) && !transfers && event.a != 93,
                    // `exit` and `exit_group`, or two that are both absent.
                    2 if is_call(event) => [93, 57, 80].contains(&event.a),
                    2 => event.kind == Event::SETUP && event.left == 0,
                    // The descriptor of a `write`; what an absent call or `brk` is given.
                    3 if is_call(event) => event.a != 63 && event.a != 93,
                    // A length that is cut, also to nothing; the other bytes of a word.
                    3 => match event.kind {
                        Event::SETUP => event.left < event.b || event.left == 0,
                        kind => kind == Class::Lb as u32,
                    },
                    _ => false,
                }
            }
        }
    }
}

fn other_value(rng: &mut Rng, value: u32) -> u32 {
    match rng.below(6) {
        0 => value.wrapping_add(1),
        1 => value.wrapping_sub(1),
        2 => value ^ 1 << rng.below(32),
        3 => rng.operand(),
        4 => rng.pick(&[4, 0xffff, 0x1_0000, 1 << 30, 0x7800_0001, u32::MAX]),
        _ => rng.below(65),
    }
}

#[test]
fn random_changes_are_refused_or_for_the_proof() {
    let mut rng = Rng::new(11);
    let mut accepted = 0;
    let rounds = 6000;
    let runs = [Run::io(4), Run::io(7)];
    for round in 0..rounds {
        let run = &runs[round % 2];
        let mut statements = run.statements.clone();
        let mut changes = vec![];
        for _ in 0..=rng.below(3) {
            let s = rng.below(statements.len() as u32) as usize;
            let place = Place::random(&mut rng, &run.statements[s]);
            let value = place.of(&mut statements[s]);
            *value = other_value(&mut rng, *value);
            changes.push((s, place));
        }
        changes.retain(|(s, place)| {
            let mut before = run.statements[*s].clone();
            place.of(&mut before) != place.of(&mut statements[*s])
        });
        let Ok(outcome) = verify(&run.program, &run.input, &statements) else {
            continue;
        };
        accepted += usize::from(!changes.is_empty());
        for (s, place) in &changes {
            assert!(
                place.is_for_the_proof(run, *s),
                "round {round}: {place:?} of segment {s} was changed in {:?} to {:?}",
                run.statements[*s],
                statements[*s]
            );
        }
        let claim = outcome.check_claim(run.outcome.exit_code, &run.outcome.journal);
        let redirects = changes.iter().any(
            |(s, place)| matches!(place, Place::Log(e, 3) if run.statements[*s].log[*e].a == 64),
        );
        assert!(
            claim.is_ok() || redirects,
            "round {round}: {changes:?}: {claim:?}"
        );
    }
    println!("{accepted} of {rounds} accepted, for the proof to refuse");
    assert!(accepted < rounds / 10);
}

/// Nothing in a statement makes the chain panic, whatever the lists hold.
#[test]
fn random_statements_do_no_harm() {
    let mut rng = Rng::new(12);
    let run = Run::io(6);
    for _ in 0..20_000 {
        let mut statement = run.statements[0].clone();
        for _ in 0..rng.below(4) {
            let place = Place::random(&mut rng, &statement);
            *place.of(&mut statement) = rng.operand();
        }
        let kinds = [16, 18, 19, 21, 26, 32, 33];
        let numbers = [57, 63, 64, 93, 94, 214, 1000];
        let at = rng.below(statement.log.len() as u32 + 1) as usize;
        statement.log.truncate(at);
        for _ in 0..rng.below(8) {
            let kind = rng.pick(&kinds);
            let a = if kind == 26 {
                rng.pick(&numbers)
            } else {
                rng.operand()
            };
            let (b, result) = (other_value(&mut rng, 1), rng.operand());
            let clk = statement.log.last().map_or(0, |event| event.clk);
            statement.log.push(Event {
                clk: clk.wrapping_add(rng.pick(&[1, 1, 1, 1, 0, 5])),
                kind,
                a,
                b,
                result,
                left: rng.pick(&[0, result, 1, MAX_TRANSFER_BYTES]),
            });
        }
        let _ = statement.check();
        let _ = verify(&run.program, &run.input, &[statement]);
    }
}
