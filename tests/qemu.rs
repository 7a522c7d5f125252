//! The machine against `qemu-riscv32`: random sequences of every instruction class.

mod common;

use common::sequences::{self, Class, RECORD, SEQUENCES, build};
use common::{Rng, qemu};
use rewit::vm::{Program, Stop, Vm};

fn check(class: Class, seed: u64) {
    let exit_code = (seed as u32).wrapping_mul(97);
    let elf = build(class, seed, exit_code);
    let mut rng = Rng::new(seed ^ 0xabcd);
    let input: Vec<u8> = (0..20_000).map(|_| rng.word() as u8).collect();
    let Some((stdout, code)) = qemu(&elf, &input) else {
        return;
    };
    assert_eq!(
        code as u32,
        exit_code & 0xff,
        "qemu must run the whole file"
    );

    let program = Program::from_elf(elf).unwrap();
    let mut vm = Vm::new(&program, &input).unwrap();
    assert_eq!(vm.run(u64::MAX), Stop::Exit(code as u32));
    compare(&stdout, vm.stdout());

    let mut vm = Vm::new(&program, &input).unwrap();
    assert_eq!(vm.run_reference(u64::MAX), Stop::Exit(code as u32));
    compare(&stdout, vm.stdout());
}

fn compare(qemu: &[u8], ours: &[u8]) {
    assert_eq!(qemu.len(), ours.len(), "length of standard output");
    if let Some(at) = qemu.iter().zip(ours).position(|(a, b)| a != b) {
        let tail = ours.len() - (RECORD * SEQUENCES) as usize;
        let in_records = at.checked_sub(tail);
        let place = in_records.map(|n| (n / RECORD as usize, n % RECORD as usize / 4));
        panic!("outputs differ at byte {at}: (sequence, word of its record) = {place:?}");
    }
}

macro_rules! classes {
    ($($class:ident)*) => {
        $(
            #[test]
            fn $class() {
                for seed in 1..=2 {
                    check(super::sequences::$class, seed);
                }
            }
        )*
    };
}

/// 500 sequences of each class.
mod agrees_with_qemu {
    use super::check;

    classes! { op_imm op upper branches jumps loads stores multiply divide mixed syscalls }
}
