//! What repeated looks at a GPU say together, in memory that does not grow with their number.

use std::collections::{BTreeMap, BTreeSet};

use crate::measure::hardware::{GpuLoad, Pcie};

/// One look at a GPU; what it did not answer is `None`.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Look {
    /// Percent of the last moments in which a kernel ran.
    pub(super) busy_percent: Option<u32>,
    pub(super) sm_clock_mhz: Option<u32>,
    pub(super) memory_clock_mhz: Option<u32>,
    pub(super) milliwatts: Option<u32>,
    pub(super) celsius: Option<u32>,
    pub(super) pcie: Option<Pcie>,
    pub(super) throttle_reasons: Vec<&'static str>,
}

/// How often a value was seen.
#[derive(Clone, Debug, Default)]
struct Counts(BTreeMap<u32, u64>);

impl Counts {
    fn add(&mut self, value: Option<u32>) {
        if let Some(value) = value {
            *self.0.entry(value).or_insert(0) += 1;
        }
    }

    fn min(&self) -> Option<f64> {
        self.0.keys().next().map(|&value| f64::from(value))
    }

    /// The value at a position in ascending order.
    fn at(&self, position: u64) -> Option<f64> {
        let mut before = 0;
        for (&value, &count) in &self.0 {
            before += count;
            if position < before {
                return Some(f64::from(value));
            }
        }
        None
    }

    /// The middle value, or the mean of the two middle ones.
    fn median(&self) -> Option<f64> {
        let n: u64 = self.0.values().sum();
        Some(f64::midpoint(
            self.at(n.checked_sub(1)? / 2)?,
            self.at(n / 2)?,
        ))
    }
}

/// Looks so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    num_samples: u64,
    num_idle: u64,
    sm: Counts,
    memory: Counts,
    /// Tenths of a watt: fewer values than milliwatts.
    power: Counts,
    celsius: Option<u32>,
    pcie: Option<Pcie>,
    reasons: BTreeSet<&'static str>,
}

impl Tally {
    /// Adds a look. One at an idle GPU is counted, and says nothing else.
    pub(super) fn add(&mut self, look: &Look) {
        if look.busy_percent == Some(0) {
            self.num_idle += 1;
            return;
        }
        self.num_samples += 1;
        self.sm.add(look.sm_clock_mhz);
        self.memory.add(look.memory_clock_mhz);
        self.power
            .add(look.milliwatts.map(|milliwatts| milliwatts / 100));
        self.celsius = self.celsius.max(look.celsius);
        self.pcie = self.pcie.max(look.pcie);
        self.reasons.extend(&look.throttle_reasons);
    }

    /// What they say.
    pub(super) fn finish(&self) -> GpuLoad {
        GpuLoad {
            num_samples: self.num_samples,
            num_idle: self.num_idle,
            sm_clock_mhz: self.sm.median(),
            min_sm_clock_mhz: self.sm.min(),
            memory_clock_mhz: self.memory.median(),
            min_memory_clock_mhz: self.memory.min(),
            power_watts: self.power.median().map(|tenths| tenths / 10.0),
            max_temperature_celsius: self.celsius,
            pcie: self.pcie,
            throttle_reasons: self.reasons.iter().map(|&r| r.to_owned()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Summary;

    #[test]
    fn medians_are_those_of_all_samples() {
        // Odd and even numbers, and values that repeat.
        for values in [&[5][..], &[9, 1], &[3, 3, 8], &[7, 2, 2, 2, 9, 7], &[0; 4]] {
            let mut counts = Counts::default();
            values.iter().for_each(|&value| counts.add(Some(value)));
            counts.add(None);
            let all: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
            let summary = Summary::of(&all).unwrap();
            assert_eq!(counts.median(), Some(summary.median), "{values:?}");
            assert_eq!(counts.min(), Some(summary.min), "{values:?}");
        }
        assert_eq!(Counts::default().median(), None);
    }

    #[test]
    fn idle_looks_say_nothing_of_load() {
        let look = |busy, clock, milliwatts| Look {
            busy_percent: busy,
            sm_clock_mhz: Some(clock),
            milliwatts: Some(milliwatts),
            celsius: Some(clock / 30),
            ..Look::default()
        };
        let mut tally = Tally::default();
        assert_eq!(tally.finish().sm_clock_mhz, None);
        // Of a GPU that does not say whether it is busy, every look counts.
        for look in [
            look(Some(0), 345, 70_000),
            look(Some(90), 1980, 650_250),
            look(Some(1), 1755, 700_000),
            look(None, 1800, 690_000),
        ] {
            tally.add(&look);
        }
        tally.add(&Look {
            throttle_reasons: vec!["sw-power-cap", "gpu-idle"],
            pcie: Some(Pcie {
                generation: 5,
                width: 16,
            }),
            ..Look::default()
        });
        let load = tally.finish();
        assert_eq!((load.num_samples, load.num_idle), (4, 1));
        assert_eq!(load.sm_clock_mhz, Some(1800.0));
        assert_eq!(load.min_sm_clock_mhz, Some(1755.0));
        assert_eq!(load.memory_clock_mhz, None);
        assert_eq!(load.power_watts, Some(690.0));
        assert_eq!(load.max_temperature_celsius, Some(66));
        assert_eq!(load.pcie.unwrap().generation, 5);
        assert_eq!(load.throttle_reasons, ["gpu-idle", "sw-power-cap"]);
    }
}
