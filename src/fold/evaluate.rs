//! A shape's forms on the values of a row: products, and what messages of a row stand for.

use ark_ff::{BigInt, Field};

use super::expr::{Atom, Expr, Form};
use super::lower::Lookup;
use super::shape::{Challenges, INDEX, Shape, fingerprint};
use crate::backend::curve::Fr;

/// A form over slots.
pub(super) type Slots = Vec<(u32, i64)>;

/// A shape, with its forms over the slots of a vector that holds a row.
#[derive(Debug)]
pub(super) struct Evaluator<'a> {
    pub(super) shape: &'a Shape,
    pub(super) num_slots: usize,
    /// Slots of the first public value, the two flags, the chunk's index, and the first single.
    pub(super) public: usize,
    pub(super) flags: usize,
    pub(super) index: usize,
    pub(super) singles: usize,
    /// Slots of the columns of the main part.
    pub(super) columns: Vec<usize>,
    pub(super) handed: Vec<Slots>,
    pub(super) products: Vec<(usize, [Slots; 2])>,
    pub(super) first: Vec<(usize, [Slots; 2])>,
    pub(super) last: Vec<(usize, [Slots; 2])>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(shape: &'a Shape) -> Self {
        let lowered = &shape.lowered;
        let num_cells = shape.width() + shape.num_fixed();
        let public = num_cells + lowered.products.len();
        let flags = public + shape.num_public();
        let index = flags + 2;
        let singles = index + 1;
        let mut evaluator = Self {
            shape,
            num_slots: singles + lowered.num_singles(),
            public,
            flags,
            index,
            singles,
            columns: shape.main_cells(),
            handed: Vec::new(),
            products: Vec::new(),
            first: Vec::new(),
            last: Vec::new(),
        };
        evaluator.columns.extend(num_cells..public);
        let all = |pairs: &[[Form; 2]], from: usize| {
            let pair = |(i, pair): (usize, &[Form; 2])| {
                (from + i, pair.each_ref().map(|form| evaluator.slots(form)))
            };
            pairs.iter().enumerate().map(pair).collect::<Vec<_>>()
        };
        let handed = lowered
            .handed
            .iter()
            .map(|form| evaluator.slots(form))
            .collect();
        let products = all(&lowered.products, num_cells);
        let from = singles + lowered.handed.len();
        let first = all(&lowered.first_products, from);
        let last = all(&lowered.last_products, from + first.len());
        Self {
            handed,
            products,
            first,
            last,
            ..evaluator
        }
    }

    fn slot(&self, atom: Atom) -> usize {
        let num_cells = self.shape.width() + self.shape.num_fixed();
        match atom {
            Atom::Cell(i) => i as usize,
            Atom::Fixed(i) => self.shape.width() + i as usize,
            Atom::Product(i) => num_cells + i as usize,
            Atom::Single(i) => self.singles + i as usize,
            INDEX => self.index,
            Atom::Public(i) => self.public + i as usize,
            Atom::First => self.flags,
            Atom::Last => self.flags + 1,
            Atom::Next(_) | Atom::Transition => {
                unreachable!("only in constraints, not in products")
            }
        }
    }

    fn slots(&self, form: &Form) -> Slots {
        let coefficient = |c: i128| {
            assert!(c.unsigned_abs() < 1 << 40, "coefficients have 40 bits");
            c as i64
        };
        let slot = |(atom, c): &(Atom, i128)| (self.slot(*atom) as u32, coefficient(*c));
        form.iter().map(slot).collect()
    }

    /// Puts products in their slots, in order: later ones may read earlier ones.
    pub(super) fn multiply<N: Number>(
        &self,
        products: &[(usize, [Slots; 2])],
        mut values: Vec<N>,
    ) -> Option<Vec<N>> {
        for (slot, [a, b]) in products {
            values[*slot] = N::form(a, &values)?.product(N::form(b, &values)?)?;
        }
        Some(values)
    }
}

/// A lookup with its challenges.
pub(super) struct Fingerprint {
    pub(super) base: Fr,
    pub(super) fields: Vec<(Slots, Power)>,
    pub(super) count: (Slots, i64),
}

pub(super) struct Messages {
    pub(super) rows: Vec<Fingerprint>,
    pub(super) hand_over: Vec<Fingerprint>,
}

impl Messages {
    pub(super) fn new(evaluator: &Evaluator, challenges: &Challenges) -> Self {
        let shape = evaluator.shape;
        let slots = |expr: &Expr| evaluator.slots(&expr.linear);
        let message = |lookup: &Lookup| {
            let (base, powers) = fingerprint(lookup, challenges);
            let fields = lookup.fields.iter().map(slots).zip(powers);
            let fields = fields.filter(|(field, _)| !field.is_empty());
            let count = i64::try_from(lookup.count.constant).expect("counts are small");
            Fingerprint {
                base,
                fields: fields
                    .map(|(field, power)| (field, Power::new(power)))
                    .collect(),
                count: (slots(&lookup.count), count),
            }
        };
        let hand_over = shape.hand_over();
        Self {
            rows: shape.lowered.lookups.iter().map(message).collect(),
            hand_over: hand_over.iter().map(message).collect(),
        }
    }
}

/// A scalar that integers are multiplied by: itself, and times 2^256, so that an integer need not be brought to Montgomery form.
pub(super) struct Power {
    plain: Fr,
    shifted: Fr,
}

impl Power {
    fn new(plain: Fr) -> Self {
        let shifted = plain * Fr::from(2).pow([256]);
        Self { plain, shifted }
    }
}

/// What rows are evaluated on: integers, or scalars where those overflow.
pub(super) trait Number: Copy + PartialEq + From<i64> {
    /// `Σ coefficient · value`.
    fn form(form: &Slots, values: &[Self]) -> Option<Self>;
    fn plus(self, constant: i64) -> Option<Self>;
    fn product(self, other: Self) -> Option<Self>;
    fn scalar(self) -> Fr;
    fn times(self, power: &Power) -> Fr;
}

impl Number for i64 {
    fn form(form: &Slots, values: &[Self]) -> Option<Self> {
        if let [(slot, 1)] = form[..] {
            return Some(values[slot as usize]);
        }
        // Values have 63 bits and coefficients 40 at most: it would take 2^24 terms to pass the type.
        let terms = form.iter();
        let terms = terms.map(|(slot, c)| i128::from(values[*slot as usize]) * i128::from(*c));
        Self::try_from(terms.sum::<i128>()).ok()
    }

    fn plus(self, constant: i64) -> Option<Self> {
        self.checked_add(constant)
    }

    fn product(self, other: Self) -> Option<Self> {
        self.checked_mul(other)
    }

    fn scalar(self) -> Fr {
        Fr::from(self)
    }

    fn times(self, power: &Power) -> Fr {
        // The integer as it is stands for itself divided by 2^256.
        let product = Fr::new_unchecked(BigInt([self.unsigned_abs(), 0, 0, 0])) * power.shifted;
        if self < 0 { -product } else { product }
    }
}

impl Number for Fr {
    fn form(form: &Slots, values: &[Self]) -> Option<Self> {
        Some(
            form.iter()
                .map(|(slot, c)| values[*slot as usize] * Self::from(*c))
                .sum(),
        )
    }

    fn plus(self, constant: i64) -> Option<Self> {
        Some(self + Self::from(constant))
    }

    fn product(self, other: Self) -> Option<Self> {
        Some(self * other)
    }

    fn scalar(self) -> Fr {
        self
    }

    fn times(self, power: &Power) -> Fr {
        self * power.plain
    }
}
