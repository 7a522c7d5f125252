//! Proofs with one field changed, or one list made longer, shorter or uneven: every one is refused,
//! as it lies in memory and as it is sent.

mod common;
mod proofs;

use p3_field::PrimeCharacteristicRing;
use p3_lookup::LookupTerminal;
use p3_symmetric::MerkleCap;
use proofs::target::{Table, Target};
use proofs::third_party::{Proof, Quartic, Val};
use proofs::{ALL_PARTS, CHEAP};
use rewit::stark::Argument;

type Argued = Proof<Quartic>;
type Change = Box<dyn Fn(&mut Argued)>;
type Cap = MerkleCap<Val, [u8; 32]>;
type ChangeCap = fn(&Cap, usize) -> Cap;

fn bump(cap: &Cap, i: usize) -> Cap {
    let mut roots = cap.roots().to_vec();
    let at = i % roots.len();
    roots[at][i % 32] ^= 1;
    MerkleCap::new(roots)
}

/// Doubles a cap: a tree one layer deeper, whose first half is the true one.
fn double(cap: &Cap) -> Cap {
    MerkleCap::new([cap.roots(), cap.roots()].concat())
}

fn halve(cap: &Cap) -> Cap {
    let roots = cap.roots();
    MerkleCap::new(roots[..roots.len().div_ceil(2)].to_vec())
}

/// Lists that a change makes longer, shorter, empty or uneven.
fn lists<T: Clone>(list: &mut Vec<T>, way: usize) {
    match way {
        0 => list.clear(),
        1 => {
            list.pop();
        }
        2 => {
            let last = list.last().cloned();
            list.extend(last);
        }
        3 => list.extend(list.clone()),
        _ => list.rotate_left(1),
    }
}

const NUM_WAYS: usize = 5;

/// Changes of each field of an argument: values, and lengths of lists in five ways.
fn changes() -> Vec<(String, Change)> {
    let mut all: Vec<(String, Change)> = Vec::new();
    let mut add = |name: &str, change: Change| all.push((name.to_owned(), change));

    let caps: [(&str, ChangeCap); 3] = [
        ("bit", bump),
        ("doubled", |cap, _| double(cap)),
        ("halved", |cap, _| halve(cap)),
    ];
    for (how, change) in caps {
        for i in 0..3 {
            add(
                &format!("main commitment, {how}"),
                Box::new(move |p| p.commitments.main = change(&p.commitments.main, i)),
            );
            add(
                &format!("permutation commitment, {how}"),
                Box::new(move |p| {
                    let cap = p.commitments.permutation.as_ref().unwrap();
                    p.commitments.permutation = Some(change(cap, i));
                }),
            );
            add(
                &format!("quotient commitment, {how}"),
                Box::new(move |p| {
                    p.commitments.quotient_chunks = change(&p.commitments.quotient_chunks, i);
                }),
            );
            add(
                &format!("fri commitments, {how}"),
                Box::new(move |p| {
                    let caps = &mut p.opening_proof.commit_phase_commits;
                    let at = i % caps.len();
                    caps[at] = change(&caps[at], i);
                }),
            );
        }
    }
    add(
        "permutation commitment, none",
        Box::new(|p| p.commitments.permutation = None),
    );
    add(
        "hiding commitment, some",
        Box::new(|p| p.commitments.random = Some(p.commitments.main.clone())),
    );

    for table in 0..5 {
        for i in 0..3 {
            let nth = move |row: &mut [Quartic]| {
                let at = (i * row.len() / 3).min(row.len() - 1);
                row[at] += Quartic::ONE;
            };
            add(
                "opened row, value",
                Box::new(move |p| {
                    nth(&mut p.opened_values.instances[table]
                        .base_opened_values
                        .trace_local);
                }),
            );
            add(
                "opened next row, value",
                Box::new(move |p| {
                    let values = &mut p.opened_values.instances[table].base_opened_values;
                    match &mut values.trace_next {
                        Some(row) => nth(row),
                        none => *none = Some(values.trace_local.clone()),
                    }
                }),
            );
            add(
                "opened fixed row, value",
                Box::new(move |p| {
                    let values = &mut p.opened_values.instances[table].base_opened_values;
                    match &mut values.preprocessed {
                        Some(fixed) => nth(&mut fixed.local),
                        None => {
                            let local = values.trace_local.clone();
                            let next = None;
                            values.preprocessed =
                                Some(p3_uni_stark::PreprocessedOpenedValues { local, next });
                        }
                    }
                }),
            );
            add(
                "opened quotient, value",
                Box::new(move |p| {
                    let values = &mut p.opened_values.instances[table].base_opened_values;
                    let at = i % values.quotient_chunks.len();
                    nth(&mut values.quotient_chunks[at]);
                }),
            );
            add(
                "opened lookup row, value",
                Box::new(move |p| nth(&mut p.opened_values.instances[table].permutation_local)),
            );
            add(
                "opened next lookup row, value",
                Box::new(move |p| nth(&mut p.opened_values.instances[table].permutation_next)),
            );
        }
        for way in 0..NUM_WAYS {
            add(
                "opened row, list",
                Box::new(move |p| {
                    let values = &mut p.opened_values.instances[table].base_opened_values;
                    lists(&mut values.trace_local, way);
                }),
            );
            add(
                "opened next row, list",
                Box::new(move |p| {
                    let values = &mut p.opened_values.instances[table].base_opened_values;
                    match &mut values.trace_next {
                        Some(row) => lists(row, way),
                        none => *none = Some(vec![Quartic::ONE; way]),
                    }
                }),
            );
            add(
                "opened fixed row, list",
                Box::new(move |p| {
                    let values = &mut p.opened_values.instances[table].base_opened_values;
                    match &mut values.preprocessed {
                        Some(fixed) => lists(&mut fixed.local, way),
                        None => {
                            let (local, next) = (vec![Quartic::ONE; way], None);
                            values.preprocessed =
                                Some(p3_uni_stark::PreprocessedOpenedValues { local, next });
                        }
                    }
                }),
            );
            add(
                "opened next fixed row, list",
                Box::new(move |p| {
                    let values = &mut p.opened_values.instances[table].base_opened_values;
                    let next = Some(vec![Quartic::ONE; way]);
                    match &mut values.preprocessed {
                        Some(fixed) => fixed.next = next,
                        none => {
                            let local = vec![Quartic::ONE; way];
                            *none = Some(p3_uni_stark::PreprocessedOpenedValues { local, next });
                        }
                    }
                }),
            );
            add(
                "opened quotient, list",
                Box::new(move |p| {
                    let values = &mut p.opened_values.instances[table].base_opened_values;
                    lists(&mut values.quotient_chunks, way);
                }),
            );
            add(
                "opened quotient, list",
                Box::new(move |p| {
                    let values = &mut p.opened_values.instances[table].base_opened_values;
                    lists(&mut values.quotient_chunks[0], way);
                }),
            );
            add(
                "opened hiding row, list",
                Box::new(move |p| {
                    let values = &mut p.opened_values.instances[table].base_opened_values;
                    values.random = Some(vec![Quartic::ONE; way]);
                }),
            );
            add(
                "opened lookup row, list",
                Box::new(move |p| {
                    lists(&mut p.opened_values.instances[table].permutation_local, way);
                }),
            );
            add(
                "opened next lookup row, list",
                Box::new(move |p| {
                    lists(&mut p.opened_values.instances[table].permutation_next, way);
                }),
            );
        }
        add(
            "opened fixed row, none",
            Box::new(move |p| {
                let values = &mut p.opened_values.instances[table].base_opened_values;
                values.preprocessed = match values.preprocessed.take() {
                    Some(_) => None,
                    None => Some(p3_uni_stark::PreprocessedOpenedValues {
                        local: Vec::new(),
                        next: None,
                    }),
                };
            }),
        );
        add(
            "opened next row, none",
            Box::new(move |p| {
                let values = &mut p.opened_values.instances[table].base_opened_values;
                values.trace_next = match values.trace_next.take() {
                    Some(_) => None,
                    None => Some(Vec::new()),
                };
            }),
        );
        add(
            "lookup terminal, value",
            Box::new(move |p| p.lookup_terminals[table].as_mut().unwrap().0 += Quartic::ONE),
        );
        // The sum stays zero.
        add(
            "lookup terminals, moved",
            Box::new(move |p| {
                p.lookup_terminals[table].as_mut().unwrap().0 += Quartic::ONE;
                p.lookup_terminals[(table + 1) % 5].as_mut().unwrap().0 -= Quartic::ONE;
            }),
        );
        add(
            "lookup terminal, none",
            Box::new(move |p| p.lookup_terminals[table] = None),
        );
        for bits in [0, 1, 7, 27, 28, 31, 32, 63, 64, usize::MAX] {
            add(
                "table height",
                Box::new(move |p| p.degree_bits[table] = bits),
            );
        }
        for step in [1, usize::MAX] {
            add(
                "table height",
                Box::new(move |p| p.degree_bits[table] = p.degree_bits[table].wrapping_add(step)),
            );
        }
    }
    for way in 0..4 {
        add(
            "tables opened, list",
            Box::new(move |p| {
                let instances = &mut p.opened_values.instances;
                match way {
                    0 => instances.clear(),
                    1 => {
                        instances.pop();
                    }
                    2 => instances.swap(0, 1),
                    _ => instances.reverse(),
                }
            }),
        );
        add(
            "table heights, list",
            Box::new(move |p| lists(&mut p.degree_bits, way)),
        );
        add(
            "lookup terminals, list",
            Box::new(move |p| lists(&mut p.lookup_terminals, way)),
        );
    }
    add(
        "lookup terminals, all zero",
        Box::new(|p| {
            for terminal in &mut p.lookup_terminals {
                *terminal = Some(LookupTerminal(Quartic::ZERO));
            }
        }),
    );
    fri_changes(&mut all);
    all
}

fn fri_changes(all: &mut Vec<(String, Change)>) {
    let mut add = |name: &str, change: Change| all.push((name.to_owned(), change));
    // A nonce that works is found by trying: one more and many more are both wrong.
    for step in [1, 77] {
        let step = Val::from_u32(step);
        add(
            "nonce: lookups",
            Box::new(move |p| *p.lookup_pow_witness.as_mut().unwrap() += step),
        );
        add(
            "nonce: out of domain",
            Box::new(move |p| p.ood_pow_witness += step),
        );
        add(
            "nonce: batch",
            Box::new(move |p| p.opening_proof.batch_pow_witness += step),
        );
        add(
            "nonces: commit",
            Box::new(move |p| p.opening_proof.commit_pow_witnesses[0] += step),
        );
        add(
            "nonce: query",
            Box::new(move |p| p.opening_proof.query_pow_witness += step),
        );
    }
    add(
        "nonce: lookups, none",
        Box::new(|p| p.lookup_pow_witness = None),
    );
    for way in 0..NUM_WAYS {
        add(
            "nonces: commit, list",
            Box::new(move |p| match way {
                // All may be zero: turning them round would change nothing.
                4 => p.opening_proof.commit_pow_witnesses.push(Val::ZERO),
                way => lists(&mut p.opening_proof.commit_pow_witnesses, way),
            }),
        );
        add(
            "fri commitments, list",
            Box::new(move |p| lists(&mut p.opening_proof.commit_phase_commits, way)),
        );
        add(
            "final polynomial, list",
            Box::new(move |p| lists(&mut p.opening_proof.final_poly, way)),
        );
        for batch in 0..4 {
            add(
                "input rows, queries",
                Box::new(move |p| {
                    lists(
                        &mut p.opening_proof.input_openings[batch].opened_values,
                        way,
                    );
                }),
            );
            add(
                "input rows, tables",
                Box::new(move |p| {
                    let queries = &mut p.opening_proof.input_openings[batch].opened_values;
                    lists(queries.last_mut().unwrap(), way);
                }),
            );
            add(
                "input rows, row",
                Box::new(move |p| {
                    let queries = &mut p.opening_proof.input_openings[batch].opened_values;
                    // The program's row has one cell: a longer list cannot be turned round.
                    let rows = queries.last_mut().unwrap();
                    lists(rows.iter_mut().max_by_key(|row| row.len()).unwrap(), way);
                }),
            );
            add(
                "input paths, list",
                Box::new(move |p| {
                    let opening = &mut p.opening_proof.input_openings[batch];
                    lists(&mut opening.opening_proof.sibling_hashes, way);
                }),
            );
        }
        add(
            "fri siblings, queries",
            Box::new(move |p| {
                lists(
                    &mut p.opening_proof.commit_phase_openings[0].sibling_values,
                    way,
                );
            }),
        );
        add(
            "fri siblings, group",
            Box::new(move |p| {
                lists(
                    &mut p.opening_proof.commit_phase_openings[1].sibling_values[1],
                    way,
                );
            }),
        );
        add(
            "fri paths, list",
            Box::new(move |p| {
                let opening = &mut p.opening_proof.commit_phase_openings[0].opening_proof;
                lists(&mut opening.sibling_hashes, way);
            }),
        );
        add(
            "fri openings, list",
            Box::new(move |p| lists(&mut p.opening_proof.commit_phase_openings, way)),
        );
        add(
            "input openings, list",
            Box::new(move |p| lists(&mut p.opening_proof.input_openings, way)),
        );
    }
    for i in 0..4 {
        add(
            "input rows, value",
            Box::new(move |p| {
                let queries = &mut p.opening_proof.input_openings[i].opened_values;
                let query = i % queries.len();
                let row = &mut queries[query][i % 2];
                let at = row.len() / 2;
                row[at] += Val::ONE;
            }),
        );
        add(
            "input rows, moved",
            Box::new(move |p| {
                // A cell moves from one row to the next: what is hashed stays the same.
                let rows = &mut p.opening_proof.input_openings[i].opened_values[0];
                let cell = rows[0].pop().unwrap();
                rows[1].insert(0, cell);
            }),
        );
        add(
            "input paths, digest",
            Box::new(move |p| {
                let hashes = &mut p.opening_proof.input_openings[i]
                    .opening_proof
                    .sibling_hashes;
                let at = i * (hashes.len() - 1) / 3;
                hashes[at][i] ^= 1;
            }),
        );
        add(
            "fri siblings, value",
            Box::new(move |p| {
                let rounds = &mut p.opening_proof.commit_phase_openings;
                let round = i % rounds.len();
                let siblings = &mut rounds[round].sibling_values;
                siblings[i % 3][0] += Quartic::ONE;
            }),
        );
        add(
            "fri paths, digest",
            Box::new(move |p| {
                let rounds = &mut p.opening_proof.commit_phase_openings;
                let round = i % rounds.len();
                rounds[round].opening_proof.sibling_hashes[0][i] ^= 1;
            }),
        );
        add(
            "final polynomial, value",
            Box::new(move |p| p.opening_proof.final_poly[i] += Quartic::ONE),
        );
    }
}

/// Every field that can be reached is changed, in memory: shapes that no encoding has come to the
/// verifier too.
#[test]
fn changed_fields() {
    for params in [ALL_PARTS, CHEAP] {
        let target = Target::new(params);
        let mut table = Table::default();
        let mut unchanged = 0;
        for (name, change) in changes() {
            let mut proof = target.proof();
            let Argument::Quartic(argument) = &mut proof.argument else {
                panic!("the parameters say degree 4");
            };
            change(argument);
            let outcome = target.verify(&proof);
            let bytes = proof.encode();
            if bytes == target.bytes {
                // A list of one cannot be turned round, and a cap of one not be halved.
                assert_eq!(outcome, Ok(()), "{name}");
                unchanged += 1;
                continue;
            }
            table.add(&name, outcome);
            table.add(&format!("{name}, sent"), target.outcome(&bytes));
        }
        println!("{unchanged} changes changed nothing");
        assert!(unchanged < 60, "{unchanged}");
        println!("{params:?}:");
        table.print();
        table.expect_all_refused();
        assert!(table.num_parts() > 80, "{}", table.num_parts());
    }
}
