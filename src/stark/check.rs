//! Checks a witness by plain evaluation: every constraint on every row, every bus by counting.
//!
//! This is the oracle that needs no prover: slow, exact about what fails, and free of challenges.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use p3_air::{Air, AirBuilder, BaseAir, RowWindow};
use p3_baby_bear::BabyBear;
use p3_field::{PrimeCharacteristicRing, PrimeField32};
use p3_lookup::{Count, InteractionBuilder};
use p3_matrix::dense::RowMajorMatrix;
use rayon::prelude::*;

use super::air::{BoundaryAir, ProgramAir, RangeAir, SYSTEM_CALLS, constrain};
use crate::vm::Program;
use crate::witness::monty::elements;
use crate::witness::{Matrix, Witness};

type F = BabyBear;

/// Failures reported per table; more are counted only.
const MAX_REPORTED: usize = 16;

/// A constraint that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Name of the table.
    pub table: &'static str,
    /// Row it was evaluated on.
    pub row: usize,
    /// Group of the constraint, for the CPU table.
    pub group: &'static str,
    /// Number of the constraint in order of evaluation.
    pub constraint: usize,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            row,
            group,
            constraint,
        } = self;
        write!(f, "{table} row {row}: constraint {constraint} ({group})")
    }
}

/// A bus whose messages do not balance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imbalance {
    /// Name of the bus.
    pub bus: String,
    /// Messages with a surplus: (fields, sent or looked up, less received or held).
    pub messages: Vec<(Vec<u32>, i64)>,
}

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Constraints evaluated: sum over tables of rows times constraints.
    pub num_constraints: u64,
    /// Messages counted over all buses.
    pub num_messages: u64,
    /// Number of constraints that fail.
    pub num_failures: u64,
    /// The first of them.
    pub failures: Vec<Failure>,
    /// Buses that do not balance.
    pub imbalances: Vec<Imbalance>,
}

impl Report {
    /// Whether everything holds.
    pub fn is_ok(&self) -> bool {
        self.num_failures == 0 && self.imbalances.is_empty()
    }
}

/// One message of a row: bus, fields, signed count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Message {
    pub(super) bus: String,
    pub(super) fields: Vec<u32>,
    pub(super) count: i64,
}

/// Evaluates an AIR on one row with concrete values.
pub(super) struct RowBuilder<'a> {
    main: RowWindow<'a, F>,
    preprocessed: RowWindow<'a, F>,
    public: &'a [F],
    first: bool,
    last: bool,
    group: &'static str,
    dropped: Option<&'a str>,
    pub(super) num_constraints: usize,
    pub(super) failed: Vec<(&'static str, usize)>,
    pub(super) messages: Vec<Message>,
}

impl<'a> RowBuilder<'a> {
    fn new(
        rows: [&'a [F]; 2],
        preprocessed: &'a [F],
        public: &'a [F],
        (first, last): (bool, bool),
    ) -> Self {
        Self {
            main: RowWindow::from_two_rows(rows[0], rows[1]),
            preprocessed: RowWindow::from_two_rows(preprocessed, preprocessed),
            public,
            first,
            last,
            group: "",
            dropped: None,
            num_constraints: 0,
            failed: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Evaluates a row of a table without fixed columns, as if it had no constraints of the group
    /// `dropped`.
    pub(super) fn evaluate(
        rows: [&'a [F]; 2],
        public: &'a [F],
        first_last: (bool, bool),
        dropped: Option<&'a str>,
        eval: impl Fn(&mut Self),
    ) -> RowBuilder<'a> {
        let mut builder = Self::new(rows, &[], public, first_last);
        builder.dropped = dropped;
        eval(&mut builder);
        builder
    }

    /// Names the constraints that follow.
    pub(super) fn set_group(&mut self, group: &'static str) {
        self.group = group;
    }
}

impl<'a> AirBuilder for RowBuilder<'a> {
    type F = F;
    type Expr = F;
    type Var = F;
    type PreprocessedWindow = RowWindow<'a, F>;
    type MainWindow = RowWindow<'a, F>;
    type PublicVar = F;
    type PeriodicVar = F;

    fn main(&self) -> Self::MainWindow {
        self.main
    }

    fn preprocessed(&self) -> &Self::PreprocessedWindow {
        &self.preprocessed
    }

    fn is_first_row(&self) -> F {
        F::from_bool(self.first)
    }

    fn is_last_row(&self) -> F {
        F::from_bool(self.last)
    }

    fn is_transition(&self) -> F {
        F::from_bool(!self.last)
    }

    fn assert_zero<I: Into<F>>(&mut self, x: I) {
        if x.into() != F::ZERO && self.dropped != Some(self.group) {
            self.failed.push((self.group, self.num_constraints));
        }
        self.num_constraints += 1;
    }

    fn public_values(&self) -> &[F] {
        self.public
    }
}

impl InteractionBuilder for RowBuilder<'_> {
    fn push_interaction<E: Into<F>>(
        &mut self,
        bus_name: &str,
        fields: impl IntoIterator<Item = E>,
        count: impl Into<Count<F>>,
    ) {
        let count = signed(count.into().into_parts().0);
        if count != 0 {
            let fields = fields
                .into_iter()
                .map(|f| f.into().as_canonical_u32())
                .collect();
            self.messages.push(Message {
                bus: bus_name.to_owned(),
                fields,
                count,
            });
        }
    }

    fn push_local_interaction(&mut self, _: impl IntoIterator<Item = (Vec<F>, Count<F>)>) {
        unreachable!("no table has lookups into itself");
    }
}

/// The integer nearest to zero that a field element stands for.
fn signed(x: F) -> i64 {
    let x = i64::from(x.as_canonical_u32());
    if x > i64::from(F::ORDER_U32 / 2) {
        x - i64::from(F::ORDER_U32)
    } else {
        x
    }
}

/// The cells of a table as field elements.
pub fn field_cells(matrix: &Matrix) -> &[BabyBear] {
    elements(&matrix.words)
}

/// Sums of all messages per bus, hashed: zero for a bus that balances.
#[derive(Default)]
struct Balance {
    sums: HashMap<String, (u64, u64)>,
    num_messages: u64,
    num_constraints: u64,
    num_failures: u64,
    failures: Vec<Failure>,
}

impl Balance {
    fn merge(mut self, other: Self) -> Self {
        for (bus, (a, b)) in other.sums {
            let sum = self.sums.entry(bus).or_default();
            *sum = (sum.0.wrapping_add(a), sum.1.wrapping_add(b));
        }
        self.num_messages += other.num_messages;
        self.num_constraints += other.num_constraints;
        self.num_failures += other.num_failures;
        self.failures.extend(other.failures);
        self.failures.sort_by_key(|f| (f.table, f.row));
        self.failures.truncate(MAX_REPORTED);
        self
    }

    fn add(&mut self, keys: &[RandomState; 2], message: &Message) {
        let [a, b] = keys.each_ref().map(|key| {
            key.hash_one(&message.fields)
                .wrapping_mul(message.count as u64)
        });
        if !self.sums.contains_key(&message.bus) {
            self.sums.insert(message.bus.clone(), (0, 0));
        }
        if let Some(sum) = self.sums.get_mut(&message.bus) {
            *sum = (sum.0.wrapping_add(a), sum.1.wrapping_add(b));
        }
        self.num_messages += 1;
    }
}

/// A table under check.
struct Table<'a> {
    name: &'static str,
    cells: &'a [F],
    width: usize,
    preprocessed: Option<RowMajorMatrix<F>>,
    public: Vec<F>,
}

impl<'a> Table<'a> {
    fn new(
        name: &'static str,
        matrix: &'a Matrix,
        preprocessed: Option<RowMajorMatrix<F>>,
        public: &[u32],
    ) -> Self {
        let public = public.iter().map(|v| F::from_u32(*v)).collect();
        Self {
            name,
            cells: field_cells(matrix),
            width: matrix.width,
            preprocessed,
            public,
        }
    }

    fn height(&self) -> usize {
        self.cells.len() / self.width
    }

    /// Evaluates row `row`, and hands the builder to `with`.
    fn row<T>(
        &self,
        row: usize,
        eval: &dyn Fn(&mut RowBuilder),
        with: impl FnOnce(RowBuilder) -> T,
    ) -> T {
        let height = self.height();
        let at = |i: usize| &self.cells[i * self.width..][..self.width];
        let preprocessed = self
            .preprocessed
            .as_ref()
            .map_or(&[][..], |m| &m.values[row * m.width..][..m.width]);
        let mut builder = RowBuilder::new(
            [at(row), at((row + 1) % height)],
            preprocessed,
            &self.public,
            (row == 0, row + 1 == height),
        );
        eval(&mut builder);
        with(builder)
    }
}

/// Checks all tables of `witness` against the constraints, and that every bus balances.
///
/// - `log`: what the segment's system calls did, see
///   [`Records::system_calls`](crate::witness::Records::system_calls).
///
/// Cost: about 5 µs a row and core.
pub fn check(program: &Program, witness: &Witness, log: &[Vec<u32>]) -> Report {
    let program_air = ProgramAir::new(program);
    type Eval<'a> = Box<dyn Fn(&mut RowBuilder) + Sync + 'a>;
    let tables: [(Table, Eval); 4] = [
        (
            Table::new("cpu", &witness.cpu, None, &witness.public),
            Box::new(|b: &mut RowBuilder| constrain(b, RowBuilder::set_group)),
        ),
        (
            Table::new("boundary", &witness.boundary, None, &[]),
            Box::new(|b: &mut RowBuilder| BoundaryAir.eval(b)),
        ),
        (
            Table::new(
                "program",
                &witness.program,
                BaseAir::<F>::preprocessed_trace(&program_air),
                &[],
            ),
            Box::new(|b: &mut RowBuilder| program_air.eval(b)),
        ),
        (
            Table::new(
                "range",
                &witness.range,
                BaseAir::<F>::preprocessed_trace(&RangeAir),
                &[],
            ),
            Box::new(|b: &mut RowBuilder| RangeAir.eval(b)),
        ),
    ];

    let keys = [RandomState::new(), RandomState::new()];
    let mut total = Balance::default();
    for fields in log {
        let message = Message {
            bus: SYSTEM_CALLS.name().to_owned(),
            fields: fields.clone(),
            count: -1,
        };
        total.add(&keys, &message);
    }
    for (table, eval) in &tables {
        let sums = (0..table.height())
            .into_par_iter()
            .fold(Balance::default, |mut sums, row| {
                table.row(row, eval, |builder| {
                    sums.num_constraints += builder.num_constraints as u64;
                    sums.num_failures += builder.failed.len() as u64;
                    for (group, constraint) in builder.failed {
                        if sums.failures.len() < MAX_REPORTED {
                            let table = table.name;
                            sums.failures.push(Failure {
                                table,
                                row,
                                group,
                                constraint,
                            });
                        }
                    }
                    for message in &builder.messages {
                        sums.add(&keys, message);
                    }
                });
                sums
            })
            .reduce(Balance::default, Balance::merge);
        total = total.merge(sums);
    }

    let unbalanced: Vec<&String> = total
        .sums
        .iter()
        .filter(|(_, sum)| **sum != (0, 0))
        .map(|(bus, _)| bus)
        .collect();
    let imbalances = unbalanced
        .into_iter()
        .map(|bus| {
            let mut surplus: HashMap<Vec<u32>, i64> = HashMap::new();
            if bus == SYSTEM_CALLS.name() {
                for fields in log {
                    *surplus.entry(fields.clone()).or_default() -= 1;
                }
            }
            for (table, eval) in &tables {
                for row in 0..table.height() {
                    table.row(row, eval, |builder| {
                        for message in builder.messages.into_iter().filter(|m| m.bus == *bus) {
                            *surplus.entry(message.fields).or_default() += message.count;
                        }
                    });
                }
            }
            let mut messages: Vec<_> = surplus.into_iter().filter(|(_, n)| *n != 0).collect();
            messages.sort();
            messages.truncate(MAX_REPORTED);
            Imbalance {
                bus: bus.clone(),
                messages,
            }
        })
        .collect();
    Report {
        num_constraints: total.num_constraints,
        num_messages: total.num_messages,
        num_failures: total.num_failures,
        failures: total.failures,
        imbalances,
    }
}
