//! Peak memory of a part of a run.

use std::fs;

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Watches the most memory this process has in use at once, from a starting point on.
///
/// It is the resident set: pages that the system has given to the process, whatever it uses them for.
#[derive(Debug)]
pub struct PeakMemory(bool);

impl PeakMemory {
    /// Starts to watch.
    pub fn start() -> Self {
        // 5 resets the peak to what is in use now, see proc_pid_clear_refs(5).
        Self(fs::write("/proc/self/clear_refs", "5").is_ok())
    }

    /// The peak since the start in bytes; `None` where the system does not tell.
    pub fn bytes(&self) -> Option<u64> {
        let status = self.0.then(|| fs::read_to_string("/proc/self/status").ok());
        let status = status.flatten()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: u64 = line?.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }
}

/// Memory in bytes that programs may still take, where the system tells: what is free of the machine's,
/// or of this process's control group if that has less.
pub fn available_memory() -> Option<u64> {
    let what = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(what).ok()?;
    let free = system.available_memory();
    let group = system.cgroup_limits().map(|limits| limits.free_memory);
    (free > 0).then(|| group.map_or(free, |group| group.min(free)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn sees_a_buffer_that_is_gone_again() {
        let peak = PeakMemory::start();
        let Some(before) = peak.bytes() else {
            println!("SKIPPED: the system does not tell the peak of memory in use");
            return;
        };
        const BYTES: usize = 256 << 20;
        drop(std::hint::black_box(vec![1u8; BYTES]));
        let after = peak.bytes().unwrap();
        assert!(
            after >= before + (BYTES / 2) as u64,
            "{before} bytes, then {after}"
        );
    }
}
