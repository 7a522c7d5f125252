//! The executor's inner loop.

use super::alu::{alu, branch_taken, load_value};
use super::code::{Code, Do, pairs};
use super::isa::Kind;
use super::memory::View;
use super::record::Observer;

/// Registers, indexed by a byte so that no access needs a bounds check: `x0` to `x31`, then the
/// register that writes to `x0` go to; the rest is unused.
pub(super) type Registers = [u32; 256];

/// Executes from the instruction with index `ip` until `budget` cycles are done or an instruction
/// comes up that only the careful path can execute (a system call, a trap, a store near code).
///
/// - `ip`: at most the number of instructions.
/// - returns: the index of the next instruction, and the cycles executed.
#[inline(never)]
pub(super) fn run<O: Observer>(
    code: &Code,
    mut ip: usize,
    regs: &mut Registers,
    memory: View<'_>,
    observer: &mut O,
    budget: u64,
) -> (usize, u64) {
    let steps = code.steps();
    let base = code.base();
    let num_ops = (steps.len() - 1) as u32;
    let code_bytes = 4 * num_ops;
    assert!(
        ip < steps.len(),
        "the next instruction must be inside the code or just after it"
    );

    let mut left = budget;
    while left >= 2 {
        // SAFETY: `ip < steps.len()` before the loop. The last step is `Slow` and ends the loop, so
        // an instruction that is executed here is not the last and `ip + 1` is in bounds; targets
        // of jumps and branches are in bounds by `Code`'s invariant, and `Jalr` checks its own.
        let mut step = unsafe { *steps.get_unchecked(ip) };

        macro_rules! op {
            ($kind:ident) => {{
                let (a, b) = (regs[step.rs1 as usize], regs[step.rs2 as usize]);
                regs[step.rd as usize] = alu(Kind::$kind, a, b);
                ip += 1;
            }};
        }
        macro_rules! op_imm {
            ($kind:ident) => {{
                regs[step.rd as usize] = alu(Kind::$kind, regs[step.rs1 as usize], step.imm);
                ip += 1;
            }};
        }
        macro_rules! branch {
            ($kind:ident) => {{
                let (a, b) = (regs[step.rs1 as usize], regs[step.rs2 as usize]);
                ip = if branch_taken(Kind::$kind, a, b) {
                    step.imm as usize
                } else {
                    ip + 1
                };
            }};
        }
        macro_rules! load {
            ($kind:ident, $bytes:expr) => {{
                let addr = regs[step.rs1 as usize].wrapping_add(step.imm);
                if !addr.is_multiple_of($bytes) {
                    break;
                }
                let word = memory.word(addr);
                observer.access(memory, addr & !3, word, false);
                regs[step.rd as usize] = load_value(Kind::$kind, addr, word);
                ip += 1;
            }};
        }
        macro_rules! store {
            ($set:ident, $ty:ty) => {{
                let addr = regs[step.rs1 as usize].wrapping_add(step.imm);
                if !addr.is_multiple_of(size_of::<$ty>() as u32)
                    || addr.wrapping_sub(base) < code_bytes
                {
                    break;
                }
                if O::ACTIVE {
                    observer.access(memory, addr & !3, memory.word(addr), true);
                }
                memory.$set(addr, regs[step.rs2 as usize] as $ty);
                ip += 1;
            }};
        }
        macro_rules! act {
            (Const) => {{
                regs[step.rd as usize] = step.imm;
                ip += 1;
            }};
            (Jump) => {
                ip = step.imm as usize
            };
            (Jal) => {{
                regs[step.rd as usize] = base.wrapping_add(4 * (ip as u32 + 1));
                ip = step.imm as usize;
            }};
            (Jalr) => {{
                let target = regs[step.rs1 as usize].wrapping_add(step.imm) & !1;
                // A target that is not a multiple of 4 has bit 1 set and rotates to at least 2^31.
                let index = target.wrapping_sub(base).rotate_right(2);
                if index >= num_ops {
                    break;
                }
                // SAFETY: index < num_ops < steps.len().
                if unsafe { steps.get_unchecked(index as usize) }.act == Do::Slow {
                    break;
                }
                regs[step.rd as usize] = base.wrapping_add(4 * (ip as u32 + 1));
                ip = index as usize;
            }};
            (Beq) => {
                branch!(Beq)
            };
            (Bne) => {
                branch!(Bne)
            };
            (Blt) => {
                branch!(Blt)
            };
            (Bge) => {
                branch!(Bge)
            };
            (Bltu) => {
                branch!(Bltu)
            };
            (Bgeu) => {
                branch!(Bgeu)
            };
            (Lb) => {
                load!(Lb, 1)
            };
            (Lh) => {
                load!(Lh, 2)
            };
            (Lw) => {
                load!(Lw, 4)
            };
            (Lbu) => {
                load!(Lbu, 1)
            };
            (Lhu) => {
                load!(Lhu, 2)
            };
            (Sb) => {
                store!(set_byte, u8)
            };
            (Sh) => {
                store!(set_half, u16)
            };
            (Sw) => {
                store!(set_word, u32)
            };
            (Addi) => {
                op_imm!(Addi)
            };
            (Slti) => {
                op_imm!(Slti)
            };
            (Sltiu) => {
                op_imm!(Sltiu)
            };
            (Xori) => {
                op_imm!(Xori)
            };
            (Ori) => {
                op_imm!(Ori)
            };
            (Andi) => {
                op_imm!(Andi)
            };
            (Slli) => {
                op_imm!(Slli)
            };
            (Srli) => {
                op_imm!(Srli)
            };
            (Srai) => {
                op_imm!(Srai)
            };
            (Fence) => {
                ip += 1
            };
            ($kind:ident) => {
                op!($kind)
            };
        }
        macro_rules! dispatch {
            ($($pair:ident $first:ident $second:ident;)*) => {
                match step.act {
                    Do::Slow => break,
                    Do::Const => act!(Const),
                    Do::Jump => act!(Jump),
                    Do::Jal => act!(Jal),
                    Do::Jalr => act!(Jalr),
                    Do::Beq => act!(Beq),
                    Do::Bne => act!(Bne),
                    Do::Blt => act!(Blt),
                    Do::Bge => act!(Bge),
                    Do::Bltu => act!(Bltu),
                    Do::Bgeu => act!(Bgeu),
                    Do::Lb => act!(Lb),
                    Do::Lh => act!(Lh),
                    Do::Lw => act!(Lw),
                    Do::Lbu => act!(Lbu),
                    Do::Lhu => act!(Lhu),
                    Do::Sb => act!(Sb),
                    Do::Sh => act!(Sh),
                    Do::Sw => act!(Sw),
                    Do::Addi => act!(Addi),
                    Do::Slti => act!(Slti),
                    Do::Sltiu => act!(Sltiu),
                    Do::Xori => act!(Xori),
                    Do::Ori => act!(Ori),
                    Do::Andi => act!(Andi),
                    Do::Slli => act!(Slli),
                    Do::Srli => act!(Srli),
                    Do::Srai => act!(Srai),
                    Do::Add => act!(Add),
                    Do::Sub => act!(Sub),
                    Do::Sll => act!(Sll),
                    Do::Slt => act!(Slt),
                    Do::Sltu => act!(Sltu),
                    Do::Xor => act!(Xor),
                    Do::Srl => act!(Srl),
                    Do::Sra => act!(Sra),
                    Do::Or => act!(Or),
                    Do::And => act!(And),
                    Do::Mul => act!(Mul),
                    Do::Mulh => act!(Mulh),
                    Do::Mulhsu => act!(Mulhsu),
                    Do::Mulhu => act!(Mulhu),
                    Do::Div => act!(Div),
                    Do::Divu => act!(Divu),
                    Do::Rem => act!(Rem),
                    Do::Remu => act!(Remu),
                    Do::Fence => act!(Fence),
                    $(Do::$pair => {
                        act!($first);
                        left -= 1;
                        // SAFETY: the first of a pair is not the last step, see above.
                        step = unsafe { *steps.get_unchecked(ip) };
                        act!($second);
                    })*
                }
            };
        }
        pairs!(dispatch);
        left -= 1;
    }
    (ip, budget - left)
}
