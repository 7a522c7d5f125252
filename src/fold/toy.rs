//! A small relation with random satisfying chunks, for tests: all kinds of constraints, terms and
//! parts, and challenges among the coefficients.

use ark_ff::{Field, PrimeField};

use super::instance::Instance;
use super::key::CommitmentKey;
use super::relation::{
    KNOWN, LOOKUP, Layout, Linear, LinearBlock, MAIN, NUM_PARTS, Part, Relation,
};
use crate::backend::curve::{Fr, Scalars};
use crate::backend::{Block, Matrices, Term};

/// A chunk that satisfies the relation.
#[derive(Clone)]
pub(super) struct Chunk {
    pub(super) x: Vec<Fr>,
    pub(super) known: Vec<i64>,
    pub(super) main: Vec<i64>,
    pub(super) lookup: Vec<Fr>,
}

/// What the instances below satisfy. Columns: `k` known; `a`, `p` in main, and one single `s`; `h` in
/// lookup. `x = (sum, first)`.
///
/// - quadratic, each row: `p = 3·a·(a - k)`
/// - quadratic, each row but the last: `a_next·u = a² + k`, modulo nothing: values stay tiny
/// - quadratic, each row: `(alpha·u + a + beta·k)·h = u`
/// - quadratic, once, after a gap of two rows: `s·u = a_first·first`
/// - linear, once: `sum = Σ h`
/// - linear, each row: `0 = p - p`, as `2p - 2p` in two terms
pub(super) struct Toy {
    pub(super) relation: Relation,
    alpha: Fr,
    beta: Fr,
}

impl Toy {
    pub(super) fn new(log_rows: u32, alpha: u64, beta: u64) -> Self {
        let rows = 1u32 << log_rows;
        let layout = Layout {
            log_rows,
            num_public: 2,
            parts: [
                Part {
                    singles: 0,
                    columns: 1,
                },
                Part {
                    singles: 1,
                    columns: 2,
                },
                Part {
                    singles: 0,
                    columns: 1,
                },
            ],
        };
        let start = |part| layout.part_start(part) as u32;
        let (k, s, h) = (start(KNOWN), start(MAIN), start(LOOKUP));
        let (a, p) = (s + 1, s + 1 + rows);
        let (alpha, beta) = (Fr::from(alpha), Fr::from(beta));
        let coefficients = vec![
            Fr::ONE,
            -Fr::ONE,
            Fr::from(3),
            alpha,
            beta,
            Fr::from(2),
            -Fr::from(2),
        ];
        let mut terms = vec![];
        let mut range = |list: &[(u32, u32, u32)]| {
            let from = terms.len() as u32;
            terms.extend(list.iter().map(|(start, step, coefficient)| Term {
                start: *start,
                step: *step,
                coefficient: *coefficient,
            }));
            [from, terms.len() as u32]
        };
        let blocks = vec![
            Block {
                start: 0,
                repeat: rows,
                terms: [
                    range(&[(a, 1, 2)]),
                    range(&[(a, 1, 0), (k, 1, 1)]),
                    range(&[(p, 1, 0)]),
                ],
            },
            Block {
                start: rows,
                repeat: rows - 1,
                terms: [
                    range(&[(a, 1, 0)]),
                    range(&[(a, 1, 0)]),
                    range(&[(a + 1, 1, 0), (k, 1, 1)]),
                ],
            },
            Block {
                start: 2 * rows,
                repeat: rows,
                terms: [
                    range(&[(0, 0, 3), (a, 1, 0), (k, 1, 4)]),
                    range(&[(h, 1, 0)]),
                    range(&[(0, 0, 0)]),
                ],
            },
            Block {
                start: 3 * rows + 2,
                repeat: 1,
                terms: [
                    range(&[(a, 0, 0)]),
                    range(&[(2, 0, 0)]),
                    range(&[(s, 0, 0)]),
                ],
            },
        ];
        let matrices = Matrices {
            num_variables: layout.num_variables(),
            num_constraints: 3 * rows as usize + 4,
            blocks,
            terms,
            coefficients: coefficients.clone(),
        };
        let terms = [(1, 0, 0), (h, 1, 1), (p, 1, 5), (p, 1, 6)];
        let linear = Linear {
            blocks: vec![
                LinearBlock {
                    repeat: 1,
                    terms: [0, 1],
                    sums: [1, 2],
                },
                LinearBlock {
                    repeat: rows,
                    terms: [2, 4],
                    sums: [4, 4],
                },
            ],
            terms: terms
                .map(|(start, step, coefficient)| Term {
                    start,
                    step,
                    coefficient,
                })
                .to_vec(),
            coefficients,
        };
        Self {
            relation: Relation {
                layout,
                matrices,
                linear,
            },
            alpha,
            beta,
        }
    }

    /// The chunk with a seed: `a` is 0, 1 or -1 where `k` allows, so that every row has choices.
    pub(super) fn chunk(&self, seed: u64) -> Chunk {
        let rows = 1 << self.relation.layout.log_rows;
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut digit = || {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as i64 % 1000 - 500
        };
        let a: Vec<i64> = (0..rows).map(|_| digit()).collect();
        // a_next = a² + k
        let k: Vec<i64> = (0..rows)
            .map(|i| {
                a.get(i + 1)
                    .map_or_else(&mut digit, |next| next - a[i] * a[i])
            })
            .collect();
        let p: Vec<i64> = a.iter().zip(&k).map(|(a, k)| 3 * a * (a - k)).collect();
        let first = i64::from(seed.is_multiple_of(2));
        let h: Vec<Fr> = a
            .iter()
            .zip(&k)
            .map(|(a, k)| {
                let fingerprint = self.alpha + Fr::from(*a) + self.beta * Fr::from(*k);
                fingerprint.inverse().unwrap()
            })
            .collect();
        Chunk {
            x: vec![h.iter().sum(), Fr::from(first)],
            known: k,
            main: [vec![a[0] * first], a, p].concat(),
            lookup: h,
        }
    }
}

impl Chunk {
    pub(super) fn parts(&self) -> [Scalars<'_>; NUM_PARTS] {
        let Self {
            x: _,
            known,
            main,
            lookup,
        } = self;
        [
            Scalars::Small(known),
            Scalars::Small(main),
            Scalars::Full(lookup),
        ]
    }

    pub(super) fn instance(&self, key: &CommitmentKey) -> Instance {
        Instance {
            x: self.x.clone(),
            parts: self.parts().map(|part| key.commit(part).unwrap()),
        }
    }

    /// Checks it as a fresh instance.
    pub(super) fn check(&self, relation: &Relation) -> Result<(), super::Unsatisfied> {
        let head = [&[Fr::ONE], &self.x[..]].concat();
        let [known, main, lookup] = self.parts().map(|part| part.to_vec());
        let error = vec![Fr::from_bigint(0u64.into()).unwrap(); relation.num_constraints()];
        relation.check(&head, [&known, &main, &lookup], &error)
    }
}
