//! `rewit devices` and NVML: what a stand-in for NVIDIA's management library answers, and what is made of
//! answers that it does not give.

mod command;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use command::rewit;
use rewit::measure::{ClockSampler, Nvml};
use rewit::report::{ResultFile, read, to_json};
use serde_json::Value;

/// The stand-in, compiled when first asked for; `None`, said once, without a compiler.
fn stand_in() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libnvidia-ml-standin.so");
        let built = Command::new("g++")
            .args([
                "-std=c++17",
                "-O1",
                "-fPIC",
                "-fvisibility=hidden",
                "-shared",
                "-o",
            ])
            .arg(&library)
            .arg("kernels/standin/nvml/nvml.cpp")
            .output();
        match built {
            Err(error) => {
                let required = std::env::var_os("REQUIRE_CUDA").is_some_and(|v| v == "1");
                assert!(!required, "g++: {error}");
                eprintln!("SKIPPED: no g++ to build the stand-in for NVML with: {error}");
                None
            }
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{text}");
                Some(library)
            }
        }
    };
    BUILT.get_or_init(build).as_deref()
}

/// `rewit devices --json` with the stand-in and its answers set.
fn devices(settings: &str) -> Option<Value> {
    let output = rewit(&["devices", "--json"])
        .env("REWIT_LIBNVML", stand_in()?)
        .env("REWIT_STANDIN_NVML", settings)
        .assert()
        .code(0)
        .get_output()
        .clone();
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn devices_say_what_nvml_says() {
    let Some(found) = devices("gpus=2") else {
        return;
    };
    let gpus = found["nvml"].as_array().unwrap();
    assert_eq!(gpus.len(), 2);
    assert_eq!(found.get("no_nvml"), None);
    // Every number is the stand-in's own, each another, so that none stands for another.
    let mut gpu = gpus[1].clone();
    let clock = gpu["sm_clock_mhz"].take().as_u64().unwrap();
    assert!([1980, 1965, 1950].contains(&clock), "{clock}");
    let expected = serde_json::json!({
        "name": "NVML stand-in (no GPU)",
        "memory_bytes": 80_000_000_000_u64,
        "driver_version": "stand-in 1",
        "sm_clock_mhz": null,
        "max_sm_clock_mhz": 1995,
        "memory_clock_mhz": 2619,
        "max_memory_clock_mhz": 2620,
        "power_limit_watts": 699.5,
        "ecc": true,
        "pcie": { "generation": 4, "width": 8 },
        "max_pcie": { "generation": 5, "width": 16 },
    });
    assert_eq!(gpu, expected);
    // The stand-in's bus addresses are not in it.
    assert!(!found.to_string().contains("00000000:"), "{found}");
}

#[test]
fn answers_that_nvml_does_not_give_are_missing() {
    for (settings, missing) in [
        ("PowerUsage=3,EccMode=3", &["ecc"][..]),
        ("EnforcedPowerLimit=999", &["power_limit_watts"]),
        ("ClockInfo=3", &["sm_clock_mhz", "memory_clock_mhz"]),
        (
            "MaxClockInfo=4",
            &["max_sm_clock_mhz", "max_memory_clock_mhz"],
        ),
        ("CurrPcieLinkWidth=3", &["pcie"]),
        ("MaxPcieLinkGeneration=3", &["max_pcie"]),
        ("driver=999", &["driver_version"]),
        ("MemoryInfo=3", &["memory_bytes"]),
        // A code that no version of NVML has.
        ("EccMode=77777", &["ecc"]),
    ] {
        let Some(found) = devices(settings) else {
            return;
        };
        let gpu = &found["nvml"][0];
        let fields = [
            "driver_version",
            "sm_clock_mhz",
            "max_sm_clock_mhz",
            "memory_clock_mhz",
            "max_memory_clock_mhz",
            "power_limit_watts",
            "ecc",
            "pcie",
            "max_pcie",
            "memory_bytes",
        ];
        for field in fields {
            let there = gpu.get(field).is_some_and(|value| !value.is_null());
            assert_eq!(there, !missing.contains(&field), "{settings}: {field}");
        }
    }
}

#[test]
fn whatever_nvml_fails_at_is_a_reason() {
    for (settings, why) in [
        ("init=9", "NVIDIA driver is not loaded"),
        ("count=999", "internal driver error"),
        ("gpus=0", "knows no GPU"),
        ("gpus=2,lost=1", "1: NVML: device fell off the bus"),
        ("Name=15", "0: NVML: device fell off the bus"),
        ("all=4", "permission"),
    ] {
        let Some(found) = devices(settings) else {
            return;
        };
        let reason = found["no_nvml"].as_str().unwrap().to_lowercase();
        assert!(reason.contains(&why.to_lowercase()), "{settings}: {reason}");
        let there = usize::from(settings.contains("lost"));
        assert_eq!(found["nvml"].as_array().unwrap().len(), there, "{settings}");
    }
}

/// No library, one that is none, and one that lacks the functions; and a path goes nowhere.
#[test]
fn without_nvml_there_is_a_reason_that_names_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("private-name.so");
    std::fs::write(&text, "no library").unwrap();
    for library in [text.to_str().unwrap(), "/nonexistent/private-name.so"] {
        let why = Nvml::load_from(library).unwrap_err();
        assert!(why.contains("cannot be loaded"), "{why}");
        assert!(!why.contains("private-name"), "{why}");
    }
    // The C library is a library, and not this one.
    if cfg!(target_os = "linux") {
        let why = Nvml::load_from("libc.so.6").unwrap_err();
        assert!(why.contains("lacks a function"), "{why}");
    }
    let output = rewit(&["devices"])
        .env("REWIT_LIBNVML", "/nonexistent/private-name.so")
        .assert()
        .code(0)
        .get_output()
        .clone();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.contains("nvml  the NVML library cannot be loaded"),
        "{output}"
    );
    assert!(output.starts_with("cpu   "), "{output}");
    assert!(!output.contains("private-name"), "{output}");
}

#[test]
fn clocks_are_watched_until_told_to_stop() {
    let Some(library) = stand_in() else {
        return;
    };
    let nvml = || Nvml::load_from(library).unwrap();
    let why = ClockSampler::start(nvml(), (0, 9, 0)).unwrap_err();
    assert!(why.contains("not this one"), "{why}");
    assert!(nvml().state((1, 0, 0)).is_err());
    let sampler = ClockSampler::start(nvml(), (0, 0, 0)).unwrap();
    thread::sleep(Duration::from_millis(500));
    let Some(load) = sampler.finish() else {
        // A machine so busy that the thread did not run says nothing of a GPU, as it should.
        return;
    };
    assert_eq!(load.num_idle, 0);
    let median = load.sm_clock_mhz.unwrap();
    assert!((1950.0..=1980.0).contains(&median), "{load:?}");
    assert!(load.min_sm_clock_mhz.unwrap() <= median, "{load:?}");
    assert_eq!(load.memory_clock_mhz, Some(2619.0));
    // 412.345 W, to a tenth.
    assert_eq!(load.power_watts, Some(412.3));
    assert_eq!(load.max_temperature_celsius, Some(61));
    assert_eq!(load.throttle_reasons, ["sw-power-cap"]);
    assert_eq!(load.pcie.unwrap().generation, 4);
}

#[test]
fn this_machine_is_described_and_measured() {
    let output = rewit(&["devices", "--measure", "--json", "--threads", "2"])
        .env("REWIT_LIBNVML", "/nonexistent")
        .assert()
        .code(0)
        .get_output()
        .clone();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let hardware = &found["hardware"];
    let bandwidth = &hardware["memory_bandwidth"];
    assert_eq!(bandwidth["kind"], "measured");
    assert_eq!(bandwidth["threads"], 2);
    let samples: Vec<f64> = serde_json::from_value(bandwidth["samples"].clone()).unwrap();
    assert!(
        samples.len() >= 5 && samples.iter().all(|&s| s > 0.0),
        "{samples:?}"
    );
    // As another reader of the same files has it.
    let sysfs = "/sys/devices/system/cpu/cpu0/cache/index0/size";
    if let Ok(size) = std::fs::read_to_string(sysfs)
        && let Some(kib) = size.trim().strip_suffix('K')
    {
        let bytes = kib.parse::<u64>().unwrap() << 10;
        let caches = hardware["caches"].as_array().unwrap();
        assert!(
            caches.iter().any(|cache| cache["bytes"] == bytes),
            "{hardware}"
        );
        let largest = caches
            .iter()
            .filter_map(|cache| cache["bytes"].as_u64())
            .max();
        assert!(bandwidth["buffer_bytes"].as_u64() >= largest, "{hardware}");
    }
    // Nobody's name.
    if let Ok(name) = std::fs::read_to_string("/proc/sys/kernel/hostname")
        && name.trim().len() > 3
    {
        assert!(!found.to_string().contains(name.trim()), "{found}");
    }
    let text = rewit(&["devices"]).assert().code(0).get_output().clone();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("\nram   ") && !text.contains("copies"),
        "{text}"
    );
}

/// A result file of before there were these fields.
fn older() -> ResultFile {
    let path = "docs/results/2026-11-22-amd-epyc-zen5-2-threads-block.json";
    read(&std::fs::read(path).unwrap()).unwrap()
}

/// What reading says of the file with a field of its machine set.
fn with_field(path: &[&str], value: Value) -> String {
    let mut json: Value = serde_json::from_str(&to_json(&older())).unwrap();
    let mut at = &mut json["hardware"];
    for name in path {
        at = &mut at[*name];
    }
    *at = value;
    match read(json.to_string().as_bytes()) {
        Ok(file) => {
            assert!(read(to_json(&file).as_bytes()).unwrap() == file);
            "fine".into()
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn machines_in_files_are_checked() {
    use serde_json::json;
    let bandwidth = |samples: &[f64], median: f64, threads: u32| {
        json!({
            "kind": "measured", "buffer_bytes": 1 << 28, "threads": threads, "samples": samples,
            "summary": { "median": median, "min": 1e10, "max": 2e10, "mean": 1.5e10,
                "interval": { "low": 1e10, "high": 2e10, "confidence": 0.5 } },
        })
    };
    let gpu = |extra: Value| {
        let mut gpu = json!({
            "name": "a GPU", "compute_capability": "9.0", "num_multiprocessors": 132,
            "memory_bytes": 80_000_000_000_u64, "cuda_version": "13.0",
        });
        let fields = extra.as_object().unwrap().clone();
        gpu.as_object_mut().unwrap().extend(fields);
        gpu
    };
    let copy = |direction: &str, bytes: u64| {
        json!({
            "direction": direction, "kind": "measured", "buffer_bytes": bytes, "samples": [5e10],
            "summary": { "median": 5e10, "min": 5e10, "max": 5e10, "mean": 5e10, "interval": null },
        })
    };
    for (path, value, expected) in [
        (&["numa_nodes"][..], json!(2), "fine"),
        (&["governor"], json!("performance"), "fine"),
        (
            &["caches"],
            json!([{ "level": 3, "kind": "unified", "bytes": 1 << 25, "shared_by": 16 }]),
            "fine",
        ),
        (
            &["memory_bandwidth"],
            bandwidth(&[1e10, 2e10], 1.5e10, 2),
            "fine",
        ),
        (&["gpu"], gpu(json!({})), "fine"),
        (
            &["gpu"],
            gpu(json!({ "nvml": { "ecc": false }, "load": { "num_samples": 0, "num_idle": 9 } })),
            "fine",
        ),
        (
            &["gpu"],
            gpu(json!({ "copies": [copy("device", 9), copy("host-to-device", 9)] })),
            "fine",
        ),
        (
            &["caches"],
            json!([{ "level": 0, "kind": "data", "bytes": 1 }]),
            "hardware.caches[0]",
        ),
        (
            &["caches"],
            json!([{ "level": 1, "kind": "data", "bytes": 0 }]),
            "hardware.caches[0]",
        ),
        (
            &["caches"],
            json!([{ "level": 1, "kind": "odd", "bytes": 1 }]),
            "odd",
        ),
        (
            &["caches"],
            json!(vec![json!({ "level": 1, "kind": "data", "bytes": 1 }); 65]),
            "hardware.caches are 65",
        ),
        (
            &["cpu"],
            json!("two\nlines"),
            "hardware.cpu is not one line",
        ),
        (&["governor"], json!("x".repeat(5000)), "hardware.governor"),
        (
            &["memory_bandwidth"],
            bandwidth(&[], 1.5e10, 2),
            "samples is empty",
        ),
        (
            &["memory_bandwidth"],
            bandwidth(&[1e10, 2e10], 1.6e10, 2),
            "summary is not that",
        ),
        (
            &["memory_bandwidth"],
            bandwidth(&[-1e10, 2e10], 1.5e10, 2),
            "samples[0] is -1",
        ),
        (
            &["memory_bandwidth"],
            bandwidth(&[1e10, 2e10], 1.5e10, 0),
            "no threads",
        ),
        (
            &["gpu"],
            gpu(json!({ "name": "CPU stand-in" })),
            "hardware.gpu is a stand-in",
        ),
        (
            &["gpu"],
            gpu(json!({ "nvml": { "driver_version": "stand-in 1" } })),
            "hardware.gpu is a stand-in",
        ),
        (
            &["gpu"],
            gpu(json!({ "nvml": { "serial": "1" } })),
            "serial",
        ),
        (
            &["gpu"],
            gpu(json!({ "nvml": { "power_limit_watts": -1 } })),
            "power_limit_watts",
        ),
        (
            &["gpu"],
            gpu(json!({ "nvml": { "pcie": { "generation": 99, "width": 16 } } })),
            "hardware.gpu.nvml.pcie",
        ),
        (
            &["gpu"],
            gpu(
                json!({ "load": { "num_samples": 1, "num_idle": 0, "sm_clock_mhz": 1, "min_sm_clock_mhz": 2 } }),
            ),
            "min_sm_clock_mhz",
        ),
        (
            &["gpu"],
            gpu(json!({ "copies": [copy("device", 9), copy("device", 9)] })),
            "copies[1] has the direction",
        ),
        (
            &["gpu"],
            gpu(json!({ "copies": [copy("device", 0)] })),
            "copies[0].buffer_bytes is 0",
        ),
    ] {
        let found = with_field(path, value.clone());
        assert!(found.contains(expected), "{path:?} {value}: {found}");
    }
}
