//! The search for an explanation: see the module above for why it is sound.

use super::{
    super::{Decision, HistoryContext, Request, history::losses},
    pending::Pending,
    state::{State, thin_out},
    windows::Windows,
};

/// More decisions under way than this are not followed one by one.
const FEW: u64 = 8;

/// More states than this are taken together…
const MOST_STATES: usize = 48;

/// …and fewer, once so many steps have been gone, and so many for each request.
const MOST_STEPS: usize = 500_000;
const STEPS_EACH: usize = 4;

/// Whose answers are held against the limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    All,
    /// Rejections are none.
    Admissions,
    /// Admissions may have been none; each rejection is judged by itself.
    Rejections,
}

/// Why a state cannot go on.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) at: i64,
    pub(super) begin: Option<(i64, i64)>,
    /// Admissions of the window before: at the least of those that were admitted, at the most for a rejection.
    pub(super) previous: u64,
    /// Those of the window: the same.
    pub(super) count: u64,
    /// An admission too many, or a rejection that nothing explains.
    pub(super) is_admission: bool,
    /// Other states came to an end, too.
    pub(super) has_rivals: bool,
}

/// A rejection that no state explains, by itself.
#[derive(Debug, Clone)]
pub(super) struct Wrong {
    /// Rank in the history.
    pub(super) index: usize,
    /// The most that can have been counted.
    pub(super) counted: u64,
    /// When.
    pub(super) end: End,
}

/// What came of a search.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// No state is left.
    pub(super) end: Option<End>,
    /// Of [`Evidence::Rejections`].
    pub(super) wrong: Vec<Wrong>,
    /// States were taken together.
    pub(super) is_approximate: bool,
}

/// An indexed history and the world around it.
#[derive(Debug)]
pub(super) struct Search<'a> {
    requests: &'a [Request],
    windows: Windows,
    context: &'a HistoryContext,
    evidence: Evidence,
    losses: Vec<(i64, i64)>,
    /// `(done, rank)`, by `done`.
    done: Vec<(i64, u32)>,
    /// From here on others may have used the key.
    company_from: i64,
    states: Vec<State>,
    /// How many of them there were when they were thinned out last.
    thinned: usize,
    /// How many states have been taken over an instant of the history.
    steps: usize,
    /// The last instant that all states are past.
    before: i64,
    /// The latest `done` of all that was sent.
    reach: i64,
    /// Rejections to be explained, and the most that was found counted.
    waiting: Vec<Wrong>,
    found: Found,
}

/// Ways to leave a window (or to lose it).
struct Left {
    owed: Pending,
    free: Pending,
    least: u64,
    most: u64,
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
            company_from: if context.exclusive { context.complete_until.0 } else { i64::MIN },
            states: Vec::new(),
            thinned: 1,
            steps: 0,
            before: i64::MIN,
            reach: i64::MIN,
            waiting: Vec::new(),
            found: Found::default(),
        }
    }

    /// Goes through the history until its end, or until no state is left.
    pub(super) fn run(mut self) -> Found {
        let Some(first) = self.requests.first() else { return self.found };
        self.start(self.context.since.min(first.sent).0);
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
                // Within a tick a window can end between two decisions of the same instant.
                self.fill_all(at);
                self.cross_until(at);
            }
            self.forget(at);
            self.begin(at, next);
            self.fill_all(at);
            if self.forget(at) {
                self.begin(at, next);
            }
            self.decide(at, first_done..done);
            self.thin_out();
        }
    }

    fn thin_out(&mut self) {
        if self.states.len() > self.thinned {
            let most = self.most_states();
            self.found.is_approximate |= thin_out(&mut self.states, most);
        }
        self.thinned = self.states.len().max(1);
    }

    fn most_states(&self) -> usize {
        let patience = MOST_STEPS + STEPS_EACH * self.requests.len();
        if self.steps <= patience { MOST_STATES } else { FEW as usize }
    }

    /// The states at the start.
    fn start(&mut self, since: i64) {
        let windows = self.windows;
        if windows.are_blurred() {
            return;
        }
        let state = State::empty(None);
        if !windows.first_hit {
            let begin = windows.aligned(saasbench_model::units::Nanos(since));
            let unknown = if self.context.fresh { 0 } else { windows.limit };
            let states = begin.into_iter().flat_map(|begin| windows.pieces(begin)).map(|begin| State {
                begin: Some(begin),
                previous: (0, unknown),
                extra: unknown,
                ..state.clone()
            });
            self.states.extend(states);
            return;
        }
        self.states.push(state.clone());
        if !self.context.fresh {
            let begins = windows.around(since, 2);
            self.states.extend(windows.pieces(begins).map(|begin| State {
                begin: Some(begin),
                previous: (0, windows.limit),
                extra: windows.limit,
                maybe_touched: true,
                ..state.clone()
            }));
        }
    }

    /// Whether admissions that were not recorded may have been counted in a window that begins here.
    fn has_prior(&self, begin: (i64, i64)) -> bool {
        !self.context.fresh && begin.0.saturating_sub(self.windows.early) <= self.context.since.0
    }

    /// Until when it can be admitted in the state's window.
    fn most(&self, state: &State, at: i64) -> u64 {
        let left = |begin| self.windows.room(state.previous.0, self.windows.least_left(begin, at));
        state.begin.map_or(self.windows.limit, left)
    }

    /// From which count on it can be rejected.
    fn least(&self, state: &State, at: i64) -> u64 {
        let left = |begin| self.windows.room(state.previous.1, self.windows.most_left(begin, at));
        state.begin.map_or(self.windows.limit, left)
    }

    fn may_cross(&self, at: i64) -> bool {
        let latest = at.saturating_add(self.windows.early);
        let ends = |state: &State| state.begin.is_some_and(|begin| self.windows.next(begin).0 <= latest);
        self.states.iter().any(ends)
    }

    /// Lets windows end that can have ended by `at`.
    fn cross_until(&mut self, at: i64) {
        if !self.may_cross(at) {
            return;
        }
        let windows = self.windows;
        let latest = at.saturating_add(windows.early);
        let mut rest = std::mem::take(&mut self.states);
        let mut arrived = Vec::new();
        while !rest.is_empty() {
            let mut crossed = Vec::new();
            for mut state in rest.drain(..) {
                self.skip(&mut state, at);
                let Some(begin) = state.begin else {
                    arrived.push(state);
                    continue;
                };
                let (lo, hi) = windows.next(begin);
                if lo <= latest {
                    let past = self.before.saturating_sub(windows.late).saturating_add(1);
                    self.cross(&state, (lo.max(past), hi.min(latest)), at, &mut crossed);
                }
                let still = lo.max(at.saturating_sub(windows.late) + 1);
                if still <= hi {
                    let lo = begin.0.max(still - windows.length - windows.stray);
                    state.begin = Some((lo.min(begin.1), begin.1));
                    arrived.push(state);
                }
            }
            self.found.is_approximate |= thin_out(&mut crossed, self.most_states());
            rest = crossed;
        }
        self.states = arrived;
        self.thinned = 1;
        self.thin_out();
    }

    /// Over windows at multiples of W in which nothing is sent and nothing counts. What is under way can be decided in one of
    /// them, without a trace.
    fn skip(&self, state: &mut State, at: i64) {
        let windows = &self.windows;
        let Some((lo, hi)) = state.begin.filter(|begin| !windows.first_hit && !self.has_prior(*begin)) else {
            return;
        };
        let gone = at.saturating_sub(hi).saturating_sub(windows.late) / (windows.length + windows.stray);
        if !state.counts_nothing() || gone < 6 {
            return;
        }
        let count = gone - 3;
        let shift = |instant: i64, by: i64| instant.saturating_add(count.saturating_mul(windows.length + by));
        state.begin = Some((shift(lo, -windows.stray), shift(hi, windows.stray)));
        state.free.add_all(&std::mem::take(&mut state.owed));
        if state.free.total() > 0 {
            state.rejected_by = i64::MAX;
        }
    }

    /// The states of the next window, which begins in this range and before anything happens at `at`.
    fn cross(&mut self, state: &State, begin: (i64, i64), at: i64, crossed: &mut Vec<State>) {
        let windows = self.windows;
        if begin.0 > begin.1 {
            return;
        }
        let in_company = self.company_from <= begin.1;
        for left in self.leave(state, windows.room(state.previous.0, 1)) {
            let touched = state.touched || left.least > state.count;
            let next = State {
                begin: Some(begin),
                previous: if windows.weight == super::Weight::Nothing {
                    (0, 0)
                } else {
                    (left.least, left.most)
                },
                extra: if self.has_prior(begin) { windows.limit } else { 0 },
                maybe_touched: in_company || self.reach.saturating_add(windows.early) >= begin.0,
                of_others: state.of_others && !touched,
                owed: left.owed,
                free: left.free,
                rejected_by: state.rejected_by,
                ..State::empty(None)
            };
            // A window without a hit is the last. Behind it another may begin before anything else happens.
            if windows.first_hit && !touched && !state.of_others {
                let mut idle =
                    State { begin: None, previous: (0, 0), extra: 0, maybe_touched: false, ..next.clone() };
                if self.company_from <= at {
                    // In windows of others what is under way can be decided without a trace.
                    idle.free.add_all(&std::mem::take(&mut idle.owed));
                } else {
                    for begun in self.begun(&idle, begin.0.max(self.before), at - 1) {
                        self.fill(begun, windows.limit, at, crossed);
                    }
                }
                crossed.push(idle);
            }
            if !windows.first_hit || touched || state.maybe_touched || in_company {
                let room = windows.room(next.previous.1, windows.length);
                self.fill(next, room, begin.1, crossed);
            }
        }
    }

    /// All that can have been decided of what is under way when a window ends that has room for `room`.
    fn leave(&self, state: &State, room: u64) -> Vec<Left> {
        let (owed, free) = (state.owed.total(), state.free.total());
        let more = room.saturating_sub(state.count);
        let mut ways = Vec::new();
        let unknowns = if self.evidence == Evidence::Admissions { 0 } else { free };
        if owed <= FEW && (unknowns == 0 || self.evidence == Evidence::All && unknowns <= FEW / 2) {
            for unknown in 0..=unknowns.min(more) {
                for known in 0..=owed.min(more - unknown) {
                    let mut way = Left {
                        owed: state.owed.clone(),
                        free: state.free.clone(),
                        least: state.count + known + unknown,
                        most: 0,
                    };
                    way.owed.take(known);
                    way.free.take(unknown);
                    way.most = way.least.saturating_add(state.extra).min(self.windows.limit);
                    ways.push(way);
                }
            }
            return ways;
        }
        // Within a way, from `from` to `to` of them; that those between are decided later is possible, and not certain.
        let step = (owed / FEW).max(1);
        let mut from = 0;
        while from <= owed.min(more) {
            let to = (from + step - 1).min(owed).min(more);
            let mut way = Left {
                owed: state.owed.clone(),
                free: state.free.clone(),
                least: state.count + from,
                most: 0,
            };
            way.owed.take(from);
            let between = way.owed.take(to - from);
            way.free.add_all(&between);
            let most = (state.count + to).saturating_add(unknowns).saturating_add(state.extra);
            way.most = most.min(room.max(state.count + to)).min(self.windows.limit);
            ways.push(way);
            from = to + 1;
        }
        ways
    }

    /// A request is sent.
    fn send(&mut self, rank: usize) {
        let request = &self.requests[rank];
        let done = request.done.max(request.sent).0;
        self.reach = self.reach.max(done);
        let is_judged = self.context.exclusive && done < self.context.complete_until.0;
        let follows_unknown = self.evidence != Evidence::Admissions || self.windows.first_hit;
        for state in &mut self.states {
            state.maybe_touched |= state.begin.is_some();
            match (request.decision, self.evidence) {
                (Decision::Admitted, Evidence::All | Evidence::Admissions) => state.owed.add(done, 1),
                (Decision::Admitted | Decision::Unknown, _) if follows_unknown => state.free.add(done, 1),
                (Decision::Rejected, Evidence::All) if is_judged => {
                    state.rejected_by = state.rejected_by.min(done);
                }
                _ => {}
            }
        }
        if (request.decision, self.evidence) == (Decision::Rejected, Evidence::Rejections) && is_judged {
            let end = End {
                at: request.sent.0,
                begin: None,
                previous: 0,
                count: 0,
                is_admission: false,
                has_rivals: false,
            };
            self.waiting.push(Wrong { index: rank, counted: 0, end });
        }
    }

    /// The store may lose its memory now: what is under way is decided before or after. Whether it can be.
    fn forget(&mut self, at: i64) -> bool {
        let rank = self.losses.partition_point(|(_, to)| *to < at);
        if self.losses.get(rank).is_none_or(|(from, _)| *from > at) {
            return false;
        }
        for rank in 0..self.states.len() {
            let state = &self.states[rank];
            let is_open = state.owed.total() + state.free.total() > 0;
            if !is_open && state.counts_nothing() && (state.begin.is_none() || !self.windows.first_hit) {
                continue;
            }
            let begin = state.begin.filter(|_| !self.windows.first_hit);
            // As it can be lost again between any two of them, there is room for all.
            let ways = self.leave(state, u64::MAX);
            let rejected_by = state.rejected_by;
            self.states.extend(ways.into_iter().map(|Left { owed, free, .. }| State {
                owed,
                free,
                rejected_by,
                maybe_touched: begin.is_some(),
                ..State::empty(begin)
            }));
        }
        self.thin_out();
        true
    }

    /// Where no window is, one may begin: from now until something else happens.
    fn begin(&mut self, at: i64, next: i64) {
        if !self.windows.first_hit {
            return;
        }
        let until = if next == i64::MAX { at } else { next - 1 };
        // In company, windows of others that begin at any instant contain all that could begin later.
        let in_company = self.company_from <= at;
        let is_idle = |state: &mut State| state.begin.is_none();
        let idle: Vec<State> = self.states.extract_if(.., is_idle).collect();
        for state in idle {
            self.states.extend(self.begun(&state, at, until));
            if !in_company || state.owed.total() == 0 {
                self.states.push(state);
            }
        }
        self.thin_out();
    }

    /// The states in which a window has begun in `[from, until]`, with an admission under way or one of others.
    fn begun(&self, idle: &State, from: i64, until: i64) -> Vec<State> {
        let windows = self.windows;
        let mut states = Vec::new();
        if from > until {
            return states;
        }
        for known in [true, false] {
            let mut begun = idle.clone();
            let by = if known { begun.owed.take(1) } else { begun.free.take(1) };
            if by.total() > 0 {
                (begun.count, begun.touched, begun.maybe_touched) = (1, true, true);
                let begins = windows.pieces((from - windows.tick, until.min(by.earliest())));
                states.extend(begins.map(|begin| State { begin: Some(begin), ..begun.clone() }));
            }
        }
        if self.company_from <= until && idle.owed.total() > 0 {
            let begins = windows.pieces(windows.around(from, 1));
            states.extend(begins.map(|begin| State {
                begin: Some(begin),
                maybe_touched: true,
                of_others: true,
                ..idle.clone()
            }));
        }
        states
    }

    /// Explains rejections now, where that is possible.
    fn fill_all(&mut self, at: i64) {
        if self.evidence == Evidence::Admissions {
            return;
        }
        let is_due = |state: &State| state.rejected_by < i64::MAX;
        if self.waiting.is_empty() && !self.states.iter().any(is_due) {
            return;
        }
        // Most often nothing has to branch: then nothing is moved.
        if self.evidence == Evidence::All && self.settle(at) {
            return;
        }
        let mut filled = Vec::with_capacity(self.states.len());
        for state in std::mem::take(&mut self.states) {
            let room = self.least(&state, at);
            self.fill(state, room, at, &mut filled);
        }
        self.states = filled;
    }

    /// Clears the rejections that are explained by what is counted already; whether these are all.
    fn settle(&mut self, at: i64) -> bool {
        let mut all = true;
        for rank in 0..self.states.len() {
            let state = &self.states[rank];
            if state.rejected_by < i64::MAX {
                let is_full = state.count.saturating_add(state.extra) >= self.least(state, at);
                if is_full {
                    self.states[rank].rejected_by = i64::MAX;
                }
                all &= is_full;
            }
        }
        all
    }

    /// A state, and those that it becomes if as many are decided at this instant as are needed to reject.
    fn fill(&mut self, mut state: State, room: u64, at: i64, filled: &mut Vec<State>) {
        if self.evidence == Evidence::Rejections {
            self.note(&state, room, at);
            filled.push(state);
            return;
        }
        if state.rejected_by == i64::MAX {
            filled.push(state);
            return;
        }
        let counted = state.count.saturating_add(state.extra);
        if counted >= room {
            state.rejected_by = i64::MAX;
            filled.push(state);
            return;
        }
        let need = room - counted;
        let (owed, free) = (state.owed.total(), state.free.total());
        if state.begin.is_some() && need <= owed.saturating_add(free) {
            let full = State {
                count: state.count + need,
                touched: true,
                maybe_touched: true,
                rejected_by: i64::MAX,
                ..state.clone()
            };
            let (fewest, most) = (need.saturating_sub(owed), need.min(free));
            if most - fewest <= FEW / 2 {
                filled.extend((fewest..=most).map(|unknown| {
                    let mut full = full.clone();
                    full.owed.take(need - unknown);
                    full.free.take(unknown);
                    full
                }));
            } else {
                // Which of them is left open.
                let mut full = full;
                let taken = full.owed.take(need);
                full.free.add_all(&taken);
                filled.push(full);
            }
        }
        filled.push(state);
    }

    /// What can have been counted against the rejections under way.
    fn note(&mut self, state: &State, room: u64, at: i64) {
        if self.waiting.is_empty() {
            return;
        }
        let count = state.count.saturating_add(state.extra).saturating_add(state.free.total());
        if count >= room {
            self.waiting.clear();
            return;
        }
        let counted = self.windows.limit - room + count;
        for wrong in &mut self.waiting {
            if counted >= wrong.counted {
                wrong.counted = counted;
                wrong.end = End { at, begin: state.begin, previous: state.previous.1, count, ..wrong.end };
            }
        }
    }

    /// What has to be decided now.
    fn decide(&mut self, at: i64, done: std::ops::Range<usize>) {
        let is_due =
            |state: &State| state.owed.earliest().min(state.free.earliest()).min(state.rejected_by) <= at;
        if !self.windows.first_hit && !self.states.iter().any(is_due) {
            self.note_decided(at);
            return;
        }
        let mut after = Vec::with_capacity(self.states.len());
        let may_branch = self.evidence == Evidence::All && self.states.len() <= 2 * FEW as usize;
        for mut state in std::mem::take(&mut self.states) {
            let owed = state.owed.take_until(at);
            let unknown = state.free.take_until(at);
            if owed > 0 && state.begin.is_none() {
                continue;
            }
            let most = if owed + unknown > 0 { self.most(&state, at) } else { 0 };
            if owed > 0 {
                state.count += owed;
                state.touched = true;
                if state.count > most {
                    self.end(at, &state, true);
                    continue;
                }
            }
            if state.rejected_by <= at {
                self.end(at, &state, false);
                continue;
            }
            self.touch(&mut state, &done);
            let more = unknown.min(most.saturating_sub(state.count));
            if more > 0 && state.begin.is_some() && self.evidence != Evidence::Admissions {
                if may_branch && more <= 2 {
                    after.extend((1..=more).map(|more| State {
                        count: state.count + more,
                        touched: true,
                        ..state.clone()
                    }));
                } else {
                    state.extra = state.extra.max(state.extra.saturating_add(more).min(most - state.count));
                }
            }
            after.push(state);
        }
        self.states = after;
        self.note_decided(at);
    }

    /// Rejections that were to be explained by now and are not.
    fn note_decided(&mut self, at: i64) {
        for wrong in self.waiting.extract_if(.., |wrong| self.requests[wrong.index].done.0 <= at) {
            self.found.wrong.push(wrong);
        }
    }

    /// A rejection that lies in the window as a whole was a hit in it.
    fn touch(&self, state: &mut State, done: &std::ops::Range<usize>) {
        if self.windows.first_hit
            && !state.touched
            && !self.context.other_limits
            && let Some((_, hi)) = state.begin
        {
            let certain = |(_, rank): &(i64, u32)| {
                let request = &self.requests[*rank as usize];
                request.decision == Decision::Rejected
                    && request.sent.0.saturating_sub(self.windows.late) >= hi
            };
            state.touched = self.done[done.clone()].iter().any(certain);
        }
    }

    fn end(&mut self, at: i64, state: &State, is_admission: bool) {
        let (previous, count) = if is_admission {
            (state.previous.0, state.count)
        } else {
            let open = state.owed.total() + state.free.total();
            (state.previous.1, state.count.saturating_add(state.extra).saturating_add(open))
        };
        let has_rivals = self.found.end.is_some();
        self.found.end = Some(End { at, begin: state.begin, previous, count, is_admission, has_rivals });
    }
}
