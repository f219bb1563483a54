//! Searches for an explanation; see the parent module for why this is sound.

mod admit;
mod advance;
mod prune;
mod reject;

use super::{
    super::{HistoryContext, Request, history::losses},
    state::State,
    windows::Windows,
};

/// With more pending decisions than this, they are not tracked one by one.
const FEW: u64 = 8;

/// With more states than this, states are merged …
const MOST_STATES: usize = 48;

/// … and fewer after `MOST_STEPS` steps plus `STEPS_EACH` per request.
const MOST_STEPS: usize = 500_000;
const STEPS_EACH: usize = 4;

/// Which responses the search uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    All,
    /// Rejections are ignored.
    Admissions,
    /// Admissions are uncertain; each rejection is judged by itself.
    Rejections,
}

/// Why a state cannot continue.
#[derive(Debug, Clone)]
pub(super) struct Contradiction {
    pub(super) at: i64,
    pub(super) start: Option<(i64, i64)>,
    /// Admissions of the previous window: the least for an over-admission, the most for a rejection.
    pub(super) previous: u64,
    /// Admissions of the current window: likewise.
    pub(super) count: u64,
    /// Whether it is an admission too many; otherwise it is an unexplained rejection.
    pub(super) is_admission: bool,
    /// Whether other states ended, too.
    pub(super) has_rivals: bool,
}

/// A rejection that no state explains, judged by itself.
#[derive(Debug, Clone)]
pub(super) struct UnexplainedRejection {
    /// Rank in the history.
    pub(super) index: usize,
    /// The most that can have been counted.
    pub(super) counted: u64,
    /// The contradiction.
    pub(super) end: Contradiction,
}

/// The result of a search.
#[derive(Debug, Default)]
pub(super) struct SearchResult {
    /// Set if no state is left.
    pub(super) end: Option<Contradiction>,
    /// Only with [`Evidence::Rejections`].
    pub(super) wrong: Vec<UnexplainedRejection>,
    /// Whether states were merged.
    pub(super) is_approximate: bool,
}

/// An indexed history with its context.
#[derive(Debug)]
pub(super) struct Search<'a> {
    requests: &'a [Request],
    windows: Windows,
    context: &'a HistoryContext,
    evidence: Evidence,
    losses: Vec<(i64, i64)>,
    /// `(done, rank)`, sorted by `done`.
    done: Vec<(i64, u32)>,
    /// From this instant on, other clients may have used the key.
    shared_from: i64,
    states: Vec<State>,
    /// Number of states after the last pruning.
    thinned: usize,
    /// How many times a state was advanced over an instant of the history.
    steps: usize,
    /// The last instant that all states have passed.
    before: i64,
    /// The latest `done` of everything sent so far.
    reach: i64,
    /// Rejections to be explained, with the highest count found so far.
    waiting: Vec<UnexplainedRejection>,
    found: SearchResult,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        requests: &'a [Request],
        windows: Windows,
        context: &'a HistoryContext,
        evidence: Evidence,
    ) -> Self {
        let done = |(rank, request): (usize, &Request)| (request.done.max(request.sent).0, rank as u32);
        let mut done: Vec<(i64, u32)> = requests.iter().enumerate().map(done).collect();
        done.sort_unstable();
        Self {
            requests,
            windows,
            context,
            evidence,
            losses: losses(context),
            done,
            shared_from: if context.exclusive { context.complete_until.0 } else { i64::MIN },
            states: Vec::new(),
            thinned: 1,
            steps: 0,
            before: i64::MIN,
            reach: i64::MIN,
            waiting: Vec::new(),
            found: SearchResult::default(),
        }
    }

    /// Runs through the history until its end, or until no state is left.
    pub(super) fn run(mut self) -> SearchResult {
        let Some(first) = self.requests.first() else { return self.found };
        self.add_initial_states(self.context.since.min(first.sent).0);
        let (mut sent, mut done, mut loss) = (0, 0, 0);
        let mut marks: Vec<i64> = self.losses.iter().flat_map(|(from, to)| [*from, *to]).collect();
        marks.dedup();
        loop {
            let next = |sent: usize, done: usize, loss: usize| {
                let sent = self.requests.get(sent).map_or(i64::MAX, |request| request.sent.0);
                let done = self.done.get(done).map_or(i64::MAX, |(done, _)| *done);
                sent.min(done).min(marks.get(loss).copied().unwrap_or(i64::MAX))
            };
            let at = next(sent, done, loss);
            if at == i64::MAX || self.states.is_empty() {
                self.found.end = self.found.end.filter(|_| self.states.is_empty());
                return self.found;
            }
            let (first_sent, first_done) = (sent, done);
            sent += self.requests[sent..].iter().take_while(|request| request.sent.0 == at).count();
            done += self.done[done..].iter().take_while(|(done, _)| *done == at).count();
            loss += usize::from(marks.get(loss) == Some(&at));
            let next = next(sent, done, loss);
            self.steps += self.states.len();
            self.cross_until(at);
            for rank in first_sent..sent {
                self.send(rank);
            }
            self.before = at;
            if self.windows.late > 0 && self.may_cross(at) {
                // Within a tick, a window can end between two decisions of the same instant.
                self.fill_all(at);
                self.cross_until(at);
            }
            self.lose_memory(at);
            self.start_windows(at, next);
            self.fill_all(at);
            if self.lose_memory(at) {
                self.start_windows(at, next);
            }
            self.decide(at, first_done..done);
            self.thin_out();
        }
    }

    /// Adds the states at the start.
    fn add_initial_states(&mut self, since: i64) {
        let windows = self.windows;
        if windows.are_ambiguous() {
            return;
        }
        let state = State::empty(None);
        if !windows.first_hit {
            let start = windows.aligned(saasbench_model::units::Nanos(since));
            let unknown = if self.context.fresh { 0 } else { windows.limit };
            let states = start.into_iter().flat_map(|start| windows.pieces(start)).map(|start| State {
                start: Some(start),
                previous: (0, unknown),
                extra: unknown,
                ..state.clone()
            });
            self.states.extend(states);
            return;
        }
        self.states.push(state.clone());
        if !self.context.fresh {
            let starts = windows.around(since, 2);
            self.states.extend(windows.pieces(starts).map(|start| State {
                start: Some(start),
                previous: (0, windows.limit),
                extra: windows.limit,
                maybe_touched: true,
                ..state.clone()
            }));
        }
    }

    /// Whether unrecorded admissions may have been counted in a window that starts here.
    fn has_prior(&self, start: (i64, i64)) -> bool {
        !self.context.fresh && start.0.saturating_sub(self.windows.early) <= self.context.since.0
    }

    /// The highest count up to which a request can be admitted in the state's window.
    fn most(&self, state: &State, at: i64) -> u64 {
        let left = |start| self.windows.room(state.previous.0, self.windows.least_left(start, at));
        state.start.map_or(self.windows.limit, left)
    }

    /// The count from which on a request can be rejected.
    fn least(&self, state: &State, at: i64) -> u64 {
        let left = |start| self.windows.room(state.previous.1, self.windows.most_left(start, at));
        state.start.map_or(self.windows.limit, left)
    }
}
