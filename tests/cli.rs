//! The command as its users run it: output, files, exit codes.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use rewit::report::{ResultFile, read};
use tempfile::TempDir;

fn rewit(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("rewit").unwrap();
    command.args(args);
    command
}

/// Runs, expects an exit code, and returns standard output and standard error.
fn expect(code: i32, args: &[&str]) -> (String, String) {
    let output = rewit(args).assert().code(code).get_output().clone();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// Expects an exit code and `words` in the message.
fn fails(code: i32, words: &[&str], args: &[&str]) {
    let (stdout, stderr) = expect(code, args);
    assert_eq!(stdout, "", "{args:?}");
    for word in words {
        assert!(stderr.contains(word), "{args:?}: no {word:?} in {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

struct Dir(TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.name(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// A static RV32IM program of these instructions, as an ELF file without sections.
fn elf(code: &[u32]) -> Vec<u8> {
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
fn exits_with(code: u32) -> Vec<u8> {
    elf(&[93 << 20 | 17 << 7 | 0x13, code << 20 | 10 << 7 | 0x13, 0x73])
}

/// `nop; nop; ebreak`
fn traps() -> Vec<u8> {
    elf(&[0x13, 0x13, 0x0010_0073])
}

/// `j .`
fn hangs() -> Vec<u8> {
    elf(&[0x6f])
}

const SMALL: [&str; 8] = [
    "--guest",
    "fib",
    "--input",
    "small",
    "--segment-log-cycles",
    "12",
    "--threads",
    "2",
];

fn with<'a>(command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[command][..], &SMALL, more].concat()
}

fn measured(args: &[&str]) -> ResultFile {
    let (stdout, _) = expect(0, args);
    read(stdout.as_bytes()).unwrap()
}

#[test]
fn run_measures_every_encoding() {
    let result = measured(&with("run", &["--json", "--segments", "2"]));
    assert!(result.complete);
    assert_eq!(result.guest.name, "fib");
    assert_eq!(result.guest.exit_code, Some(0));
    assert_eq!(result.segments.len(), 2);
    assert_eq!(result.num_segments, result.guest.cycles.div_ceil(1 << 12));
    // Nine encodings in three compressions, each compared with the witness before.
    assert_eq!(result.verdicts.len(), 27);
    for verdict in &result.verdicts {
        let expected = if verdict.encoding == "witness" { 0 } else { 4 };
        assert_eq!(verdict.break_even.len(), expected, "{}", verdict.encoding);
    }
    assert!(result.notes.is_empty(), "{:?}", result.notes);
}

#[test]
fn run_measures_every_guest() {
    for (guest, log) in [
        ("sha2-chain", "14"),
        ("sort", "13"),
        ("ecdsa", "15"),
        ("block", "16"),
    ] {
        let result = measured(&[
            "run",
            "--guest",
            guest,
            "--input",
            "small",
            "--segment-log-cycles",
            log,
            "--chunk-log-cycles",
            "5",
            "--segments",
            "3",
            "--samples",
            "1",
            "--json",
        ]);
        assert_eq!(
            (result.segments.len(), result.verdicts.len()),
            (3, 27),
            "{guest}"
        );
    }
}

/// The first and the last segment, which have no previous boundary and few cycles.
#[test]
fn run_measures_all_segments_of_a_short_guest() {
    let dir = Dir::new();
    // li a7, 93; li t0, 40; addi t0, t0, -1; sw t0, 0(sp); bnez t0, -8; ecall
    let code = [
        0x05d0_0893,
        0x0280_0293,
        0xfff2_8293,
        0x0051_2023,
        0xfe02_9ce3,
        0x73,
    ];
    let guest = dir.file("loop.elf", &elf(&code));
    let result = measured(&[
        "run",
        "--guest",
        &guest,
        "--segment-log-cycles",
        "5",
        "--chunk-log-cycles",
        "3",
        "--segments",
        "all",
        "--json",
    ]);
    assert_eq!(result.guest.name, "loop.elf", "not the whole path");
    assert_eq!(result.guest.cycles, 123);
    let cycles: Vec<u32> = result.segments.iter().map(|s| s.num_cycles).collect();
    assert_eq!(cycles, [32, 32, 32, 27]);
}

#[test]
fn run_prints_a_table_and_writes_a_file() {
    let dir = Dir::new();
    let out = dir.name("result.json");
    // Without a subcommand it is the same job.
    let args = [&SMALL[..], &["--segments", "1", "--out", &out]].concat();
    let (stdout, _) = expect(0, &args);
    for words in [
        "| reads ",
        "| delta-prev ",
        "break-even",
        "Gb/s",
        "identical",
        "elapsed",
    ] {
        assert!(stdout.contains(words), "no {words:?} in {stdout}");
    }
    let (stdout, _) = expect(0, &["validate", &out]);
    assert!(stdout.contains("valid, complete"), "{stdout}");
    let left: Vec<_> = fs::read_dir(dir.0.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file is left");
}

#[test]
fn run_measures_a_subset() {
    let args = [
        "--encodings",
        "reads,witness",
        "--compressions",
        "lz4",
        "--segments",
        "1",
        "--json",
    ];
    let result = measured(&with("run", &args));
    let found: Vec<_> = result
        .verdicts
        .iter()
        .map(|v| (v.encoding.as_str(), v.compression.as_str()))
        .collect();
    assert_eq!(found, [("witness", "lz4"), ("reads", "lz4")]);
}

#[test]
fn a_guest_that_fails_in_run() {
    let dir = Dir::new();
    let trap = dir.file("trap.elf", &traps());
    let out = dir.name("result.json");
    fails(
        1,
        &["ebreak", "0x00010008", "2 cycles"],
        &["run", "--guest", &trap, "--out", &out],
    );
    // Progress was there before the run, and does not claim to be complete.
    assert!(!dir.path("result.json").exists());
    let partial = fs::read(dir.path("result.json.partial")).unwrap();
    assert!(!read(&partial).unwrap().complete);
    let endless = dir.file("endless.elf", &hangs());
    fails(
        1,
        &["--max-cycles", "5000"],
        &["run", "--guest", &endless, "--max-cycles", "5000"],
    );
    fails(1, &["--max-cycles"], &with("run", &["--max-cycles", "10"]));
}

/// What `--out` names is replaced only by a complete result, and only if it was one.
#[test]
fn out_destroys_nothing() {
    let dir = Dir::new();
    let guest = dir.file("guest.elf", &exits_with(0));
    let run = |out: &str, guest: &str, input: &str| {
        let args = ["run", "--guest", guest, "--input", input, "--out", out];
        let more = ["--segment-log-cycles", "4", "--chunk-log-cycles", "2"];
        [&args[..], &more]
            .concat()
            .iter()
            .map(|arg| (*arg).to_owned())
            .collect::<Vec<_>>()
    };
    let refused = |words: &[&str], args: Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        fails(2, &[words, &["--out"]].concat(), &args);
    };
    let input = dir.file("input", b"");
    refused(&["the same file as --guest"], run(&guest, &guest, &input));
    refused(&["the same file as --input"], run(&input, &guest, &input));
    #[cfg(unix)]
    {
        let link = dir.name("link.elf");
        fs::hard_link(&guest, &link).unwrap();
        refused(&["the same file as --guest"], run(&link, &guest, &input));
    }
    let notes = dir.file("notes.txt", b"precious");
    refused(&["choose another file"], run(&notes, &guest, &input));
    refused(
        &["choose another file"],
        run(dir.0.path().to_str().unwrap(), &guest, &input),
    );
    let beside = dir.file("beside.json.partial", b"precious");
    refused(
        &["choose another file"],
        run(&dir.name("beside.json"), &guest, &input),
    );
    for kept in [&notes, &beside] {
        assert_eq!(fs::read(kept).unwrap(), b"precious");
    }
    assert_eq!(fs::read(&guest).unwrap(), exits_with(0));

    // A complete result outlives a run that fails.
    let out = dir.file("out.json", b"");
    let ok = run(&out, &guest, &input);
    expect(0, &ok.iter().map(String::as_str).collect::<Vec<_>>());
    let first = fs::read(&out).unwrap();
    let trap = dir.file("trap.elf", &traps());
    let bad = run(&out, &trap, &input);
    fails(
        1,
        &["ebreak", "out.json.partial"],
        &bad.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    assert_eq!(fs::read(&out).unwrap(), first);
    expect(0, &ok.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(!dir.path("out.json.partial").exists());
}

#[test]
fn exec_passes_output_and_exit_code_on() {
    let dir = Dir::new();
    let journal = dir.name("journal");
    let (stdout, stderr) = expect(
        0,
        &[
            "exec",
            "--guest",
            "fib",
            "--input",
            "small",
            "--journal",
            &journal,
        ],
    );
    assert_eq!(stdout, "fib(100000) mod 2^32 = 873876091\n");
    assert!(stderr.contains("exit code 0"), "{stderr}");
    assert_eq!(
        fs::read(&journal).unwrap(),
        [0xa0, 0x86, 0x01, 0, 0x7b, 0x4a, 0x16, 0x34]
    );
    for record in ["none", "reads", "pages", "all"] {
        let (again, _) = expect(
            0,
            &[
                "exec", "--guest", "fib", "--input", "small", "--quiet", "--record", record,
            ],
        );
        assert_eq!(again, stdout, "{record}");
    }
    for code in [0, 1, 3, 42, 255] {
        let guest = dir.file("exits.elf", &exits_with(code));
        let (stdout, stderr) = expect(code as i32, &["exec", "--guest", &guest]);
        assert_eq!(stdout, "");
        assert!(stderr.contains("3 cycles, 1 segment of"), "{stderr}");
    }
    let guest = dir.file("trap.elf", &traps());
    fails(
        1,
        &["guest trapped", "ebreak", "pc 0x00010008"],
        &["exec", "--guest", &guest],
    );
    let guest = dir.file("endless.elf", &hangs());
    fails(
        1,
        &["--max-cycles"],
        &["exec", "--guest", &guest, "--max-cycles", "100000"],
    );
}

#[test]
fn input_comes_from_a_file_or_standard_input() {
    let dir = Dir::new();
    let file = dir.file("ten", b"10");
    let (from_file, _) = expect(0, &["exec", "--guest", "fib", "--input", &file]);
    assert_eq!(from_file, "fib(10) mod 2^32 = 55\n");
    let piped = rewit(&["exec", "--guest", "fib", "--input", "-"])
        .write_stdin("10")
        .assert();
    piped.code(0).stdout(from_file);
}

#[test]
fn shipments_regenerate_the_same_witness() {
    let dir = Dir::new();
    let file = dir.name("segment.ship");
    let base = dir.name("base.ship");
    let segment = ["--segment", "3", "--encoding"];
    let image = ["--segment", "2", "--encoding", "image", "--out", &base];
    expect(0, &with("encode", &image));
    let mut digests = Vec::new();
    for encoding in rewit::ship::Encoding::ALL {
        for compression in ["raw", "lz4", "zstd"] {
            let more = [
                &segment[..],
                &[encoding.name(), "--compression", compression, "-o", &file],
            ];
            expect(0, &with("encode", &more.concat()));
            let mut args = vec!["regenerate", &file];
            if encoding == rewit::ship::Encoding::DeltaPrevious {
                fails(2, &["--base", "segment 2"], &args);
                args.extend(["--base", &base]);
            }
            let (digest, _) = expect(0, &args);
            assert_eq!(digest.len(), 65, "{digest}");
            digests.push(digest);
        }
        let (header, _) = expect(0, &["inspect", &file]);
        assert!(
            header.contains(encoding.name()) && header.contains("complete"),
            "{header}"
        );
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "all are the same");
}

#[test]
fn shipments_of_other_programs() {
    let dir = Dir::new();
    let guest = dir.file("exits.elf", &exits_with(0));
    let file = dir.name("segment.ship");
    let encode = [
        "encode",
        "--guest",
        &guest,
        "--segment-log-cycles",
        "8",
        "-o",
        &file,
    ];
    expect(0, &encode);
    fails(2, &["--guest"], &["regenerate", &file]);
    fails(
        2,
        &["another program"],
        &["regenerate", &file, "--guest", "fib"],
    );
    let (given, _) = expect(0, &["regenerate", &file, "--guest", &guest]);
    expect(0, &[&encode[..], &["--embed-elf"]].concat());
    let (embedded, _) = expect(0, &["regenerate", &file]);
    assert_eq!(given, embedded);
    fails(
        2,
        &["no segment 1", "3 cycles"],
        &[&encode[..], &["--segment", "1"]].concat(),
    );
    fails(
        2,
        &["--base", "only for delta-prev", "reads"],
        &["regenerate", &file, "--base", &file],
    );
}

#[test]
fn encode_keeps_to_the_cycles_allowed() {
    let dir = Dir::new();
    let file = dir.name("segment.ship");
    let encode = |max| {
        with(
            "encode",
            &["--segment", "1", "-o", &file, "--max-cycles", max],
        )
    };
    fails(2, &["starts after --max-cycles 4096"], &encode("4096"));
    fails(2, &["segment 1", "--max-cycles 8191"], &encode("8191"));
    assert!(!dir.path("segment.ship").exists());
    expect(0, &encode("8192"));
    expect(0, &encode("18446744073709551615"));

    let guest = dir.file("trap.elf", &traps());
    let (_, stderr) = expect(0, &["encode", "--guest", &guest, "-o", &file]);
    for words in ["warning", "0x00010008", "ebreak"] {
        assert!(stderr.contains(words), "no {words:?} in {stderr}");
    }
    fails(
        2,
        &["same file as --guest"],
        &["encode", "--guest", &guest, "-o", &guest],
    );
}

#[test]
fn damaged_shipments() {
    let dir = Dir::new();
    let file = dir.name("segment.ship");
    expect(0, &with("encode", &["--encoding", "pages-1k", "-o", &file]));
    let good = fs::read(&file).unwrap();
    for at in [0, 9, 20, 420, 460, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        let bad = dir.file("flipped.ship", &bytes);
        fails(1, &["bad shipment", "byte"], &["regenerate", &bad]);
    }
    for len in [0, 5, 447, 448, good.len() - 1] {
        let bad = dir.file("short.ship", &good[..len]);
        fails(1, &["truncated", "byte"], &["regenerate", &bad]);
    }
    let long = dir.file("long.ship", &[&good[..], b"x"].concat());
    fails(1, &["trailing"], &["regenerate", &long]);
    let short = dir.file("short.ship", &good[..447]);
    fails(1, &["truncated"], &["inspect", &short]);
    fails(
        1,
        &["bad magic"],
        &["inspect", &dir.file("no.ship", &[7; 600])],
    );
}

#[test]
fn files_that_cannot_be_used() {
    let dir = Dir::new();
    let missing = dir.name("missing.elf");
    for command in ["run", "exec"] {
        fails(1, &["missing.elf"], &[command, "--guest", &missing]);
        fails(
            1,
            &["no-such"],
            &[command, "--guest", "fib", "--input", "./no-such"],
        );
        let good = fs::read("guests/prebuilt/fib.elf").unwrap();
        for len in [0, 30, 52, 100, good.len() / 2] {
            let cut = dir.file("cut.elf", &good[..len]);
            fails(1, &["not a runnable guest"], &[command, "--guest", &cut]);
        }
        let noise: Vec<u8> = (0..4096_u32)
            .map(|i| (i.wrapping_mul(0x9e37_79b9) >> 13) as u8)
            .collect();
        let noise = dir.file("noise.elf", &noise);
        fails(
            1,
            &["not a runnable guest", "magic"],
            &[command, "--guest", &noise],
        );
    }
    let own = dir.file("exits.elf", &exits_with(0));
    fails(
        1,
        &["--input default: ", "for an own ELF give a file"],
        &["exec", "--guest", &own, "--input", "default"],
    );
    fails(
        1,
        &["--input smal: ", "give default, small or a file"],
        &["exec", "--guest", "fib", "--input", "smal"],
    );
    // Opened before the run: that would not end.
    let endless = dir.file("endless.elf", &hangs());
    let nowhere = dir.name("nowhere/journal");
    fails(
        1,
        &["--journal", "nowhere"],
        &[
            "exec",
            "--guest",
            &endless,
            "--journal",
            &nowhere,
            "--max-cycles",
            "18446744073709551615",
        ],
    );
    fails(
        2,
        &["--journal", "the same file as --guest"],
        &["exec", "--guest", &own, "--journal", &own],
    );
    fails(1, &["no-such"], &["regenerate", "no-such"]);
    fails(1, &["no-such"], &["inspect", "no-such"]);
    fails(1, &["no-such"], &["validate", "no-such"]);
    let nowhere = dir.name("nowhere/result.json");
    fails(1, &["--out", "nowhere"], &with("run", &["--out", &nowhere]));
}

/// Files with holes, longer than memory: refused before they are read.
#[cfg(target_os = "linux")]
#[test]
fn files_that_are_too_long() {
    let dir = Dir::new();
    let sparse = |name: &str, len: u64| {
        fs::File::create(dir.path(name))
            .unwrap()
            .set_len(len)
            .unwrap();
        dir.name(name)
    };
    let elf = sparse("long.elf", (256 << 20) + 1);
    for file in [&*elf, "/dev/zero"] {
        fails(
            2,
            &["--guest", "268435456 bytes"],
            &["exec", "--guest", file],
        );
    }
    let input = sparse("input", 1 << 32);
    fails(
        2,
        &["--input", "4294967295 bytes"],
        &["exec", "--guest", "fib", "--input", &input],
    );
    let zeroes = sparse("segment.ship", 1 << 40);
    for file in [&*zeroes, "/dev/zero"] {
        fails(1, &["bad shipment", "magic"], &["regenerate", file]);
        fails(1, &["expected at most", "bytes"], &["validate", file]);
    }
    // A good shipment with a long tail is read no further than a byte behind its end.
    let file = dir.name("tail.ship");
    expect(0, &with("encode", &["-o", &file]));
    let tail = fs::OpenOptions::new().append(true).open(&file).unwrap();
    tail.set_len(1 << 40).unwrap();
    fails(1, &["trailing"], &["regenerate", &file]);
}

#[test]
fn bad_result_files() {
    let dir = Dir::new();
    for (text, words) in [
        ("", "bad result file"),
        ("[]", "bad result file"),
        ("{}", "schema_version"),
        (r#"{"schema_version": 999}"#, "schema_version is 999"),
        (r#"{"schema_version": 1}"#, "missing field"),
    ] {
        let file = dir.file("bad.json", text.as_bytes());
        fails(1, &["bad.json", words], &["validate", &file]);
    }
}

#[test]
fn wrong_usage() {
    fails(
        2,
        &["unknown guest", "--guest", "keccak-chain"],
        &["run", "--guest", "nonsense"],
    );
    fails(
        2,
        &["--encodings", "delta-prev"],
        &["run", "--encodings", "reads,nonsense"],
    );
    fails(
        2,
        &["--compressions", "zstd"],
        &["run", "--compressions", "gzip"],
    );
    fails(2, &["--segments", "all"], &["run", "--segments", "0"]);
    fails(
        2,
        &["--segment-log-cycles"],
        &["run", "--segment-log-cycles", "23"],
    );
    fails(
        2,
        &["--chunk-log-cycles 9", "--segment-log-cycles 8"],
        &[
            "run",
            "--segment-log-cycles",
            "8",
            "--chunk-log-cycles",
            "9",
        ],
    );
    fails(2, &["--threads"], &["run", "--threads", "0"]);
    fails(2, &["nonsense"], &["nonsense"]);
    fails(2, &["Usage"], &["validate"]);
    fails(2, &["--out"], &["encode"]);
}

#[test]
fn texts() {
    for shell in ["bash", "zsh", "fish"] {
        let (script, _) = expect(0, &["completions", shell]);
        assert!(script.contains("regenerate"), "{shell}");
    }
    let (help, _) = expect(0, &["--help"]);
    for words in [
        "recompute",
        "Exit codes",
        "--segments",
        "inspect",
        "--no-progress",
    ] {
        assert!(help.contains(words), "no {words:?} in {help}");
    }
    let (guests, _) = expect(0, &["guests"]);
    for words in ["block", "large", "ecdsa", "412,110,371"] {
        assert!(guests.contains(words), "no {words:?} in {guests}");
    }
    let (devices, _) = expect(0, &["devices"]);
    assert!(
        devices.contains("cpu") && devices.contains("--features cuda"),
        "{devices}"
    );
    let (schema, _) = expect(0, &["schema"]);
    assert!(Path::new("docs/result.schema.json").exists());
    assert_eq!(
        schema,
        fs::read_to_string("docs/result.schema.json").unwrap()
    );
}

/// A reader that closes early ends the program without a panic.
#[cfg(unix)]
#[test]
fn broken_pipe() {
    use std::process::{Command, Stdio};
    let program = assert_cmd::cargo::cargo_bin("rewit");
    for args in [
        &["schema"][..],
        &["guests"],
        &["completions", "bash"],
        &["exec", "--guest", "fib"],
    ] {
        let mut child = Command::new(&program)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
    }
}

/// A guest that writes without end stops once nobody reads what it writes.
#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_exec() {
    use std::io::Read;
    use std::process::{Command, Stdio};
    let dir = Dir::new();
    // loop: li a7, 64; li a0, 1; mv a1, sp; li a2, 1; ecall; j loop
    let code = [
        0x0400_0893,
        0x0010_0513,
        0x0001_0593,
        0x0010_0613,
        0x73,
        0xfedf_f06f,
    ];
    let guest = dir.file("yes.elf", &elf(&code));
    let max = u64::MAX.to_string();
    for record in ["none", "all"] {
        let args = [
            "exec",
            "--guest",
            &guest,
            "--max-cycles",
            &max,
            "--record",
            record,
        ];
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("rewit"))
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        drop(stdout);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{record}");
    }
}
