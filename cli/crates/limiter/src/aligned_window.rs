//! The aligned window: windows start at whole multiples of W since the Unix epoch, by the limiter's clock;
//! the first L hits decided in one are admitted, the others rejected.
//!
//! It is judged as a sliding counter in which the previous window has no weight: see `grid`.

use super::{
    HistoryContext, Judgement, Request,
    grid::{self, Weight},
};
use saasbench_model::{scenario::Anchor, units::Quota};

/// Judges the history of one key, sorted by `sent`, in O(n log n).
pub fn judge(requests: &[Request], quota: Quota, context: &HistoryContext) -> Judgement {
    grid::judge(requests, quota, Anchor::Epoch, Weight::Nothing, context)
}
