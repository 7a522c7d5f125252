//! The job of `rewit fold`: all chunks in each order, then samples at other chunk sizes.

use std::sync::Arc;
use std::time::Instant;

use super::sample::{FoldableSegment, KEY_BUDGET, sample};
use super::types::{FoldMeasurement, FoldParameters, FoldStage, Hops, Session, StageSeconds};
use crate::backend::Folding;
use crate::fold::segment::{FoldedSegment, Folder, Phase, Progress, TableStats};
use crate::fold::verify::Verifier;
use crate::fold::wire::Dimensions;
use crate::fold::{CommitmentKey, FoldProof, FoldTimes, Order};
use crate::measure::{Guest, Kind, PeakMemory};
use crate::stark::air::TableAir;
use crate::vm::Program;
use crate::{Error, Result};

/// What to fold.
pub struct FoldJob<'a> {
    /// The guest.
    pub guest: Guest,
    /// Its program.
    pub program: &'a Program,
    /// One of its segments.
    pub segment: &'a FoldableSegment<'a>,
    /// Bytes of the minimal trace that it was made from.
    pub shipment_bytes: u64,
    /// What to do.
    pub parameters: FoldParameters,
    /// Orders to fold all chunks in.
    pub orders: &'a [Order],
    /// Generators, at least as many as [`FoldJob::key_len`] says.
    pub key: Arc<CommitmentKey>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug)]
pub struct FoldProgress<'a> {
    /// What is under way, in words.
    pub doing: &'a str,
    /// How much of it is done, of `total`.
    pub done: usize,
    /// All of it.
    pub total: usize,
    /// What was measured, if something was added.
    pub so_far: Option<&'a FoldMeasurement>,
}

impl FoldJob<'_> {
    /// Generators that a job takes.
    ///
    /// # Errors
    /// [`Error::Usage`] for a chunk size that is not possible.
    pub fn key_len(segment: &FoldableSegment<'_>, parameters: &FoldParameters) -> Result<usize> {
        let mut longest = 0;
        for log_rows in parameters.sizes.iter().chain([&parameters.log_rows]) {
            longest = longest.max(segment.key_len(*log_rows)?);
        }
        Ok(longest)
    }
}

/// Folds, verifies and measures.
///
/// `progress` is called outside all stages.
///
/// # Errors
/// - [`Error::Rejected`] if the verifier rejects what was folded.
/// - [`Error::Differs`] if it accepts what it must not.
/// - [`Error::Usage`] for a chunk size that is not possible; those of the backend; what `progress` returns.
pub fn fold<B: Folding>(
    job: &FoldJob<'_>,
    backend: &B,
    progress: &mut dyn FnMut(&FoldProgress<'_>) -> Result<()>,
) -> Result<FoldMeasurement> {
    let parameters = &job.parameters;
    let mut measurement = FoldMeasurement {
        guest: job.guest.clone(),
        parameters: parameters.clone(),
        witness_bytes: job.segment.witness.num_bytes(),
        shipment_bytes: job.shipment_bytes,
        tables: job.segment.sizes(parameters.log_rows)?,
        sessions: Vec::new(),
        sizes: Vec::new(),
        peers: Vec::new(),
    };
    let mut report = |doing: &str, so_far: &FoldMeasurement| {
        progress(&FoldProgress {
            doing,
            done: 1,
            total: 1,
            so_far: Some(so_far),
        })
    };
    report("start", &measurement)?;
    if !job.orders.is_empty() {
        all_chunks(job, backend, &mut measurement, progress)?;
    }
    for log_rows in &parameters.sizes {
        let row = sample(
            job.segment,
            backend,
            &job.key,
            *log_rows,
            parameters.sample_folds,
        )?;
        measurement.sizes.push(row);
        progress(&FoldProgress {
            doing: &format!("chunks of 2^{log_rows} rows"),
            done: measurement.sizes.len(),
            total: parameters.sizes.len(),
            so_far: Some(&measurement),
        })?;
    }
    Ok(measurement)
}

/// Commits to all chunks, and folds them in each order.
fn all_chunks<B: Folding>(
    job: &FoldJob<'_>,
    backend: &B,
    measurement: &mut FoldMeasurement,
    progress: &mut dyn FnMut(&FoldProgress<'_>) -> Result<()>,
) -> Result<()> {
    let key = Arc::clone(&job.key);
    let log_rows = job.parameters.log_rows;
    let folder = Folder::new(backend, job.program, log_rows, Some(key), KEY_BUDGET)?;
    let mut told = Ok(());
    let mut tell = |step: Progress| {
        let words = match step.phase {
            Phase::Commit => "commit",
            Phase::CommitLookups => "commit lookups",
            Phase::Fold => "fold",
        };
        if told.is_ok() {
            told = progress(&FoldProgress {
                doing: &format!("{words} {}", TableAir::NAMES[step.table]),
                done: step.done,
                total: step.total,
                so_far: None,
            });
        }
    };
    let statement = &job.segment.statement;
    let commit_peak = PeakMemory::start();
    let start = Instant::now();
    let session = folder.commit_statement(statement, job.segment.witness, None, &mut tell)?;
    let commit_seconds = start.elapsed().as_secs_f64();
    let commit_peak = commit_peak.bytes();
    let dimensions: Vec<Dimensions> = session.relations().iter().map(Dimensions::from).collect();
    // The program's commitments are once per program, as a STARK's key is.
    let verifier = Verifier::new(job.program, log_rows, Arc::clone(&job.key))?;
    for order in job.orders {
        let peak = PeakMemory::start();
        let start = Instant::now();
        let FoldedSegment { proof, stats, .. } = session.fold(*order, &mut tell)?;
        let seconds = commit_seconds + start.elapsed().as_secs_f64();
        let peak = peak.bytes().max(commit_peak);
        let mut bytes = proof.encode();
        drop(proof);
        let verify = |bytes: &[u8]| -> Result<(), String> {
            let proof = FoldProof::decode(bytes, &dimensions).map_err(|error| error.to_string())?;
            verifier
                .verify(statement, &proof)
                .map_err(|error| error.to_string())
        };
        let start = Instant::now();
        verify(&bytes).map_err(|reason| {
            Error::Rejected(format!(
                "what was folded in order {}: {reason}",
                order.name()
            ))
        })?;
        let verify_seconds = start.elapsed().as_secs_f64();
        let proof_bytes = bytes.len() as u64;
        if let Some(byte) = bytes.last_mut() {
            *byte ^= 1;
        }
        if verify(&bytes).is_ok() {
            return Err(Error::Differs(format!(
                "what was folded in order {} is accepted with a bit changed",
                order.name()
            )));
        }
        let mut times = FoldTimes::default();
        for stats in session.stats().iter().chain(&stats) {
            times += stats.times;
        }
        let accumulators = dimensions.iter().map(|d| d.accumulator_bytes() as u64);
        measurement.sessions.push(Session {
            kind: Kind::Measured,
            order: order.name().to_owned(),
            folds: times.num_folds,
            seconds,
            stages: stages(&times),
            hops: hops(*order, &stats),
            proof_bytes,
            accumulator_bytes: accumulators.sum(),
            verify_seconds,
            peak_memory_bytes: peak,
        });
    }
    told?;
    progress(&FoldProgress {
        doing: "all chunks",
        done: 1,
        total: 1,
        so_far: Some(measurement),
    })
}

/// Seconds by stage, in the order of [`FoldStage::ALL`].
fn stages(times: &FoldTimes) -> Vec<StageSeconds> {
    let stages = FoldStage::ALL.into_iter().zip(times.stages());
    stages
        .map(|(stage, (_, time))| StageSeconds {
            stage,
            seconds: time.as_secs_f64(),
        })
        .collect()
}

/// Transfers by table and level; those of a chain together.
fn hops(order: Order, stats: &[TableStats]) -> Vec<Hops> {
    let mut all: Vec<Hops> = Vec::new();
    for (table, stats) in TableAir::NAMES.into_iter().zip(stats) {
        for hop in &stats.hops {
            let level = match order {
                Order::Sequential => 0,
                Order::Tree => hop.level,
            };
            let known = all
                .iter()
                .position(|h| h.table == table && h.level == level);
            let entry = match known {
                Some(at) => &mut all[at],
                None => {
                    all.push(Hops {
                        table: table.to_owned(),
                        level,
                        folds: 0,
                        sent_bytes: 0,
                        returned_bytes: 0,
                    });
                    all.last_mut().expect("one was pushed")
                }
            };
            entry.folds += 1;
            entry.sent_bytes += hop.sent_bytes();
            entry.returned_bytes += hop.result_bytes;
        }
    }
    all
}

/// Times other projects' provers on steps as large as the chunks that were sampled.
///
/// - `most`: no step with more constraints.
///
/// # Errors
/// [`Error::Differs`] if one of their proofs does not verify.
#[cfg(feature = "peers")]
pub fn peers(sizes: &[super::types::SizeRow], most: u64) -> Result<Vec<super::types::Peer>> {
    use super::types::PeerStep;
    let mut peers = Vec::new();
    for row in sizes {
        let Some(cpu) = row.cpu() else { continue };
        let step = PeerStep::like(cpu);
        if row.fold.is_some() && step.small + step.full <= most {
            peers.push(crate::measure::peers::nova::measure(row.log_rows, step, 4)?);
        }
    }
    Ok(peers)
}
