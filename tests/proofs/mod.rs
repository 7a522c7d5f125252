//! What the tests of proofs share: a small run, cheap parameters, a prover that cheats.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test binary uses a part"
)]

pub mod parts;
pub mod target;
pub mod third_party;

use std::mem::discriminant;

use p3_matrix::dense::RowMajorMatrix;
use rewit::segment::Runner;
use rewit::stark::{
    Argument, Chain, ChainError, Grinding, Outcome, Params, Prover, SegmentProof, Statement,
    VerifyError,
};
use rewit::vm::{Program, Stop, Vm};
use rewit::witness::{Matrix, Witness, fill_from_reads, from_monty};

use third_party::Val;

use crate::common::{self, DATA, asm};

/// Parameters that prove nothing worth having, fast.
pub const CHEAP: Params = Params {
    log_blowup: 1,
    num_queries: 3,
    log_arity: 3,
    log_final_len: 3,
    cap_height: 0,
    extension: 4,
    grinding: Grinding {
        lookup: 0,
        out_of_domain: 0,
        batch: 0,
        commit: 0,
        query: 0,
    },
};

/// The same with every part that a proof can have.
pub const ALL_PARTS: Params = Params {
    cap_height: 1,
    grinding: Grinding {
        lookup: 3,
        out_of_domain: 4,
        batch: 5,
        commit: 2,
        query: 6,
    },
    ..CHEAP
};

/// Bytes that [`guest`] reads.
pub const NUM_READ: u32 = 1200;

/// A guest of five segments of 2^8 cycles: a `read` that the first boundary cuts, a loop, `brk`,
/// aligned and unaligned `write`s to all three descriptors, and exit code 7.
pub fn guest() -> Vec<u8> {
    let mut code = asm::syscall(63, &[0, DATA, NUM_READ]);
    code.extend(asm::li(5, 260));
    code.push(asm::addi(6, 6, 3));
    code.push(asm::addi(5, 5, -1));
    code.push(asm::branch(1, 5, 0, -8));
    code.extend(asm::syscall(214, &[0]));
    code.extend(asm::syscall(64, &[1, DATA, 101]));
    code.extend(asm::syscall(64, &[3, DATA + 1, 34]));
    code.extend(asm::syscall(64, &[2, DATA + 2, 5]));
    code.extend(asm::syscall(93, &[7]));
    common::program(&code, &[0xa5; 2048])
}

/// The input of [`guest`], and a few bytes it does not read.
pub fn input() -> Vec<u8> {
    let mut rng = common::Rng::new(9);
    (0..NUM_READ + 10).map(|_| rng.word() as u8).collect()
}

/// A run, with the witness of each segment.
pub struct Run {
    pub program: Program,
    pub input: Vec<u8>,
    pub witnesses: Vec<Witness>,
}

impl Run {
    pub fn new(elf: Vec<u8>, input: Vec<u8>, log_cycles: u32) -> Self {
        let program = Program::from_elf(elf).unwrap();
        let witnesses = witnesses(&program, &input, log_cycles);
        Self {
            program,
            input,
            witnesses,
        }
    }

    /// Proofs of all segments, sent and received.
    pub fn prove(&self, params: Params) -> (blake3::Hash, Vec<SegmentProof>) {
        let prover = Prover::new(&self.program, params).unwrap();
        let digest = prover.key().digest(&params);
        let proofs = self.witnesses.iter().zip(0..).map(|(witness, index)| {
            let proof = prover.prove(index, witness.clone()).unwrap();
            let received = SegmentProof::decode(&proof.encode()).unwrap();
            assert_eq!(received.statement, proof.statement);
            assert_eq!(received.key, proof.key);
            assert_eq!(received.params, proof.params);
            received
        });
        (digest, proofs.collect())
    }

    /// What the chain says to these statements, in order.
    pub fn chain(&self, proofs: &[&SegmentProof]) -> Result<Outcome, ChainError> {
        let mut chain = Chain::new(&self.program, &self.input).unwrap();
        for proof in proofs {
            chain.push(&proof.statement)?;
        }
        chain.finish()
    }

    /// Checks that the chain's outcome is what the machine does.
    pub fn expect(&self, outcome: &Outcome) {
        let mut vm = Vm::new(&self.program, &self.input).unwrap();
        assert_eq!(vm.run(1 << 30), Stop::Exit(outcome.exit_code));
        assert_eq!(vm.stdout(), outcome.stdout);
        assert_eq!(vm.stderr(), outcome.stderr);
        assert_eq!(vm.journal(), outcome.journal);
        assert_eq!(vm.cycle(), outcome.num_cycles);
        assert_eq!(self.witnesses.len() as u64, outcome.num_segments);
    }
}

/// Whether two errors are of one kind, whatever they carry.
pub fn same_variant(found: &VerifyError, expected: &VerifyError) -> bool {
    discriminant(found) == discriminant(expected)
}

/// An error of the kind of openings that do not verify.
pub fn opening() -> VerifyError {
    VerifyError::Opening(String::new())
}

/// The witness of each segment of a run.
pub fn witnesses(program: &Program, input: &[u8], log_cycles: u32) -> Vec<Witness> {
    let mut runner = Runner::new(program, input, log_cycles, 5).unwrap();
    std::iter::from_fn(|| {
        let recording = runner.next_segment()?;
        let filled = fill_from_reads(program, &recording.segment, &recording.reads, Vec::new());
        Some(filled.unwrap())
    })
    .collect()
}

/// A table for Plonky3.
pub fn field_matrix(table: &Matrix) -> RowMajorMatrix<Val> {
    let cells = table.words.iter();
    let cells = cells.map(|word| Val::new(from_monty(*word)));
    RowMajorMatrix::new(cells.collect(), table.width)
}

/// All tables of a segment, the log among them.
pub fn tables(witness: &Witness, statement: &Statement) -> [RowMajorMatrix<Val>; 5] {
    let mut log: Vec<Val> = Vec::new();
    for event in &statement.log {
        log.push(Val::new(1));
        log.extend(event.fields().map(Val::new));
    }
    let rows = statement.log.len().next_power_of_two().max(256);
    log.resize(10 * rows, Val::new(0));
    [
        field_matrix(&witness.cpu),
        field_matrix(&witness.boundary),
        field_matrix(&witness.program),
        field_matrix(&witness.range),
        RowMajorMatrix::new(log, 10),
    ]
}

/// The argument of `statement` that a prover makes from any tables.
pub fn forge(
    program: &Program,
    proof: &SegmentProof,
    statement: &Statement,
    tables: &[RowMajorMatrix<Val>; 5],
) -> Argument {
    let seed = statement.seed(&proof.params, &proof.key);
    Argument::Quartic(Box::new(third_party::prove(
        program,
        &proof.params,
        seed,
        tables,
        &statement.public,
    )))
}
