//! Regeneration from every stage's input, held against a plain fill of the same bytes.
//!
//! `cargo bench --bench regenerate` prints criterion's table and then, from interleaved pairs, rows a
//! second and thread, and regeneration from `reads` as a share of a plain parallel fill.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use rayon::prelude::*;
use rewit::segment::{Recording, Runner};
use rewit::vm::Program;
use rewit::witness::layout::{ROW_BYTES, WIDTH};
use rewit::witness::{adopt_records, fill_from_reads, fill_tables, replay_reads};

/// Base-2 logarithm of the rows regenerated.
const LOG_CYCLES: u32 = 20;

fn recording(program: &Program, input: &[u8]) -> Recording {
    let mut runner = Runner::new(program, input, LOG_CYCLES, 8).expect("guest starts");
    runner.skip_segment().expect("the guest has two segments");
    runner.next_segment().expect("the guest has two segments")
}

/// Writes every cell once with every thread, and nothing else.
fn fill(words: &mut [u32]) {
    let part = words.len().div_ceil(8 * rayon::current_num_threads());
    words
        .par_chunks_mut(part)
        .for_each(|part| part.fill(black_box(0x1234_5678)));
}

fn median(samples: &mut [Duration]) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test");
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    for name in ["sha2-chain", "block", "sort"] {
        let elf = std::fs::read(format!("guests/prebuilt/{name}.elf")).expect("prebuilt guest");
        let extension = if name == "block" { "bin" } else { "txt" };
        let input = std::fs::read(format!("guests/inputs/{name}.{extension}")).expect("its input");
        let program = Program::from_elf(elf).expect("prebuilt guests are valid");
        let recording = recording(&program, &input);
        let segment = &recording.segment;
        let rows = 1usize << LOG_CYCLES;

        let mut group = criterion.benchmark_group(format!("regenerate/{name}"));
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function("replay", |b| {
            b.iter(|| replay_reads(&program, segment, &recording.reads).expect("replays"));
        });
        let records = replay_reads(&program, segment, &recording.reads).expect("replays");
        group.bench_function("adopt", |b| {
            b.iter_batched(
                || records.records().to_vec(),
                |records| adopt_records(&program, segment, records).expect("records are valid"),
                criterion::BatchSize::PerIteration,
            );
        });
        let mut cpu = Vec::new();
        group.bench_function("reads", |b| {
            b.iter(|| {
                let reuse = std::mem::take(&mut cpu);
                let made = fill_from_reads(&program, segment, &recording.reads, reuse);
                cpu = made.expect("regenerates").cpu.words;
            });
        });
        group.bench_function("fill", |b| {
            b.iter(|| {
                let reuse = std::mem::take(&mut cpu);
                cpu = fill_tables(&program, segment, &records, reuse)
                    .expect("fills")
                    .cpu
                    .words;
            });
        });
        cpu.resize(rows * WIDTH, 0);
        group.bench_function("plain fill", |b| b.iter(|| fill(&mut cpu)));
        group.finish();

        let pairs = if quick { 1 } else { 9 };
        let (mut made, mut filled) = (Vec::new(), Vec::new());
        for _ in 0..pairs {
            let start = Instant::now();
            let reuse = std::mem::take(&mut cpu);
            let made_of_reads = fill_from_reads(&program, segment, &recording.reads, reuse);
            cpu = made_of_reads.expect("regenerates").cpu.words;
            made.push(start.elapsed());
            let start = Instant::now();
            fill(&mut cpu);
            filled.push(start.elapsed());
        }
        let (made, filled) = (median(&mut made), median(&mut filled));
        let threads = rayon::current_num_threads();
        println!(
            "{name}: 2^{LOG_CYCLES} rows of {ROW_BYTES} B from reads on {threads} threads: {made:.1?}, \
             {:.2} Mrow/s per thread; plain fill {filled:.1?}; share {:.0} % (median of {pairs} pairs)",
            rows as f64 / made.as_secs_f64() / 1e6 / threads as f64,
            100.0 * filled.as_secs_f64() / made.as_secs_f64(),
        );
    }
    criterion.final_summary();
}
