//! The boundary chain: what the proofs of a run's segments leave to who verifies them.
//!
//! A proof says that its [`Statement`] is true of *some* execution of the program's instructions
//! over one segment: one that starts anywhere, with any contents of registers and memory, and whose
//! system calls return and move anything. The chain takes the statements of all segments in order
//! and refuses all but those of the one run that [`Vm`](crate::vm::Vm) makes of this program on
//! this input. It is plain code over the statements; it executes no instruction.
//!
//! # What is checked
//!
//! 1. [`Statement::check`] holds: numbers are the integers they stand for, lists are ordered and
//!    complete, transfers have all their cycles and no others. See
//!    [`consistency`](super::consistency).
//! 2. Segments are numbered from 0; none follows an exit, which is the last cycle of its segment,
//!    and the run ends with one.
//! 3. The first segment starts in [`Program::initial_state`] with [`Program::initial_memory`].
//!    Every later one starts at the `pc` and the position within a transfer that the ones before it
//!    lead to, with every register as they left it and every word it touches as it was last left.
//!    Position, break and input position are not only compared from end to start, but known: they
//!    follow from the logs.
//! 4. Each system call returns what it returns in the machine. `read` and `write`: the length in
//!    `a2`, at most [`MAX_TRANSFER_BYTES`](crate::vm::MAX_TRANSFER_BYTES), `read` also at most what
//!    is left of the input. `brk`: the break after it. The calls that are always absent: `-ENOSYS`.
//!    `exit`: its argument.
//! 5. What the machine traps on is refused: other calls, other descriptors, buffers that leave the
//!    address space, `read` into code, output above
//!    [`MAX_OUTPUT_BYTES`](crate::vm::MAX_OUTPUT_BYTES).
//! 6. Data that a `read` moves is the input, in order; data that a `write` moves is appended to the
//!    output of its descriptor. The direction of a transfer is that of its call, also across
//!    segments.
//! 7. No segment leaves a word of code other than it found it.
//!
//! # Why it suffices
//!
//! By induction over the cycles of a run, with all the machine's state in the claim: `pc`,
//! registers, memory, break, position in the input and within a transfer, outputs. It is right at
//! the start (3). Within a segment a proof fixes each cycle's effect given the state before and the
//! values in the log, and requires a row for every cycle up to the number of cycles; the log is all
//! there is from the host, and every `ecall`, setup and move is in it (1). Those are what the
//! machine would do (4 to 6). A cycle on which the machine traps has no row (misaligned accesses,
//! illegal instructions, `ebreak`), is refused here (5), or cannot be followed by another cycle
//! (jumps to where no instruction is), while the run goes on to its exit (2). Across a boundary the
//! state is carried (3); words that a segment does not list are not touched in it.
//!
//! # What is not
//!
//! - A guest that stores into its own code and puts back what was there before the segment ends is
//!   not caught, although the machine traps: boundaries show no contents in between, and a list of
//!   the words touched does not tell loads from stores. Instructions come from the program, so such
//!   a store changes what is loaded there and nothing else. A guest that never stores into code, as
//!   compilers make them, is not concerned.
//! - What only a proof can tell is taken from it: how many cycles a segment has, the row of a call,
//!   `a0` where a call does not depend on it, a word's content after the last segment that touches
//!   it. A chain over statements that were not proven shows nothing.

mod calls;
mod error;

use crate::stark::statement::{Cell, Statement};
use crate::vm::{IoPhase, MachineState, Memory, Program};
use crate::witness::layout::public;
use crate::{Error, Result};

pub use error::ChainError;

/// Verifies that statements, in order, are those of one run: see the [module documentation](self).
///
/// Every statement must have been proven for the same program.
#[derive(Debug)]
pub struct Chain<'a> {
    program: &'a Program,
    input: &'a [u8],
    /// The machine after the statements so far.
    state: MachineState,
    /// Its memory: the program's image and what segments left.
    memory: Memory,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    journal: Vec<u8>,
    exit_code: Option<u32>,
    num_segments: u64,
    num_cycles: u64,
    refused: Option<ChainError>,
}

/// What a run did, by its statements.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What the guest exited with, 0 to 255.
    pub exit_code: u32,
    /// Bytes written to file descriptor 1.
    pub stdout: Vec<u8>,
    /// Bytes written to file descriptor 2.
    pub stderr: Vec<u8>,
    /// Bytes written to file descriptor 3, the public journal.
    pub journal: Vec<u8>,
    /// Number of segments.
    pub num_segments: u64,
    /// Number of cycles of all segments.
    pub num_cycles: u64,
}

impl Outcome {
    /// Checks that the run did what is claimed of it.
    ///
    /// # Errors
    /// [`ChainError::ExitCode`] or [`ChainError::Journal`] if it did not.
    pub fn check_claim(&self, exit_code: u32, journal: &[u8]) -> Result<(), ChainError> {
        if self.exit_code != exit_code {
            return Err(ChainError::ExitCode {
                found: self.exit_code,
                expected: exit_code,
            });
        }
        if self.journal != journal {
            let pairs = self.journal.iter().zip(journal);
            return Err(ChainError::Journal {
                found: self.journal.len(),
                expected: journal.len(),
                at: pairs
                    .take_while(|(found, expected)| found == expected)
                    .count(),
            });
        }
        Ok(())
    }
}

impl<'a> Chain<'a> {
    /// A chain without segments.
    ///
    /// - `input`: the whole input of the run.
    ///
    /// Memory: the program's image, and a page for each that a segment changed.
    ///
    /// # Errors
    /// [`Error::Resource`] if memory cannot be reserved, [`Error::Usage`] if `input` has `2^32`
    /// bytes or more.
    pub fn new(program: &'a Program, input: &'a [u8]) -> Result<Self> {
        if u32::try_from(input.len()).is_err() {
            return Err(Error::Usage(format!(
                "guest input has {} bytes, expected fewer than 2^32",
                input.len()
            )));
        }
        Ok(Self {
            program,
            input,
            state: program.initial_state(),
            memory: program.initial_memory()?,
            stdout: vec![],
            stderr: vec![],
            journal: vec![],
            exit_code: None,
            num_segments: 0,
            num_cycles: 0,
            refused: None,
        })
    }

    /// Takes the statement of the next segment.
    ///
    /// Cost: one pass over its boundary and log. Memory: at most four bytes per log entry, and a
    /// page per word changed.
    ///
    /// # Errors
    /// [`ChainError`], the first reason to refuse it. The chain is then refused as a whole: every
    /// later call returns the same error.
    pub fn push(&mut self, statement: &Statement) -> Result<(), ChainError> {
        let result = match &self.refused {
            Some(error) => Err(error.clone()),
            None => self.take(statement),
        };
        self.refused = result.clone().err();
        result
    }

    /// What the run did.
    ///
    /// # Errors
    /// [`ChainError::NotExited`] if the last segment does not end in an exit, or the error of an
    /// earlier [`push`](Self::push).
    pub fn finish(self) -> Result<Outcome, ChainError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        let Some(exit_code) = self.exit_code else {
            return Err(ChainError::NotExited {
                num_segments: self.num_segments,
                num_cycles: self.num_cycles,
            });
        };
        Ok(Outcome {
            exit_code,
            stdout: self.stdout,
            stderr: self.stderr,
            journal: self.journal,
            num_segments: self.num_segments,
            num_cycles: self.num_cycles,
        })
    }

    fn take(&mut self, statement: &Statement) -> Result<(), ChainError> {
        // Every part of a statement is checked: a new field must not be forgotten here.
        let Statement {
            index: segment,
            public: values,
            boundary,
            log,
        } = statement;
        let segment = *segment;
        if self.exit_code.is_some() {
            return Err(ChainError::AfterExit { segment });
        }
        if u64::from(segment) != self.num_segments {
            return Err(ChainError::Index {
                found: segment,
                expected: self.num_segments,
            });
        }
        statement
            .check()
            .map_err(|error| ChainError::Statement { segment, error })?;
        self.start(segment, values)?;
        for cell in boundary {
            self.cell(segment, cell)?;
        }
        for event in log {
            self.event(segment, event)?;
        }
        // Where a transfer stands is known from the log, and `check` compared the public values of
        // the segment's end with that.
        self.state.pc = 4 * values[public::END_PC];
        self.num_segments += 1;
        self.num_cycles += u64::from(values[public::NUM_CYCLES]);
        Ok(())
    }

    /// Compares where a segment starts with where the one before ended.
    fn start(&self, segment: u32, values: &[u32; public::COUNT]) -> Result<(), ChainError> {
        let state = &self.state;
        // In range, and so a multiple of 4 below 2^32, by `Statement::check`.
        let pc = 4 * values[public::START_PC];
        if pc != state.pc {
            return Err(ChainError::StartPc {
                segment,
                found: pc,
                expected: state.pc,
            });
        }
        let is = |phase: IoPhase| u32::from(state.io_phase == phase as u32);
        for (index, expected) in [
            (public::START_SETUP, is(IoPhase::Setup)),
            (public::START_MOVE, is(IoPhase::Move)),
            (public::START_PTR, state.io_ptr & 0xffff),
            (public::START_PTR + 1, state.io_ptr >> 16),
            (public::START_LEFT, state.io_left),
        ] {
            let found = values[index];
            if found != expected {
                return Err(ChainError::StartPosition {
                    segment,
                    index,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }

    /// Compares a cell's first content with what was left there, and keeps its last.
    fn cell(&mut self, segment: u32, cell: &Cell) -> Result<(), ChainError> {
        let Cell {
            address,
            first,
            last,
        } = *cell;
        if let Some(register) = cell.register() {
            // Below 32 by `Statement::check`.
            let content = &mut self.state.x[register as usize];
            if *content != first {
                return Err(ChainError::Register {
                    segment,
                    register,
                    found: first,
                    expected: *content,
                });
            }
            *content = last;
            return Ok(());
        }
        let address = 4 * address;
        let content = self.memory.read_word(address);
        if content != first {
            return Err(ChainError::Word {
                segment,
                address,
                found: first,
                expected: content,
            });
        }
        if first != last {
            // Code ranges consist of whole words.
            if self.program.is_code(address) {
                return Err(ChainError::CodeChanged {
                    segment,
                    address,
                    first,
                    last,
                });
            }
            self.memory.view().set_word(address, last);
        }
        Ok(())
    }
}
