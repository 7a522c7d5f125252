//! Device memory, planned before any of it is taken.

use std::fmt;

use super::device::Device;
use crate::{Error, Result};

/// What is in device memory at the same time, step by step.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    steps: Vec<Step>,
}

/// A step of a job and what it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Step {
    name: &'static str,
    held: Vec<(&'static str, u64)>,
}

impl Step {
    fn bytes(&self) -> u64 {
        self.held.iter().map(|(_, bytes)| bytes).sum()
    }
}

impl Plan {
    /// Adds a step that holds these bytes, each named, all at once.
    pub fn step(&mut self, name: &'static str, held: &[(&'static str, u64)]) {
        let held = held.iter().copied().filter(|(_, bytes)| *bytes > 0);
        self.steps.push(Step {
            name,
            held: held.collect(),
        });
    }

    /// Adds the steps of `other`, each of which holds `held` as well.
    pub fn append(&mut self, other: &Self, held: &[(&'static str, u64)]) {
        for step in &other.steps {
            let all: Vec<_> = held.iter().chain(&step.held).copied().collect();
            self.step(step.name, &all);
        }
    }

    /// Most bytes held at once.
    pub fn peak_bytes(&self) -> u64 {
        self.steps.iter().map(Step::bytes).max().unwrap_or(0)
    }

    /// Refuses a job that does not fit in what the budget leaves.
    ///
    /// # Errors
    /// [`Error::OutOfDeviceMemory`] with the plan.
    pub fn check(&self, device: &Device) -> Result<()> {
        let mut memory = device.account();
        let planned = memory.live.saturating_add(self.peak_bytes());
        if planned <= memory.budget {
            memory.planned = memory.planned.max(planned);
            return Ok(());
        }
        let memory = *memory;
        Err(Error::OutOfDeviceMemory(format!(
            "planned {} MB beside {} MB in use, of {} MB on {}; give a lower \
             --segment-log-cycles or a higher --vram-budget\n{self}",
            megabytes(self.peak_bytes()),
            megabytes(memory.live),
            megabytes(memory.budget),
            device.info().name
        )))
    }
}

/// Rounded up, so that what does not fit does not look as if it did.
pub(super) fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

impl fmt::Display for Plan {
    /// A line per step, in megabytes of 10^6 bytes, with its largest holdings first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peak = self.peak_bytes();
        for (i, step) in self.steps.iter().enumerate() {
            let mut held = step.held.clone();
            held.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
            let held: Vec<String> = held
                .iter()
                .map(|(what, bytes)| format!("{what} {}", megabytes(*bytes)))
                .collect();
            let mark = if step.bytes() == peak { " (peak)" } else { "" };
            let end = if i + 1 == self.steps.len() { "" } else { "\n" };
            write!(
                f,
                "  {:<10} {:>7} MB{mark}: {}{end}",
                step.name,
                megabytes(step.bytes()),
                held.join(", ")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Plan;

    #[test]
    fn a_plan_names_its_peak() {
        let mut inner = Plan::default();
        inner.step("replay", &[("events", 3_000_000), ("words", 1)]);
        inner.step("fill", &[("table", 5_000_000), ("nothing", 0)]);
        let mut plan = Plan::default();
        plan.append(&inner, &[("program", 1_000_000)]);
        assert_eq!(plan.peak_bytes(), 6_000_000);
        let text = "  replay           5 MB: events 3, program 1, words 1\n  \
                    fill             6 MB (peak): table 5, program 1";
        assert_eq!(plan.to_string(), text);
        assert_eq!(Plan::default().peak_bytes(), 0);
    }
}
