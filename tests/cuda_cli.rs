//! `--backend` as its users meet it: without CUDA, without a driver, on the stand-in, on a GPU.

mod command;
#[cfg(feature = "cuda")]
mod device;

use std::fs;

use command::*;

#[cfg(not(feature = "cuda"))]
#[test]
fn a_build_without_cuda_says_so() {
    let dir = Dir::new();
    let file = dir.name("segment.ship");
    expect(0, &with("encode", &["--encoding", "reads", "-o", &file]));
    let words = ["built without CUDA; rebuild with --features cuda"];
    let out = dir.name("p.bin");
    for backend in ["cuda", "check"] {
        fails(2, &words, &["regenerate", &file, "--backend", backend]);
        fails(2, &words, &with("run", &["--backend", backend]));
        fails(2, &words, &["prove", "--backend", backend, "-o", &out]);
    }
    let (cpu, _) = expect(0, &["regenerate", &file]);
    let (auto, _) = expect(0, &["regenerate", &file, "--backend", "auto"]);
    assert_eq!(cpu, auto);
    assert!(!fs::exists(out).unwrap());
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::device::device;
    use super::*;

    /// Runs with variables set, expects an exit code, and returns standard output and error.
    fn expect_with(variables: &[(&str, &str)], code: i32, args: &[&str]) -> (String, String) {
        let mut command = rewit(args);
        for (name, value) in variables {
            command.env(name, value);
        }
        let output = command.assert().code(code).get_output().clone();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }

    /// Expects an exit code and `words` in the message.
    fn fails_with(variables: &[(&str, &str)], code: i32, words: &[&str], args: &[&str]) {
        let (stdout, stderr) = expect_with(variables, code, args);
        assert_eq!(stdout, "", "{args:?}");
        for word in words {
            assert!(stderr.contains(word), "{args:?}: no {word:?} in {stderr}");
        }
        assert!(!stderr.contains("panicked"), "{stderr}");
    }

    /// The device's kind: `Some(true)` for the stand-in, `None` (and SKIPPED) for none.
    fn stand_in() -> Option<bool> {
        device().map(|device| device.info().stand_in)
    }

    /// A shipment of a small segment.
    fn shipment(dir: &Dir, encoding: &str) -> String {
        let file = dir.name(&format!("{encoding}.ship"));
        let args = [
            "encode",
            "--guest",
            "block",
            "--input",
            "small",
            "--segment-log-cycles",
            "9",
            "--chunk-log-cycles",
            "5",
            "--segment",
            "2",
            "--encoding",
            encoding,
            "-o",
            &file,
        ];
        expect(0, &args);
        file
    }

    #[test]
    fn a_missing_driver_is_named() {
        let dir = Dir::new();
        let file = shipment(&dir, "reads");
        let none = [("REWIT_LIBCUDA", "/nonexistent/libcuda.so.1")];
        let words = [
            "the CUDA driver cannot be loaded",
            "/nonexistent",
            "--backend cpu",
        ];
        fails_with(
            &none,
            2,
            &words,
            &["regenerate", &file, "--backend", "cuda"],
        );
        fails_with(&none, 2, &words, &with("run", &["--backend", "check"]));
        let (auto, _) = expect_with(&none, 0, &["regenerate", &file, "--backend", "auto"]);
        assert_eq!(auto, expect(0, &["regenerate", &file]).0);
        let (devices, _) = expect_with(&none, 0, &["devices"]);
        assert!(
            devices.contains("gpu   none: the CUDA driver cannot be loaded"),
            "{devices}"
        );
    }

    #[test]
    fn every_encoding_gives_the_same_digest() {
        if stand_in().is_none() {
            return;
        }
        let dir = Dir::new();
        let mut digests = Vec::new();
        for encoding in [
            "witness", "image", "pages-1k", "pages-4k", "delta", "records", "reads", "input",
        ] {
            let file = shipment(&dir, encoding);
            for backend in ["cpu", "cuda", "check"] {
                let (digest, stderr) = expect(0, &["regenerate", &file, "--backend", backend]);
                assert!(stderr.contains("regenerated in"), "{stderr}");
                digests.push(digest);
            }
        }
        digests.dedup();
        assert_eq!(digests.len(), 1, "{digests:?}");
    }

    #[test]
    fn a_proof_made_on_the_device_is_accepted() {
        if stand_in().is_none() {
            return;
        }
        let dir = Dir::new();
        let out = dir.name("p.bin");
        let args = [
            "prove",
            "--guest",
            "fib",
            "--input",
            "small",
            "--segment-log-cycles",
            "8",
            "--queries",
            "20",
            "--grinding",
            "0,0,0,0,0",
            "--out",
        ];
        let on = |backend, out| [&args[..], &[out, "--backend", backend]].concat();
        let (key, _) = expect(0, &on("cuda", &out));
        let verify = |file: &str| {
            let (stdout, _) = expect(0, &["verify", file, "--guest", "fib", "--security", "10"]);
            assert_eq!(stdout, "accepted\n");
        };
        verify(&out);
        // Without grinding nothing is left to chance: the CPU's proof is the same to the byte.
        let by_cpu = dir.name("cpu.bin");
        assert_eq!(expect(0, &on("cpu", &by_cpu)).0, key);
        assert!(
            fs::read(&out).unwrap() == fs::read(&by_cpu).unwrap(),
            "another proof"
        );
        let mut bytes = fs::read(&out).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let bad = dir.file("bad.bin", &bytes);
        let (code, args) = (3, ["verify", &bad, "--guest", "fib", "--security", "10"]);
        let output = rewit(&args).output().unwrap();
        assert!([1, code].contains(&output.status.code().unwrap()));
    }

    #[test]
    fn the_main_job_checks_itself() {
        let Some(stand_in) = stand_in() else { return };
        let args = |backend, more: &[&'static str]| {
            let small = [
                "run",
                "--guest",
                "fib",
                "--input",
                "small",
                "--segment-log-cycles",
                "8",
                "--chunk-log-cycles",
                "4",
                "--segments",
                "2",
                "--samples",
                "1",
                "--compressions",
                "raw",
                "--queries",
                "20",
                "--security",
                "1",
                "--backend",
                backend,
            ];
            [&small[..], more].concat()
        };
        for backend in ["cuda", "check"] {
            let (stdout, stderr) = expect(0, &args(backend, &[]));
            assert!(stdout.contains("gpu  "), "{stdout}");
            let kept = backend == "cuda" && !stand_in;
            assert_eq!(
                stderr.contains("no time below is to be kept"),
                !kept,
                "{stderr}"
            );
        }
        if stand_in {
            let words = ["CPU stand-in for CUDA", "say nothing of a GPU", "--out"];
            let dir = Dir::new();
            let out = dir.name("result.json");
            let keep = [&args("cuda", &[])[..], &["--out", &out]].concat();
            fails(2, &words, &keep);
            fails(2, &["--json"], &args("check", &["--json"]));
            assert!(!fs::exists(out).unwrap());
        }
    }

    /// What is damaged is found by the CPU, before the device is given any of it.
    #[test]
    fn a_damaged_shipment_is_refused_before_a_launch() {
        if stand_in() != Some(true) {
            return;
        }
        let dir = Dir::new();
        let log = dir.file("kernels.log", b"");
        let logged = [("REWIT_STANDIN_LOG", log.as_str())];
        for encoding in ["reads", "records", "pages-1k"] {
            let file = shipment(&dir, encoding);
            let good = fs::read(&file).unwrap();
            for at in [500, good.len() / 2, good.len() - 1] {
                let mut bytes = good.clone();
                bytes[at] ^= 0x10;
                let bad = dir.file("bad.ship", &bytes);
                let args = ["regenerate", &bad, "--backend", "cuda"];
                fails_with(&logged, 1, &["bad shipment"], &args);
            }
            assert_eq!(fs::read(&log).unwrap(), b"", "{encoding}: a kernel ran");
        }
        let good = dir.name("reads.ship");
        expect_with(&logged, 0, &["regenerate", &good, "--backend", "cuda"]);
        assert!(!fs::read(&log).unwrap().is_empty(), "kernels are logged");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_plan() {
        if stand_in().is_none() {
            return;
        }
        let dir = Dir::new();
        let file = shipment(&dir, "reads");
        let args = ["regenerate", &file, "--backend", "cuda", "--vram-budget"];
        let words = ["out of device memory: planned", "(peak)", "--vram-budget"];
        fails(1, &words, &[&args[..], &["100kB"]].concat());
        expect(0, &[&args[..], &["100MB"]].concat());
        fails(2, &["--vram-budget"], &[&args[..], &["much"]].concat());
        let prove = [
            "prove",
            "--guest",
            "fib",
            "--input",
            "small",
            "--segment-log-cycles",
            "10",
        ];
        let out = dir.name("p.bin");
        let more = ["--backend", "cuda", "--vram-budget", "1MB", "-o", &out];
        let words = ["out of device memory: planned", "(peak)"];
        fails(1, &words, &[&prove[..], &more].concat());
    }

    #[test]
    fn failures_of_the_device_are_named() {
        if stand_in() != Some(true) {
            return;
        }
        let dir = Dir::new();
        let file = shipment(&dir, "reads");
        let args = ["regenerate", &file, "--backend", "cuda"];
        let set =
            |name, value, code, words: &[&str]| fails_with(&[(name, value)], code, words, &args);
        set("REWIT_STANDIN_NO_DEVICE", "1", 2, &["finds no GPU"]);
        set("REWIT_STANDIN_DEVICE_LOST", "1", 1, &["device failed"]);
        set(
            "REWIT_STANDIN_FAIL_KERNEL",
            "fill_rows",
            1,
            &["device failed", "fill_rows"],
        );
        set(
            "REWIT_STANDIN_FAIL_KERNEL",
            "replay_chunks",
            1,
            &["device failed", "replay_chunks"],
        );
        for allocation in ["3", "9", "15"] {
            set(
                "REWIT_STANDIN_FAIL_ALLOCATION",
                allocation,
                1,
                &["out of device memory", "needs"],
            );
        }
        set(
            "REWIT_STANDIN_MEMORY",
            "3000000",
            1,
            &["out of device memory"],
        );
        let more = [&args[..], &["--device", "7"]].concat();
        fails(2, &["there is no GPU 7", "--device"], &more);
    }
}
