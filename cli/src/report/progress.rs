//! One calm display while a run goes: a block that is redrawn on a terminal, a line every few seconds elsewhere. It only
//! reads the running totals; no worker ever waits for it.

use std::{io::IsTerminal as _, io::Write as _, sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::style::{FAINT, STRONG, UNSURE, paint};
use crate::{
    record::{tally::Tally, writer::TallyReader},
    scenario::Scenario,
    units::{Nanos, TenantId},
};

/// Between two drawings on a terminal.
const REDRAW: Duration = Duration::from_millis(200);
/// Between two lines elsewhere.
const LINE: Duration = Duration::from_secs(5);
/// Tenants shown on a terminal; with more, the rest is summed up.
const TENANTS: usize = 8;

/// A running progress display.
#[derive(Debug)]
pub struct Progress {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// What the display knows beside the totals.
#[derive(Debug)]
struct Display {
    tally: TallyReader,
    tenants: Arc<[TenantId]>,
    planned: Nanos,
    started: Instant,
    interrupt: CancellationToken,
}

impl Progress {
    /// Starts showing; nothing at all if `quiet`.
    pub fn start(
        scenario: &Scenario,
        tally: TallyReader,
        quiet: bool,
        interrupt: &CancellationToken,
    ) -> Self {
        let stop = CancellationToken::new();
        if quiet {
            return Self { stop, task: None };
        }
        let planned = scenario.loads.iter().map(|load| load.after + load.duration).max().unwrap_or_default();
        let display = Display {
            tally,
            tenants: scenario.tenants.clone().into(),
            planned,
            started: Instant::now(),
            interrupt: interrupt.clone(),
        };
        let task = if std::io::stderr().is_terminal() {
            tokio::spawn(redraw(display, stop.clone()))
        } else {
            tokio::spawn(lines(display, stop.clone()))
        };
        Self { stop, task: Some(task) }
    }

    /// Stops showing.
    pub async fn finish(self) {
        self.stop.cancel();
        if let Some(task) = self.task {
            let _ = task.await;
        }
    }
}

async fn redraw(display: Display, stop: CancellationToken) {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
    loop {
        bar.set_message(display.block());
        bar.tick();
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(REDRAW) => {}
        }
    }
    bar.finish_and_clear();
}

async fn lines(display: Display, stop: CancellationToken) {
    let mut told = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = display.interrupt.cancelled(), if !told => {
                told = true;
                let _ = writeln!(std::io::stderr(), "interrupted: waiting for answers (again to quit at once)");
            }
            () = tokio::time::sleep(LINE) => {
                let _ = writeln!(std::io::stderr(), "{}", display.line());
            }
        }
    }
}

impl Display {
    /// `12.4 s of 25 s  2,412 requests (195/s)  p50 1.2 ms  p99 4.5 ms  errors 0`
    fn headline(&self, tally: &Tally) -> String {
        let elapsed = self.started.elapsed().as_secs_f64();
        let quantile = |q| Nanos(tally.latency.value_at_quantile(q) as i64);
        let mut text = format!(
            "{elapsed:5.1} s of {:.0} s  {} requests ({:.0}/s)  p50 {}  p99 {}  errors {}",
            self.planned.as_secs_f64(),
            tally.requests,
            tally.requests as f64 / elapsed.max(0.001),
            quantile(0.5),
            quantile(0.99),
            tally.errors,
        );
        if tally.dropped > 0 {
            text.push_str(&format!("  dropped {}", tally.dropped));
        }
        text
    }

    fn line(&self) -> String {
        let tally = self.tally.lock();
        format!("{}  {}", self.headline(&tally), tally.total())
    }

    fn block(&self) -> String {
        let tally = self.tally.lock();
        let mut text = paint(STRONG, self.headline(&tally));
        let width = self
            .tenants
            .iter()
            .take(TENANTS)
            .map(|tenant| tenant.as_str().chars().count())
            .max()
            .unwrap_or(0);
        for (tenant, outcomes) in self.tenants.iter().zip(&tally.tenants).take(TENANTS) {
            text.push_str(&format!("\n  {:width$}  {outcomes}", tenant.as_str()));
        }
        if self.tenants.len() > TENANTS {
            text.push_str(&paint(FAINT, format!("\n  … and {} tenants more", self.tenants.len() - TENANTS)));
        }
        if self.interrupt.is_cancelled() {
            text.push_str(&paint(UNSURE, "\ninterrupted: waiting for answers (again to quit at once)"));
        }
        text
    }
}
