//! Constraints as polynomials with exact integer coefficients.
//!
//! The AIRs are evaluated on [`Expr`]. Nothing is reduced modulo BabyBear's prime on the way, so what comes out are the
//! equations over the integers that `docs/air.md` states, and they hold modulo any prime.

use std::iter::{Product, Sum};
use std::ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use p3_baby_bear::BabyBear;
use p3_field::{Algebra, Dup, PrimeCharacteristicRing, PrimeField32};

/// What a constraint reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Atom {
    /// A column of the table, in this row.
    Cell(u32),
    /// A column of the table, in the next row.
    Next(u32),
    /// A fixed column, in this row.
    Fixed(u32),
    /// A product of two forms, in this row: see [`Lowered::products`](super::lower::Lowered::products).
    Product(u32),
    /// A variable that a chunk has once.
    Single(u32),
    /// A public value of the table.
    Public(u32),
    /// 1 in the first row of the table, else 0.
    First,
    /// 1 in the last row of the table, else 0.
    Last,
    /// 1 in all rows but the last, where it is 0.
    Transition,
}

impl Atom {
    /// Whether this is one of the three that tell rows apart by where they are.
    pub(super) fn is_selector(self) -> bool {
        matches!(self, Self::First | Self::Last | Self::Transition)
    }
}

/// A linear form without constant: atoms ascending, coefficients not zero.
pub(super) type Form = Vec<(Atom, i128)>;

/// The form that is one atom.
pub(super) fn atom(atom: Atom) -> Form {
    vec![(atom, 1)]
}

/// `scale · form + scale2 · other`.
pub(super) fn combine(
    form: &[(Atom, i128)],
    scale: i128,
    other: &[(Atom, i128)],
    scale2: i128,
) -> Form {
    let mut sum: Form = Vec::with_capacity(form.len() + other.len());
    let (mut left, mut right) = (form.iter().peekable(), other.iter().peekable());
    loop {
        let (atom, value) = match (left.peek(), right.peek()) {
            (None, None) => return sum,
            (Some((a, x)), Some((b, y))) if a == b => {
                let both = (*a, times(*x, scale) + times(*y, scale2));
                left.next();
                right.next();
                both
            }
            (Some((a, x)), other) if other.is_none_or(|(b, _)| a < b) => {
                let value = (*a, times(*x, scale));
                left.next();
                value
            }
            (_, Some((b, y))) => {
                let value = (*b, times(*y, scale2));
                right.next();
                value
            }
            (Some(_), None) => unreachable!("taken by the case before"),
        };
        if value != 0 {
            sum.push((atom, value));
        }
    }
}

/// A form divided by the greatest common divisor of its coefficients, its first coefficient positive; and what it was
/// divided by.
pub(super) fn primitive(mut form: Form) -> (i128, Form) {
    fn gcd(a: i128, b: i128) -> i128 {
        if b == 0 { a.abs() } else { gcd(b, a % b) }
    }
    let divisor = form.iter().fold(0, |d, (_, c)| gcd(d, *c));
    let scale = if form.first().is_some_and(|(_, c)| *c < 0) {
        -divisor
    } else {
        divisor
    };
    for (_, coefficient) in &mut form {
        *coefficient /= scale;
    }
    (scale, form)
}

fn times(a: i128, b: i128) -> i128 {
    a.checked_mul(b)
        .expect("coefficients of an AIR are a few dozen bits long")
}

/// A product of at least two primitive forms, ascending.
pub(super) type Factors = Vec<Form>;

/// A polynomial: constant, linear part, and products of linear forms.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Expr {
    /// The constant term.
    pub(super) constant: i128,
    /// The linear part.
    pub(super) linear: Form,
    /// Products with their coefficients: no two of the same factors, none with coefficient 0.
    pub(super) products: Vec<(i128, Factors)>,
}

impl Expr {
    /// An integer.
    pub(super) const fn constant(constant: i128) -> Self {
        Self {
            constant,
            linear: Vec::new(),
            products: Vec::new(),
        }
    }

    /// A linear form.
    pub(super) fn linear(linear: Form) -> Self {
        Self {
            linear,
            ..Self::default()
        }
    }

    /// Adds `scale` times a product of primitive forms; one form is added to the linear part.
    pub(super) fn push(&mut self, scale: i128, mut factors: Factors) {
        match factors.len() {
            0 => self.constant += scale,
            1 => self.linear = combine(&self.linear, 1, &factors[0], scale),
            _ => {
                factors.sort_unstable();
                match self.products.iter_mut().find(|(_, f)| *f == factors) {
                    Some((coefficient, _)) => *coefficient += scale,
                    None => self.products.push((scale, factors)),
                }
                self.products.retain(|(coefficient, _)| *coefficient != 0);
            }
        }
    }

    /// `self + scale · other`.
    fn add_scaled(mut self, other: Self, scale: i128) -> Self {
        self.constant += times(other.constant, scale);
        self.linear = combine(&self.linear, 1, &other.linear, scale);
        for (coefficient, factors) in other.products {
            self.push(times(coefficient, scale), factors);
        }
        self
    }

    /// All terms as products, the constant as that of no factors.
    fn terms(&self) -> Vec<(i128, Factors)> {
        let mut terms = self.products.clone();
        if !self.linear.is_empty() {
            let (scale, form) = primitive(self.linear.clone());
            terms.push((scale, vec![form]));
        }
        if self.constant != 0 {
            terms.push((self.constant, Vec::new()));
        }
        terms
    }

    /// The largest number of factors of a term.
    #[cfg(test)]
    pub(super) fn degree(&self) -> usize {
        let products = self.products.iter().map(|(_, factors)| factors.len());
        products
            .max()
            .unwrap_or(usize::from(!self.linear.is_empty()))
    }

    /// All forms of the polynomial: its linear part and its factors.
    pub(super) fn forms(&self) -> impl Iterator<Item = &Form> {
        let factors = self.products.iter().flat_map(|(_, factors)| factors);
        std::iter::once(&self.linear).chain(factors)
    }

    /// The polynomial with other forms for its own.
    pub(super) fn map(&self, map: impl Fn(&Form) -> Form) -> Self {
        let mut mapped = Self {
            constant: self.constant,
            linear: map(&self.linear),
            products: Vec::new(),
        };
        for (coefficient, factors) in &self.products {
            let product = factors
                .iter()
                .fold(Self::constant(*coefficient), |product, f| {
                    product * Self::linear(map(f))
                });
            mapped += product;
        }
        mapped
    }
}

impl From<Atom> for Expr {
    fn from(a: Atom) -> Self {
        Self::linear(atom(a))
    }
}

/// The integer nearest to zero. Constants of AIRs come as integers and do not pass through here.
impl From<BabyBear> for Expr {
    fn from(value: BabyBear) -> Self {
        let value = i128::from(value.as_canonical_u32());
        let order = i128::from(BabyBear::ORDER_U32);
        Self::constant(if value > order / 2 {
            value - order
        } else {
            value
        })
    }
}

impl<T: Into<Self>> Add<T> for Expr {
    type Output = Self;
    fn add(self, other: T) -> Self {
        self.add_scaled(other.into(), 1)
    }
}

impl<T: Into<Self>> Sub<T> for Expr {
    type Output = Self;
    fn sub(self, other: T) -> Self {
        self.add_scaled(other.into(), -1)
    }
}

impl<T: Into<Self>> Mul<T> for Expr {
    type Output = Self;
    fn mul(self, other: T) -> Self {
        let other = other.into().terms();
        let mut product = Self::default();
        for (a, left) in self.terms() {
            for (b, right) in &other {
                let factors = left.iter().chain(right).cloned().collect();
                product.push(times(a, *b), factors);
            }
        }
        product
    }
}

impl<T: Into<Self>> AddAssign<T> for Expr {
    fn add_assign(&mut self, other: T) {
        *self = std::mem::take(self) + other;
    }
}

impl<T: Into<Self>> SubAssign<T> for Expr {
    fn sub_assign(&mut self, other: T) {
        *self = std::mem::take(self) - other;
    }
}

impl<T: Into<Self>> MulAssign<T> for Expr {
    fn mul_assign(&mut self, other: T) {
        *self = std::mem::take(self) * other;
    }
}

impl Neg for Expr {
    type Output = Self;
    fn neg(self) -> Self {
        Self::default() - self
    }
}

impl Sum for Expr {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        terms.fold(Self::default(), Add::add)
    }
}

impl Product for Expr {
    fn product<I: Iterator<Item = Self>>(factors: I) -> Self {
        factors.fold(Self::ONE, Mul::mul)
    }
}

impl<T: Into<Expr>> Add<T> for Atom {
    type Output = Expr;
    fn add(self, other: T) -> Expr {
        Expr::from(self) + other
    }
}

impl<T: Into<Expr>> Sub<T> for Atom {
    type Output = Expr;
    fn sub(self, other: T) -> Expr {
        Expr::from(self) - other
    }
}

impl<T: Into<Expr>> Mul<T> for Atom {
    type Output = Expr;
    fn mul(self, other: T) -> Expr {
        Expr::from(self) * other
    }
}

impl Dup for Expr {
    fn dup(&self) -> Self {
        self.clone()
    }
}

impl PrimeCharacteristicRing for Expr {
    type PrimeSubfield = BabyBear;

    const ZERO: Self = Self::constant(0);
    const ONE: Self = Self::constant(1);
    const TWO: Self = Self::constant(2);
    const NEG_ONE: Self = Self::constant(-1);

    fn from_prime_subfield(value: BabyBear) -> Self {
        value.into()
    }

    fn from_u8(value: u8) -> Self {
        Self::constant(value.into())
    }

    fn from_u16(value: u16) -> Self {
        Self::constant(value.into())
    }

    fn from_u32(value: u32) -> Self {
        Self::constant(value.into())
    }

    fn from_u64(value: u64) -> Self {
        Self::constant(value.into())
    }

    fn from_i8(value: i8) -> Self {
        Self::constant(value.into())
    }

    fn from_i16(value: i16) -> Self {
        Self::constant(value.into())
    }

    fn from_i32(value: i32) -> Self {
        Self::constant(value.into())
    }

    fn from_i64(value: i64) -> Self {
        Self::constant(value.into())
    }
}

impl Algebra<BabyBear> for Expr {}
impl Algebra<Atom> for Expr {}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(i: u32) -> Expr {
        Atom::Cell(i).into()
    }

    #[test]
    fn constants_are_integers() {
        // Above half of the prime, where a field element would stand for a negative number.
        let base = Expr::from_u32(1 << 30);
        assert_eq!(base.constant, 1 << 30);
        assert_eq!((base.clone() * base).constant, 1 << 60);
        assert_eq!((Expr::ONE - Expr::from_u32(5)).constant, -4);
        assert_eq!(Expr::from(-BabyBear::TWO), Expr::constant(-2));
    }

    #[test]
    fn equal_polynomials_are_equal_whatever_their_order() {
        let (a, b, c) = (cell(0), cell(1), cell(2));
        let left = (a.clone() + b.clone() * Expr::TWO) * c.clone();
        let right = c * (b * Expr::TWO + a);
        assert_eq!(left, right);
        assert_eq!((left - right).degree(), 0);
    }

    #[test]
    fn factors_are_shared_up_to_scale() {
        let (a, b, c) = (cell(0), cell(1), cell(2));
        // −3·(2a − 4b)·c and (a − 2b)·c have the same factors, and constants leave a factor.
        let sum =
            (a.clone() * Expr::TWO - b.clone() * Expr::from_u32(4)) * c.clone() * Expr::from_u32(3)
                - (a - b * Expr::TWO) * (c + Expr::ONE);
        assert_eq!(sum.products.len(), 1);
        assert_eq!(sum.products[0].0, 5);
        assert_eq!(sum.linear, [(Atom::Cell(0), -1), (Atom::Cell(1), 2)]);
        assert_eq!(sum.degree(), 2);
    }

    #[test]
    fn degrees() {
        let (a, b) = (cell(0), cell(1));
        assert_eq!(Expr::ONE.degree(), 0);
        assert_eq!(a.degree(), 1);
        assert_eq!((a.clone() * b.clone()).degree(), 2);
        assert_eq!(
            (a.clone() * (b.clone() * b.clone() + a.clone())).degree(),
            3
        );
        assert_eq!((a.clone() * b.clone() - b * a).degree(), 0);
    }

    #[test]
    fn the_sum_of_a_form_and_its_negative_is_empty() {
        let form = vec![(Atom::Cell(0), 3), (Atom::Next(1), -6)];
        assert_eq!(combine(&form, 1, &form, -1), []);
        assert_eq!(primitive(form).0, 3);
        assert_eq!(
            primitive(vec![(Atom::Cell(7), -4)]),
            (-4, atom(Atom::Cell(7)))
        );
    }
}
