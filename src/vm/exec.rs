//! Execution: system calls, traps, and the loop around the fast path.

use super::alu::{access_bytes, alu, branch_taken, load_value, store_merge};
use super::code::SINK;
use super::fast::{self, Registers};
use super::isa::{Kind, Op};
use super::loader::Program;
use super::memory::Memory;
use super::record::{NoRecord, Observer};
use super::state::{IoPhase, MachineState};
use super::trap::{Cause, Trap};
use crate::{Error, Result};

/// Most bytes one `read` or `write` moves; more is a short transfer, as on Linux.
pub const MAX_TRANSFER_BYTES: u32 = 1 << 30;

/// Most bytes that are kept of what a guest writes to one file descriptor; more is a trap.
pub const MAX_OUTPUT_BYTES: usize = 1 << 30;

pub(crate) const SYS_READ: u32 = 63;
pub(crate) const SYS_WRITE: u32 = 64;
pub(crate) const SYS_EXIT: u32 = 93;
pub(crate) const SYS_EXIT_GROUP: u32 = 94;
pub(crate) const SYS_BRK: u32 = 214;
/// `ioctl`, `openat`, `close`, `lseek`, `fstat`, `gettimeofday`, `clock_gettime64`: a C library's
/// stdio tries them and copes with failure.
pub(crate) const SYS_ABSENT: [u32; 7] = [29, 56, 57, 62, 80, 169, 403];
/// `-ENOSYS`.
pub(crate) const NOT_IMPLEMENTED: u32 = -38i32 as u32;

const A0: usize = 10;
const A1: usize = 11;
const A2: usize = 12;
const A7: usize = 17;

/// Why a run came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The allowed cycles are done.
    Limit,
    /// The guest exited with this code (0 to 255).
    Exit(u32),
    /// The guest trapped; registers and memory are as before the instruction.
    Trap(Trap),
    /// A resumed guest reads input that it was not given.
    InputMissing,
}

/// What one careful step did.
enum Event {
    Done,
    Exit(u32),
    Trap(Cause),
    InputMissing,
}

/// A running guest.
#[derive(Debug)]
pub struct Vm<'p> {
    program: &'p Program,
    memory: Memory,
    regs: Box<Registers>,
    /// `x` is stale: registers live in `regs`.
    state: MachineState,
    cycle: u64,
    input: &'p [u8],
    /// Position in the whole input of the first byte of `input`.
    input_base: u32,
    /// Length of the whole input, `None` if no read comes near its end.
    input_end: Option<u32>,
    hit_input_end: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    journal: Vec<u8>,
}

impl<'p> Vm<'p> {
    /// Starts `program` from the beginning.
    ///
    /// - `input`: what the guest reads from file descriptor 0.
    ///
    /// # Errors
    /// [`Error::Resource`] if memory cannot be reserved, [`Error::Usage`] if `input` has `2^32`
    /// bytes or more.
    pub fn new(program: &'p Program, input: &'p [u8]) -> Result<Self> {
        let Ok(len) = u32::try_from(input.len()) else {
            return Err(Error::Usage(format!(
                "guest input has {} bytes, expected fewer than 2^32",
                input.len()
            )));
        };
        let memory = program.initial_memory()?;
        Self::resume(
            program,
            memory,
            program.initial_state(),
            0,
            input,
            Some(len),
        )
    }

    /// Resumes `program` in the middle.
    ///
    /// - `memory`: its memory; code is taken from `program`, not from here.
    /// - `start_cycle`: cycles executed before, below `2^63`.
    /// - `input`: guest input from position `state.input_pos` on; may end early, see
    ///   [`Stop::InputMissing`].
    /// - `input_end`: length of the whole guest input, by which the result of a `read` is cut.
    ///   `None` is enough if no `read` before the run's end asks for more than there is.
    ///
    /// # Errors
    /// [`Error::Replay`] if `state` is not one the machine can be in or `start_cycle` is too large.
    pub fn resume(
        program: &'p Program,
        memory: Memory,
        state: MachineState,
        start_cycle: u64,
        input: &'p [u8],
        input_end: Option<u32>,
    ) -> Result<Self> {
        if !state.is_canonical() {
            return Err(Error::Replay("machine state is not canonical".into()));
        }
        if start_cycle >> 63 != 0 {
            return Err(Error::Replay(format!(
                "start cycle {start_cycle} is not below 2^63"
            )));
        }
        let mut regs = Box::new([0; 256]);
        regs[..32].copy_from_slice(&state.x);
        Ok(Self {
            program,
            memory,
            regs,
            state,
            cycle: start_cycle,
            input,
            input_base: state.input_pos,
            input_end,
            hit_input_end: false,
            stdout: vec![],
            stderr: vec![],
            journal: vec![],
        })
    }

    /// The program.
    pub fn program(&self) -> &'p Program {
        self.program
    }

    /// Cycles executed since the program's start.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Registers, program counter and position within a system call.
    pub fn state(&self) -> MachineState {
        let mut state = self.state;
        state.x.copy_from_slice(&self.regs[..32]);
        state
    }

    /// Memory as it is now.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Bytes written to file descriptor 1 so far.
    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// Bytes written to file descriptor 2 so far.
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }

    /// Bytes written to file descriptor 3, the public journal, so far.
    pub fn journal(&self) -> &[u8] {
        &self.journal
    }

    /// Whether a `read` asked for more than was left since this was last called.
    pub fn take_hit_input_end(&mut self) -> bool {
        std::mem::take(&mut self.hit_input_end)
    }

    /// Runs for at most `max_cycles` cycles.
    ///
    /// Stops after exactly that many, also inside a system call, unless the guest exits or traps
    /// before. Calling it again continues; after an exit or a trap it returns the same again.
    pub fn run(&mut self, max_cycles: u64) -> Stop {
        self.run_with(max_cycles, &mut NoRecord)
    }

    /// Runs as [`run`](Self::run), showing every access to `observer`.
    pub fn run_with<O: Observer>(&mut self, max_cycles: u64, observer: &mut O) -> Stop {
        self.run_loop::<O, true>(max_cycles, observer)
    }

    /// Runs as [`run`](Self::run), with every instruction on the careful path: some ten times
    /// slower, and the oracle that the fast path is tested against.
    pub fn run_reference(&mut self, max_cycles: u64) -> Stop {
        self.run_loop::<_, false>(max_cycles, &mut NoRecord)
    }

    fn run_loop<O: Observer, const FAST: bool>(
        &mut self,
        max_cycles: u64,
        observer: &mut O,
    ) -> Stop {
        let mut left = max_cycles;
        loop {
            if self.state.halted != 0 {
                return Stop::Exit(self.regs[A0] & 0xff);
            }
            if FAST && left > 0 && self.state.io_phase == 0 {
                left -= self.run_fast(left, observer);
            }
            if left == 0 {
                return Stop::Limit;
            }
            match self.step(observer) {
                Event::Done => {}
                Event::Exit(code) => {
                    self.cycle += 1;
                    return Stop::Exit(code);
                }
                Event::Trap(cause) => {
                    let trap = Trap {
                        pc: self.state.pc,
                        cycle: self.cycle,
                        cause,
                    };
                    return Stop::Trap(trap);
                }
                Event::InputMissing => return Stop::InputMissing,
            }
            self.cycle += 1;
            left -= 1;
        }
    }

    /// Runs plain instructions; returns the cycles executed.
    fn run_fast<O: Observer>(&mut self, budget: u64, observer: &mut O) -> u64 {
        let Some(ip) = self.program.op_index(self.state.pc) else {
            return 0;
        };
        let code = self.program.code();
        let (ip, cycles) = fast::run(
            code,
            ip,
            &mut self.regs,
            self.memory.view(),
            observer,
            budget,
        );
        self.state.pc = code.base() + 4 * ip as u32;
        self.cycle += cycles;
        cycles
    }

    fn set(&mut self, rd: u8, value: u32) {
        let rd = if rd == 0 { SINK } else { rd };
        self.regs[rd as usize] = value;
    }

    /// Executes one cycle of any kind.
    ///
    /// This is the meaning of every instruction; [`fast::run`] does the same for those that are
    /// frequent and cannot trap.
    fn step<O: Observer>(&mut self, observer: &mut O) -> Event {
        if self.state.io_phase != 0 {
            return self.step_transfer(observer);
        }
        let pc = self.state.pc;
        let Some(index) = self.program.op_index(pc) else {
            return Event::Trap(Cause::JumpOutsideCode { target: pc });
        };
        let Op {
            kind,
            rd,
            rs1,
            rs2,
            imm,
        } = self.program.ops()[index];
        let (a, b) = (self.regs[rs1 as usize], self.regs[rs2 as usize]);
        let mut next = pc.wrapping_add(4);
        match kind {
            Kind::Illegal => return Event::Trap(Cause::IllegalInstruction { word: imm }),
            Kind::Ebreak => return Event::Trap(Cause::Breakpoint),
            Kind::Ecall => return self.system_call(observer),
            Kind::Fence => {}
            Kind::Lui | Kind::Auipc => self.set(rd, imm),
            Kind::Jal | Kind::Jalr => {
                let target = if kind == Kind::Jal {
                    imm
                } else {
                    a.wrapping_add(imm) & !1
                };
                if let Err(cause) = self.check_target(target) {
                    return Event::Trap(cause);
                }
                self.set(rd, next);
                next = target;
            }
            Kind::Beq | Kind::Bne | Kind::Blt | Kind::Bge | Kind::Bltu | Kind::Bgeu => {
                if branch_taken(kind, a, b) {
                    if let Err(cause) = self.check_target(imm) {
                        return Event::Trap(cause);
                    }
                    next = imm;
                }
            }
            Kind::Lb | Kind::Lh | Kind::Lw | Kind::Lbu | Kind::Lhu => {
                let addr = a.wrapping_add(imm);
                if !addr.is_multiple_of(access_bytes(kind)) {
                    return Event::Trap(Cause::MisalignedLoad { addr });
                }
                let memory = self.memory.view();
                let word = memory.word(addr);
                observer.access(memory, addr & !3, word, false);
                self.set(rd, load_value(kind, addr, word));
            }
            Kind::Sb | Kind::Sh | Kind::Sw => {
                let addr = a.wrapping_add(imm);
                if !addr.is_multiple_of(access_bytes(kind)) {
                    return Event::Trap(Cause::MisalignedStore { addr });
                }
                if self
                    .program
                    .overlaps_code(addr, access_bytes(kind))
                    .is_some()
                {
                    return Event::Trap(Cause::StoreIntoCode { addr });
                }
                let memory = self.memory.view();
                let word = memory.word(addr);
                observer.access(memory, addr & !3, word, true);
                memory.set_word(addr, store_merge(kind, addr, word, b));
            }
            Kind::Addi
            | Kind::Slti
            | Kind::Sltiu
            | Kind::Xori
            | Kind::Ori
            | Kind::Andi
            | Kind::Slli
            | Kind::Srli
            | Kind::Srai => self.set(rd, alu(kind, a, imm)),
            _ => self.set(rd, alu(kind, a, b)),
        }
        self.state.pc = next;
        Event::Done
    }

    fn check_target(&self, target: u32) -> Result<(), Cause> {
        if !target.is_multiple_of(4) {
            return Err(Cause::MisalignedJump { target });
        }
        if !self.program.is_code(target) {
            return Err(Cause::JumpOutsideCode { target });
        }
        Ok(())
    }

    /// Executes the `ecall` cycle of a system call.
    fn system_call<O: Observer>(&mut self, observer: &mut O) -> Event {
        let (number, a0) = (self.regs[A7], self.regs[A0]);
        let mut event = Event::Done;
        let mut transfer = false;
        let result = match number {
            SYS_READ | SYS_WRITE => match self.start_transfer(number, a0) {
                Ok(Some(len)) => {
                    transfer = true;
                    len
                }
                Ok(None) => return Event::InputMissing,
                Err(cause) => return Event::Trap(cause),
            },
            SYS_EXIT | SYS_EXIT_GROUP => {
                self.state.halted = 1;
                event = Event::Exit(a0 & 0xff);
                a0
            }
            // Lowering the break keeps what was above it: memory is not cleared, unlike on Linux.
            SYS_BRK => {
                if (self.program.brk()..=self.program.brk_limit()).contains(&a0) {
                    self.state.brk = a0;
                }
                self.state.brk
            }
            _ if SYS_ABSENT.contains(&number) => NOT_IMPLEMENTED,
            _ => return Event::Trap(Cause::UnknownSyscall { number }),
        };
        self.regs[A0] = result;
        observer.host(result);
        if transfer {
            self.state.io_phase = IoPhase::Setup as u32;
            self.state.io_fd = a0;
            self.state.io_left = result;
        } else {
            self.state.pc = self.state.pc.wrapping_add(4);
        }
        event
    }

    /// Checks a `read` or `write`; returns the bytes it will move, `None` if that depends on input
    /// this machine was not given.
    fn start_transfer(&mut self, number: u32, fd: u32) -> Result<Option<u32>, Cause> {
        let known = if number == SYS_READ {
            fd == 0
        } else {
            (1..=3).contains(&fd)
        };
        if !known {
            return Err(Cause::BadFileDescriptor { number, fd });
        }
        let (ptr, len) = (self.regs[A1], self.regs[A2]);
        let mut moved = len.min(MAX_TRANSFER_BYTES);
        if u64::from(ptr) + u64::from(moved) > 1 << 32 {
            return Err(Cause::BadBuffer { ptr, len });
        }
        if number == SYS_READ {
            if let Some(end) = self.input_end {
                let Some(left) = end.checked_sub(self.state.input_pos) else {
                    return Ok(None);
                };
                if moved > left {
                    self.hit_input_end = true;
                    moved = left;
                }
            }
            if let Some(addr) = self.program.overlaps_code(ptr, moved) {
                return Err(Cause::StoreIntoCode { addr });
            }
        } else if self.output(fd).len() + moved as usize > MAX_OUTPUT_BYTES {
            return Err(Cause::TooMuchOutput { fd });
        }
        Ok(Some(moved))
    }

    /// Executes a later cycle of a `read` or `write`.
    fn step_transfer<O: Observer>(&mut self, observer: &mut O) -> Event {
        if self.state.io_phase == IoPhase::Setup as u32 {
            self.state.io_phase = IoPhase::Move as u32;
            self.state.io_ptr = self.regs[A1];
        } else {
            let ptr = self.state.io_ptr;
            let bytes = if ptr.is_multiple_of(4) && self.state.io_left >= 4 {
                4
            } else {
                1
            };
            let event = if self.state.io_fd == 0 {
                self.move_in(ptr, bytes, observer)
            } else {
                self.move_out(ptr, bytes, observer)
            };
            let Event::Done = event else {
                return event;
            };
            self.state.io_ptr = ptr.wrapping_add(bytes);
            self.state.io_left -= bytes;
        }
        if self.state.io_left == 0 {
            self.state.io_phase = IoPhase::None as u32;
            self.state.io_fd = 0;
            self.state.io_ptr = 0;
            self.state.pc = self.state.pc.wrapping_add(4);
        }
        Event::Done
    }

    fn move_in<O: Observer>(&mut self, ptr: u32, bytes: u32, observer: &mut O) -> Event {
        // Checked at the `ecall` for the whole buffer; a resumed state may be past that.
        if self.program.is_code(ptr) {
            return Event::Trap(Cause::StoreIntoCode { addr: ptr });
        }
        let at = self.state.input_pos.wrapping_sub(self.input_base) as usize;
        let Some(data) = self.input.get(at..at + bytes as usize) else {
            return Event::InputMissing;
        };
        let memory = self.memory.view();
        observer.access(memory, ptr & !3, memory.word(ptr), true);
        if let Ok(word) = data.try_into() {
            let word = u32::from_le_bytes(word);
            observer.host(word);
            memory.set_word(ptr, word);
        } else {
            observer.host(u32::from(data[0]));
            memory.set_byte(ptr, data[0]);
        }
        self.state.input_pos = self.state.input_pos.wrapping_add(bytes);
        Event::Done
    }

    fn output(&mut self, fd: u32) -> &mut Vec<u8> {
        match fd {
            1 => &mut self.stdout,
            2 => &mut self.stderr,
            _ => &mut self.journal,
        }
    }

    fn move_out<O: Observer>(&mut self, ptr: u32, bytes: u32, observer: &mut O) -> Event {
        let memory = self.memory.view();
        let word = memory.word(ptr);
        observer.access(memory, ptr & !3, word, false);
        let out = self.output(self.state.io_fd);
        let first = (ptr & 3) as usize;
        out.extend_from_slice(&word.to_le_bytes()[first..first + bytes as usize]);
        Event::Done
    }
}
