//! Records the git commit and the build's target features for result files; with the feature `cuda`,
//! writes `layout.h` and compiles the kernels.

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "build/header.rs"]
mod header;
#[path = "build/kernels.rs"]
mod kernels;
#[path = "build/peers.rs"]
mod peers;

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

/// Writes `layout.h` and the kernels' images to the build's folder.
fn cuda(out: &Path) {
    let file = out.join("layout.h");
    let text = header::header();
    if std::fs::read_to_string(&file).ok().as_ref() != Some(&text) {
        std::fs::write(&file, text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let root = PathBuf::from(root);
    let mut done = kernels::embed(&root, out);
    if std::env::var_os("CARGO_FEATURE_PEERS_CUDA").is_some() {
        done = done.and_then(|()| peers::build(&root, out));
    }
    if let Err(text) = done {
        for line in text.lines() {
            println!("cargo::error={line}");
        }
        std::process::exit(1);
    }
}

fn main() {
    if std::env::var_os("CARGO_FEATURE_CUDA").is_some() {
        let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
        cuda(&PathBuf::from(out));
    }
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
}
