//! Micro-benchmarks of a device: the ceilings that stages are held against.
//!
//! Each kernel does one thing many times over and leaves results which the host computes again, all of
//! them or those of a sample of threads, so that neither the compiler nor a broken device can leave work
//! out. Times are the device's own, between two events around one launch.

use serde::Serialize;

use super::device::{Buffer, Device};
use super::launch::{Kernel, Shape};
use crate::witness::{P, from_monty, to_monty};
use crate::{Error, Result};

/// What a device can do at most.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Ceiling {
    /// What was done.
    pub name: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// How many of them a second, the median of the samples; `None` on the CPU stand-in, whose times
    /// mean nothing.
    pub per_second: Option<f64>,
    /// The same for each sample, in the order taken.
    pub samples: Vec<f64>,
}

/// Runs before the first sample that is kept.
const WARM_UPS: usize = 2;
/// Samples that are kept.
const SAMPLES: usize = 9;
/// Seconds that one sample takes at least, as far as `MAX_ROUNDS` allows.
const SAMPLE_SECONDS: f64 = 2e-3;
/// Rounds to begin with; a multiple of `UNROLLED` of the kernels.
const MIN_ROUNDS: u32 = 64;
const MAX_ROUNDS: u32 = 1 << 20;
/// Blocks of 256 threads for a multiprocessor.
const BLOCKS_PER_MULTIPROCESSOR: u32 = 8;
const THREADS: u32 = 256;
/// Threads whose results are compared.
const CHECKED_THREADS: usize = 9;
/// What kernels multiply by or add: odd, and without a pattern.
const CONSTANT: u32 = 0x2c1b_3c6d;

/// Bytes that are copied, beyond any cache.
const COPY_BYTES: usize = 512 << 20;
const STAND_IN_COPY_BYTES: usize = 256 << 10;
/// Bytes that a block of the copy takes.
const COPY_BLOCK_BYTES: usize = 16 << 10;
const COUNTERS: usize = 1 << 16;
const ATOMIC_ROUNDS: u32 = 128;
/// Launches of one sample.
const LAUNCHES: u32 = 500;

/// A kernel of threads that each compute a word.
struct Compute {
    name: &'static str,
    unit: &'static str,
    kernel: &'static str,
    form: Form,
    /// Units of one round: of a thread, or of a block where blocks are what counts.
    per_round: u32,
    /// The word of a thread after some rounds.
    expected: fn(thread: u32, rounds: u32) -> u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Enough blocks of 256 threads to fill the device; every thread counts.
    Full,
    /// One block of 512 threads for a multiprocessor; one of them counts.
    Single,
}

const COMPUTE: [Compute; 11] = [
    Compute {
        name: "imad.wide",
        unit: "32 x 32 + 64 bit multiply-adds",
        kernel: "micro_wide",
        form: Form::Full,
        per_round: STATES as u32,
        expected: wide,
    },
    Compute {
        name: "imad.hi",
        unit: "upper halves of 32-bit products, with an addition",
        kernel: "micro_high",
        form: Form::Full,
        per_round: STATES as u32,
        expected: |thread, rounds| {
            narrow(thread, rounds, u32::MAX, |_, x, next, _| {
                high(x, CONSTANT).wrapping_add(next)
            })
        },
    },
    Compute {
        name: "imad",
        unit: "lower halves of 32-bit products, with an addition",
        kernel: "micro_low",
        form: Form::Full,
        per_round: STATES as u32,
        expected: |thread, rounds| {
            narrow(thread, rounds, u32::MAX, |_, x, next, second| {
                low(x, next, second)
            })
        },
    },
    Compute {
        name: "lop3",
        unit: "logic operations of three words",
        kernel: "micro_logic",
        form: Form::Full,
        per_round: STATES as u32,
        expected: |thread, rounds| {
            narrow(thread, rounds, u32::MAX, |_, x, next, second| {
                (x & next) ^ second
            })
        },
    },
    Compute {
        name: "iadd3",
        unit: "sums of three words",
        kernel: "micro_add",
        form: Form::Full,
        per_round: STATES as u32,
        expected: |thread, rounds| {
            narrow(thread, rounds, u32::MAX, |i, x, next, second| {
                let other = if i % 2 == 0 { next } else { second };
                x.wrapping_add(other).wrapping_add(CONSTANT)
            })
        },
    },
    Compute {
        name: "lop3 and imad by turns",
        unit: "operations",
        kernel: "micro_mixed",
        form: Form::Full,
        per_round: STATES as u32,
        expected: |thread, rounds| {
            narrow(thread, rounds, u32::MAX, |i, x, next, second| {
                if i % 2 == 0 {
                    (x & next) ^ second
                } else {
                    low(x, next, second)
                }
            })
        },
    },
    Compute {
        name: "babybear multiplication",
        unit: "multiplications",
        kernel: "micro_field",
        form: Form::Full,
        per_round: STATES as u32,
        expected: |thread, rounds| {
            narrow(thread, rounds, 0x3fff_ffff, |_, x, next, _| {
                let product = u64::from(from_monty(x)) * u64::from(from_monty(next));
                to_monty((product % u64::from(P)) as u32)
            })
        },
    },
    Compute {
        name: "equal digits of a warp by votes",
        unit: "8-bit digits",
        kernel: "micro_votes",
        form: Form::Full,
        per_round: 1,
        expected: alike,
    },
    Compute {
        name: "equal digits of a warp by matching",
        unit: "8-bit digits",
        kernel: "micro_match",
        form: Form::Full,
        per_round: 1,
        expected: alike,
    },
    Compute {
        name: "shared memory reads",
        unit: "bytes",
        kernel: "micro_shared",
        form: Form::Full,
        per_round: 16 * STATES as u32,
        expected: shared,
    },
    Compute {
        name: "barriers of 512 threads, one block",
        unit: "barriers",
        kernel: "micro_barrier",
        form: Form::Single,
        per_round: 1,
        expected: barrier,
    },
];

/// Measures them all; seconds on a GPU. On the CPU stand-in each runs once and is verified.
///
/// Device memory: 1 GiB for the copies.
///
/// # Errors
/// [`Error::OutOfDeviceMemory`] if that does not fit, [`Error::Differs`] if a kernel's results are not
/// what the host computes, [`Error::Device`] if the device fails.
pub fn run(device: &Device) -> Result<Vec<Ceiling>> {
    let mut ceilings = vec![copy(device)?];
    for compute in &COMPUTE {
        ceilings.push(measure_compute(device, compute)?);
    }
    for skewed in [false, true] {
        ceilings.push(atomics(device, skewed)?);
    }
    ceilings.push(launches(device)?);
    Ok(ceilings)
}

/// Runs `work` often enough and divides `units` by its time.
fn sample(
    device: &Device,
    name: &'static str,
    unit: &'static str,
    units: f64,
    work: impl Fn() -> Result<()>,
) -> Result<Ceiling> {
    let mut samples = Vec::new();
    if device.info().stand_in {
        work()?;
    } else {
        for i in 0..WARM_UPS + SAMPLES {
            let seconds = time(device, &work)?;
            if i >= WARM_UPS {
                samples.push(units / seconds);
            }
        }
    }
    let mut sorted = samples.clone();
    sorted.sort_by(f64::total_cmp);
    Ok(Ceiling {
        name,
        unit,
        per_second: sorted.get(sorted.len() / 2).copied(),
        samples,
    })
}

/// Seconds of the device's clock that `work` takes.
fn time(device: &Device, work: impl Fn() -> Result<()>) -> Result<f64> {
    let start = device.mark()?;
    work()?;
    device.mark()?.seconds_since(&start)
}

/// Blocks that fill the device, a few on the stand-in.
fn num_blocks(device: &Device, per_multiprocessor: u32) -> u32 {
    match device.info().stand_in {
        true => 2,
        false => device.info().num_multiprocessors * per_multiprocessor,
    }
}

fn measure_compute(device: &Device, compute: &Compute) -> Result<Ceiling> {
    let (blocks, threads) = match compute.form {
        Form::Full => (num_blocks(device, BLOCKS_PER_MULTIPROCESSOR), THREADS),
        Form::Single => (num_blocks(device, 1), 2 * THREADS),
    };
    let output = device.alloc("results of a micro-benchmark", (blocks * threads) as usize)?;
    let mut rounds = MIN_ROUNDS;
    while !device.info().stand_in
        && rounds < MAX_ROUNDS
        && time(device, || launch_compute(device, compute, &output, rounds))? < SAMPLE_SECONDS
    {
        rounds *= 2;
    }
    let counted = match compute.form {
        Form::Full => f64::from(blocks * threads),
        Form::Single => 1.0,
    };
    let units = counted * f64::from(rounds) * f64::from(compute.per_round);
    let ceiling = sample(device, compute.name, compute.unit, units, || {
        launch_compute(device, compute, &output, rounds)
    })?;
    let results = device.download(&output)?;
    for i in 0..CHECKED_THREADS {
        let thread = i * (results.len() - 1) / (CHECKED_THREADS - 1);
        let expected = (compute.expected)(thread as u32, rounds);
        compare(
            compute.name,
            u64::from(expected),
            u64::from(results[thread]),
        )?;
    }
    Ok(ceiling)
}

fn compare(name: &str, expected: u64, got: u64) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(Error::Differs(format!(
        "the device computes {got:#x} where the host computes {expected:#x}, in the micro-benchmark \
         {name:?}"
    )))
}

fn launch_compute(
    device: &Device,
    compute: &Compute,
    output: &Buffer<u32>,
    rounds: u32,
) -> Result<()> {
    let threads = match compute.form {
        Form::Full => THREADS,
        Form::Single => 2 * THREADS,
    };
    assert!(output.len().is_multiple_of(threads as usize));
    // SAFETY: the output has a word for each thread of the whole blocks launched.
    unsafe {
        device.launch(
            Kernel::new("micro", compute.kernel),
            Shape::linear(output.len(), threads),
            (output.ptr(), rounds, CONSTANT),
        )
    }
}

fn copy(device: &Device) -> Result<Ceiling> {
    let num_bytes = match device.info().stand_in {
        true => STAND_IN_COPY_BYTES,
        false => COPY_BYTES,
    };
    let from = device.alloc::<u32>("source of a copy", num_bytes / 4)?;
    let to = device.alloc::<u32>("target of a copy", num_bytes / 4)?;
    fill(device, &from)?;
    let ceiling = sample(
        device,
        "copy within device memory",
        "bytes, read and written",
        2.0 * num_bytes as f64,
        || launch_copy(device, &from, &to),
    )?;
    let total = device.zeros::<u64>("sum of a copy", 1)?;
    sum(device, &to, &total)?;
    let expected = (0..num_bytes as u32 / 4).fold(0u64, |sum, i| {
        sum.wrapping_add(u64::from(mix(i)) * u64::from(i + 1))
    });
    compare(ceiling.name, expected, device.download(&total)?[0])?;
    Ok(ceiling)
}

/// Fills a buffer with [`mix`] of each word's index.
fn fill(device: &Device, words: &Buffer<u32>) -> Result<()> {
    // SAFETY: there are as many words as said.
    unsafe {
        device.launch(
            Kernel::new("micro", "micro_fill"),
            Shape::linear(words.len().min(1 << 20), THREADS),
            (words.ptr(), words.len() as u32),
        )
    }
}

fn launch_copy(device: &Device, from: &Buffer<u32>, to: &Buffer<u32>) -> Result<()> {
    let num_bytes = 4 * from.len();
    assert!(to.len() == from.len() && num_bytes.is_multiple_of(COPY_BLOCK_BYTES));
    let blocks = num_bytes / COPY_BLOCK_BYTES;
    // SAFETY: both are as long as the blocks take together, and whole allocations, so aligned.
    unsafe {
        device.launch(
            Kernel::new("micro", "micro_copy"),
            Shape::linear(blocks * THREADS as usize, THREADS),
            (from.ptr(), to.ptr()),
        )
    }
}

/// Adds to `total` the sum of each word times its index plus one.
fn sum(device: &Device, words: &Buffer<u32>, total: &Buffer<u64>) -> Result<()> {
    assert!(words.len().is_multiple_of(4) && total.len() == 1);
    // SAFETY: there are as many words as said, from an aligned address on, and one sum.
    unsafe {
        device.launch(
            Kernel::new("micro", "micro_sum"),
            Shape::linear((words.len() / 4).min(1 << 18), THREADS),
            (words.ptr(), total.ptr(), (words.len() / 4) as u32),
        )
    }
}

fn atomics(device: &Device, skewed: bool) -> Result<Ceiling> {
    let threads = num_blocks(device, BLOCKS_PER_MULTIPROCESSOR) * THREADS;
    let counters = device.zeros::<u32>("counters", COUNTERS)?;
    let name = match skewed {
        false => "additions to 65536 counters in device memory",
        true => "additions to counters, 15 of 16 to 16 of them",
    };
    let ceiling = sample(
        device,
        name,
        "additions",
        f64::from(threads) * f64::from(ATOMIC_ROUNDS),
        || launch_atomics(device, &counters, threads, skewed),
    )?;
    let runs = match device.info().stand_in {
        true => 1,
        false => (WARM_UPS + SAMPLES) as u32,
    };
    let mut expected = vec![0u32; COUNTERS];
    for i in 0..threads * ATOMIC_ROUNDS {
        let word = mix(i);
        let mask = if skewed && word >> 28 != 0 {
            15
        } else {
            0xffff
        };
        expected[(word & mask) as usize] += runs;
    }
    let got = device.download(&counters)?;
    for (&expected, &got) in expected.iter().zip(&got) {
        compare(name, u64::from(expected), u64::from(got))?;
    }
    Ok(ceiling)
}

fn launch_atomics(
    device: &Device,
    counters: &Buffer<u32>,
    threads: u32,
    skewed: bool,
) -> Result<()> {
    assert_eq!(counters.len(), COUNTERS);
    // SAFETY: there are 2^16 counters.
    unsafe {
        device.launch(
            Kernel::new("micro", "micro_atomics"),
            Shape::linear(threads as usize, THREADS),
            (counters.ptr(), ATOMIC_ROUNDS, u32::from(skewed)),
        )
    }
}

/// Kernels of one block with next to nothing to do, one after the other.
fn launches(device: &Device) -> Result<Ceiling> {
    let words = device.zeros::<u32>("a block's words", THREADS as usize)?;
    let ceiling = sample(
        device,
        "launches one after the other",
        "launches",
        f64::from(LAUNCHES),
        || (0..LAUNCHES).try_for_each(|_| fill(device, &words)),
    )?;
    for (i, word) in device.download(&words)?.into_iter().enumerate() {
        compare(ceiling.name, u64::from(mix(i as u32)), u64::from(word))?;
    }
    Ok(ceiling)
}

// What the kernels compute, in their words.

const STATES: usize = 8;
const UNROLLED: u32 = 16;

fn mix(x: u32) -> u32 {
    let x = x.wrapping_mul(0x9e37_79b1);
    let x = (x ^ x >> 15).wrapping_mul(0x85eb_ca77);
    x ^ x >> 13
}

fn high(a: u32, b: u32) -> u32 {
    ((u64::from(a) * u64::from(b)) >> 32) as u32
}

fn low(x: u32, next: u32, second: u32) -> u32 {
    x.wrapping_mul(next).wrapping_add(second)
}

/// Eight states of 32 bits; `change` takes a state's index, it and the two after it.
fn narrow(
    thread: u32,
    rounds: u32,
    mask: u32,
    change: impl Fn(usize, u32, u32, u32) -> u32,
) -> u32 {
    let mut x: [u32; STATES] =
        std::array::from_fn(|i| mix(thread * STATES as u32 + i as u32) & mask);
    for _ in 0..rounds {
        for i in 0..STATES {
            x[i] = change(i, x[i], x[(i + 1) % STATES], x[(i + 2) % STATES]);
        }
    }
    x.into_iter().fold(0, |all, x| all ^ x)
}

fn wide(thread: u32, rounds: u32) -> u32 {
    let mut x: [u64; STATES] =
        std::array::from_fn(|i| u64::from(mix(thread * STATES as u32 + i as u32)));
    for _ in 0..rounds {
        for i in 0..STATES {
            let product = u64::from(x[i] as u32) * u64::from(CONSTANT);
            x[i] = product.wrapping_add(x[(i + 1) % STATES]);
        }
    }
    x.into_iter()
        .fold(0, |all, x| all ^ x as u32 ^ (x >> 32) as u32)
}

fn alike(thread: u32, rounds: u32) -> u32 {
    let mut warp: [u32; 32] = std::array::from_fn(|lane| mix(thread / 32 * 32 + lane as u32));
    let me = thread as usize % 32;
    let mut all = 0u32;
    for _ in 0..rounds {
        warp = warp.map(|x| x.wrapping_mul(CONSTANT).wrapping_add(1));
        let lanes = (0..32).filter(|lane| warp[*lane] >> 24 == warp[me] >> 24);
        all = all.wrapping_add(lanes.map(|lane| 1 << lane).sum());
    }
    all
}

fn shared(thread: u32, rounds: u32) -> u32 {
    let mut all = [0u32; 4];
    let mut at = thread % THREADS;
    for _ in 0..rounds {
        for k in 0..STATES as u32 {
            for (c, all) in all.iter_mut().enumerate() {
                *all ^= mix(4 * (at + 64 * k) + c as u32);
            }
        }
        at = at.wrapping_add(CONSTANT) & 511;
    }
    all.into_iter().fold(0, u32::wrapping_add)
}

fn barrier(thread: u32, rounds: u32) -> u32 {
    let turns = rounds / UNROLLED;
    let block = 2 * THREADS;
    let from = thread / block * block + (thread + turns) % block;
    mix(from).wrapping_add(turns.wrapping_mul(CONSTANT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cuda::testing::device;

    #[test]
    fn kernels_compute_what_the_host_does() {
        let Some(device) = device() else { return };
        let ceilings = run(&device).unwrap();
        assert_eq!(ceilings.len(), COMPUTE.len() + 4);
        for Ceiling {
            name,
            per_second,
            samples,
            ..
        } in ceilings
        {
            // Times of the stand-in are not given out.
            assert_eq!(per_second.is_none(), device.info().stand_in, "{name}");
            assert_eq!(samples.is_empty(), device.info().stand_in, "{name}");
        }
    }

    #[test]
    fn other_results_are_refused() {
        let Some(device) = device() else { return };
        let wrong = Compute {
            name: "wrong",
            unit: "",
            kernel: "micro_low",
            form: Form::Full,
            per_round: 8,
            expected: |thread, rounds| low(thread, rounds, 0),
        };
        let error = measure_compute(&device, &wrong).unwrap_err();
        assert!(matches!(error, Error::Differs(_)), "{error}");
        assert!(error.to_string().contains("wrong"), "{error}");
    }
}
