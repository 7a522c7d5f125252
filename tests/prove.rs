//! Runs are proven, and the proofs verified by us and by others. What is refused is in
//! `prove_refused.rs` and `prove_weak.rs`.

mod common;
mod proofs;

use common::sequences;
use p3_batch_stark::verify_batch;
use proofs::third_party::{self, Quartic, Quintic};
use proofs::{ALL_PARTS, CHEAP, Run, forge, guest, input, tables};
use rewit::stark::proof::Argument;
use rewit::stark::{Chain, ChainError, Grinding, Params, Prover, SegmentProof, VerifyError};
use rewit::witness::layout::public;

fn run() -> Run {
    Run::new(guest(), input(), 8)
}

/// Proves and verifies a whole run.
fn holds(run: &Run, params: Params) {
    let (program, proofs) = run.prove(params);
    for proof in &proofs {
        proof.verify(&params, &program).unwrap();
    }
    let outcome = run.chain(&proofs.iter().collect::<Vec<_>>()).unwrap();
    run.expect(&outcome);
    let bytes: usize = proofs.iter().map(|proof| proof.encode().len()).sum();
    println!(
        "{} segments, {} cycles, {bytes} bytes",
        outcome.num_segments, outcome.num_cycles
    );
}

#[test]
fn a_run_with_transfers_across_boundaries() {
    let run = run();
    assert_eq!(run.witnesses.len(), 5);
    assert_eq!(run.witnesses[0].public[public::END_MOVE], 1);
    holds(&run, CHEAP);
}

#[test]
fn fib() {
    let elf = std::fs::read("guests/prebuilt/fib.elf").unwrap();
    holds(&Run::new(elf, b"300\n".to_vec(), 10), CHEAP);
}

#[test]
fn sha2_chain() {
    let elf = std::fs::read("guests/prebuilt/sha2-chain.elf").unwrap();
    holds(&Run::new(elf, b"2\n".to_vec(), 12), CHEAP);
}

/// System calls of all kinds in random order; segments of 2^11 cycles, the first ten.
#[test]
fn random_system_calls() {
    let elf = sequences::build(sequences::syscalls, 4, 0);
    let mut rng = common::Rng::new(3);
    let input = (0..20_000).map(|_| rng.word() as u8).collect();
    let mut run = Run::new(elf, input, 11);
    run.witnesses.truncate(10);
    let (program, proofs) = run.prove(CHEAP);
    let mut chain = Chain::new(&run.program, &run.input).unwrap();
    for proof in &proofs {
        proof.verify(&CHEAP, &program).unwrap();
        chain.push(&proof.statement).unwrap();
    }
    let events: usize = proofs.iter().map(|p| p.statement.log.len()).sum();
    assert!(events > 1000, "{events} events");
    assert!(matches!(chain.finish(), Err(ChainError::NotExited { .. })));
}

/// Every parameter away from the cheap ones, alone and together.
#[test]
fn parameters() {
    let bits = |lookup, out_of_domain, batch, commit, query| Params {
        grinding: Grinding {
            lookup,
            out_of_domain,
            batch,
            commit,
            query,
        },
        ..CHEAP
    };
    let mut all = vec![
        Params {
            log_blowup: 2,
            ..CHEAP
        },
        Params {
            log_blowup: 3,
            ..CHEAP
        },
        Params {
            num_queries: 1,
            ..CHEAP
        },
        Params {
            num_queries: 60,
            ..CHEAP
        },
        Params {
            log_arity: 1,
            ..CHEAP
        },
        Params {
            log_arity: 5,
            log_final_len: 0,
            ..CHEAP
        },
        Params {
            cap_height: 3,
            ..CHEAP
        },
        Params {
            cap_height: 10,
            log_final_len: 0,
            ..CHEAP
        },
        Params {
            extension: 5,
            ..CHEAP
        },
        Params {
            extension: 5,
            ..ALL_PARTS
        },
        bits(4, 0, 0, 0, 0),
        bits(0, 4, 0, 0, 0),
        bits(0, 0, 4, 0, 0),
        bits(0, 0, 0, 4, 0),
        bits(0, 0, 0, 0, 4),
        ALL_PARTS,
    ];
    all.extend((0..=7).map(|log_final_len| Params {
        log_final_len,
        ..CHEAP
    }));
    let run = run();
    for params in all {
        let prover = Prover::new(&run.program, params).unwrap();
        let proof = prover.prove(0, run.witnesses[0].clone()).unwrap();
        let proof = SegmentProof::decode(&proof.encode()).unwrap();
        let program = prover.key().digest(&params);
        let result = proof.verify(&params, &program);
        assert!(result.is_ok(), "{params:?}: {result:?}");
        // The number of queries is one of proofs, not of keys.
        let other = Params {
            num_queries: params.num_queries + 1,
            ..params
        };
        let result = proof.verify(&other, &program);
        assert!(
            matches!(&result, Err(VerifyError::Params { found, accepted })
                if *found == params && *accepted == other),
            "{params:?}: {result:?}"
        );
    }
}

/// Verifies with Plonky3 alone, from the program; whether it accepts.
macro_rules! third_party_accepts {
    ($run:expr, $proof:expr, $argument:expr) => {{
        let (statement, params) = (&$proof.statement, &$proof.params);
        let seed = third_party::seed(params, &$proof.key, statement);
        let config = third_party::config(params, seed);
        let airs = third_party::airs(&$run.program);
        let common = third_party::common(&config, &airs, &$argument.degree_bits);
        let public = third_party::public_values(&statement.public);
        verify_batch(&config, &airs, $argument, &public, &common).is_ok()
    }};
}

/// Plonky3's verifier, set up from the program by somebody else, accepts the very proof.
#[test]
fn a_third_party_verifies() {
    let run = run();
    for params in [
        ALL_PARTS,
        Params {
            extension: 5,
            ..CHEAP
        },
    ] {
        let (_, proofs) = run.prove(params);
        for proof in &proofs[..2] {
            assert_eq!(
                proof.statement.seed(&params, &proof.key),
                third_party::seed(&params, &proof.key, &proof.statement)
            );
            let bytes = proof.argument.encode();
            let mut refused = 0;
            let accepts = |bytes: &[u8]| match &proof.argument {
                Argument::Quartic(_) => {
                    let argument = postcard::from_bytes::<third_party::Proof<Quartic>>(bytes);
                    argument.is_ok_and(|argument| third_party_accepts!(run, proof, &argument))
                }
                Argument::Quintic(_) => {
                    let argument = postcard::from_bytes::<third_party::Proof<Quintic>>(bytes);
                    argument.is_ok_and(|argument| third_party_accepts!(run, proof, &argument))
                }
            };
            assert!(accepts(&bytes));
            for at in (5..bytes.len()).step_by(bytes.len() / 8) {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                assert!(!accepts(&flipped), "byte {at}");
                refused += 1;
            }
            assert!(refused >= 8);
        }
    }
}

/// The tables that forgeries are made of are right: with the true statement they are a proof.
#[test]
fn a_third_party_proves() {
    let run = run();
    let (program, mut proofs) = run.prove(CHEAP);
    for (proof, witness) in proofs.iter_mut().zip(&run.witnesses) {
        let tables = tables(witness, &proof.statement);
        proof.argument = forge(&run.program, proof, &proof.statement, &tables);
        proof.verify(&CHEAP, &program).unwrap();
    }
}
