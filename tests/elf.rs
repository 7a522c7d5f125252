//! Malformed ELF files give errors, never panics; what is accepted runs without panics.

mod common;

use common::{CODE, DATA, Load, RW, RWX, RX, asm, elf, program};
use proptest::prelude::*;
use rewit::vm::{ElfError, Program, Stop, Vm};

fn small() -> Vec<u8> {
    let mut code = asm::syscall(63, &[0, DATA, 8]);
    code.extend(asm::syscall(64, &[1, DATA, 13]));
    code.extend(asm::syscall(93, &[7]));
    program(&code, b"hello, world\n")
}

/// Loads `file` and, if it is accepted, executes it on both paths.
fn try_out(file: Vec<u8>) -> Result<(), ElfError> {
    let program = Program::from_elf(file)?;
    let mut vm = Vm::new(&program, b"0123456789").unwrap();
    let stop = vm.run(10_000);
    let mut reference = Vm::new(&program, b"0123456789").unwrap();
    assert_eq!(stop, reference.run_reference(10_000));
    assert_eq!(vm.state(), reference.state());
    Ok(())
}

#[test]
fn the_small_file_runs() {
    let program = Program::from_elf(small()).unwrap();
    assert_eq!((program.entry(), program.code_base()), (CODE, CODE));
    assert_eq!(program.brk(), DATA + 4096);
    let mut vm = Vm::new(&program, b"HELLO").unwrap();
    assert_eq!(vm.run(1000), Stop::Exit(7));
    assert_eq!(vm.stdout(), b"HELLO, world\n");
}

#[test]
fn every_truncation_is_refused() {
    let file = small();
    for len in 0..file.len() {
        let result = try_out(file[..len].to_vec());
        assert!(
            result.is_err(),
            "accepted when cut to {len} of {} bytes",
            file.len()
        );
    }
}

#[test]
fn every_flipped_bit_of_the_headers_is_handled() {
    let file = small();
    for bit in 0..(52 + 64) * 8 {
        let mut file = file.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        let _ = try_out(file);
    }
}

/// The message for `file` with `value` at `offset`.
fn message(file: &[u8], offset: usize, value: &[u8]) -> String {
    let mut file = file.to_vec();
    file[offset..offset + value.len()].copy_from_slice(value);
    Program::from_elf(file)
        .expect_err("must be refused")
        .to_string()
}

#[test]
fn errors_name_what_was_found_and_what_was_expected() {
    let file = small();
    let cases: &[(usize, &[u8], &str)] = &[
        (
            0,
            b"MZ",
            "magic at offset 0 is 0x4d5a4c46, expected 0x7f454c46 (\\x7fELF)",
        ),
        (4, &[2], "EI_CLASS at offset 4 is 0x2, expected 1 (32-bit)"),
        (
            5,
            &[2],
            "EI_DATA at offset 5 is 0x2, expected 1 (little endian)",
        ),
        (
            16,
            &[3],
            "e_type at offset 16 is 0x3, expected 2 (ET_EXEC); link with -static -no-pie",
        ),
        (
            18,
            &[62],
            "e_machine at offset 18 is 0x3e, expected 243 (RISC-V)",
        ),
        (
            36,
            &[1],
            "e_flags at offset 36 is 0x1, expected no RVC bit; compile with -march=rv32im",
        ),
        (
            36,
            &[4],
            "e_flags at offset 36 is 0x4, expected no float ABI; use -mabi=ilp32",
        ),
        (
            24,
            &[2],
            "e_entry at offset 24 is 0x00010002, expected a multiple of 4 inside the code",
        ),
        (
            52,
            &[3],
            "program header 0 is PT_INTERP: not statically linked; link with -static",
        ),
        (
            52 + 24,
            &[6],
            "no executable code: no PT_LOAD program header with PF_X holds an instruction",
        ),
    ];
    for (offset, value, expected) in cases {
        assert_eq!(message(&file, *offset, value), *expected);
    }
}

#[test]
fn segments_that_do_not_fit_are_refused() {
    let code = Load::new(CODE, RX, vec![0x73; 64]);
    let refused = |load: Load| {
        let code = Load::new(code.addr, code.flags, code.bytes.clone());
        Program::from_elf(elf(CODE, &[code, load])).expect_err("must be refused")
    };
    let sized = |addr, mem_bytes| Load {
        addr,
        flags: RW,
        bytes: vec![1; 8],
        mem_bytes,
    };
    assert!(matches!(
        refused(sized(0xffff_fff0, 17)),
        ElfError::SegmentBounds { .. }
    ));
    assert!(matches!(
        refused(sized(0xffff_fff0, u32::MAX)),
        ElfError::SegmentBounds { .. }
    ));
    assert!(matches!(
        refused(sized(DATA, 7)),
        ElfError::SegmentBounds { .. }
    ));
    assert!(matches!(
        refused(sized(CODE + 63, 8)),
        ElfError::Overlap { .. }
    ));
    assert!(matches!(
        refused(sized(CODE - 8, 9)),
        ElfError::Overlap { .. }
    ));
    assert!(matches!(
        refused(sized(0x6fff_fff8, 9)),
        ElfError::OnStack { .. }
    ));
    assert!(matches!(
        refused(sized(0x7fff_eff8, 8)),
        ElfError::OnStack { .. }
    ));
    let far = Load::new(CODE + (64 << 20), RX, vec![0; 64]);
    assert!(matches!(refused(far), ElfError::CodeTooLarge { .. }));
}

/// GNU ld puts the headers of a file with code at 0x80000000 in the page before it.
#[test]
fn headers_may_lie_in_the_page_before_0x80000000() {
    let mut bytes = vec![0; 0x1000];
    bytes.extend(asm::syscall(93, &[7]).iter().flat_map(|w| w.to_le_bytes()));
    let file = elf(0x8000_0000, &[Load::new(0x7fff_f000, RX, bytes)]);
    let program = Program::from_elf(file).unwrap();
    assert_eq!(Vm::new(&program, &[]).unwrap().run(100), Stop::Exit(7));
}

#[test]
fn segments_up_to_the_edges_are_accepted() {
    let exit: Vec<u8> = asm::syscall(93, &[0])
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    for code in [0x8000_0000, 0xffff_ff00 & !4095] {
        let loads = [
            Load::new(code, RX, exit.clone()),
            Load {
                addr: 0x1000,
                flags: RW,
                bytes: vec![],
                mem_bytes: 0x6fff_f000,
            },
        ];
        let program = Program::from_elf(elf(code, &loads)).unwrap();
        assert_eq!(Vm::new(&program, &[]).unwrap().run(100), Stop::Exit(0));
    }
}

#[test]
fn a_program_at_0x80000000_moves_its_break() {
    let mut code = asm::syscall(214, &[0]);
    code.extend([asm::addi(10, 10, 64), asm::addi(17, 0, 214), asm::ECALL]);
    code.extend([asm::addi(17, 0, 93), asm::ECALL]);
    let bytes = code.iter().flat_map(|w: &u32| w.to_le_bytes()).collect();
    // Writable and executable, and without sections: all of it is code.
    let program = Program::from_elf(elf(0x8000_0000, &[Load::new(0x8000_0000, RWX, bytes)]));
    let program = program.unwrap();
    assert_eq!(program.brk(), 0x8000_1000);
    let mut vm = Vm::new(&program, &[]).unwrap();
    assert_eq!(vm.run(100), Stop::Exit(0x40));
    assert_eq!(vm.state().brk, 0x8000_1040);
}

#[test]
fn in_a_writable_executable_segment_sections_say_what_is_code() {
    let exit: Vec<u8> = asm::syscall(93, &[3])
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    let code_bytes = exit.len() as u32;
    let mut bytes = exit;
    bytes.extend([0; 64]);
    let mut file = elf(CODE, &[Load::new(CODE, RWX, bytes)]);
    let section = |words: [u32; 10]| words.into_iter().flat_map(u32::to_le_bytes);
    file.resize(file.len().next_multiple_of(4), 0);
    let at = file.len() as u32;
    file.extend(section([0; 10]));
    file.extend(section([0, 1, 6, CODE, 4096, code_bytes, 0, 0, 4, 0]));
    file[32..36].copy_from_slice(&at.to_le_bytes());
    file[48..50].copy_from_slice(&2u16.to_le_bytes());
    let program = Program::from_elf(file).unwrap();
    assert_eq!(program.code_end(), CODE + code_bytes);
    assert_eq!(Vm::new(&program, &[]).unwrap().run(100), Stop::Exit(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn flipped_bits(bits in prop::collection::vec(0usize..1 << 20, 1..6)) {
        let mut file = small();
        // Most of the file is padding up to the code's page.
        for bit in bits {
            let at = if bit & 1 == 0 { bit / 16 % 116 } else { file.len() - 1 - bit / 16 % 120 };
            file[at] ^= 1 << (bit >> 1 & 7);
        }
        let _ = try_out(file);
    }

    #[test]
    fn random_tables(headers in prop::collection::vec(any::<[u32; 8]>(), 0..4), entry: u32) {
        let mut file = elf(entry, &[]);
        file[44..46].copy_from_slice(&(headers.len() as u16).to_le_bytes());
        for mut header in headers {
            header[0] %= 8;
            header[1] %= 256;
            header[4] %= 256;
            file.extend(header.into_iter().flat_map(u32::to_le_bytes));
        }
        file.extend([0x13; 256]);
        let _ = try_out(file);
    }

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(try_out(bytes).is_err());
    }

    #[test]
    fn random_code_runs_alike_on_both_paths(
        words in prop::collection::vec((0usize..12, any::<u32>()), 1..200),
    ) {
        // Opcodes of every class, the rest at random: mostly valid instructions.
        let opcodes = [0x37, 0x17, 0x6f, 0x67, 0x63, 0x03, 0x23, 0x13, 0x33, 0x33, 0x0f, 0x73];
        let code: Vec<u32> = words
            .iter()
            .map(|&(class, word)| {
                let word = word & !0x7f | opcodes[class];
                match class {
                    // funct7 0, 1 or 0x20.
                    8 => word & 0x41ff_ffff & !(word >> 31 & 0x7000) | (word >> 31 << 30),
                    9 => word & 0x01ff_ffff | 0x0200_0000,
                    11 => 0x73,
                    // Short jumps.
                    2 => asm::jal(word >> 7 & 31, (word as i32 >> 24) & !3),
                    4 => word & 0x01ff_ffff & !0x180,
                    _ => word,
                }
            })
            .collect();
        prop_assert!(try_out(program(&code, &[0x55; 64])).is_ok());
    }
}
