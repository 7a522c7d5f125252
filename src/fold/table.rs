//! Checking what the chunks of one table were folded into, without a backend.

use super::instance::{Order, RelaxedInstance, RelaxedWitness, TableProof};
use super::key::CommitmentKey;
use super::order::replay;
use super::relation::{NUM_PARTS, PART_NAMES, Relation, Unsatisfied};
use crate::backend::curve::{Fr, G1Affine, Scalars};

/// Why the accumulator of a table is rejected. One variant per reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FoldingError {
    /// No instance was folded.
    #[error("there is no instance")]
    NoInstances,
    /// An instance has not as many public values as the relation.
    #[error("instance {instance} has {found} public values, expected {expected}")]
    NumPublic {
        /// Index of the instance; one past the last for the accumulator.
        instance: usize,
        /// How many it has.
        found: usize,
        /// How many the relation has.
        expected: usize,
    },
    /// There is not one cross term per fold.
    #[error("there are {found} cross terms, expected {expected}: one per fold")]
    NumCrossTerms {
        /// How many there are.
        found: usize,
        /// One less than instances.
        expected: usize,
    },
    /// The accumulator is not what the instances fold into with these cross terms.
    #[error("folding the instances gives another {field} than the accumulator has")]
    Accumulator {
        /// `u`, `x`, the name of a part, or `error`.
        field: &'static str,
    },
    /// The accumulator does not satisfy the relation.
    #[error("the accumulator is not satisfied: {0}")]
    Unsatisfied(#[from] Unsatisfied),
    /// A commitment of the accumulator does not open to its witness.
    #[error("the commitment to the accumulator's {vector} does not open to its witness")]
    Opening {
        /// The name of a part, or `error`.
        vector: &'static str,
    },
}

/// Replays the folds of a table, and checks that their result is satisfied and opens its commitments.
///
/// - `key`: at least [`Relation::key_len`] generators.
///
/// What the instances say is up to the caller.
///
/// Cost: a hash and four or five multiplications of points per fold; then one pass over the
/// accumulator's witness and a multi-scalar multiplication of every part and the error vector.
///
/// # Errors
/// [`FoldingError`], the first reason in the order of its variants.
/// # Panics
/// If the key is shorter than that.
pub fn check_table(
    relation: &Relation,
    key: &CommitmentKey,
    order: Order,
    table: &TableProof,
) -> Result<(), FoldingError> {
    let TableProof {
        instances,
        cross_terms,
        accumulator,
        witness,
    } = table;
    let expected = relation.layout.num_public;
    let publics = instances.iter().map(|instance| instance.x.len());
    let publics = publics.chain([accumulator.x.len()]).enumerate();
    for (instance, found) in publics {
        if found != expected {
            return Err(FoldingError::NumPublic {
                instance,
                found,
                expected,
            });
        }
    }
    let Some(num_folds) = instances.len().checked_sub(1) else {
        return Err(FoldingError::NoInstances);
    };
    let replayed = replay(&relation.digest(), order, instances, cross_terms);
    let replayed = replayed.ok_or(FoldingError::NumCrossTerms {
        found: cross_terms.len(),
        expected: num_folds,
    })?;
    if let Some(field) = difference(&replayed, accumulator) {
        return Err(FoldingError::Accumulator { field });
    }
    check_accumulator(relation, key, accumulator, witness)
}

/// The first field in which instances differ.
fn difference(first: &RelaxedInstance, second: &RelaxedInstance) -> Option<&'static str> {
    let RelaxedInstance { u, x, parts, error } = first;
    let part = (0..NUM_PARTS).find(|part| parts[*part] != second.parts[*part]);
    if *u != second.u {
        Some("u")
    } else if *x != second.x {
        Some("x")
    } else if let Some(part) = part {
        Some(PART_NAMES[part])
    } else if *error != second.error {
        Some("error")
    } else {
        None
    }
}

/// Checks that an accumulator is satisfied and that its commitments open to its witness.
///
/// # Errors
/// [`FoldingError::Unsatisfied`], [`FoldingError::Opening`].
/// # Panics
/// If the key has fewer than [`Relation::key_len`] generators.
pub fn check_accumulator(
    relation: &Relation,
    key: &CommitmentKey,
    accumulator: &RelaxedInstance,
    witness: &RelaxedWitness,
) -> Result<(), FoldingError> {
    let RelaxedWitness { parts, error } = witness;
    let [known, main, lookup] = parts;
    relation.check(&accumulator.head(), [known, main, lookup], error)?;
    let opens = |vector, scalars: &[Fr], commitment: &G1Affine| {
        let opened = key.commit(Scalars::Full(scalars));
        if opened.expect("the key is long enough") == *commitment {
            Ok(())
        } else {
            Err(FoldingError::Opening { vector })
        }
    };
    for (part, scalars) in parts.iter().enumerate() {
        opens(PART_NAMES[part], scalars, &accumulator.parts[part])?;
    }
    opens("error", error, &accumulator.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Cpu, Folding, KeyOptions};
    use crate::fold::nifs::Nifs;
    use crate::fold::order::{Leaf, fold_all};
    use crate::fold::toy::{Chunk, Toy};
    use crate::fold::wire::CROSS_TERM_BYTES;
    use crate::fold::{Dimensions, Hop, Instance, LOOKUP, MAIN};

    /// Bytes of a chunk, for all these tests care.
    const FRESH: u64 = 10;

    /// In a chain all firsts but one are accumulators and all seconds fresh. In a tree all chunks go
    /// somewhere once, and so do all results but the last.
    fn check_hops(hops: &[Hop], order: Order, n: usize, dimensions: &Dimensions) {
        let folded = dimensions.accumulator_bytes() as u64;
        assert_eq!(hops.len(), n - 1);
        let sent: u64 = hops.iter().map(Hop::sent_bytes).sum();
        let folds = n as u64 - 1;
        if folds > 0 {
            assert_eq!(sent, n as u64 * FRESH + (folds - 1) * folded);
        }
        for (i, hop) in hops.iter().enumerate() {
            assert_eq!(hop.result_bytes, folded + CROSS_TERM_BYTES as u64);
            let level = match order {
                Order::Sequential => i as u32,
                // Pairs of the first level, then of the second, with the odd one carried.
                Order::Tree => {
                    let (mut nodes, mut end, mut level) = (n, n / 2, 0);
                    while i >= end {
                        nodes = nodes.div_ceil(2);
                        end += nodes / 2;
                        level += 1;
                    }
                    level
                }
            };
            assert_eq!(hop.level, level, "fold {i} of {n} chunks");
        }
    }

    /// Folds chunks whose instances are as given.
    fn fold(
        relation: &Relation,
        key: &CommitmentKey,
        order: Order,
        chunks: &[(Instance, Chunk)],
    ) -> TableProof {
        let options = KeyOptions {
            budget: 1 << 30,
            expected_len: key.len(),
        };
        let bases = Cpu.upload_key(key.points(), options).unwrap();
        let nifs = Nifs::new(&Cpu, &bases, relation).unwrap();
        let leaves = chunks.iter().map(|(instance, chunk)| {
            let [known, main, lookup] = chunk.parts();
            let parts = [(0, known), (1, main), (2, lookup)];
            let parts = parts.map(|(part, scalars)| nifs.upload(part, scalars).unwrap());
            let accumulator = nifs.fresh(instance.clone(), parts)?;
            Ok(Leaf {
                accumulator,
                num_bytes: FRESH,
            })
        });
        let n = chunks.len();
        let folded = fold_all(&nifs, order, n, leaves, &mut |_| ()).unwrap();
        check_hops(&folded.hops, order, n, nifs.dimensions());
        assert_eq!(nifs.times().num_folds as usize, n - 1);
        let (accumulator, witness) = nifs.open(&folded.accumulator).unwrap();
        TableProof {
            instances: chunks
                .iter()
                .map(|(instance, _)| instance.clone())
                .collect(),
            cross_terms: folded.cross_terms,
            accumulator,
            witness,
        }
    }

    fn setup(n: u64) -> (Toy, CommitmentKey, Vec<(Instance, Chunk)>) {
        let toy = Toy::new(2, 1 << 40, 1 << 50);
        let key = CommitmentKey::derive(toy.relation.key_len()).unwrap();
        let chunks = (0..n).map(|seed| {
            let chunk = toy.chunk(seed);
            chunk.check(&toy.relation).unwrap();
            (chunk.instance(&key), chunk)
        });
        let chunks = chunks.collect();
        (toy, key, chunks)
    }

    /// One chunk; two; odd ones out at the first, the second and both levels; powers of two and their
    /// neighbours; more than a block.
    #[test]
    fn both_orders_end_in_satisfied_accumulators() {
        let (toy, key, chunks) = setup(130);
        for n in [
            1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 63, 64, 65, 66, 97, 128, 129, 130,
        ] {
            for order in Order::ALL {
                let proof = fold(&toy.relation, &key, order, &chunks[..n]);
                check_table(&toy.relation, &key, order, &proof)
                    .unwrap_or_else(|e| panic!("{n} chunks, {order:?}: {e}"));
            }
        }
    }

    /// A witness that is wrong by one in one cell, committed to honestly, leaves an accumulator that
    /// is not satisfied, wherever the chunk stands.
    #[test]
    fn one_wrong_cell_is_rejected_in_both_orders() {
        let (toy, key, chunks) = setup(5);
        for place in 0..5 {
            for part in [MAIN, LOOKUP] {
                for cell in 0..toy.relation.layout.part_len(part) {
                    let mut chunks = chunks.clone();
                    let (instance, chunk) = &mut chunks[place];
                    match part {
                        MAIN => chunk.main[cell] += 1,
                        _ => chunk.lookup[cell] += Fr::from(1),
                    }
                    *instance = chunk.instance(&key);
                    chunk.check(&toy.relation).unwrap_err();
                    for order in Order::ALL {
                        let proof = fold(&toy.relation, &key, order, &chunks);
                        let error = check_table(&toy.relation, &key, order, &proof).unwrap_err();
                        assert!(
                            matches!(error, FoldingError::Unsatisfied(_)),
                            "chunk {place}, part {part}, cell {cell}, {order:?}: {error}"
                        );
                    }
                }
            }
        }
    }

    /// An honest witness under another commitment folds into an accumulator that does not open.
    #[test]
    fn a_wrong_commitment_is_rejected_in_both_orders() {
        let (toy, key, chunks) = setup(4);
        for (part, vector) in PART_NAMES.into_iter().enumerate() {
            for order in Order::ALL {
                let mut chunks = chunks.clone();
                chunks[2].0.parts[part] = key.points()[0];
                let proof = fold(&toy.relation, &key, order, &chunks);
                assert_eq!(
                    check_table(&toy.relation, &key, order, &proof),
                    Err(FoldingError::Opening { vector })
                );
            }
        }
    }

    /// Every field of a proof, changed on its own.
    #[test]
    fn every_change_of_a_proof_is_rejected() {
        let (toy, key, chunks) = setup(3);
        let one = Fr::from(1);
        let point = key.points()[1];
        for order in Order::ALL {
            let proof = fold(&toy.relation, &key, order, &chunks);
            let verdict = |relation: &Relation, change: &dyn Fn(&mut TableProof)| {
                let mut proof = proof.clone();
                change(&mut proof);
                check_table(relation, &key, order, &proof)
            };
            let rejects = |change: &dyn Fn(&mut TableProof), expected: &FoldingError| {
                assert_eq!(verdict(&toy.relation, change).as_ref(), Err(expected));
            };
            assert_eq!(verdict(&toy.relation, &|_| ()), Ok(()));
            let field = |field| FoldingError::Accumulator { field };
            rejects(&|p| p.accumulator.u += one, &field("u"));
            rejects(&|p| p.accumulator.x[1] += one, &field("x"));
            rejects(&|p| p.accumulator.error = point, &field("error"));
            for (part, name) in PART_NAMES.into_iter().enumerate() {
                rejects(&|p| p.accumulator.parts[part] = point, &field(name));
                // The folding challenge changes, and with it everything.
                rejects(&|p| p.instances[1].parts[part] = point, &field("u"));
                rejects(&|p| p.instances[0].x[0] += one, &field("u"));
                for cell in 0..toy.relation.layout.part_len(part) {
                    let error = verdict(&toy.relation, &|p| p.witness.parts[part][cell] += one)
                        .unwrap_err();
                    assert!(
                        matches!(error, FoldingError::Unsatisfied(_)),
                        "{name} {cell}: {error}"
                    );
                }
                rejects(
                    &|p| p.witness.parts[part].truncate(toy.relation.layout.part_len(part) - 1),
                    &FoldingError::Unsatisfied(Unsatisfied::Length {
                        vector: name,
                        found: toy.relation.layout.part_len(part) - 1,
                        expected: toy.relation.layout.part_len(part),
                    }),
                );
            }
            for constraint in 0..toy.relation.num_constraints() {
                rejects(
                    &|p| p.witness.error[constraint] += one,
                    &FoldingError::Unsatisfied(Unsatisfied::Quadratic { constraint }),
                );
            }
            rejects(
                &|p| p.witness.error.push(Fr::from(0)),
                &FoldingError::Unsatisfied(Unsatisfied::Length {
                    vector: "error",
                    found: toy.relation.num_constraints() + 1,
                    expected: toy.relation.num_constraints(),
                }),
            );
            for i in 0..2 {
                let error = verdict(&toy.relation, &|p| p.cross_terms[i] = point).unwrap_err();
                assert!(matches!(error, FoldingError::Accumulator { .. }), "{error}");
            }
            rejects(&|p| p.cross_terms.swap(0, 1), &field("u"));
            rejects(&|p| p.instances.swap(0, 1), &field("u"));
            let counts = |found, expected| FoldingError::NumCrossTerms { found, expected };
            rejects(&|p| p.cross_terms.truncate(1), &counts(1, 2));
            rejects(&|p| p.cross_terms.push(point), &counts(3, 2));
            rejects(&|p| p.instances.truncate(2), &counts(2, 1));
            rejects(&|p| p.instances.push(p.instances[0].clone()), &counts(2, 3));
            rejects(&|p| p.instances.clear(), &FoldingError::NoInstances);
            let publics = |instance, found| FoldingError::NumPublic {
                instance,
                found,
                expected: 2,
            };
            rejects(&|p| p.instances[1].x.push(one), &publics(1, 3));
            rejects(&|p| p.accumulator.x.truncate(1), &publics(3, 1));
            // Other lookup challenges are another relation, as is another size.
            for other in [Toy::new(2, (1 << 40) + 1, 1 << 50), Toy::new(2, 1 << 40, 7)] {
                assert_eq!(verdict(&other.relation, &|_| ()), Err(field("u")));
            }
            // Three chunks: the same folds in both orders. A fourth tells them apart.
        }
        let (toy, key, chunks) = setup(4);
        let [sequential, tree] = Order::ALL.map(|order| fold(&toy.relation, &key, order, &chunks));
        check_table(&toy.relation, &key, Order::Tree, &sequential).unwrap_err();
        check_table(&toy.relation, &key, Order::Sequential, &tree).unwrap_err();
    }

    #[test]
    fn accumulators_of_other_relations_are_not_folded() {
        let (toy, key, chunks) = setup(1);
        let options = KeyOptions {
            budget: 1 << 30,
            expected_len: key.len(),
        };
        let bases = Cpu.upload_key(key.points(), options).unwrap();
        let leaf = |toy: &Toy| {
            let nifs = Nifs::new(&Cpu, &bases, &toy.relation).unwrap();
            let (instance, chunk) = chunks[0].clone();
            let [known, main, lookup] = chunk.parts();
            let parts = [(0, known), (1, main), (2, lookup)];
            let parts = parts.map(|(part, scalars)| nifs.upload(part, scalars).unwrap());
            nifs.fresh(instance, parts).unwrap()
        };
        let other = Toy::new(2, 3, 4);
        let nifs = Nifs::new(&Cpu, &bases, &toy.relation).unwrap();
        nifs.fold(vec![[leaf(&toy), leaf(&toy)]]).unwrap();
        for pair in [[leaf(&toy), leaf(&other)], [leaf(&other), leaf(&toy)]] {
            let error = nifs.fold(vec![pair]).err().unwrap().to_string();
            assert!(error.contains("of relation"), "{error}");
        }
        // Lengths that are not the relation's.
        let short = nifs.upload(MAIN, Scalars::Small(&[1])).err().unwrap();
        assert!(short.to_string().contains("main part"), "{short}");
        let (mut instance, chunk) = chunks[0].clone();
        instance.x.push(Fr::from(0));
        let [known, main, lookup] = chunk.parts();
        let parts = [(0, known), (1, main), (2, lookup)];
        let parts = parts.map(|(part, scalars)| nifs.upload(part, scalars).unwrap());
        let error = nifs.fresh(instance, parts).err().unwrap().to_string();
        assert!(error.contains("public values"), "{error}");
    }
}
