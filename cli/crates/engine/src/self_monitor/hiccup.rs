//! The hiccup meter: a thread that wakes every millisecond and reads the clock. If it could not run for
//! [`SHORTEST`] or longer, the rest of the generator may not have run either: that is a stall.
//!
//! Modelled on Azul's jHiccup. Sleeps have absolute deadlines, and the scheduler's statistics of the thread
//! show the cause.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use rustix::{
    io::pread,
    thread::clock_nanosleep_absolute,
    time::{ClockId, Timespec, clock_gettime},
};
use serde::Serialize;

use super::{
    in_flight::InFlight,
    usage::{self, SchedStat},
};
use crate::clock::RunClock;
use crate::self_monitor::stall_log::StallLog;
use saasbench_model::units::Nanos;
use saasbench_record::{
    json_lines::to_line,
    self_monitor::{DIRECTORY, STALLS, USAGE},
    stall::{Cause, SHORTEST, Stall},
    usage::Usage,
};

/// Interval of clock readings.
const TICK: Nanos = Nanos::from_millis(1);
/// Interval of samples of the threads' CPU time.
const USAGE_INTERVAL: Nanos = Nanos::from_millis(500);
/// A count that took longer to read does not belong to a single instant.
const MOMENT: Nanos = Nanos::from_millis(1);

/// A running meter.
#[derive(Debug)]
pub struct Meter {
    stop: Arc<AtomicBool>,
    stall_log: Arc<StallLog>,
    thread: JoinHandle<io::Result<()>>,
}

impl Meter {
    /// Starts the meter; stalls are written to `generator/` in the run's directory at once.
    ///
    /// # Errors
    /// When the files cannot be created or the thread cannot be started.
    pub fn start(run_dir: &Path, clock: RunClock, in_flight: Arc<InFlight>) -> io::Result<Self> {
        let dir = run_dir.join(DIRECTORY);
        fs::create_dir_all(&dir)?;
        let open = |name| OpenOptions::new().create(true).append(true).open(dir.join(name));
        let (stalls, usage) = (open(STALLS)?, open(USAGE)?);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let stall_log = Arc::new(StallLog::default());
        let counted = Arc::clone(&stall_log);
        let thread = std::thread::Builder::new()
            .name("hiccup".to_owned())
            .spawn(move || watch(clock, &stopped, &in_flight, &counted, stalls, usage))?;
        Ok(Self { stop, stall_log, thread })
    }

    /// All stalls so far.
    pub fn stall_log(&self) -> Arc<StallLog> {
        Arc::clone(&self.stall_log)
    }

    /// Stops the meter, within a tick.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn finish(self) -> io::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| io::Error::other("the hiccup meter ended before the run did"))?
    }
}

/// The meter's thread, until `stop`.
fn watch(
    clock: RunClock,
    stop: &AtomicBool,
    in_flight: &InFlight,
    stall_log: &StallLog,
    mut stalls: File,
    mut usage: File,
) -> io::Result<()> {
    let account = File::open("/proc/thread-self/schedstat").ok();
    let account = || account.as_ref().and_then(read_account);
    let zero = monotonic() - clock.now();
    let mut last = LastTick { at: clock.now(), account: account() };
    let mut next_usage = last.at;
    let mut backlog = Backlog::default();
    // So that a record shows whether stalls were lost from it.
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        if last.at >= next_usage {
            // Fails if no file descriptor is left, which the record of samples shows.
            if let Ok(sampled) = sample(clock, in_flight) {
                write_line(&mut usage, &Usage { stalls: written, ..sampled })?;
            }
            next_usage = last.at + USAGE_INTERVAL;
        }
        let due = last.at + TICK;
        let slept = clock.now() < due;
        if slept {
            // A signal ends the sleep early, which is harmless.
            let _ = clock_nanosleep_absolute(ClockId::Monotonic, &timespec(zero + due));
        }
        // Read before the clock, so that a stall in between belongs to the next tick.
        let at_wake = account();
        let level = in_flight.total();
        if let Some(stall) = last.tick(clock.now(), slept, at_wake, account) {
            stall_log.add(&stall);
            write_line(&mut stalls, &stall)?;
            written += 1;
            backlog.begin(stall);
        }
        for stall in backlog.tick(last.at, level) {
            stall_log.complete(&stall);
            write_line(&mut stalls, &stall)?;
        }
        stall_log.complete_until(last.at);
    }
    let sampled = sample(clock, in_flight);
    sampled.map_or(Ok(()), |sampled| write_line(&mut usage, &Usage { stalls: written, ..sampled }))
}

/// The generator's CPU time and requests in flight.
fn sample(clock: RunClock, in_flight: &InFlight) -> io::Result<Usage> {
    let (at, count) = (clock.now(), in_flight.total());
    let count = (clock.now() - at <= MOMENT).then_some(count);
    usage::read(at, count)
}

/// Follows the requests in flight, to know when what became due during a stall has been worked off.
#[derive(Debug, Default)]
struct Backlog {
    /// The numbers in flight at the last ticks, the latest last.
    levels: VecDeque<u32>,
    /// Stalls whose backlog remains, each with the number in flight before it.
    open: Vec<(Stall, u32)>,
}

impl Backlog {
    /// Ticks over which the number in flight before a stall is taken: of a number that changes all the time,
    /// the lowest is the one to which a backlog must have drained.
    const TICKS: usize = 3;

    /// A stall ended.
    fn begin(&mut self, stall: Stall) {
        self.open.push((stall, self.levels.iter().copied().min().unwrap_or(0)));
    }

    /// At an instant `level` requests are in flight: returns the stalls whose backlog has drained, or remains
    /// for longer than it can be the stall's.
    fn tick(&mut self, at: Nanos, level: u32) -> Vec<Stall> {
        let mut drained = Vec::new();
        self.open.retain(|(stall, before)| {
            let is_over = level <= *before && at > stall.to_ns;
            if is_over || at >= stall.delays_until() {
                drained.push(Stall { drained_ns: Some(at), ..*stall });
                return false;
            }
            true
        });
        self.levels.push_back(level);
        if self.levels.len() > Self::TICKS {
            self.levels.pop_front();
        }
        drained
    }
}

/// When the meter last ran, and the scheduler's statistics then.
#[derive(Debug)]
struct LastTick {
    at: Nanos,
    account: Option<SchedStat>,
}

impl LastTick {
    /// Called when the meter runs again: returns a stall, if that took too long. `at_wake` are the
    /// scheduler's statistics at waking; `account` reads them once more.
    fn tick(
        &mut self,
        now: Nanos,
        slept: bool,
        at_wake: Option<SchedStat>,
        account: impl FnOnce() -> Option<SchedStat>,
    ) -> Option<Stall> {
        let before = std::mem::replace(self, Self { at: now, account: at_wake });
        let gap = now - before.at;
        if gap < SHORTEST {
            return None;
        }
        self.account = account();
        let cause = match before.account.zip(self.account) {
            None => Cause::Unknown,
            Some((before, after)) => cause(gap, slept, before, after),
        };
        Some(Stall { from_ns: before.at, to_ns: now, cause, drained_ns: None })
    }
}

/// What kept the thread from running, by the scheduler's statistics of it.
///
/// For the end of a sleep the thread gets one turn on a processor, and for the end of a stop another one
/// (also if its container was frozen). So one more turn than the sleep's, without the wait that preemption
/// would cause, means that it was stopped.
fn cause(gap: Nanos, slept: bool, before: SchedStat, after: SchedStat) -> Cause {
    let waited = after.time.waited_ns - before.time.waited_ns;
    if waited.0 >= gap.0 / 2 {
        Cause::NoProcessor
    } else if after.turns.saturating_sub(before.turns) > u64::from(slept) {
        Cause::Stopped
    } else {
        Cause::Machine
    }
}

fn read_account(file: &File) -> Option<SchedStat> {
    let mut buffer = [0_u8; 64];
    let length = pread(file, &mut buffer, 0).ok()?;
    SchedStat::parse(std::str::from_utf8(buffer.get(..length)?).ok()?)
}

fn write_line(file: &mut File, value: &impl Serialize) -> io::Result<()> {
    file.write_all(&to_line(value)?)
}

fn monotonic() -> Nanos {
    let now = clock_gettime(ClockId::Monotonic);
    Nanos::from_secs(now.tv_sec) + Nanos(now.tv_nsec)
}

fn timespec(at: Nanos) -> Timespec {
    Timespec { tv_sec: at.0 / 1_000_000_000, tv_nsec: at.0 % 1_000_000_000 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_record::{self_monitor::SelfMonitorRecord, usage::ThreadTime};

    fn account(waited_ms: i64, turns: u64) -> Option<SchedStat> {
        let time = ThreadTime { cpu_ns: Nanos::ZERO, waited_ns: Nanos::from_millis(waited_ms) };
        Some(SchedStat { time, turns })
    }

    #[test]
    fn a_gap_is_a_stall_with_the_cause_that_the_scheduler_shows() {
        let table = [
            (1, true, account(0, 1), None),
            (4, true, account(4, 1), None),
            (5, true, account(0, 1), Some(Cause::Machine)),
            (5, false, account(0, 0), Some(Cause::Machine)),
            (20, true, account(0, 2), Some(Cause::Stopped)),
            (20, false, account(0, 1), Some(Cause::Stopped)),
            (20, true, account(1, 2), Some(Cause::Stopped)),
            (20, true, account(19, 1), Some(Cause::NoProcessor)),
            (20, false, account(19, 3), Some(Cause::NoProcessor)),
            (20, true, None, Some(Cause::Unknown)),
        ];
        for (gap, slept, after, cause) in table {
            let mut last = LastTick { at: Nanos::from_millis(100), account: account(0, 0) };
            let now = Nanos::from_millis(100 + gap);
            let stall = cause.map(|cause| Stall {
                from_ns: Nanos::from_millis(100),
                to_ns: now,
                cause,
                drained_ns: None,
            });
            assert_eq!(last.tick(now, slept, account(0, 0), || after), stall, "{gap} ms, {slept}, {after:?}");
            assert_eq!(last.tick(now + TICK, true, after, || after), None, "a stall is reported once");
        }
    }

    #[test]
    fn a_backlog_has_drained_at_the_level_before_the_stall() {
        let ms = Nanos::from_millis;
        let stall = Stall { from_ns: ms(10), to_ns: ms(20), cause: Cause::Stopped, drained_ns: None };
        let mut backlog = Backlog::default();
        for (at, level) in [(7, 9), (8, 3), (9, 4), (10, 5)] {
            assert_eq!(backlog.tick(ms(at), level), []);
        }
        backlog.begin(stall);
        // The responses that arrived meanwhile are read only now.
        for (at, level) in [(20, 0), (21, 8), (22, 4)] {
            assert_eq!(backlog.tick(ms(at), level), []);
        }
        assert_eq!(backlog.tick(ms(23), 3), [Stall { drained_ns: Some(ms(23)), ..stall }]);
        assert_eq!(backlog.tick(ms(24), 3), []);
        // What remains for ten times as long is not the stall's.
        backlog.begin(stall);
        assert_eq!(backlog.tick(ms(119), 50), []);
        assert_eq!(backlog.tick(ms(120), 50), [Stall { drained_ns: Some(ms(120)), ..stall }]);
    }

    #[test]
    fn stalls_and_usage_are_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let clock = RunClock::start();
        let meter = Meter::start(dir.path(), clock, Arc::default()).unwrap();
        while SelfMonitorRecord::read(dir.path()).unwrap().usage.is_empty() {}
        meter.finish().unwrap();
        let end = clock.now();
        let SelfMonitorRecord { stalls, usage } = SelfMonitorRecord::read(dir.path()).unwrap();
        assert!(usage.len() >= 2, "{usage:?}");
        assert!(usage.iter().all(|line| line.threads.contains_key("hiccup")), "{usage:?}");
        assert!(usage.is_sorted_by_key(|line| (line.at_ns, line.cpu_ns)), "{usage:?}");
        // Also on a busy machine: stalls have a length and an order, and lie within the meter's lifetime.
        assert!(stalls.iter().all(|stall| stall.length() >= SHORTEST && stall.to_ns <= end), "{stalls:?}");
        assert!(stalls.is_sorted_by_key(|stall| stall.from_ns), "{stalls:?}");
    }

    #[test]
    fn an_unwritable_record_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(DIRECTORY), "in the way").unwrap();
        assert!(Meter::start(dir.path(), RunClock::start(), Arc::default()).is_err());
    }
}
