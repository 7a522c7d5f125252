//! The command as its users run it: output, files, exit codes.

mod command;

use std::fs;
use std::path::Path;

use command::*;
use rewit::report::read;

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
