//! Reduces the scrapes of one replica to its counters before and after the load, counter decreases, and
//! restarts.

use saasbench_exposition::Labels;
use saasbench_model::{scenario::MetricsContract, units::Nanos};
use saasbench_record::{contract_view::ContractView, observations::Scrape, scrape::Phase};

use crate::processes::{self, start_times};

/// The state of a replica's metrics before and after the load.
#[derive(Debug, Clone, PartialEq)]
pub struct QuiescentScrapes {
    /// Before the load.
    pub before: ContractView,
    /// After the load; quiescent, unless the environment is shared.
    pub after: ContractView,
    /// Whether it was seen to be quiescent.
    pub rest: bool,
    /// File of the last scrape, for evidence.
    pub file: String,
    /// When the last scrape started.
    pub at: Nanos,
    /// A scrape that was recorded as equal to the previous one but is not: the record was changed.
    pub changed: Option<String>,
    /// Counters that decreased from one scrape to the next, though the process was not restarted.
    pub falls: Vec<CounterDecrease>,
    /// Spans in which the replica was restarted: its counters started again at zero.
    pub restarts: Vec<(Nanos, Nanos)>,
}

/// A counter decrease without a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct CounterDecrease {
    /// The series.
    pub series: String,
    /// Its values in two consecutive scrapes.
    pub values: (f64, f64),
    /// File of the second scrape.
    pub file: String,
}

/// Why a replica's counters cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotQuiescent {
    /// A scrape is not in the text format: the replica's metrics are broken.
    Broken {
        /// The file.
        file: String,
        /// Where and what.
        error: String,
    },
    /// There is no readable scrape from before the load.
    NoBefore(String),
    /// There is no readable scrape from after the load.
    NoAfter(String),
    /// The counters still moved after the load, or something was still in progress.
    Moving,
    /// Several processes share one address.
    SeveralProcesses {
        /// How many are known.
        at_least: usize,
    },
}

impl std::fmt::Display for NotQuiescent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken { file, error } => write!(f, "{file} is not in the text format: {error}"),
            Self::NoBefore(why) => write!(f, "there is no scrape from before the load: {why}"),
            Self::NoAfter(why) => write!(f, "there is no scrape from after the load: {why}"),
            Self::Moving => f.write_str("its metrics kept changing after the load"),
            Self::SeveralProcesses { at_least } => write!(
                f,
                "at least {at_least} processes respond at this address, each with its own registry: list every replica with an address of its own, or let them share a registry",
            ),
        }
    }
}

/// Equal scrapes in a row that show quiescent counters even though the gauge says that something is still in
/// progress.
const UNCHANGED_SCRAPES: usize = 4;

/// Finds the counters of a replica before and after the load. In a shared environment (`exclusive` is false)
/// they need not be quiescent, because others move them. Counters that stopped while the gauge did not return
/// to zero are taken to be quiescent: then the gauge is wrong, unless [`await_gauge`] finds that it may be
/// right.
///
/// # Errors
/// See [`NotQuiescent`].
pub fn settled(
    scrapes: &[Scrape],
    contract: &MetricsContract,
    exclusive: bool,
) -> Result<QuiescentScrapes, NotQuiescent> {
    // First, because their counters need not agree, nor come to rest.
    if let Some(at_least) = processes::several(scrapes, contract) {
        return Err(NotQuiescent::SeveralProcesses { at_least });
    }
    let of_phase = |phase| scrapes.iter().filter(move |scrape| scrape.phase == phase);
    let why = |scrape: Option<&Scrape>| match scrape.map(|scrape| &scrape.text) {
        Some(Err(error)) => error.clone(),
        _ => "none was made".to_owned(),
    };
    let first = of_phase(Phase::Before).rfind(|scrape| scrape.text.is_ok());
    let before = first.ok_or_else(|| NotQuiescent::NoBefore(why(of_phase(Phase::Before).next_back())))?;
    let last = of_phase(Phase::After).next_back();
    let after = last.filter(|scrape| scrape.text.is_ok()).ok_or_else(|| NotQuiescent::NoAfter(why(last)))?;

    let view = |scrape: &Scrape| -> Result<ContractView, NotQuiescent> {
        let text = scrape.text.as_deref().map_err(|error| NotQuiescent::NoAfter(error.to_owned()))?;
        ContractView::parse(text, contract).map_err(|error| NotQuiescent::Broken {
            file: scrape.file.clone().unwrap_or_default(),
            error: error.to_string(),
        })
    };
    let (before, after_view) = (view(before)?, view(after)?);
    if exclusive && !after.settled && !stood_still(of_phase(Phase::After), contract) {
        return Err(NotQuiescent::Moving);
    }
    let mut changed = None;
    for pair in scrapes.windows(2).filter(|pair| pair[1].settled && pair[0].phase == pair[1].phase) {
        if !view(&pair[0])?.agrees(&view(&pair[1])?) {
            changed = pair[1].file.clone();
        }
    }
    let (file, at) = (after.file.clone().unwrap_or_default(), after.from);
    let restarts = restarts(scrapes, contract);
    // Without start times, a counter that decreases is taken for a restart.
    let steady = restarts.is_empty() && !start_times(scrapes).is_empty();
    let falls = if steady { falls(scrapes, contract) } else { Vec::new() };
    let rest = after.settled || stood_still(of_phase(Phase::After), contract);
    Ok(QuiescentScrapes { before, after: after_view, rest, file, at, changed, falls, restarts })
}

/// Whether the last [`UNCHANGED_SCRAPES`] scrapes show the same counts.
pub(super) fn stood_still<'a>(
    scrapes: impl DoubleEndedIterator<Item = &'a Scrape>,
    contract: &MetricsContract,
) -> bool {
    let view = |scrape: &Scrape| ContractView::parse(scrape.text.as_deref().ok()?, contract).ok();
    let last: Vec<Option<ContractView>> = scrapes.rev().take(UNCHANGED_SCRAPES).map(view).collect();
    let same = |pair: &[Option<ContractView>]| match pair {
        [Some(one), Some(other)] => one.agrees(other),
        _ => false,
    };
    last.len() == UNCHANGED_SCRAPES && last.windows(2).all(same)
}

/// Revokes that a replica is quiescent where its gauge says otherwise and may be right: an abandoned request
/// may be in progress until `until`, and the gauge may show those of the `answered` requests that are not
/// counted yet, because a service may continue with a request after its response and count it only then.
pub fn await_gauge(
    settled: &mut Result<QuiescentScrapes, NotQuiescent>,
    contract: &MetricsContract,
    until: Option<Nanos>,
    answered: u64,
) {
    let total = |view: &ContractView| view.named(&contract.requests).map(|(_, value)| value).sum::<f64>();
    let may_move = |settled: &QuiescentScrapes| {
        let gauge = settled.after.in_progress.unwrap_or(0.0);
        let missing = answered as f64 - (total(&settled.after) - total(&settled.before));
        let uncounted = settled.restarts.is_empty() && missing > 0.0 && missing <= gauge;
        gauge != 0.0 && (uncounted || until.is_some_and(|at| at > settled.at))
    };
    if settled.as_ref().is_ok_and(may_move) {
        *settled = Err(NotQuiescent::Moving);
    }
}

/// Spans in which the replica was restarted, by the start time of its process; without start times, by the
/// counter of requests, of which a series decreases or disappears. None where several processes answer: another
/// one that is met is no restart, and excuses nothing.
pub fn restarts(scrapes: &[Scrape], contract: &MetricsContract) -> Vec<(Nanos, Nanos)> {
    let starts = start_times(scrapes);
    let is_one_life = starts.windows(2).all(|pair| pair[0].1 == pair[1].1);
    if (!starts.is_empty() && is_one_life) || processes::several(scrapes, contract).is_some() {
        return Vec::new();
    }
    if !starts.is_empty() {
        let changes = starts.windows(2).filter(|pair| pair[0].1 != pair[1].1);
        return changes.map(|pair| (pair[0].0.from, pair[1].0.to)).collect();
    }
    let views: Vec<(&Scrape, ContractView)> = scrapes
        .iter()
        .filter_map(|scrape| {
            Some((scrape, ContractView::parse(scrape.text.as_deref().ok()?, contract).ok()?))
        })
        .collect();
    // By series: others may have gained more since than one has lost.
    let fell = |pair: &&[(&Scrape, ContractView)]| {
        let next = |labels: &Labels| pair[1].1.value(&contract.requests, labels).unwrap_or(0.0);
        pair[0].1.named(&contract.requests).any(|(labels, value)| next(labels) < value)
    };
    views.windows(2).filter(fell).map(|pair| (pair[0].0.from, pair[1].0.to)).collect()
}

/// Counters of requests that decreased between two scrapes; disappearing series are not reported here.
fn falls(scrapes: &[Scrape], contract: &MetricsContract) -> Vec<CounterDecrease> {
    let views: Vec<(&Scrape, ContractView)> = scrapes
        .iter()
        .filter_map(|scrape| {
            Some((scrape, ContractView::parse(scrape.text.as_deref().ok()?, contract).ok()?))
        })
        .collect();
    let mut falls = Vec::new();
    for pair in views.windows(2) {
        for (labels, next) in pair[1].1.named(&contract.requests) {
            let value = pair[0].1.value(&contract.requests, labels).unwrap_or(0.0);
            if next < value {
                let series = saasbench_exposition::show_labels(&contract.requests, labels);
                falls.push(CounterDecrease {
                    series,
                    values: (value, next),
                    file: pair[1].0.file.clone().unwrap_or_default(),
                });
            }
        }
    }
    falls
}
