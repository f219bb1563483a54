//! What the scrapes of one replica amount to: where its counters began, where they ended, whether it was restarted.

use crate::{
    observe::{
        exposition,
        scrape::Phase,
        snapshot::{ContractView, Scrape},
    },
    scenario::MetricsContract,
    units::Nanos,
};

/// The name that Prometheus client libraries give to a process's start time.
const START_TIME: &str = "process_start_time_seconds";

/// The state of a replica's metrics before and after the load.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// Before the load.
    pub before: ContractView,
    /// After it, at rest.
    pub after: ContractView,
    /// File of the last scrape, for evidence.
    pub file: String,
    /// Spans in which the replica was restarted: its counters began again at zero.
    pub restarts: Vec<(Nanos, Nanos)>,
}

/// Why a replica's counters cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsettled {
    /// A scrape is not in the text format: the replica's metrics are broken.
    Broken {
        /// The file.
        file: String,
        /// Where and what.
        error: String,
    },
    /// There is no scrape from before the load.
    NoBefore(String),
    /// There is no scrape from after it.
    NoAfter(String),
    /// The last two scrapes differ, or something was still in progress.
    Moving,
}

impl std::fmt::Display for Unsettled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken { file, error } => write!(f, "{file} is not in the text format: {error}"),
            Self::NoBefore(why) => write!(f, "there is no scrape from before the load: {why}"),
            Self::NoAfter(why) => write!(f, "there is no scrape from after the load: {why}"),
            Self::Moving => write!(f, "its metrics did not come to rest after the load"),
        }
    }
}

/// Finds where the counters of a replica began and ended.
///
/// # Errors
/// See [`Unsettled`].
pub fn settled(scrapes: &[Scrape], contract: &MetricsContract) -> Result<Settled, Unsettled> {
    let of_phase = |phase| scrapes.iter().filter(move |scrape| scrape.phase == phase);
    let why = |scrape: Option<&Scrape>| match scrape.map(|scrape| &scrape.text) {
        Some(Err(error)) => error.clone(),
        _ => "none was made".to_owned(),
    };
    let first = of_phase(Phase::Before).rfind(|scrape| scrape.text.is_ok());
    let before = first.ok_or_else(|| Unsettled::NoBefore(why(of_phase(Phase::Before).next_back())))?;
    let last = of_phase(Phase::After).next_back();
    let after = last.filter(|scrape| scrape.text.is_ok()).ok_or_else(|| Unsettled::NoAfter(why(last)))?;
    let previous = of_phase(Phase::After).rev().nth(1);

    let view = |scrape: &Scrape| -> Result<ContractView, Unsettled> {
        let text = scrape.text.as_deref().map_err(|error| Unsettled::NoAfter(error.to_owned()))?;
        ContractView::parse(text, contract).map_err(|error| Unsettled::Broken {
            file: scrape.file.clone().unwrap_or_default(),
            error: error.to_string(),
        })
    };
    let (before, after_view) = (view(before)?, view(after)?);
    let agrees = match previous {
        Some(previous) => view(previous)?.agrees(&after_view),
        None => false,
    };
    if !agrees || !after_view.at_rest() {
        return Err(Unsettled::Moving);
    }
    let file = after.file.clone().unwrap_or_default();
    Ok(Settled { before, after: after_view, file, restarts: restarts(scrapes) })
}

/// Spans in which the replica was restarted, by the start time that its process tells; nothing if it tells none.
pub fn restarts(scrapes: &[Scrape]) -> Vec<(Nanos, Nanos)> {
    let starts: Vec<(&Scrape, f64)> = scrapes
        .iter()
        .filter_map(|scrape| {
            let exposition = exposition::parse(scrape.text.as_deref().ok()?).ok()?;
            let start = exposition.named(START_TIME).next()?.value;
            Some((scrape, start))
        })
        .collect();
    starts
        .windows(2)
        .filter(|pair| pair[0].1 != pair[1].1)
        .map(|pair| (pair[0].0.from, pair[1].0.to))
        .collect()
}
