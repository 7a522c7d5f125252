//! Records the git commit and the build's target features for result files, and compiles the kernels for the feature `cuda`.

use std::path::PathBuf;
use std::process::Command;

#[path = "build/kernels.rs"]
mod kernels;

/// Runs git without letting it refresh its index, which would make the next build run this again.
fn git(args: &[&str]) -> Option<String> {
    let out = Command::new("git")
        .arg("--no-optional-locks")
        .args(args)
        .output()
        .ok()?;
    out.status
        .success()
        .then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

fn main() {
    // The commit and whether files differ from it are looked up again when either may have changed.
    for path in [
        "build.rs",
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "guests/prebuilt",
        "guests/inputs",
    ] {
        println!("cargo::rerun-if-changed={path}");
    }
    for path in ["HEAD", "index"] {
        if let Some(file) = git(&["rev-parse", "--git-path", path]) {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    let commit = git(&["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let dirty =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|s| !s.is_empty());
    println!("cargo::rustc-env=REWIT_GIT_COMMIT={commit}");
    println!("cargo::rustc-env=REWIT_GIT_DIRTY={dirty}");
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    println!("cargo::rustc-env=REWIT_TARGET_FEATURES={features}");
    println!(
        "cargo::rustc-env=REWIT_TARGET={}",
        std::env::var("TARGET").unwrap_or_default()
    );
    println!(
        "cargo::rustc-env=REWIT_PROFILE={}",
        std::env::var("PROFILE").unwrap_or_default()
    );
    if std::env::var_os("CARGO_FEATURE_CUDA").is_some() {
        compile_kernels();
    }
}

/// Leaves the kernels' images, and `images.rs` that names them, in `OUT_DIR`.
fn compile_kernels() {
    let folder = |name| PathBuf::from(std::env::var_os(name).expect("cargo sets it"));
    if let Err(text) = kernels::embed(&folder("CARGO_MANIFEST_DIR"), &folder("OUT_DIR")) {
        for line in text.lines() {
            println!("cargo::error={line}");
        }
        std::process::exit(1);
    }
}
