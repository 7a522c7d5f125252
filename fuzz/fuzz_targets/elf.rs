//! Any bytes as an ELF file: an error or a program, and the program runs alike on both paths.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rewit::vm::{Program, Vm};

const CYCLES: u64 = 1000;
const INPUT: &[u8] = b"0123456789";

fuzz_target!(|file: &[u8]| {
    let Ok(program) = Program::from_elf(file.to_vec()) else {
        return;
    };
    let mut fast = Vm::new(&program, INPUT).expect("4 GiB of addresses can be reserved");
    let mut reference = Vm::new(&program, INPUT).expect("4 GiB of addresses can be reserved");
    assert_eq!(fast.run(CYCLES), reference.run_reference(CYCLES));
    assert_eq!(fast.state(), reference.state());
    assert_eq!(fast.stdout(), reference.stdout());
});
