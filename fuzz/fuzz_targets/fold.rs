//! Bytes as everything that folding receives, by themselves and as changes to real messages.
//! Whatever decodes must encode to the same bytes.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rewit::backend::curve::Fr;
use rewit::fold::wire::{decode_cross_term, decode_fresh, encode_cross_term, encode_fresh};
use rewit::fold::{
    CommitmentKey, Dimensions, FoldProof, Instance, Order, RelaxedInstance, RelaxedWitness,
    TableProof,
};

const DIMENSIONS: Dimensions = Dimensions {
    num_public: 1,
    parts: [0, 2, 1],
    num_constraints: 1,
};

const NUM_INTEGERS: usize = 4;

/// One message of each kind, and a key file.
static REAL: LazyLock<[Vec<u8>; 7]> = LazyLock::new(|| {
    let key = CommitmentKey::derive(3).expect("a short key");
    let parts = [0, 1, 2].map(|at| key.points()[at]);
    let x = vec![Fr::from(7)];
    let fresh = Instance { x, parts };
    let accumulator = RelaxedInstance::from(fresh.clone());
    let witness = RelaxedWitness {
        parts: DIMENSIONS.parts.map(|len| vec![Fr::from(-3); len]),
        error: vec![Fr::from(9)],
    };
    let real = [
        fresh.encode(),
        encode_fresh(&[0, -1, 1 << 20, i64::MIN]),
        accumulator.encode(),
        witness.encode(),
        encode_cross_term(&parts[0]),
        key.encode(),
    ];
    let proof = FoldProof {
        log_rows: 4,
        log_cycles: 4,
        order: Order::Tree,
        tables: vec![TableProof {
            instances: vec![fresh; 2],
            cross_terms: vec![parts[1]],
            accumulator,
            witness,
        }],
    };
    let [a, b, c, d, e, f] = real;
    let real = [a, b, c, d, e, f, proof.encode()];
    for message in &real {
        assert!(check(message), "a real message decodes");
    }
    real
});

fuzz_target!(|data: &[u8]| {
    check(data);
    // A key file with the digest that its author would put.
    if data.len() > 52 {
        let mut file = data.to_vec();
        seal(&mut file);
        check(&file);
    }
    // Three bytes say where, one what to add.
    for real in &*REAL {
        let mut changed = real.clone();
        for change in data.chunks_exact(4) {
            let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize;
            let byte = &mut changed[at % real.len()];
            *byte = byte.wrapping_add(change[3]);
        }
        check(&changed);
    }
});

fn seal(file: &mut [u8]) {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&file[..20]).update(&file[52..]);
    file[20..52].copy_from_slice(hasher.finalize().as_bytes());
}

/// Whether the bytes decode as any message.
fn check(bytes: &[u8]) -> bool {
    let header = FoldProof::inspect(bytes);
    let proof = FoldProof::decode(bytes, &[DIMENSIONS]);
    assert!(
        header.is_ok() || proof.is_err(),
        "what decodes has a good header"
    );
    let again = [
        Instance::decode(bytes, &DIMENSIONS).map(|sent| sent.encode()),
        decode_fresh(bytes, NUM_INTEGERS).map(|sent| encode_fresh(&sent)),
        RelaxedInstance::decode(bytes, &DIMENSIONS).map(|sent| sent.encode()),
        RelaxedWitness::decode(bytes, &DIMENSIONS).map(|sent| sent.encode()),
        decode_cross_term(bytes).map(|sent| encode_cross_term(&sent)),
        proof.map(|sent| sent.encode()),
    ];
    let key = CommitmentKey::decode(bytes).map(|key| key.encode()).ok();
    let again: Vec<_> = again
        .into_iter()
        .filter_map(Result::ok)
        .chain(key)
        .collect();
    assert!(again.len() <= 1, "a message has one kind");
    assert!(
        again.iter().all(|again| again == bytes),
        "a message has one encoding"
    );
    !again.is_empty()
}
