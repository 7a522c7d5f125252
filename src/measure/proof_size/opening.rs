//! Commitments alone, opened at one point: FRI and WHIR over the same cells.
//!
//! A STARK commits to more than its trace, so its proofs are no measure for a commitment scheme.
//! Here both schemes commit to one matrix and reveal every column at one point, with the
//! smallest proof that each finds at the same provable level. WHIR's level is the union bound over all
//! its rounds and FRI's the smallest round, which favours FRI by a bit or two.

use std::time::Instant;

use p3_batch_stark::StarkGenericConfig;
use p3_challenger::{CanObserve, FieldChallenger};
use p3_commit::{MultilinearPcs, Pcs};
use p3_field::{ExtensionField, TwoAdicField};
use p3_matrix::Matrix;
use p3_matrix::dense::RowMajorMatrix;
use p3_sumcheck::layout::{Layout, SuffixProver, Table as Polynomials};
use p3_sumcheck::{OpeningBatch, OpeningProtocol, PrescribedPointPcs, TableShape, TableSpec};
use p3_whir::{
    FoldingFactor, PcsProof, ProtocolParameters, SecurityAssumption, WhirConfig, WhirConfigError,
    WhirProver,
};

use super::sweep::limits;
use super::{Bits, Kind, Measured, Object, Options, Proved, Row, Scheme, Verifier, check};
use crate::stark::config::{Challenge, Challenger, Config, Dft, Pcs as Fri, Val, ValMmcs};
use crate::stark::config::{config, val_mmcs};
use crate::stark::search::smallest;
use crate::stark::size::{self, siblings};
use crate::stark::{Params, Shape, Table};
use crate::{Error, Result};

/// A matrix to commit to, one row per position.
pub struct Opening {
    log_height: u32,
    cells: RowMajorMatrix<Val>,
}

impl Opening {
    /// The opening of this trace's columns.
    ///
    /// # Panics
    /// If its height is not a power of two.
    pub fn new(cells: RowMajorMatrix<Val>) -> Self {
        assert!(cells.height().is_power_of_two(), "a height of 2^k");
        Self {
            log_height: cells.height().ilog2(),
            cells,
        }
    }

    /// Measures the smallest opening proofs that FRI and WHIR find at each target.
    ///
    /// - `done`: called after every row.
    ///
    /// # Errors
    /// As [`measure`](super::measure).
    pub fn suite(&self, options: &Options, done: &mut dyn FnMut(&Row)) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for &target in &options.targets {
            for extension in [4, 5] {
                let of_fri = self.fri(target, extension, options)?;
                let of_whir = match extension {
                    4 => self.whir::<Challenge<4>>(target, options)?,
                    _ => self.whir::<Challenge<5>>(target, options)?,
                };
                for row in [of_fri, of_whir] {
                    done(&row);
                    rows.push(row);
                }
            }
        }
        Ok(rows)
    }

    fn width(&self) -> usize {
        self.cells.width
    }

    fn row(&self, scheme: Scheme, target: u32, extension: u32) -> Row {
        Row {
            subject: format!("2^{} × {}", self.log_height, self.width()),
            log_height: self.log_height,
            elements: (self.width() as u64) << self.log_height,
            of: Object::Opening,
            scheme,
            purpose: format!(
                "{} opening alone, {target} bits, degree {extension}",
                scheme.name().to_uppercase()
            ),
            kind: Kind::Refused,
            params: None,
            setting: None,
            measured: None,
            modelled_bytes: None,
            modelled_parts: None,
            residual_percent: None,
            unique: None,
            johnson: None,
            johnson_2025: None,
            conjectured: None,
            provable_bits: None,
            note: String::new(),
        }
    }

    /// The row of FRI's smallest opening.
    fn fri(&self, target: u32, extension: u8, options: &Options) -> Result<Row> {
        let mut row = self.row(Scheme::Fri, target, extension.into());
        let shape = self.shape();
        let limits = limits(options, extension, options.max_log_blowup);
        let Some(params) = smallest(&shape, target.into(), &limits) else {
            row.note = "no parameters within the limits".to_owned();
            return Ok(row);
        };
        let tree = vec![(self.log_height, self.width())];
        let mut size = size::opening(&[tree], &params);
        size.out_of_domain += 4.0 * f64::from(extension) * self.width() as f64;
        size.commitments += 32.0 * f64::from(1u32 << params.cap_height);
        row = row.levels(&params, &shape);
        row.modelled_bytes = Some(size.total());
        row.modelled_parts = Some(size);
        let measured = match extension {
            4 => self.measure_fri::<Challenge<4>>(&params)?,
            _ => self.measure_fri::<Challenge<5>>(&params)?,
        };
        Ok(row.with(measured))
    }

    /// What the levels of an opening are computed from: columns opened once, nothing to prove.
    fn shape(&self) -> Shape {
        Shape::of_table(Table {
            log_height: self.log_height,
            width: self.width(),
            quotient_chunks: 1,
            constraints: 1,
            degree: 1,
            ..Table::default()
        })
    }

    fn measure_fri<E: ExtensionField<Val>>(&self, params: &Params) -> Result<Measured> {
        params.check()?;
        let start = Instant::now();
        let config: Config<E> = config(params, &[0; 32]);
        let pcs = config.pcs();
        let domain =
            <Fri<E> as Pcs<E, Challenger>>::natural_domain_for_degree(pcs, self.cells.height());
        let (commitment, data) =
            <Fri<E> as Pcs<E, Challenger>>::commit(pcs, [(domain, self.cells.clone())])
                .map_err(refused)?;
        let mut challenger = config.initialise_challenger();
        challenger.observe(commitment.clone());
        let point: E = challenger.sample_algebra_element();
        let request = (&data, vec![vec![point]]).into();
        let (values, proof) = pcs.open(vec![request], &mut challenger).map_err(refused)?;
        let values = values.into_iter().flatten().flatten();
        let values: Vec<Vec<E>> = values.collect();
        let sent = (commitment, values, proof);
        let bytes = postcard::to_allocvec(&sent).map_err(refused)?;
        type Sent<E> = (
            <Fri<E> as Pcs<E, Challenger>>::Commitment,
            Vec<Vec<E>>,
            <Fri<E> as Pcs<E, Challenger>>::Proof,
        );
        let verify: Verifier = Box::new(move |bytes| {
            let (commitment, values, proof): Sent<E> =
                postcard::from_bytes(bytes).map_err(|error| error.to_string())?;
            let [values] = <[_; 1]>::try_from(values).map_err(|_| "not one point".to_owned())?;
            let config: Config<E> = crate::stark::config::config(params, &[0; 32]);
            let mut challenger = config.initialise_challenger();
            challenger.observe(commitment.clone());
            let point: E = challenger.sample_algebra_element();
            let claim = (commitment, vec![(domain, vec![(point, values)])]).into();
            let verdict = config.pcs().verify(vec![claim], &proof, &mut challenger);
            verdict.map_err(|error| format!("{error:?}"))
        });
        let seconds = start.elapsed().as_secs_f64();
        self.check(Proved {
            bytes,
            seconds,
            verify,
        })
    }

    fn check(&self, proved: Proved<'_>) -> Result<Measured> {
        let Proved {
            mut bytes,
            seconds,
            verify,
        } = proved;
        let name = format!("an opening of 2^{} × {}", self.log_height, self.width());
        check(&name, &mut bytes, &verify, seconds)
    }

    /// The row of WHIR's smallest opening, or of why there is none.
    fn whir<E>(&self, target: u32, options: &Options) -> Result<Row>
    where
        E: ExtensionField<Val> + TwoAdicField,
    {
        let mut row = self.row(Scheme::Whir, target, E::DIMENSION as u32);
        let mut refusals = Refusals::default();
        let mut best: Option<Whir<E>> = None;
        for regime in [
            SecurityAssumption::UniqueDecoding,
            SecurityAssumption::JohnsonBound,
        ] {
            for log_inv_rate in 1..=usize::from(options.max_log_blowup) {
                for folding in 2..=7 {
                    let found = self.configure(
                        regime,
                        log_inv_rate,
                        folding,
                        target,
                        options,
                        &mut refusals,
                    );
                    for found in found {
                        if best.as_ref().is_none_or(|best| found.bytes < best.bytes) {
                            best = Some(found);
                        }
                    }
                }
            }
        }
        let Some(best) = best else {
            row.note = refusals.to_string();
            return Ok(row);
        };
        let level = Some(Bits {
            bits: best.bits,
            binding: "union of all rounds".to_owned(),
            multiplicity: None,
        });
        match best.config.params().soundness_type {
            SecurityAssumption::UniqueDecoding => row.unique = level,
            _ => row.johnson = level,
        }
        row.provable_bits = Some(best.bits);
        row.setting = Some(best.setting());
        row.modelled_bytes = Some(best.bytes);
        let measured = self.measure_whir(&best)?;
        Ok(row.with(measured))
    }

    /// Base-2 logarithm of all cells, padded.
    fn num_variables(&self) -> usize {
        self.log_height as usize + self.width().next_power_of_two().ilog2() as usize
    }

    fn protocol(&self, folding: usize) -> OpeningProtocol {
        let columns = (0..self.width()).collect();
        OpeningProtocol::new(vec![TableSpec::new(
            TableShape::new(self.log_height as usize, self.width()),
            vec![OpeningBatch::new(columns, Vec::new())],
        )])
        .pad_to_min_num_variables(folding)
    }

    /// WHIR with the lowest level per round whose union is `target` bits, with every cap.
    fn configure<E>(
        &self,
        regime: SecurityAssumption,
        log_inv_rate: usize,
        folding: usize,
        target: u32,
        options: &Options,
        refusals: &mut Refusals,
    ) -> Vec<Whir<E>>
    where
        E: ExtensionField<Val> + TwoAdicField,
    {
        // The union over some dozens of terms takes a few bits.
        for level in target as usize..target as usize + 12 {
            let params = ProtocolParameters {
                starting_log_inv_rate: log_inv_rate,
                round_log_inv_rates: Vec::new(),
                folding_factor: FoldingFactor::Constant(folding),
                soundness_type: regime,
                security_level: level,
                pow_bits: options.max_grinding.into(),
            };
            let config = WhirConfig::<E, Val, Challenger>::new_with_initial_claims(
                self.num_variables(),
                params,
                self.width(),
            );
            let config = match config {
                Ok(config) => config,
                Err(error) => {
                    refusals.add(&error);
                    return Vec::new();
                }
            };
            let pcs = WhirScheme::<E>::new(config.clone(), Dft::default(), val_mmcs(0));
            let security = pcs.prescribed_security(&self.protocol(folding));
            let terms = security.map(|security| security.terms).unwrap_or_default();
            let bits = terms.iter().map(|term| term.bits.bits());
            let bits = bits.fold(f64::INFINITY, f64::min);
            // Digests collide as easily as anywhere else.
            let bits = bits.min(crate::stark::security::COLLISION_BITS as f64);
            if terms.is_empty() || bits < f64::from(target) {
                continue;
            }
            return (0..=6)
                .map(|cap_height| Whir {
                    bytes: model(&config, self.width(), cap_height),
                    config: config.clone(),
                    cap_height,
                    bits,
                })
                .collect();
        }
        refusals.unions += 1;
        Vec::new()
    }

    fn measure_whir<E>(&self, whir: &Whir<E>) -> Result<Measured>
    where
        E: ExtensionField<Val> + TwoAdicField,
    {
        let start = Instant::now();
        let folding = whir.config.round_folding_factor(0);
        let pcs = || {
            let mmcs = val_mmcs(whir.cap_height);
            WhirScheme::<E>::new(whir.config.clone(), Dft::default(), mmcs)
        };
        let challenger = || Challenger::from_hasher(vec![0; 32], p3_blake3::Blake3);
        let table = Polynomials::new(self.cells.transpose());
        let witness = SuffixProver::<Val, E>::new_witness(vec![table], folding);
        let prover = pcs();
        let mut transcript = challenger();
        let (commitment, data) = prover.commit(witness, &mut transcript).map_err(refused)?;
        let proof = prover
            .open(data, self.protocol(folding), &mut transcript)
            .map_err(refused)?;
        let bytes = postcard::to_allocvec(&(commitment, proof)).map_err(refused)?;
        type Sent<E> = (
            <ValMmcs as p3_commit::Mmcs<Val>>::Commitment,
            PcsProof<Val, E, ValMmcs>,
        );
        let verify: Verifier = Box::new(move |bytes| {
            let (commitment, proof): Sent<E> =
                postcard::from_bytes(bytes).map_err(|error| error.to_string())?;
            let protocol = self.protocol(folding);
            let verdict = pcs().verify(&commitment, &proof, &mut challenger(), protocol);
            verdict.map_err(|error| format!("{error:?}"))
        });
        let seconds = start.elapsed().as_secs_f64();
        self.check(Proved {
            bytes,
            seconds,
            verify,
        })
    }
}

/// WHIR over the same field, trees and transcript as FRI.
type WhirScheme<E> = WhirProver<E, Val, Dft, ValMmcs, Challenger, SuffixProver<Val, E>>;

/// WHIR's parameters.
struct Whir<E: ExtensionField<Val>> {
    config: WhirConfig<E, Val, Challenger>,
    cap_height: u8,
    /// Provable bits, all rounds together.
    bits: f64,
    /// Modelled size.
    bytes: f64,
}

impl<E: ExtensionField<Val>> Whir<E> {
    fn setting(&self) -> String {
        let params = self.config.params();
        let queries = self.config.round_parameters().iter();
        let queries = queries.map(|round| round.num_queries);
        let queries: Vec<String> = queries
            .chain([self.config.terminal().num_queries])
            .map(|queries| queries.to_string())
            .collect();
        format!(
            "{}, rate 2^-{}, folding {:?}, queries {}, cap 2^{}, at most {} bits of work",
            params.soundness_type,
            params.starting_log_inv_rate,
            self.config.folding_schedule(),
            queries.join("+"),
            self.cap_height,
            params.pow_bits
        )
    }
}

/// Why no configuration was found.
#[derive(Default)]
struct Refusals {
    /// Least proof of work that would do, of those that failed for it.
    least_work: Option<usize>,
    budget: usize,
    other: Option<String>,
    /// Configurations whose union of terms stays below the target.
    unions: usize,
}

impl Refusals {
    fn add(&mut self, error: &WhirConfigError) {
        match error {
            WhirConfigError::PowBitsExceedBudget { required, budget } => {
                self.budget = *budget;
                let least = self
                    .least_work
                    .map_or(*required, |least| least.min(*required));
                self.least_work = Some(least);
            }
            other => self.other = Some(other.to_string()),
        }
    }
}

impl std::fmt::Display for Refusals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.least_work, &self.other) {
            (Some(work), _) => write!(
                f,
                "p3-whir refuses: at least {work} bits of proof of work needed, {} allowed",
                self.budget
            ),
            (None, Some(other)) => write!(f, "p3-whir refuses: {other}"),
            (None, None) => write!(f, "all rounds together stay below the target"),
        }
    }
}

/// Expected bytes of a commitment and its WHIR opening, lengths left out but for rows.
fn model<E: ExtensionField<Val>>(
    config: &WhirConfig<E, Val, Challenger>,
    width: usize,
    cap_height: u8,
) -> f64 {
    let element = 4.0;
    let challenge = element * E::DIMENSION as f64;
    let cap = f64::from(1u32 << cap_height);
    let sumcheck = |rounds: usize| rounds as f64 * (2.0 * challenge + element);
    let queried = |queries: usize, log_leaves: usize, folding: usize, base: bool| {
        // A position queried twice is opened once.
        let leaves = (log_leaves as f64).exp2();
        let distinct = leaves * -(queries as f64 * (-1.0 / leaves).ln_1p()).exp_m1();
        let row = (folding as f64).exp2() * if base { element } else { challenge };
        distinct * (row + 1.0)
            + 32.0 * siblings(log_leaves as u32, cap_height.into(), queries as u32)
    };
    let schedule = config.folding_schedule();
    let mut bytes = 32.0 * cap + width as f64 * challenge;
    bytes += config.commitment_ood_samples() as f64 * challenge + sumcheck(schedule[0]);
    for (index, round) in config.round_parameters().iter().enumerate() {
        bytes += 32.0 * cap + round.ood_samples as f64 * challenge + element;
        bytes += queried(
            round.num_queries,
            round.log_folded_domain_size,
            round.folding_factor,
            index == 0,
        );
        bytes += sumcheck(schedule[index + 1]);
    }
    let last = config.final_round_config();
    bytes += queried(
        last.num_queries,
        last.log_folded_domain_size,
        *schedule.last().unwrap_or(&0),
        config.round_parameters().is_empty(),
    );
    let rounds = config.final_sumcheck_rounds();
    bytes + (rounds as f64).exp2() * challenge + element + sumcheck(rounds)
}

fn refused(error: impl std::fmt::Debug) -> Error {
    Error::Resource(format!("the prover refuses: {error:?}"))
}
