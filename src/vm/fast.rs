//! The executor's inner loop.

use super::alu::{alu, branch_taken, load_value};
use super::code::{Code, Do};
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
    while left > 0 {
        // SAFETY: `ip < steps.len()` before the loop. The last step is `Slow` and ends the loop, so
        // an instruction that is executed here is not the last and `ip + 1` is in bounds; targets
        // of jumps and branches are in bounds by `Code`'s invariant, and `Jalr` checks its own.
        let step = unsafe { *steps.get_unchecked(ip) };
        let (rd, rs1, rs2) = (step.rd as usize, step.rs1 as usize, step.rs2 as usize);

        macro_rules! op {
            ($kind:ident) => {{
                regs[rd] = alu(Kind::$kind, regs[rs1], regs[rs2]);
                ip += 1;
            }};
        }
        macro_rules! op_imm {
            ($kind:ident) => {{
                regs[rd] = alu(Kind::$kind, regs[rs1], step.imm);
                ip += 1;
            }};
        }
        macro_rules! branch {
            ($kind:ident) => {{
                let taken = branch_taken(Kind::$kind, regs[rs1], regs[rs2]);
                ip = if taken { step.imm as usize } else { ip + 1 };
            }};
        }
        macro_rules! load {
            ($kind:ident, $align:expr) => {{
                let addr = regs[rs1].wrapping_add(step.imm);
                if addr & $align != 0 {
                    break;
                }
                let word = memory.word(addr);
                observer.access(memory, addr & !3, word, false);
                regs[rd] = load_value(Kind::$kind, addr, word);
                ip += 1;
            }};
        }
        macro_rules! store {
            ($set:ident, $ty:ty, $align:expr) => {{
                let addr = regs[rs1].wrapping_add(step.imm);
                if addr & $align != 0 || addr.wrapping_sub(base) < code_bytes {
                    break;
                }
                if O::ACTIVE {
                    observer.access(memory, addr & !3, memory.word(addr), true);
                }
                memory.$set(addr, regs[rs2] as $ty);
                ip += 1;
            }};
        }

        match step.act {
            Do::Slow => break,
            Do::Const => {
                regs[rd] = step.imm;
                ip += 1;
            }
            Do::Jump => ip = step.imm as usize,
            Do::Jal => {
                regs[rd] = base.wrapping_add(4 * (ip as u32 + 1));
                ip = step.imm as usize;
            }
            Do::Jalr => {
                let target = regs[rs1].wrapping_add(step.imm) & !1;
                // A target that is not a multiple of 4 has bit 1 set and rotates to at least 2^31.
                let index = target.wrapping_sub(base).rotate_right(2);
                if index >= num_ops {
                    break;
                }
                // SAFETY: index < num_ops < steps.len().
                if unsafe { steps.get_unchecked(index as usize) }.act == Do::Slow {
                    break;
                }
                regs[rd] = base.wrapping_add(4 * (ip as u32 + 1));
                ip = index as usize;
            }
            Do::Beq => branch!(Beq),
            Do::Bne => branch!(Bne),
            Do::Blt => branch!(Blt),
            Do::Bge => branch!(Bge),
            Do::Bltu => branch!(Bltu),
            Do::Bgeu => branch!(Bgeu),
            Do::Lb => load!(Lb, 0),
            Do::Lh => load!(Lh, 1),
            Do::Lw => load!(Lw, 3),
            Do::Lbu => load!(Lbu, 0),
            Do::Lhu => load!(Lhu, 1),
            Do::Sb => store!(set_byte, u8, 0),
            Do::Sh => store!(set_half, u16, 1),
            Do::Sw => store!(set_word, u32, 3),
            Do::Addi => op_imm!(Addi),
            Do::Slti => op_imm!(Slti),
            Do::Sltiu => op_imm!(Sltiu),
            Do::Xori => op_imm!(Xori),
            Do::Ori => op_imm!(Ori),
            Do::Andi => op_imm!(Andi),
            Do::Slli => op_imm!(Slli),
            Do::Srli => op_imm!(Srli),
            Do::Srai => op_imm!(Srai),
            Do::Add => op!(Add),
            Do::Sub => op!(Sub),
            Do::Sll => op!(Sll),
            Do::Slt => op!(Slt),
            Do::Sltu => op!(Sltu),
            Do::Xor => op!(Xor),
            Do::Srl => op!(Srl),
            Do::Sra => op!(Sra),
            Do::Or => op!(Or),
            Do::And => op!(And),
            Do::Mul => op!(Mul),
            Do::Mulh => op!(Mulh),
            Do::Mulhsu => op!(Mulhsu),
            Do::Mulhu => op!(Mulhu),
            Do::Div => op!(Div),
            Do::Divu => op!(Divu),
            Do::Rem => op!(Rem),
            Do::Remu => op!(Remu),
            Do::Fence => ip += 1,
        }
        left -= 1;
    }
    (ip, budget - left)
}
