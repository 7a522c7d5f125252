//! Whole segments are folded in both orders, and verified. What is refused is in `fold_refused.rs`.

mod common;
mod proofs;

use std::time::Instant;

use proofs::{Run, guest, input};
use rewit::backend::Cpu;
use rewit::fold::{Folder, Order, Verifier};
use rewit::stark::Statement;

/// Precomputed multiples pay off only beyond a test.
const BUDGET: u64 = 1 << 26;

/// Folds one segment of a run in both orders.
fn holds(run: &Run, segment: u32, log_rows: u32) {
    let start = Instant::now();
    let folder = Folder::new(&Cpu, &run.program, log_rows, None, BUDGET).unwrap();
    let verifier = Verifier::new(&run.program, log_rows, folder.key().clone()).unwrap();
    println!("{} generators: {:?}", folder.key().len(), start.elapsed());
    let witness = &run.witnesses[segment as usize];
    let statement = Statement::new(segment, witness);
    let session = folder.commit(segment, witness, None, &mut |_| ()).unwrap();
    assert!(session.is_complete());
    println!("committed: {:?}", start.elapsed());
    for stats in session.stats() {
        println!("  {stats:?}");
    }
    for order in Order::ALL {
        let folded = session.fold(order, &mut |_| ()).unwrap();
        println!("{order:?}: {:?}", start.elapsed());
        for stats in &folded.stats {
            println!("  {} chunks: {:?}", stats.num_chunks, stats.times);
        }
        verifier.verify(&statement, &folded.proof).unwrap();
        println!("verified: {:?}", start.elapsed());
    }
}

#[test]
fn a_run_with_transfers_across_boundaries() {
    let run = Run::new(guest(), input(), 8);
    holds(&run, 0, 6);
}
