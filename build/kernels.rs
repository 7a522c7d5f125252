//! Compiles the kernels.

use std::fmt::Write;
use std::path::Path;

/// Writes `images.rs`, which lists each kernel file with its image.
pub(crate) fn compile(out: &Path) {
    let mut stems: Vec<String> = std::fs::read_dir("kernels")
        .expect("the crate has a folder kernels")
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            (path.extension()? == "cu").then(|| path.file_stem()?.to_str().map(str::to_owned))?
        })
        .collect();
    stems.sort();
    let mut text = String::from("pub(super) const IMAGES: &[(&str, &[u8])] = &[\n");
    for stem in stems {
        writeln!(text, "    ({stem:?}, &[]),").expect("a string takes all");
    }
    text.push_str("];\n");
    std::fs::write(out.join("images.rs"), text).expect("OUT_DIR can be written");
}
