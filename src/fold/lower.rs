//! From polynomials of any degree to gates of one product each.
//!
//! Three steps, each sharing by structure. Terms of a constraint that differ in one factor become one. Products beyond what
//! a constraint may keep become variables of their own, the pair that most constraints share first. Then constraints that
//! have one product left are gathered by factor: `f·g_0 + l_0 = 0, f·g_1 + l_1 = 0, …` become the one gate
//! `f·Σ β^i·g_i + Σ β^i·l_i = 0`, where β is a challenge drawn after everything in them is committed to. A product variable's
//! definition is such a constraint as well, so it costs a gate only where no other shares a factor with it.

use std::collections::BTreeMap;

use super::collect::{Collected, Domain};
use super::expr::{Atom, Expr, Factors, Form, atom, combine, primitive};

/// Constraints with a common factor: `left · right_i + rest_i = 0` for every i, as one product.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Gate {
    pub(super) left: Form,
    /// `right_i` and `rest_i`; the latter has no products.
    pub(super) parts: Vec<(Form, Expr)>,
}

/// Constraints on the same rows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Gates {
    pub(super) gates: Vec<Gate>,
    /// Those without a product.
    pub(super) linear: Vec<Expr>,
}

/// A message whose fields and count have no products.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Lookup {
    pub(super) bus: String,
    pub(super) fields: Vec<Expr>,
    pub(super) count: Expr,
}

/// A table's constraints in terms of a chunk of its rows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Lowered {
    /// `Product(k)` is the product of the k-th two forms in every row. None reads the next row.
    pub(super) products: Vec<[Form; 2]>,
    /// What a chunk knows of the row after its last: `Single(k)` is the k-th form, over cells of that row.
    pub(super) handed: Vec<Form>,
    /// Products in the first row: the singles that follow those handed over.
    pub(super) first_products: Vec<[Form; 2]>,
    /// Products in the last row: the singles that follow.
    pub(super) last_products: Vec<[Form; 2]>,
    /// In every row.
    pub(super) every: Gates,
    /// In every row of the chunk but its last.
    pub(super) transition: Gates,
    /// In the chunk's first row.
    pub(super) first: Gates,
    /// In the chunk's last row.
    pub(super) last: Gates,
    /// One for every message of a row.
    pub(super) lookups: Vec<Lookup>,
}

impl Lowered {
    /// Number of variables that a chunk has once.
    pub(super) fn num_singles(&self) -> usize {
        self.handed.len() + self.first_products.len() + self.last_products.len()
    }
}

/// Lowers the constraints and messages of a table.
pub(super) fn lower(collected: &Collected) -> Lowered {
    let of = |domain: Domain| -> Vec<Expr> {
        let of = collected.constraints.iter().filter(|(d, _)| *d == domain);
        of.map(|(_, constraint)| constraint.clone()).collect()
    };
    let [every, transition, mut first, mut last] = [
        Domain::Every,
        Domain::Transition,
        Domain::First,
        Domain::Last,
    ]
    .map(of);
    let (num_every, num_transition) = (every.len(), transition.len());

    // Every row: constraints keep one product, or one with the next row; counts and fields none.
    let mut exprs: Vec<Expr> = every.into_iter().chain(transition).collect();
    for message in &collected.messages {
        exprs.extend(message.fields.iter().cloned());
        exprs.push(message.count.clone());
    }
    let keeps = |i: usize, factors: &Factors| {
        i < num_every || (i < num_every + num_transition && reads_next(factors))
    };
    let num_constraints = num_every + num_transition;
    let constraints = exprs[..num_constraints].iter_mut();
    let conditions: Vec<Option<Form>> = constraints.map(condition).collect();
    let has_condition = |i: usize| conditions.get(i).is_some_and(Option::is_some);
    let keeps = |i: usize, factors: &Factors| !has_condition(i) && keeps(i, factors);
    let mut products = Reducer::new(Atom::Product, 0);
    products.reduce(&mut exprs, keeps);
    for (expr, condition) in exprs.iter_mut().zip(&conditions) {
        if let Some(condition) = condition {
            *expr *= Expr::linear(condition.clone());
        }
    }

    // What later steps rely on; a constraint that broke one of these would be lost without a word.
    let pairs = products.pairs.iter().flatten();
    assert!(
        pairs.flatten().all(|(atom, _)| is_of_a_row(*atom)),
        "a product is of this row's cells"
    );
    let mut rest = exprs.split_off(num_constraints).into_iter();
    assert!(
        rest.as_slice().iter().all(|expr| expr.products.is_empty()),
        "fields and counts of messages are linear"
    );
    let transition = exprs.split_off(num_every);
    let mut every = exprs;
    every.extend(products.definitions());
    let of_a_row = |expr: &Expr| expr.forms().flatten().all(|(atom, _)| is_of_a_row(*atom));
    assert!(
        every.iter().chain(rest.as_slice()).all(of_a_row),
        "what holds in every row reads that row"
    );
    let lookups = collected.messages.iter().map(|message| Lookup {
        bus: message.bus.clone(),
        fields: rest.by_ref().take(message.fields.len()).collect(),
        count: rest.next().expect("a count follows the fields"),
    });
    let lookups = lookups.collect();

    // Ends of the chunk: a flag of the instance decides whether the constraint is about this chunk.
    let handed = handed_over(&transition);
    let once = |constraint: &Expr, flag: Expr| constraint.clone() * flag;
    for constraint in first.iter_mut().chain(&mut last) {
        products.substitute(constraint);
    }
    for constraint in &mut first {
        *constraint = once(constraint, Atom::First.into());
    }
    for constraint in &mut last {
        *constraint = once(constraint, Atom::Last.into());
    }
    let goes_on = Expr::constant(1) - Atom::Last;
    last.extend(transition.iter().map(|constraint| {
        let copied = on_copies(constraint, &handed);
        once(&copied, goes_on.clone())
    }));
    let mut singles = handed.len();
    let mut once = |mut exprs: Vec<Expr>| {
        let mut products = Reducer::new(Atom::Single, singles);
        products.reduce(&mut exprs, |_, _| true);
        exprs.extend(products.definitions());
        singles += products.pairs.len();
        (products.pairs, gather(exprs))
    };
    let (first_products, first) = once(first);
    let (last_products, last) = once(last);
    Lowered {
        products: products.pairs,
        handed,
        first_products,
        last_products,
        every: gather(every),
        transition: gather(transition),
        first,
        last,
        lookups,
    }
}

/// Whether every row has this, its chunk's last included.
fn is_of_a_row(atom: Atom) -> bool {
    matches!(
        atom,
        Atom::Cell(_) | Atom::Fixed(_) | Atom::Product(_) | Atom::Public(_)
    )
}

fn reads_next(factors: &Factors) -> bool {
    let atoms = factors.iter().flatten();
    atoms
        .into_iter()
        .any(|(atom, _)| matches!(atom, Atom::Next(_)))
}

/// Makes variables of products until constraints have no more than they may keep.
struct Reducer {
    pairs: Vec<[Form; 2]>,
    variable: fn(u32) -> Atom,
    first: usize,
}

impl Reducer {
    fn new(variable: fn(u32) -> Atom, first: usize) -> Self {
        Self {
            pairs: Vec::new(),
            variable,
            first,
        }
    }

    fn atom(&self, pair: usize) -> Atom {
        (self.variable)((self.first + pair) as u32)
    }

    /// Leaves every expression at most one product, of two factors, and only one for which `keeps` holds.
    fn reduce(&mut self, exprs: &mut [Expr], keeps: impl Fn(usize, &Factors) -> bool) {
        exprs.iter_mut().for_each(merge);
        let flags: Vec<Form> = exprs.iter().filter_map(squared).collect();
        loop {
            let mut uses: BTreeMap<[Form; 2], usize> = BTreeMap::new();
            let mut highest = 0;
            for (i, expr) in exprs.iter().enumerate() {
                let alone = expr.products.len() == 1;
                for (_, factors) in &expr.products {
                    let degree = factors.len();
                    if degree == 2 && alone && keeps(i, factors) {
                        continue;
                    }
                    // Cubic terms first: what they leave may merge.
                    if degree > highest {
                        highest = degree;
                        uses.clear();
                    }
                    if degree == highest {
                        for pair in pairs(factors) {
                            *uses.entry(pair).or_default() += 1;
                        }
                    }
                }
            }
            let is_flag = |form: &Form| usize::from(flags.contains(form));
            let best = uses.into_iter().max_by_key(|([a, b], count)| {
                let size = a.len() + b.len();
                let next = a.iter().chain(b).any(|(a, _)| matches!(a, Atom::Next(_)));
                (
                    !next,
                    *count,
                    is_flag(a) + is_flag(b),
                    std::cmp::Reverse(size),
                )
            });
            let Some((pair, _)) = best else {
                return;
            };
            let variable = self.atom(self.pairs.len());
            assert!(
                !reads_next(&pair.to_vec()),
                "a product that reads the next row"
            );
            for expr in exprs.iter_mut() {
                replace(expr, &pair, variable);
                merge(expr);
            }
            self.pairs.push(pair);
        }
    }

    /// Puts the variables where their products stand.
    fn substitute(&self, expr: &mut Expr) {
        merge(expr);
        for (i, pair) in self.pairs.iter().enumerate() {
            replace(expr, pair, self.atom(i));
        }
    }

    /// What defines the variables.
    fn definitions(&self) -> Vec<Expr> {
        let define = |(i, [a, b]): (usize, &[Form; 2])| {
            let mut definition = Expr::linear(vec![(self.atom(i), -1)]);
            definition.push(1, vec![a.clone(), b.clone()]);
            definition
        };
        self.pairs.iter().enumerate().map(define).collect()
    }
}

/// The form whose square a constraint has as its only product.
fn squared(expr: &Expr) -> Option<Form> {
    match &expr.products[..] {
        [(_, factors)] if factors.len() == 2 && factors[0] == factors[1] => {
            Some(factors[0].clone())
        }
        _ => None,
    }
}

/// The different pairs of factors of a product.
fn pairs(factors: &Factors) -> Vec<[Form; 2]> {
    let mut pairs = Vec::new();
    for (i, a) in factors.iter().enumerate() {
        for b in &factors[i + 1..] {
            pairs.push([a.clone(), b.clone()]);
        }
    }
    pairs.dedup();
    pairs
}

/// Replaces a product of two factors by a variable wherever it stands.
fn replace(expr: &mut Expr, [a, b]: &[Form; 2], variable: Atom) {
    let mut replaced = Expr {
        constant: expr.constant,
        linear: std::mem::take(&mut expr.linear),
        products: Vec::new(),
    };
    for (coefficient, mut factors) in std::mem::take(&mut expr.products) {
        let first = factors.iter().position(|f| f == a);
        let second = factors.iter().rposition(|f| f == b);
        if let (Some(first), Some(second)) = (first, second)
            && first != second
        {
            factors.remove(first.max(second));
            factors.remove(first.min(second));
            factors.push(atom(variable));
        }
        replaced.push(coefficient, factors);
    }
    *expr = replaced;
}

/// Divides a constraint of several products by the factor that all of its terms have, if there is one: what is left is linear
/// once its products are variables, and other constraints may share those.
fn condition(expr: &mut Expr) -> Option<Form> {
    merge(expr);
    if expr.products.len() < 2 || expr.constant != 0 {
        return None;
    }
    let (_, factors) = &expr.products[0];
    let condition = factors.iter().find(|factor| {
        let linear = expr.linear.is_empty() || primitive(expr.linear.clone()).1 == **factor;
        linear
            && expr
                .products
                .iter()
                .all(|(_, factors)| factors.contains(factor))
    })?;
    let condition = condition.clone();
    let mut quotient = Expr::default();
    if !expr.linear.is_empty() {
        quotient.constant = primitive(expr.linear.clone()).0;
    }
    for (coefficient, mut factors) in std::mem::take(&mut expr.products) {
        let at = factors.iter().position(|factor| *factor == condition);
        factors.remove(at.expect("every product has the factor"));
        quotient.push(coefficient, factors);
    }
    *expr = quotient;
    Some(condition)
}

/// Makes one product of those that differ in one factor: `x·y·a + x·y·b = x·y·(a + b)`.
fn merge(expr: &mut Expr) {
    loop {
        // All but one factor of each product, with the products that have them.
        let mut commons: BTreeMap<Factors, Vec<(usize, usize)>> = BTreeMap::new();
        for (product, (_, factors)) in expr.products.iter().enumerate() {
            for left_out in 0..factors.len() {
                let mut common = factors.clone();
                common.remove(left_out);
                let with = commons.entry(common).or_default();
                if with.last().is_none_or(|(last, _)| *last != product) {
                    with.push((product, left_out));
                }
            }
        }
        let best = commons.into_iter().max_by_key(|(_, with)| with.len());
        let Some((mut common, with)) = best.filter(|(_, with)| with.len() > 1) else {
            return;
        };
        let mut sum = Form::new();
        for (product, left_out) in &with {
            let (coefficient, factors) = &expr.products[*product];
            sum = combine(&sum, 1, &factors[*left_out], *coefficient);
        }
        for (product, _) in with.iter().rev() {
            expr.products.remove(*product);
        }
        if !sum.is_empty() {
            let (scale, form) = primitive(sum);
            common.push(form);
            expr.push(scale, common);
        }
    }
}

/// Gathers constraints of at most one product by a common factor, with as few factors as a greedy choice needs.
fn gather(constraints: Vec<Expr>) -> Gates {
    let mut gathered = Gates::default();
    let mut quadratic = Vec::new();
    for constraint in constraints {
        match constraint.products.len() {
            0 if constraint == Expr::default() => {}
            0 => gathered.linear.push(constraint),
            _ => quadratic.push(constraint),
        }
    }
    let factors = |constraint: &Expr| constraint.products[0].1.clone();
    // A square leaves no choice.
    let mut chosen: Vec<Form> = Vec::new();
    for form in quadratic.iter().filter_map(squared) {
        if !chosen.contains(&form) {
            chosen.push(form);
        }
    }
    loop {
        let mut uses: BTreeMap<Form, usize> = BTreeMap::new();
        for constraint in &quadratic {
            let factors = factors(constraint);
            if !factors.iter().any(|factor| chosen.contains(factor)) {
                for factor in factors {
                    *uses.entry(factor).or_default() += 1;
                }
            }
        }
        let best = uses
            .into_iter()
            .max_by_key(|(form, count)| (*count, std::cmp::Reverse(form.len())));
        match best {
            Some((form, _)) => chosen.push(form),
            None => break,
        }
    }
    let gate = |left| Gate {
        left,
        parts: Vec::new(),
    };
    gathered.gates = chosen.into_iter().map(gate).collect();
    for mut constraint in quadratic {
        let (coefficient, factors) = constraint.products.remove(0);
        assert!(
            constraint.products.is_empty() && factors.len() == 2,
            "a constraint keeps one product of two factors"
        );
        let gates = gathered
            .gates
            .iter_mut()
            .filter(|g| factors.contains(&g.left));
        // The longer factor once on the left rather than many times on the right.
        let gate = gates.max_by_key(|g| g.left.len());
        let gate = gate.expect("every constraint has a chosen factor");
        let other = usize::from(factors[0] == gate.left);
        let right = combine(&factors[other], coefficient, &[], 0);
        gate.parts.push((right, constraint));
    }
    gathered
}

/// The sums of a row's cells that constraints on the row above read: cells that are always read in the same proportion are
/// one sum.
fn handed_over(transition: &[Expr]) -> Vec<Form> {
    // What every form makes of a cell; cells with proportional columns go together.
    let mut columns: BTreeMap<u32, Form> = BTreeMap::new();
    for (i, form) in transition.iter().flat_map(Expr::forms).enumerate() {
        for (a, coefficient) in form {
            if let Atom::Next(cell) = a {
                let entry = (Atom::Single(i as u32), *coefficient);
                columns.entry(*cell).or_default().push(entry);
            }
        }
    }
    let mut groups: BTreeMap<Form, Form> = BTreeMap::new();
    for (cell, column) in columns {
        let (scale, column) = primitive(column);
        let group = groups.entry(column).or_default();
        group.push((Atom::Cell(cell), scale));
    }
    let mut groups: Vec<Form> = groups
        .into_values()
        .map(|group| primitive(group).1)
        .collect();
    groups.sort_unstable();
    groups
}

/// A constraint on the last row of a chunk, which reads copies of the next row's sums.
fn on_copies(constraint: &Expr, handed: &[Form]) -> Expr {
    // The first cell of a sum stands for all of it; the others are in proportion.
    let copy = |cell: u32| {
        let of = |group: &Form| group[0].0 == Atom::Cell(cell);
        let at = handed.iter().position(of)?;
        Some((Atom::Single(at as u32), handed[at][0].1))
    };
    constraint.map(|form| {
        let mut copied = Form::new();
        for (a, coefficient) in form {
            let term = match a {
                Atom::Next(cell) => copy(*cell).map(|(a, scale)| (a, coefficient / scale)),
                a => Some((*a, *coefficient)),
            };
            if let Some(term) = term {
                copied = combine(&copied, 1, &[term], 1);
            }
        }
        copied
    })
}

#[cfg(test)]
mod tests;
