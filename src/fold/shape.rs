//! The R1CS of a table: what a chunk of its rows must satisfy.

use std::collections::{BTreeMap, HashMap};

use ark_ff::AdditiveGroup;
use p3_air::BaseAir;
use p3_baby_bear::BabyBear;

use super::collect::collect;
use super::expr::{Atom, Expr, Form};
use super::lower::{Gates, Lookup, Lowered, lower};
use super::relation::{KNOWN, LOOKUP, Layout, LinearBlock, MAIN, Part, Relation};
use crate::backend::curve::Fr;
use crate::backend::{Block, Matrices, Term};
use crate::stark::air::{LOG_WIDTH, TableAir};
use crate::stark::columns::BOUNDARY_COLS;

/// Index into `x` of the sum of a chunk's fractions.
pub const X_SUM: usize = 0;
/// Index into `x` of the chunk's index in its table.
pub const X_INDEX: usize = 1;
/// Index into `x` of the flag of a table's first chunk.
pub const X_FIRST: usize = 2;
/// Index into `x` of the flag of a table's last chunk.
pub const X_LAST: usize = 3;
/// Index into `x` of the first of the table's public values.
pub const X_PUBLIC: usize = 4;

/// Challenges of a session, drawn after all known and main parts are committed to. They are constants of its relations.
///
/// A message on a bus stands for `alpha + tag + Σ_j beta^(j+1) · field_j`, where `tag` is the bus's: distinct messages stand for
/// distinct polynomials in `beta`. Constraints that share a factor are one constraint, combined with powers of `beta`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Challenges {
    /// Where fractions have their poles.
    pub alpha: Fr,
    /// What fields of a message and constraints of a gate are combined with.
    pub beta: Fr,
}

/// What keeps the messages of a bus apart from those of others: 64 bits of the hash of its name.
fn bus_tag(bus: &str) -> u64 {
    let hash = blake3::hash(bus.as_bytes());
    u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash is 32 bytes"))
}

/// How much of everything a table's rows and chunks have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Constraints of the AIR.
    pub air_constraints: usize,
    /// Quadratic constraints of a row, those of lookups included; the last row of a chunk has
    /// [`transition`](Self::transition) fewer.
    pub quadratic: usize,
    /// Those of them that read the next row.
    pub transition: usize,
    /// Linear constraints of a row.
    pub linear: usize,
    /// Columns that whoever verifies knows.
    pub known: usize,
    /// Columns of the trace that are not known.
    pub trace: usize,
    /// Variables of a row that are products.
    pub products: usize,
    /// Fractions of a row: one for every message.
    pub lookups: usize,
    /// Quadratic constraints that a chunk has once.
    pub chunk_quadratic: usize,
    /// Variables that a chunk has once: copies of the next row, products, and fractions.
    pub chunk_variables: usize,
}

/// The R1CS of a table, for chunks of any number of rows.
#[derive(Clone, Debug)]
pub struct Shape {
    table: usize,
    num_air_constraints: usize,
    num_fixed: usize,
    /// Part and column of each column of the table.
    places: Vec<(usize, usize)>,
    num_public: usize,
    pub(super) lowered: Lowered,
}

impl Shape {
    /// The R1CS of a table.
    ///
    /// - `table`: position in [`TableAir::NAMES`].
    ///
    /// Cost: fractions of a second for the cpu table.
    /// # Panics
    /// If there is no such table.
    pub fn new(table: usize) -> Self {
        Self::without(table, None)
    }

    /// All tables'.
    pub fn all() -> [Self; TableAir::COUNT] {
        std::array::from_fn(Self::new)
    }

    /// The same without a group of the cpu table's constraints, to see whether that is noticed.
    pub fn without(table: usize, dropped: Option<&str>) -> Self {
        let air = &TableAir::for_verifier()[table];
        let collected = collect(air, dropped);
        let known: Vec<usize> = match table {
            TableAir::BOUNDARY => BOUNDARY_COLS.to_vec(),
            TableAir::LOG => (0..LOG_WIDTH).collect(),
            _ => Vec::new(),
        };
        let num_fixed = air.preprocessed_width();
        let mut num_main = 0;
        let places = (0..BaseAir::<BabyBear>::width(air)).map(|cell| {
            match known.iter().position(|known| *known == cell) {
                Some(at) => (KNOWN, num_fixed + at),
                None => {
                    num_main += 1;
                    (MAIN, num_main - 1)
                }
            }
        });
        Self {
            table,
            num_air_constraints: collected.constraints.len(),
            num_fixed,
            places: places.collect(),
            num_public: air.num_public_values(),
            lowered: lower(&collected),
        }
    }

    /// Name of the table.
    pub fn name(&self) -> &'static str {
        TableAir::NAMES[self.table]
    }

    /// Columns of the known part: fixed ones, then those of the table at these indices.
    pub(super) fn known_cells(&self) -> Vec<usize> {
        self.cells_in(KNOWN)
    }

    /// Indices of the table's columns in the main part, which products follow.
    pub(super) fn main_cells(&self) -> Vec<usize> {
        self.cells_in(MAIN)
    }

    fn cells_in(&self, part: usize) -> Vec<usize> {
        let cells = 0..self.places.len();
        cells.filter(|cell| self.places[*cell].0 == part).collect()
    }

    /// Number of columns of the table that are fixed.
    pub(super) fn num_fixed(&self) -> usize {
        self.num_fixed
    }

    /// Number of columns of the table that are not fixed.
    pub(super) fn width(&self) -> usize {
        self.places.len()
    }

    /// Number of the table's public values.
    pub(super) fn num_public(&self) -> usize {
        self.num_public
    }

    /// Whether a chunk says what it knows of the next.
    pub(super) fn hands_over(&self) -> bool {
        !self.lowered.handed.is_empty()
    }

    /// How much of everything there is.
    pub fn counts(&self) -> Counts {
        let Lowered {
            products,
            every,
            transition,
            first,
            last,
            lookups,
            ..
        } = &self.lowered;
        let hand_over = 2 * usize::from(self.hands_over());
        Counts {
            air_constraints: self.num_air_constraints,
            quadratic: every.gates.len() + transition.gates.len() + lookups.len(),
            transition: transition.gates.len(),
            linear: every.linear.len() + transition.linear.len(),
            known: self.num_fixed + self.known_cells().len(),
            trace: self.main_cells().len(),
            products: products.len(),
            lookups: lookups.len(),
            chunk_quadratic: first.gates.len() + last.gates.len() + hand_over,
            chunk_variables: self.lowered.num_singles() + hand_over,
        }
    }

    /// How `z` of a chunk of `2^log_rows` rows is laid out.
    pub fn layout(&self, log_rows: u32) -> Layout {
        let counts = self.counts();
        let hand_over = 2 * usize::from(self.hands_over());
        let part = |singles, columns| Part { singles, columns };
        Layout {
            log_rows,
            num_public: X_PUBLIC + self.num_public,
            parts: [
                part(0, counts.known),
                part(self.lowered.num_singles(), counts.trace + counts.products),
                part(hand_over, counts.lookups),
            ],
        }
    }

    /// What a chunk of `2^log_rows` rows must satisfy.
    ///
    /// Constraints, in this order: those of every row, of every row but the last, of lookups, of the chunk's first and last row,
    /// and the two that hand over to the next chunk.
    pub fn relation(&self, log_rows: u32, challenges: &Challenges) -> Relation {
        let layout = self.layout(log_rows);
        let mut writer = Writer {
            shape: self,
            relation: Relation {
                matrices: Matrices {
                    num_variables: layout.num_variables(),
                    ..Matrices::default()
                },
                layout,
                ..Relation::default()
            },
            powers: vec![Fr::from(1)],
            coefficients: HashMap::new(),
            linear_coefficients: HashMap::new(),
        };
        let rows = 1 << log_rows;
        let Lowered {
            every,
            transition,
            first,
            last,
            lookups,
            ..
        } = &self.lowered;
        writer.gates(every, At::Rows(rows), challenges);
        writer.gates(transition, At::Rows(rows - 1), challenges);
        for (i, lookup) in lookups.iter().enumerate() {
            let fraction = writer.column(LOOKUP, i);
            writer.lookup(lookup, fraction, At::Rows(rows), challenges);
        }
        writer.gates(first, At::Row(0), challenges);
        writer.gates(last, At::Row(rows - 1), challenges);
        for (i, lookup) in self.hand_over().iter().enumerate() {
            let fraction = (writer.relation.layout.part_start(LOOKUP) + i, 0);
            let row = if i == 0 { rows - 1 } else { 0 };
            writer.lookup(lookup, fraction, At::Row(row), challenges);
        }
        writer.sum(lookups.len());
        writer.relation
    }

    /// What a chunk puts on the bus between chunks, from its last row: what it assumed of the next; and takes from it, in its
    /// first row. Nothing if no constraint reads the next row.
    pub(super) fn hand_over(&self) -> Vec<Lookup> {
        let handed = &self.lowered.handed;
        if handed.is_empty() {
            return Vec::new();
        }
        let copies = (0..handed.len()).map(|i| Expr::from(Atom::Single(i as u32)));
        let cells = handed.iter().map(|form| Expr::linear(form.clone()));
        let lookup = |count, index: Expr, fields: Vec<Expr>| Lookup {
            bus: format!("hand-over {}", self.name()),
            fields: [index].into_iter().chain(fields).collect(),
            count,
        };
        let (one, index) = (Expr::constant(1), Expr::from(INDEX));
        vec![
            lookup(
                one.clone() - Atom::Last,
                index.clone() + one.clone(),
                copies.collect(),
            ),
            lookup(Expr::from(Atom::First) - one, index, cells.collect()),
        ]
    }

    /// BLAKE3 of everything the relation of a chunk of `2^log_rows` rows depends on but the challenges: of the relation at
    /// challenges that are hashes of fixed strings.
    pub fn digest(&self, log_rows: u32) -> blake3::Hash {
        let hash = |name: &[u8]| {
            use ark_ff::PrimeField;
            Fr::from_le_bytes_mod_order(blake3::hash(name).as_bytes())
        };
        let challenges = Challenges {
            alpha: hash(b"rewit shape alpha"),
            beta: hash(b"rewit shape beta"),
        };
        self.relation(log_rows, &challenges).digest()
    }
}

/// The atom that stands for the chunk's index: no table has as many public values.
pub(super) const INDEX: Atom = Atom::Public(u32::MAX);

/// Where constraints hold.
#[derive(Clone, Copy)]
enum At {
    /// In the first rows of the chunk, as many.
    Rows(u32),
    /// In one row.
    Row(u32),
}

/// A linear combination of scalars of `z`: where each starts and steps to, with its coefficient.
type Combination = BTreeMap<(usize, u32), Fr>;

struct Writer<'a> {
    shape: &'a Shape,
    relation: Relation,
    /// Powers of beta.
    powers: Vec<Fr>,
    coefficients: HashMap<Fr, u32>,
    linear_coefficients: HashMap<Fr, u32>,
}

fn scalar(integer: i128) -> Fr {
    Fr::from(integer)
}

impl Writer<'_> {
    fn power(&mut self, exponent: usize, challenges: &Challenges) -> Fr {
        while self.powers.len() <= exponent {
            let last = self.powers[self.powers.len() - 1];
            self.powers.push(last * challenges.beta);
        }
        self.powers[exponent]
    }

    /// Where a column of a part starts, and its step.
    fn column(&self, part: usize, column: usize) -> (usize, u32) {
        let layout = &self.relation.layout;
        let singles = layout.parts[part].singles;
        (
            layout.part_start(part) + singles + (column << layout.log_rows),
            1,
        )
    }

    /// Where an atom's scalars start, and their step.
    fn place(&self, atom: Atom) -> (usize, u32) {
        let layout = &self.relation.layout;
        let cell = |cell: u32| {
            let (part, column) = self.shape.places[cell as usize];
            self.column(part, column)
        };
        let x = |index: usize| (1 + index, 0);
        match atom {
            Atom::Cell(i) => cell(i),
            Atom::Next(i) => (cell(i).0 + 1, 1),
            Atom::Fixed(i) => self.column(KNOWN, i as usize),
            Atom::Product(i) => {
                let after = layout.parts[MAIN].columns - self.shape.lowered.products.len();
                self.column(MAIN, after + i as usize)
            }
            Atom::Single(i) => (layout.part_start(MAIN) + i as usize, 0),
            INDEX => x(X_INDEX),
            Atom::Public(i) => x(X_PUBLIC + i as usize),
            Atom::First => x(X_FIRST),
            Atom::Last => x(X_LAST),
            Atom::Transition => unreachable!("constraints are split by where they hold"),
        }
    }

    /// Adds `scale · (form + constant)`.
    fn add(&self, sum: &mut Combination, (form, constant): (&Form, i128), scale: Fr, at: At) {
        let mut add = |place, coefficient: i128| {
            *sum.entry(place).or_insert(Fr::ZERO) += scalar(coefficient) * scale;
        };
        for (atom, coefficient) in form {
            let (start, step) = self.place(*atom);
            let place = match at {
                At::Rows(_) => (start, step),
                At::Row(row) => (start + (step * row) as usize, 0),
            };
            add(place, *coefficient);
        }
        if constant != 0 {
            add((0, 0), constant);
        }
    }

    /// Writes `⟨a, z⟩ · ⟨b, z⟩ = ⟨c, z⟩`.
    fn constrain(&mut self, sides: [Combination; 3], at: At) {
        let matrices = &mut self.relation.matrices;
        let terms = sides.map(|side| {
            write(
                side,
                &mut matrices.terms,
                &mut matrices.coefficients,
                &mut self.coefficients,
            )
        });
        let repeat = match at {
            At::Rows(rows) => rows,
            At::Row(_) => 1,
        };
        matrices.blocks.push(Block {
            start: index(matrices.num_constraints),
            repeat,
            terms,
        });
        matrices.num_constraints += repeat as usize;
    }

    fn constrain_linear(&mut self, terms: Combination, sums: Combination, repeat: u32) {
        let linear = &mut self.relation.linear;
        let [terms, sums] = [terms, sums].map(|side| {
            write(
                side,
                &mut linear.terms,
                &mut linear.coefficients,
                &mut self.linear_coefficients,
            )
        });
        linear.blocks.push(LinearBlock {
            repeat,
            terms,
            sums,
        });
    }

    fn gates(&mut self, gates: &Gates, at: At, challenges: &Challenges) {
        let one = Fr::from(1);
        for gate in &gates.gates {
            let mut sides = [(); 3].map(|()| Combination::new());
            self.add(&mut sides[0], (&gate.left, 0), one, at);
            for (i, (right, rest)) in gate.parts.iter().enumerate() {
                let power = self.power(i, challenges);
                self.add(&mut sides[1], (right, 0), power, at);
                self.add(&mut sides[2], (&rest.linear, rest.constant), -power, at);
            }
            self.constrain(sides, at);
        }
        for constraint in &gates.linear {
            let mut terms = Combination::new();
            self.add(
                &mut terms,
                (&constraint.linear, constraint.constant),
                one,
                at,
            );
            let repeat = match at {
                At::Rows(rows) => rows,
                At::Row(_) => 1,
            };
            self.constrain_linear(terms, Combination::new(), repeat);
        }
    }

    /// `fraction · fingerprint = count`.
    fn lookup(&mut self, lookup: &Lookup, fraction: (usize, u32), at: At, challenges: &Challenges) {
        let one = Fr::from(1);
        let mut sides = [(); 3].map(|()| Combination::new());
        sides[0].insert(fraction, one);
        let tag = challenges.alpha + Fr::from(bus_tag(&lookup.bus));
        sides[1].insert((0, 0), tag);
        for (j, field) in lookup.fields.iter().enumerate() {
            let power = self.power(j + 1, challenges);
            self.add(&mut sides[1], (&field.linear, field.constant), power, at);
        }
        let count = &lookup.count;
        self.add(&mut sides[2], (&count.linear, count.constant), one, at);
        self.constrain(sides, at);
    }

    /// The sum of all fractions is the one in `x`.
    fn sum(&mut self, num_lookups: usize) {
        let mut terms = Combination::from([((1 + X_SUM, 0), Fr::from(1))]);
        let start = self.relation.layout.part_start(LOOKUP);
        for single in 0..self.relation.layout.parts[LOOKUP].singles {
            terms.insert((start + single, 0), -Fr::from(1));
        }
        let column = |i| (self.column(LOOKUP, i), -Fr::from(1));
        let sums = (0..num_lookups).map(column).collect();
        self.constrain_linear(terms, sums, 1);
    }
}

/// A position as relations hold it.
fn index(position: usize) -> u32 {
    u32::try_from(position).expect("chunks of at most 2^16 rows have fewer than 2^32 variables")
}

/// Appends the terms of a linear combination, and says where.
fn write(
    side: Combination,
    terms: &mut Vec<Term>,
    coefficients: &mut Vec<Fr>,
    known: &mut HashMap<Fr, u32>,
) -> [u32; 2] {
    let from = index(terms.len());
    for ((start, step), coefficient) in side {
        if coefficient == Fr::ZERO {
            continue;
        }
        let coefficient = *known.entry(coefficient).or_insert_with(|| {
            coefficients.push(coefficient);
            index(coefficients.len()) - 1
        });
        terms.push(Term {
            start: index(start),
            step,
            coefficient,
        });
    }
    [from, index(terms.len())]
}

/// A lookup's fingerprint as constants: alpha plus tag plus what the fields' constants add, and per field its power of beta.
pub(super) fn fingerprint(lookup: &Lookup, challenges: &Challenges) -> (Fr, Vec<Fr>) {
    let mut power = Fr::from(1);
    let mut base = challenges.alpha + Fr::from(bus_tag(&lookup.bus));
    let mut powers = Vec::new();
    for field in &lookup.fields {
        power *= challenges.beta;
        base += power * scalar(field.constant);
        powers.push(power);
    }
    (base, powers)
}
