//! Multi-scalar multiplication over BN254's G1, compared with arkworks' and timed.

use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::PrimeField;
use rayon::prelude::*;
use rewit::backend::cuda::Cuda;
use rewit::backend::curve::{Fr, G1Affine, G1Projective, Scalars};
use rewit::backend::{Folding, KeyOptions};
use rewit::{Error, Result};

use super::file::{Boundary, File, Key};
use super::measure::{Budget, Rng, timed};
use super::prove::witness;
use super::stages::{LOG_CHUNK, send};

/// Base-2 logarithms of lengths that are timed unless others are named.
pub(crate) const SIZES: [u32; 6] = [16, 18, 20, 22, 24, 26];
/// Rounds at most, besides the one that warms up.
const ROUNDS: usize = 9;
/// Points that one thread makes.
const PART: usize = 1 << 14;
/// Vectors of the largest batch that is timed: as many of 2^12 scalars as make up 2^18.
const BATCH: usize = 64;
const LOG_BATCH_LEN: u32 = 12;

/// Kinds of scalars.
const KINDS: [&str; 3] = ["full", "31-bit", "witness"];

/// Scalars on the host.
enum Host {
    Full(Vec<Fr>),
    Small(Vec<i64>),
}

impl Host {
    /// - `cells`: of a witness, from which scalars are taken round and round.
    fn new(kind: &str, len: usize, cells: &[u32]) -> Self {
        let mut parts = vec![(); len.div_ceil(PART)];
        let parts = parts.par_iter_mut().enumerate();
        let range = |part: usize| part * PART..len.min((part + 1) * PART);
        match kind {
            "full" => Self::Full(
                parts
                    .flat_map_iter(|(part, ())| {
                        let mut rng = Rng::new(1 + part as u64);
                        range(part).map(move |_| scalar(&mut rng))
                    })
                    .collect(),
            ),
            "31-bit" => Self::Small(
                parts
                    .flat_map_iter(|(part, ())| {
                        let mut rng = Rng::new(1 + part as u64);
                        range(part).map(move |_| i64::from(rng.word() >> 1))
                    })
                    .collect(),
            ),
            _ => Self::Small(
                parts
                    .flat_map_iter(|(part, ())| {
                        range(part).map(|i| i64::from(cells[i % cells.len()]))
                    })
                    .collect(),
            ),
        }
    }

    fn scalars(&self) -> Scalars<'_> {
        match self {
            Self::Full(scalars) => Scalars::Full(scalars),
            Self::Small(scalars) => Scalars::Small(scalars),
        }
    }

    /// Bytes of a scalar.
    fn bytes(&self) -> usize {
        match self {
            Self::Full(_) => 32,
            Self::Small(_) => 8,
        }
    }
}

fn scalar(rng: &mut Rng) -> Fr {
    let mut bytes = [0; 40];
    for word in bytes.chunks_exact_mut(4) {
        word.copy_from_slice(&rng.word().to_le_bytes());
    }
    Fr::from_le_bytes_mod_order(&bytes)
}

/// Different points, whose discrete logarithms are known: for timing alone.
fn points(len: usize) -> Vec<G1Affine> {
    let step = G1Affine::generator();
    let part = |part: usize| {
        let mut point = G1Affine::generator() * scalar(&mut Rng::new(77 + part as u64));
        let from = part * PART;
        let points: Vec<G1Projective> = (from..len.min(from + PART))
            .map(|_| {
                point += step;
                point
            })
            .collect();
        G1Projective::normalize_batch(&points)
    };
    (0..len.div_ceil(PART))
        .into_par_iter()
        .flat_map_iter(part)
        .collect()
}

/// Cells of the CPU table of a segment, in rows.
fn cells(log_rows: u32) -> Result<Vec<u32>> {
    let sent = send("sort", "sort-small.txt", log_rows, LOG_CHUNK)?;
    Ok(witness(&sent)?.1.cpu.words)
}

/// Compares sums with arkworks', with and without multiples of the points, alone and in a batch.
///
/// # Errors
/// [`Error::Differs`], and those of the device.
pub(crate) fn verify(cuda: &Cuda, len: usize) -> Result<()> {
    let points = points(len);
    let cells = cells(9)?;
    for budget in [0, 64 * 20 * len as u64] {
        let options = KeyOptions {
            budget,
            expected_len: len,
        };
        let key = cuda.upload_key(&points, options)?;
        let hosts = KINDS.map(|kind| Host::new(kind, len, &cells));
        let mut vectors = Vec::new();
        for host in &hosts {
            vectors.push(cuda.upload_scalars(host.scalars())?);
        }
        let all: Vec<_> = vectors.iter().collect();
        let batch = cuda.msm(&key, 0, &all)?;
        for ((kind, host), (vector, sum)) in KINDS.iter().zip(&hosts).zip(all.iter().zip(batch)) {
            let expected = G1Projective::msm(&points, &host.scalars().to_vec());
            let expected = expected.map(CurveGroup::into_affine);
            let alone = cuda.msm(&key, 0, &[vector])?;
            if expected != Ok(sum) || alone != [sum] {
                return Err(Error::Differs(format!(
                    "the sum of {len} points by {kind} scalars differs between cuda and arkworks"
                )));
            }
        }
    }
    Ok(())
}

/// Times sums of `2^size` points for each of `sizes`, with the points alone and with multiples in what the device has left; then
/// a batch of short ones.
///
/// *Resident*: points and scalars are on the device, the sum comes to the host. *End to end*: scalars come from the host. Points
/// are on the device in both, since a key is uploaded once.
///
/// # Errors
/// Those of the device.
pub(crate) fn time(cuda: &Cuda, sizes: &[u32], budget: &Budget, file: &mut File) -> Result<()> {
    let cells = cells(14)?;
    for (at, &size) in sizes.iter().enumerate() {
        let until = budget.until(0.9f64.min(2.0 / (sizes.len() - at) as f64));
        let points = points(1 << size);
        for (part, memory) in [("points", 0), ("multiples", u64::MAX)] {
            let set = Set {
                cuda,
                points: &points,
                size,
                part,
                memory,
            };
            #[cfg(feature = "peers-cuda")]
            if memory == 0 {
                set.peers(&cells, file)?;
            }
            match set.time(&cells, 1, (budget, until), file) {
                // Whether it fits is a result.
                Err(Error::OutOfDeviceMemory(text)) => {
                    file.note(format!("msm of 2^{size} {part}: does not fit: {text}"));
                }
                made => made?,
            }
        }
        file.write()?;
    }
    let set = Set {
        cuda,
        points: &points(1 << LOG_BATCH_LEN),
        size: LOG_BATCH_LEN,
        part: "multiples",
        memory: u64::MAX,
    };
    set.time(&cells, BATCH, (budget, budget.until(1.0)), file)?;
    file.write()
}

/// Sums of one length with one key.
struct Set<'a> {
    cuda: &'a Cuda,
    points: &'a [G1Affine],
    size: u32,
    part: &'static str,
    memory: u64,
}

impl Set<'_> {
    /// Times sppark on the same points and scalars, after its sum was compared with ours.
    #[cfg(feature = "peers-cuda")]
    fn peers(&self, cells: &[u32], file: &mut File) -> Result<()> {
        use rewit::backend::cuda::peers::sppark_msm;

        let device = self.cuda.device();
        let options = KeyOptions {
            budget: 0,
            expected_len: self.points.len(),
        };
        let hosts = KINDS.map(|kind| Host::new(kind, self.points.len(), cells));
        for (kind, host) in KINDS.iter().zip(&hosts) {
            let key = self.cuda.upload_key(self.points, options)?;
            let vector = self.cuda.upload_scalars(host.scalars())?;
            let ours = self.cuda.msm(&key, 0, &[&vector])?;
            drop((key, vector));
            let scalars = host.scalars().to_vec();
            for (boundary, resident) in [(Boundary::Resident, true), (Boundary::EndToEnd, false)] {
                let made = sppark_msm(device, self.points, &scalars, resident, 1 + ROUNDS);
                let (sum, times) = match made {
                    Err(error) => {
                        file.note(format!("sppark's msm {kind} of 2^{}: {error}", self.size));
                        continue;
                    }
                    Ok(made) => made,
                };
                if ours != [sum] {
                    return Err(Error::Differs(format!(
                        "the sum of 2^{} points by {kind} scalars differs between cuda and sppark",
                        self.size
                    )));
                }
                let name = Key {
                    stage: format!("msm {kind}"),
                    part: Some("sppark".to_owned()),
                    boundary,
                    log_rows: self.size,
                    width: 8,
                    bytes: 32 << self.size,
                };
                // The first warms up.
                for wall in times.into_iter().skip(1) {
                    file.add_clocks(&name, None, Some(wall));
                }
            }
        }
        Ok(())
    }

    /// - `batch`: vectors that are multiplied together.
    fn time(
        &self,
        cells: &[u32],
        batch: usize,
        (budget, until): (&Budget, f64),
        file: &mut File,
    ) -> Result<()> {
        let device = self.cuda.device();
        let len = 1usize << self.size;
        let options = KeyOptions {
            budget: self.memory,
            expected_len: len * batch,
        };
        let (key, setup) = timed(device, || self.cuda.upload_key(self.points, options))?;
        let mut name = Key {
            stage: "msm key".to_owned(),
            part: Some(self.part.to_owned()),
            boundary: Boundary::EndToEnd,
            log_rows: self.size,
            width: 16,
            bytes: 64 << self.size,
        };
        if batch == 1 {
            file.add(&name, setup);
        }
        let hosts = KINDS.map(|kind| Host::new(kind, len, cells));
        for round in 0..=ROUNDS {
            if round > 1 && budget.now() >= until {
                break;
            }
            for (kind, host) in KINDS.iter().zip(&hosts) {
                name.stage = match batch {
                    1 => format!("msm {kind}"),
                    _ => format!("{batch} msm {kind}"),
                };
                name.width = host.bytes() / 4;
                name.bytes = (batch * host.bytes() * len) as u64;
                let upload = || self.cuda.upload_scalars(host.scalars());
                let (vectors, uploaded) = timed(device, || {
                    (0..batch).map(|_| upload()).collect::<Result<Vec<_>>>()
                })?;
                let all: Vec<_> = vectors.iter().collect();
                let (_, resident) = timed(device, || self.cuda.msm(&key, 0, &all))?;
                if round == 0 {
                    continue;
                }
                name.boundary = Boundary::Resident;
                file.add(&name, resident);
                name.boundary = Boundary::EndToEnd;
                file.add(&name, uploaded + resident);
            }
        }
        Ok(())
    }
}
