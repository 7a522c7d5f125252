use super::super::collect::{Message, collect};
use super::*;
use crate::stark::air::TableAir;

fn cell(i: u32) -> Expr {
    Atom::Cell(i).into()
}

fn lowered(domain: Domain, constraints: &[Expr]) -> Lowered {
    let constraints = constraints.iter().map(|c| (domain, c.clone()));
    lower(&Collected {
        constraints: constraints.collect(),
        messages: Vec::new(),
    })
}

/// What a lowered polynomial is with products put back for their variables.
fn expand(expr: &Expr, products: &[[Form; 2]]) -> Expr {
    let mut expanded = Expr::constant(expr.constant);
    let form = |form: &Form| {
        form.iter().fold(Expr::default(), |sum, (a, coefficient)| {
            let value = match a {
                Atom::Product(i) => {
                    let [a, b] = products[*i as usize].each_ref();
                    let [a, b] = [a, b].map(|f| expand(&Expr::linear(f.clone()), products));
                    a * b
                }
                a => Expr::from(*a),
            };
            sum + value * Expr::constant(*coefficient)
        })
    };
    expanded += form(&expr.linear);
    for (coefficient, factors) in &expr.products {
        let product = factors.iter().map(form);
        expanded += product.fold(Expr::constant(*coefficient), |a, b| a * b);
    }
    expanded
}

/// A polynomial as a sum of monomials: each a product of atoms.
fn monomials(expr: &Expr) -> BTreeMap<Vec<Atom>, i128> {
    let mut sum: BTreeMap<Vec<Atom>, i128> = BTreeMap::from([(Vec::new(), expr.constant)]);
    for (a, coefficient) in &expr.linear {
        *sum.entry(vec![*a]).or_default() += coefficient;
    }
    for (coefficient, factors) in &expr.products {
        let mut product = vec![(Vec::new(), *coefficient)];
        for factor in factors {
            product = product
                .iter()
                .flat_map(|(atoms, c): &(Vec<Atom>, i128)| {
                    factor.iter().map(move |(a, d)| {
                        let mut atoms = atoms.clone();
                        atoms.push(*a);
                        (atoms, c * d)
                    })
                })
                .collect();
        }
        for (mut atoms, c) in product {
            atoms.sort_unstable();
            *sum.entry(atoms).or_default() += c;
        }
    }
    sum.retain(|_, coefficient| *coefficient != 0);
    sum
}

/// Nothing is lost: with products put back, every gate and linear constraint is one of the AIR's, and each of those is there.
#[test]
fn every_constraint_is_kept_exactly() {
    for table in TableAir::for_verifier() {
        let collected = collect(&table, None);
        let lowered = lower(&collected);
        for (domain, gates) in [
            (Domain::Every, &lowered.every),
            (Domain::Transition, &lowered.transition),
        ] {
            let of = collected.constraints.iter().filter(|(d, _)| *d == domain);
            let expected = of.map(|(_, constraint)| monomials(constraint));
            let mut expected: Vec<_> = expected.filter(|m| !m.is_empty()).collect();
            let parts = gates.gates.iter().flat_map(|gate| {
                gate.parts.iter().map(|(right, rest)| {
                    let left = Expr::linear(gate.left.clone());
                    left * Expr::linear(right.clone()) + rest.clone()
                })
            });
            let found = parts.chain(gates.linear.iter().cloned());
            let found = found.map(|part| monomials(&expand(&part, &lowered.products)));
            // Definitions of products come to nothing.
            let mut found: Vec<_> = found.filter(|m| !m.is_empty()).collect();
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "{table:?} {domain:?}");
        }
        for (lookup, message) in lowered.lookups.iter().zip(&collected.messages) {
            let expand = |expr: &Expr| monomials(&expand(expr, &lowered.products));
            assert_eq!(expand(&lookup.count), monomials(&message.count));
            for (field, expected) in lookup.fields.iter().zip(&message.fields) {
                assert_eq!(expand(field), monomials(expected));
            }
        }
    }
}

#[test]
fn terms_with_a_common_factor_are_one_product() {
    let (a, b, c) = (cell(0), cell(1), cell(2));
    let constraint = a.clone() * b.clone() + a.clone() * c.clone() - b - c + a;
    let lowered = lowered(Domain::Every, &[constraint]);
    assert_eq!(lowered.products, Vec::<[Form; 2]>::new());
    assert_eq!(lowered.every.gates.len(), 1);
}

#[test]
fn products_are_shared() {
    let (a, b) = (cell(0), cell(1));
    // Two conditions on the same product, with a linear rest each.
    let constraints = [2, 3, 4].map(|i| cell(i) * (a.clone() * b.clone() + cell(5 + i)));
    let lowered = lowered(Domain::Every, &constraints);
    assert_eq!(
        lowered.products,
        [[atom(Atom::Cell(0)), atom(Atom::Cell(1))]]
    );
    assert_eq!(lowered.every.gates.len(), 4);
}

#[test]
fn constraints_on_a_bit_are_one_gate() {
    let bit = cell(0);
    let constraints = [
        bit.clone() * (bit.clone() - Expr::constant(1)),
        bit.clone() * (cell(1) - cell(2)),
        (Expr::constant(1) - bit) * cell(3),
    ];
    let lowered = lowered(Domain::Every, &constraints);
    assert_eq!(lowered.every.gates.len(), 1);
    assert_eq!(lowered.every.gates[0].parts.len(), 3);
}

#[test]
fn cells_read_in_proportion_are_handed_over_as_one() {
    let next = |i: u32| Expr::from(Atom::Next(i));
    let two = Expr::constant(2);
    let constraints = [
        next(0) * two.clone() + next(1) * Expr::constant(4) + next(2) - cell(0),
        cell(1) * (next(0) + next(1) * two),
    ];
    let lowered = lowered(Domain::Transition, &constraints);
    let sum = vec![(Atom::Cell(0), 1), (Atom::Cell(1), 2)];
    assert_eq!(lowered.handed, [sum, atom(Atom::Cell(2))]);
    // On copies, with 1 − last: the flag's product, and no variable of the next row.
    let reads = |gate: &Gate| gate.left.iter().any(|(a, _)| matches!(a, Atom::Next(_)));
    assert!(!lowered.last.gates.iter().any(reads));
    assert!(!lowered.last.gates.is_empty());
}

#[test]
fn counts_of_messages_are_linear() {
    let message = Message {
        bus: "bus".into(),
        fields: vec![cell(0)],
        count: cell(1) * cell(2) - cell(3),
    };
    let lowered = lower(&Collected {
        constraints: Vec::new(),
        messages: vec![message],
    });
    assert_eq!(lowered.products.len(), 1);
    let count = vec![(Atom::Cell(3), -1), (Atom::Product(0), 1)];
    assert_eq!(lowered.lookups[0].count, Expr::linear(count));
}

#[test]
fn no_product_reads_the_next_row() {
    let lowered = lower(&collect(&TableAir::Cpu, None));
    let atoms = lowered.products.iter().flatten().flatten();
    let next = atoms.filter(|(a, _)| matches!(a, Atom::Next(_)));
    assert_eq!(next.count(), 0);
}
