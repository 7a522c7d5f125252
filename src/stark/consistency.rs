//! What a segment's statement must satisfy by itself, before it is compared with anything.
//!
//! A proof holds modulo p; the numbers of a statement come from a file. [`Statement::check`] makes
//! the two mean the same, and follows the transfers in the log from one end of the segment to the
//! other:
//!
//! - Public values are in range, so that each is the only integer the proof can stand for: `pc / 4`
//!   below 2^30, limbs below 2^16, flags 0 or 1, bytes left at most [`MAX_TRANSFER_BYTES`], 1 to
//!   2^[`MAX_LOG_ROWS`] cycles. The constraints leave the position of a transfer that is not in
//!   progress free: it is zero.
//! - The boundary lists no more words than there are cycles, by strictly ascending address, then exactly the 32 registers, so that
//!   each cell enters and leaves the memory argument once. `x0` is 0 before and after.
//! - Rows of the log ascend strictly and are cycles of the segment: a proof compares the log with
//!   what the cpu table sent as multisets, and this makes it the list, in order.
//! - A `read` or `write` has its setup in the next cycle and then, without a gap, a move for every
//!   unit: a word where the address is aligned and at least 4 bytes are left, else a byte; `left`
//!   falls by the unit and never below zero; addresses follow on; all moves go in the direction of
//!   the call. There is no other setup or move. A transfer may be cut by either end of the segment,
//!   and the public values say exactly where: no constraint says that a `read` has a setup, that it
//!   moves anything, or that it stops when nothing is left.
//! - Operands that are not data are what the row's kind makes them.
//! - `exit` is the last cycle, and leaves no transfer.
//!
//! What a call returns and which data it moves is left to [`Chain`](super::Chain): it depends on
//! what came before.

use super::statement::{Cell, Event, Statement};
use crate::vm::{IoPhase, MAX_TRANSFER_BYTES, SYS_EXIT, SYS_EXIT_GROUP, SYS_READ, SYS_WRITE};
use crate::witness::layout::{Class, MAX_LOG_ROWS, REGISTER_BASE, public};

/// Number of registers.
const NUM_REGISTERS: u32 = 32;

/// Names of the public values, by their index in [`public`].
pub const PUBLIC_NAMES: [&str; public::COUNT] = {
    let mut names = [""; public::COUNT];
    names[public::START_PC] = "start pc / 4";
    names[public::START_SETUP] = "start setup";
    names[public::START_MOVE] = "start move";
    names[public::START_PTR] = "start pointer, low limb";
    names[public::START_PTR + 1] = "start pointer, high limb";
    names[public::START_LEFT] = "start bytes left";
    names[public::END_PC] = "end pc / 4";
    names[public::END_SETUP] = "end setup";
    names[public::END_MOVE] = "end move";
    names[public::END_PTR] = "end pointer, low limb";
    names[public::END_PTR + 1] = "end pointer, high limb";
    names[public::END_STEP] = "end unit";
    names[public::END_LEFT] = "end bytes left";
    names[public::NUM_CYCLES] = "number of cycles";
    names
};

/// Why a statement is not one of any segment. One variant per reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StatementError {
    /// A public value is out of its range.
    #[error(
        "public value {name:?} is {found}, expected {least} to {most}",
        name = PUBLIC_NAMES.get(*index).unwrap_or(&"?")
    )]
    PublicValue {
        /// Index of the public value.
        index: usize,
        /// Its value.
        found: u32,
        /// The least it may be.
        least: u32,
        /// The most it may be.
        most: u32,
    },
    /// The position of a transfer at an end of the segment is not one the machine can be in, or not
    /// the one that the log leads to.
    #[error(
        "public value {name:?} is {found}, expected {expected}",
        name = PUBLIC_NAMES.get(*index).unwrap_or(&"?")
    )]
    Position {
        /// Index of the public value.
        index: usize,
        /// Its value.
        found: u32,
        /// What it must be.
        expected: u32,
    },
    /// More cells than a segment of so many cycles can touch: a word in each, and the registers.
    #[error("the boundary has {found} cells, a segment of {cycles} cycles at most {most}")]
    BoundaryLength {
        /// Number of cells.
        found: usize,
        /// The segment's cycles.
        cycles: u32,
        /// The most there may be.
        most: usize,
    },
    /// A boundary address is neither a word's nor a register's.
    #[error("boundary address {address:#x} is neither below 2^30 nor that of a register")]
    BoundaryAddress {
        /// The address.
        address: u32,
    },
    /// Boundary addresses do not ascend strictly.
    #[error("boundary address {address:#x} follows {previous:#x}, expected ascending addresses")]
    BoundaryOrder {
        /// The address.
        address: u32,
        /// The one before it.
        previous: u32,
    },
    /// The boundary does not have every register.
    #[error("the boundary has {found} registers, expected 32")]
    Registers {
        /// How many it has.
        found: u32,
    },
    /// Register `x0` is not zero.
    #[error("x0 is {first:#x} before and {last:#x} after, expected 0")]
    ZeroRegister {
        /// Content before the segment.
        first: u32,
        /// Content after it.
        last: u32,
    },
    /// Rows of the log do not ascend strictly.
    #[error("row {clk} of the log follows row {previous}, expected ascending rows")]
    RowOrder {
        /// The row.
        clk: u32,
        /// The one before it.
        previous: u32,
    },
    /// A row of the log is not a cycle of the segment.
    #[error("row {clk} of the log is beyond the segment's {num_cycles} cycles")]
    RowRange {
        /// The row.
        clk: u32,
        /// Cycles of the segment.
        num_cycles: u32,
    },
    /// A log entry is of no known kind.
    #[error("row {clk}: unknown kind {kind} of log entry")]
    Kind {
        /// Its row.
        clk: u32,
        /// The kind.
        kind: u32,
    },
    /// A transfer's next step is missing.
    #[error("row {clk}: expected the {expected} of the transfer in progress")]
    Missing {
        /// Row it belongs to.
        clk: u32,
        /// `setup` or `next move`.
        expected: &'static str,
    },
    /// A setup or a move where no transfer is in progress.
    #[error("row {clk}: log entry of kind {kind}, but no transfer is in progress")]
    Stray {
        /// Its row.
        clk: u32,
        /// Its kind.
        kind: u32,
    },
    /// A transfer moves more than one call may.
    #[error("row {clk}: transfer of {bytes} bytes, expected at most 2^30")]
    TooLong {
        /// Row of the `ecall`.
        clk: u32,
        /// Bytes it is to move.
        bytes: u32,
    },
    /// A field of a log entry does not have the value that the entries before it imply.
    #[error("row {clk}: {field} is {found:#x}, expected {expected:#x}")]
    Field {
        /// Row of the entry.
        clk: u32,
        /// Name of the field in [`Event`].
        field: &'static str,
        /// Its value.
        found: u32,
        /// What it must be.
        expected: u32,
    },
    /// The guest exits before the segment's last cycle.
    #[error("row {clk}: exit, but the segment has {num_cycles} cycles, expected it in the last")]
    ExitNotLast {
        /// Row of the `ecall`.
        clk: u32,
        /// Cycles of the segment.
        num_cycles: u32,
    },
}

impl Statement {
    /// Checks all that can be said of a statement by itself: see the
    /// [module documentation](self).
    ///
    /// Cost: one pass over boundary and log; no allocation.
    ///
    /// # Errors
    /// [`StatementError`], the first reason.
    pub fn check(&self) -> Result<(), StatementError> {
        self.check_public()?;
        self.check_boundary()?;
        self.check_log()
    }

    fn check_public(&self) -> Result<(), StatementError> {
        use public::*;
        let value = |index: usize| self.public[index];
        let most = |index: usize| match index {
            START_PC | END_PC => REGISTER_BASE - 1,
            START_SETUP | START_MOVE | END_SETUP | END_MOVE => 1,
            // The largest transfer, 2^30 bytes, may be cut before its first move.
            START_LEFT | END_LEFT => MAX_TRANSFER_BYTES,
            END_STEP => 4,
            NUM_CYCLES => 1 << MAX_LOG_ROWS,
            _ => 0xffff,
        };
        let least = |index: usize| match index {
            NUM_CYCLES => 1,
            START_LEFT => value(START_MOVE),
            _ => 0,
        };
        for (index, found) in self.public.into_iter().enumerate() {
            let (least, most) = (least(index), most(index));
            if !(least..=most).contains(&found) {
                return Err(StatementError::PublicValue {
                    index,
                    found,
                    least,
                    most,
                });
            }
        }
        // That the end's values fit together follows from the log.
        let moves = value(START_MOVE) == 1;
        let transfers = moves || value(START_SETUP) == 1;
        for (index, free) in [
            (START_SETUP, !moves),
            (START_PTR, moves),
            (START_PTR + 1, moves),
            (START_LEFT, transfers),
        ] {
            if !free {
                self.expect_public(index, 0)?;
            }
        }
        Ok(())
    }

    fn expect_public(&self, index: usize, expected: u32) -> Result<(), StatementError> {
        let found = self.public[index];
        if found != expected {
            return Err(StatementError::Position {
                index,
                found,
                expected,
            });
        }
        Ok(())
    }

    fn check_boundary(&self) -> Result<(), StatementError> {
        let cycles = self.public[public::NUM_CYCLES];
        let most = cycles as usize + NUM_REGISTERS as usize;
        if self.boundary.len() > most {
            return Err(StatementError::BoundaryLength {
                found: self.boundary.len(),
                cycles,
                most,
            });
        }
        let mut previous = None;
        let mut num_registers = 0;
        for cell in &self.boundary {
            let Cell {
                address,
                first,
                last,
            } = *cell;
            match cell.register() {
                Some(NUM_REGISTERS..) => return Err(StatementError::BoundaryAddress { address }),
                Some(0) if (first, last) != (0, 0) => {
                    return Err(StatementError::ZeroRegister { first, last });
                }
                Some(_) => num_registers += 1,
                None => {}
            }
            if let Some(previous) = previous
                && address <= previous
            {
                return Err(StatementError::BoundaryOrder { address, previous });
            }
            previous = Some(address);
        }
        if num_registers != NUM_REGISTERS {
            return Err(StatementError::Registers {
                found: num_registers,
            });
        }
        Ok(())
    }

    fn check_log(&self) -> Result<(), StatementError> {
        let num_cycles = self.public[public::NUM_CYCLES];
        let mut walk = Walk::new(&self.public);
        let mut previous = None;
        for event in &self.log {
            let clk = event.clk;
            if let Some(previous) = previous
                && clk <= previous
            {
                return Err(StatementError::RowOrder { clk, previous });
            }
            if clk >= num_cycles {
                return Err(StatementError::RowRange { clk, num_cycles });
            }
            walk.step(event, num_cycles)?;
            previous = Some(clk);
        }
        if walk.phase != IoPhase::None && walk.row != num_cycles {
            return Err(walk.missing());
        }
        for (index, expected) in walk.end() {
            self.expect_public(index, expected)?;
        }
        Ok(())
    }
}

/// Which way a transfer goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    /// `read`: into memory.
    In,
    /// `write`: out of memory.
    Out,
}

/// What a log entry's kind says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// An `ecall`.
    Call,
    /// The second cycle of a transfer.
    Setup,
    /// A unit of this many bytes is moved.
    Move(Direction, u32),
}

impl Step {
    /// What a kind says, if it is known.
    pub(super) fn new(kind: u32) -> Option<Self> {
        let all = [
            Self::Call,
            Self::Setup,
            Self::Move(Direction::Out, 1),
            Self::Move(Direction::Out, 4),
            Self::Move(Direction::In, 1),
            Self::Move(Direction::In, 4),
        ];
        all.into_iter().find(|step| step.kind() == kind)
    }

    fn kind(self) -> u32 {
        let class = match self {
            Self::Setup => return Event::SETUP,
            Self::Call => Class::Ecall,
            Self::Move(Direction::Out, 1) => Class::Lb,
            Self::Move(Direction::Out, _) => Class::Lw,
            Self::Move(Direction::In, 1) => Class::Sb,
            Self::Move(Direction::In, _) => Class::Sw,
        };
        class as u32
    }
}

/// Position within a transfer, followed through the log.
struct Walk {
    phase: IoPhase,
    /// Unknown while the segment has shown neither the call nor a move of the transfer.
    direction: Option<Direction>,
    /// Address of the unit before, or of the first.
    at: u32,
    /// Bytes of the unit before; 0 if the next unit lies at `at`.
    unit: u32,
    /// Bytes left to move.
    left: u32,
    /// Row after the last entry.
    row: u32,
}

impl Walk {
    fn new(values: &[u32; public::COUNT]) -> Self {
        use public::*;
        let phase = match (values[START_SETUP], values[START_MOVE]) {
            (0, 0) => IoPhase::None,
            (_, 0) => IoPhase::Setup,
            _ => IoPhase::Move,
        };
        Self {
            phase,
            direction: None,
            at: values[START_PTR] | values[START_PTR + 1] << 16,
            unit: 0,
            left: values[START_LEFT],
            row: 0,
        }
    }

    fn missing(&self) -> StatementError {
        let expected = match self.phase {
            IoPhase::Setup => "setup",
            _ => "next move",
        };
        StatementError::Missing {
            clk: self.row,
            expected,
        }
    }

    fn step(&mut self, event: &Event, num_cycles: u32) -> Result<(), StatementError> {
        let Event { clk, kind, .. } = *event;
        let Some(step) = Step::new(kind) else {
            return Err(StatementError::Kind { clk, kind });
        };
        match (self.phase, step) {
            (IoPhase::Setup | IoPhase::Move, _) if clk != self.row => return Err(self.missing()),
            (IoPhase::None, Step::Call) => self.call(event, num_cycles)?,
            (IoPhase::Setup, Step::Setup) => self.setup(event)?,
            (IoPhase::Move, Step::Move(direction, _)) => self.transfer(event, direction)?,
            (IoPhase::None, _) => return Err(StatementError::Stray { clk, kind }),
            _ => return Err(self.missing()),
        }
        self.row = clk + 1;
        Ok(())
    }

    fn call(&mut self, event: &Event, num_cycles: u32) -> Result<(), StatementError> {
        let Event {
            clk,
            kind: _,
            a: number,
            b: _,
            result,
            left,
        } = *event;
        let direction = match number {
            SYS_READ => Some(Direction::In),
            SYS_WRITE => Some(Direction::Out),
            _ => None,
        };
        if direction.is_some() && result > MAX_TRANSFER_BYTES {
            return Err(StatementError::TooLong { clk, bytes: result });
        }
        let bytes = if direction.is_some() { result } else { 0 };
        expect(clk, "left", left, bytes)?;
        if (number == SYS_EXIT || number == SYS_EXIT_GROUP) && clk + 1 != num_cycles {
            return Err(StatementError::ExitNotLast { clk, num_cycles });
        }
        if direction.is_some() {
            (self.phase, self.direction, self.left) = (IoPhase::Setup, direction, bytes);
        }
        Ok(())
    }

    fn setup(&mut self, event: &Event) -> Result<(), StatementError> {
        let Event {
            clk,
            kind: _,
            a: address,
            b: _,
            result,
            left,
        } = *event;
        expect(clk, "left", left, self.left)?;
        expect(clk, "result", result, 0)?;
        (self.at, self.unit) = (address, 0);
        self.go_on();
        Ok(())
    }

    fn transfer(&mut self, event: &Event, direction: Direction) -> Result<(), StatementError> {
        let Event {
            clk,
            kind,
            a,
            b,
            result,
            left,
        } = *event;
        let address = self.at.wrapping_add(self.unit);
        let unit = if address.is_multiple_of(4) && self.left >= 4 {
            4
        } else {
            1
        };
        let direction = *self.direction.get_or_insert(direction);
        expect(clk, "kind", kind, Step::Move(direction, unit).kind())?;
        expect(clk, "a", a, self.at)?;
        // `left` is at least 1 in this phase, and at least 4 before a word.
        self.left -= unit;
        expect(clk, "left", left, self.left)?;
        match direction {
            Direction::In => {
                let data = if unit == 4 { b } else { b & 0xff };
                expect(clk, "b", b, data)?;
                expect(clk, "result", result, 0)?;
            }
            Direction::Out => {
                let byte = b.to_le_bytes()[(address % 4) as usize];
                let data = if unit == 4 { b } else { byte.into() };
                expect(clk, "result", result, data)?;
            }
        }
        (self.at, self.unit) = (address, unit);
        self.go_on();
        Ok(())
    }

    /// Goes to the next move, if there is one.
    fn go_on(&mut self) {
        if self.left == 0 {
            (self.phase, self.direction) = (IoPhase::None, None);
        } else {
            self.phase = IoPhase::Move;
        }
    }

    /// The public values that say where the transfer stands after the segment.
    fn end(&self) -> [(usize, u32); 6] {
        use public::*;
        let moves = self.phase == IoPhase::Move;
        let if_moves = |value: u32| if moves { value } else { 0 };
        let left = match self.phase {
            IoPhase::None => 0,
            _ => self.left,
        };
        [
            (END_SETUP, u32::from(self.phase == IoPhase::Setup)),
            (END_MOVE, u32::from(moves)),
            (END_PTR, if_moves(self.at & 0xffff)),
            (END_PTR + 1, if_moves(self.at >> 16)),
            (END_STEP, if_moves(self.unit)),
            (END_LEFT, left),
        ]
    }
}

fn expect(clk: u32, field: &'static str, found: u32, expected: u32) -> Result<(), StatementError> {
    if found != expected {
        return Err(StatementError::Field {
            clk,
            field,
            found,
            expected,
        });
    }
    Ok(())
}
