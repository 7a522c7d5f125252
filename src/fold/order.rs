//! The orders in which a table's chunks are folded, and the bytes that move at every fold.
//!
//! The tree pairs nodes level by level; an odd one out is carried to the next. Node `j` of level `k`
//! covers the chunks from `j·2^k` to `(j + 1)·2^k`, as far as there are any, so that `n` chunks take
//! `⌈log2 n⌉` levels and `n - 1` folds. It is walked block by block: within a block of `2^b` chunks
//! level by level, so that the cross terms of a level are committed to together, and then as soon as
//! both children are there. Memory is that of a block and one accumulator per level above it.

use rayon::prelude::*;

use super::instance::{Instance, Order, RelaxedInstance};
use super::nifs::{Accumulator, Nifs, Pair, challenge, fold_instances};
use super::wire::CROSS_TERM_BYTES;
use crate::backend::Folding;
use crate::backend::curve::G1Affine;
use crate::{Error, Result};

/// Most bytes of chunks that a block of the tree may hold at once.
const BLOCK_BYTES: usize = 256 << 20;
/// Most chunks of a block: beyond this a batch gains nothing.
const MAX_BLOCK: usize = 64;

/// What moves for one fold, if it is done elsewhere: both children go there, and the result and the
/// commitment to the cross term come back. Bytes are those of [`wire`](super::wire)'s messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hop {
    /// Position in the chain, or level of the tree from the leaves.
    pub level: u32,
    /// Bytes of the first child: its instance and witness. Of a fresh chunk, what whoever folds cannot
    /// compute: the main part, its integers in as few bytes as they need.
    pub first_bytes: u64,
    /// Bytes of the second child.
    pub second_bytes: u64,
    /// Bytes of the result and the commitment to the cross term.
    pub result_bytes: u64,
}

impl Hop {
    /// Bytes that go to where the fold is done.
    pub fn sent_bytes(&self) -> u64 {
        self.first_bytes + self.second_bytes
    }
}

/// A chunk to be folded.
pub struct Leaf<B: Folding> {
    /// Its instance with its witness.
    pub accumulator: Accumulator<B>,
    /// Bytes of the messages that carry it to where it is folded.
    pub num_bytes: u64,
}

/// The chunks of a table, folded into one.
pub struct Folded<B: Folding> {
    /// Into what.
    pub accumulator: Accumulator<B>,
    /// Commitments to the cross terms, see
    /// [`TableProof::cross_terms`](super::TableProof::cross_terms).
    pub cross_terms: Vec<G1Affine>,
    /// One per fold, in the same order.
    pub hops: Vec<Hop>,
}

/// Folds accumulators in an order.
///
/// - `num_leaves`: how many `leaves` gives, at least 1.
/// - `progress`: called after every batch of folds, with the number done.
///
/// Cost: `num_leaves - 1` folds.
///
/// # Errors
/// [`Error::Usage`] if there are not as many leaves; the first error of a leaf; those of
/// [`Nifs::fold`].
pub fn fold_all<B: Folding>(
    nifs: &Nifs<'_, B>,
    order: Order,
    num_leaves: usize,
    leaves: impl Iterator<Item = Result<Leaf<B>>>,
    progress: &mut dyn FnMut(usize),
) -> Result<Folded<B>> {
    let mut leaves = leaves.take(num_leaves);
    let walk = Walk {
        nifs,
        folded_bytes: nifs.dimensions().accumulator_bytes() as u64,
        levels: Levels::new(num_leaves),
        cross_terms: vec![None; num_leaves.saturating_sub(1)],
        hops: vec![Hop::default(); num_leaves.saturating_sub(1)],
        num_done: 0,
        progress,
    };
    match order {
        Order::Sequential => walk.sequential(&mut leaves),
        Order::Tree => walk.tree(&mut leaves),
    }
}

/// The shape of a tree over `n` leaves.
struct Levels {
    num_leaves: usize,
    /// Position of the first fold of each level among all folds.
    starts: Vec<usize>,
}

impl Levels {
    fn new(num_leaves: usize) -> Self {
        let mut starts = vec![];
        let (mut nodes, mut start) = (num_leaves, 0);
        while nodes > 1 {
            starts.push(start);
            start += nodes / 2;
            nodes = nodes.div_ceil(2);
        }
        Self { num_leaves, starts }
    }

    fn height(&self) -> u32 {
        self.starts.len() as u32
    }

    /// Number of nodes of a level.
    fn num_nodes(&self, level: u32) -> usize {
        self.num_leaves.div_ceil(1 << level)
    }
}

/// A node of a tree under construction.
struct Node<B: Folding> {
    level: u32,
    /// Position in its level.
    index: usize,
    folded: Leaf<B>,
}

struct Walk<'a, 'n, B: Folding> {
    nifs: &'a Nifs<'n, B>,
    /// Bytes of the messages with an accumulator.
    folded_bytes: u64,
    levels: Levels,
    cross_terms: Vec<Option<G1Affine>>,
    hops: Vec<Hop>,
    num_done: usize,
    progress: &'a mut dyn FnMut(usize),
}

impl<B: Folding> Walk<'_, '_, B> {
    fn sequential(
        mut self,
        leaves: &mut dyn Iterator<Item = Result<Leaf<B>>>,
    ) -> Result<Folded<B>> {
        let mut folded = leaves.next().ok_or_else(none)??;
        for (position, leaf) in leaves.enumerate() {
            let pair = [folded, leaf?];
            folded = self.fold_one(position as u32, position, pair)?;
        }
        self.finish(folded)
    }

    fn tree(mut self, leaves: &mut dyn Iterator<Item = Result<Leaf<B>>>) -> Result<Folded<B>> {
        // A leaf's vectors, its products and the cross term, as full scalars.
        let layout = self.nifs.layout();
        let leaf = 32 * (layout.num_variables() + 4 * self.nifs.dimensions().num_constraints);
        let block = (BLOCK_BYTES / leaf.max(1)).clamp(2, MAX_BLOCK);
        let log_block = block.ilog2().min(self.levels.height());
        // Nodes that wait for their sibling: first to last, levels not ascending.
        let mut waiting: Vec<Node<B>> = vec![];
        for index in 0..self.levels.num_nodes(log_block) {
            let leaves = leaves.take(1 << log_block);
            let leaves = leaves.collect::<Result<Vec<_>>>()?;
            let folded = self.block(index << log_block, leaves)?;
            let mut node = Node {
                level: log_block,
                index,
                folded,
            };
            // Up as long as the sibling is there, or there is none.
            while node.level < self.levels.height() {
                if node.index % 2 == 1 {
                    let sibling = waiting.pop().ok_or_else(none)?;
                    let pair = [sibling.folded, node.folded];
                    let position = self.levels.starts[node.level as usize] + node.index / 2;
                    node.folded = self.fold_one(node.level, position, pair)?;
                } else if node.index + 1 < self.levels.num_nodes(node.level) {
                    break;
                }
                node.level += 1;
                node.index /= 2;
            }
            waiting.push(node);
        }
        let root = waiting.pop().ok_or_else(none)?;
        self.finish(root.folded)
    }

    /// Folds a block of leaves level by level.
    ///
    /// - `first`: index of its first leaf.
    fn block(&mut self, first: usize, mut nodes: Vec<Leaf<B>>) -> Result<Leaf<B>> {
        let mut level = 0;
        while nodes.len() > 1 {
            let start = self.levels.starts[level as usize] + (first >> (level + 1));
            let (pairs, odd) = in_pairs(nodes);
            let pairs = pairs.into_iter().enumerate();
            nodes = self.fold(level, pairs.map(|(i, pair)| (start + i, pair)).collect())?;
            nodes.extend(odd);
            level += 1;
        }
        nodes.pop().ok_or_else(none)
    }

    fn fold_one(&mut self, level: u32, position: usize, pair: [Leaf<B>; 2]) -> Result<Leaf<B>> {
        let folded = self.fold(level, vec![(position, pair)])?;
        folded.into_iter().next().ok_or_else(none)
    }

    /// Folds pairs whose folds have the given positions.
    fn fold(&mut self, level: u32, pairs: Vec<(usize, [Leaf<B>; 2])>) -> Result<Vec<Leaf<B>>> {
        let mut positions = Vec::with_capacity(pairs.len());
        let mut accumulators: Vec<Pair<B>> = Vec::with_capacity(pairs.len());
        for (position, pair) in pairs {
            let [first_bytes, second_bytes] = pair.each_ref().map(|leaf| leaf.num_bytes);
            self.hops[position] = Hop {
                level,
                first_bytes,
                second_bytes,
                result_bytes: self.folded_bytes + CROSS_TERM_BYTES as u64,
            };
            positions.push(position);
            accumulators.push(pair.map(|leaf| leaf.accumulator));
        }
        let folded = self.nifs.fold(accumulators)?;
        let mut nodes = Vec::with_capacity(folded.len());
        for (position, (accumulator, cross_term)) in positions.into_iter().zip(folded) {
            self.cross_terms[position] = Some(cross_term);
            nodes.push(Leaf {
                accumulator,
                num_bytes: self.folded_bytes,
            });
        }
        self.num_done += nodes.len();
        (self.progress)(self.num_done);
        Ok(nodes)
    }

    fn finish(self, folded: Leaf<B>) -> Result<Folded<B>> {
        let cross_terms: Option<Vec<_>> = self.cross_terms.into_iter().collect();
        Ok(Folded {
            accumulator: folded.accumulator,
            cross_terms: cross_terms.ok_or_else(none)?,
            hops: self.hops,
        })
    }
}

fn none() -> Error {
    Error::Usage("fewer chunks than were announced to be folded".to_owned())
}

/// Items two by two, and the odd one out.
fn in_pairs<T>(items: Vec<T>) -> (Vec<[T; 2]>, Option<T>) {
    let mut pairs = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    loop {
        match (items.next(), items.next()) {
            (Some(first), Some(second)) => pairs.push([first, second]),
            (odd, _) => return (pairs, odd),
        }
    }
}

/// Folds instances as a prover did: what whoever verifies does.
///
/// - `relation`: [`Relation::digest`](super::Relation::digest).
/// - `cross_terms`: one less than instances, see
///   [`TableProof::cross_terms`](super::TableProof::cross_terms).
/// - returns: what they were folded into; `None` without instances, or if there are not as many
///   cross terms, or if instances have different numbers of public values.
///
/// Cost: a hash and four or five multiplications of points per fold; parallel within a level of a tree.
pub fn replay(
    relation: &blake3::Hash,
    order: Order,
    instances: &[Instance],
    cross_terms: &[G1Affine],
) -> Option<RelaxedInstance> {
    let num_public = instances.first()?.x.len();
    if instances.len() != cross_terms.len() + 1
        || instances
            .iter()
            .any(|instance| instance.x.len() != num_public)
    {
        return None;
    }
    let fold = |pair: [&RelaxedInstance; 2], cross_term: &G1Affine| {
        fold_instances(pair, cross_term, challenge(relation, pair, cross_term))
    };
    let mut nodes: Vec<_> = instances
        .iter()
        .cloned()
        .map(RelaxedInstance::from)
        .collect();
    match order {
        Order::Sequential => {
            let mut nodes = nodes.into_iter();
            let first = nodes.next()?;
            let folds = nodes.zip(cross_terms);
            Some(folds.fold(first, |acc, (next, term)| fold([&acc, &next], term)))
        }
        Order::Tree => {
            let mut cross_terms = cross_terms;
            while nodes.len() > 1 {
                let (pairs, odd) = in_pairs(nodes);
                let (level, rest) = cross_terms.split_at(pairs.len());
                let folded = pairs.par_iter().zip(level);
                nodes = folded
                    .map(|([first, second], term)| fold([first, second], term))
                    .collect();
                nodes.extend(odd);
                cross_terms = rest;
            }
            nodes.pop()
        }
    }
}
