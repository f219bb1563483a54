//! Totals over all keys of a limit, and why they may be too small to judge it.

use std::collections::BTreeMap;

use super::{reach::Reach, spread::ENOUGH};
use saasbench_limiter::{Judgement, Unjudged, sensitivity::Cause};
use saasbench_model::units::{Nanos, Quota};

/// Tenants named in one line.
const NAMED: usize = 3;
/// Tenants that were not tested, with a line for each.
const LISTED: usize = 12;

#[derive(Debug, Default)]
pub(super) struct Totals<'a> {
    admitted: u64,
    rejected: u64,
    unknown: u64,
    unjudged: BTreeMap<&'static str, u64>,
    /// Rejections that only a limit can have given that cannot be judged.
    left_to_others: u64,
    /// How many tenants have the limit.
    tenants: usize,
    /// Those that never used up their quota.
    unused: Vec<&'a str>,
    /// Those about which nothing could have been proven, the first with its quota and the cause.
    blind: Vec<&'a str>,
    cause: Option<(Quota, Cause)>,
    /// A line for each of these, up to [`LISTED`].
    untested: Vec<String>,
    /// Whether it matters over how many connections the histories went.
    watched: bool,
    /// The fewest connections to a replica over which the history of a tenant went that used up its quota.
    connections: Option<usize>,
    /// The smallest excess that would have been proven for some tenant that used up its quota.
    excess: Option<u64>,
}

impl<'a> Totals<'a> {
    pub(super) fn new(watched: bool) -> Self {
        Self { watched, ..Self::default() }
    }

    /// Adds over how many connections a history went that used up the quota.
    pub(super) fn went_over(&mut self, connections: Option<usize>) {
        self.connections = [self.connections, connections].into_iter().flatten().min();
    }

    pub(super) fn add(&mut self, tenant: &'a str, quota: Quota, judgement: &Judgement, reach: Reach) {
        self.admitted += judgement.admitted;
        self.rejected += judgement.rejected;
        self.unknown += judgement.unknown;
        self.tenants += 1;
        let counts = format!("{tenant}: {} admitted, {} rejected", judgement.admitted, judgement.rejected);
        match reach {
            Reach::NotUsedUp => {
                self.unused.push(tenant);
                self.untested.push(format!("not tested: {counts}; the quota ({quota}) was never used up"));
            }
            Reach::Blind(cause) => {
                self.blind.push(tenant);
                self.cause.get_or_insert((quota, cause));
                self.untested.push(format!("not tested: {counts}; {}", nothing_shows(quota, cause)));
            }
            Reach::Tested { excess } => {
                self.excess = Some(self.excess.map_or(excess, |least| least.min(excess)));
            }
        }
        self.untested.truncate(LISTED);
        for (count, why) in &judgement.unjudged_rejections {
            *self.unjudged.entry(reason(*why)).or_default() += count;
        }
    }

    /// What was not tested, for some tenants.
    pub(super) fn untested(&self) -> &[String] {
        &self.untested
    }

    pub(super) fn add_unjudged(&mut self, rejections: u64) {
        self.left_to_others += rejections;
    }

    fn unjudged(&self) -> u64 {
        self.unjudged.values().sum()
    }

    /// Why a history without a violation is not a Pass, if so.
    pub(super) fn doubt(&self) -> Option<String> {
        if self.admitted + self.rejected == 0 {
            return Some("no request reached the limit".to_owned());
        }
        let nothing_judged = self.rejected > 0 && self.unjudged() >= self.rejected;
        match (self.excess, self.cause) {
            // What it takes is the better advice.
            (None, Some((quota, cause))) if cause != Cause::History || !nothing_judged => {
                return Some(format!("not tested: {}", nothing_shows(quota, cause)));
            }
            (None, None) => {
                return Some(format!(
                    "not tested: {} admitted, and no tenant used up its quota",
                    self.admitted
                ));
            }
            _ => {}
        }
        if nothing_judged {
            let why: Vec<&str> = self.unjudged.keys().copied().collect();
            return Some(format!("none of {} rejections could be judged: {}", self.rejected, why.join("; ")));
        }
        None
    }
}

impl std::fmt::Display for Totals<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} admitted, {} rejected, each as promised", self.admitted, self.rejected)?;
        if self.unjudged() > 0 {
            write!(f, " ({} rejections could not be judged)", self.unjudged())?;
        }
        if self.left_to_others > 0 {
            write!(
                f,
                "; {} rejections are right only if a limit gave them that could not be judged",
                self.left_to_others
            )?;
        }
        if self.unknown > 0 {
            write!(f, "; {} without a decision", self.unknown)?;
        }
        if let Some(excess) = self.excess.filter(|excess| *excess > 1) {
            write!(f, "; fewer than {excess} too many at once would not have shown")?;
        }
        if let Some(connections) = self.connections.filter(|_| self.watched) {
            let plural = if connections == 1 { "" } else { "s" };
            write!(f, "; seen over at least {connections} connection{plural} for each tenant and replica")?;
            if connections < ENOUGH {
                f.write_str(
                    ", too few to show a limit that each of several processes behind one address keeps by itself",
                )?;
            }
        }
        if !self.unused.is_empty() {
            let (count, of) = (self.unused.len(), self.tenants);
            write!(
                f,
                "; not tested for {count} of {of} tenants, which never used up their quota: {}",
                named(&self.unused)
            )?;
        }
        if !self.blind.is_empty() {
            let (count, of) = (self.blind.len(), self.tenants);
            write!(
                f,
                "; not tested for {count} of {of} tenants, about which nothing could be proven: {}",
                named(&self.blind)
            )?;
        }
        Ok(())
    }
}

/// The first of these names, and how many more there are.
fn named(tenants: &[&str]) -> String {
    let names = tenants.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match tenants.len() {
        0..=NAMED => names,
        many => format!("{names} and {} more", many - NAMED),
    }
}

/// Why a history proves nothing, and what it takes.
fn nothing_shows(quota: Quota, cause: Cause) -> String {
    let as_written = |length: Nanos| length.to_string().replace(' ', "");
    let hidden = format!("twice the quota ({quota}) at once would not have shown");
    match cause {
        Cause::Offset(most) => {
            format!(
                "{hidden}, because the clocks may differ too much: it takes `clock_offset = \"{}\"` or less",
                as_written(most)
            )
        }
        Cause::Resolution(most) => {
            format!(
                "{hidden}, because the limiter's clock is too coarse: it takes `resolution = \"{}\"` or less",
                as_written(most)
            )
        }
        Cause::Drift => {
            format!("{hidden}, because the clocks may drift apart too fast: it takes a smaller `clock_drift`")
        }
        Cause::History => {
            format!("{hidden}: it takes faster responses, or a fresh and exclusive environment")
        }
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
        Unjudged::Tolerance => "the clocks may differ by too much for windows of this length",
    }
}
