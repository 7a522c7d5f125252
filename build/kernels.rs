//! Compiles `kernels/*.cu` with nvcc. A module of `build.rs` and of `build/table.rs`.
//!
//! Every file is compiled once per architecture, and the outputs are kept by the hash of all that they depend on: the
//! file, the headers that it includes, the flags and the compiler. So a change to one file compiles that file alone,
//! and `ci/kernels.sh` and the build share their work when both name the same `REWIT_KERNEL_CACHE`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Compute capabilities compiled for when none are named and no GPU is there to ask: Turing to Blackwell.
pub(crate) const ARCHITECTURES: [u32; 6] = [75, 80, 86, 89, 90, 120];

/// What the caller of a build can set; looked up again when it changes.
pub(crate) const VARIABLES: [&str; 5] = [
    "NVCC",
    "CUDA_PATH",
    "REWIT_CUDA_ARCHS",
    "REWIT_KERNELS",
    "REWIT_KERNEL_CACHE",
];

const FLAGS: [&str; 5] = [
    "-std=c++17",
    "-O3",
    "--expt-relaxed-constexpr",
    "-Xptxas",
    "-v",
];

/// A kernel file compiled for one architecture.
pub(crate) struct Compiled {
    /// The file's name without `.cu`.
    pub(crate) stem: String,
    /// Compute capability times ten, such as 90.
    pub(crate) arch: u32,
    /// The machine code.
    pub(crate) cubin: PathBuf,
    /// What the compiler said: registers and spills of each kernel, and warnings.
    pub(crate) log: String,
}

/// nvcc, and what tells one version's output from another's.
pub(crate) struct Compiler {
    nvcc: PathBuf,
    version: String,
}

impl Compiler {
    /// Looks for nvcc: `NVCC`, `CUDA_PATH`, `/usr/local/cuda`, `PATH`, then what `ci/nvcc.sh` installed.
    ///
    /// # Errors
    /// What was looked for, and the ways out.
    pub(crate) fn find(root: &Path) -> Result<Self, String> {
        if let Some(nvcc) = variable("NVCC") {
            return Self::at(Path::new(&nvcc)).ok_or(format!(
                "NVCC={} does not start; point it at nvcc or unset it",
                nvcc.display()
            ));
        }
        if let Some(toolkit) = variable("CUDA_PATH")
            && let Some(found) = Self::at(&Path::new(&toolkit).join("bin/nvcc"))
        {
            return Ok(found);
        }
        let mut places = vec![
            PathBuf::from("/usr/local/cuda/bin/nvcc"),
            PathBuf::from("nvcc"),
        ];
        let versions = fs::read_dir(root.join("target/nvcc/lib"))
            .into_iter()
            .flatten();
        for python in versions.flatten() {
            places.push(python.path().join("site-packages/nvidia/cu13/bin/nvcc"));
        }
        places.iter().find_map(|place| Self::at(place)).ok_or(
            "the feature cuda needs nvcc, and there is none: \
             set CUDA_PATH (or NVCC) to a CUDA toolkit of version 12.8 or newer; \
             or run ci/nvcc.sh, which installs the compiler alone under target/nvcc; \
             or set REWIT_KERNELS=none to build without machine code, for the CPU stand-in only"
                .into(),
        )
    }

    fn at(nvcc: &Path) -> Option<Self> {
        let out = Command::new(nvcc).arg("--version").output().ok()?;
        out.status.success().then(|| Self {
            nvcc: nvcc.into(),
            version: String::from_utf8_lossy(&out.stdout).into_owned(),
        })
    }

    /// The program.
    #[allow(dead_code, reason = "some of those who include this file need it")]
    pub(crate) fn nvcc(&self) -> &Path {
        &self.nvcc
    }

    /// The architectures that this nvcc compiles for; none if it does not say.
    fn known(&self) -> Vec<u32> {
        let out = Command::new(&self.nvcc).arg("--list-gpu-arch").output();
        let text = out.map(|out| out.stdout).unwrap_or_default();
        String::from_utf8_lossy(&text)
            .lines()
            .filter_map(|line| line.trim().strip_prefix("compute_")?.parse().ok())
            .collect()
    }

    /// The program beside nvcc called `name`.
    fn tool(&self, name: &str) -> PathBuf {
        match self.nvcc.parent() {
            Some(folder) if folder != Path::new("") => folder.join(name),
            _ => name.into(),
        }
    }

    /// Compiles every kernel file for every architecture, `jobs` at a time, into the folder `cache`. `include` holds
    /// the generated headers. Ordered by file name, then by architecture.
    ///
    /// # Errors
    /// The output of the first compilation that failed.
    pub(crate) fn compile(
        &self,
        root: &Path,
        include: &Path,
        cache: &Path,
        archs: &[u32],
        jobs: usize,
    ) -> Result<Vec<Compiled>, String> {
        fs::create_dir_all(cache).map_err(|e| format!("{}: {e}", cache.display()))?;
        let mut units = Vec::new();
        for file in sources(root)? {
            let mut hasher = DefaultHasher::new();
            (&self.version, FLAGS).hash(&mut hasher);
            for part in closure(&file, &[&root.join("kernels"), include])? {
                fs::read(&part)
                    .map_err(|e| format!("{}: {e}", part.display()))?
                    .hash(&mut hasher);
            }
            for &arch in archs {
                units.push((file.clone(), arch, hasher.finish()));
            }
        }
        let mut compiled = each(&units, jobs, |(file, arch, hash)| {
            self.unit(root, include, cache, file, *arch, *hash)
        })?;
        compiled.sort_by(|a, b| (&a.stem, a.arch).cmp(&(&b.stem, b.arch)));
        Ok(compiled)
    }

    /// nvcc, told where headers are.
    fn command(&self, root: &Path, include: &Path) -> Command {
        let mut nvcc = Command::new(&self.nvcc);
        nvcc.arg("-I")
            .arg(root.join("kernels"))
            .arg("-I")
            .arg(include);
        nvcc
    }

    fn unit(
        &self,
        root: &Path,
        include: &Path,
        cache: &Path,
        file: &Path,
        arch: u32,
        hash: u64,
    ) -> Result<Compiled, String> {
        let stem = stem(file);
        let cubin = cache.join(format!("{stem}-{arch}-{hash:016x}.cubin"));
        let log = cubin.with_extension("log");
        // The log is written last, so a compilation that was cut off is done again.
        if !(cubin.exists() && log.exists()) {
            let mine = cubin.with_extension(format!("{}.tmp", std::process::id()));
            let mut nvcc = self.command(root, include);
            nvcc.arg("-cubin")
                .arg(format!("-arch=sm_{arch}"))
                .args(FLAGS);
            run(
                nvcc.arg(file).arg("-o").arg(&mine),
                &format!("{stem}.cu for sm_{arch}"),
            )
            .and_then(|text| {
                rename(&mine, &cubin)?;
                fs::write(&mine, text).map_err(|e| format!("{}: {e}", mine.display()))?;
                rename(&mine, &log)
            })?;
        }
        let log = fs::read_to_string(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        Ok(Compiled {
            stem,
            arch,
            cubin,
            log,
        })
    }

    /// Makes the file `to` of the code for each architecture, which are one kernel file's, and of portable code (PTX)
    /// for the newest of them, which the driver translates for GPUs newer than that.
    fn bundle(
        &self,
        root: &Path,
        include: &Path,
        of: &[Compiled],
        to: &Path,
    ) -> Result<(), String> {
        let Some(newest) = of.iter().max_by_key(|unit| unit.arch) else {
            return Err("no architecture to compile for".into());
        };
        let mut list: Vec<_> = of.iter().map(|unit| &unit.cubin).collect();
        list.sort();
        let list = format!("{list:?}");
        let done = to.with_extension("from");
        if to.exists() && fs::read_to_string(&done).is_ok_and(|old| old == list) {
            return Ok(());
        }
        let arch = newest.arch;
        // Beside the machine code, whose name tells all that it depends on.
        let ptx = newest.cubin.with_extension("ptx");
        if !ptx.exists() {
            let mine = ptx.with_extension(format!("{}.ptx.tmp", std::process::id()));
            let mut nvcc = self.command(root, include);
            nvcc.arg("-ptx")
                .arg(format!("-arch=compute_{arch}"))
                .args(&FLAGS[..3])
                .arg(root.join(format!("kernels/{}.cu", newest.stem)))
                .arg("-o")
                .arg(&mine);
            run(&mut nvcc, &format!("{}.cu for compute_{arch}", newest.stem))?;
            rename(&mine, &ptx)?;
        }
        let mut create = OsString::from("--create=");
        create.push(to);
        let mut fatbinary = Command::new(self.tool("fatbinary"));
        fatbinary.arg(create).arg("-64");
        for unit in of {
            let mut image = OsString::from(format!("--image3=kind=elf,sm={},file=", unit.arch));
            image.push(&unit.cubin);
            fatbinary.arg(image);
        }
        let mut image = OsString::from(format!("--image3=kind=ptx,sm={arch},file="));
        image.push(&ptx);
        run(fatbinary.arg(image), "fatbinary")?;
        fs::write(&done, list).map_err(|e| format!("{}: {e}", done.display()))
    }
}

/// Compiles all kernels for a build and writes `images.rs` into `out`, which also holds the generated headers:
/// `IMAGES`, the stem and the image of each kernel file. With `REWIT_KERNELS=none` the images are empty.
///
/// # Errors
/// No nvcc, a file that does not compile, or a variable that cannot be read.
pub(crate) fn embed(root: &Path, out: &Path) -> Result<(), String> {
    for name in VARIABLES {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=kernels");
    println!("cargo::rerun-if-changed=build");
    match variable("REWIT_KERNELS")
        .as_deref()
        .and_then(|s| s.to_str())
    {
        Some("none") => return write_images(&sources(root)?, out, false),
        Some("") | None => (),
        Some(other) => {
            return Err(format!(
                "REWIT_KERNELS={other} is not known; set it to none or not at all"
            ));
        }
    }
    let compiler = Compiler::find(root)?;
    let cache =
        variable("REWIT_KERNEL_CACHE").map_or_else(|| out.join("kernels"), |path| root.join(path));
    let jobs = std::env::var("NUM_JOBS")
        .ok()
        .and_then(|jobs| jobs.parse().ok())
        .unwrap_or(1);
    let compiled = compiler.compile(root, out, &cache, &architectures(&compiler)?, jobs)?;
    for unit in &compiled {
        for line in unit.log.lines().filter(|line| line.contains("warning")) {
            println!(
                "cargo::warning={}.cu for sm_{}: {line}",
                unit.stem, unit.arch
            );
        }
    }
    let files: Vec<_> = compiled.chunk_by(|a, b| a.stem == b.stem).collect();
    each(&files, jobs, |of| {
        compiler.bundle(root, out, of, &out.join(format!("{}.fatbin", of[0].stem)))
    })?;
    write_images(&sources(root)?, out, true)
}

fn write_images(files: &[PathBuf], out: &Path, compiled: bool) -> Result<(), String> {
    let mut text = String::from("// Generated by build/kernels.rs.\n\n");
    if compiled {
        text += "/// An image, placed as the driver likes it.\n#[repr(C, align(16))]\nstruct Image<const N: usize>([u8; N]);\n\n";
    }
    text += "/// The compiled kernels of each file: its stem, and the image to load (empty when built without machine code).\n";
    text += "pub(super) static IMAGES: &[(&str, &[u8])] = &[\n";
    for file in files {
        let stem = stem(file);
        if compiled {
            let path = format!("concat!(env!(\"OUT_DIR\"), \"/{stem}.fatbin\")");
            text += &format!(
                "    (\"{stem}\", &const {{ Image::<{{ include_bytes!({path}).len() }}>(*include_bytes!({path})) }}.0),\n"
            );
        } else {
            text += &format!("    (\"{stem}\", &[]),\n");
        }
    }
    text += "];\n";
    let path = out.join("images.rs");
    fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The kernel files, by name.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn sources(root: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = root.join("kernels");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cu"));
    files.sort();
    Ok(files)
}

/// The architectures to compile for: `REWIT_CUDA_ARCHS`, else those of the GPUs here that `compiler` knows, else
/// [`ARCHITECTURES`].
///
/// # Errors
/// `REWIT_CUDA_ARCHS` is not a list of numbers.
pub(crate) fn architectures(compiler: &Compiler) -> Result<Vec<u32>, String> {
    let mut archs: Vec<u32> = match variable("REWIT_CUDA_ARCHS") {
        Some(list) => {
            let list = list.to_string_lossy();
            let numbers: Option<Vec<u32>> = list
                .split([' ', ','])
                .filter(|part| !part.is_empty())
                .map(|part| part.parse().ok().filter(|arch| *arch >= ARCHITECTURES[0]))
                .collect();
            numbers.filter(|numbers| !numbers.is_empty()).ok_or(format!(
                "REWIT_CUDA_ARCHS={list} is not a list of compute capabilities of {} and above, such as \"80 90\"",
                ARCHITECTURES[0]
            ))?
        }
        None => known_to(&compiler.known(), capabilities_here()),
    };
    archs.sort_unstable();
    archs.dedup();
    Ok(archs)
}

/// Each of `archs`, or the newest of `known` below it if it is not among them: the driver translates that one's
/// portable code for it. Unchanged if nothing is known.
fn known_to(known: &[u32], archs: Vec<u32>) -> Vec<u32> {
    let newest = |arch: u32| known.iter().copied().filter(|k| *k <= arch).max();
    archs
        .into_iter()
        .map(|arch| newest(arch).unwrap_or(arch))
        .collect()
}

/// The compute capabilities that `nvidia-smi` reports and that kernels can be compiled for, or all.
fn capabilities_here() -> Vec<u32> {
    let out = Command::new("nvidia-smi")
        .args(["--query-gpu=compute_cap", "--format=csv,noheader"])
        .output();
    let text = out
        .ok()
        .filter(|out| out.status.success())
        .map(|out| out.stdout);
    let found: Vec<u32> = String::from_utf8_lossy(&text.unwrap_or_default())
        .lines()
        .filter_map(|line| line.trim().replace('.', "").parse().ok())
        .filter(|arch| *arch >= ARCHITECTURES[0])
        .collect();
    if found.is_empty() {
        ARCHITECTURES.to_vec()
    } else {
        found
    }
}

/// Does `work` for each of `items`, `jobs` at a time. What it returned, in the order of the ends.
///
/// # Errors
/// One that `work` returned; nothing is begun after it.
fn each<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    work: impl Fn(&T) -> Result<R, String> + Sync,
) -> Result<Vec<R>, String> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(item);
                    if result.is_err() {
                        next.store(items.len(), Ordering::Relaxed);
                    }
                    results
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(result);
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().collect()
}

/// `file` and every header that it includes by a quoted name, itself or through another, except those of the
/// stand-in.
fn closure(file: &Path, folders: &[&Path]) -> Result<BTreeSet<PathBuf>, String> {
    let mut found = BTreeSet::new();
    let mut open = vec![file.to_path_buf()];
    while let Some(path) = open.pop() {
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        for line in text.lines() {
            let Some(name) = line
                .trim_start()
                .strip_prefix("#include \"")
                .and_then(|rest| rest.split('"').next())
            else {
                continue;
            };
            if name.starts_with("standin/") {
                continue;
            }
            let beside = path.parent().unwrap_or(Path::new("")).join(name);
            let known = std::iter::once(beside)
                .chain(folders.iter().map(|folder| folder.join(name)))
                .find(|path| path.exists());
            open.extend(known.filter(|path| !found.contains(path)));
        }
        found.insert(path);
    }
    Ok(found)
}

/// Runs a compiler and returns what it said.
pub(crate) fn run(command: &mut Command, what: &str) -> Result<String, String> {
    let out = command
        .output()
        .map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    let text = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    match out.status.success() {
        true => Ok(text.into_owned()),
        false => Err(format!("{what} does not compile:\n{text}")),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), String> {
    fs::rename(from, to).map_err(|e| format!("{}: {e}", to.display()))
}

fn stem(file: &Path) -> String {
    file.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
