//! Every trap: its cause, its pc, its cycle, and that nothing changed.

mod common;

use common::{CODE, DATA, Load, RX, asm, elf, program};
use rewit::vm::{Cause, Program, Stop, Trap, Vm};

/// Runs `code` on the fast and the careful path and checks the trap at instruction `at`.
///
/// No jump is taken before the trap, so its cycle is `at` too.
fn traps(code: &[u32], at: u32, cause: Cause) {
    let data: Vec<u8> = (0..64).collect();
    let program = Program::from_elf(program(code, &data)).unwrap();
    let trap = Trap {
        pc: CODE + 4 * at,
        cycle: u64::from(at),
        cause,
    };
    for reference in [false, true] {
        let run = |vm: &mut Vm<'_>, n| {
            if reference {
                vm.run_reference(n)
            } else {
                vm.run(n)
            }
        };
        let mut vm = Vm::new(&program, b"some input").unwrap();
        assert_eq!(run(&mut vm, u64::from(at)), Stop::Limit);
        let before = vm.state();
        assert_eq!(before.pc, trap.pc);
        assert_eq!(run(&mut vm, 0), Stop::Limit);
        for _ in 0..2 {
            assert_eq!(run(&mut vm, 1000), Stop::Trap(trap));
            assert_eq!(vm.state(), before, "a trap must leave the state alone");
            assert_eq!(
                vm.memory().bytes(DATA, 64),
                data,
                "a trap must leave memory alone"
            );
        }
        // In one go.
        let mut vm = Vm::new(&program, b"some input").unwrap();
        assert_eq!(run(&mut vm, u64::MAX), Stop::Trap(trap));
        assert_eq!(vm.state(), before);
    }
}

/// `li` to `reg`, padded, then `op` as the instruction with index 3.
fn with(reg: u32, value: u32, op: u32) -> Vec<u32> {
    let [a, b] = asm::li(reg, value);
    vec![asm::FENCE, a, b, op, asm::addi(1, 1, 1)]
}

#[test]
fn illegal_instruction() {
    traps(
        &[asm::FENCE, 0xffff_ffff],
        1,
        Cause::IllegalInstruction { word: 0xffff_ffff },
    );
    traps(&[0, asm::FENCE], 0, Cause::IllegalInstruction { word: 0 });
}

#[test]
fn breakpoint() {
    traps(&[asm::FENCE, asm::EBREAK], 1, Cause::Breakpoint);
}

#[test]
fn jumps_that_leave_the_code() {
    let out = |target| Cause::JumpOutsideCode { target };
    traps(&[asm::FENCE, asm::jal(1, -8)], 1, out(CODE - 4));
    traps(&[asm::FENCE, asm::jal(0, 4)], 1, out(CODE + 8));
    traps(
        &[asm::FENCE, asm::branch(0, 0, 0, -2048)],
        1,
        out(CODE + 4 - 2048),
    );
    for target in [0, CODE - 4, CODE + 20, DATA, 0xffff_fffc] {
        traps(&with(5, target, asm::jalr(5, 5, 0)), 3, out(target));
        traps(&with(5, target, asm::jalr(5, 5, 1)), 3, out(target));
    }
    // Off the end: the last instruction is executed.
    traps(&[asm::FENCE, asm::addi(1, 0, 1)], 2, out(CODE + 8));
    // A branch elsewhere that is not taken is no trap.
    traps(
        &[asm::branch(1, 0, 0, -2048), asm::EBREAK],
        1,
        Cause::Breakpoint,
    );
}

#[test]
fn jumps_to_addresses_that_are_not_multiples_of_four() {
    let misaligned = |target| Cause::MisalignedJump { target };
    traps(&[asm::FENCE, asm::jal(1, 6)], 1, misaligned(CODE + 10));
    traps(
        &[asm::FENCE, asm::branch(0, 0, 0, 2)],
        1,
        misaligned(CODE + 6),
    );
    traps(&with(5, CODE, asm::jalr(5, 5, 2)), 3, misaligned(CODE + 2));
    traps(&with(5, CODE, asm::jalr(5, 5, 3)), 3, misaligned(CODE + 2));
}

#[test]
fn a_jump_to_an_illegal_word_succeeds() {
    let mut code = with(5, CODE + 16, asm::jalr(1, 5, 0));
    code[4] = 0;
    traps(&code, 4, Cause::IllegalInstruction { word: 0 });
}

#[test]
fn misaligned_accesses() {
    for (funct3, offsets) in [(1, &[1, 3][..]), (5, &[1, 3]), (2, &[1, 2, 3])] {
        for &offset in offsets {
            let addr = DATA + offset as u32;
            let load = asm::load(funct3, 5, 5, offset);
            traps(&with(5, DATA, load), 3, Cause::MisalignedLoad { addr });
            if funct3 < 4 {
                let store = asm::store(funct3, 5, 5, offset);
                traps(&with(5, DATA, store), 3, Cause::MisalignedStore { addr });
            }
        }
    }
}

#[test]
fn stores_into_code() {
    for funct3 in 0..3 {
        for addr in [CODE, CODE + 16] {
            let store = asm::store(funct3, 5, 5, 0);
            traps(&with(5, addr, store), 3, Cause::StoreIntoCode { addr });
        }
    }
    // Just before and after is fine.
    for addr in [CODE - 4, CODE + 20] {
        let mut code = with(5, addr, asm::sw(5, 5, 0));
        code[4] = asm::EBREAK;
        traps(&code, 4, Cause::Breakpoint);
    }
    // Misalignment is noticed first.
    let addr = CODE + 1;
    traps(
        &with(5, CODE, asm::sw(5, 5, 1)),
        3,
        Cause::MisalignedStore { addr },
    );
}

#[test]
fn system_calls() {
    // Seven instructions set four registers, then the ecall.
    let call = |number: u32, a0, a1, a2, cause| {
        let mut code = asm::syscall(number, &[a0, a1, a2]);
        code.push(asm::addi(1, 1, 1));
        traps(&code, 7, cause);
    };
    call(1000, 1, 2, 3, Cause::UnknownSyscall { number: 1000 });
    call(0, 1, 2, 3, Cause::UnknownSyscall { number: 0 });
    for fd in [1, 2, 3, 4, u32::MAX] {
        call(63, fd, DATA, 4, Cause::BadFileDescriptor { number: 63, fd });
    }
    for fd in [0, 4, u32::MAX] {
        call(64, fd, DATA, 4, Cause::BadFileDescriptor { number: 64, fd });
    }
    let (ptr, len) = (0xffff_fff0, 17);
    call(63, 0, ptr, len, Cause::BadBuffer { ptr, len });
    call(64, 1, ptr, len, Cause::BadBuffer { ptr, len });
    let (ptr, len) = (0xffff_fff0, u32::MAX);
    call(64, 1, ptr, len, Cause::BadBuffer { ptr, len });
    call(63, 0, CODE + 4, 1, Cause::StoreIntoCode { addr: CODE + 4 });
    call(63, 0, CODE - 2, 3, Cause::StoreIntoCode { addr: CODE });
}

#[test]
fn a_buffer_may_end_where_the_address_space_does() {
    let mut code = asm::syscall(64, &[1, 0xffff_fff1, 15]);
    code.extend(asm::syscall(63, &[0, CODE - 2, 2]));
    // Nothing of the input is left for what would reach the code.
    code.extend(asm::syscall(63, &[0, CODE - 2, 100]));
    code.extend(asm::syscall(93, &[0]));
    let program = Program::from_elf(program(&code, &[])).unwrap();
    let mut vm = Vm::new(&program, b"ab").unwrap();
    assert_eq!(vm.run(u64::MAX), Stop::Exit(0));
    assert_eq!(vm.stdout(), [0; 15]);
    assert_eq!(vm.memory().bytes(CODE - 2, 2), b"ab");
}

#[test]
fn holes_between_code_segments_are_not_code() {
    let words = |code: &[u32]| {
        code.iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let hole = CODE + 0x1000;
    let run = |first: &[u32]| {
        let second = asm::syscall(93, &[7]);
        let loads = [
            Load::new(CODE, RX, words(first)),
            Load::new(CODE + 0x2000, RX, words(&second)),
        ];
        let program = Program::from_elf(elf(CODE, &loads)).unwrap();
        let mut vm = Vm::new(&program, &[]).unwrap();
        let stop = vm.run(u64::MAX);
        let mut reference = Vm::new(&program, &[]).unwrap();
        assert_eq!(stop, reference.run_reference(u64::MAX));
        assert_eq!(vm.state(), reference.state());
        stop
    };
    let trap = |at: u32, cause| {
        Stop::Trap(Trap {
            pc: CODE + 4 * at,
            cycle: u64::from(at),
            cause,
        })
    };
    assert_eq!(run(&[asm::jal(0, 0x2000)]), Stop::Exit(7));
    let out = Cause::JumpOutsideCode { target: hole };
    assert_eq!(run(&[asm::jal(0, 0x1000)]), trap(0, out));
    let [a, b] = asm::li(5, hole);
    assert_eq!(run(&[a, b, asm::jalr(0, 5, 0)]), trap(2, out));
    let end = Cause::JumpOutsideCode { target: CODE + 8 };
    assert_eq!(run(&[asm::FENCE, asm::FENCE]), trap(2, end));
    // Data in the hole can be written.
    assert_eq!(
        run(&[a, b, asm::sw(5, 5, 0), asm::EBREAK]),
        trap(3, Cause::Breakpoint)
    );
}

/// What a guest writes is kept, up to a limit; the write that would pass it traps at its `ecall`.
#[test]
fn too_much_output() {
    let mut code = asm::syscall(64, &[1, DATA, 1]);
    let before = code.len() as u32;
    code.extend(asm::syscall(64, &[1, 0, 1 << 30]));
    let program = Program::from_elf(program(&code, &[1; 64])).unwrap();
    let mut vm = Vm::new(&program, &[]).unwrap();
    let Stop::Trap(trap) = vm.run(1000) else {
        panic!("the second write must trap");
    };
    assert_eq!(trap.cause, Cause::TooMuchOutput { fd: 1 });
    assert_eq!(vm.stdout(), [1]);
    assert!(trap.pc > CODE + 4 * before);
}
