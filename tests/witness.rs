//! Witnesses of the built-in guests hold, and are the same however they are made.

mod guests;

use guests::{Encoded, Guest, NAMES, shipment};
use rewit::backend::{Backend, Cpu};
use rewit::segment::{Recording, Runner};
use rewit::ship::{Payload, ROW_KIND_SHIFT, Record, RowKind};
use rewit::stark::check::check;
use rewit::vm::{Kind, Program};
use rewit::witness::{Witness, adopt_records, fill_from_reads, fill_tables, replay_reads};

/// Calls `with` on the first segments of a guest's small run and a sample of the others.
fn sampled(guest: &Guest, log_cycles: u32, every: u32, mut with: impl FnMut(&Runner, Recording)) {
    let mut runner = Runner::new(&guest.program, &guest.input, log_cycles, 6).unwrap();
    for index in 0.. {
        if index > 1 && index % every != 0 {
            if runner.skip_segment().is_none() {
                break;
            }
            continue;
        }
        let Some(recording) = runner.next_segment() else {
            break;
        };
        with(&runner, recording);
    }
}

/// The witness in two passes, checked to be the same in one.
fn reference(program: &Program, recording: &Recording) -> Witness {
    let Recording { segment, reads, .. } = recording;
    let records = replay_reads(program, segment, reads).unwrap();
    let witness = fill_tables(program, segment, &records, Vec::new()).unwrap();
    let in_one_pass = fill_from_reads(program, segment, reads, witness.cpu.words.clone()).unwrap();
    assert!(in_one_pass == witness, "segment {}", segment.index);
    witness
}

#[test]
fn every_guest_satisfies_every_constraint() {
    for name in NAMES {
        let guest = Guest::small(name);
        let program = &guest.program;
        let mut checked = 0;
        sampled(&guest, 12, 61, |_, recording| {
            let segment = &recording.segment;
            let records = replay_reads(program, segment, &recording.reads).unwrap();
            let log = records.system_calls(program);
            let witness = fill_tables(program, segment, &records, Vec::new()).unwrap();
            let report = check(program, &witness, &log);
            assert!(
                report.is_ok(),
                "{name} segment {}: {report:#?}",
                segment.index
            );
            assert!(report.num_messages > 22 << segment.log_cycles);
            checked += 1;
        });
        assert!(checked >= 2, "{name}: {checked} segments checked");
    }
}

/// Segments that end inside a system call, and ones too short for a full chunk.
#[test]
fn tiny_segments_satisfy_every_constraint() {
    let guest = Guest::small("block");
    let program = &guest.program;
    let mut runner = Runner::new(program, &guest.input, 5, 3).unwrap();
    let mut inside = [0; 3];
    for _ in 0..2000 {
        let Some(recording) = runner.next_segment() else {
            break;
        };
        let segment = &recording.segment;
        let records = replay_reads(program, segment, &recording.reads).unwrap();
        inside[segment.start.io_phase as usize] += 1;
        if segment.start.io_phase == 0 && segment.end.io_phase == 0 {
            continue;
        }
        let witness = fill_tables(program, segment, &records, Vec::new()).unwrap();
        let report = check(program, &witness, &records.system_calls(program));
        assert!(report.is_ok(), "segment {}: {report:#?}", segment.index);
    }
    assert!(inside[2] > 5, "transfers cross boundaries: {inside:?}");
}

#[test]
fn every_encoding_regenerates_the_same_witness() {
    for name in NAMES {
        let guest = Guest::small(name);
        let program = &guest.program;
        let mut runner = Runner::new(program, &guest.input, 13, 5).unwrap();
        let mut previous = program.initial_pages();
        for _ in 0..4 {
            let Some(encoded) = guest.next_encoded(&mut runner, &previous) else {
                break;
            };
            let Encoded {
                recording,
                image,
                witness: expected,
                payloads,
            } = encoded;
            assert!(reference(program, &recording) == expected);
            let segment = recording.segment;
            for payload in payloads {
                let shipment = shipment(program, &recording, payload);
                let encoding = shipment.encoding();
                let made = Cpu
                    .regenerate(program, shipment, Some(&previous), None)
                    .unwrap_or_else(|e| panic!("{name} {encoding}: {e}"));
                assert!(
                    made.witness == expected,
                    "{name} segment {} {encoding}: witness differs",
                    segment.index
                );
            }
            previous = image;
        }
    }
}

#[test]
fn threads_do_not_change_the_witness() {
    let guest = Guest::small("sort");
    sampled(&guest, 14, 97, |_, recording| {
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| reference(&guest.program, &recording))
        };
        let one = with(1);
        for threads in [2, 3, 7] {
            assert!(with(threads) == one, "{threads} threads");
        }
        let records = replay_reads(&guest.program, &recording.segment, &recording.reads).unwrap();
        let adopted =
            adopt_records(&guest.program, &recording.segment, records.into_records()).unwrap();
        let again = fill_tables(
            &guest.program,
            &recording.segment,
            &adopted,
            one.cpu.words.clone(),
        );
        assert!(again.unwrap() == one);
    });
}

#[test]
fn damaged_minimal_traces_are_refused() {
    let guest = Guest::small("sha2-chain");
    let program = &guest.program;
    let mut runner = Runner::new(program, &guest.input, 12, 6).unwrap();
    let recording = runner.next_segment().unwrap();
    let good = reference(program, &recording).digest();
    let (mut refused, mut changed) = (0, 0);
    for at in (0..recording.reads.words.len()).step_by(97) {
        let mut reads = recording.reads.clone();
        reads.words[at] ^= 1 << (at % 32);
        match replay_reads(program, &recording.segment, &reads) {
            Err(_) => refused += 1,
            Ok(records) => {
                let made = fill_tables(program, &recording.segment, &records, Vec::new()).unwrap();
                assert_ne!(made.digest(), good, "word {at} does not matter");
                changed += 1;
            }
        }
    }
    assert!(refused > 0, "{refused} refused, {changed} changed");
    let mut reads = recording.reads.clone();
    reads.words.pop();
    assert!(replay_reads(program, &recording.segment, &reads).is_err());
    let mut reads = recording.reads.clone();
    reads.checkpoints[3].state.x[5] ^= 1;
    assert!(replay_reads(program, &recording.segment, &reads).is_err());
    let mut reads = recording.reads.clone();
    reads.checkpoints.pop();
    assert!(replay_reads(program, &recording.segment, &reads).is_err());
}

/// Records and witnesses say which states they connect; a header that says otherwise is refused.
#[test]
fn states_must_fit_what_was_shipped() {
    let guest = Guest::small("block");
    let program = &guest.program;
    let mut runner = Runner::new(program, &guest.input, 12, 5).unwrap();
    runner.next_segment().unwrap();
    let recording = runner.next_segment().unwrap();
    let records = replay_reads(program, &recording.segment, &recording.reads).unwrap();
    let witness = reference(program, &recording).into_tables();
    let records = records.into_records();
    let payloads = [Payload::Records(records), Payload::Witness(witness)];
    for payload in payloads {
        let regenerate = |segment| {
            let mut shipment = shipment(program, &recording, payload.clone());
            shipment.segment = segment;
            Cpu.regenerate(program, shipment, None, None)
        };
        let good = recording.segment;
        regenerate(good).unwrap();
        for register in 1..32 {
            let mut segment = good;
            segment.start.x[register] ^= 0x100;
            let error = regenerate(segment).unwrap_err().to_string();
            assert!(error.contains("of the segment's"), "{error}");
            let mut segment = good;
            segment.end.x[register] ^= 1;
            let error = regenerate(segment).unwrap_err().to_string();
            assert!(error.contains("of the segment's"), "{error}");
        }
        let mut segment = good;
        segment.start.pc += 4;
        assert!(regenerate(segment).is_err(), "start pc");
        let mut segment = good;
        segment.end.pc += 4;
        assert!(regenerate(segment).is_err(), "end pc");
    }
}

/// Records that no execution gives are refused, wherever they are wrong.
#[test]
fn impossible_records_are_refused() {
    let guest = Guest::small("block");
    let program = &guest.program;
    let mut runner = Runner::new(program, &guest.input, 12, 5).unwrap();
    let recording = runner.next_segment().unwrap();
    let segment = &recording.segment;
    let records = replay_reads(program, segment, &recording.reads).unwrap();
    let good = records.into_records();
    let refused = |row: usize, change: &dyn Fn(&mut Record)| {
        let mut records = good.clone();
        change(&mut records[row]);
        adopt_records(program, segment, records)
            .and_then(|records| fill_tables(program, segment, &records, Vec::new()))
            .is_err()
    };
    let kind = |record: &Record| record.op >> ROW_KIND_SHIFT;
    let row_of = |wanted: RowKind| good.iter().position(|r| kind(r) == wanted as u32).unwrap();
    let word = row_of(RowKind::MoveInWord);
    assert!(refused(word, &|r| r.gap[0] = 3), "a step that is no unit");
    assert!(refused(word, &|r| r.a += 1), "a misaligned word moved");
    assert!(
        refused(word, &|r| r.rd_old = u32::MAX),
        "more left than a transfer has"
    );
    assert!(
        refused(word, &|r| r.op |= 7 << ROW_KIND_SHIFT),
        "no such row kind"
    );
    let setup = row_of(RowKind::Setup);
    assert!(
        refused(setup, &|r| r.gap[1] = 1 << 24),
        "a gap of more than 24 bits"
    );
    assert!(
        refused(setup - 1, &|r| r.old = u32::MAX),
        "a transfer of more than 2^30 bytes"
    );
    let load = good
        .iter()
        .position(|record| kind(record) == 0 && program.ops()[record.op as usize].kind == Kind::Lw);
    assert!(refused(load.unwrap(), &|r| r.a += 1), "a misaligned load");
}
