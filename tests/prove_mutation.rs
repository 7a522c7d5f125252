//! Witnesses with one cell changed, through the real prover and verifier: a sample of what
//! `air.rs` does with every cell and the constraints alone.

mod common;
mod proofs;

use std::collections::{BTreeMap, BTreeSet};

use common::Rng;
use common::sequences::{self, Class as Sequence, build};
use p3_baby_bear::BabyBear;
use proofs::{CHEAP, guest, witnesses};
use rewit::segment::Runner;
use rewit::stark::mutate::{NUM_ROW_NAMES, row_name};
use rewit::stark::{Chain, ChainError, Prover, Statement, VerifyError};
use rewit::vm::Program;
use rewit::witness::layout::{
    CLASS, Class, Col, IMM, LINK_HI, MOVE, NUM_CLASSES, PC, RD, RD_NEW, REGISTER_BASE, RS1, RS2,
    SIGNED, SIGNED_B, TARGET, USE_IMM, WIDTH, WRITES_RD, boundary, public, range, timestamp,
};
use rewit::witness::rom::{ROM_FIELDS, rom};
use rewit::witness::{Matrix, P, Witness, fill_from_reads, from_monty, to_monty};

/// Cells changed in rows of each kind.
const CELLS_PER_KIND: usize = 5;

/// One program, its prover, and what was found.
struct Bench {
    program: Program,
    prover: Prover,
    key: blake3::Hash,
    /// Fields of the program table's rows.
    rom: Vec<Option<[u32; ROM_FIELDS]>>,
}

impl Bench {
    fn new(elf: Vec<u8>) -> Self {
        let program = Program::from_elf(elf).unwrap();
        let prover = Prover::new(&program, CHEAP).unwrap();
        Self {
            key: prover.key().digest(&CHEAP),
            rom: rom(&program).collect(),
            prover,
            program,
        }
    }

    /// What the verifier says to a proof of this witness by a prover that says of it what it can.
    fn outcome(&self, witness: &Witness, original: &Statement) -> Result<(), VerifyError> {
        let own = Statement::new(original.index, witness);
        let statement = if own.check().is_ok() {
            own
        } else {
            // What the tables hold cannot be said: say what happened.
            original.clone()
        };
        let proof = self.prover.prove_statement(statement, witness.clone());
        proof.unwrap().verify(&CHEAP, &self.key)
    }

    /// Changes a cell of the cpu table; a prover that `adjusts` corrects the counts of what is
    /// looked up, as far as the tables hold it.
    fn change_cpu(&self, witness: &mut Witness, row: usize, col: Col, value: u32, adjusts: bool) {
        let before = witness.cpu.row(row).to_vec();
        witness.cpu.words[row * WIDTH + col] = to_monty(value);
        if !adjusts {
            return;
        }
        let after = witness.cpu.row(row).to_vec();
        let lookups = (
            &range::COLS16[..],
            &range::COLS14[..],
            &range::COLS_BYTES[..],
        );
        recount(&mut witness.range, lookups, &before, &after);
        let [old, new] = [&before, &after].map(|row| {
            let instruction = instruction(row)?;
            self.rom
                .iter()
                .position(|entry| *entry == Some(instruction))
        });
        if let (Some(old), Some(new)) = (old, new) {
            add(&mut witness.program, old, 0, P - 1);
            add(&mut witness.program, new, 0, 1);
        }
    }
}

/// Adds to a cell, modulo p.
fn add(table: &mut Matrix, row: usize, col: Col, value: u32) {
    let cell = &mut table.words[row * table.width + col];
    *cell = to_monty(((u64::from(from_monty(*cell)) + u64::from(value)) % u64::from(P)) as u32);
}

/// What a row of the cpu table looks up in the program table.
fn instruction(row: &[u32]) -> Option<[u32; ROM_FIELDS]> {
    let cell = |col: Col| from_monty(row[col]);
    let class = (0..NUM_CLASSES).find(|class| cell(CLASS + class) != 0)?;
    if cell(MOVE) != 0 {
        return None;
    }
    let code = class as u32
        + 32 * cell(SIGNED)
        + 64 * cell(SIGNED_B)
        + 128 * cell(USE_IMM)
        + 256 * cell(WRITES_RD);
    Some([
        cell(PC),
        code,
        cell(RD),
        cell(RS1),
        cell(RS2),
        cell(IMM),
        cell(IMM + 1),
        cell(TARGET),
        cell(LINK_HI),
    ])
}

/// Moves the counts of what a row looks up in the range table from what it held to what it holds.
fn recount(
    table: &mut Matrix,
    (cols16, cols14, bytes): (&[Col], &[Col], &[Col]),
    before: &[u32],
    after: &[u32],
) {
    let mut count = |entry: fn(&[u32], Col) -> Option<usize>, cols: &[Col], counter: Col| {
        for &col in cols {
            // What no table holds is not counted: the change shows as a lookup that fails.
            if let (Some(old), Some(new)) = (entry(before, col), entry(after, col)) {
                add(table, old, counter, P - 1);
                add(table, new, counter, 1);
            }
        }
    };
    count(
        |row, col| entry(row[col], 1 << 16, 1),
        cols16,
        range::VALUE16,
    );
    count(
        |row, col| entry(row[col], 1 << 14, 4),
        cols14,
        range::VALUE14,
    );
    count(
        |row, col| Some(entry(row[col], 256, 1)? + entry(row[col + 1], 256, 256)?),
        bytes,
        range::BYTES,
    );
}

fn entry(cell: u32, limit: u32, scale: usize) -> Option<usize> {
    let value = from_monty(cell);
    (value < limit).then_some(value as usize * scale)
}

/// Another value for a cell: near, a bit or byte away, or anything.
fn other(value: u32, rng: &mut Rng) -> u32 {
    loop {
        let new = match rng.below(5) {
            0 => value ^ 1,
            1 => (value + 1) % P,
            2 => value ^ 0x80,
            3 => rng.below(256),
            _ => rng.word() % P,
        };
        if new != value && new < P {
            return new;
        }
    }
}

#[derive(Default)]
struct Score {
    tried: usize,
    adjusted: usize,
    kinds: BTreeSet<String>,
    reasons: BTreeMap<String, usize>,
    accepted: Vec<String>,
}

impl Score {
    fn add(&mut self, what: &str, outcome: Result<(), VerifyError>) {
        self.tried += 1;
        let reason = match outcome {
            Ok(()) => {
                self.accepted.push(what.to_owned());
                return;
            }
            Err(VerifyError::Constraints { table }) => format!("constraints of {table}"),
            Err(VerifyError::Column { table, .. }) => format!("columns of {table}"),
            Err(VerifyError::Lookups(_)) => "lookups".into(),
            Err(VerifyError::Statement(_)) => "statement".into(),
            Err(error) => panic!("{what}: {error:?}"),
        };
        *self.reasons.entry(reason).or_default() += 1;
    }
}

/// Rows of kinds not seen so far: of the cpu table, then of the boundary table.
fn new_rows(witness: &Witness, kinds: &BTreeSet<String>) -> [BTreeMap<String, Vec<usize>>; 2] {
    let mut rows: [BTreeMap<String, Vec<usize>>; 2] = Default::default();
    let mut add = |table: usize, name: String, row: usize| {
        if !kinds.contains(&name) {
            rows[table].entry(name).or_default().push(row);
        }
    };
    for row in 0..witness.cpu.height() {
        let cells = witness.cpu.row(row).iter();
        let cells: Vec<_> = cells.map(|cell| BabyBear::new(from_monty(*cell))).collect();
        add(0, row_name(&cells), row);
    }
    for row in 0..witness.boundary.height() {
        let cells = witness.boundary.row(row);
        let name = match (cells[boundary::REAL], cells[boundary::REGISTER]) {
            (0, _) => "boundary padding",
            (_, 0) => "boundary word",
            _ => "boundary register",
        };
        add(1, name.into(), row);
    }
    rows
}

fn mutate(bench: &Bench, witness: &Witness, index: u32, rng: &mut Rng, score: &mut Score) {
    let statement = Statement::new(index, witness);
    let [cpu, boundary_rows] = new_rows(witness, &score.kinds);
    if cpu.is_empty() && boundary_rows.is_empty() {
        return;
    }
    assert!(bench.outcome(witness, &statement).is_ok());
    for (name, rows) in cpu {
        let mut cols = BTreeSet::new();
        while cols.len() < CELLS_PER_KIND {
            let row = rows[rng.below(rows.len() as u32) as usize];
            let cells = witness.cpu.row(row);
            // Half of them cells that the row uses.
            let col = rng.below(WIDTH as u32) as usize;
            if cols.len() % 2 == 0 && cells[col] == 0 && name != "padding" || !cols.insert(col) {
                continue;
            }
            let value = other(from_monty(cells[col]), rng);
            let adjusts = rng.below(3) > 0;
            score.adjusted += usize::from(adjusts);
            let mut changed = witness.clone();
            bench.change_cpu(&mut changed, row, col, value, adjusts);
            let what = format!("{name} row {row}, column {col}: {value}");
            score.add(&what, bench.outcome(&changed, &statement));
        }
        score.kinds.insert(name);
    }
    for (name, rows) in boundary_rows {
        for col in 0..boundary::WIDTH {
            let row = rows[rng.below(rows.len() as u32) as usize];
            let mut changed = witness.clone();
            let before = witness.boundary.row(row).to_vec();
            let value = other(from_monty(before[col]), rng);
            changed.boundary.words[row * boundary::WIDTH + col] = to_monty(value);
            if col % 3 > 0 {
                let lookups = (
                    &boundary::COLS16[..],
                    &boundary::COLS14[..],
                    &boundary::COLS_BYTES[..],
                );
                let after = changed.boundary.row(row).to_vec();
                recount(&mut changed.range, lookups, &before, &after);
                score.adjusted += 1;
            }
            let what = format!("{name} row {row}, column {col}: {value}");
            score.add(&what, bench.outcome(&changed, &statement));
        }
        score.kinds.insert(name);
    }
}

fn mutate_counts(bench: &Bench, witness: &Witness, rng: &mut Rng, score: &mut Score) {
    let statement = Statement::new(0, witness);
    for _ in 0..4 {
        let mut changed = witness.clone();
        let row = rng.below(changed.program.height() as u32) as usize;
        add(&mut changed.program, row, 0, 1 + rng.below(100));
        score.add("program table", bench.outcome(&changed, &statement));
        for col in 0..range::WIDTH {
            let mut changed = witness.clone();
            let row = rng.below(1 << range::LOG_ROWS) as usize;
            add(&mut changed.range, row, col, 1 + rng.below(100));
            score.add("range table", bench.outcome(&changed, &statement));
        }
    }
    for i in [public::START_PC, public::END_PC, public::NUM_CYCLES] {
        let mut lie = statement.clone();
        lie.public[i] -= 1;
        let proof = bench.prover.prove_statement(lie, witness.clone()).unwrap();
        score.add("public values", proof.verify(&CHEAP, &bench.key));
    }
    score.kinds.insert("public values".into());
}

/// Every kind of row, several columns each; counts left as they were, or adjusted.
#[test]
fn every_changed_cell_is_rejected() {
    let mut rng = Rng::new(11);
    let input: Vec<u8> = (0..20_000).map(|_| rng.word() as u8).collect();
    let mut score = Score::default();
    for (program, class) in [
        sequences::mixed as Sequence,
        sequences::divide,
        sequences::syscalls,
    ]
    .into_iter()
    .enumerate()
    {
        let bench = Bench::new(build(class, 6, 0));
        let mut runner = Runner::new(&bench.program, &input, 12, 5).unwrap();
        let mut last = None;
        // The dump at the end has few kinds.
        while score.kinds.len() < NUM_ROW_NAMES
            && let Some(recording) = runner.next_segment()
        {
            let segment = &recording.segment;
            if segment.index > 16 {
                break;
            }
            let filled =
                fill_from_reads(&bench.program, segment, &recording.reads, Vec::new()).unwrap();
            mutate(&bench, &filled, segment.index, &mut rng, &mut score);
            last.get_or_insert(filled);
        }
        if program == 0 {
            mutate_counts(&bench, &last.unwrap(), &mut rng, &mut score);
        }
    }
    println!(
        "mutation through the prover: {} of {} rejected, {} of {NUM_ROW_NAMES} row kinds",
        score.tried - score.accepted.len(),
        score.tried,
        score.kinds.len(),
    );
    println!("counts adjusted in {}; {:?}", score.adjusted, score.reasons);
    assert_eq!(score.accepted, Vec::<String>::new());
    assert_eq!(score.kinds.len(), NUM_ROW_NAMES, "{:?}", score.kinds);
    assert!(score.adjusted > 100);
}

/// A wrong result that nothing later reads, with the boundary, the statement and all counts made to
/// fit: only the constraints of the row itself can tell.
#[test]
fn a_wrong_result_with_everything_else_adjusted_is_rejected() {
    let mut rng = Rng::new(12);
    let mut classes = BTreeSet::new();
    let mut tried = 0;
    for class in [
        sequences::mixed as Sequence,
        sequences::multiply,
        sequences::loads,
        sequences::jumps,
        sequences::divide,
    ] {
        let bench = Bench::new(build(class, 7, 0));
        let mut runner = Runner::new(&bench.program, &[], 8, 5).unwrap();
        for index in 0..60 {
            let recording = runner.next_segment().unwrap();
            let (segment, reads) = (&recording.segment, &recording.reads);
            let witness = &fill_from_reads(&bench.program, segment, reads, Vec::new()).unwrap();
            let registers = witness.boundary.words.chunks(boundary::WIDTH).enumerate();
            for (cell, cells) in registers {
                let number = from_monty(cells[boundary::LO]);
                // The row whose `rd` is the last access of the register.
                let time = from_monty(cells[boundary::TIME]);
                if cells[boundary::REGISTER] == 0 || time == 0 || time % 4 != timestamp(0, 3) % 4 {
                    continue;
                }
                let row = (time / 4 - 1) as usize;
                let cpu = witness.cpu.row(row);
                assert_eq!(from_monty(cpu[RD]), number);
                let class = Class::ALL
                    .into_iter()
                    .find(|class| cpu[CLASS + *class as usize] != 0);
                // What a system call returns is in the log, and the chain's to judge.
                if class == Some(Class::Ecall) || !classes.insert(class.unwrap()) {
                    continue;
                }
                let byte = rng.below(4) as usize;
                let old = from_monty(cpu[RD_NEW + byte]);
                let new = old ^ (1 << rng.below(8));
                let mut changed = witness.clone();
                bench.change_cpu(&mut changed, row, RD_NEW + byte, new, true);
                changed.boundary.words[cell * boundary::WIDTH + boundary::FINAL + byte] =
                    to_monty(new);
                let lie = Statement::new(index, &changed);
                assert_eq!(lie.check(), Ok(()));
                let error = bench.outcome(&changed, &lie).unwrap_err();
                assert!(
                    matches!(error, VerifyError::Constraints { table: "cpu" }),
                    "{class:?} in row {row}: {error:?}"
                );
                tried += 1;
            }
        }
    }
    println!("{tried} wrong results rejected, of {classes:?}");
    assert_eq!(classes.len(), 19, "all that write a register: {classes:?}");
}

/// The one lie about tables that a proof cannot refuse, and the chain does: what an untouched
/// register held. That it is accepted shows that changed witnesses are not refused for being so.
#[test]
fn an_untouched_register_is_for_the_chain() {
    let bench = Bench::new(guest());
    let input = proofs::input();
    let witness = &witnesses(&bench.program, &input, 8)[0];
    let mut changed = witness.clone();
    let x29 = Statement::new(0, witness);
    let x29 = x29.boundary.iter();
    let row = x29
        .take_while(|cell| cell.address < REGISTER_BASE + 29)
        .count();
    let before = witness.boundary.row(row).to_vec();
    assert_eq!(before[boundary::TIME], 0);
    for col in [boundary::INIT, boundary::FINAL] {
        changed.boundary.words[row * boundary::WIDTH + col] = to_monty(5);
    }
    let after = changed.boundary.row(row).to_vec();
    let bytes = &boundary::COLS_BYTES[..];
    recount(&mut changed.range, (&[], &[], bytes), &before, &after);
    let statement = Statement::new(0, &changed);
    assert!(bench.outcome(&changed, &statement).is_ok());
    let mut chain = Chain::new(&bench.program, &input).unwrap();
    assert_eq!(
        chain.push(&statement),
        Err(ChainError::Register {
            segment: 0,
            register: 29,
            found: 5,
            expected: 0
        })
    );
    // With the counts as they were, the lookups tell.
    changed.range = witness.range.clone();
    let error = bench.outcome(&changed, &statement).unwrap_err();
    assert!(matches!(error, VerifyError::Lookups(_)), "{error:?}");
}
