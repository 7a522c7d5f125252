//! Looking at a GPU while it works.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nvml_wrapper::Device;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};

use super::tally::{Look, Tally};
use super::{Nvml, PciAddress, pcie};
use crate::measure::hardware::GpuLoad;

/// Time between two looks: rare enough to leave the driver alone.
const PAUSE: Duration = Duration::from_millis(50);

/// Reasons for lower clocks, with their names in result files.
const REASONS: [(ThrottleReasons, &str); 9] = [
    (ThrottleReasons::GPU_IDLE, "gpu-idle"),
    (
        ThrottleReasons::APPLICATIONS_CLOCKS_SETTING,
        "applications-clocks-setting",
    ),
    (ThrottleReasons::SW_POWER_CAP, "sw-power-cap"),
    (ThrottleReasons::HW_SLOWDOWN, "hw-slowdown"),
    (ThrottleReasons::SYNC_BOOST, "sync-boost"),
    (ThrottleReasons::SW_THERMAL_SLOWDOWN, "sw-thermal-slowdown"),
    (ThrottleReasons::HW_THERMAL_SLOWDOWN, "hw-thermal-slowdown"),
    (
        ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN,
        "hw-power-brake-slowdown",
    ),
    (
        ThrottleReasons::DISPLAY_CLOCK_SETTING,
        "display-clock-setting",
    ),
];

/// A thread that looks at a GPU twenty times a second until it is told to stop.
#[derive(Debug)]
pub struct ClockSampler {
    stop: Sender<()>,
    thread: JoinHandle<GpuLoad>,
}

impl ClockSampler {
    /// Starts to look at the GPU at an address.
    ///
    /// # Errors
    /// Why it cannot, in words.
    pub fn start(nvml: Nvml, address: PciAddress) -> Result<Self, String> {
        nvml.find(address)?;
        let (stop, stopped) = channel();
        let work = move || {
            let mut tally = Tally::default();
            let Ok(device) = nvml.find(address) else {
                return tally.finish();
            };
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                tally.add(&look(&device));
            }
            tally.finish()
        };
        let thread = thread::Builder::new().name("clocks".into()).spawn(work);
        let thread = thread.map_err(|error| format!("no thread to watch the GPU: {error}"))?;
        Ok(Self { stop, thread })
    }

    /// Stops, and says what was seen; `None` if nothing was.
    pub fn finish(self) -> Option<GpuLoad> {
        // The thread ends when the channel does, too.
        drop(self.stop);
        let load = self.thread.join().ok()?;
        (load.num_samples + load.num_idle > 0).then_some(load)
    }
}

fn look(device: &Device<'_>) -> Look {
    let reasons = device
        .current_throttle_reasons()
        .unwrap_or(ThrottleReasons::NONE);
    let given = |(reason, name): &(ThrottleReasons, &'static str)| {
        reasons.contains(*reason).then_some(*name)
    };
    Look {
        busy_percent: device.utilization_rates().ok().map(|rates| rates.gpu),
        sm_clock_mhz: device.clock_info(Clock::SM).ok(),
        memory_clock_mhz: device.clock_info(Clock::Memory).ok(),
        milliwatts: device.power_usage().ok(),
        celsius: device.temperature(TemperatureSensor::Gpu).ok(),
        pcie: pcie(
            device.current_pcie_link_gen(),
            device.current_pcie_link_width(),
        ),
        throttle_reasons: REASONS.iter().filter_map(given).collect(),
    }
}
