//! The steps of one search on one environment.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{Work, settings::unfit};
use crate::commands::capacity::cooldown::{Cooldown, Probe};
use crate::{
    commands::session::{Session, Signals, judge_with_observer, record_failure},
    environment::RunningEnvironment,
    exit::{Exit, Failure},
    output::Output,
};
use saasbench_engine::self_monitor::{in_flight::InFlight, machine::MachineTime};
use saasbench_model::{scenario::capacity::By, units::Nanos};
use saasbench_record::{
    reader::RecordedRun,
    writer::{RecordError, create_run},
};
use saasbench_report::capacity::{level, line};
use saasbench_verify::{
    Report,
    capacity::{
        result::{Count, STEPS, Stopped},
        sample_size::{ResponseCounts, samples_needed},
        search::{Bounds, Bracket, Next, Search, Trial},
        step::{Context, Ending, Flow, Lateness, Step, ending, strictest},
    },
};

/// Consecutive steps without a result before the level counts as one that cannot be measured here.
const TIMEOUT: u32 = 3;
/// Factor by which a step is longer after one without a result.
const LONGER: f64 = 1.5;
/// The longest step; no budget has room for a longer one.
const LONGEST: Duration = Duration::from_secs(86_400);
/// How often the number of requests in flight is checked …
const LOOK: Duration = Duration::from_millis(50);
/// … and for how long it must be too high.
const LASTING: Duration = Duration::from_millis(600);

/// A search in progress.
pub(super) struct CapacitySearchRun<'a> {
    work: &'a Work<'a>,
    up: RunningEnvironment,
    search: Search,
    steps: Vec<Step>,
    probe: Probe,
    deadline: Instant,
    replicas: usize,
    /// Steps without a result since the last one with a result.
    unsure: u32,
    /// Seconds of load, times the level, until each quantile has enough samples: as planned, and later as
    /// observed.
    needed: f64,
    /// Whether a step was started: then there is something to report, though it may not have been judged.
    started: bool,
    /// Runs whose samples are retained, by their result.
    kept: Vec<(Ending, PathBuf)>,
}

impl<'a> CapacitySearchRun<'a> {
    pub(super) fn new(
        work: &'a Work<'a>,
        up: RunningEnvironment,
        replicas: usize,
        last: Option<&Count>,
        deadline: Instant,
    ) -> Self {
        let settings = work.settings;
        // With more replicas, the search need not start from the bottom.
        let known =
            last.and_then(|count| count.held).map_or(settings.from, |held| (held / 2.0).max(settings.from));
        let search = Search::new(Bounds {
            start: known,
            least: settings.from,
            most: settings.most,
            precision: settings.precision,
            whole: settings.by == By::Users,
        });
        let probe = Probe::new(&up);
        Self {
            work,
            up,
            search,
            steps: Vec::new(),
            probe,
            deadline,
            replicas,
            unsure: 0,
            needed: match settings.by {
                By::Rate => samples_needed(work.scenario),
                // How many requests a user sends is known after the first step.
                By::Users => 0.0,
            },
            started: false,
            kept: Vec::new(),
        }
    }

    /// Runs steps until the capacity is known.
    pub(super) async fn run(&mut self, output: &mut Output<'_>) -> Result<Stopped, Failure> {
        self.probe.wait_until_idle(&self.work.signals.stop).await;
        loop {
            if self.work.signals.stop.is_cancelled() {
                return Ok(Stopped::Interrupted);
            }
            let level = match self.search.next() {
                Next::Done(end) => return Ok(Stopped::Search(end)),
                Next::Try(level) => level,
            };
            let planned = self.length(level);
            if Instant::now() + planned.to_duration() > self.deadline {
                return Ok(Stopped::Budget);
            }
            let taken = self.run_step(level, planned, output).await;
            // An interrupted step may have too little to judge.
            if self.work.signals.interrupted() {
                return Ok(Stopped::Interrupted);
            }
            let (step, answers) = taken?;
            output.note(&line(self.steps.len() + 1, self.work.settings.by, &step));
            self.note(step, &answers);
            self.settle(output).await?;
        }
    }

    /// Whether anything was recorded.
    pub(super) fn has_started(&self) -> bool {
        self.started
    }

    /// The results, and the environment.
    pub(super) fn finish(self) -> (Vec<Step>, Bracket, RunningEnvironment) {
        let bracket = self.search.bracket();
        (self.steps, bracket, self.up)
    }

    /// Length of a step's load: the warm-up, plus the requested duration or what the quantiles need,
    /// whichever is longer.
    fn length(&self, level: f64) -> Nanos {
        let Work { settings, scenario, .. } = self.work;
        let asked = settings.step.as_secs_f64();
        let length = asked.max(self.needed / level) * LONGER.powi(i32::try_from(self.unsure).unwrap_or(0));
        scenario.warmup + Nanos::from_secs_f64(length.min(LONGEST.as_secs_f64()))
    }

    /// Records the result of a step.
    fn note(&mut self, step: Step, answers: &ResponseCounts) {
        let is_whole = matches!(step.ending, Ending::Held | Ending::Unsure) && !step.cut_short;
        let trial = match step.ending {
            Ending::Held => Some(Trial::Held),
            Ending::Broke => Some(Trial::Broke),
            Ending::Generator => Some(Trial::InvalidTrial),
            // It was merely too short: a longer one can decide, if the budget permits.
            Ending::Unsure if is_whole && answers.is_insufficient() => None,
            Ending::Unsure => (self.unsure + 1 >= TIMEOUT).then_some(Trial::InvalidTrial),
        };
        self.unsure = if trial.is_some() { 0 } else { self.unsure + 1 };
        if let Some(trial) = trial {
            self.search.record(step.level, trial);
        }
        if step.responses_per_s > 0.0 && is_whole {
            let judged = (step.planned_ns - self.work.scenario.warmup).as_secs_f64();
            self.needed = answers.shortfall() * judged * step.level;
        }
        self.steps.push(step);
    }

    /// Pauses until the service is idle again.
    async fn settle(&mut self, output: &mut Output<'_>) -> Result<(), Failure> {
        // The next run finds what earlier steps left behind.
        self.up.set_used();
        let settle = self.work.settings.settle;
        let last = self.steps.last();
        let least =
            if last.is_some_and(|step| step.ending == Ending::Held) { Duration::ZERO } else { settle };
        match self.probe.rest(least, settle, &self.work.signals.stop).await {
            Cooldown::Settled => Ok(()),
            Cooldown::NotSettled => {
                let text = "the service has not come to rest; going on all the same";
                output.note(text);
                Ok(())
            }
            Cooldown::Unreachable => {
                let level = last.map(|step| level(self.work.settings.by, step.level)).unwrap_or_default();
                Err(Failure::new(
                    Exit::Unreachable,
                    format!("the service no longer responds, after a step at {level}"),
                )
                .hint(
                    "look into its log for why; if it only takes long to come back, give a longer --settle",
                ))
            }
        }
    }

    /// Runs one step: a recorded run, judged.
    async fn run_step(
        &mut self,
        level: f64,
        planned: Nanos,
        output: &mut Output<'_>,
    ) -> Result<(Step, ResponseCounts), Failure> {
        let Work { settings, dir, signals, .. } = self.work;
        let name = format!("{STEPS}/r{}-{:03}-{level}", self.replicas, self.steps.len() + 1);
        let run = dir.join(&name);
        self.started = true;
        create_run(&run).map_err(|error| record_failure(&error))?;
        let overrides = settings.overrides(level, planned);
        let mut scenario = self.work.scenario.clone();
        overrides.apply(&mut scenario).map_err(unfit)?;
        let mut text = self.work.text.clone();
        text.overrides = overrides;
        let warmup = scenario.warmup;
        let lateness = strictest(&scenario, level, planned - warmup).filter(|_| settings.by == By::Rate);
        let (tell, reported) = oneshot::channel();
        let stop = signals.stop.child_token();
        // Cut short too early, while users were starting or during the warm-up, it has no result; then the
        // next one is not cut short.
        let early = lateness.filter(|_| self.unsure == 0);
        let cut = tokio::spawn(cut_short(reported, early, warmup, stop.clone()));
        let scenario = Arc::new(scenario);
        let mut session = Session {
            scenario: Arc::clone(&scenario),
            text,
            up: &self.up,
            workers: self.work.args.workers,
            self_metrics: None,
            in_flight: Some(tell),
        };
        let before = MachineTime::now();
        let of_step = Signals { stop, ..Signals::clone(signals) };
        // Only the step's result line is shown.
        let was_quiet = output.set_quiet(true);
        let recorded = session.record(&run, output, &of_step).await;
        output.set_quiet(was_quiet);
        let machine = before.zip(MachineTime::now()).and_then(|(before, after)| after.share_since(before));
        cut.abort();
        let cut_short = matches!(cut.await, Ok(true));
        recorded.map_err(|error| record_failure(&error))?;
        let begin = |run: &RecordedRun| {
            let begin = run.manifest.load.map_or(Nanos::ZERO, |load| load.start_ns);
            let answers = ResponseCounts::new(&scenario, run.manifest.environment.fresh, begin + warmup);
            (Flow::new(begin, warmup, planned, lateness), answers)
        };
        let (report, (flow, answers)) = judge_with_observer(&run, begin, |(flow, answers), sample| {
            flow.add(sample);
            answers.add(sample);
        })?;
        let step = self.judged(level, name, planned, &report, &flow, machine, cut_short);
        self.tidy(step.ending, run)?;
        Ok((step, answers))
    }

    #[expect(clippy::too_many_arguments, reason = "all that is known of a step")]
    fn judged(
        &self,
        level: f64,
        run: String,
        planned: Nanos,
        report: &Report,
        flow: &Flow,
        machine: Option<f64>,
        cut_short: bool,
    ) -> Step {
        let calm = self.steps.iter().filter(|step| step.ending == Ending::Held);
        let calm = calm.min_by(|a, b| a.level.total_cmp(&b.level)).and_then(|step| step.p50);
        let is_open = self.work.settings.by == By::Rate;
        let (ending, why) = ending(report, flow, Context { is_open, cut_short, calm_p50: calm });
        let busiest = report.generator.workers.iter().map(|worker| worker.busy).max_by(f64::total_cmp);
        Step {
            level,
            run,
            ending,
            why,
            planned_ns: planned,
            cut_short,
            requests: report.summary.total.requests,
            responses_per_s: flow.responses_per_s(),
            errors: report.summary.total.errors,
            p50: flow.quantile(0.5),
            p99: flow.quantile(0.99),
            generator_busy: busiest,
            machine_busy: machine,
        }
    }

    /// Deletes samples that are no longer needed: they are large, so only those of the last step of each
    /// result are retained.
    fn tidy(&mut self, ending: Ending, run: PathBuf) -> Result<(), Failure> {
        if let Some(place) = self.kept.iter().position(|(kind, _)| *kind == ending) {
            let (_, older) = self.kept.swap_remove(place);
            remove_samples(&older).map_err(|error| record_failure(&error))?;
        }
        self.kept.push((ending, run));
        Ok(())
    }
}

fn remove_samples(run: &Path) -> Result<(), RecordError> {
    let samples = run.join("samples");
    fs::remove_dir_all(&samples).map_err(RecordError::write(&samples))
}

/// Ends a step that can no longer keep its objectives; returns whether it did. A stall of this machine also
/// increases the requests in flight, so only a lasting increase counts.
async fn cut_short(
    reported: oneshot::Receiver<Arc<InFlight>>,
    lateness: Option<Lateness>,
    warmup: Nanos,
    stop: CancellationToken,
) -> bool {
    let (Ok(in_flight), Some(lateness)) = (reported.await, lateness) else { return false };
    // What is late by now was due in the part that is judged.
    sleep((warmup + lateness.bound).to_duration()).await;
    let lasting = (lateness.bound.to_duration() * 2).max(LASTING);
    let mut since = Instant::now();
    loop {
        if in_flight.total() <= lateness.in_flight {
            since = Instant::now();
        }
        if since.elapsed() >= lasting {
            stop.cancel();
            return true;
        }
        sleep(LOOK).await;
    }
}
