//! Pending decisions, as the latest instants at which they can be made.

/// With more distinct instants than this, neighbours are merged at the later one, which only gives more time.
const MOST_RUNS: usize = 48;

/// A multiset of instants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pending {
    /// Instants with their counts; the earliest is last, where they are removed.
    runs: Vec<(i64, u64)>,
    total: u64,
}

impl Pending {
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The earliest instant; `i64::MAX` if empty.
    pub(super) fn earliest(&self) -> i64 {
        self.runs.last().map_or(i64::MAX, |(by, _)| *by)
    }

    /// Adds `count` times the same instant.
    pub(super) fn add(&mut self, by: i64, count: u64) {
        if count == 0 {
            return;
        }
        self.total += count;
        let rank = self.runs.partition_point(|(other, _)| *other > by);
        match self.runs.get_mut(rank) {
            Some((other, more)) if *other == by => *more += count,
            _ => self.runs.insert(rank, (by, count)),
        }
        if self.runs.len() > MOST_RUNS {
            self.coarsen();
        }
    }

    /// Adds all of another.
    pub(super) fn add_all(&mut self, other: &Self) {
        for (by, count) in &other.runs {
            self.add(*by, *count);
        }
    }

    /// Removes and returns the earliest `count`.
    pub(super) fn take(&mut self, count: u64) -> Self {
        let mut taken = Vec::new();
        let mut left = count.min(self.total);
        self.total -= left;
        let total = count.min(self.total + left);
        while left > 0 {
            let Some((by, most)) = self.runs.last_mut() else { break };
            let some = left.min(*most);
            taken.push((*by, some));
            *most -= some;
            left -= some;
            if *most == 0 {
                self.runs.pop();
            }
        }
        taken.reverse();
        Self { runs: taken, total }
    }

    /// Removes those not later than `by`, and returns how many they were.
    pub(super) fn take_until(&mut self, by: i64) -> u64 {
        let mut count = 0;
        while let Some((_, more)) = self.runs.pop_if(|(at, _)| *at <= by) {
            count += more;
        }
        self.total -= count;
        count
    }

    /// Whether for every rank, counted from the latest, this gives at least as much time as the other.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.total >= other.total && pairs(self, other).all(|(one, other, _)| one >= other)
    }

    /// The smallest multiset that covers both.
    pub(super) fn joined(&self, other: &Self) -> Self {
        let mut joined = Self::default();
        for (one, other, count) in pairs(self, other) {
            joined.push(one.max(other), count);
        }
        joined
    }

    /// Appends; `by` must not be later than the last.
    fn push(&mut self, by: i64, count: u64) {
        self.total += count;
        match self.runs.last_mut() {
            Some((other, more)) if *other == by => *more += count,
            _ => self.runs.push((by, count)),
        }
        if self.runs.len() > MOST_RUNS {
            self.coarsen();
        }
    }

    /// Merges pairs, except for the earliest few.
    fn coarsen(&mut self) {
        let runs = std::mem::take(&mut self.runs);
        let (late, soon) = runs.split_at(MOST_RUNS * 2 / 3);
        let pair = |pair: &[(i64, u64)]| (pair[0].0, pair.iter().map(|(_, count)| count).sum());
        self.runs = late.chunks(2).map(pair).chain(soon.iter().copied()).collect();
    }
}

/// Both by rank, the latest first: the two instants (`i64::MIN` if missing), and for how many ranks.
fn pairs(one: &Pending, other: &Pending) -> impl Iterator<Item = (i64, i64, u64)> {
    let (mut ones, mut others) = (one.runs.iter().copied(), other.runs.iter().copied());
    let (mut a, mut b) = (ones.next(), others.next());
    std::iter::from_fn(move || {
        let (by, other_by) = (a.map_or(i64::MIN, |run| run.0), b.map_or(i64::MIN, |run| run.0));
        let count = match (a, b) {
            (None, None) => return None,
            (Some((_, count)), None) | (None, Some((_, count))) => count,
            (Some((_, count)), Some((_, other))) => count.min(other),
        };
        let rest = |run: Option<(i64, u64)>| run.map(|(by, all)| (by, all - count)).filter(|run| run.1 > 0);
        a = rest(a).or_else(|| ones.next());
        b = rest(b).or_else(|| others.next());
        Some((by, other_by, count))
    })
}
