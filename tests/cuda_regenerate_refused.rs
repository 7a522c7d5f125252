//! What the CPU refuses to regenerate a witness from is refused on a device, with the same words.
#![cfg(feature = "cuda")]

mod device;
mod guests;
mod regenerate;

use guests::shipment;
use regenerate::{Bench, assert_same};
use rewit::backend::cuda::DeviceWitness;
use rewit::backend::{Backend, Cpu};
use rewit::segment::{Reads, Recording, Runner, Segment};
use rewit::ship::{Base, Payload, ROW_KIND_SHIFT, Record, RowKind, Shipment};
use rewit::vm::{Kind, Program};
use rewit::witness::{Matrix, P, Witness, fill_from_reads, replay_reads};

/// The same error as with one thread on the CPU, which reports the first row's.
fn cpu_error(program: &Program, segment: &Segment, reads: &Reads) -> Option<String> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    pool.install(|| fill_from_reads(program, segment, reads, Vec::new()))
        .err()
        .map(|e| e.to_string())
}

/// Every word and every checkpoint of a small trace damaged in turn: refused as on the CPU, or the CPU's other witness.
#[test]
fn damaged_minimal_traces_are_refused_in_the_same_words() {
    for (name, at) in [("sha2-chain", 1), ("block", 0)] {
        let Some(bench) = Bench::new(name) else {
            return;
        };
        let program = &bench.guest.program;
        let mut runner = Runner::new(program, &bench.guest.input, 8, 4).unwrap();
        for _ in 0..at {
            runner.skip_segment();
        }
        let Recording { segment, reads, .. } = runner.next_segment().unwrap();
        let mut refused = 0;
        let mut check = |what: &str, reads: &Reads| {
            let found = bench.regenerate_reads(&segment, reads);
            match (found, cpu_error(program, &segment, reads)) {
                (Ok(found), None) => {
                    let expected = fill_from_reads(program, &segment, reads, Vec::new()).unwrap();
                    assert_same(what, &found, &expected);
                }
                (Err(found), Some(expected)) => {
                    assert_eq!(found.to_string(), expected, "{what}");
                    refused += 1;
                }
                (found, expected) => panic!(
                    "{what}: {:?} on the device, {expected:?} on the CPU",
                    found.err().map(|e| e.to_string())
                ),
            }
        };
        for at in (0..reads.words.len()).step_by(17) {
            let mut bad = reads.clone();
            bad.words[at] ^= 1 << (at % 32);
            check(&format!("{name} word {at}"), &bad);
        }
        let mut bad = reads.clone();
        bad.words.pop();
        check("last word missing", &bad);
        bad.words.truncate(1);
        for checkpoint in &mut bad.checkpoints {
            checkpoint.first_word = checkpoint.first_word.min(1);
        }
        check("one word", &bad);
        for index in (1..reads.checkpoints.len()).step_by(4) {
            let mut bad = reads.clone();
            bad.checkpoints[index].state.x[5] ^= 1;
            check(&format!("{name} x5 of checkpoint {index}"), &bad);
            let mut bad = reads.clone();
            bad.checkpoints[index].state.pc ^= 0x8000_0002;
            check(&format!("{name} pc of checkpoint {index}"), &bad);
            let mut bad = reads.clone();
            bad.checkpoints[index].state.x[2] ^= 1;
            check(&format!("{name} stack pointer of checkpoint {index}"), &bad);
            let mut bad = reads.clone();
            bad.checkpoints[index].state.io_phase ^= 1;
            bad.checkpoints[index].state.io_left = 9;
            check(&format!("{name} phase of checkpoint {index}"), &bad);
            let mut bad = reads.clone();
            bad.checkpoints[index].state.halted = 1;
            check(&format!("{name} checkpoint {index} halted"), &bad);
        }
        let mut bad = reads.clone();
        bad.checkpoints.pop();
        check("last checkpoint missing", &bad);
        assert!(refused > 20, "{name}: {refused} refused");
    }
}

/// Records that no execution gives are refused, wherever they are wrong.
#[test]
fn impossible_records_are_refused() {
    let Some(bench) = Bench::new("block") else {
        return;
    };
    let program = &bench.guest.program;
    let mut runner = Runner::new(program, &bench.guest.input, 12, 5).unwrap();
    let recording = runner.next_segment().unwrap();
    let segment = &recording.segment;
    let good = replay_reads(program, segment, &recording.reads)
        .unwrap()
        .into_records();
    let refused = |what: &str, row: usize, change: &dyn Fn(&mut Record)| {
        let mut records = good.clone();
        change(&mut records[row]);
        let shipment = shipment(program, &recording, Payload::Records(records));
        let error = bench
            .regenerate(&shipment, None)
            .expect_err(what)
            .to_string();
        assert!(
            error.contains(&format!("row {row}:")) || error.contains("of the segment's"),
            "{what}: {error}"
        );
    };
    let kind = |record: &Record| record.op >> ROW_KIND_SHIFT;
    let row_of = |wanted: RowKind| good.iter().position(|r| kind(r) == wanted as u32).unwrap();
    let word = row_of(RowKind::MoveInWord);
    refused("a step that is no unit", word, &|r| r.gap[0] = 3);
    refused("a misaligned word moved", word, &|r| r.a += 1);
    refused("more left than a transfer has", word, &|r| {
        r.rd_old = u32::MAX;
    });
    refused("no such row kind", word, &|r| r.op |= 7 << ROW_KIND_SHIFT);
    let setup = row_of(RowKind::Setup);
    refused("a gap of more than 24 bits", setup, &|r| r.gap[1] = 1 << 24);
    refused("too long a transfer", setup - 1, &|r| r.old = u32::MAX);
    refused("no such instruction", setup, &|r| {
        r.op = (1 << ROW_KIND_SHIFT) - 1;
    });
    refused("a gap that is not the access's", setup, &|r| r.gap[1] ^= 1);
    refused("a gap in a slot without access", setup, &|r| r.gap[3] = 1);
    let load = good
        .iter()
        .position(|record| kind(record) == 0 && program.ops()[record.op as usize].kind == Kind::Lw)
        .unwrap();
    refused("a misaligned load", load, &|r| r.a += 1);
    refused("a memory gap that is not the access's", load, &|r| {
        r.gap[2] ^= 2;
    });
}

/// Records and witnesses say which states they connect; a header that says otherwise is refused.
#[test]
fn states_must_fit_what_was_shipped() {
    let Some(bench) = Bench::new("block") else {
        return;
    };
    let program = &bench.guest.program;
    let mut runner = Runner::new(program, &bench.guest.input, 9, 5).unwrap();
    runner.next_segment().unwrap();
    let recording = runner.next_segment().unwrap();
    let (good, reads) = (recording.segment, &recording.reads);
    let records = replay_reads(program, &good, reads).unwrap().into_records();
    let witness = fill_from_reads(program, &good, reads, Vec::new())
        .unwrap()
        .into_tables();
    for payload in [Payload::Records(records), Payload::Witness(witness)] {
        let check = |segment: Segment| {
            let mut shipment = shipment(program, &recording, payload.clone());
            shipment.segment = segment;
            let expected = Cpu.regenerate(program, shipment.clone(), None, None);
            let expected = expected.unwrap_err().to_string();
            let found = bench.regenerate(&shipment, None).unwrap_err().to_string();
            assert_eq!(found, expected);
        };
        for register in 1..32 {
            let mut segment = good;
            segment.start.x[register] ^= 0x100;
            check(segment);
            let mut segment = good;
            segment.end.x[register] ^= 1;
            check(segment);
        }
        let mut segment = good;
        segment.start.pc += 4;
        check(segment);
        let mut segment = good;
        segment.end.pc += 4;
        check(segment);
    }
}

/// Snapshots that lack something, or lead elsewhere.
#[test]
fn wrong_snapshots_are_refused_in_the_same_words() {
    let Some(bench) = Bench::new("sort") else {
        return;
    };
    let program = &bench.guest.program;
    let mut runner = Runner::new(program, &bench.guest.input, 9, 5).unwrap();
    let mut recording = runner.next_segment().unwrap();
    // A segment that reads input.
    while recording.input.is_empty() {
        recording = runner.next_segment().unwrap();
    }
    let pages = Payload::Pages(recording.touched.clone());
    let good = shipment(program, &recording, pages);
    bench.regenerate(&good, None).unwrap();
    let check = |what: &str, change: &dyn Fn(&mut Shipment)| {
        let mut bad = good.clone();
        change(&mut bad);
        let expected = Cpu.regenerate(program, bad.clone(), None, None);
        let expected = expected.expect_err(what).to_string();
        let found = bench.regenerate(&bad, None).expect_err(what).to_string();
        assert_eq!(found, expected, "{what}");
    };
    check("input missing", &|bad| bad.input.clear());
    check("another end", &|bad| bad.segment.end.x[7] ^= 1);
    check("a start that is no state", &|bad| {
        bad.segment.start.x[0] = 1;
    });
    check("a start outside code", &|bad| bad.segment.start.pc = 4);
    check("a start after exit", &|bad| bad.segment.start.halted = 1);
    check("of another program", &|bad| bad.program[0] ^= 1);
    check("no pages", &|bad| {
        let Payload::Pages(pages) = &mut bad.payload else {
            unreachable!()
        };
        pages.bytes.pop();
    });
    check("a delta without its base", &|bad| {
        bad.payload = Payload::Delta {
            base: Base::Previous { digest: [1; 32] },
            pages: recording.touched.clone(),
        };
    });
    for missing in 0..recording.touched.numbers.len() {
        let mut bad = good.clone();
        let Payload::Pages(pages) = &mut bad.payload else {
            unreachable!()
        };
        pages.numbers.remove(missing);
        pages.bytes.drain(missing << 10..(missing + 1) << 10);
        let error = bench.regenerate(&bad, None).unwrap_err().to_string();
        assert!(error.contains("which was not shipped"), "{error}");
    }
}

/// A witness goes to the device and back; cells that are no field elements do not.
#[test]
fn witnesses_are_uploaded_and_checked() {
    let Some(bench) = Bench::new("fib") else {
        return;
    };
    let program = &bench.guest.program;
    let mut runner = Runner::new(program, &bench.guest.input, 8, 5).unwrap();
    let recording = runner.next_segment().unwrap();
    let witness =
        fill_from_reads(program, &recording.segment, &recording.reads, Vec::new()).unwrap();
    let there = DeviceWitness::upload(&bench.device, &witness).unwrap();
    assert_eq!(there.num_bytes(), witness.num_bytes());
    let back = there.download(&bench.device, witness.clone()).unwrap();
    assert_same("there and back", &back, &witness);
    type Table = fn(&mut Witness) -> &mut Matrix;
    let tables: [(&str, Table); 4] = [
        ("cpu", |w| &mut w.cpu),
        ("boundary", |w| &mut w.boundary),
        ("program", |w| &mut w.program),
        ("range", |w| &mut w.range),
    ];
    for (name, table) in tables {
        let mut bad = witness.clone();
        *table(&mut bad).words.last_mut().unwrap() = P;
        let expected = format!("the {name} table has a cell that is no field element");
        for error in [
            DeviceWitness::upload(&bench.device, &bad).unwrap_err(),
            bench
                .regenerate(
                    &shipment(program, &recording, Payload::Witness(bad.into_tables())),
                    None,
                )
                .unwrap_err(),
        ] {
            assert!(error.to_string().ends_with(&expected), "{error}");
        }
    }
}

/// Each public value in a form that is no field element: P more stands for the same integer.
#[test]
fn public_values_must_be_field_elements() {
    let Some(bench) = Bench::new("fib") else {
        return;
    };
    let program = &bench.guest.program;
    let mut runner = Runner::new(program, &bench.guest.input, 8, 5).unwrap();
    let recording = runner.next_segment().unwrap();
    let Recording { segment, reads, .. } = &recording;
    let witness = fill_from_reads(program, segment, reads, Vec::new()).unwrap();
    let good = witness.into_tables();
    let public = good.iter().position(|t| t.name == "public").unwrap();
    for at in 0..good[public].words.len() {
        let mut tables = good.clone();
        tables[public].words[at] += P;
        let bad = shipment(program, &recording, Payload::Witness(tables));
        let expected = "the public table has a cell that is no field element";
        for error in [
            Cpu.regenerate(program, bad.clone(), None, None)
                .unwrap_err(),
            bench.regenerate(&bad, None).unwrap_err(),
        ] {
            assert!(error.to_string().ends_with(expected), "{error}");
        }
    }
}
