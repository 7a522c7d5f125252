//! Timing by the device's events and by the wall clock, and random order.

use std::time::Instant;

use rewit::Result;
use rewit::backend::cuda::Device;

/// How long something took.
#[derive(Clone, Copy)]
pub(crate) struct Time {
    /// Between events before and after it in the device's stream, in seconds: kernels and copies,
    /// and the gaps in which the device waited for the host.
    pub(crate) device: f64,
    /// From before the call until the device was done, in seconds.
    pub(crate) wall: f64,
}

impl std::ops::Add for Time {
    type Output = Self;

    /// One after the other.
    fn add(self, other: Self) -> Self {
        Self {
            device: self.device + other.device,
            wall: self.wall + other.wall,
        }
    }
}

/// Times `work`, which starts on an idle device.
pub(crate) fn timed<T>(device: &Device, work: impl FnOnce() -> Result<T>) -> Result<(T, Time)> {
    device.synchronize()?;
    let clock = Instant::now();
    let start = device.mark()?;
    let made = work()?;
    let end = device.mark()?;
    device.synchronize()?;
    let wall = clock.elapsed().as_secs_f64();
    let device = end.seconds_since(&start)?;
    Ok((made, Time { device, wall }))
}

/// Time that may be spent, shared out among sets of measurements as they come.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    end: f64,
    clock: Instant,
}

impl Budget {
    /// `seconds` from now.
    pub(crate) fn new(seconds: f64) -> Self {
        Self {
            end: seconds,
            clock: Instant::now(),
        }
    }

    /// A share of what is left, to spend from now on.
    pub(crate) fn part(&self, share: f64) -> Self {
        Self {
            end: self.until(share),
            clock: self.clock,
        }
    }

    /// Whether it is spent.
    pub(crate) fn is_over(&self) -> bool {
        self.now() >= self.end
    }

    /// When a set must end, if it may use `share` of what is left: seconds on this clock.
    pub(crate) fn until(&self, share: f64) -> f64 {
        let now = self.now();
        now + (self.end - now).max(0.0) * share
    }

    /// Seconds since the start.
    pub(crate) fn now(&self) -> f64 {
        self.clock.elapsed().as_secs_f64()
    }
}

/// A generator that needs no quality (xorshift64*).
pub(crate) struct Rng(u64);

impl Rng {
    /// Starts from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A word.
    pub(crate) fn word(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u64::from(self.word()) * end as u64) >> 32) as usize
    }

    /// Puts items into random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
