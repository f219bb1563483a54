//! `[[alert]]`: what the service's monitoring promises, that an alert fires and resolves in time, or that it
//! stays silent.

use std::{collections::BTreeMap, fmt};

use crate::units::Nanos;

/// One promise about an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// `name`: the alert's name in Prometheus's rules.
    pub name: String,
    /// `labels`: selects alerts that have all of these; if empty, any alert of the name.
    pub labels: BTreeMap<String, String>,
    /// What the alert must do.
    pub promise: AlertPromise,
    /// Byte offset of its definition in the scenario's text.
    pub stated_at: usize,
}

/// What an alert must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertPromise {
    /// It fires in time, and resolves in time.
    Fires {
        /// `cause`: from when to when it has reason to fire, counted from the start of the load phase.
        cause: (Nanos, Nanos),
        /// `fires_within`: it must fire within this time after the start of the cause.
        within: Nanos,
        /// `resolves_within`: it must resolve within this time after the end of the cause; `None` for no
        /// promise.
        resolves_within: Option<Nanos>,
    },
    /// `silent = true`: it must not fire while the run is observed.
    Silent,
}

impl AlertPromise {
    /// The same promise with the instants of its cause mapped by `place`.
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
    /// Whether an alert with these labels is selected.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.get("alertname") == Some(&self.name)
            && self.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
    }
}

/// Formats the alert as a PromQL selector: `TenantFlood{tenant="acme"}`.
impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (i, (name, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{name}={value:?}", if i == 0 { "{" } else { ", " })?;
        }
        f.write_str(if self.labels.is_empty() { "" } else { "}" })
    }
}
