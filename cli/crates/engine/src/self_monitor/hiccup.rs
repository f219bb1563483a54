//! The hiccup meter: a thread of its own that wakes every millisecond and looks at the clock. Where it was not let run for
//! [`SHORTEST`] or longer, nothing else of the generator can be trusted to have run either: that is a stall.
//!
//! After Azul's jHiccup. Sleeps have absolute ends, and the scheduler's own account of the thread tells causes apart.

use std::{
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
    self_monitor::{DIRECTORY, STALLS, USAGE},
    stall::{Cause, SHORTEST, Stall},
    usage::Usage,
};

/// Between two looks at the clock.
const BEAT: Nanos = Nanos::from_millis(1);
/// Between two looks at what the threads cost.
const USAGE_INTERVAL: Nanos = Nanos::from_millis(500);
/// A count that took longer to read is of no moment in particular.
const MOMENT: Nanos = Nanos::from_millis(1);

/// The meter, at work.
#[derive(Debug)]
pub struct Meter {
    stop: Arc<AtomicBool>,
    stalled: Arc<StallLog>,
    thread: JoinHandle<io::Result<()>>,
}

impl Meter {
    /// Starts it; what it finds goes to `generator/` in the run's directory, at once.
    ///
    /// # Errors
    /// When the files cannot be made or the thread cannot be started.
    pub fn start(run_dir: &Path, clock: RunClock, in_flight: Arc<InFlight>) -> io::Result<Self> {
        let dir = run_dir.join(DIRECTORY);
        fs::create_dir_all(&dir)?;
        let open = |name| OpenOptions::new().create(true).append(true).open(dir.join(name));
        let (stalls, usage) = (open(STALLS)?, open(USAGE)?);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let stalled = Arc::new(StallLog::default());
        let counted = Arc::clone(&stalled);
        let thread = std::thread::Builder::new()
            .name("hiccup".to_owned())
            .spawn(move || watch(clock, &stopped, &in_flight, &counted, stalls, usage))?;
        Ok(Self { stop, stalled, thread })
    }

    /// All that it found so far.
    pub fn stalled(&self) -> Arc<StallLog> {
        Arc::clone(&self.stalled)
    }

    /// Ends it, within a beat.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn finish(self) -> io::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| io::Error::other("the hiccup meter ended before the run did"))?
    }
}

/// The meter's work, until `stop`.
fn watch(
    clock: RunClock,
    stop: &AtomicBool,
    in_flight: &InFlight,
    stalled: &StallLog,
    mut stalls: File,
    mut usage: File,
) -> io::Result<()> {
    let account = File::open("/proc/thread-self/schedstat").ok();
    let account = || account.as_ref().and_then(read_account);
    let zero = monotonic() - clock.now();
    let mut pulse = LastTick { at: clock.now(), account: account() };
    let mut next_usage = pulse.at;
    while !stop.load(Ordering::Relaxed) {
        if pulse.at >= next_usage {
            // Without a file descriptor left there is nothing to see; that is told by the samples.
            if let Ok(look) = look(clock, in_flight) {
                write_line(&mut usage, &look)?;
            }
            next_usage = pulse.at + USAGE_INTERVAL;
        }
        let due = pulse.at + BEAT;
        let slept = clock.now() < due;
        if slept {
            // A signal ends the sleep early, which does no harm.
            let _ = clock_nanosleep_absolute(ClockId::Monotonic, &timespec(zero + due));
        }
        // Before the clock, so that a stall after this look at it belongs to the next beat with all that it brings.
        let at_wake = account();
        if let Some(stall) = pulse.beat(clock.now(), slept, at_wake, account) {
            stalled.add(&stall);
            write_line(&mut stalls, &stall)?;
        }
        stalled.look(pulse.at);
    }
    look(clock, in_flight).map_or(Ok(()), |look| write_line(&mut usage, &look))
}

/// What the generator costs and has under way.
fn look(clock: RunClock, in_flight: &InFlight) -> io::Result<Usage> {
    let (at, count) = (clock.now(), in_flight.total());
    let count = (clock.now() - at <= MOMENT).then_some(count);
    usage::read(at, count)
}

/// What the meter knew when it last ran.
#[derive(Debug)]
struct LastTick {
    at: Nanos,
    account: Option<SchedStat>,
}

impl LastTick {
    /// It runs again: whether that took too long. The scheduler's account is that at waking; where it did, it is read anew.
    fn beat(
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
        Some(Stall { from_ns: before.at, to_ns: now, cause })
    }
}

/// What kept the thread from running for so long, by the scheduler's account of it.
///
/// For the end of a sleep the thread gets one turn on a processor, and for the end of a stop another one (also where it was
/// its container that was frozen). So one more than the sleep's, without the wait that being pushed aside would bring with
/// it, means that it was stopped.
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
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)
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
    fn a_gap_is_a_stall_and_the_scheduler_knows_its_cause() {
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
            let mut pulse = LastTick { at: Nanos::from_millis(100), account: account(0, 0) };
            let now = Nanos::from_millis(100 + gap);
            let stall = cause.map(|cause| Stall { from_ns: Nanos::from_millis(100), to_ns: now, cause });
            assert_eq!(
                pulse.beat(now, slept, account(0, 0), || after),
                stall,
                "{gap} ms, {slept}, {after:?}"
            );
            assert_eq!(pulse.beat(now + BEAT, true, after, || after), None, "a stall is told once");
        }
    }

    #[test]
    fn what_it_sees_is_in_the_record_when_it_has_ended() {
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
        // Whatever else this machine does now: stalls have a length, an order, and lie within the meter's life.
        assert!(stalls.iter().all(|stall| stall.length() >= SHORTEST && stall.to_ns <= end), "{stalls:?}");
        assert!(stalls.is_sorted_by_key(|stall| stall.from_ns), "{stalls:?}");
    }

    #[test]
    fn a_record_that_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(DIRECTORY), "in the way").unwrap();
        assert!(Meter::start(dir.path(), RunClock::start(), Arc::default()).is_err());
    }
}
