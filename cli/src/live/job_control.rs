//! Job control by the shell: Ctrl-Z, `fg` and `bg`, and `kill -STOP` and `-CONT`.

use std::{
    fs,
    sync::{Arc, Mutex, Weak},
};

use rustix::process::getpgrp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{DisplayMode, Follower, locked};

/// Handles job control for a display, for the rest of the process: a signal with a handler has lost its
/// default action.
pub(super) fn follow(follower: &Arc<Mutex<Follower>>) {
    // Lines that were written stay as they are.
    if matches!(locked(follower).mode, DisplayMode::Nothing | DisplayMode::Lines { .. } | DisplayMode::Json) {
        return;
    }
    let follower = Arc::downgrade(follower);
    if let Ok(continued) = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw())) {
        tokio::spawn(follow_continued(Weak::clone(&follower), continued));
    }
    if let Ok(suspended) = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw())) {
        tokio::spawn(follow_suspended(follower, suspended));
    }
}

async fn follow_suspended(follower: Weak<Mutex<Follower>>, mut suspended: Signal) {
    while suspended.recv().await.is_some() {
        // As by default: a process that no shell could continue is not stopped.
        if has_shell() {
            match follower.upgrade() {
                Some(follower) => locked(&follower).suspend(),
                None => super::full::stop(),
            }
        }
    }
}

async fn follow_continued(follower: Weak<Mutex<Follower>>, mut continued: Signal) {
    while continued.recv().await.is_some() {
        let Some(follower) = follower.upgrade() else { return };
        locked(&follower).resume();
    }
}

impl Follower {
    fn suspend(&mut self) {
        match &mut self.mode {
            DisplayMode::Full(full) => full.suspend(),
            DisplayMode::Bars(bars) => {
                // The shell writes where the rows were.
                bars.clear();
                super::full::stop();
            }
            _ => super::full::stop(),
        }
    }

    fn resume(&mut self) {
        if let DisplayMode::Full(full) = &mut self.mode {
            full.resume();
        }
        self.draw();
    }
}

/// Whether a process of the session but of another job, a shell, started this job and can continue it.
/// Without `/proc` that is assumed.
fn has_shell() -> bool {
    let group = getpgrp().as_raw_nonzero().get();
    let Some(leader) = Standing::of(group) else { return true };
    Standing::of(leader.parent)
        .is_some_and(|parent| parent.session == leader.session && parent.group != group)
}

/// Parent, group and session of a process.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    parent: i32,
    group: i32,
    session: i32,
}

impl Standing {
    fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Parses `/proc/PID/stat`: `1234 (name) S parent group session …`, where the name may contain anything.
    fn parse(stat: &str) -> Option<Self> {
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1).map(str::parse);
        let mut next = || fields.next()?.ok();
        Some(Self { parent: next()?, group: next()?, session: next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standing_of_a_process_is_read() {
        let stat = "4242 (a b) c) S 17 18 19 34816 4242 4194304";
        assert_eq!(Standing::parse(stat), Some(Standing { parent: 17, group: 18, session: 19 }));
        assert_eq!(Standing::parse("4242 (x"), None);
        let own = Standing::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert_eq!(own.group, getpgrp().as_raw_nonzero().get());
    }
}
