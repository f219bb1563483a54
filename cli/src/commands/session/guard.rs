//! Ends a load that is hopeless: looks on while samples are recorded, and stops the load when an expectation with
//! `abort = true` cannot be kept any more.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::{
    clock::RunClock,
    load::pace::Listener,
    record::{batch::Batch, manifest::Event},
    scenario::Scenario,
    verify::expectations::live::Live,
    watch::stall::Stalled,
};

/// Looks on.
#[derive(Debug)]
pub(super) struct Guard {
    /// `None` where no expectation ends a load, or one has.
    live: Option<Live>,
    stalled: Arc<Stalled>,
    clock: RunClock,
    stop: CancellationToken,
    pace: Listener,
    aborted: Aborted,
}

/// When and why a guard ended the load, if it did.
pub(super) type Aborted = Arc<OnceLock<Event>>;

impl Guard {
    /// Looks on a load that `stop` ends, on an environment that is `fresh` or not.
    pub(super) fn new(
        scenario: &Arc<Scenario>,
        fresh: bool,
        stalled: Arc<Stalled>,
        clock: RunClock,
        stop: CancellationToken,
        pace: Listener,
    ) -> (Self, Aborted) {
        let aborted = Aborted::default();
        let live = Live::new(scenario, fresh);
        (Self { live, stalled, clock, stop, pace, aborted: Arc::clone(&aborted) }, aborted)
    }

    /// Looks at what was just recorded.
    pub(super) fn look(&mut self, batch: &Batch) {
        let Some(live) = &mut self.live else { return };
        batch.iter().for_each(|sample| live.add(sample));
        if self.pace.has_changed() {
            live.turn(|begin| self.pace.plan_time(begin));
        }
        // The instant first: whatever ended by then is among the stalls that are asked for afterwards.
        let known = self.stalled.looked_until();
        let Some(why) = self.stalled.all(|stalls| live.judge(known, stalls)) else { return };
        let _ = self.aborted.set(Event::new(self.clock.now(), format!("aborted: {why}")));
        self.stop.cancel();
        self.live = None;
    }
}
