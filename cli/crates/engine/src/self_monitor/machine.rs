//! How busy this machine's processors are, with any program.

use std::fs;

/// Processor time since the machine booted, in kernel clock ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineTime {
    busy: u64,
    total: u64,
}

impl MachineTime {
    /// The values now; `None` if the system does not report them.
    pub fn now() -> Option<Self> {
        Self::read(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// Parses the first line: `cpu`, then user, nice, system, idle, iowait, irq, softirq and steal
    /// (proc_stat(5)). Later fields are already part of user and nice.
    fn read(text: &str) -> Option<Self> {
        let fields = text.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> =
            fields.split_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
        let total: u64 = ticks.iter().sum();
        let idle = ticks.get(3)? + ticks.get(4)?;
        Some(Self { busy: total - idle, total })
    }

    /// The share of the processors that was busy since `earlier`; `None` if no time has passed.
    pub fn share_since(self, earlier: Self) -> Option<f64> {
        let total = self.total.checked_sub(earlier.total).filter(|total| *total > 0)?;
        Some(self.busy.saturating_sub(earlier.busy) as f64 / total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_for_disks_is_not_busy() {
        let at = |text| MachineTime::read(text).unwrap();
        let (before, after) =
            (at("cpu  100 0 50 800 50 0 0 0 9 9\ncpu0 1"), at("cpu  160 0 60 820 60 0 0 0 9 9"));
        assert_eq!(after.share_since(before), Some(0.7));
        assert_eq!(before.share_since(before), None);
        assert_eq!(MachineTime::read("intr 1 2 3"), None);
    }
}
