//! The R1CS of a segment's tables, against the AIR that it comes from: chunks of real segments satisfy it, and changed
//! witnesses satisfy it exactly if they satisfy the AIR.

mod common;

use ark_bn254::Fr;
use common::Rng;
use common::sequences::{self, build};
use rewit::fold::{Assignment, Challenges, Relation, Shape, X_SUM};
use rewit::segment::Runner;
use rewit::stark::air::{ProgramAir, TableAir};
use rewit::stark::{Event, Statement};
use rewit::vm::Program;
use rewit::witness::{Witness, fill_from_reads};

/// Drawn by nobody: large, and the same in every run.
fn challenges() -> Challenges {
    let draw = |name: &[u8]| {
        use ark_ff::PrimeField;
        Fr::from_le_bytes_mod_order(blake3::hash(name).as_bytes())
    };
    Challenges {
        alpha: draw(b"alpha"),
        beta: draw(b"beta"),
    }
}

struct Case {
    air: ProgramAir,
    witness: Witness,
    log: Vec<Event>,
}

fn cases(elf: Vec<u8>, input: &[u8], log_cycles: u32, most: usize) -> Vec<Case> {
    let program = Program::from_elf(elf).unwrap();
    let mut runner = Runner::new(&program, input, log_cycles, 5).unwrap();
    let mut cases = Vec::new();
    while cases.len() < most
        && let Some(recording) = runner.next_segment()
    {
        let segment = &recording.segment;
        let witness = fill_from_reads(&program, segment, &recording.reads, Vec::new()).unwrap();
        cases.push(Case {
            air: ProgramAir::new(&program),
            log: Statement::new(segment.index, &witness).log,
            witness,
        });
    }
    cases
}

fn input() -> Vec<u8> {
    let mut rng = Rng::new(3);
    (0..20_000).map(|_| rng.word() as u8).collect()
}

/// Checks one chunk; returns the sum of its fractions if it is satisfied.
fn chunk(
    assignment: &Assignment,
    relation: &Relation,
    table: usize,
    index: usize,
) -> Result<Fr, String> {
    let mut chunk = assignment.chunk(table, index);
    let (lookup, sum) = assignment.lookup(table, index, &challenges()).unwrap();
    chunk.x[X_SUM] = sum;
    let head = [&[Fr::from(1)], &chunk.x[..]].concat();
    let known: Vec<Fr> = chunk.known.iter().map(|v| Fr::from(*v)).collect();
    let main = chunk.main.as_scalars().to_vec();
    let error = vec![Fr::from(0); relation.num_constraints()];
    relation
        .check(&head, [&known, &main, &lookup], &error)
        .map(|()| sum)
        .map_err(|e| e.to_string())
}

/// All chunks of all tables are satisfied, and the fractions sum to zero.
fn holds(case: &Case, shapes: &[Shape; TableAir::COUNT], log_rows: u32) {
    let Case {
        air, witness, log, ..
    } = case;
    let assignment = Assignment::new(shapes, witness, log, air, log_rows).unwrap();
    let mut total = Fr::from(0);
    for (table, shape) in shapes.iter().enumerate() {
        let relation = shape.relation(assignment.log_rows(table), &challenges());
        for index in 0..assignment.num_chunks(table) {
            total += chunk(&assignment, &relation, table, index)
                .unwrap_or_else(|e| panic!("{} chunk {index}: {e}", shape.name()));
        }
    }
    assert_eq!(total, Fr::from(0), "buses do not balance");
}

/// The smallest chunks, usual ones, and whole tables.
#[test]
fn segments_satisfy_it() {
    let shapes = Shape::all();
    for shape in &shapes {
        println!("{}: {:?}", shape.name(), shape.counts());
    }
    for class in [sequences::mixed as sequences::Class, sequences::syscalls] {
        for case in &cases(build(class, 6, 0), &input(), 9, 3) {
            for log_rows in [1, 4, 6, 16] {
                holds(case, &shapes, log_rows);
            }
        }
    }
}
