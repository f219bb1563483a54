//! The sliding counter: admissions are counted per window; one more is admitted while `previous · (1 − x) +
//! current + 1` is at most L, where x is the elapsed share of the window. Rejections do not count.
//!
//! **Epoch**: windows start at whole multiples of W. **First hit** (as in the Python package `limits`): they
//! start with the first admission and continue back to back; a window without any hit is the last. **Exact**:
//! the estimate is not rounded. **Floored**: `previous · (1 − x)` is rounded down.
//!
//! The rules are those of `grid`, which aligned windows share.

use super::{HistoryContext, Judgement, Request, grid};
use saasbench_model::{
    scenario::{Anchor, Estimate},
    units::Quota,
};

/// Judges the history of one key, sorted by `sent`, in O(n log n).
pub fn judge(
    requests: &[Request],
    quota: Quota,
    anchor: Anchor,
    estimate: Estimate,
    context: &HistoryContext,
) -> Judgement {
    grid::judge(requests, quota, anchor, estimate.into(), context)
}
