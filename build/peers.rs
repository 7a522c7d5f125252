//! Compiles `peers/*.cu`, which other projects' code is timed by, and links it with the CUDA runtime it needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kernels::{Compiler, architectures, run};

/// Builds the library `rewit_peers` in `out` and has cargo link it.
///
/// # Errors
/// No nvcc, no static runtime beside it, or code that does not compile.
pub(crate) fn build(root: &Path, out: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed=peers");
    println!("cargo::rerun-if-env-changed=DEP_SPPARK_ROOT");
    println!("cargo::rerun-if-env-changed=DEP_BLST_C_SRC");
    // The crates' build scripts say where their headers are: sppark's, and blst's, which it computes with on the host.
    let headers =
        std::env::var_os("DEP_SPPARK_ROOT").ok_or("sppark does not say where its headers are")?;
    let host =
        std::env::var_os("DEP_BLST_C_SRC").ok_or("blst does not say where its headers are")?;
    let compiler = Compiler::find(root)?;
    let mut nvcc = Command::new(compiler.nvcc());
    nvcc.args(["-lib", "-std=c++17", "-O3"]);
    nvcc.args(["-Xcompiler", "-fPIC,-Wno-unused-function", "--threads", "0"]);
    for arch in architectures(&compiler)? {
        nvcc.arg(format!("-gencode=arch=compute_{arch},code=sm_{arch}"));
    }
    nvcc.arg("-I")
        .arg(headers)
        .arg("-I")
        .arg(host)
        .arg(root.join("peers/sppark.cu"))
        .arg(root.join("peers/sppark_msm.cu"));
    nvcc.arg("-o").arg(out.join("librewit_peers.a"));
    run(&mut nvcc, "peers/sppark.cu or peers/sppark_msm.cu")?;

    println!("cargo::rustc-link-search=native={}", out.display());
    println!(
        "cargo::rustc-link-search=native={}",
        runtime(&compiler)?.display()
    );
    println!("cargo::rustc-link-lib=static=rewit_peers");
    println!("cargo::rustc-link-lib=static=cudart_static");
    for library in ["stdc++", "rt", "dl", "pthread"] {
        println!("cargo::rustc-link-lib=dylib={library}");
    }
    Ok(())
}

/// The folder of `libcudart_static.a`.
fn runtime(compiler: &Compiler) -> Result<PathBuf, String> {
    let nvcc = compiler.nvcc();
    // In a toolkit nvcc may be a link, or be found by its name alone.
    let named = match nvcc.parent() {
        Some(folder) if folder != Path::new("") => nvcc.to_path_buf(),
        _ => std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|folder| folder.join(nvcc))
            .find(|path| path.exists())
            .unwrap_or_default(),
    };
    let path = std::fs::canonicalize(&named).unwrap_or(named);
    let toolkit = path
        .parent()
        .and_then(Path::parent)
        .unwrap_or(Path::new("/usr"));
    ["lib64", "lib", "targets/x86_64-linux/lib"]
        .iter()
        .map(|folder| toolkit.join(folder))
        .find(|folder| folder.join("libcudart_static.a").exists())
        .ok_or(format!(
            "the feature peers-cuda needs libcudart_static.a, and {} has none; set CUDA_PATH to a whole CUDA toolkit, or run \
             ci/nvcc.sh and unset NVCC",
            toolkit.display()
        ))
}
