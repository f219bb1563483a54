//! Totals over all keys of a limit, and why they may be too small to judge it.

use std::collections::BTreeMap;

use saasbench_limiter::{Judgement, Unjudged};

#[derive(Debug, Default)]
pub(super) struct Totals {
    admitted: u64,
    rejected: u64,
    unknown: u64,
    unjudged: BTreeMap<&'static str, u64>,
    /// Whether some tenant used up its quota.
    tested: bool,
}

impl Totals {
    pub(super) fn add(&mut self, judgement: &Judgement, tested: bool) {
        self.admitted += judgement.admitted;
        self.rejected += judgement.rejected;
        self.unknown += judgement.unknown;
        self.tested |= tested;
        for (count, why) in &judgement.unjudged_rejections {
            *self.unjudged.entry(reason(*why)).or_default() += count;
        }
    }

    fn unjudged(&self) -> u64 {
        self.unjudged.values().sum()
    }

    /// Why a history without a violation is not a Pass, if so.
    pub(super) fn doubt(&self) -> Option<String> {
        if self.admitted + self.rejected == 0 {
            return Some("no request reached the limit".to_owned());
        }
        if !self.tested {
            let admitted = self.admitted;
            return Some(format!("not tested: {admitted} admitted, and no tenant used up its quota"));
        }
        if self.rejected > 0 && self.unjudged() >= self.rejected {
            let why: Vec<&str> = self.unjudged.keys().copied().collect();
            return Some(format!("none of {} rejections could be judged: {}", self.rejected, why.join("; ")));
        }
        None
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} admitted, {} rejected, each as promised", self.admitted, self.rejected)?;
        if self.unjudged() > 0 {
            write!(f, " ({} rejections could not be judged)", self.unjudged())?;
        }
        if self.unknown > 0 {
            write!(f, "; {} without a decision", self.unknown)?;
        }
        Ok(())
    }
}

/// Why rejections could not be judged, in words.
pub(super) fn reason(why: Unjudged) -> &'static str {
    match why {
        Unjudged::NotExclusive => {
            "the environment is shared (`exclusive = true` declares that no one else uses it)"
        }
        Unjudged::UnknownStart => "what happened in the window before the run is not known",
        Unjudged::CutOff => "the run was cut off, and requests near its end are not in the record",
    }
}
