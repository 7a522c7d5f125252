//! How many bits of security a proof has: unique decoding, Johnson bound, and conjectured.
//!
//! Each level is the smallest of its terms, one per round in which a cheating prover could be
//! lucky (round-by-round soundness, eprint 2024/1553). `p3-security` 0.8 computes the terms;
//! [`soundcalc`] computes them a second time from the formulas of ethereum/soundcalc, for tests.
//!
//! What is handed to `p3-security`, and where this module is more careful than its composites:
//!
//! - The field of challenges counts as ⌊log2 p^e⌋ bits: 123 for degree 4 over BabyBear, 154 for 5.
//! - Tables of different heights share one FRI. Terms that grow with the domain take the tallest,
//!   and all openings count as one batch. The proximity parameter takes the *shortest*: openings
//!   raise the rate to ρ⁺ = (k + 2)/n, which is highest there, and θ must be below the decoding
//!   radius at every height.
//! - Lookups: N messages of all tables, summed over their own heights.
//! - In the Johnson regime the lookup challenges are drawn while the committed trace is still one
//!   of L candidates, so that term is charged log2 L bits, as constraint composition and DEEP are.
//! - Proof of work adds its bits to the round whose challenge follows it: `lookup` to the lookup
//!   challenges, `out_of_domain` to the DEEP point, `batch` to the batching challenge, `commit` to
//!   every folding challenge, `query` to the query positions. The challenge that combines
//!   constraints has no proof of work in front of it.

pub mod soundcalc;

use p3_security::fri::{
    self, FriRegime, commit_phase_error_ldr_m, commit_phase_error_udr, query_phase_error,
};
use p3_security::logup::{self, LogUpAir};
use p3_security::proximity::{LDR_M_CAP, alpha_ldr_m, alpha_udr, compute_upper_m, list_size_ldr_m};
use p3_security::report::{LDT_COMMIT_LABEL, LDT_LABEL, LDT_QUERY_LABEL};
use p3_security::shape::{InstanceShape, StarkAirParams};
use p3_security::stark::{conjectured_security_report, proven_security_report};
use p3_security::{
    CandidateSet, ErrorBits, GrindingSites, LowDegreeTest, RegimeReport, SecurityTerm,
};
use serde::Serialize;

use super::params::Params;
use super::shape::{MODULUS, Shape};

/// Collision resistance of BLAKE3 with 256-bit digests, in bits.
pub const COLLISION_BITS: usize = 128;

/// Out-of-domain points a column is opened at, at most: this row and the next.
const MAX_COMBO: usize = 2;

/// Smallest multiplicity of the Johnson regime's theorem.
const MIN_MULTIPLICITY: usize = 3;

/// A round's security.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Term {
    /// The round, as `p3-security` names it.
    pub name: &'static str,
    /// −log2 of the probability that a cheating prover is lucky in it, proof of work included.
    pub bits: f64,
}

/// Security in one regime.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Level {
    /// All terms.
    pub terms: Vec<Term>,
    /// Multiplicity of the Johnson regime, the one that gives most bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiplicity: Option<usize>,
}

/// Security of a proof in three regimes.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Security {
    /// Proved, within the unique decoding radius.
    pub unique: Level,
    /// Proved, within the Johnson bound; absent where no multiplicity is admissible.
    pub johnson: Option<Level>,
    /// Conjectured: correlated agreement up to capacity, for random words (eprint 2025/2010).
    pub conjectured: Level,
}

impl Level {
    /// The term with the fewest bits.
    ///
    /// # Panics
    /// Never: every level has terms.
    pub fn binding(&self) -> Term {
        let least = |a: &Term, b: &Term| if b.bits < a.bits { *b } else { *a };
        let terms = self.terms.iter().copied();
        terms
            .reduce(|a, b| least(&a, &b))
            .expect("every level has terms")
    }

    /// Bits of the level: those of its smallest term.
    pub fn bits(&self) -> f64 {
        self.binding().bits
    }

    /// Bits of the term with this name.
    pub fn term(&self, name: &str) -> Option<f64> {
        let term = self.terms.iter().find(|term| term.name == name);
        term.map(|term| term.bits)
    }
}

impl Security {
    /// The better of the two proved levels. Each is a lower bound of its own, so the larger is one.
    pub fn provable(&self) -> &Level {
        match &self.johnson {
            Some(johnson) if johnson.bits() > self.unique.bits() => johnson,
            _ => &self.unique,
        }
    }
}

/// Bits of the challenge field of degree `extension`, rounded down.
pub fn field_bits(extension: u8) -> usize {
    (f64::from(extension) * (MODULUS as f64).log2()).floor() as usize
}

/// Security of a proof of `shape` with `params`.
///
/// Cost: up to a millisecond, since all multiplicities of the Johnson regime are tried.
///
/// # Panics
/// If `shape` has no tables or a table of more than 2^40 rows.
pub fn security(params: &Params, shape: &Shape) -> Security {
    let analysis = Analysis::new(params, shape);
    let johnson = analysis.multiplicities().map(|m| analysis.johnson(m));
    Security {
        unique: analysis.unique(),
        johnson: johnson.reduce(|a, b| if b.bits() > a.bits() { b } else { a }),
        conjectured: analysis.conjectured(),
    }
}

/// A proof's parameters and shape, as `p3-security` takes them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Analysis {
    fri: FriRegime,
    air: StarkAirParams,
    instance: InstanceShape,
    grinding: GrindingSites,
    lookups: LogUpAir,
    min_log_height: usize,
}

impl Analysis {
    pub(super) fn new(params: &Params, shape: &Shape) -> Self {
        let log_height = shape.max_log_height() as usize;
        assert!(
            !shape.tables.is_empty() && log_height <= 40,
            "a batch has tables of at most 2^40 rows"
        );
        let fri = FriRegime {
            log_blowup: params.log_blowup.into(),
            num_queries: params.num_queries.into(),
            log_final_poly_len: params.log_final_len.into(),
            max_log_arity: params.log_arity.into(),
            commit_pow_bits: params.grinding.commit.into(),
            query_pow_bits: params.grinding.query.into(),
        };
        let air = StarkAirParams {
            num_constraints: shape.constraints(),
            max_constraint_degree: shape.max_degree(),
            num_quotient_chunks: shape.max_quotient_chunks(),
            max_combo: MAX_COMBO,
        };
        let instance = InstanceShape {
            log_trace_length: log_height,
            modulus_bits: field_bits(params.extension),
            collision_resistance: COLLISION_BITS,
            num_batched_functions: shape.openings(params.extension.into()),
        };
        let grinding = GrindingSites {
            out_of_domain: params.grinding.out_of_domain.into(),
            batch_combination: params.grinding.batch.into(),
            lookup_challenge: params.grinding.lookup.into(),
        };
        let lookups = LogUpAir {
            num_interactions: shape.messages().div_ceil(1 << log_height) as usize,
            max_message_width: shape.message_width(),
        };
        Self {
            fri,
            air,
            instance,
            grinding,
            lookups,
            min_log_height: shape.min_log_height() as usize,
        }
    }

    /// Multiplicities of the Johnson regime for which (1 + 1/2m)√ρ is above √ρ⁺ at every height.
    pub(super) fn multiplicities(&self) -> std::ops::RangeInclusive<usize> {
        let upper = compute_upper_m(1 << self.min_log_height, MAX_COMBO);
        MIN_MULTIPLICITY..=upper.min(LDR_M_CAP)
    }

    /// Probability that one query misses, unique decoding: (1 + ρ⁺)/2.
    pub(super) fn alpha_unique(&self) -> f64 {
        alpha_udr(self.min_log_height, self.fri.log_blowup, MAX_COMBO)
    }

    /// Probability that one query misses, Johnson: (1 + 1/2m)√ρ.
    pub(super) fn alpha_johnson(&self, multiplicity: usize) -> f64 {
        alpha_ldr_m(self.fri.log_blowup, multiplicity)
    }

    /// The level in the unique decoding regime.
    pub(super) fn unique(&self) -> Level {
        let report = self.proven(MIN_MULTIPLICITY, &self.lookup_term(CandidateSet::UNIQUE));
        let commit = commit_phase_error_udr(&self.fri, &self.instance);
        self.level(&report.udr, commit, self.alpha_unique(), None)
    }

    /// The level in the Johnson regime at one multiplicity.
    pub(super) fn johnson(&self, multiplicity: usize) -> Level {
        let list = list_size_ldr_m(self.fri.log_blowup, multiplicity).log2();
        let candidates = CandidateSet::from_log2(list).expect("a list has a member");
        let report = self.proven(multiplicity, &self.lookup_term(candidates));
        let report = report.ldr.expect("one multiplicity was given");
        let commit = commit_phase_error_ldr_m(&self.fri, &self.instance, multiplicity);
        let alpha = self.alpha_johnson(multiplicity);
        self.level(&report, commit, alpha, Some(multiplicity))
    }

    /// The conjectured level.
    pub(super) fn conjectured(&self) -> Level {
        let extras = self.lookup_term(CandidateSet::UNIQUE);
        let report = conjectured_security_report(
            &self.fri,
            &self.air,
            &self.instance,
            &extras,
            &self.grinding,
        );
        Level {
            terms: report.terms().iter().map(Term::from).collect(),
            multiplicity: None,
        }
    }

    fn lookup_term(&self, candidates: CandidateSet) -> Vec<SecurityTerm> {
        let term = logup::security_term(&self.lookups, &self.instance, &self.grinding);
        term.map(|term| term.over_candidates(candidates))
            .into_iter()
            .collect()
    }

    fn proven(&self, multiplicity: usize, extras: &[SecurityTerm]) -> p3_security::SecurityReport {
        let test = AtMultiplicity {
            fri: self.fri,
            multiplicity,
        };
        proven_security_report(&test, &self.air, &self.instance, extras, &self.grinding)
    }

    /// The terms of a report, with that of the low-degree test in its two parts: folding, and
    /// queries at the proximity parameter that holds at every height.
    fn level(
        &self,
        report: &RegimeReport,
        commit: Option<ErrorBits>,
        alpha: f64,
        multiplicity: Option<usize>,
    ) -> Level {
        let query = query_phase_error(alpha, self.fri.num_queries, self.fri.query_pow_bits);
        let mut terms = Vec::with_capacity(report.terms().len() + 1);
        for term in report.terms() {
            // No bits at all: the regime does not hold for this shape. Keep that.
            if term.label != LDT_LABEL || term.bits.bits() <= 0.0 {
                terms.push(Term::from(term));
                continue;
            }
            terms.extend(commit.map(|bits| Term {
                name: LDT_COMMIT_LABEL,
                bits: bits.bits(),
            }));
            terms.push(Term {
                name: LDT_QUERY_LABEL,
                bits: query.bits(),
            });
        }
        Level {
            terms,
            multiplicity,
        }
    }
}

impl From<&SecurityTerm> for Term {
    fn from(term: &SecurityTerm) -> Self {
        Self {
            name: term.label,
            bits: term.bits.bits(),
        }
    }
}

/// FRI, with one multiplicity to decode at instead of a search.
struct AtMultiplicity {
    fri: FriRegime,
    multiplicity: usize,
}

impl LowDegreeTest for AtMultiplicity {
    fn log_blowup(&self) -> usize {
        self.fri.log_blowup
    }

    fn proven_error_udr(&self, air: &StarkAirParams, shape: &InstanceShape) -> ErrorBits {
        fri::proven_error_udr(&self.fri, air, shape)
    }

    fn best_ldr(&self, air: &StarkAirParams, shape: &InstanceShape) -> Option<(usize, ErrorBits)> {
        let bits = fri::proven_error_ldr_m(&self.fri, air, shape, self.multiplicity);
        Some((self.multiplicity, bits))
    }

    fn conjectured_error(&self, shape: &InstanceShape) -> ErrorBits {
        fri::conjectured_error(&self.fri, shape)
    }
}
