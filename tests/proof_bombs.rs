//! Proofs made to exhaust memory: what decoding them allocates is counted.

mod bombs;
mod common;
mod proofs;

use bombs::{MIB, measured};
use proofs::parts::parts;
use proofs::{CHEAP, Run, guest, input};
use rewit::stark::{Prover, SegmentProof};

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The only test of this file: others would be counted with it.
#[test]
fn memory_is_bounded_by_the_bytes_given() {
    let run = Run::new(guest(), input(), 8);
    let prover = Prover::new(&run.program, CHEAP).unwrap();
    let proof = prover.prove(0, run.witnesses[0].clone()).unwrap();
    drop((prover, run));
    let bytes = proof.encode();
    drop(proof);
    let (decoded, honest) = measured(|| SegmentProof::decode(&bytes).is_ok());
    assert!(decoded);
    assert!(honest < 16 * bytes.len(), "{honest} for {}", bytes.len());

    // Every list of the proof claims to be longer than it is.
    let lengths: Vec<_> = parts(&bytes, 4)
        .into_iter()
        .filter(|part| part.is_length)
        .collect();
    let mut tried = 0;
    let mut worst = 0;
    for part in &lengths {
        for claim in [
            u64::MAX,
            u64::MAX / 32,
            1 << 63,
            1 << 40,
            1 << 32,
            1 << 31,
            1 << 24,
        ] {
            let mut bomb = bytes.clone();
            bomb.splice(part.bytes.clone(), varint(claim));
            let (decoded, peak) = measured(|| SegmentProof::decode(&bomb).is_ok());
            assert!(!decoded, "{}", part.name);
            worst = worst.max(peak);
            tried += 1;
        }
    }
    println!(
        "{tried} claims in {} lists: at most {:.2} MiB above",
        lengths.len(),
        worst as f64 / MIB as f64
    );
    assert!(lengths.len() > 100, "{}", lengths.len());
    assert!(worst < 8 * MIB, "{worst} bytes");

    // Every list is as long as it claims, of the smallest elements there are: zeros are empty
    // lists, absent options and zero numbers. Of several sizes, since lists double as they grow.
    let mut worst = (0.0, String::new());
    for part in &lengths {
        for element in [1, 2, 3, 4, 8, 16] {
            for zeros in [MIB / 2, MIB * 9 / 16, MIB * 13 / 16] {
                let mut bomb = bytes.clone();
                let mut list = varint((zeros / element) as u64);
                list.resize(list.len() + zeros, 0);
                bomb.splice(part.bytes.clone(), list);
                let (_, peak) = measured(|| SegmentProof::decode(&bomb).is_ok());
                let ratio = peak as f64 / bomb.len() as f64;
                if ratio > worst.0 {
                    worst = (ratio, format!("{} of {element} bytes", part.name));
                }
            }
        }
    }
    println!("at most {:.1} times the bytes, by {}", worst.0, worst.1);
    assert!(worst.0 > 24.0, "the bombs do not go off");
    assert!(worst.0 < 80.0, "{worst:?}");
}
