//! Running the command, and small guests to run it on.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use rewit::report::{ResultFile, read};
use tempfile::TempDir;

pub fn rewit(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("rewit").unwrap();
    command.args(args);
    command
}

/// Runs, expects an exit code, and returns standard output and standard error.
pub fn expect(code: i32, args: &[&str]) -> (String, String) {
    let output = rewit(args).assert().code(code).get_output().clone();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// Expects an exit code and `words` in the message.
pub fn fails(code: i32, words: &[&str], args: &[&str]) {
    let (stdout, stderr) = expect(code, args);
    assert_eq!(stdout, "", "{args:?}");
    for word in words {
        assert!(stderr.contains(word), "{args:?}: no {word:?} in {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

pub struct Dir(pub TempDir);

impl Dir {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.name(name)
    }

    pub fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// A static RV32IM program of these instructions, as an ELF file without sections.
pub fn elf(code: &[u32]) -> Vec<u8> {
    const ENTRY: u32 = 0x1_0000;
    let bytes = 4 * code.len() as u32;
    let header = [
        0x464c_457f,
        0x0001_0101,
        0,
        0,
        2 | 243 << 16,
        1,
        ENTRY,
        52,
        0,
        0,
    ];
    let sizes = [52 | 32 << 16, 1 | 40 << 16, 0];
    let load = [1, 84, ENTRY, ENTRY, bytes, bytes, 5, 4];
    let words = [&header[..], &sizes, &load, code].concat();
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// `li a7, 93; li a0, CODE; ecall`
pub fn exits_with(code: u32) -> Vec<u8> {
    elf(&[93 << 20 | 17 << 7 | 0x13, code << 20 | 10 << 7 | 0x13, 0x73])
}

/// `nop; nop; ebreak`
pub fn traps() -> Vec<u8> {
    elf(&[0x13, 0x13, 0x0010_0073])
}

/// `j .`
pub fn hangs() -> Vec<u8> {
    elf(&[0x6f])
}

pub const SMALL: [&str; 8] = [
    "--guest",
    "fib",
    "--input",
    "small",
    "--segment-log-cycles",
    "12",
    "--threads",
    "2",
];

pub fn with<'a>(command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[command][..], &SMALL, more].concat()
}

pub fn measured(args: &[&str]) -> ResultFile {
    let (stdout, _) = expect(0, args);
    read(stdout.as_bytes()).unwrap()
}
