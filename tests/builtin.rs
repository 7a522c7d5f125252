//! The built-in guests: files as the manifest says, outputs as it says, and as qemu gives.

use std::path::Path;
use std::process::{Command, Stdio};

use rewit::vm::{Program, Stop, Vm};
use serde_json::Value;

fn guests() -> Vec<Value> {
    let manifest = std::fs::read("guests/manifest.json").expect("manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("manifest is JSON");
    manifest["guests"]
        .as_array()
        .expect("a list of guests")
        .clone()
}

fn file(path: &Value, hash: &Value) -> Vec<u8> {
    let path = Path::new("guests").join(path.as_str().expect("a path"));
    let bytes = std::fs::read(&path).expect("file of the manifest");
    let found = blake3::hash(&bytes).to_hex();
    assert_eq!(
        found.as_str(),
        hash.as_str().expect("a hash"),
        "{}",
        path.display()
    );
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Standard output, journal and exit code under qemu.
fn qemu(elf: &str, input: &str) -> Option<(Vec<u8>, Vec<u8>, i32)> {
    let dir = tempfile::tempdir().expect("temporary folder");
    let journal = dir.path().join("journal");
    let stdin = std::fs::File::open(Path::new("guests").join(input)).expect("input");
    if Command::new("qemu-riscv32")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        assert!(
            std::env::var_os("REQUIRE_QEMU").is_none(),
            "qemu-riscv32 is required"
        );
        println!("SKIPPED: qemu-riscv32 is not installed");
        return None;
    }
    let output = Command::new("sh")
        .args(["-c", "exec qemu-riscv32 \"$0\" 3>\"$1\""])
        .arg(Path::new("guests").join(elf))
        .arg(&journal)
        .stdin(stdin)
        .output()
        .expect("a shell");
    let code = output.status.code().expect("qemu ends by itself");
    Some((
        output.stdout,
        std::fs::read(journal).expect("journal"),
        code,
    ))
}

#[test]
fn outputs_are_as_recorded_and_as_under_qemu() {
    let guests = guests();
    let names: Vec<_> = guests
        .iter()
        .map(|g| g["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "fib",
            "sha2-chain",
            "keccak-chain",
            "sort",
            "ecdsa",
            "block"
        ]
    );
    let mut compared = 0;
    for guest in &guests {
        let elf = file(&guest["elf"], &guest["elf_blake3"]);
        let program = Program::from_elf(elf).expect("a runnable guest");
        for (kind, run) in guest["inputs"].as_object().expect("inputs") {
            let input = file(&run["path"], &run["blake3"]);
            let mut vm = Vm::new(&program, &input).expect("memory");
            let stop = vm.run(1 << 34);
            let name = format!("{} {kind}", guest["name"]);
            let code = run["exit_code"].as_u64().expect("an exit code") as u32;
            assert_eq!(stop, Stop::Exit(code), "{name}");
            let stdout = String::from_utf8_lossy(vm.stdout());
            assert_eq!(stdout, run["stdout"].as_str().expect("text"), "{name}");
            assert_eq!(
                hex(vm.journal()),
                run["journal"].as_str().expect("hex"),
                "{name}"
            );
            let paths = (
                guest["elf"].as_str().expect("path"),
                run["path"].as_str().expect("path"),
            );
            if kind != "large"
                && let Some((stdout, journal, code)) = qemu(paths.0, paths.1)
            {
                assert_eq!(stdout, vm.stdout(), "{name}: standard output under qemu");
                assert_eq!(journal, vm.journal(), "{name}: journal under qemu");
                assert_eq!(
                    Stop::Exit(code as u32),
                    stop,
                    "{name}: exit code under qemu"
                );
                compared += 1;
            }
        }
    }
    println!("{compared} runs compared with qemu");
}
