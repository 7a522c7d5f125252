//! How long each part of a regeneration took.

use std::time::Duration;

use crate::Result;
use crate::backend::cuda::device::{Device, Mark};

/// Marks the end of each part in the device's work.
pub(super) struct Parts {
    device: Device,
    start: Mark,
    ends: Vec<(&'static str, Mark)>,
}

impl Parts {
    /// Starts the first part.
    pub(super) fn start(device: &Device) -> Result<Self> {
        Ok(Self {
            device: device.clone(),
            start: device.mark()?,
            ends: Vec::new(),
        })
    }

    /// Ends the part `name`, and starts the next.
    pub(super) fn end(&mut self, name: &'static str) -> Result<()> {
        self.ends.push((name, self.device.mark()?));
        Ok(())
    }

    /// Each part's time on the device's clock, in order; waits for the last.
    pub(super) fn finish(self) -> Result<Vec<(&'static str, Duration)>> {
        let mut earlier = &self.start;
        let mut parts = Vec::with_capacity(self.ends.len());
        for (name, mark) in &self.ends {
            let seconds = mark.seconds_since(earlier)?.max(0.0);
            parts.push((*name, Duration::from_secs_f64(seconds)));
            earlier = mark;
        }
        Ok(parts)
    }
}
