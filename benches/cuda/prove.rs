//! Proof-of-work, and proofs of whole segments.

use p3_challenger::{CanObserve, GrindingChallenger};
use p3_field::PrimeField32;
use rewit::backend::Cpu;
use rewit::backend::cuda::{Cuda, CudaChallenger, Transcript};
use rewit::backend::types::Val;
use rewit::stark::{Grinding, Params, Proving};
use rewit::witness::layout::WIDTH;
use rewit::witness::{Witness, fill_from_reads};
use rewit::{Error, Result};

use super::file::{Boundary, File, Key};
use super::measure::{Budget, timed};
use super::stages::{LOG_CHUNK, Sent, send};

/// Bits of proof-of-work.
const BITS: [usize; 3] = [16, 20, 24];
/// Transcripts per number of bits: how soon one has a witness is chance.
const NUM_TRANSCRIPTS: u32 = 5;
/// Bytes hashed per candidate: a block.
const BLOCK_BYTES: u64 = 64;
/// Base-2 logarithms of the rows of segments that are proven.
const LOG_ROWS: [u32; 2] = [16, 18];
/// Samples of each, besides the one that warms up.
const ROUNDS: usize = 5;
/// Parameters of proofs: blow-up 2 and about 100 queries as for the opened rows of the other stages,
/// and some grinding.
const PARAMS: Params = Params {
    log_blowup: 1,
    num_queries: 100,
    log_arity: 3,
    log_final_len: 3,
    cap_height: 0,
    extension: 4,
    grinding: Grinding {
        lookup: 0,
        out_of_domain: 0,
        batch: 0,
        commit: 0,
        query: 16,
    },
};

/// A transcript, which grinds on the device if it is given.
fn transcript(seed: u32, cuda: Option<&Cuda>) -> CudaChallenger {
    let device = cuda.map(|cuda| cuda.device().clone());
    let mut transcript = Transcript::challenger(vec![1, 2, 3], device);
    transcript.observe(Val::new(seed));
    transcript
}

/// Compares proof-of-work witnesses with those that the CPU finds.
///
/// # Errors
/// [`Error::Differs`].
pub(crate) fn verify_grind(cuda: &Cuda) -> Result<()> {
    for (bits, seed) in [(1, 0), (9, 1), (12, 2)] {
        let expected = transcript(seed, None).grind(bits);
        if transcript(seed, Some(cuda)).grind(bits) != expected {
            return Err(Error::Differs(format!(
                "grinding of {bits} bits differs between cuda and cpu"
            )));
        }
    }
    Ok(())
}

/// Times proof-of-work; the rate is of the blocks up to the witness.
///
/// # Errors
/// Those of the device.
pub(crate) fn grind(cuda: &Cuda, file: &mut File) -> Result<()> {
    let device = cuda.device();
    for bits in BITS {
        for seed in 0..=NUM_TRANSCRIPTS {
            let mut transcript = transcript(seed, Some(cuda));
            let (witness, time) = timed(device, || Ok(transcript.grind(bits)))?;
            let tried = u64::from(witness.as_canonical_u32()) + 1;
            let key = Key {
                stage: "grind".to_owned(),
                part: Some(format!("{bits} bits, {tried} candidates")),
                boundary: Boundary::EndToEnd,
                log_rows: 0,
                width: BLOCK_BYTES as usize / 4,
                bytes: BLOCK_BYTES * tried,
            };
            if seed > 0 {
                file.add(&key, time);
            }
        }
    }
    Ok(())
}

/// A segment's number and its witness on the host.
pub(crate) fn witness(sent: &Sent) -> Result<(u32, Witness)> {
    let recording = sent.captured.recording();
    let (segment, reads) = (&recording.segment, &recording.reads);
    let witness = fill_from_reads(&sent.program, segment, reads, Vec::new())?;
    Ok((segment.index, witness))
}

/// Proves a small segment; the verifier must accept, and without grinding the proof is the CPU's.
///
/// # Errors
/// [`Error::Differs`], and those of the prover.
pub(crate) fn verify_proof(cuda: &Cuda, log_rows: u32) -> Result<()> {
    let sent = send("sort", "sort-small.txt", log_rows, LOG_CHUNK)?;
    let (index, witness) = witness(&sent)?;
    let params = Params {
        grinding: Grinding::default(),
        ..PARAMS
    };
    let prover = cuda.prover(&sent.program, params)?;
    let proof = prover.prove(index, witness.clone())?;
    let expected = Cpu.prover(&sent.program, params)?.prove(index, witness)?;
    let key = prover.key().digest(&params);
    let reason = match proof.verify(&params, &key) {
        Err(error) => format!("is rejected: {error}"),
        Ok(()) if proof.encode() != expected.encode() => "is not the cpu's".to_owned(),
        Ok(()) => return Ok(()),
    };
    Err(Error::Differs(format!(
        "the proof of a segment of 2^{log_rows} rows on cuda {reason}"
    )))
}

/// Times proofs of segments of at most `2^largest` rows, from a witness on the host. Constraints and
/// lookups are evaluated on the CPU.
///
/// # Errors
/// [`Error::Differs`] if the verifier rejects one; those of the prover.
pub(crate) fn prove(cuda: &Cuda, largest: u32, budget: &Budget, file: &mut File) -> Result<()> {
    let device = cuda.device();
    let (guest, input) = ("sort", "sort.txt");
    for log_rows in LOG_ROWS.into_iter().filter(|size| *size <= largest) {
        if budget.is_over() {
            file.note(format!("out of time: no proof of 2^{log_rows} rows"));
            continue;
        }
        let sent = send(guest, input, log_rows, LOG_CHUNK)?;
        let (index, made) = witness(&sent)?;
        let mut key = Key {
            stage: format!("prove {guest}"),
            part: None,
            boundary: Boundary::EndToEnd,
            log_rows,
            width: WIDTH,
            bytes: (4 * WIDTH as u64) << log_rows,
        };
        for round in 0..=ROUNDS {
            // A sample at least, whatever the budget.
            if round > 1 && budget.is_over() {
                break;
            }
            let (prover, setup) = timed(device, || cuda.prover(&sent.program, PARAMS))?;
            let witness = made.clone();
            let (proof, time) = timed(device, || prover.prove(index, witness))?;
            if round == 0 {
                proof
                    .verify(&PARAMS, &prover.key().digest(&PARAMS))
                    .map_err(|error| Error::Differs(format!("own proof rejected: {error}")))?;
                continue;
            }
            key.part = None;
            file.add(&key, time);
            key.part = Some("setup".to_owned());
            file.add(&key, setup);
        }
    }
    Ok(())
}
