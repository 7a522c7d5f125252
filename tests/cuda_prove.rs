//! Segments are proven with the polynomials on the device, and the proofs are the CPU's.
#![cfg(feature = "cuda")]

mod common;
mod device;
mod proofs;

use device::{device, device_with};
use proofs::{ALL_PARTS, CHEAP, Run, guest, input};
use rewit::Error;
use rewit::backend::cuda::Options;
use rewit::stark::{Params, Prover};

/// Keys are equal; so are proofs of the first `num_segments` segments to the byte, and they verify.
fn proves_as_the_cpu(run: &Run, num_segments: usize, params: Params) {
    let Some(device) = device() else {
        return;
    };
    let cpu = Prover::new(&run.program, params).unwrap();
    let cuda = Prover::on_device(&run.program, params, &device).unwrap();
    assert_eq!(cuda.key(), cpu.key());
    let digest = cuda.key().digest(&params);
    for (index, witness) in (0..).zip(&run.witnesses[..num_segments]) {
        let expected = cpu.prove(index, witness.clone()).unwrap();
        let proof = cuda.prove(index, witness.clone()).unwrap();
        assert!(
            proof.encode() == expected.encode(),
            "proofs of segment {index} differ"
        );
        proof.verify(&params, &digest).unwrap();
    }
}

#[test]
fn proofs_are_the_cpus_to_the_byte() {
    proves_as_the_cpu(&Run::new(guest(), input(), 8), 2, CHEAP);
}

#[test]
fn challenges_of_degree_five() {
    let params = Params {
        extension: 5,
        log_blowup: 2,
        log_arity: 2,
        cap_height: 2,
        ..CHEAP
    };
    proves_as_the_cpu(&Run::new(guest(), input(), 9), 1, params);
}

#[test]
fn fib() {
    let elf = std::fs::read("guests/prebuilt/fib.elf").unwrap();
    proves_as_the_cpu(&Run::new(elf, b"300\n".to_vec(), 10), 1, CHEAP);
}

#[test]
fn proofs_with_grinding_verify_and_are_made_again_the_same() {
    let Some(device) = device() else {
        return;
    };
    let run = Run::new(guest(), input(), 8);
    let prover = Prover::on_device(&run.program, ALL_PARTS, &device).unwrap();
    let digest = prover.key().digest(&ALL_PARTS);
    let prove = || prover.prove(0, run.witnesses[0].clone()).unwrap();
    let proof = prove();
    proof.verify(&ALL_PARTS, &digest).unwrap();
    assert!(prove().encode() == proof.encode());
}

#[test]
fn too_little_memory_is_an_error() {
    let Some(_) = device() else {
        return;
    };
    let run = Run::new(guest(), input(), 8);
    let mut messages = Vec::new();
    // Less than the key needs, less than a segment needs at different steps, and enough.
    for megabytes in [1, 8, 12, 16, 20, 24, 512] {
        let options = Options {
            vram_budget: Some(megabytes << 20),
            ..Options::default()
        };
        let device = device_with(&options).unwrap();
        let proof = Prover::on_device(&run.program, CHEAP, &device)
            .and_then(|prover| prover.prove(0, run.witnesses[0].clone()));
        match proof {
            Ok(_) => assert!(megabytes > 1, "nothing fits in a megabyte"),
            Err(Error::OutOfDeviceMemory(text)) => messages.push(text),
            Err(other) => panic!("{other}"),
        }
        assert_eq!(device.memory().live, 0);
    }
    assert!((1..=6).contains(&messages.len()), "{messages:?}");
}
