//! A C program the repository does not ship as a binary: built with picolibc, it runs here as under
//! qemu, and its segments hold.

mod common;

use std::process::Command;

use rewit::segment::Runner;
use rewit::stark::check::check;
use rewit::vm::{Program, Stop, Vm};
use rewit::witness::{fill_tables, replay_reads};

const INPUT: &[u8] = b"some input";

/// Builds the program; `None` where there is no compiler, unless `REQUIRE_RISCV_GCC` is set.
fn build() -> Option<Vec<u8>> {
    let out = tempfile::tempdir().expect("temporary folder");
    let elf = out.path().join("hello.elf");
    let status = Command::new("riscv64-unknown-elf-gcc")
        .args([
            "--specs=picolibc.specs",
            "-march=rv32im",
            "-mabi=ilp32",
            "-O2",
            "-static",
        ])
        .args([
            "-nostartfiles",
            "tests/data/c/start.S",
            "tests/data/c/hello.c",
        ])
        .arg("-Wl,--defsym=__flash=0x10000,--defsym=__flash_size=0x100000")
        .arg("-Wl,--defsym=__ram=0x200000,--defsym=__ram_size=0x100000")
        .arg("-o")
        .arg(&elf)
        .status();
    match status {
        Ok(status) => {
            assert!(status.success(), "the compiler failed");
            Some(std::fs::read(elf).expect("the compiler wrote it"))
        }
        Err(_) if std::env::var_os("REQUIRE_RISCV_GCC").is_some() => {
            panic!("riscv64-unknown-elf-gcc is required")
        }
        Err(_) => {
            println!("SKIPPED: no riscv64-unknown-elf-gcc");
            None
        }
    }
}

#[test]
fn a_c_program_runs_as_under_qemu() {
    let Some(elf) = build() else { return };
    let program = Program::from_elf(elf.clone()).unwrap();
    let mut vm = Vm::new(&program, INPUT).unwrap();
    assert_eq!(vm.run(1 << 30), Stop::Exit(42));
    let text = String::from_utf8_lossy(vm.stdout()).into_owned();
    assert!(
        text.contains("argc 1, argv[0] set, read 10: \"some input\""),
        "{text}"
    );
    if let Some((stdout, code)) = common::qemu(&elf, INPUT) {
        assert_eq!(String::from_utf8_lossy(&stdout), text);
        assert_eq!(code, 42);
    }

    let mut runner = Runner::new(&program, INPUT, 14, 8).unwrap();
    while let Some(recording) = runner.next_segment() {
        let segment = &recording.segment;
        recording.self_replay(&program).unwrap();
        let records = replay_reads(&program, segment, &recording.reads).unwrap();
        let witness = fill_tables(&program, segment, &records, Vec::new()).unwrap();
        let report = check(&program, &witness, &records.system_calls(&program));
        assert!(report.is_ok(), "segment {}: {report:#?}", segment.index);
    }
}
