//! Reads bytes as a result file of any kind. Whatever is accepted can be shown, and written and read
//! again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rewit::report::{AnyFile, render};

fuzz_target!(|data: &[u8]| {
    let Ok(file) = AnyFile::read(data) else { return };
    for run in file.runs() {
        render(run);
    }
    for folding in file.foldings() {
        folding.render();
    }
    for sizes in file.proof_sizes() {
        sizes.render();
        sizes.to_csv();
    }
    if let AnyFile::Profile(profile) = &file {
        profile.render();
    }
    file.gaps();
    let again = AnyFile::read(file.to_json().as_bytes()).expect("what is written can be read");
    assert!(again == file);
});
