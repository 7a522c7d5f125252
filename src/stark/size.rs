//! How long a proof is, before it is made.
//!
//! ```text
//! S = Σ_trees [ cap + q·C·b + 32·M ] + Σ_rounds [ cap + q(a − 1)e + 32·M ] + e·|final| + openings + nonces
//! M = Σ_{d=t+1..L} 2^d ((1 − 2^−d)^q − (1 − 2^(1−d))^q)
//! ```
//!
//! with q queries, C columns of b bytes, arity a, challenge field elements of e bytes, and trees of
//! 2^L leaves and caps of 2^t digests of 32 bytes. M is the expected number of digests that q
//! uniform positions leave to be sent when paths are merged. It is the only part that varies from
//! proof to proof; everything else is exact for postcard 1 and Plonky3 0.8, where field elements
//! are four bytes and lengths are variable-length integers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::params::Params;
use super::shape::{Shape, Table};

/// Bytes of a digest.
const DIGEST: f64 = 32.0;
/// Bytes of an element of the base field: Plonky3 writes a fixed array in binary formats.
const ELEMENT: f64 = 4.0;

/// Bytes of a proof by part, expected.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Digests of commitments: trace, lookups, quotient, and one per folding round.
    pub commitments: f64,
    /// Claimed evaluations at the out-of-domain point.
    pub out_of_domain: f64,
    /// Opened rows of the trees that FRI starts from.
    pub input_rows: f64,
    /// Merged authentication paths of those.
    pub input_paths: f64,
    /// Values opened beside the queried one in every folding round.
    pub fri_siblings: f64,
    /// Merged authentication paths of the folding rounds.
    pub fri_paths: f64,
    /// Coefficients of the final polynomial.
    pub final_polynomial: f64,
    /// Nonces of proofs of work, ground or not.
    pub nonces: f64,
    /// Lengths, option tags, heights, and sums of the lookup argument.
    pub framing: f64,
}

impl Size {
    /// All bytes.
    pub fn total(&self) -> f64 {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }

    /// The parts by name.
    pub fn parts(&self) -> [(&'static str, f64); 9] {
        let Self {
            commitments,
            out_of_domain,
            input_rows,
            input_paths,
            fri_siblings,
            fri_paths,
            final_polynomial,
            nonces,
            framing,
        } = *self;
        [
            ("commitments", commitments),
            ("out of domain", out_of_domain),
            ("input rows", input_rows),
            ("input paths", input_paths),
            ("fri siblings", fri_siblings),
            ("fri paths", fri_paths),
            ("final polynomial", final_polynomial),
            ("nonces", nonces),
            ("framing", framing),
        ]
    }
}

/// Matrices committed together: height before extension, as base-2 logarithm, and width in
/// elements of the base field.
pub type Tree = Vec<(u32, usize)>;

/// Expected number of digests sent at `depth` below the root for `queries` uniform positions:
/// nodes that cover no position and whose sibling covers one.
///
/// # Source
/// 2^d ((1 − 2^−d)^q − (1 − 2^(1−d))^q): of 2^d nodes, each is free of q positions with
/// probability (1 − 2^−d)^q, and its parent too with (1 − 2^(1−d))^q.
pub fn siblings_at(depth: u32, queries: u32) -> f64 {
    let nodes = f64::from(depth).exp2();
    let free = |share: f64| (f64::from(queries) * (-share).ln_1p()).exp();
    nodes * (free(1.0 / nodes) - free(2.0 / nodes))
}

/// Expected number of digests of the merged paths from `2^log_leaves` leaves to a cap of
/// `2^cap_height` digests.
pub fn siblings(log_leaves: u32, cap_height: u32, queries: u32) -> f64 {
    let depths = cap_height.min(log_leaves) + 1..=log_leaves;
    depths.map(|depth| siblings_at(depth, queries)).sum()
}

/// Base-2 logarithms of the folding factors: as large as `params` allow, but stopping at every
/// height in `log_heights` (distinct, tallest first) and at the final polynomial.
///
/// # Source
/// `p3_fri::fold_schedule` 0.8, whose heights include the blowup.
pub fn fold_schedule(log_heights: &[u32], params: &Params) -> Vec<u32> {
    let last = u32::from(params.log_final_len);
    let mut heights = log_heights.iter().copied();
    let Some(mut height) = heights.next() else {
        return Vec::new();
    };
    let mut next = heights.next();
    let mut schedule = Vec::new();
    while height > last {
        let stop = next.unwrap_or(last).max(last);
        let arity = (height - stop).min(params.log_arity.into());
        schedule.push(arity);
        height -= arity;
        if next == Some(height) {
            next = heights.next();
        }
    }
    schedule
}

/// Bytes of an opening proof, `p3_fri::FriProof`, for commitments to `trees`.
pub fn opening(trees: &[Tree], params: &Params) -> Size {
    let log_blowup = u32::from(params.log_blowup);
    let cap_height = u32::from(params.cap_height);
    let queries = u32::from(params.num_queries);
    let q = f64::from(queries);
    let mut size = Size::default();
    let paths = |log_leaves: u32, framing: &mut f64| {
        let digests = siblings(log_leaves, cap_height, queries);
        *framing += length(digests.round() as usize);
        DIGEST * digests
    };
    size.framing += length(trees.len());
    for tree in trees {
        let log_height = tree.iter().map(|matrix| matrix.0).max().unwrap_or(0);
        let rows = tree.iter().map(|matrix| ELEMENT * matrix.1 as f64);
        size.input_rows += q * rows.sum::<f64>();
        let lengths = tree.iter().map(|matrix| length(matrix.1));
        size.framing += length(queries as usize);
        size.framing += q * (length(tree.len()) + lengths.sum::<f64>());
        size.input_paths += paths(log_height + log_blowup, &mut size.framing);
    }
    let mut heights: Vec<u32> = trees.iter().flatten().map(|matrix| matrix.0).collect();
    heights.sort_unstable_by(|a, b| b.cmp(a));
    heights.dedup();
    let schedule = fold_schedule(&heights, params);
    // Commitments, nonces and openings are three vectors.
    size.framing += 3.0 * length(schedule.len());
    let mut log_leaves = heights.first().map_or(0, |height| height + log_blowup);
    for log_arity in &schedule {
        log_leaves -= log_arity;
        let (digests, framing) = cap(log_leaves, cap_height);
        size.commitments += digests;
        size.nonces += ELEMENT;
        let siblings = (1usize << log_arity) - 1;
        size.fri_siblings += q * siblings as f64 * challenge(params);
        size.framing += framing + length(queries as usize) + q * length(siblings);
        size.fri_paths += paths(log_leaves, &mut size.framing);
    }
    let coefficients = 1usize << params.log_final_len;
    size.final_polynomial = coefficients as f64 * challenge(params);
    size.framing += length(coefficients);
    // Before the batching challenge and before the queries.
    size.nonces += 2.0 * ELEMENT;
    size
}

/// Bytes of a batch proof, `p3_batch_stark::BatchProof`, of `shape`. The commitment to
/// preprocessed columns is in the verifying key, not in the proof.
pub fn batch(shape: &Shape, params: &Params) -> Size {
    let extension = usize::from(params.extension);
    let with_lookups = |table: &&Table| table.lookups > 0;
    let trees = batch_trees(shape, extension);
    let mut size = opening(&trees, params);
    let has_lookups = shape.tables.iter().any(|table| table.lookups > 0);

    let log_blowup = u32::from(params.log_blowup);
    let commitment = |log_height: u32| cap(log_height + log_blowup, params.cap_height.into());
    let tallest_lookup = shape.tables.iter().filter(with_lookups);
    let tallest_lookup = tallest_lookup.map(|table| table.log_height).max();
    for log_height in [Some(shape.max_log_height()); 2]
        .into_iter()
        .chain([tallest_lookup])
        .flatten()
    {
        let (digests, framing) = commitment(log_height);
        size.commitments += digests;
        size.framing += framing;
    }
    // Tags: lookups committed or not, no randomization.
    size.framing += 2.0;

    size.framing += 3.0 * length(shape.tables.len());
    let vector = |size: &mut Size, elements: usize| {
        size.framing += length(elements);
        size.out_of_domain += elements as f64 * challenge(params);
    };
    for table in &shape.tables {
        vector(&mut size, table.width);
        // Tags: next row, preprocessed row, its next row, randomization.
        size.framing += 4.0;
        if table.next {
            vector(&mut size, table.width);
        }
        if table.preprocessed > 0 {
            vector(&mut size, table.preprocessed);
            if table.preprocessed_next {
                vector(&mut size, table.preprocessed);
            }
        }
        size.framing += length(table.quotient_chunks);
        for _ in 0..table.quotient_chunks {
            vector(&mut size, extension);
        }
        let permutation = table.permutation() * extension;
        vector(&mut size, permutation);
        vector(&mut size, permutation);
        // The tag of the sum, the sum, and the height.
        size.framing += 1.0 + length(table.log_height as usize);
        if table.lookups > 0 {
            size.framing += challenge(params);
        }
    }
    // Lookup nonce with its tag, and that of the out-of-domain point.
    size.framing += 1.0;
    size.nonces += ELEMENT * if has_lookups { 2.0 } else { 1.0 };
    size
}

/// Matrices that FRI starts from in a batch proof: traces, quotient chunks, preprocessed columns,
/// lookup columns.
pub fn batch_trees(shape: &Shape, extension: usize) -> Vec<Tree> {
    let tree = |matrices: &dyn Fn(&Table) -> (usize, usize)| -> Tree {
        let of_table = |table: &Table| {
            let (count, width) = matrices(table);
            vec![(table.log_height, width); count]
        };
        shape.tables.iter().flat_map(of_table).collect()
    };
    let trees = [
        tree(&|table| (1, table.width)),
        tree(&|table| (table.quotient_chunks, extension)),
        tree(&|table| (usize::from(table.preprocessed > 0), table.preprocessed)),
        tree(&|table| {
            let width = table.permutation() * extension;
            (usize::from(width > 0), width)
        }),
    ];
    trees.into_iter().filter(|tree| !tree.is_empty()).collect()
}

/// Bytes of an element of the challenge field.
fn challenge(params: &Params) -> f64 {
    ELEMENT * f64::from(params.extension)
}

/// Digests of a commitment to `2^log_leaves` leaves, and their framing, in bytes. A tree smaller
/// than its cap is all cap.
fn cap(log_leaves: u32, cap_height: u32) -> (f64, f64) {
    let digests = 1usize << cap_height.min(log_leaves);
    (DIGEST * digests as f64, length(digests))
}

/// Bytes of a length: seven bits each.
fn length(value: usize) -> f64 {
    f64::from((usize::BITS - value.leading_zeros()).div_ceil(7).max(1))
}
