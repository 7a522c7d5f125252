//! Random numbers that do not depend on the order in which they are drawn.

/// What a number is drawn for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(super) enum Stream {
    Replicate = 1,
    Prepare,
    Shipment,
    Decode,
    Regenerate,
    Prove,
    Join,
    Bytes,
    Straggler,
    Loss,
    LossTime,
    Lifetime,
}

/// A generator of 64-bit numbers: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// The number of a task: the same in whichever order tasks run, so that clusters are compared on equal draws.
    pub(super) fn keyed(seed: u64, stream: Stream, task: u64, attempt: u32) -> u64 {
        let mut state = Self(seed ^ mix(stream as u64));
        state.0 ^= mix(state.next() ^ task);
        state.0 ^= mix(state.next() ^ u64::from(attempt));
        state.next()
    }
}

/// A number from 0 to below 1.
pub(super) fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First outputs for seed 1234567, as published with the reference implementation's test vectors.
    #[test]
    fn splitmix64() {
        let mut random = Random::new(1_234_567);
        let first = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(first.map(|_| random.next()), first);
    }

    #[test]
    fn keyed_numbers_are_uniform_and_differ() {
        let draws: Vec<f64> = (0..10_000)
            .map(|task| unit(Random::keyed(7, Stream::Prove, task, 1)))
            .collect();
        let mean = draws.iter().sum::<f64>() / 1e4;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert!(draws.iter().all(|u| (0.0..1.0).contains(u)));
        let keyed = |stream, attempt| Random::keyed(7, stream, 3, attempt);
        assert_ne!(keyed(Stream::Prove, 1), keyed(Stream::Prove, 2));
        assert_ne!(keyed(Stream::Prove, 1), keyed(Stream::Join, 1));
    }
}
