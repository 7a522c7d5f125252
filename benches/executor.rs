//! Speed of the executor on one thread: without recording, recording `reads`, and recording `reads`
//! and touched pages. Throughput is in cycles: 1 Gelem/s is 1000 MHz.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rewit::vm::{Program, Recorder, Stop, Vm};

/// Cycles per segment.
const SEGMENT: u64 = 1 << 20;
/// Segments per sample.
const MAX_SEGMENTS: u64 = 16;
const LOG_CHUNK: u32 = 10;

/// Guests and their inputs in `guests/`; those that are not there are skipped.
const GUESTS: [(&str, &str); 5] = [
    ("sha2-chain", "sha2-chain.txt"),
    ("keccak-chain", "keccak-chain.txt"),
    ("sort", "sort.txt"),
    ("block", "block.bin"),
    ("ecdsa", "ecdsa.bin"),
];

fn load(guest: &str, input: &str) -> Option<(Program, Vec<u8>)> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
    let elf = std::fs::read(guests.join(format!("prebuilt/{guest}.elf"))).ok()?;
    let input = std::fs::read(guests.join("inputs").join(input)).ok()?;
    Some((Program::from_elf(elf).expect("built-in guests load"), input))
}

/// Runs up to `MAX_SEGMENTS` segments with `run`; returns the cycles executed.
fn segments(program: &Program, input: &[u8], mut run: impl FnMut(&mut Vm<'_>, u64) -> Stop) -> u64 {
    let mut vm = Vm::new(program, input).expect("4 GiB of addresses can be reserved");
    for _ in 0..MAX_SEGMENTS {
        if run(&mut vm, SEGMENT) != Stop::Limit {
            break;
        }
    }
    vm.cycle()
}

fn plain(vm: &mut Vm<'_>, cycles: u64) -> Stop {
    vm.run(cycles)
}

fn executor(c: &mut Criterion) {
    let mut group = c.benchmark_group("executor");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    for (guest, input) in GUESTS {
        let Some((program, input)) = load(guest, input) else {
            eprintln!("SKIPPED: guests/prebuilt/{guest}.elf or its input is not there");
            continue;
        };
        let cycles = segments(&program, &input, plain);
        group.throughput(Throughput::Elements(cycles));
        group.bench_function(BenchmarkId::new("none", guest), |b| {
            b.iter(|| segments(&program, &input, plain));
        });
        let mut recorder = Recorder::<true, false>::new(LOG_CHUNK);
        group.bench_function(BenchmarkId::new("reads", guest), |b| {
            b.iter(|| {
                segments(&program, &input, |vm, n| {
                    let stop = recorder.run(vm, n);
                    black_box(recorder.take());
                    stop
                })
            });
        });
        let mut recorder = Recorder::<true, true>::new(LOG_CHUNK);
        group.bench_function(BenchmarkId::new("reads+pages", guest), |b| {
            b.iter(|| {
                segments(&program, &input, |vm, n| {
                    let stop = recorder.run(vm, n);
                    black_box(recorder.take());
                    stop
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, executor);
criterion_main!(benches);
