//! Processor use of the generator's threads: time running, and time ready without a processor.
//!
//! Linux provides both to the nanosecond in `/proc/self/task/*/schedstat`
//! (Documentation/scheduler/sched-stats.rst): time on a processor, time in a run queue, and the number of
//! turns on a processor.

use std::{collections::BTreeMap, fs, io};

use rustix::time::{ClockId, clock_gettime};

use saasbench_model::units::Nanos;
use saasbench_record::usage::{ThreadTime, Usage};

/// One thread's line in `schedstat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SchedStat {
    pub(super) time: ThreadTime,
    /// Number of turns on a processor.
    pub(super) turns: u64,
}

impl SchedStat {
    /// Reads `cpu waited turns`; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_ascii_whitespace().map(str::parse::<i64>);
        let mut next = || numbers.next()?.ok();
        let (cpu, waited, turns) = (next()?, next()?, next()?);
        Some(Self {
            time: ThreadTime { cpu_ns: Nanos(cpu), waited_ns: Nanos(waited) },
            turns: u64::try_from(turns).ok()?,
        })
    }
}

/// Reads the current values; `at_ns` is now, and `in_flight` the number of requests in flight.
///
/// # Errors
/// When `/proc/self/task` cannot be listed. A thread that ends meanwhile is left out.
pub fn read(at_ns: Nanos, in_flight: Option<u32>) -> io::Result<Usage> {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    let mut threads: BTreeMap<String, ThreadTime> = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let path = entry?.path();
        let (Ok(name), Ok(stat)) =
            (fs::read_to_string(path.join("comm")), fs::read_to_string(path.join("schedstat")))
        else {
            continue;
        };
        let Some(stat) = SchedStat::parse(&stat) else { continue };
        let sum = threads.entry(name.trim_end().to_owned()).or_default();
        sum.cpu_ns = sum.cpu_ns + stat.time.cpu_ns;
        sum.waited_ns = sum.waited_ns + stat.time.waited_ns;
    }
    let cpu_ns = Nanos::from_secs(spent.tv_sec) + Nanos(spent.tv_nsec);
    Ok(Usage { at_ns, cpu_ns, memory_bytes: memory(), in_flight, stalls: 0, threads })
}

/// The resident set in bytes, from the pages in `/proc/self/statm`; 0 if that cannot be read.
fn memory() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_schedstat_is_three_numbers() {
        let time = ThreadTime { cpu_ns: Nanos(87_370), waited_ns: Nanos(12) };
        assert_eq!(SchedStat::parse("87370 12 3\n"), Some(SchedStat { time, turns: 3 }));
        for bad in ["", "1 2", "1 x 3", "1 2 -3"] {
            assert_eq!(SchedStat::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_busy_threads_time_is_measured() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let body = move || while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {};
        let thread = std::thread::Builder::new().name("spins".to_owned()).spawn(body).unwrap();
        let spent = || read(Nanos::ZERO, None).unwrap();
        while spent().threads.get("spins").is_none_or(|time| time.cpu_ns < Nanos::from_millis(2)) {}
        let usage = spent();
        assert!(usage.memory_bytes > 1 << 20, "{usage:?}");
        assert!(usage.cpu_ns >= usage.threads["spins"].cpu_ns, "{usage:?}");
        drop(stop);
        thread.join().unwrap();
    }
}
