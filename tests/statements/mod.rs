//! The statements of whole runs, for tests, and assertions about changed ones.
#![allow(dead_code, unused_macros, reason = "each test binary uses a part")]

use rewit::segment::{Recording, Runner};
use rewit::stark::{Chain, ChainError, Event, Outcome, Statement};
use rewit::vm::{Program, Stop};
use rewit::witness::fill_from_reads;
use rewit::witness::layout::{Class, public};

use crate::common::{CODE, DATA, Rng, asm, program};

pub(crate) const INPUT: &[u8] =
    b"The quick brown fox jumps over the lazy dog, 0123456789 times, and a bit.";
pub(crate) const EXIT: u32 = 42;

/// A guest that does all the input and output there is: pieces of odd lengths at odd addresses,
/// past the end of the input, to all outputs; a long transfer of each; moves of the break; calls
/// that are absent; loads from its own code; a loop over memory.
pub(crate) fn io_program(exit_code: u32) -> Program {
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

/// What a proof of a recorded segment would say.
pub(crate) fn statement(program: &Program, recording: &Recording) -> Statement {
    let Recording { segment, reads, .. } = recording;
    let witness = fill_from_reads(program, segment, reads, vec![]).unwrap();
    Statement::new(segment.index, &witness)
}

/// The statements of a run, and what it really did.
pub(crate) struct Run {
    pub(crate) program: Program,
    pub(crate) input: Vec<u8>,
    pub(crate) statements: Vec<Statement>,
    pub(crate) outcome: Outcome,
}

impl Run {
    pub(crate) fn new(program: Program, input: &[u8], log_cycles: u32) -> Self {
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

    pub(crate) fn io(log_cycles: u32) -> Self {
        Self::new(io_program(EXIT), INPUT, log_cycles)
    }

    /// What the chain says of the statements after `change`.
    pub(crate) fn changed(
        &self,
        change: impl FnOnce(&mut Vec<Statement>),
    ) -> Result<Outcome, ChainError> {
        let mut statements = self.statements.clone();
        change(&mut statements);
        assert!(statements != self.statements, "nothing was changed");
        verify(&self.program, &self.input, &statements)
    }

    /// Segment and position in its log of the `nth` entry that `is` holds for.
    pub(crate) fn find(&self, nth: usize, is: impl Fn(&Event) -> bool) -> (usize, usize) {
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
    pub(crate) fn segment(&self, nth: usize, is: impl Fn(&[u32; public::COUNT]) -> bool) -> usize {
        let segments = self.statements.iter().enumerate();
        let mut found = segments.filter(|(_, statement)| is(&statement.public));
        found.nth(nth).expect("the run has such a segment").0
    }
}

/// What the chain says of the statements.
pub(crate) fn verify(
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

pub(crate) fn is_call(event: &Event) -> bool {
    event.kind == Class::Ecall as u32
}

pub(crate) fn is_move(event: &Event) -> bool {
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
