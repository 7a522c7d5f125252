//! The soundness formulas of ethereum/soundcalc, May 2026, as an independent check.
//!
//! Written from the formulas, not from `p3-security`; tests compare the two and reproduce the
//! levels and sizes that soundcalc publishes. k is the trace's length, ρ the rate, n = k/ρ,
//! F the size of the challenge field. Every term is floored to whole bits and the level is the
//! smallest.

use std::f64::consts::LOG2_E;

use super::super::params::{Grinding, Params};
use super::super::shape::Shape;
use super::super::size::{fold_schedule, siblings_at};
use super::{MAX_COMBO, field_bits};

/// Bytes of a KiB.
const KIB: f64 = 1024.0;

/// The regime of the proximity gap.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Regime {
    /// Unique decoding: θ = (1 − ρ)/2, L = 1, ε(k) = (θn + 1)/F (BCHKS25, corollary 1.4).
    Unique,
    /// Johnson: θ = 1 − √ρ − η, m = max(⌈√ρ/2η⌉, 3), L = 1/(2η√ρ) or (m + ½)/√ρ where m is given,
    /// ε(k) = ((2m'^5 + 3m'θρ)n/(3ρ^1.5) + m'/√ρ)/F with m' = m + ½ (BCHKS25, theorem 4.2).
    Johnson(Gap),
}

/// The distance η to the Johnson radius.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Gap {
    /// √ρ/100 if F > 2^150, else max(ρ/20, √ρ/100).
    Default,
    /// As given.
    Eta(f64),
    /// η = √ρ/2m.
    Multiplicity(u32),
}

/// How committed columns are combined into one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Batching {
    /// By powers of one challenge: ε·(ℓ − 1).
    Powers,
    /// By independent challenges: ε.
    Affine,
    /// By the equality polynomial at a random point: ε·⌈log2 ℓ⌉.
    Multilinear,
}

/// A lookup argument: K(rows_L + rows_T)R/F.
#[derive(Clone, PartialEq, Debug)]
pub struct Lookup {
    /// Its name.
    pub name: String,
    /// Rows of both sides.
    pub rows: f64,
    /// Columns S of a tuple.
    pub columns: f64,
    /// Lookups K per row.
    pub count: f64,
    /// Over multilinear polynomials with GKR: R = max(log2 S, 1) instead of S, and the error of
    /// GKR, ½x(3x + 1)/F with x = log2 rows + log2 K, is added.
    pub multilinear: bool,
    /// Proof-of-work bits.
    pub grinding: f64,
}

/// How constraints are reduced to openings.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Arithmetization {
    /// LC/F for the constraints, L(d(k + c − 1) + (k − 1))/(F − k − n) for the DEEP point.
    DeepAli {
        /// Constraints C.
        constraints: f64,
        /// Highest degree d.
        degree: f64,
        /// Points c a column is opened at.
        combo: f64,
        /// Proof-of-work bits before the DEEP point.
        grinding: f64,
    },
    /// Zero check (C + (d + 2)h)/F and the jagged reduction to a dense polynomial, for traces of
    /// height 2^h and width w.
    Jagged {
        /// Constraints C.
        constraints: f64,
        /// Highest degree d.
        degree: f64,
        /// Base-2 logarithm h of the trace's height.
        log_height: f64,
        /// Columns w of the trace.
        width: f64,
    },
}

/// A circuit of a proof system.
#[derive(Clone, PartialEq, Debug)]
pub struct Circuit {
    /// log2 F.
    pub field_bits: f64,
    /// Base-2 logarithm of the trace's length k.
    pub log_length: u32,
    /// Base-2 logarithm of 1/ρ.
    pub log_blowup: u32,
    /// Number ℓ of columns batched.
    pub batch: f64,
    /// How they are.
    pub batching: Batching,
    /// Folding factors.
    pub folding: Vec<u32>,
    /// Queries.
    pub queries: u32,
    /// Proof-of-work bits before the batching challenge, the folding challenges and the queries.
    pub grinding: [f64; 3],
    /// How constraints are reduced.
    pub arithmetization: Arithmetization,
    /// Lookup arguments.
    pub lookups: Vec<Lookup>,
}

impl Circuit {
    /// A proof of `shape` with `params`: tables count as one, of the tallest height, with all openings
    /// in one batch and all messages in one lookup argument.
    pub fn of(params: &Params, shape: &Shape) -> Self {
        let log_length = shape.max_log_height();
        let Grinding {
            lookup,
            out_of_domain,
            batch,
            commit,
            query,
        } = params.grinding;
        let schedule = fold_schedule(&[log_length], params);
        let messages = shape.messages().div_ceil(1 << log_length);
        let lookups = (messages > 0).then(|| Lookup {
            name: "lookup".to_owned(),
            rows: f64::from(log_length).exp2(),
            columns: shape.message_width() as f64,
            count: messages as f64,
            multilinear: false,
            grinding: lookup.into(),
        });
        Self {
            field_bits: field_bits(params.extension) as f64,
            log_length,
            log_blowup: params.log_blowup.into(),
            batch: shape.openings(params.extension.into()) as f64,
            batching: Batching::Powers,
            folding: schedule.iter().map(|log_arity| 1 << log_arity).collect(),
            queries: params.num_queries.into(),
            grinding: [batch, commit, query].map(f64::from),
            arithmetization: Arithmetization::DeepAli {
                constraints: shape.constraints() as f64,
                degree: shape.max_degree() as f64,
                combo: MAX_COMBO as f64,
                grinding: out_of_domain.into(),
            },
            lookups: lookups.into_iter().collect(),
        }
    }

    /// The smallest term in a regime.
    ///
    /// # Panics
    /// Never: there are always terms.
    pub fn binding(&self, regime: Regime) -> (String, f64) {
        let terms = self.terms(regime).into_iter();
        terms
            .reduce(|a, b| if b.1 < a.1 { b } else { a })
            .expect("queries are a term")
    }

    /// The multiplicity that gives most bits in the Johnson regime, with the term that binds there.
    ///
    /// Cost: a millisecond or two.
    pub fn best_johnson(&self) -> (u32, String, f64) {
        let levels = (3..=1000).map(|m| {
            let (name, bits) = self.binding(Regime::Johnson(Gap::Multiplicity(m)));
            (m, name, bits)
        });
        levels
            .reduce(|a, b| if b.2 > a.2 { b } else { a })
            .expect("the range is not empty")
    }

    /// All terms in a regime, in bits, not rounded. Folding rounds are `fold 1`, `fold 2`, ….
    pub fn terms(&self, regime: Regime) -> Vec<(String, f64)> {
        let k = f64::from(self.log_length).exp2();
        let [batching, folding, queries] = self.grinding;
        let mut terms = Vec::new();
        let factor = match self.batching {
            Batching::Powers => self.batch - 1.0,
            Batching::Affine => 1.0,
            Batching::Multilinear => self.batch.log2().ceil(),
        };
        let bits = self.field_bits - self.numerator(regime, k).log2() - factor.log2() + batching;
        terms.push(("batching".to_owned(), bits));
        let mut length = k;
        for (round, arity) in (1..).zip(&self.folding) {
            let arity = f64::from(*arity);
            length /= arity;
            let error = self.numerator(regime, length) * (arity - 1.0);
            let bits = self.field_bits - error.log2() + folding;
            terms.push((format!("fold {round}"), bits));
        }
        let miss = 1.0 - self.theta(regime);
        let bits = -f64::from(self.queries) * miss.log2() + queries;
        terms.push(("queries".to_owned(), bits));
        terms.extend(self.arithmetization_terms(regime, k));
        terms.extend(self.lookups.iter().map(|lookup| self.lookup_term(lookup)));
        terms
    }

    /// Level in a regime: whole bits of the smallest term.
    pub fn bits(&self, regime: Regime) -> f64 {
        let bits = self.terms(regime).into_iter().map(|(_, bits)| bits.floor());
        bits.fold(f64::INFINITY, f64::min)
    }

    /// Expected size that soundcalc reports, in whole KiB, for digests of `digest_bits` and base
    /// field elements of `base_bits`, of which `extension` make an element of F.
    ///
    /// All opened values count as elements of F; a tree of N leaves costs its root, the opened
    /// rows and ⌈expected distinct siblings⌉ of each level.
    pub fn expected_kib(&self, digest_bits: u32, base_bits: u32, extension: u32) -> f64 {
        let element = f64::from(base_bits * extension);
        let queries = f64::from(self.queries);
        let tree = |log_leaves: u32, row: f64| {
            let level = |depth| siblings_at(depth, self.queries).ceil();
            let digests = 1.0 + (1..=log_leaves).map(level).sum::<f64>();
            digests * f64::from(digest_bits) + queries * row * element
        };
        let mut log_leaves = self.log_length + self.log_blowup;
        let mut bits = tree(log_leaves, self.batch);
        for arity in &self.folding {
            log_leaves -= arity.ilog2();
            bits += tree(log_leaves, f64::from(*arity));
        }
        let last = log_leaves - self.log_blowup.min(log_leaves);
        bits += f64::from(last).exp2() * element;
        if let Arithmetization::Jagged { .. } = self.arithmetization {
            let variables = f64::from(self.log_length) + self.batch.log2().ceil();
            let sumcheck = |variables: f64| (variables * 4.0 + 2.0) * element;
            bits += sumcheck(variables) + sumcheck(2.0 * variables + 2.0);
        }
        (bits / 8.0 / KIB).floor()
    }

    fn rate(&self) -> f64 {
        (-f64::from(self.log_blowup)).exp2()
    }

    /// The proximity parameter θ.
    fn theta(&self, regime: Regime) -> f64 {
        let rate = self.rate();
        match regime {
            Regime::Unique => (1.0 - rate) / 2.0,
            Regime::Johnson(gap) => 1.0 - rate.sqrt() - self.eta(gap),
        }
    }

    fn eta(&self, gap: Gap) -> f64 {
        let rate = self.rate();
        match gap {
            Gap::Default if self.field_bits > 150.0 => rate.sqrt() / 100.0,
            Gap::Default => (rate / 20.0).max(rate.sqrt() / 100.0),
            Gap::Eta(eta) => eta,
            Gap::Multiplicity(m) => rate.sqrt() / (2.0 * f64::from(m)),
        }
    }

    /// ε(k)·F.
    fn numerator(&self, regime: Regime, k: f64) -> f64 {
        let rate = self.rate();
        let n = k / rate;
        let theta = self.theta(regime);
        let Regime::Johnson(gap) = regime else {
            return theta * n + 1.0;
        };
        let m = match gap {
            Gap::Multiplicity(m) => f64::from(m),
            _ => (rate.sqrt() / (2.0 * self.eta(gap))).ceil().max(3.0),
        };
        let m = m + 0.5;
        (2.0 * m.powi(5) + 3.0 * m * theta * rate) * n / (3.0 * rate.powf(1.5)) + m / rate.sqrt()
    }

    /// The list size L.
    fn list(&self, regime: Regime) -> f64 {
        match regime {
            Regime::Unique => 1.0,
            Regime::Johnson(Gap::Multiplicity(m)) => (f64::from(m) + 0.5) / self.rate().sqrt(),
            Regime::Johnson(gap) => 1.0 / (2.0 * self.eta(gap) * self.rate().sqrt()),
        }
    }

    fn arithmetization_terms(&self, regime: Regime, k: f64) -> Vec<(String, f64)> {
        let field = self.field_bits.exp2();
        let (first, second) = match self.arithmetization {
            Arithmetization::DeepAli {
                constraints,
                degree,
                combo,
                grinding,
            } => {
                let list = self.list(regime);
                let deep = list * (degree * (k + combo - 1.0) + (k - 1.0));
                let deep = deep / (field - k - k / self.rate());
                (
                    ("constraints", list * constraints / field),
                    ("deep", deep * (-grinding).exp2()),
                )
            }
            Arithmetization::Jagged {
                constraints,
                degree,
                log_height,
                width,
            } => {
                let variables = f64::from(self.log_length) + self.batch.log2().ceil();
                let reduction =
                    width.log2().ceil() + 2.0 * variables + 2.0 * (2.0 * variables + 2.0);
                let check = constraints + (degree + 2.0) * log_height;
                (
                    ("zero check", check / field),
                    ("reduction", reduction / field),
                )
            }
        };
        let named = |(name, error): (&str, f64)| (name.to_owned(), -error.log2());
        vec![named(first), named(second)]
    }

    fn lookup_term(&self, lookup: &Lookup) -> (String, f64) {
        let Lookup {
            rows,
            columns,
            count,
            ..
        } = *lookup;
        let mut numerator = if lookup.multilinear {
            count * rows * columns.log2().max(1.0)
        } else {
            count * rows * columns
        };
        if lookup.multilinear {
            let variables = rows.log2() + count.log2();
            numerator += 0.5 * variables * (3.0 * variables + 1.0);
        }
        let bits = self.field_bits - numerator.log2() + lookup.grinding;
        (lookup.name.clone(), bits)
    }
}

/// Conjectured bits of the query phase, up to capacity: q(−log2(ρ + η)) + g with
/// η = ρ·log2(e/ρ)/log2 F. soundcalc removed this regime after eprint 2025/2010 and 2025/2046.
pub fn conjectured_query_bits(
    field_bits: f64,
    log_blowup: u32,
    queries: u32,
    grinding: f64,
) -> f64 {
    let log_blowup = f64::from(log_blowup);
    let rate = (-log_blowup).exp2();
    let eta = rate * (LOG2_E + log_blowup) / field_bits;
    -f64::from(queries) * (rate + eta).log2() + grinding
}
