//! Ends a hopeless load: monitors samples as they are recorded, and stops the load when an expectation with
//! `abort = true` can no longer be met. A load that was changed by hand is never ended.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use saasbench_engine::{
    clock::RunClock, rate_control::RateControlReceiver, self_monitor::stall_log::StallLog,
};
use saasbench_model::scenario::Scenario;
use saasbench_record::{batch::Batch, event::Event};
use saasbench_verify::expectations::live::Live;

/// Monitors a load.
#[derive(Debug)]
pub(super) struct AbortMonitor {
    /// `None` if no expectation ends a load, or one has, or none can any more.
    live: Option<Live>,
    stalled: Arc<StallLog>,
    clock: RunClock,
    stop: CancellationToken,
    pace: RateControlReceiver,
    aborted: Aborted,
}

/// When and why the monitor ended the load, if it did.
pub(super) type Aborted = Arc<OnceLock<Event>>;

impl AbortMonitor {
    /// Monitors a load that `graceful_stop` ends, in an environment that is `fresh` or not.
    pub(super) fn new(
        scenario: &Arc<Scenario>,
        fresh: bool,
        stalled: Arc<StallLog>,
        clock: RunClock,
        stop: CancellationToken,
        pace: RateControlReceiver,
    ) -> (Self, Aborted) {
        let aborted = Aborted::default();
        let live = Live::new(scenario, fresh);
        (Self { live, stalled, clock, stop, pace, aborted: Arc::clone(&aborted) }, aborted)
    }

    /// Evaluates what was just recorded.
    pub(super) fn look(&mut self, batch: &Batch) {
        if self.pace.has_changed() {
            self.live = None;
        }
        let Some(live) = &mut self.live else { return };
        batch.iter().for_each(|sample| live.add(sample));
        // Read first: whatever ended by then is among the stalls that are read afterwards.
        let known = self.stalled.known_until();
        let Some(reason) = self.stalled.all(|stalls| live.judge(known, stalls)) else { return };
        let _ = self.aborted.set(Event::Aborted { at_ns: self.clock.now(), reason });
        self.stop.cancel();
        self.live = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_engine::rate_control::RateControl;
    use saasbench_model::{
        scenario::testing::{SCENARIO, scenario},
        units::Nanos,
    };
    use saasbench_record::{
        sample::{RequestOutcome, Sample},
        testing::sample,
    };

    /// Whether a hopeless load is ended, after it was changed by hand or not.
    fn is_ended(changed: bool) -> bool {
        let expected =
            "[metrics]\nenabled = false\n[[expect]]\nthat = \"error_ratio == 0%\"\nabort_on_fail = true\n";
        let scenario = Arc::new(scenario(&format!("{SCENARIO}{expected}")));
        let (controls, stop, stalled) =
            (RateControl::default(), CancellationToken::new(), Arc::new(StallLog::default()));
        stalled.complete_until(Nanos::MAX);
        let (mut guard, aborted) = AbortMonitor::new(
            &scenario,
            true,
            stalled,
            RunClock::start(),
            stop.clone(),
            controls.subscribe(),
        );
        if changed {
            controls.step(Nanos::ZERO, 1);
        }
        let broken = Sample {
            failed_check: Some("status 500".to_owned()),
            ..sample(100, 0, RequestOutcome::Status(500))
        };
        guard.look(&std::iter::once(&broken).collect());
        assert_eq!(stop.is_cancelled(), aborted.get().is_some());
        stop.is_cancelled()
    }

    #[test]
    fn a_load_that_was_changed_by_hand_is_not_hopeless() {
        assert!(is_ended(false));
        assert!(!is_ended(true));
    }
}
