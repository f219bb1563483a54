//! Judges alerts: did they fire and resolve in time, or stay silent? Read from Prometheus's own samples of
//! `ALERTS`.
//!
//! An alert changes state only when its rule is evaluated. A sample that says firing therefore proves that
//! the alert had fired by then, and the last such sample proves that it had not resolved before. That
//! something did not happen counts against the service only where Prometheus was there to see it. `timeline`
//! reads the record; `diagnose` explains why an alert is dead.

mod diagnose;
#[cfg(test)]
mod tests;
mod timeline;

use crate::verdict::{Claim, Diagnosis, Evidence, Outcome, Verdict};
use saasbench_model::{
    plan::time::PlanInstant,
    scenario::{Alert, AlertPromise},
    units::Nanos,
};
use saasbench_record::{manifest::State, reader::RecordedRun};
use timeline::{Course, Recorded};

/// Judges every promise about an alert. `bottleneck` says why the load may have been smaller than planned.
pub fn judge(run: &RecordedRun, bottleneck: Option<&str>) -> Vec<Verdict> {
    let alerts = &run.scenario.alerts;
    if alerts.is_empty() {
        return Vec::new();
    }
    let recorded = Recorded::read(run);
    let judged = alerts.iter().map(|alert| {
        let recorded = match &recorded {
            Ok(recorded) => recorded,
            Err(why) => return Verdict::inconclusive(Claim::Alerts, alert.to_string(), why),
        };
        let judge = Judge { alert, run, recorded, bottleneck };
        let evidence = match promise(run, alert) {
            AlertPromise::Fires { cause, within, resolves_within } => {
                judge.fires(cause, within, resolves_within)
            }
            AlertPromise::Silent => judge.is_silent(),
        };
        Verdict::from_evidence(Claim::Alerts, alert.to_string(), evidence, |_, findings| {
            let worst = findings.iter().map(|finding| finding.outcome).max();
            let decisive = findings.iter().filter(|finding| Some(finding.outcome) == worst);
            decisive.map(|finding| finding.observed.as_str()).collect::<Vec<_>>().join("; ")
        })
    });
    let stated = judged.zip(alerts);
    stated.map(|(verdict, alert)| verdict.stated(&run.manifest.scenario, alert.stated_at)).collect()
}

/// What an alert did according to the record, for charts. Instants are on the run's clock, to within the
/// clocks' tolerance.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertTimeline {
    /// The alert as a PromQL selector.
    pub alert: String,
    /// From when to when it had cause to fire; `None` for an alert that must stay silent.
    pub cause: Option<(Nanos, Nanos)>,
    /// The latest instants by which it was promised to fire, and to resolve.
    pub deadlines: (Option<Nanos>, Option<Nanos>),
    /// First and last pending sample.
    pub pending: Option<(Nanos, Nanos)>,
    /// First and last firing sample.
    pub firing: Option<(Nanos, Nanos)>,
    /// First instant after the last firing sample at which it was seen not to be firing.
    pub resolved: Option<Nanos>,
    /// When its state was last sampled.
    pub until: Nanos,
}

/// What every alert of the scenario did; empty where no response of Prometheus shows it.
pub fn courses(run: &RecordedRun) -> Vec<AlertTimeline> {
    let (Some(load), Ok(recorded)) = (run.manifest.load, Recorded::read(run)) else { return Vec::new() };
    let placed = |at: Nanos| load.start_ns + at;
    let both = |(from, to): (Nanos, Nanos)| (placed(from), placed(to));
    let course = |alert: &Alert| {
        let (cause, deadlines) = match promise(run, alert) {
            AlertPromise::Fires { cause, within, resolves_within } => {
                (Some(cause), (Some(cause.0 + within), resolves_within.map(|within| cause.1 + within)))
            }
            AlertPromise::Silent => (None, (None, None)),
        };
        let begin = cause.map_or(Nanos::ZERO, |cause| cause.0);
        let course = recorded.course(|labels| alert.matches(labels), begin);
        AlertTimeline {
            alert: alert.to_string(),
            cause: cause.map(both),
            deadlines: (deadlines.0.map(placed), deadlines.1.map(placed)),
            pending: course.pending.map(both),
            firing: course.firing.zip(course.last).map(both),
            resolved: course.gone.map(placed),
            until: placed(recorded.until),
        }
    };
    run.scenario.alerts.iter().map(course).collect()
}

/// The promise about an alert, its cause shifted by pauses as the load was.
fn promise(run: &RecordedRun, alert: &Alert) -> AlertPromise {
    let begin = run.manifest.load.map_or(Nanos::ZERO, |load| load.start_ns);
    let time = run.manifest.plan_time();
    let reached = |at| time.to_run_time(PlanInstant(begin + at)).unwrap_or(Nanos::MAX);
    alert.promise.placed(|at| reached(at) - begin)
}

/// One promise and the record to judge it by. All instants are counted from the start of the load, as causes
/// are.
struct Judge<'a> {
    alert: &'a Alert,
    run: &'a RecordedRun,
    recorded: &'a Recorded,
    bottleneck: Option<&'a str>,
}

impl Judge<'_> {
    fn fires(&self, cause: (Nanos, Nanos), within: Nanos, resolves_within: Option<Nanos>) -> Vec<Evidence> {
        let course = self.recorded.course(|labels| self.alert.matches(labels), cause.0);
        let deadline = cause.0 + within;
        let expected =
            format!("fires within {within} of its cause's start at {}: by {}", at(cause.0), at(deadline));
        let finding = |outcome, observed: String| Evidence::new(outcome, "fires", &expected, observed);
        let tolerance = self.recorded.tolerance;
        let first = match (course.before, course.firing) {
            (Some(last), _) => {
                let observed = format!("was firing already, at {}, when its cause started", at(last));
                return vec![finding(Outcome::Inconclusive, observed)];
            }
            (None, Some(firing)) if firing + tolerance <= deadline => {
                finding(Outcome::Pass, format!("fired {} after its cause started", firing - cause.0))
            }
            (None, Some(firing)) if firing - tolerance > deadline => {
                let observed =
                    format!("fired {} after its cause started, {within} promised", firing - cause.0);
                self.fails(finding(Outcome::Fail, observed), (cause.0, firing), self.ended_before(cause.1))
            }
            (None, Some(firing)) => {
                let observed =
                    format!("fired at {}: the clocks differ too much to decide whether in time", at(firing));
                finding(Outcome::Inconclusive, observed)
            }
            (None, None) => {
                let fail = finding(Outcome::Fail, "did not fire".to_owned());
                let why = self.ended_before(cause.1).or_else(|| self.observed_until(deadline));
                let why = why.or_else(|| self.unreported());
                self.fails(fail, (cause.0, deadline), why)
            }
        };
        let has_fired = course.firing.is_some();
        let mut findings = vec![self.explain(with_course(first, &course, self.recorded), &course)];
        if let Some(within) = resolves_within.filter(|_| has_fired) {
            findings.push(self.resolves(cause, within, &course));
        }
        findings
    }

    fn resolves(&self, cause: (Nanos, Nanos), within: Nanos, course: &Course) -> Evidence {
        let (deadline, tolerance) = (cause.1 + within, self.recorded.tolerance);
        let expected =
            format!("resolves within {within} of its cause's end at {}: by {}", at(cause.1), at(deadline));
        let finding = |outcome, observed: String| Evidence::new(outcome, "resolves", &expected, observed);
        let last = course.last.unwrap_or(cause.1);
        if last - tolerance > deadline {
            let observed =
                format!("was still firing {} after its cause ended, {within} promised", last - cause.1);
            let others = (!self.run.manifest.environment.exclusive)
                .then(|| "the environment is shared, and others may keep it firing".to_owned());
            return self.fails(finding(Outcome::Fail, observed), (cause.1, last), others);
        }
        if let Some(why) = self.ended_before(cause.1) {
            return finding(Outcome::Inconclusive, why);
        }
        match course.gone {
            Some(gone) if gone + tolerance <= deadline && gone < cause.1 => {
                finding(Outcome::Pass, format!("resolved {} before its cause ended", cause.1 - gone))
            }
            Some(gone) if gone + tolerance <= deadline => {
                finding(Outcome::Pass, format!("resolved {} after its cause ended", gone - cause.1))
            }
            Some(gone) => {
                let observed = format!("resolved between {} and {}: too close to decide", at(last), at(gone));
                finding(Outcome::Inconclusive, observed)
            }
            None => {
                let until = at(self.recorded.until);
                finding(Outcome::Inconclusive, format!("was firing when last polled, at {until}"))
            }
        }
    }

    fn is_silent(&self) -> Vec<Evidence> {
        let Recorded { until, tolerance, interval, .. } = *self.recorded;
        let course = self.recorded.course(|labels| self.alert.matches(labels), Nanos::ZERO);
        let environment = &self.run.manifest.environment;
        let expected = "does not fire while the run is observed";
        let finding = |outcome, observed: String| {
            with_course(Evidence::new(outcome, "is silent", expected, observed), &course, self.recorded)
        };
        if let Some(before) = course.before {
            let observed = format!("was firing already, at {}, when the load started", at(before));
            return vec![finding(Outcome::Inconclusive, observed)];
        }
        if let Some(firing) = course.firing {
            // Samples from before the run can still lie within the windows that rules evaluate.
            let first = if environment.fresh { Nanos::ZERO } else { interval + interval };
            let doubt = if !environment.exclusive {
                Some("the environment is shared, and others may be the cause".to_owned())
            } else if course.active.is_some_and(|active| active < first + tolerance) {
                Some("was active when the load started: earlier events may be the cause".to_owned())
            } else {
                None
            };
            let fail = finding(Outcome::Fail, format!("fired at {}", at(firing)));
            return vec![fail_unless(fail, doubt)];
        }
        // A metric may appear only with the first error. A rule whose metric does not exist never fires.
        if let Some(dead) = diagnose::dead(self.alert, self.recorded) {
            let outcome = if dead.may_still_fire { Outcome::Inconclusive } else { Outcome::Fail };
            let observed = format!("its silence proves nothing: {}", dead.diagnosis.sentence);
            return vec![diagnosed(finding(outcome, observed), dead.diagnosis)];
        }
        let end = self.run.manifest.load.map_or(Nanos::ZERO, |load| load.to_ns - load.start_ns);
        let why = self.ended_before(end).or_else(|| self.observed_until(end));
        let why = why.or_else(|| self.unreported()).or_else(|| self.recorded.doubt_of((Nanos::ZERO, until)));
        let why = why.or_else(|| {
            course
                .pending_at_end(until, interval)
                .then(|| format!("was pending when last polled, at {}", at(until)))
        });
        let why =
            why.or_else(|| self.bottleneck.map(|bound| format!("the load may have been too small: {bound}")));
        vec![match why {
            Some(why) => finding(Outcome::Inconclusive, why),
            None => finding(Outcome::Pass, format!("was silent until {}", at(until))),
        }]
    }

    /// A finding that something did not happen within `span`: Inconclusive if Prometheus or the load may be
    /// the reason.
    fn fails(&self, fail: Evidence, span: (Nanos, Nanos), why: Option<String>) -> Evidence {
        let cause = self.bottleneck.filter(|_| fail.subject == "fires");
        let why = why.or_else(|| cause.map(|bound| format!("the cause may have been too small: {bound}")));
        fail_unless(fail, why.or_else(|| self.recorded.doubt_of(span)))
    }

    /// Why the load may not have lasted until `end`, if so.
    fn ended_before(&self, end: Nanos) -> Option<String> {
        let ended = self.run.manifest.load.map(|load| load.to_ns - load.start_ns);
        let interrupted = self.run.manifest.state != State::Finished;
        let early = interrupted && ended.is_none_or(|ended| ended < end);
        early.then(|| format!("the run was cut short before the cause's end at {}", at(end)))
    }

    /// Where Prometheus lists no rules and shows no sample of the alert, the rule may not be evaluated at
    /// all.
    fn unreported(&self) -> Option<String> {
        let unreported = self.recorded.rules.is_none() && !self.recorded.knows(&self.alert.name);
        unreported.then(|| "Prometheus lists no rules: nothing shows that this one is evaluated".to_owned())
    }

    fn observed_until(&self, deadline: Nanos) -> Option<String> {
        let Recorded { until, tolerance, interval, .. } = *self.recorded;
        (until < deadline + tolerance + interval)
            .then(|| format!("last polled {}: too early to decide", at(until)))
    }

    /// Attaches the diagnosis to a failed finding.
    fn explain(&self, finding: Evidence, course: &Course) -> Evidence {
        if finding.outcome != Outcome::Fail {
            return finding;
        }
        let diagnosis = diagnose::silence(self.alert, self.recorded, course);
        match diagnosis {
            Some(diagnosis) => diagnosed(finding, diagnosis),
            None => finding,
        }
    }
}

/// Attaches a diagnosis to a finding.
fn diagnosed(mut finding: Evidence, diagnosis: Diagnosis) -> Evidence {
    finding.details.insert(0, format!("diagnosis: {}", diagnosis.sentence));
    finding.diagnosis = Some(diagnosis);
    finding
}

/// The failure, or Inconclusive where `doubt` names another possible cause.
fn fail_unless(mut fail: Evidence, doubt: Option<String>) -> Evidence {
    if let Some(doubt) = doubt {
        fail.outcome = Outcome::Inconclusive;
        fail.observed = format!("{}; {doubt}", fail.observed);
    }
    fail
}

/// Adds what the alert did, in order of time, to a finding.
fn with_course(finding: Evidence, course: &Course, recorded: &Recorded) -> Evidence {
    let evaluated = if recorded.interval > Nanos::ZERO {
        format!("evaluated every {}, ", recorded.interval)
    } else {
        String::new()
    };
    match course.reported() {
        Some(reported) => finding.detail(format!(
            "{reported} ({evaluated}clocks within {}; counted from the start of the load)",
            recorded.tolerance
        )),
        None => finding,
    }
}

/// Formats an instant: `12.3 s`.
fn at(instant: Nanos) -> String {
    format!("{:.1} s", instant.as_secs_f64())
}
