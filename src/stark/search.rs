//! The smallest proof that is secure enough.

use super::params::{Grinding, MAX_GRINDING, MAX_LOG_FINAL_LEN, Params};
use super::security::{Analysis, Level, security};
use super::shape::Shape;
use super::size;

/// What a search may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Degree of the challenge field: 4 or 5.
    pub extension: u8,
    /// Largest base-2 logarithm of the inverse rate. The prover's time and memory double with each.
    pub max_log_blowup: u8,
    /// Largest base-2 logarithm of a folding arity.
    pub max_log_arity: u8,
    /// Most proof-of-work bits at each place. A prover hashes `2^bits` times there, once per
    /// folding round for `commit`.
    pub max_grinding: u8,
    /// Most queries.
    pub max_queries: u16,
}

impl Default for Limits {
    /// Degree 4, rate down to 1/8, about a second of hashing.
    fn default() -> Self {
        Self {
            extension: 4,
            max_log_blowup: 3,
            max_log_arity: 5,
            max_grinding: 20,
            max_queries: 1000,
        }
    }
}

/// The parameters with the smallest modelled proof of `shape` that has at least `bits` of provable
/// security, unique decoding or Johnson, whichever is better. `None` if there are none within
/// `limits`: the challenge field is too small, or proof of work or blowup are too limited.
///
/// Proof of work is no more than is needed, but for the queries, where it replaces them.
///
/// Cost: some ten milliseconds; every multiplicity of the Johnson regime is tried for every rate
/// and arity, then every final length and cap height.
pub fn smallest(shape: &Shape, bits: f64, limits: &Limits) -> Option<Params> {
    // A final polynomial as long as the shortest table leaves nothing to fold, and Plonky3 refuses.
    let max_log_final = (shape.min_log_height().saturating_sub(1) as u8).min(MAX_LOG_FINAL_LEN);
    let mut best: Option<(f64, Params)> = None;
    for log_blowup in least_log_blowup(shape)..=limits.max_log_blowup.min(5) {
        for log_arity in 1..=limits.max_log_arity.min(5) {
            let base = Params {
                log_blowup,
                num_queries: limits.max_queries,
                log_arity,
                log_final_len: 0,
                cap_height: 0,
                extension: limits.extension,
                grinding: Grinding::default(),
            };
            for secure in secure(base, shape, bits, limits) {
                for log_final_len in 0..=max_log_final {
                    for cap_height in 0..=10 {
                        let params = Params {
                            log_final_len,
                            cap_height,
                            ..secure
                        };
                        let bytes = size::batch(shape, &params).total();
                        if best.is_none_or(|(least, _)| bytes < least) {
                            best = Some((bytes, params));
                        }
                    }
                }
            }
        }
    }
    let (_, params) = best?;
    // Holds for every final length: folding happens, so the same rounds are charged.
    debug_assert!(security(&params, shape).provable().bits() >= bits);
    Some(params)
}

/// The smallest blowup at which the quotient's chunks are no longer than the trace extended.
fn least_log_blowup(shape: &Shape) -> u8 {
    (shape.max_quotient_chunks().ilog2() as u8).max(1)
}

/// The fewest queries and the least proof of work with which `base` has `bits`, in either regime.
fn secure(
    base: Params,
    shape: &Shape,
    bits: f64,
    limits: &Limits,
) -> impl Iterator<Item = Params> + use<> {
    let analysis = Analysis::new(&base, shape);
    let unique = ground(base, &analysis.unique(), bits, limits)
        .and_then(|params| queries(params, analysis.alpha_unique(), bits, limits));
    // A larger multiplicity means fewer queries and fewer bits in every other term, so the largest
    // that proof of work can pay for is best.
    let (mut low, mut high) = analysis.multiplicities().into_inner();
    let affordable = |multiplicity| ground(base, &analysis.johnson(multiplicity), bits, limits);
    let mut johnson = (low <= high).then(|| affordable(low)).flatten();
    while johnson.is_some() && low < high {
        let middle = (low + high).div_ceil(2);
        match affordable(middle) {
            Some(params) => (low, johnson) = (middle, Some(params)),
            None => high = middle - 1,
        }
    }
    let johnson =
        johnson.and_then(|params| queries(params, analysis.alpha_johnson(low), bits, limits));
    [unique, johnson].into_iter().flatten()
}

/// `params` with the proof of work that lifts every term of `level` to `bits`, queries aside.
fn ground(mut params: Params, level: &Level, bits: f64, limits: &Limits) -> Option<Params> {
    let grinding = &mut params.grinding;
    for term in &level.terms {
        let missing = (bits - term.bits).ceil().max(0.0);
        let place = match term.name {
            "logup-fingerprint" => &mut grinding.lookup,
            "deep-ali" => &mut grinding.out_of_domain,
            "batch-combination" => &mut grinding.batch,
            "ldt-commit-phase" => &mut grinding.commit,
            "ldt-query-phase" => continue,
            // Nothing can be ground for the rest: constraints, digests, a regime that fails.
            _ if missing > 0.0 => return None,
            _ => continue,
        };
        if missing > f64::from(limits.max_grinding.min(MAX_GRINDING)) {
            return None;
        }
        *place = missing as u8;
    }
    Some(params)
}

/// `params` with the fewest queries, each missed with probability `alpha`, that give `bits` together
/// with proof of work, and with no more of that than these then need.
fn queries(mut params: Params, alpha: f64, bits: f64, limits: &Limits) -> Option<Params> {
    let most = f64::from(limits.max_grinding.min(MAX_GRINDING));
    let per_query = -alpha.log2();
    // The sum is rounded in floating point; a hair more than asked for is enough.
    let needed = bits + 1e-6;
    let queries = ((needed - most) / per_query).ceil().max(1.0);
    if queries > f64::from(limits.max_queries) {
        return None;
    }
    params.num_queries = queries as u16;
    params.grinding.query = (needed - queries * per_query).ceil().max(0.0) as u8;
    Some(params)
}
