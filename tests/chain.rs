//! The boundary chain accepts the statements of every run, and nothing else.

mod common;
mod guests;

use common::{CODE, DATA, Rng, asm, program};
use guests::{Guest, NAMES};
use rewit::segment::{Recording, Runner};
use rewit::stark::{Cell, Chain, ChainError, Event, Outcome, Statement, StatementError};
use rewit::vm::{Cause, MAX_TRANSFER_BYTES, Program, Stop};
use rewit::witness::fill_from_reads;
use rewit::witness::layout::{Class, MAX_LOG_ROWS, REGISTER_BASE, public};

const INPUT: &[u8] = b"The quick brown fox jumps over the lazy dog, 0123456789 times, and a bit.";
const EXIT: u32 = 42;

/// A guest that does all the input and output there is: pieces of odd lengths at odd addresses,
/// past the end of the input, to all outputs; a long transfer of each; moves of the break; calls
/// that are absent; loads from its own code; a loop over memory.
fn io_program(exit_code: u32) -> Program {
    let mut code = vec![];
    let data = DATA + 1021;
    let mut io = |len: u32, offset: u32| {
        code.extend(asm::syscall(63, &[0, data + offset, len]));
        code.extend(asm::syscall(64, &[1 + offset % 3, data + offset, len]));
    };
    for (len, offset) in [(1, 0), (3, 1), (4, 7), (0, 0), (17, 8), (9, 3), (30, 64)] {
        io(len, offset);
    }
    code.extend(asm::syscall(214, &[0]));
    code.extend([asm::addi(10, 10, 100), asm::addi(17, 0, 214), asm::ECALL]);
    code.extend(asm::syscall(214, &[0]));
    for number in [80, 57] {
        code.extend(asm::syscall(number, &[1, DATA]));
    }
    // The input ends within the first of these.
    for (len, offset) in [(40, 0), (5, 0), (0, 2)] {
        code.extend(asm::syscall(63, &[0, data + offset, len]));
    }
    code.extend(asm::li(5, CODE));
    code.extend([asm::load(2, 7, 5, 8), asm::load(4, 8, 5, 5)]);
    code.extend(asm::li(5, DATA));
    code.push(asm::addi(6, 0, 20));
    let start = code.len();
    code.extend([
        asm::load(2, 7, 5, 4),
        asm::r(0, 0, 7, 7, 6),
        asm::sw(5, 7, 4),
        asm::store(0, 5, 7, 1020),
        asm::addi(5, 5, 1024),
        asm::addi(6, 6, -1),
    ]);
    let back = (start as i32 - code.len() as i32) * 4;
    code.push(asm::branch(1, 6, 0, back));
    for (fd, address, len) in [(1, DATA + 3, 250), (2, DATA, 150), (3, DATA + 2, 90)] {
        code.extend(asm::syscall(64, &[fd, address, len]));
    }
    code.extend(asm::syscall(93, &[exit_code]));
    let mut rng = Rng::new(3);
    let data: Vec<u8> = (0..8000).map(|_| rng.word() as u8).collect();
    Program::from_elf(program(&code, &data)).unwrap()
}

fn statement(program: &Program, recording: &Recording) -> Statement {
    let Recording { segment, reads, .. } = recording;
    let witness = fill_from_reads(program, segment, reads, vec![]).unwrap();
    Statement::new(segment.index, &witness)
}

/// The statements of a run, and what it really did.
struct Run {
    program: Program,
    input: Vec<u8>,
    statements: Vec<Statement>,
    outcome: Outcome,
}

impl Run {
    fn new(program: Program, input: &[u8], log_cycles: u32) -> Self {
        let mut runner = Runner::new(&program, input, log_cycles, log_cycles.min(6)).unwrap();
        let mut statements = vec![];
        while let Some(recording) = runner.next_segment() {
            statements.push(statement(&program, &recording));
        }
        let Some(Stop::Exit(exit_code)) = runner.stop() else {
            panic!("{:?}", runner.stop());
        };
        let vm = runner.vm();
        let outcome = Outcome {
            exit_code,
            stdout: vm.stdout().to_vec(),
            stderr: vm.stderr().to_vec(),
            journal: vm.journal().to_vec(),
            num_segments: statements.len() as u64,
            num_cycles: vm.cycle(),
        };
        Self {
            program,
            input: input.to_vec(),
            statements,
            outcome,
        }
    }

    fn io(log_cycles: u32) -> Self {
        Self::new(io_program(EXIT), INPUT, log_cycles)
    }

    /// What the chain says of the statements after `change`.
    fn changed(&self, change: impl FnOnce(&mut Vec<Statement>)) -> Result<Outcome, ChainError> {
        let mut statements = self.statements.clone();
        change(&mut statements);
        assert!(statements != self.statements, "nothing was changed");
        verify(&self.program, &self.input, &statements)
    }

    /// Segment and position in its log of the `nth` entry that `is` holds for.
    fn find(&self, nth: usize, is: impl Fn(&Event) -> bool) -> (usize, usize) {
        let logs = self.statements.iter().enumerate();
        let entries = logs.flat_map(|(s, statement)| {
            let log = statement.log.iter().enumerate();
            log.map(move |(e, event)| (s, e, event))
        });
        let (s, e, _) = entries
            .filter(|(.., event)| is(event))
            .nth(nth)
            .expect("the run has such an entry");
        (s, e)
    }

    /// The `nth` segment that starts as `is` says.
    fn segment(&self, nth: usize, is: impl Fn(&[u32; public::COUNT]) -> bool) -> usize {
        let segments = self.statements.iter().enumerate();
        let mut found = segments.filter(|(_, statement)| is(&statement.public));
        found.nth(nth).expect("the run has such a segment").0
    }
}

fn verify(
    program: &Program,
    input: &[u8],
    statements: &[Statement],
) -> Result<Outcome, ChainError> {
    let mut chain = Chain::new(program, input).unwrap();
    for statement in statements {
        if let Err(error) = chain.push(statement) {
            // Once refused, always refused.
            assert_eq!(chain.push(statement), Err(error.clone()));
            assert_eq!(chain.finish(), Err(error.clone()));
            return Err(error);
        }
    }
    chain.finish()
}

fn is_call(event: &Event) -> bool {
    event.kind == Class::Ecall as u32
}

fn is_move(event: &Event) -> bool {
    !is_call(event) && event.kind != Event::SETUP
}

/// Asserts why the statements after a change are refused.
macro_rules! refused {
    ($run:expr, $change:expr, $error:pat $(if $guard:expr)?) => {
        let result = $run.changed($change);
        assert!(
            matches!(result, Err($error) $(if $guard)?),
            "{}: {result:?}",
            stringify!($error)
        );
    };
}

/// Asserts why a statement is refused by itself.
macro_rules! malformed {
    ($run:expr, $change:expr, $error:pat $(if $guard:expr)?) => {
        refused!($run, $change, ChainError::Statement { error: $error, .. } $(if $guard)?);
    };
}

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
fn boundaries_are_lists_of_cells() {
    use StatementError::{BoundaryAddress, BoundaryOrder, Registers};
    let run = Run::io(6);
    let words = run.statements[1].boundary.len() - 32;
    assert!(words > 2);
    malformed!(run, |s| s[1].boundary.swap(0, 1), BoundaryOrder { .. });
    malformed!(
        run,
        |s| s[1].boundary.insert(0, run.statements[1].boundary[0]),
        BoundaryOrder { .. }
    );
    malformed!(
        run,
        |s| s[1].boundary.swap(words - 1, words),
        BoundaryOrder { .. }
    );
    for register in 0..32 {
        malformed!(
            run,
            |s| {
                s[1].boundary.remove(words + register);
            },
            Registers { found: 31 }
        );
    }
    malformed!(run, |s| s[1].boundary.clear(), Registers { found: 0 });
    for address in [REGISTER_BASE + 32, u32::MAX] {
        malformed!(
            run,
            |s| s[1].boundary.push(Cell {
                address,
                first: 0,
                last: 0
            }),
            BoundaryAddress { .. }
        );
    }
}

#[test]
fn public_values_are_in_range_and_follow_on() {
    use StatementError::{Position, PublicValue};
    let run = Run::io(4);
    let idle = run.segment(3, |v| {
        use public::*;
        v[START_SETUP] + v[START_MOVE] + v[END_SETUP] + v[END_MOVE] == 0
    });
    let most = |index: usize| match index {
        public::START_PC | public::END_PC => REGISTER_BASE - 1,
        public::START_LEFT | public::END_LEFT => MAX_TRANSFER_BYTES,
        public::NUM_CYCLES => 1 << MAX_LOG_ROWS,
        public::END_STEP => 4,
        public::START_PTR | public::END_PTR => 0xffff,
        i if i == public::START_PTR + 1 || i == public::END_PTR + 1 => 0xffff,
        _ => 1,
    };
    for index in 0..public::COUNT {
        for value in [most(index) + 1, 1 << 31, u32::MAX] {
            malformed!(run, |s| s[idle].public[index] = value, PublicValue { .. });
        }
        // Positions of transfers that are not in progress.
        let fixed = [public::START_PC, public::END_PC, public::NUM_CYCLES];
        if index != public::START_SETUP && index != public::START_MOVE && !fixed.contains(&index) {
            malformed!(run, |s| s[idle].public[index] = 1, Position { .. });
        }
    }
    malformed!(
        run,
        |s| s[idle].public[public::NUM_CYCLES] = 0,
        PublicValue { .. }
    );
    for index in [public::START_PC, public::END_PC] {
        refused!(
            run,
            |s| s[idle].public[index] ^= 1,
            ChainError::StartPc { .. }
        );
    }

    // A transfer in progress, at both ends.
    let moving = run.segment(2, |v| {
        v[public::START_MOVE] == 1 && v[public::END_MOVE] == 1
    });
    malformed!(
        run,
        |s| s[moving].public[public::START_LEFT] = 0,
        PublicValue { .. }
    );
    malformed!(
        run,
        |s| s[moving].public[public::START_SETUP] = 1,
        Position {
            index: public::START_SETUP,
            ..
        }
    );
    for index in [
        public::END_SETUP,
        public::END_MOVE,
        public::END_PTR,
        public::END_PTR + 1,
        public::END_LEFT,
    ] {
        malformed!(
            run,
            |s| s[moving].public[index] ^= 1,
            Position { index: i, .. } if i == index
        );
    }
    malformed!(
        run,
        |s| s[moving].public[public::END_STEP] = 0,
        Position { .. }
    );
    // Consistent with itself, but not with the segment before.
    refused!(
        run,
        |s| {
            let Statement { public, log, .. } = &mut s[moving];
            public[public::START_LEFT] += 4;
            public[public::END_LEFT] += 4;
            log.iter_mut().for_each(|event| event.left += 4);
        },
        ChainError::StartPosition {
            index: public::START_LEFT,
            ..
        }
    );
    refused!(
        run,
        |s| {
            let Statement { public, log, .. } = &mut s[moving];
            public[public::START_PTR] += 4;
            public[public::END_PTR] += 4;
            log.iter_mut().for_each(|event| event.a += 4);
        },
        ChainError::StartPosition {
            index: public::START_PTR,
            ..
        }
    );
    // The transfer is dropped at the start of a segment.
    refused!(
        run,
        |s| {
            let Statement { public, log, .. } = &mut s[moving];
            for (index, value) in public.iter_mut().enumerate() {
                if ![public::START_PC, public::END_PC, public::NUM_CYCLES].contains(&index) {
                    *value = 0;
                }
            }
            log.clear();
        },
        ChainError::StartPosition {
            index: public::START_MOVE,
            ..
        }
    );
}

#[test]
fn logs_are_what_happened_row_by_row() {
    use StatementError::{ExitNotLast, Field, Kind, Missing, RowOrder, RowRange, Stray, TooLong};
    let run = Run::io(6);
    let last = run.statements.len() - 1;
    for (s, statement) in run.statements.iter().enumerate() {
        let (log, num_cycles) = (&statement.log, statement.public[public::NUM_CYCLES]);
        for (e, event) in log.iter().enumerate() {
            malformed!(
                run,
                |s2| s2[s].log.insert(e, *event),
                RowOrder { .. } | Missing { .. }
            );
            if e > 0 {
                malformed!(
                    run,
                    |s2| s2[s].log.swap(e - 1, e),
                    RowOrder { .. } | Missing { .. } | Stray { .. } | Field { .. }
                );
            }
            let call = is_call(event) && ![63, 64, 93].contains(&event.a);
            let dropped = run.changed(|s2| {
                s2[s].log.remove(e);
            });
            // That a call without a trace was made is for the proof.
            assert_eq!(
                dropped.is_ok(),
                call && event.a == 80
                    || call && event.a == 57
                    || call && event.a == 214 && event.b == 0,
                "{event:?}: {dropped:?}"
            );
            for kind in [0, 17, 20, 27, 31, 33, u32::MAX] {
                malformed!(run, |s2| s2[s].log[e].kind = kind, Kind { .. });
            }
            malformed!(
                run,
                |s2| s2[s].log[e].left ^= 1 << (e % 31),
                Field { field: "left", .. }
            );
            if !is_call(event) {
                malformed!(
                    run,
                    |s2| s2[s].log[e].clk += 1,
                    RowOrder { .. } | Missing { .. } | RowRange { .. }
                );
            }
            if is_move(event) {
                malformed!(
                    run,
                    |s2| s2[s].log[e].a ^= 1 << (e % 32),
                    Field { field: "a", .. }
                );
                for kind in [Class::Lb, Class::Lw, Class::Sb, Class::Sw] {
                    let kind = kind as u32;
                    if kind != event.kind {
                        let result = run.changed(|s2| s2[s].log[e].kind = kind);
                        assert!(result.is_err(), "{event:?} as {kind}");
                    }
                }
            }
            if !is_call(event) {
                malformed!(
                    run,
                    |s2| s2[s].log[e].result ^= 1 << (e % 32),
                    Field {
                        field: "result",
                        ..
                    }
                );
            }
        }
        let row = log.last().map_or(0, |event| event.clk + 1);
        let stray = |kind: u32, clk: u32| Event {
            clk,
            kind,
            a: 0,
            b: 0,
            result: 0,
            left: 0,
        };
        if s < last && row < num_cycles {
            for kind in [Event::SETUP, Class::Lb as u32, Class::Sw as u32] {
                malformed!(run, |s2| s2[s].log.push(stray(kind, row)), Stray { .. });
            }
            malformed!(
                run,
                |s2| s2[s].log.push(stray(Class::Ecall as u32, num_cycles)),
                RowRange { .. }
            );
        }
    }
    // Bytes where a word is due, and bits above a byte.
    let (s, e) = run.find(0, |event| event.kind == Class::Sb as u32);
    malformed!(run, |s2| s2[s].log[e].b |= 0x100, Field { field: "b", .. });
    let (s, e) = run.find(0, |event| event.kind == Class::Lw as u32);
    malformed!(
        run,
        |s2| {
            let event = &mut s2[s].log[e];
            (event.kind, event.result) = (Class::Lb as u32, event.b & 0xff);
        },
        Field { field: "kind", .. }
    );
    // A transfer that stops early.
    let (s, e) = run.find(1, |event| event.kind == Event::SETUP && event.left > 4);
    malformed!(run, |s2| s2[s].log[e].left = 0, Field { field: "left", .. });
    let (s, e) = run.find(1, |event| is_call(event) && event.a == 64);
    malformed!(
        run,
        |s2| {
            let event = &mut s2[s].log[e];
            event.result = MAX_TRANSFER_BYTES + 1;
            event.left = event.result;
        },
        TooLong { .. }
    );
    malformed!(
        run,
        |s2| s2[last].public[public::NUM_CYCLES] += 1,
        ExitNotLast { .. }
    );
}

#[test]
fn calls_return_and_move_what_the_machine_does() {
    use ChainError::{Direction, Input, Result as WrongResult, Trap};
    let run = Run::io(8);
    for number in [214, 80, 57, 93] {
        let (s, e) = run.find(0, |event| is_call(event) && event.a == number);
        for bit in 0..32 {
            refused!(
                run,
                |s2| s2[s].log[e].result ^= 1 << bit,
                WrongResult { number: n, .. } if n == number
            );
        }
        refused!(
            run,
            |s2| s2[s].log[e].a = 1000,
            Trap {
                cause: Cause::UnknownSyscall { number: 1000 },
                ..
            }
        );
    }
    for number in [63, 64] {
        let (s, e) = run.find(2, |event| is_call(event) && event.a == number);
        for fd in [4, 7, u32::MAX, u32::from(number == 63)] {
            refused!(
                run,
                |s2| s2[s].log[e].b = fd,
                Trap {
                    cause: Cause::BadFileDescriptor { .. },
                    ..
                }
            );
        }
        // The transfer moves what the call returned, but not what was asked for.
        let setup = run.find(usize::from(number == 64), |event| {
            event.kind == Event::SETUP && event.left == 4
        });
        let len = run.statements[setup.0].log[setup.1].b;
        for other in [len - 1, len + 1, 0, 1 << 20] {
            refused!(
                run,
                |s2| s2[setup.0].log[setup.1].b = other,
                WrongResult { .. }
            );
        }
    }
    // A `read` that is cut at the end of the input: any length above gives the same result.
    let (s, e) = run.find(0, |event| event.kind == Event::SETUP && event.b == 40);
    let moved = run.statements[s].log[e].left;
    assert!(moved < 40);
    assert!(run.changed(|s2| s2[s].log[e].b = moved).is_ok());
    refused!(run, |s2| s2[s].log[e].b = moved - 1, WrongResult { .. });
    // One that finds nothing left moves nothing, but its buffer must be in the address space.
    let (s, e) = run.find(0, |event| event.kind == Event::SETUP && event.b == 5);
    refused!(
        run,
        |s2| s2[s].log[e].a = u32::MAX - 3,
        Trap {
            cause: Cause::BadBuffer { .. },
            ..
        }
    );
    let result = run.changed(|s2| s2[s].log[e].a = u32::MAX - 4);
    assert_eq!(result, Ok(run.outcome.clone()));
    // Data.
    for nth in [0, 3, 9] {
        let sorts = [Class::Sb as u32, Class::Sw as u32];
        let (s, e) = run.find(nth, |event| sorts.contains(&event.kind));
        refused!(run, |s2| s2[s].log[e].b ^= 1, Input { .. });
    }

    // A `read` into code, by addresses that agree with each other.
    let (s, e) = run.find(0, |event| event.kind == Event::SETUP && event.left == 17);
    let moves = run.statements[s].log[e + 1..]
        .iter()
        .take_while(|event| is_move(event))
        .count();
    let target = CODE - 4;
    let shift = target.wrapping_sub(run.statements[s].log[e].a & !3);
    refused!(
        run,
        |s2| for event in &mut s2[s].log[e..=e + moves] {
            event.a = event.a.wrapping_add(shift);
        },
        Trap {
            cause: Cause::StoreIntoCode { addr: CODE },
            ..
        }
    );

    // A `write` that goes on as a `read`.
    let run = Run::io(4);
    let moving = run.segment(2, |v| {
        v[public::START_MOVE] == 1 && v[public::END_MOVE] == 1
    });
    refused!(
        run,
        |s2| for event in &mut s2[moving].log {
            let (kind, b) = match event.kind == Class::Lb as u32 {
                true => (Class::Sb, event.result),
                false => (Class::Sw, event.b),
            };
            (event.kind, event.b, event.result) = (kind as u32, b, 0);
        },
        Direction {
            expected: "write",
            ..
        }
    );
}

/// The largest transfer fits, and is too much once there is any output.
#[test]
fn output_is_limited() {
    let run = Run::io(8);
    let largest = |s2: &mut Vec<Statement>, s: usize, e: usize| {
        s2.truncate(s + 1);
        let Statement { public, log, .. } = &mut s2[s];
        log.truncate(e + 1);
        (log[e - 1].result, log[e - 1].left) = (MAX_TRANSFER_BYTES, MAX_TRANSFER_BYTES);
        // More is asked for than one call moves.
        (log[e].b, log[e].left) = (MAX_TRANSFER_BYTES + 5, MAX_TRANSFER_BYTES);
        public[public::NUM_CYCLES] = log[e].clk + 1;
        public[public::END_SETUP] = 0;
        public[public::END_MOVE] = 1;
        public[public::END_PTR] = log[e].a & 0xffff;
        public[public::END_PTR + 1] = log[e].a >> 16;
        public[public::END_STEP] = 0;
        public[public::END_LEFT] = MAX_TRANSFER_BYTES;
    };
    let writes = |nth: usize| {
        let (s, e) = run.find(nth, |event| is_call(event) && event.a == 64 && event.b == 1);
        (s, e + 1)
    };
    let (s, e) = writes(0);
    refused!(run, |s2| largest(s2, s, e), ChainError::NotExited { .. });
    let (s, e) = writes(2);
    refused!(
        run,
        |s2| largest(s2, s, e),
        ChainError::Trap {
            cause: Cause::TooMuchOutput { fd: 1 },
            ..
        }
    );
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
