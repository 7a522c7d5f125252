//! Reads bytes as a result file. Whatever is accepted can be shown, and written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rewit::report::{read, render, to_json};

fuzz_target!(|data: &[u8]| {
    let Ok(result) = read(data) else { return };
    render(&result);
    let again = read(to_json(&result).as_bytes()).expect("what is written can be read");
    assert!(again == result);
});
