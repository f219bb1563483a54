//! Windows that start with a hit, and end by the clock of the reading replica.
//!
//! Searches over openers: which admission can have started the next window, given the one that started this?
//! All that was certainly decided between the two must fit into the window; what certainly does not fit must
//! come after the next one started.

use super::World;
use crate::{Decision, Request};
use saasbench_model::units::Quota;

/// Whether some sequence of windows explains all responses.
pub(super) fn explains(requests: &[Request], quota: Quota, world: &World) -> bool {
    let Some(earliest) = requests.iter().map(|request| request.done.0).min() else { return true };
    let search = Search::new(requests, quota, world);
    let mut openers: Vec<usize> = (0..requests.len())
        .take_while(|rank| requests[*rank].sent.0 <= earliest)
        .filter(|rank| requests[*rank].decision != Decision::Rejected)
        .collect();
    let mut seen = vec![false; requests.len()];
    while let Some(opener) = openers.pop() {
        if std::mem::replace(&mut seen[opener], true) {
            continue;
        }
        match search.next(opener) {
            None => return true,
            Some(next) => openers.extend(next.into_iter().filter(|rank| !seen[*rank])),
        }
    }
    false
}

struct Search<'a> {
    requests: &'a [Request],
    quota: Quota,
    world: &'a World,
    /// Instants of certain admissions, sorted.
    admitted: [Vec<i64>; 2],
    /// Instants of possible admissions, sorted.
    possible: [Vec<i64>; 2],
    longest: i64,
}

/// `sent` and `done`, each sorted.
fn instants(requests: &[Request], counts: impl Fn(Decision) -> bool) -> [Vec<i64>; 2] {
    let chosen = || requests.iter().filter(|request| counts(request.decision));
    let mut done: Vec<i64> = chosen().map(|request| request.done.0).collect();
    done.sort_unstable();
    [chosen().map(|request| request.sent.0).collect(), done]
}

impl<'a> Search<'a> {
    fn new(requests: &'a [Request], quota: Quota, world: &'a World) -> Self {
        Self {
            requests,
            quota,
            world,
            admitted: instants(requests, |decision| decision == Decision::Admitted),
            possible: instants(requests, |decision| decision != Decision::Rejected),
            longest: requests.iter().map(|request| (request.done - request.sent).0).max().unwrap_or(0),
        }
    }

    /// The admissions that can have started the next window; `None` if this window explains everything that
    /// follows.
    fn next(&self, opener: usize) -> Option<Vec<usize>> {
        let Self { requests, world, .. } = self;
        let first = &requests[opener];
        let window = self.quota.window.0;
        let ends = first.sent.0 + world.offset(first) + window - world.slack;
        let ended = first.done.0 + world.offset(first) + window + world.slack;
        // By this instant, something was decided that does not fit into this window.
        let mut deadline = i64::MAX;
        let mut openers = Vec::new();
        let begin = requests.partition_point(|request| request.sent.0 < first.sent.0 - self.longest);
        for (rank, request) in requests.iter().enumerate().skip(begin) {
            let (s, r, clock) = (request.sent.0, request.done.0, world.offset(request));
            if s > deadline {
                return Some(openers);
            }
            if request.decision != Decision::Rejected
                && rank != opener
                && r + clock >= ends
                && r > first.sent.0
            {
                openers.push(rank);
            }
            if s > first.done.0 && !(s + clock < ended && self.fits(request, first)) {
                deadline = deadline.min(r);
            }
        }
        (deadline < i64::MAX).then_some(openers)
    }

    /// Whether the window that `first` started permits this response.
    fn fits(&self, request: &Request, first: &Request) -> bool {
        let up_to = |instants: &[i64], last: i64| instants.partition_point(|at| *at <= last);
        match request.decision {
            Decision::Admitted => {
                let [sent, done] = &self.admitted;
                let before = up_to(done, request.sent.0 - 1).saturating_sub(up_to(sent, first.done.0));
                (before as u64) + 1 < self.quota.limit
            }
            Decision::Rejected => {
                let [sent, done] = &self.possible;
                let by = up_to(sent, request.done.0).saturating_sub(up_to(done, first.sent.0 - 1));
                by as u64 >= self.quota.limit
            }
            Decision::Unknown => true,
        }
    }
}
