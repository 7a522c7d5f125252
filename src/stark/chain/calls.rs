//! The system call log, replayed: what each call returns and moves, as in `src/vm/exec.rs`.

use super::{Chain, ChainError};
use crate::stark::consistency::{Direction, Step};
use crate::stark::statement::Event;
use crate::vm::{
    Cause, IoPhase, MAX_OUTPUT_BYTES, MAX_TRANSFER_BYTES, NOT_IMPLEMENTED, SYS_ABSENT, SYS_BRK,
    SYS_EXIT, SYS_EXIT_GROUP, SYS_READ, SYS_WRITE,
};

impl Chain<'_> {
    /// Replays a log entry. That it is where it may be, and moves no more than is left to move, was
    /// checked by [`Statement::check`](crate::stark::Statement::check).
    pub(super) fn event(&mut self, segment: u32, event: &Event) -> Result<(), ChainError> {
        match Step::new(event.kind) {
            Some(Step::Call) => self.call(segment, event),
            Some(Step::Setup) => self.set_up(segment, event),
            Some(Step::Move(direction, unit)) => self.transfer(segment, event, direction, unit),
            None => unreachable!("`Statement::check` refuses unknown kinds"),
        }
    }

    fn call(&mut self, segment: u32, event: &Event) -> Result<(), ChainError> {
        let (clk, number, a0, found) = (event.clk, event.a, event.b, event.result);
        let trap = |cause| {
            Err(ChainError::Trap {
                segment,
                clk,
                cause,
            })
        };
        let expected = match number {
            SYS_READ | SYS_WRITE => {
                let known = if number == SYS_READ { 0..=0 } else { 1..=3 };
                if !known.contains(&a0) {
                    return trap(Cause::BadFileDescriptor { number, fd: a0 });
                }
                self.state.io_phase = IoPhase::Setup as u32;
                self.state.io_fd = a0;
                self.state.io_left = found;
                // The setup shows the length, and whether this was right.
                found
            }
            SYS_EXIT | SYS_EXIT_GROUP => {
                self.state.halted = 1;
                self.exit_code = Some(a0 & 0xff);
                a0
            }
            SYS_BRK => {
                if (self.program.brk()..=self.program.brk_limit()).contains(&a0) {
                    self.state.brk = a0;
                }
                self.state.brk
            }
            _ if SYS_ABSENT.contains(&number) => NOT_IMPLEMENTED,
            _ => return trap(Cause::UnknownSyscall { number }),
        };
        expect_result(segment, clk, number, found, expected)
    }

    /// The second cycle of a transfer, which shows pointer and length.
    fn set_up(&mut self, segment: u32, event: &Event) -> Result<(), ChainError> {
        let (clk, ptr, len) = (event.clk, event.a, event.b);
        let trap = |cause| {
            Err(ChainError::Trap {
                segment,
                clk,
                cause,
            })
        };
        let fd = self.state.io_fd;
        let mut moved = len.min(MAX_TRANSFER_BYTES);
        if u64::from(ptr) + u64::from(moved) > 1 << 32 {
            return trap(Cause::BadBuffer { ptr, len });
        }
        let number = if fd == 0 { SYS_READ } else { SYS_WRITE };
        if fd == 0 {
            let left = self.input.len() - self.state.input_pos as usize;
            moved = moved.min(u32::try_from(left).unwrap_or(u32::MAX));
            if let Some(addr) = self.program.overlaps_code(ptr, moved) {
                return trap(Cause::StoreIntoCode { addr });
            }
        } else if self.output(fd).len() + moved as usize > MAX_OUTPUT_BYTES {
            return trap(Cause::TooMuchOutput { fd });
        }
        expect_result(segment, clk, number, self.state.io_left, moved)?;
        self.state.io_ptr = ptr;
        self.go_on();
        Ok(())
    }

    fn transfer(
        &mut self,
        segment: u32,
        event: &Event,
        direction: Direction,
        unit: u32,
    ) -> Result<(), ChainError> {
        let clk = event.clk;
        let (expected, name) = match self.state.io_fd {
            0 => (Direction::In, "read"),
            _ => (Direction::Out, "write"),
        };
        if direction != expected {
            return Err(ChainError::Direction {
                segment,
                clk,
                expected: name,
            });
        }
        match direction {
            Direction::In => self.move_in(segment, event, unit)?,
            Direction::Out => {
                let data = &event.result.to_le_bytes()[..unit as usize];
                self.output(self.state.io_fd).extend_from_slice(data);
            }
        }
        self.state.io_ptr = self.state.io_ptr.wrapping_add(unit);
        self.state.io_left -= unit;
        self.go_on();
        Ok(())
    }

    fn move_in(&mut self, segment: u32, event: &Event, unit: u32) -> Result<(), ChainError> {
        let position = self.state.input_pos;
        // The setup cut the transfer to what is left of the input.
        let data = &self.input[position as usize..][..unit as usize];
        let expected = data
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
        if event.b != expected {
            return Err(ChainError::Input {
                segment,
                clk: event.clk,
                position,
                found: event.b,
                expected,
            });
        }
        self.state.input_pos += unit;
        Ok(())
    }

    /// Goes to the next move, if there is one.
    fn go_on(&mut self) {
        let state = &mut self.state;
        if state.io_left == 0 {
            (state.io_phase, state.io_fd, state.io_ptr) = (IoPhase::None as u32, 0, 0);
        } else {
            state.io_phase = IoPhase::Move as u32;
        }
    }

    fn output(&mut self, fd: u32) -> &mut Vec<u8> {
        match fd {
            1 => &mut self.stdout,
            2 => &mut self.stderr,
            _ => &mut self.journal,
        }
    }
}

fn expect_result(
    segment: u32,
    clk: u32,
    number: u32,
    found: u32,
    expected: u32,
) -> Result<(), ChainError> {
    if found != expected {
        return Err(ChainError::Result {
            segment,
            clk,
            number,
            found,
            expected,
        });
    }
    Ok(())
}
