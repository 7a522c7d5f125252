//! The stages, and what is timed of them.

use std::time::Duration;

use rayon::prelude::*;
use rewit::backend::Backend;
use rewit::backend::cuda::Cuda;
use rewit::backend::cuda::regenerate::{DeviceProgram, DeviceReads, regenerate_from_reads};
use rewit::backend::types::{Challenge, Val};
use rewit::measure::{Capture, Captured};
use rewit::segment::{Recording, Runner};
use rewit::ship::{Encoding, Shipment};
use rewit::vm::Program;
use rewit::witness::layout::WIDTH;
use rewit::witness::{Matrix, P, Witness};
use rewit::{Error, Result};

use p3_field::BasedVectorSpace;

use super::file::{Boundary, File, Key};
use super::measure::{Budget, Rng, timed};

/// The stages, in the order of the data flow.
///
/// `regenerate GUEST` starts from values read, `regenerate GUEST from ENCODING` from another
/// encoding. Sorting is a part of both, `sort`, as are `replay`, `fill` and others; the proof-of-work
/// search of `grind` and all other stages are part of `prove`.
pub(crate) const NAMES: [&str; 11] = [
    "regenerate",
    "upload",
    "download",
    "lde",
    "evaluate",
    "commit",
    "open",
    "fold",
    "commitment",
    "grind",
    "prove",
];
/// Twice as many rows after extension.
const LOG_BLOWUP: u32 = 1;
/// Digests of a commitment, as a base-2 logarithm.
const CAP_HEIGHT: u8 = 0;
/// Rows opened: queries of a proof at about 100 bits.
const NUM_OPENED: usize = 100;
/// Rounds at most, besides the one that warms up.
const MAX_ROUNDS: usize = 15;
/// Base-2 logarithm of the rows of the largest witness that is shipped: on the host there are three
/// copies of it.
const MAX_LOG_WITNESS: u32 = 20;
/// Base-2 logarithm of the cycles a thread replays.
pub(crate) const LOG_CHUNK: u32 = 7;

/// A table of random cells.
pub(crate) fn random_table(log_rows: u32, width: usize, seed: u64) -> Matrix {
    let mut words = vec![0u32; width << log_rows];
    words
        .par_chunks_mut(1 << 16)
        .enumerate()
        .for_each(|(at, part)| {
            let mut rng = Rng::new(seed + 1 + at as u64);
            part.fill_with(|| rng.word() % P);
        });
    Matrix { width, words }
}

/// A random element of the challenge field.
pub(crate) fn random_challenge(rng: &mut Rng) -> Challenge<4> {
    Challenge::from_basis_coefficients_fn(|_| Val::new(rng.word() % P))
}

/// A random layer of `2^log_len` evaluations.
pub(crate) fn random_layer(log_len: u32, rng: &mut Rng) -> Vec<Challenge<4>> {
    (0..1usize << log_len)
        .map(|_| random_challenge(rng))
        .collect()
}

/// Indices of rows of a table extended to `2^log_rows` rows.
pub(crate) fn random_indices(log_rows: u32, rng: &mut Rng) -> Vec<usize> {
    (0..NUM_OPENED).map(|_| rng.below(1 << log_rows)).collect()
}

/// A segment, and all that can be shipped of it.
pub(crate) struct Sent {
    pub(crate) program: Program,
    pub(crate) captured: Captured,
    input: Vec<u8>,
}

impl Sent {
    /// The segment in one encoding.
    pub(crate) fn shipment(&self, encoding: Encoding) -> Result<Shipment> {
        let (program, input) = (&self.program, &self.input);
        let empty = Witness::default();
        self.captured
            .shipment(program, input, encoding, false, empty)
    }
}

/// A file of the repository, from its root.
pub(crate) fn read(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::Io {
        path: path.into(),
        source,
    })
}

/// The second segment of a guest's run, or the first if there is no second.
pub(crate) fn send(guest: &str, input: &str, log_cycles: u32, log_chunk: u32) -> Result<Sent> {
    let program = Program::from_elf(read(&format!("guests/prebuilt/{guest}.elf"))?)?;
    let input = read(&format!("guests/inputs/{input}"))?;
    let mut runner = Runner::new(&program, &input, log_cycles, log_chunk.min(log_cycles))?;
    let mut before = Capture::before(&runner, None);
    let mut recording = runner.next_segment().expect("a guest has a cycle");
    if runner.stop().is_none() {
        let previous = before.image().clone();
        before = Capture::before(&runner, Some(previous));
        recording = runner.next_segment().unwrap_or(recording);
    }
    let captured = before.after(&runner, recording);
    Ok(Sent {
        program,
        captured,
        input,
    })
}

/// Measures every stage at every size.
pub(crate) fn all(
    backend: &Cuda,
    sizes: &[u32],
    widths: &[usize],
    budget: &Budget,
    file: &mut File,
) -> Result<()> {
    // Sets are in random order too, but for the largest, which come last: a budget that runs out
    // costs them rounds.
    let mut sets: Vec<(u32, Option<usize>)> = Vec::new();
    for &size in sizes {
        sets.push((size, None));
        sets.extend(widths.iter().map(|width| (size, Some(*width))));
    }
    Rng::new(7).shuffle(&mut sets);
    sets.sort_by_key(|(size, _)| *size);
    let smallest = sets.first().map(|(size, _)| *size);
    let weight =
        |(size, width): (u32, Option<usize>)| ((1u64 << size) * width.unwrap_or(174) as u64) as f64;
    for at in 0..sets.len() {
        let left: f64 = sets[at..].iter().map(|set| weight(*set)).sum();
        // Small sets take their fill early, and what they leave goes to the larger.
        let until = budget.until((4.0 * weight(sets[at]) / left).clamp(0.1, 1.0));
        let (size, width) = sets[at];
        let mut set = Set {
            backend,
            log_rows: size,
            width: width.unwrap_or(WIDTH),
            rng: Rng::new(u64::from(size)),
            file,
        };
        let made = match width {
            None => set
                .regenerate(budget, until)
                .and_then(|()| set.encodings(smallest == Some(size), until, budget)),
            Some(_) => set.tables(budget, until),
        };
        #[cfg(feature = "peers-cuda")]
        let made = made.and_then(|()| match width {
            Some(_) => set.peers(),
            None => Ok(()),
        });
        match made {
            // Whether it fits is a result.
            Err(Error::OutOfDeviceMemory(text)) => {
                let what = width.map_or("regenerate".into(), |w| format!("{w} columns"));
                file.note(format!("2^{size} rows, {what}: does not fit: {text}"));
            }
            made => made?,
        }
        file.write()?;
    }
    Ok(())
}

/// What is measured together: stages at one size.
struct Set<'a> {
    backend: &'a Cuda,
    log_rows: u32,
    width: usize,
    rng: Rng,
    file: &'a mut File,
}

/// A pass of a set.
#[derive(Clone, Copy)]
enum Pass {
    Transfers,
    Stages,
    Commitment,
    Fold,
}

impl Set<'_> {
    fn key(&self, stage: &str, boundary: Boundary) -> Key {
        Key {
            stage: stage.to_owned(),
            part: None,
            boundary,
            log_rows: self.log_rows,
            width: self.width,
            bytes: (4 * self.width as u64) << self.log_rows,
        }
    }

    /// Times one stage; samples of round 0 are not kept.
    fn sample<T>(
        &mut self,
        round: usize,
        stage: &str,
        boundary: Boundary,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let (made, time) = timed(self.backend.device(), work)?;
        if round > 0 {
            self.file.add(&self.key(stage, boundary), time);
        }
        Ok(made)
    }

    /// Everything that starts from a table.
    fn tables(&mut self, budget: &Budget, until: f64) -> Result<()> {
        let mut host = random_table(self.log_rows, self.width, 1);
        let mut passes = [Pass::Transfers, Pass::Stages, Pass::Commitment, Pass::Fold];
        for round in 0..=MAX_ROUNDS {
            // Two samples at least, whatever the budget.
            if round > 2 && budget.now() > until {
                break;
            }
            self.rng.shuffle(&mut passes);
            for pass in passes {
                match pass {
                    Pass::Transfers => host = self.transfers(round, host)?,
                    Pass::Stages => host = self.stages(round, host)?,
                    Pass::Commitment => host = self.commitment(round, host)?,
                    Pass::Fold => self.fold(round)?,
                }
            }
        }
        Ok(())
    }

    /// A table to the device and back, transposed on the way.
    fn transfers(&mut self, round: usize, host: Matrix) -> Result<Matrix> {
        let backend = self.backend;
        let table = self.sample(round, "upload", Boundary::EndToEnd, || backend.upload(host))?;
        self.sample(round, "download", Boundary::EndToEnd, || {
            backend.download(&table)
        })
    }

    /// Stages that hand their results to each other.
    fn stages(&mut self, round: usize, host: Matrix) -> Result<Matrix> {
        let backend = self.backend;
        let point = random_challenge(&mut self.rng);
        let indices = random_indices(self.log_rows + LOG_BLOWUP, &mut self.rng);
        let table = backend.upload(host)?;
        let lde = self.sample(round, "lde", Boundary::Resident, || {
            backend.lde(&table, LOG_BLOWUP)
        })?;
        let host = backend.download(&table)?;
        drop(table);
        self.sample(round, "evaluate", Boundary::Resident, || {
            backend.evaluate(&lde, LOG_BLOWUP, point)
        })?;
        let (_, tree) = self.sample(round, "commit", Boundary::Resident, || {
            backend.commit(vec![lde], CAP_HEIGHT)
        })?;
        self.sample(round, "open", Boundary::EndToEnd, || {
            backend.open(&tree, &indices)
        })?;
        Ok(host)
    }

    /// A trace on the host to its commitment there.
    fn commitment(&mut self, round: usize, host: Matrix) -> Result<Matrix> {
        let backend = self.backend;
        let table = self.sample(round, "commitment", Boundary::EndToEnd, || {
            let table = backend.upload(host)?;
            let lde = backend.lde(&table, LOG_BLOWUP)?;
            backend.commit(vec![lde], CAP_HEIGHT)?;
            Ok(table)
        })?;
        backend.download(&table)
    }

    /// The first FRI layer of such a table: as many evaluations as its extension has rows.
    fn fold(&mut self, round: usize) -> Result<()> {
        let log_len = self.log_rows + LOG_BLOWUP;
        let values = random_layer(log_len, &mut self.rng);
        let beta = random_challenge(&mut self.rng);
        let layer = self.backend.upload_layer(values)?;
        for log_arity in [1, 3] {
            let (_, time) = timed(self.backend.device(), || {
                self.backend.fri_fold(&layer, log_arity, beta)
            })?;
            let key = Key {
                part: Some(format!("by {}", 1 << log_arity)),
                width: 4,
                log_rows: log_len,
                bytes: 16 << log_len,
                ..self.key("fold", Boundary::Resident)
            };
            // The same for every width: kept once.
            if round > 0 {
                self.file.add(&key, time);
            }
        }
        Ok(())
    }

    /// Witnesses from values read, which come from the host or are on the device already.
    fn regenerate(&mut self, budget: &Budget, until: f64) -> Result<()> {
        let backend = self.backend;
        let device = backend.device();
        for (guest, input) in [("sort", "sort.txt"), ("sha2-chain", "sha2-chain.txt")] {
            let sent = send(guest, input, self.log_rows, LOG_CHUNK)?;
            let program = DeviceProgram::new(device, &sent.program)?;
            let Recording { segment, reads, .. } = sent.captured.recording();
            let reads = DeviceReads::new(device, segment, reads)?;
            let shipment = sent.shipment(Encoding::Reads)?;
            let stage = format!("regenerate {guest}");
            let mut boundaries = [Boundary::Resident, Boundary::EndToEnd];
            for round in 0..=MAX_ROUNDS {
                if round > 2 && budget.now() > until {
                    break;
                }
                self.rng.shuffle(&mut boundaries);
                for boundary in boundaries {
                    let shipment = shipment.clone();
                    self.parts(round, &stage, boundary, || match boundary {
                        Boundary::Resident => {
                            Ok(regenerate_from_reads(device, &program, segment, &reads)?.parts)
                        }
                        Boundary::EndToEnd => Ok(backend
                            .regenerate(&sent.program, shipment, None, None)?
                            .parts),
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Witnesses from other encodings than values read: records, the witness itself, and, with
    /// `snapshot`, pages, from which one thread executes the segment.
    fn encodings(&mut self, snapshot: bool, until: f64, budget: &Budget) -> Result<()> {
        let backend = self.backend;
        let (guest, input) = ("sort", "sort.txt");
        let sent = send(guest, input, self.log_rows, LOG_CHUNK)?;
        let mut encodings = vec![Encoding::Records];
        if self.log_rows <= MAX_LOG_WITNESS {
            encodings.push(Encoding::Witness);
        }
        if snapshot {
            encodings.push(Encoding::Pages1k);
        }
        self.rng.shuffle(&mut encodings);
        for encoding in encodings {
            let shipment = sent.shipment(encoding)?;
            let stage = format!("regenerate {guest} from {encoding}");
            for round in 0..=MAX_ROUNDS {
                if round > 2 && budget.now() > until {
                    break;
                }
                let shipment = shipment.clone();
                self.parts(round, &stage, Boundary::EndToEnd, || {
                    Ok(backend
                        .regenerate(&sent.program, shipment, None, None)?
                        .parts)
                })?;
            }
        }
        Ok(())
    }

    /// Times a regeneration and keeps its parts too. What is made is dropped within `work`, so that
    /// its memory is there for the next.
    fn parts(
        &mut self,
        round: usize,
        stage: &str,
        boundary: Boundary,
        work: impl FnOnce() -> Result<Vec<(&'static str, Duration)>>,
    ) -> Result<()> {
        let parts = self.sample(round, stage, boundary, work)?;
        if round > 0 {
            let mut key = self.key(stage, boundary);
            for (part, time) in parts {
                key.part = Some(part.to_owned());
                self.file.add_clocks(&key, Some(time.as_secs_f64()), None);
            }
        }
        Ok(())
    }

    /// Other projects' code on the work of stage `lde`.
    #[cfg(feature = "peers-cuda")]
    fn peers(&mut self) -> Result<()> {
        use rewit::backend::Cpu;
        use rewit::backend::cuda::peers::{MAX_STREAMS, sppark_lde};

        let host = random_table(self.log_rows, self.width, 1);
        for num_streams in [1, MAX_STREAMS] {
            let (extended, times) =
                sppark_lde(self.backend.device(), &host, LOG_BLOWUP, num_streams, 6)?;
            let mut key = self.key("lde", Boundary::Resident);
            key.part = Some(format!("peer: sppark 0.1.16, {num_streams} streams"));
            for time in &times[1..] {
                self.file.add_clocks(&key, None, Some(*time));
            }
            if num_streams > 1 {
                continue;
            }
            // The first column, which both extend to the same coset if they agree on the field's
            // generator and root of unity.
            let column = Matrix {
                width: 1,
                words: host.words.iter().step_by(self.width).copied().collect(),
            };
            let expected = Cpu.lde(&column, LOG_BLOWUP)?.words;
            let log_len = self.log_rows + LOG_BLOWUP;
            let same = (0..expected.len())
                .all(|i| expected[i.reverse_bits() >> (usize::BITS - log_len)] == extended[i]);
            if !same {
                self.file.note(format!(
                    "sppark's extension of 2^{} rows of {} columns differs from ours",
                    self.log_rows, self.width
                ));
            }
        }
        Ok(())
    }
}
