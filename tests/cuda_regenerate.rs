//! Witnesses regenerated on a device are those of the CPU, from every encoding, and what is refused there is refused
//! here with the same words.
#![cfg(feature = "cuda")]

mod common;
mod guests;

use std::io::Write;

use common::{asm, sequences};
use guests::{Guest, NAMES};
use rewit::Error;
use rewit::backend::cuda::regenerate::{
    DeviceProgram, DeviceReads, Job, Size, plan, regenerate, regenerate_from_reads, regenerate_many,
};
use rewit::backend::cuda::{Device, DeviceWitness, Options};
use rewit::backend::{Backend, Cpu};
use rewit::segment::{Pages, Reads, Recording, Runner, Segment};
use rewit::ship::{Base, Payload, ROW_KIND_SHIFT, Record, RowKind, Shipment, memory_digest};
use rewit::vm::{Kind, Program};
use rewit::witness::layout::column_name;
use rewit::witness::{Matrix, P, Witness, fill_from_reads, replay_reads};

/// The device to test on; SKIPPED without one, unless REQUIRE_CUDA=1 or REQUIRE_GPU=1.
fn device() -> Option<Device> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|v| v == "1");
    match Device::open(&Options::default()) {
        Ok(device) => {
            assert!(!(is_set("REQUIRE_GPU") && device.info().stand_in));
            Some(device)
        }
        Err(Error::NoDevice(why)) if !is_set("REQUIRE_GPU") && !is_set("REQUIRE_CUDA") => {
            // Straight to standard error: the test harness captures `eprintln!`.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
            None
        }
        Err(e) => panic!("no device to test on: {e}"),
    }
}

fn assert_same(what: &str, found: &Witness, expected: &Witness) {
    for ((name, found), (_, expected)) in found.tables().iter().zip(expected.tables()) {
        assert_eq!(
            found.height(),
            expected.height(),
            "{what}: height of {name}"
        );
        let at = found
            .words
            .iter()
            .zip(&expected.words)
            .position(|(a, b)| a != b);
        if let Some(at) = at {
            let (row, col) = (at / found.width, at % found.width);
            let column = if *name == "cpu" {
                column_name(col)
            } else {
                col.to_string()
            };
            panic!(
                "{what}: {name} row {row} column {column}: {:#x}, expected {:#x}",
                found.words[at], expected.words[at]
            );
        }
        assert_eq!(found.width, expected.width, "{what}: width of {name}");
    }
    assert_eq!(found.public, expected.public, "{what}: public values");
}

fn shipment(program: &Program, recording: &Recording, payload: Payload) -> Shipment {
    Shipment {
        program: *program.digest(),
        segment: recording.segment,
        input: recording.input.clone(),
        input_ends: recording.input_ends,
        elf: None,
        payload,
    }
}

/// One device and one guest on it.
struct Bench {
    device: Device,
    guest: Guest,
    program: DeviceProgram,
}

impl Bench {
    fn new(name: &str) -> Option<Self> {
        Self::with(Guest::small(name))
    }

    fn with(guest: Guest) -> Option<Self> {
        let device = device()?;
        let program = DeviceProgram::new(&device, &guest.program).unwrap();
        Some(Self {
            device,
            guest,
            program,
        })
    }

    fn regenerate(&self, shipment: &Shipment, base: Option<&Pages>) -> rewit::Result<Witness> {
        let made = regenerate(&self.device, &self.program, shipment.clone(), base)?;
        assert!(!made.parts.is_empty());
        made.witness.download(&self.device, Witness::default())
    }

    fn regenerate_reads(&self, segment: &Segment, reads: &Reads) -> rewit::Result<Witness> {
        let reads = DeviceReads::new(&self.device, segment, reads)?;
        let made = regenerate_from_reads(&self.device, &self.program, segment, &reads)?;
        made.witness.download(&self.device, Witness::default())
    }
}

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
            let image = runner.image();
            let dirty = runner.pages(&runner.dirty_since_start());
            let written = runner.pages(runner.written_in_previous());
            let Some(recording) = runner.next_segment() else {
                break;
            };
            let segment = &recording.segment;
            let expected = fill_from_reads(program, segment, &recording.reads, Vec::new()).unwrap();
            let records = replay_reads(program, segment, &recording.reads).unwrap();
            let payloads = [
                Payload::Witness(expected.clone().into_tables()),
                Payload::Image(image.clone()),
                Payload::Pages(recording.touched.clone()),
                Payload::Pages(runner.widen(&recording.touched, 12)),
                Payload::Delta {
                    base: Base::Program,
                    pages: dirty,
                },
                Payload::Delta {
                    base: Base::Previous {
                        digest: memory_digest(&previous),
                    },
                    pages: written,
                },
                Payload::Records(records.into_records()),
                Payload::Reads(recording.reads.clone()),
                Payload::Input {
                    elf: program.elf().to_vec(),
                    input: bench.guest.input.clone(),
                },
            ];
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
