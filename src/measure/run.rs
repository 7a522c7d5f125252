//! The main job: execute, cut, encode, decode, regenerate, compare, fold, prove.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::encodings::shuffled;
use super::{Capture, Captured, FoldedSample, Key, ProvenSegment, Rows, Stage};
use crate::backend::Folding;
use crate::segment::Runner;
use crate::ship::{Compression, Encoding};
use crate::stark::{Params, Proving};
use crate::vm::{NoRecord, Program, Recorder, Stop, Vm};
use crate::witness::Witness;
use crate::{Error, Result};

/// No more samples of a stage are taken once they took this long together.
const LONG_ENOUGH: Duration = Duration::from_millis(600);

/// Which segments are measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// All of them.
    All,
    /// So many full ones, evenly spaced: each in the middle of an equal part of the run.
    Spaced(u32),
}

/// What the job does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Base-2 logarithm of the cycles in a segment.
    pub log_cycles: u32,
    /// Base-2 logarithm of the cycles in a chunk of a shipped minimal trace.
    pub log_chunk: u32,
    /// Names of the encodings.
    pub encodings: Vec<String>,
    /// Names of the compressions.
    pub compressions: Vec<String>,
    /// The segments measured.
    pub segments: Selection,
    /// Most cycles the guest may take.
    pub max_cycles: u64,
    /// Threads that encode, decode and regenerate; execution has one.
    pub threads: u32,
    /// Most samples of a stage per segment; fewer are taken of long stages.
    pub samples: u32,
    /// How many of the segments measured are proven, from the first.
    #[serde(default)]
    pub proofs: u32,
    /// How many of the segments measured a sample of chunks is folded of, from the first.
    #[serde(default)]
    pub folds: u32,
    /// Parameters of the proofs; none if nothing is proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Params>,
}

/// The guest that was run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guest {
    /// Name of a built-in guest, or of the file.
    pub name: String,
    /// Length of its ELF file.
    pub elf_bytes: u64,
    /// BLAKE3 of its ELF file, 64 hexadecimal digits.
    pub elf_blake3: String,
    /// Length of its input.
    pub input_bytes: u64,
    /// BLAKE3 of its input, 64 hexadecimal digits.
    pub input_blake3: String,
    /// Cycles until it exited; 0 before it did.
    pub cycles: u64,
    /// Its exit code; none before it exited.
    pub exit_code: Option<u32>,
}

/// A segment that was measured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasuredSegment {
    /// Its number in the run.
    pub index: u32,
    /// Cycles executed before it.
    pub start_cycle: u64,
    /// Cycles in it.
    pub num_cycles: u32,
    /// Bytes of its witness's tables.
    pub witness_bytes: u64,
    /// BLAKE3 of its witness, 64 hexadecimal digits; every encoding regenerated this one.
    pub witness_blake3: String,
    /// 1 KiB pages it touches.
    pub touched_pages: u32,
}

/// Everything measured so far.
#[derive(Clone, PartialEq, Debug)]
pub struct Measurement {
    /// The guest.
    pub guest: Guest,
    /// What the job does.
    pub parameters: Parameters,
    /// Segments in the run; 0 before it was executed.
    pub num_segments: u64,
    /// Segments measured.
    pub segments: Vec<MeasuredSegment>,
    /// Segments proven.
    pub proofs: Vec<ProvenSegment>,
    /// Segments of which a sample was folded.
    pub folds: Vec<FoldedSample>,
    /// Measurements.
    pub rows: Rows,
    /// What was left out and why, in words.
    pub notes: Vec<String>,
}

/// A job to run.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// What to call the guest.
    pub name: &'a str,
    /// Its program.
    pub program: &'a Program,
    /// Its input.
    pub input: &'a [u8],
    /// What to do.
    pub parameters: &'a Parameters,
    /// Encodings to measure, in the order of the table.
    pub encodings: &'a [Encoding],
    /// Compressions to measure.
    pub compressions: &'a [Compression],
}

/// Where a job stands.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// What was just done, in words.
    pub done: &'a str,
    /// Steps done, of `total`.
    pub step: u64,
    /// Steps of the job.
    pub total: u64,
    /// Whether a part of the job ended that is done once, however many segments are measured.
    pub milestone: bool,
    /// What was measured so far.
    pub so_far: &'a Measurement,
}

/// Runs a job on the current rayon pool, regenerating, folding and proving on `backend`.
///
/// `progress` is called after every step, outside all stages.
///
/// # Errors
/// - [`Error::Trap`], [`Error::CycleLimit`] if the guest does not exit.
/// - [`Error::Differs`] if an encoding does not come back as it was, or regenerates another witness.
/// - [`Error::Ship`], [`Error::Replay`], [`Error::Resource`] and those of the device from the stages, [`Error::Usage`] for
///   parameters that do not fit together; what `progress` returns.
pub fn run<B: Proving + Folding>(
    job: &Job<'_>,
    backend: &B,
    progress: &mut dyn FnMut(&Progress<'_>) -> Result<()>,
) -> Result<Measurement> {
    let mut state = State::new(job, backend, progress)?;
    state.execute()?;
    let Parameters {
        log_cycles,
        log_chunk,
        segments,
        ..
    } = *job.parameters;
    let chosen = segments_of(segments, state.measurement.guest.cycles, log_cycles);
    state.total += (chosen.len() * job.encodings.len()) as u64;
    let num_proofs = match job.parameters.proof {
        Some(_) => u64::from(job.parameters.proofs).min(chosen.len() as u64),
        None => 0,
    };
    let num_folds = u64::from(job.parameters.folds).min(chosen.len() as u64);
    state.total += num_proofs + num_folds;

    let mut runner = Runner::new(job.program, job.input, log_cycles, log_chunk)?;
    let mut previous = None;
    let num_kept = num_proofs.max(num_folds);
    let mut kept = Vec::new();
    for index in 0..=chosen.last().copied().unwrap_or(0) {
        let next_wanted = chosen.contains(&(index + 1));
        if chosen.contains(&index) {
            let before = Capture::before(&runner, previous.take());
            previous = next_wanted.then(|| before.image().clone());
            let recording = runner.next_segment().ok_or_else(|| changed(job))?;
            let captured = before.after(&runner, recording);
            state.segment(&captured)?;
            if (kept.len() as u64) < num_kept {
                kept.push(captured);
            }
        } else {
            previous = next_wanted.then(|| runner.image());
            runner.skip_segment().ok_or_else(|| changed(job))?;
        }
    }
    // Last, so that the memory a prover takes and gives back does not change what is timed before.
    for (position, captured) in (0..).zip(kept) {
        let index = captured.recording().segment.index;
        let witness = captured.witness(job.program, std::mem::take(&mut state.spare))?;
        if position < num_folds {
            state.fold(index, &witness)?;
        }
        if let Some(params) = &job.parameters.proof
            && position < num_proofs
        {
            state.prove(index, params, witness)?;
        } else {
            state.spare = witness;
        }
    }
    Ok(state.measurement)
}

/// The numbers of the segments that `selection` takes of a run of `cycles` cycles.
///
/// A run without a full segment has its only one.
pub fn segments_of(selection: Selection, cycles: u64, log_cycles: u32) -> Vec<u64> {
    let all = cycles.div_ceil(1 << log_cycles);
    let full = (cycles >> log_cycles).max(1);
    match selection {
        Selection::All => (0..all).collect(),
        Selection::Spaced(count) if u64::from(count) >= full => (0..full).collect(),
        Selection::Spaced(count) => {
            let count = u64::from(count);
            (0..count)
                .map(|i| (2 * i + 1) * full / (2 * count))
                .collect()
        }
    }
}

fn changed(job: &Job<'_>) -> Error {
    Error::Differs(format!(
        "guest {} stopped earlier than when it ran before",
        job.name
    ))
}

/// Samples `work` by the wall clock.
pub(super) fn time<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed())
}

/// Says whether to take another sample after `taken` that took `spent` together.
pub(super) fn another(taken: u32, spent: Duration, most: u32) -> bool {
    taken == 0 || (taken < most && spent < LONG_ENOUGH)
}

pub(super) struct State<'j, 'f, B: Proving + Folding> {
    pub(super) job: Job<'j>,
    pub(super) backend: &'j B,
    progress: &'f mut dyn FnMut(&Progress<'_>) -> Result<()>,
    pub(super) measurement: Measurement,
    step: u64,
    total: u64,
    /// A witness whose memory the next one may take.
    pub(super) spare: Witness,
}

impl<'j, 'f, B: Proving + Folding> State<'j, 'f, B> {
    fn new(
        job: &Job<'j>,
        backend: &'j B,
        progress: &'f mut dyn FnMut(&Progress<'_>) -> Result<()>,
    ) -> Result<Self> {
        let guest = Guest {
            name: job.name.to_owned(),
            elf_bytes: job.program.elf().len() as u64,
            elf_blake3: blake3::Hash::from(*job.program.digest()).to_string(),
            input_bytes: job.input.len() as u64,
            input_blake3: blake3::hash(job.input).to_string(),
            cycles: 0,
            exit_code: None,
        };
        let measurement = Measurement {
            guest,
            parameters: job.parameters.clone(),
            num_segments: 0,
            segments: Vec::new(),
            proofs: Vec::new(),
            folds: Vec::new(),
            rows: Rows::default(),
            notes: Vec::new(),
        };
        let mut state = Self {
            job: *job,
            backend,
            progress,
            measurement,
            step: 0,
            total: 3,
            spare: Witness::default(),
        };
        state.report("start", 0, true)?;
        Ok(state)
    }

    pub(super) fn report(&mut self, done: &str, steps: u64, milestone: bool) -> Result<()> {
        self.step += steps;
        let (step, total, so_far) = (self.step, self.total, &self.measurement);
        (self.progress)(&Progress {
            done,
            step,
            total,
            milestone,
            so_far,
        })
    }

    pub(super) fn add(&mut self, key: Key, segment: Option<u32>, duration: Duration) {
        self.measurement
            .rows
            .add(key, segment, duration.as_secs_f64());
    }

    /// Runs the whole guest: without recording, recording reads, recording all.
    fn execute(&mut self) -> Result<()> {
        let Job {
            program,
            input,
            parameters,
            ..
        } = self.job;
        let Parameters {
            log_cycles,
            log_chunk,
            max_cycles,
            samples,
            ..
        } = *parameters;
        // Warm-up, and the answer to whether the guest exits at all.
        let mut vm = Vm::new(program, input)?;
        let exit_code = match vm.run(max_cycles) {
            Stop::Exit(code) => code,
            Stop::Trap(trap) => return Err(Error::Trap(trap)),
            Stop::Limit | Stop::InputMissing => {
                return Err(Error::CycleLimit {
                    cycles: vm.cycle(),
                    pc: vm.state().pc,
                });
            }
        };
        let (end, cycles) = (vm.state(), vm.cycle());
        drop(vm);
        self.measurement.guest.cycles = cycles;
        self.measurement.guest.exit_code = Some(exit_code);
        self.measurement.num_segments = cycles.div_ceil(1 << log_cycles);

        let stages = [
            Stage::Execute,
            Stage::ExecuteRecordReads,
            Stage::ExecuteRecordAll,
        ];
        for stage in stages {
            let (mut taken, mut spent) = (0, Duration::ZERO);
            while another(taken, spent, samples) {
                let mut vm = Vm::new(program, input)?;
                let took = match stage {
                    Stage::ExecuteRecordReads => {
                        record::<true, false>(&mut vm, log_cycles, log_chunk, max_cycles)
                    }
                    Stage::ExecuteRecordAll => {
                        record::<true, true>(&mut vm, log_cycles, log_chunk, max_cycles)
                    }
                    _ => time(|| vm.run_with(max_cycles, &mut NoRecord)).1,
                };
                if (vm.cycle(), vm.state()) != (cycles, end) {
                    return Err(changed(&self.job));
                }
                self.add(Key::of_run(stage), None, took);
                (taken, spent) = (taken + 1, spent + took);
            }
            self.report(stage.name(), 1, true)?;
        }
        Ok(())
    }

    /// Measures every encoding of one segment.
    fn segment(&mut self, captured: &Captured) -> Result<()> {
        let recording = captured.recording();
        let segment = recording.segment;
        let reference = captured.witness(self.job.program, std::mem::take(&mut self.spare))?;
        let digest = reference.digest();
        self.measurement.segments.push(MeasuredSegment {
            index: segment.index,
            start_cycle: segment.start_cycle,
            num_cycles: segment.num_cycles,
            witness_bytes: reference.num_bytes(),
            witness_blake3: digest.to_string(),
            touched_pages: recording.touched.numbers.len() as u32,
        });
        self.spare = reference;
        for encoding in shuffled(self.job.encodings, segment.index) {
            self.encoding(captured, encoding, digest)?;
            self.report(&format!("segment {}: {encoding}", segment.index), 1, false)?;
        }
        Ok(())
    }
}

/// Runs a guest to its end, recording segment by segment; returns the time that took.
fn record<const READS: bool, const PAGES: bool>(
    vm: &mut Vm<'_>,
    log_cycles: u32,
    log_chunk: u32,
    max_cycles: u64,
) -> Duration {
    let mut recorder = Recorder::<READS, PAGES>::new(log_chunk);
    let ((), took) = time(|| {
        while vm.cycle() < max_cycles {
            let most = (max_cycles - vm.cycle()).min(1 << log_cycles);
            let stop = recorder.run(vm, most);
            std::hint::black_box(recorder.take());
            if stop != Stop::Limit {
                break;
            }
        }
    });
    took
}

#[cfg(test)]
mod tests {
    use super::super::encodings::name;
    use super::*;

    #[test]
    fn segments_are_spaced_evenly() {
        assert_eq!(segments_of(Selection::All, 0x2801, 12), [0, 1, 2]);
        assert_eq!(segments_of(Selection::Spaced(3), 0x9fff, 12), [1, 4, 7]);
        assert_eq!(segments_of(Selection::Spaced(1), 0x9000, 12), [4]);
        // The last, partial one is taken only where there is no other.
        assert_eq!(segments_of(Selection::Spaced(9), 0x2801, 12), [0, 1]);
        assert_eq!(segments_of(Selection::Spaced(2), 5, 12), [0]);
        assert!(segments_of(Selection::Spaced(200), 1 << 30, 12).is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn shuffling_keeps_all() {
        for segment in 0..50 {
            let mut order = shuffled(&Encoding::ALL, segment);
            order.sort_unstable();
            assert_eq!(order, Encoding::ALL);
        }
    }

    /// What ends with exit code 3: a witness that is not the reference, and a damaged payload.
    #[test]
    fn another_witness_is_an_error() {
        let elf = std::fs::read("guests/prebuilt/fib.elf").unwrap();
        let program = Program::from_elf(elf).unwrap();
        let parameters = Parameters {
            log_cycles: 8,
            log_chunk: 4,
            encodings: vec![],
            compressions: vec![],
            segments: Selection::Spaced(1),
            max_cycles: 1 << 20,
            threads: 1,
            samples: 1,
            proofs: 0,
            folds: 0,
            proof: None,
        };
        let job = Job {
            name: "fib",
            program: &program,
            input: b"9",
            parameters: &parameters,
            encodings: &[],
            compressions: &[],
        };
        let mut ignore = |_: &Progress<'_>| Ok(());
        let mut state = State::new(&job, &crate::backend::Cpu, &mut ignore).unwrap();
        let mut runner = Runner::new(&program, job.input, 8, 4).unwrap();
        let before = Capture::before(&runner, None);
        let recording = runner.next_segment().unwrap();
        let captured = before.after(&runner, recording);
        let digest = captured
            .witness(&program, Witness::default())
            .unwrap()
            .digest();
        for encoding in Encoding::ALL {
            let make = || {
                captured
                    .shipment(&program, job.input, encoding, false, Witness::default())
                    .unwrap()
            };
            state.regenerate(make(), &captured, digest).unwrap();
            let error = state
                .regenerate(make(), &captured, blake3::hash(b"other"))
                .unwrap_err();
            assert!(matches!(error, Error::Differs(_)), "{encoding}: {error}");
        }
        let replay = name(Error::Replay("it does not".into()), 3, Encoding::Reads);
        let text = "results differ: segment 3, encoding reads: it does not";
        assert_eq!(replay.to_string(), text);
    }
}
