//! The R1CS of a segment's tables, against the AIR that it comes from: chunks of real segments satisfy it, and changed
//! witnesses satisfy it exactly if they satisfy the AIR.

mod common;

use ark_bn254::Fr;
use common::Rng;
use common::sequences::{self, build};
use rewit::fold::{Assignment, Challenges, KNOWN, Known, MAIN, Relation, Shape, Values, X_SUM};
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
        for case in &cases(build(class, 6, 0), &input(), 9, 2) {
            for log_rows in [1, 4, 6, 16] {
                holds(case, &shapes, log_rows);
            }
        }
    }
}

/// A guest of the repository, over segments that end within a transfer and in padding.
#[test]
fn a_guest_satisfies_it() {
    let elf = std::fs::read("guests/prebuilt/fib.elf").unwrap();
    for case in &cases(elf, b"300\n", 10, 4) {
        holds(case, &Shape::all(), 5);
    }
}

/// Whoever verifies computes the known part from the statement; the prover has it from its tables.
#[test]
fn the_known_part_follows_from_the_statement() {
    let shapes = Shape::all();
    for case in &cases(build(sequences::syscalls, 6, 0), &input(), 9, 2) {
        let statement = Statement::new(0, &case.witness);
        let known = Known::new(&statement, &case.air);
        let assignment = Assignment::new(&shapes, &case.witness, &case.log, &case.air, 6).unwrap();
        assert!(statement.log.len() > 10);
        for (table, shape) in shapes.iter().enumerate() {
            let log_rows = assignment.log_rows(table);
            for index in 0..assignment.num_chunks(table) {
                let chunk = assignment.chunk(table, index);
                assert_eq!(known.chunk(table, log_rows, index), chunk.known, "{index}");
                assert_eq!(chunk.known.len(), shape.layout(log_rows).part_len(KNOWN));
            }
        }
    }
}

/// The integers of a valid witness are short: commitments to them are cheap.
#[test]
fn valid_witnesses_are_small() {
    let shapes = Shape::all();
    for case in &cases(build(sequences::mixed, 6, 0), &input(), 11, 1) {
        let assignment = Assignment::new(&shapes, &case.witness, &case.log, &case.air, 6).unwrap();
        let (mut zeros, mut bits, mut all) = (0, [0usize; 65], 0);
        for index in 0..assignment.num_chunks(TableAir::CPU) {
            let Values::Small(main) = assignment.chunk(TableAir::CPU, index).main else {
                panic!("a product overflows");
            };
            zeros += main.iter().filter(|v| **v == 0).count();
            all += main.len();
            for value in main {
                bits[(64 - value.unsigned_abs().leading_zeros()) as usize] += 1;
            }
        }
        let longest = bits.iter().rposition(|count| *count > 0).unwrap_or(0);
        let short: usize = bits[..=8].iter().sum();
        println!(
            "main part: {all} scalars, {zeros} zero, {short} of at most 8 bits, longest {longest} bits"
        );
        assert!(longest <= 34);
        assert!(3 * zeros > all);
    }
}

#[test]
fn digests_tell_shapes_apart() {
    let digests = [
        Shape::new(TableAir::CPU).digest(4),
        Shape::new(TableAir::CPU).digest(5),
        Shape::new(TableAir::BOUNDARY).digest(4),
        Shape::without(TableAir::CPU, Some("divide")).digest(4),
    ];
    for (i, digest) in digests.iter().enumerate() {
        assert!(!digests[..i].contains(digest));
    }
    assert_eq!(digests[0], Shape::new(TableAir::CPU).digest(4));
}

#[test]
fn bad_chunks_are_refused() {
    let shapes = Shape::all();
    let cases = cases(build(sequences::op, 5, 0), &input(), 9, 1);
    let Case { air, witness, log } = &cases[0];
    for log_rows in [0, 17, 40] {
        let refused = Assignment::new(&shapes, witness, log, air, log_rows).unwrap_err();
        assert!(
            refused.to_string().contains("--rows-per-chunk"),
            "{refused}"
        );
    }
    // Another program's table.
    let mut other = witness.clone();
    other.program.words.extend_from_within(..);
    let refused = Assignment::new(&shapes, &other, log, air, 4).unwrap_err();
    assert!(refused.to_string().contains("program table"), "{refused}");
}

/// Every scalar that the prover chooses beyond the trace is held: products, copies of the next row, fractions.
#[test]
fn tampered_chunks_are_not_satisfied() {
    let shapes = Shape::all();
    let cases = cases(build(sequences::mixed, 6, 0), &input(), 9, 1);
    let Case { air, witness, log } = &cases[0];
    let assignment = Assignment::new(&shapes, witness, log, air, 3).unwrap();
    let shape = &shapes[TableAir::CPU];
    let relation = shape.relation(3, &challenges());
    let honest = assignment.chunk(TableAir::CPU, 5);
    let (lookup, sum) = assignment.lookup(TableAir::CPU, 5, &challenges()).unwrap();
    let known: Vec<Fr> = Vec::new();
    let main = honest.main.as_scalars().to_vec();
    let mut head = [&[Fr::from(1)], &honest.x[..]].concat();
    head[1 + X_SUM] = sum;
    let check = |head: &[Fr], main: &[Fr], lookup: &[Fr]| {
        let error = vec![Fr::from(0); relation.num_constraints()];
        relation.check(head, [&known, main, lookup], &error)
    };
    assert_eq!(check(&head, &main, &lookup), Ok(()));
    let counts = shape.counts();
    let singles = relation.layout.parts[MAIN].singles;
    let products = singles + (counts.trace << 3);
    for at in (0..singles).chain((products..main.len()).step_by(7)) {
        let mut main = main.clone();
        main[at] += Fr::from(1);
        assert!(check(&head, &main, &lookup).is_err(), "main scalar {at}");
    }
    for at in (0..lookup.len()).step_by(5) {
        let mut lookup = lookup.clone();
        lookup[at] += Fr::from(1);
        assert!(check(&head, &main, &lookup).is_err(), "fraction {at}");
        // A sum that follows the fraction does not help.
        let mut head = head.clone();
        head[1 + X_SUM] += Fr::from(1);
        assert!(check(&head, &main, &lookup).is_err(), "fraction {at}");
    }
}
