//! Bytes as a segment proof, by themselves and as changes to a real one. Whatever decodes must encode
//! to the same bytes, and only the real proof may verify.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rewit::segment::Runner;
use rewit::stark::{Grinding, Params, Prover, SegmentProof};
use rewit::vm::Program;
use rewit::witness::fill_from_reads;

const PARAMS: Params = Params {
    log_blowup: 1,
    num_queries: 3,
    log_arity: 3,
    log_final_len: 3,
    cap_height: 1,
    extension: 4,
    grinding: Grinding {
        lookup: 0,
        out_of_domain: 0,
        batch: 0,
        commit: 0,
        query: 0,
    },
};

/// The digest of a program's key, and the proof of its only segment.
static REAL: LazyLock<(blake3::Hash, Vec<u8>)> = LazyLock::new(|| {
    let program = Program::from_elf(elf()).expect("a program");
    let mut runner = Runner::new(&program, &[], 8, 5).expect("memory");
    let recording = runner.next_segment().expect("a segment");
    let witness = fill_from_reads(&program, &recording.segment, &recording.reads, Vec::new());
    let prover = Prover::new(&program, PARAMS).expect("good parameters");
    let proof = prover
        .prove(0, witness.expect("a witness"))
        .expect("a proof");
    let real = (prover.key().digest(&PARAMS), proof.encode());
    check(&real.1, &real.0, &real.1);
    assert!(proof.verify(&PARAMS, &real.0).is_ok());
    real
});

/// `li a0, 1; li a7, 93; ecall`
const CODE: [u32; 3] = [0x0010_0513, 0x05d0_0893, 0x73];

fn elf() -> Vec<u8> {
    let (at, len) = (0x1_0000, 4 * CODE.len() as u32);
    let mut file = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let header = [
        2 | 243 << 16,
        1,
        at,
        52,
        0,
        0,
        52 | 32 << 16,
        1 | 40 << 16,
        0,
    ];
    let segment = [1, 84, at, at, len, len, 5, 4];
    for word in header.into_iter().chain(segment).chain(CODE) {
        file.extend(u32::to_le_bytes(word));
    }
    file
}

fuzz_target!(|data: &[u8]| {
    let (program, real) = &*REAL;
    check(data, program, real);
    // Three bytes say where, one what to add.
    let mut changed = real.clone();
    for change in data.chunks_exact(4) {
        let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize;
        let byte = &mut changed[at % real.len()];
        *byte = byte.wrapping_add(change[3]);
    }
    check(&changed, program, real);
});

fn check(bytes: &[u8], program: &blake3::Hash, real: &[u8]) {
    let Ok(proof) = SegmentProof::decode(bytes) else {
        return;
    };
    assert!(proof.encode() == bytes, "a proof has one encoding");
    // By the parameters and the key it claims, the verifier gets further.
    let _ = proof.verify(&proof.params, &proof.key.digest(&proof.params));
    if proof.verify(&PARAMS, program).is_ok() {
        assert!(bytes == real, "another proof verifies");
    }
}
