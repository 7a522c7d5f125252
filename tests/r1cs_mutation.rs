//! Changed witnesses satisfy the R1CS exactly if they satisfy the AIR.
//!
//! The AIR's verdict on a change is that of `stark::check` where it is asked, which is a sample: it goes over all tables.
//! Otherwise it is that of plain evaluation of the rows that the change can reach, over BabyBear: whether a constraint fails, or
//! the messages of the row are others than before.

mod common;

use std::collections::BTreeMap;

use ark_bn254::Fr;
use common::Rng;
use common::sequences::{self, build};
use p3_air::{Air, AirBuilder, RowWindow};
use p3_baby_bear::BabyBear;
use p3_field::{PrimeCharacteristicRing, PrimeField32};
use p3_lookup::{Count, InteractionBuilder};
use rayon::prelude::*;
use rewit::fold::{Assignment, Challenges, Relation, Shape, X_SUM};
use rewit::segment::Runner;
use rewit::stark::air::{ProgramAir, TableAir};
use rewit::stark::check::{check, field_cells};
use rewit::stark::mutate::{GROUPS, row_name};
use rewit::stark::{Event, Statement};
use rewit::vm::Program;
use rewit::witness::layout::public;
use rewit::witness::{Matrix, P, Witness, fill_from_reads, from_monty, to_monty};

type F = BabyBear;

/// Drawn by nobody: large, and the same in every run.
fn challenges() -> Challenges {
    let draw = |name: &[u8]| {
        use ark_ff::PrimeField;
        Fr::from_le_bytes_mod_order(blake3::hash(name).as_bytes())
    };
    Challenges {
        alpha: draw(b"alpha of mutations"),
        beta: draw(b"beta of mutations"),
    }
}

/// The messages of a row on each bus, with how often each is sent less received.
type Messages = BTreeMap<(String, Vec<u32>), i64>;

/// One row over BabyBear.
struct Row<'a> {
    main: RowWindow<'a, F>,
    fixed: RowWindow<'a, F>,
    public: &'a [F],
    first: bool,
    last: bool,
    failed: bool,
    messages: Messages,
}

impl<'a> AirBuilder for Row<'a> {
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
        &self.fixed
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
        self.failed |= x.into() != F::ZERO;
    }
    fn public_values(&self) -> &[F] {
        self.public
    }
}

impl InteractionBuilder for Row<'_> {
    fn push_interaction<E: Into<F>>(
        &mut self,
        bus: &str,
        fields: impl IntoIterator<Item = E>,
        count: impl Into<Count<F>>,
    ) {
        let count = i64::from(count.into().into_parts().0.as_canonical_u32());
        let order = i64::from(F::ORDER_U32);
        let count = if count > order / 2 {
            count - order
        } else {
            count
        };
        let fields = fields
            .into_iter()
            .map(|f| f.into().as_canonical_u32())
            .collect();
        *self.messages.entry((bus.to_owned(), fields)).or_default() += count;
        self.messages.retain(|_, count| *count != 0);
    }
    fn push_local_interaction(&mut self, _: impl IntoIterator<Item = (Vec<F>, Count<F>)>) {
        unreachable!("no table has lookups into itself");
    }
}

/// What changes: a cell or a public value, with its new value.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// Table and row; `None` for a public value.
    at: Option<(usize, usize)>,
    col: usize,
    value: u32,
}

struct Case {
    program: Program,
    air: ProgramAir,
    witness: Witness,
    log: Vec<Event>,
}

fn case(class: sequences::Class, log_cycles: u32, skip: usize) -> Case {
    let program = Program::from_elf(build(class, 6, 0)).unwrap();
    let mut rng = Rng::new(3);
    let input: Vec<u8> = (0..20_000).map(|_| rng.word() as u8).collect();
    let mut runner = Runner::new(&program, &input, log_cycles, 5).unwrap();
    for _ in 0..skip {
        runner.next_segment().unwrap();
    }
    let recording = runner.next_segment().unwrap();
    let witness =
        fill_from_reads(&program, &recording.segment, &recording.reads, Vec::new()).unwrap();
    Case {
        air: ProgramAir::new(&program),
        log: Statement::new(0, &witness).log,
        program,
        witness,
    }
}

fn table_mut(witness: &mut Witness, table: usize) -> &mut Matrix {
    match table {
        TableAir::CPU => &mut witness.cpu,
        TableAir::BOUNDARY => &mut witness.boundary,
        TableAir::PROGRAM => &mut witness.program,
        _ => &mut witness.range,
    }
}

/// Makes a change, and returns the one that undoes it.
fn apply(witness: &mut Witness, change: Change) -> Change {
    let Change { at, col, value } = change;
    let before = match at {
        None => std::mem::replace(&mut witness.public[col], value),
        Some((table, row)) => {
            let matrix = table_mut(witness, table);
            let at = row * matrix.width + col;
            from_monty(std::mem::replace(&mut matrix.words[at], to_monty(value)))
        }
    };
    Change {
        value: before,
        ..change
    }
}

/// Another value for a cell: near, another bit, negated, in range, at the edges, and far.
fn other(rng: &mut Rng, value: u32) -> u32 {
    let far = rng.word() % P;
    let candidates = [
        (value + 1) % P,
        (value + P - 1) % P,
        u32::from(value != 1),
        (P - value) % P,
        value ^ 0x80,
        P - 1,
        (value + 256) % P,
        (value + (1 << 16)) % P,
        far,
    ];
    let pick = candidates[rng.below(candidates.len() as u32) as usize] % P;
    if pick == value { (value + 3) % P } else { pick }
}

/// Changes of every column of the cpu and the boundary table in rows of every kind, of counts, and of public values.
fn changes(witness: &Witness, rows_per_kind: usize, seed: u64) -> Vec<Change> {
    let mut rng = Rng::new(seed);
    let mut changes = Vec::new();
    for col in 0..public::COUNT {
        for _ in 0..3 {
            let value = other(&mut rng, witness.public[col]);
            changes.push(Change {
                at: None,
                col,
                value,
            });
        }
    }
    for (table, (_, matrix)) in witness.tables().into_iter().enumerate() {
        let mut kinds: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in 0..matrix.height() {
            let cells = &field_cells(matrix)[row * matrix.width..][..matrix.width];
            let name = match table {
                TableAir::CPU => row_name(cells),
                TableAir::BOUNDARY => format!("{:?}", [cells[0], cells[3]]),
                _ => (cells[0] == F::ZERO).to_string(),
            };
            kinds.entry(name).or_default().push(row);
        }
        let mut rows = vec![0, matrix.height() - 1];
        for of_kind in kinds.values() {
            rows.extend(
                (0..rows_per_kind).map(|_| of_kind[rng.below(of_kind.len() as u32) as usize]),
            );
        }
        rows.sort_unstable();
        rows.dedup();
        for row in rows {
            for col in 0..matrix.width {
                let value = other(&mut rng, from_monty(matrix.row(row)[col]));
                changes.push(Change {
                    at: Some((table, row)),
                    col,
                    value,
                });
            }
        }
    }
    changes
}

/// Whether a row fails, and its messages.
fn evaluate(case: &Case, witness: &Witness, table: usize, row: usize) -> (bool, Messages) {
    let (_, matrix) = witness.tables()[table];
    let cells = field_cells(matrix);
    let at = |row: usize| &cells[row * matrix.width..][..matrix.width];
    let public = witness.public.map(F::from_u32);
    let fixed: Vec<F> = match table {
        TableAir::PROGRAM => fixed_row(&TableAir::Program(Some(case.air.clone())), row),
        TableAir::RANGE => [row, row & 255, row >> 8, row >> 2]
            .map(F::from_usize)
            .to_vec(),
        _ => Vec::new(),
    };
    let mut builder = Row {
        main: RowWindow::from_two_rows(at(row), at((row + 1) % matrix.height())),
        fixed: RowWindow::from_two_rows(&fixed, &fixed),
        public: if table == TableAir::CPU { &public } else { &[] },
        first: row == 0,
        last: row + 1 == matrix.height(),
        failed: false,
        messages: Messages::new(),
    };
    TableAir::for_verifier()[table].eval(&mut builder);
    (builder.failed, builder.messages)
}

fn fixed_row(air: &TableAir, row: usize) -> Vec<F> {
    use p3_air::BaseAir;
    let trace = air.preprocessed_trace().unwrap();
    trace.values[row * trace.width..][..trace.width].to_vec()
}

/// The verdict on a changed witness: whether constraints hold, and whether buses balance.
type Verdict = [bool; 2];

/// What the AIR says of `changed`, which differs from the case's witness by `change`.
fn judge(case: &Case, changed: &Witness, change: Change) -> Verdict {
    let Some((table, row)) = change.at else {
        let rows = 0..changed.cpu.height();
        return [
            rows.into_iter()
                .all(|row| !evaluate(case, changed, TableAir::CPU, row).0),
            true,
        ];
    };
    let (_, before) = evaluate(case, &case.witness, table, row);
    let (failed, after) = evaluate(case, changed, table, row);
    let above = row > 0 && evaluate(case, changed, table, row - 1).0;
    [!failed && !above, before == after]
}

/// The R1CS of a case's tables at one chunk size. That the unchanged witness satisfies it is in `r1cs.rs`.
struct Folded<'a> {
    case: &'a Case,
    shapes: &'a [Shape; TableAir::COUNT],
    log_rows: u32,
    relations: Vec<Relation>,
    /// The unchanged witness.
    original: Assignment<'a>,
}

impl<'a> Folded<'a> {
    fn new(case: &'a Case, shapes: &'a [Shape; TableAir::COUNT], log_rows: u32) -> Self {
        let original =
            Assignment::new(shapes, &case.witness, &case.log, &case.air, log_rows).unwrap();
        let relation =
            |table: usize| shapes[table].relation(original.log_rows(table), &challenges());
        Self {
            case,
            shapes,
            log_rows,
            relations: (0..TableAir::COUNT).map(relation).collect(),
            original,
        }
    }

    /// What the R1CS says of `changed`: of every chunk that the change can reach, and of the sum of all fractions.
    fn judge(&self, changed: &Witness, change: Change) -> Verdict {
        let Case { air, log, .. } = self.case;
        let assignment = Assignment::new(self.shapes, changed, log, air, self.log_rows).unwrap();
        let (table, chunks) = match change.at {
            None => (
                TableAir::CPU,
                (0..assignment.num_chunks(TableAir::CPU)).collect(),
            ),
            Some((table, row)) => {
                let log_rows = assignment.log_rows(table);
                let mut chunks = vec![row >> log_rows];
                if row > 0 {
                    chunks.push((row - 1) >> log_rows);
                }
                chunks.dedup();
                (table, chunks)
            }
        };
        let mut difference = Fr::from(0);
        let satisfied = chunks.into_iter().map(|index| {
            let chunk = assignment.chunk(table, index);
            let (lookup, sum) = assignment.lookup(table, index, &challenges()).unwrap();
            let before = self.original.lookup(table, index, &challenges()).unwrap().1;
            difference += sum - before;
            let mut head = [&[Fr::from(1)], &chunk.x[..]].concat();
            head[1 + X_SUM] = sum;
            let known: Vec<Fr> = chunk.known.iter().map(|v| Fr::from(*v)).collect();
            let main = chunk.main.as_scalars().to_vec();
            let relation = &self.relations[table];
            let error = vec![Fr::from(0); relation.num_constraints()];
            relation
                .check(&head, [&known, &main, &lookup], &error)
                .is_ok()
        });
        let satisfied = satisfied.fold(true, |all, satisfied| all & satisfied);
        [satisfied, difference == Fr::from(0)]
    }
}

/// Every column, several kinds of rows, several sizes of chunks: one verdict.
#[test]
fn changed_witnesses_are_judged_as_by_the_air() {
    let shapes = Shape::all();
    let mut judged = [0; 2];
    for (class, log_rows) in [
        (sequences::mixed as sequences::Class, 3),
        (sequences::divide, 1),
        (sequences::syscalls, 2),
        (sequences::syscalls, 16),
    ] {
        let case = case(class, 9, 1);
        let folded = Folded::new(&case, &shapes, log_rows);
        // Whole tables cost whole tables.
        let changes = changes(&case.witness, 1, 7 + u64::from(log_rows));
        let step = if log_rows > 4 { 60 } else { 1 };
        let changes: Vec<Change> = changes.into_iter().step_by(step).collect();
        let wrong: Vec<(Change, bool)> = changes
            .par_iter()
            .map_init(
                || case.witness.clone(),
                |witness, change| {
                    let back = apply(witness, *change);
                    let verdicts = [
                        judge(&case, witness, *change) == [true; 2],
                        folded.judge(witness, *change) == [true; 2],
                    ];
                    apply(witness, back);
                    (*change, verdicts)
                },
            )
            .filter(|(_, [air, r1cs])| air != r1cs)
            .map(|(change, [air, _])| (change, air))
            .collect();
        assert!(wrong.is_empty(), "the AIR judges otherwise: {wrong:?}");
        judged[0] += changes.len();
        // The checker that goes over everything, on a sample.
        let mut witness = case.witness.clone();
        let log: Vec<Vec<u32>> = case.log.iter().map(|e| e.fields().to_vec()).collect();
        assert!(check(&case.program, &witness, &log).is_ok());
        for change in changes.iter().step_by(797) {
            let back = apply(&mut witness, *change);
            let ok = check(&case.program, &witness, &log).is_ok();
            assert_eq!(
                judge(&case, &witness, *change) == [true; 2],
                ok,
                "{change:?}"
            );
            apply(&mut witness, back);
            judged[1] += 1;
        }
    }
    println!(
        "{} changes judged alike, {} of them by the checker",
        judged[0], judged[1]
    );
    assert!(judged[0] > 5000 && judged[1] > 5, "{judged:?}");
}

/// The test above measures something: without any one group of constraints, chunks are satisfied where constraints of the AIR
/// fail.
#[test]
fn a_dropped_group_is_noticed() {
    let cases = [
        sequences::mixed as sequences::Class,
        sequences::divide,
        sequences::syscalls,
    ]
    .map(|class| case(class, 9, 1));
    for group in GROUPS {
        let mut shapes = Shape::all();
        shapes[TableAir::CPU] = Shape::without(TableAir::CPU, Some(group));
        let noticed = cases.iter().any(|case| {
            let folded = Folded::new(case, &shapes, 2);
            changes(&case.witness, 2, 11).par_iter().any(|change| {
                let mut witness = case.witness.clone();
                apply(&mut witness, *change);
                folded.judge(&witness, *change)[0] && !judge(case, &witness, *change)[0]
            })
        });
        println!("without {group}: noticed {noticed}");
        assert!(noticed, "dropping {group} is not noticed");
    }
}
