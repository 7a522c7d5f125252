//! Whole segments are folded in both orders, and verified. What is refused is in `fold_refused.rs`.

mod common;
mod proofs;

use proofs::{Run, guest, input};
use rewit::backend::{Checked, Cpu, Folding};
use rewit::fold::{FoldProof, Folder, Hop, Order, Phase, Verifier};
use rewit::stark::Statement;

/// Precomputed multiples pay off only beyond a test.
const BUDGET: u64 = 1 << 26;

/// Folds one segment of a run in both orders; the proofs.
fn holds<B: Folding>(backend: &B, run: &Run, segment: u32, log_rows: u32) -> [FoldProof; 2] {
    let folder = Folder::new(backend, &run.program, log_rows, None, BUDGET).unwrap();
    let verifier = Verifier::new(&run.program, log_rows, folder.key().clone()).unwrap();
    let witness = &run.witnesses[segment as usize];
    let statement = Statement::new(segment, witness);
    let mut seen = Vec::new();
    let mut progress = |p: rewit::fold::Progress| {
        assert!(p.done <= p.total && p.table < 5, "{p:?}");
        if p.done == p.total {
            seen.push((p.phase, p.table));
        }
    };
    let session = folder
        .commit(segment, witness, None, &mut progress)
        .unwrap();
    assert!(session.is_complete());
    let proofs = Order::ALL.map(|order| {
        let folded = session.fold(order, &mut progress).unwrap();
        verifier.verify(&statement, &folded.proof).unwrap();
        assert!(folded.complete);
        for (table, stats) in folded.proof.tables.iter().zip(&folded.stats) {
            assert_eq!(stats.num_chunks, table.instances.len());
            assert_eq!(stats.hops.len(), table.cross_terms.len());
            assert_eq!(stats.times.num_folds as usize, table.cross_terms.len());
            // What a tree sends: every chunk, and every result but the last.
            let sent: u64 = stats.hops.iter().map(Hop::sent_bytes).sum();
            let results: u64 = stats.hops.iter().map(|hop| hop.result_bytes).sum();
            assert!(stats.hops.is_empty() || sent + stats.hops[0].result_bytes > results);
        }
        folded.proof
    });
    for phase in [Phase::Commit, Phase::CommitLookups] {
        assert_eq!(seen.iter().filter(|(p, _)| *p == phase).count(), 5);
    }
    assert_eq!(proofs[0].tables[0].instances, proofs[1].tables[0].instances);
    proofs
}

/// Chunks of 64 rows of a segment that a transfer leaves, and of one it enters.
#[test]
fn segments_with_transfers_across_boundaries() {
    let run = Run::new(guest(), input(), 8);
    for segment in [0, 1] {
        holds(&Cpu, &run, segment, 6);
    }
}

/// Chunks of 16 rows: 4096 of the range table.
#[test]
fn small_chunks() {
    let elf = std::fs::read("guests/prebuilt/fib.elf").unwrap();
    holds(&Cpu, &Run::new(elf, b"300\n".to_vec(), 10), 1, 4);
}

/// Chunks of 2^9 rows: all tables but that of ranges are one chunk.
#[test]
fn one_chunk_tables() {
    let proofs = holds(&Cpu, &Run::new(guest(), input(), 8), 0, 9);
    for proof in proofs {
        let chunks = proof.tables.iter().map(|table| table.instances.len());
        assert_eq!(chunks.filter(|chunks| *chunks == 1).count(), 4);
    }
}

/// Both backends are the CPU here: every stage is computed twice and compared.
#[test]
fn a_checked_backend_folds_alike() {
    let run = Run::new(guest(), input(), 8);
    let checked = Checked::new(Cpu, Cpu);
    assert_eq!(holds(&checked, &run, 2, 6), holds(&Cpu, &run, 2, 6));
}

/// A sample folds, is checked fold by fold, and is no proof.
#[test]
fn samples() {
    let run = Run::new(guest(), input(), 8);
    let folder = Folder::new(&Cpu, &run.program, 5, None, BUDGET).unwrap();
    let verifier = Verifier::new(&run.program, 5, folder.key().clone()).unwrap();
    let witness = &run.witnesses[1];
    let statement = Statement::new(1, witness);
    let session = folder.commit(1, witness, Some(3), &mut |_| ()).unwrap();
    assert!(!session.is_complete());
    for order in Order::ALL {
        let folded = session.fold(order, &mut |_| ()).unwrap();
        assert!(!folded.complete);
        assert!(folded.proof.tables.iter().all(|t| t.instances.len() <= 3));
        verifier.check_sample(&statement, &folded.proof).unwrap();
        verifier.verify(&statement, &folded.proof).unwrap_err();
        let mut wrong = folded.proof;
        wrong.tables[0].witness.error[0] += rewit::backend::curve::Fr::from(1);
        verifier.check_sample(&statement, &wrong).unwrap_err();
    }
}
