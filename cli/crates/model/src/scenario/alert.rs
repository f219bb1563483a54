//! `[[alert]]`: what the service's monitoring promises, that an alert fires and resolves in time, or that it
//! stays silent.

use std::{collections::BTreeMap, fmt};

use crate::units::Nanos;

/// One promise about an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// `name`: the alert's name in Prometheus's rules.
    pub name: String,
    /// `labels`: meant are alerts that have all of these; none means any alert of the name.
    pub labels: BTreeMap<String, String>,
    /// What is promised of it.
    pub promise: AlertPromise,
    /// Where in the scenario's text it is stated, in bytes.
    pub stated_at: usize,
}

/// What is promised of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertPromise {
    /// It fires in time, and resolves in time.
    Fires {
        /// `cause`: from when to when there is reason for it, from the start of the load phase.
        cause: (Nanos, Nanos),
        /// `fires_within`: how long after the cause's begin at the latest.
        within: Nanos,
        /// `resolves_within`: how long after the cause's end at the latest; `None`: nothing is promised.
        resolves_within: Option<Nanos>,
    },
    /// `silent = true`: it does not fire as long as the run is observed.
    Silent,
}

impl AlertPromise {
    /// The same with the instants of its cause where `place` puts them.
    #[must_use]
    pub fn placed(self, place: impl Fn(Nanos) -> Nanos) -> Self {
        match self {
            Self::Fires { cause: (from, to), within, resolves_within } => {
                Self::Fires { cause: (place(from), place(to)), within, resolves_within }
            }
            Self::Silent => Self::Silent,
        }
    }
}

impl Alert {
    /// Whether an alert with these labels is meant.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.get("alertname") == Some(&self.name)
            && self.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
    }
}

/// As PromQL would select it: `TenantFlood{tenant="acme"}`.
impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (i, (name, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{name}={value:?}", if i == 0 { "{" } else { ", " })?;
        }
        f.write_str(if self.labels.is_empty() { "" } else { "}" })
    }
}
