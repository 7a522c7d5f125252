//! Witnesses regenerated on a device are those of the CPU, from every encoding.
#![cfg(feature = "cuda")]

mod common;
mod device;
mod guests;
mod regenerate;

use common::{asm, sequences};
use guests::{Encoded, Guest, NAMES, shipment};
use regenerate::{Bench, assert_same};
use rewit::backend::cuda::regenerate::{Job, Size, plan, regenerate, regenerate_many};
use rewit::segment::{Recording, Runner};
use rewit::ship::{Base, Payload};
use rewit::vm::Program;
use rewit::witness::{Witness, fill_from_reads};

/// All guests, in segments that start inside code, end at the run's end, and have padding.
#[test]
fn every_guest_is_filled_as_on_the_cpu() {
    for (name, log_cycles, every) in [
        ("fib", 8, 3),
        ("sha2-chain", 11, 30),
        ("keccak-chain", 12, 60),
        ("sort", 10, 1000),
        ("ecdsa", 12, 400),
        ("block", 12, 400),
    ] {
        let Some(bench) = Bench::new(name) else {
            return;
        };
        let program = &bench.guest.program;
        let mut runner = Runner::new(program, &bench.guest.input, log_cycles, 5).unwrap();
        let mut checked = 0;
        for index in 0.. {
            if checked > 4 {
                break;
            }
            if index > 1 && index % every != 0 {
                if runner.skip_segment().is_none() {
                    break;
                }
                continue;
            }
            let Some(recording) = runner.next_segment() else {
                break;
            };
            let Recording { segment, reads, .. } = &recording;
            let expected = fill_from_reads(program, segment, reads, Vec::new()).unwrap();
            let found = bench.regenerate_reads(segment, reads).unwrap();
            assert_same(&format!("{name} segment {index}"), &found, &expected);
            checked += 1;
        }
    }
}

/// Chunks of one cycle, of fewer rows than are written together, of usual lengths, and longer than the segment; in a
/// padded segment, whose last chunk is shorter.
#[test]
fn chunks_do_not_change_the_witness() {
    let Some(bench) = Bench::new("fib") else {
        return;
    };
    let program = &bench.guest.program;
    for log_chunk in [0, 1, 2, 3, 4, 6, 8, 10] {
        let mut runner = Runner::new(program, &bench.guest.input, 10, log_chunk).unwrap();
        let mut last = None;
        while let Some(recording) = runner.next_segment() {
            let first = last.is_none();
            last = Some(recording);
            if first {
                check_reads(&bench, last.as_ref().unwrap());
            }
        }
        let last = last.unwrap();
        assert!(
            last.segment.num_cycles < 1 << 10,
            "the last segment is padded"
        );
        check_reads(&bench, &last);
    }
}

fn check_reads(bench: &Bench, recording: &Recording) {
    let Recording { segment, reads, .. } = recording;
    let expected = fill_from_reads(&bench.guest.program, segment, reads, Vec::new()).unwrap();
    let found = bench.regenerate_reads(segment, reads).unwrap();
    let what = format!(
        "segment {} in chunks of 2^{}",
        segment.index, reads.log_chunk
    );
    assert_same(&what, &found, &expected);
}

/// Segments that start or end inside a system call.
#[test]
fn transfers_may_cross_boundaries() {
    let Some(bench) = Bench::new("block") else {
        return;
    };
    let program = &bench.guest.program;
    let mut runner = Runner::new(program, &bench.guest.input, 5, 3).unwrap();
    let mut inside = [0; 3];
    let mut image = runner.image();
    for _ in 0..3000 {
        let (start, _) = (runner.state(), ());
        if start.io_phase == 0 {
            // Only the few segments around transfers need their memory.
            let Some(recording) = runner.next_segment() else {
                break;
            };
            if recording.segment.end.io_phase == 0 {
                continue;
            }
            check_reads(&bench, &recording);
            image = runner.image();
            continue;
        }
        let Some(recording) = runner.next_segment() else {
            break;
        };
        let segment = &recording.segment;
        inside[start.io_phase as usize] += 1;
        if inside[start.io_phase as usize] > 6 {
            continue;
        }
        let expected = fill_from_reads(program, segment, &recording.reads, Vec::new()).unwrap();
        for payload in [
            Payload::Reads(recording.reads.clone()),
            Payload::Pages(recording.touched.clone()),
            Payload::Image(image.clone()),
        ] {
            let shipment = shipment(program, &recording, payload);
            if inside[start.io_phase as usize] > 1 && matches!(shipment.payload, Payload::Image(_))
            {
                continue;
            }
            let found = bench.regenerate(&shipment, None).unwrap();
            assert_same(&format!("segment {}", segment.index), &found, &expected);
        }
    }
    assert!(inside[2] > 5, "transfers cross boundaries: {inside:?}");
}

#[test]
fn every_encoding_regenerates_the_same_witness() {
    for (name, log_cycles) in NAMES.into_iter().zip([9, 11, 11, 10, 12, 11]) {
        let Some(bench) = Bench::new(name) else {
            return;
        };
        let program = &bench.guest.program;
        let mut runner = Runner::new(program, &bench.guest.input, log_cycles, 5).unwrap();
        let mut previous = program.initial_pages();
        for index in 0..2 {
            let Some(encoded) = bench.guest.next_encoded(&mut runner, &previous) else {
                break;
            };
            let Encoded {
                recording,
                image,
                witness: expected,
                payloads,
            } = encoded;
            for payload in payloads {
                let shipment = shipment(program, &recording, payload);
                let encoding = shipment.encoding();
                let what = format!("{name} segment {index} {encoding}");
                bench.device.reset_peak();
                let before = bench.device.memory().live;
                let found = regenerate(
                    &bench.device,
                    &bench.program,
                    shipment.clone(),
                    Some(&previous),
                )
                .unwrap_or_else(|e| panic!("{what}: {e}"));
                let num_pages = match &shipment.payload {
                    Payload::Image(pages) | Payload::Pages(pages) => {
                        (pages.bytes.len() >> 10) as u64
                    }
                    Payload::Delta { pages, .. } => {
                        (pages.bytes.len() >> 10) as u64 + previous.numbers.len() as u64
                    }
                    _ => 0,
                };
                let size = Size {
                    log_cycles,
                    num_ops: program.ops().len(),
                    log_chunk: 5,
                    num_words: recording.reads.words.len(),
                    num_pages,
                };
                let plan = plan(encoding, &size);
                let peak = bench.device.memory().peak - before;
                assert!(
                    peak <= plan.peak_bytes(),
                    "{what}: {peak} bytes, planned\n{plan}"
                );
                assert!(
                    2 * peak >= plan.peak_bytes(),
                    "{what}: {peak} bytes, planned\n{plan}"
                );
                let found = found
                    .witness
                    .download(&bench.device, Witness::default())
                    .unwrap();
                assert_same(&what, &found, &expected);
            }
            previous = image;
        }
    }
}

/// Random instructions of every class, and system calls.
#[test]
fn random_sequences_are_filled_as_on_the_cpu() {
    let classes: [(&str, sequences::Class, u64); 5] = [
        ("mixed", sequences::mixed, 11),
        ("multiply", sequences::multiply, 12),
        ("divide", sequences::divide, 13),
        ("stores", sequences::stores, 14),
        ("syscalls", sequences::syscalls, 15),
    ];
    for (name, class, seed) in classes {
        let elf = sequences::build(class, seed, 7);
        let guest = Guest {
            program: Program::from_elf(elf).unwrap(),
            input: (0..40_000u32).map(|i| (i * 7) as u8).collect(),
        };
        let Some(bench) = Bench::with(guest) else {
            return;
        };
        let program = &bench.guest.program;
        let mut runner = Runner::new(program, &bench.guest.input, 12, 6).unwrap();
        for _ in 0..3 {
            let Some(recording) = runner.next_segment() else {
                break;
            };
            let expected =
                fill_from_reads(program, &recording.segment, &recording.reads, Vec::new()).unwrap();
            let what = format!("{name} segment {}", recording.segment.index);
            let pages = shipment(
                program,
                &recording,
                Payload::Pages(recording.touched.clone()),
            );
            assert_same(&what, &bench.regenerate(&pages, None).unwrap(), &expected);
        }
    }
}

/// Many segments of different lengths and kinds of snapshots in one launch.
#[test]
fn many_segments_are_executed_at_once() {
    let Some(bench) = Bench::new("keccak-chain") else {
        return;
    };
    let program = &bench.guest.program;
    let mut runner = Runner::new(program, &bench.guest.input, 10, 5).unwrap();
    let mut shipments = Vec::new();
    let mut expected = Vec::new();
    for index in 0..12 {
        let image = runner.image();
        let dirty = runner.pages(&runner.dirty_since_start());
        let Some(recording) = runner.next_segment() else {
            break;
        };
        let Recording { segment, reads, .. } = &recording;
        expected.push(fill_from_reads(program, segment, reads, Vec::new()).unwrap());
        let payload = match index % 3 {
            0 => Payload::Pages(recording.touched.clone()),
            1 => Payload::Image(image),
            _ => Payload::Delta {
                base: Base::Program,
                pages: dirty,
            },
        };
        shipments.push(shipment(program, &recording, payload));
    }
    let jobs: Vec<Job> = shipments
        .iter()
        .map(|shipment| Job {
            shipment,
            base: None,
        })
        .collect();
    let mut seen = 0;
    let parts = regenerate_many(&bench.device, &bench.program, &jobs, |index, made| {
        let found = made.witness.download(&bench.device, Witness::default())?;
        assert_same(&format!("segment {index}"), &found, &expected[index]);
        seen += 1;
        Ok(())
    });
    assert_eq!(parts.unwrap()[0].0, "execute");
    assert_eq!(seen, shipments.len());
}

/// A guest that writes more pages than are set aside at first, in an address range that has no table yet.
#[test]
fn new_pages_are_made_as_they_are_written() {
    // One word every 1 KiB, 1100 times, then again, adding one.
    let mut code = vec![asm::addi(6, 0, 2)];
    code.extend(asm::li(5, 0x4000_0000));
    code.extend(asm::li(7, 1100));
    code.extend([
        asm::load(2, 8, 5, 0),
        asm::addi(8, 8, 1),
        asm::sw(5, 8, 0),
        asm::addi(5, 5, 1024),
        asm::addi(7, 7, -1),
        asm::branch(1, 7, 0, -20),
        asm::addi(6, 6, -1),
        asm::branch(1, 6, 0, -44),
    ]);
    code.extend(asm::syscall(93, &[3]));
    let elf = common::program(&code, &[]);
    let guest = Guest {
        program: Program::from_elf(elf).unwrap(),
        input: vec![],
    };
    let Some(bench) = Bench::with(guest) else {
        return;
    };
    let program = &bench.guest.program;
    let mut runner = Runner::new(program, &[], 14, 6).unwrap();
    let image = runner.image();
    let recording = runner.next_segment().unwrap();
    assert!(runner.next_segment().is_none(), "one segment");
    let expected =
        fill_from_reads(program, &recording.segment, &recording.reads, Vec::new()).unwrap();
    let shipment = shipment(program, &recording, Payload::Image(image));
    assert_same(
        "pages",
        &bench.regenerate(&shipment, None).unwrap(),
        &expected,
    );
}
