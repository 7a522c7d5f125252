//! What the command refuses: damaged files, files that cannot be used, wrong usage.

mod command;

use std::fs;

use command::*;

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
