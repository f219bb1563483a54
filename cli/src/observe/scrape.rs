//! Scrapes the replicas' own expositions and records every answer as it was.
//!
//! A scrape is one line in `observations/scrapes.jsonl` and, if there was an answer, one text file beside it that
//! `promtool check metrics` can read.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::snapshot::ContractView;
use crate::{clock::RunClock, record::manifest::Replica, scenario::MetricsContract, units::Nanos};

/// A scrape that takes longer has failed.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two scrapes while the service settles.
const SETTLE_INTERVAL: Duration = Duration::from_millis(250);
/// Scrapes in a row without an answer after which a replica is taken to be gone.
const GONE_AFTER: u32 = 4;

/// When a scrape was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before the load.
    Before,
    /// While the load ran.
    During,
    /// After the load.
    After,
}

/// A line of `scrapes.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScrapeRecord {
    /// From 0, over all replicas.
    pub number: u64,
    /// The replica's name.
    pub replica: String,
    /// When.
    pub phase: Phase,
    /// When the request was sent.
    pub from_ns: Nanos,
    /// When the whole answer was here.
    pub to_ns: Nanos,
    /// Name of the text file under `observations/scrapes/`; `None` when there was no answer.
    pub file: Option<String>,
    /// Why there was none.
    pub error: Option<String>,
}

/// Scrapes every replica of an environment.
#[derive(Debug)]
pub struct Scraper {
    http: reqwest::Client,
    replicas: Vec<Replica>,
    contract: MetricsContract,
    dir: PathBuf,
    clock: RunClock,
    index: Mutex<Index>,
}

#[derive(Debug)]
struct Index {
    file: File,
    next: u64,
}

impl Scraper {
    /// A scraper that records into `run_dir/observations`.
    ///
    /// # Errors
    /// The file system's.
    pub fn new(
        http: reqwest::Client,
        replicas: Vec<Replica>,
        contract: MetricsContract,
        run_dir: &Path,
        clock: RunClock,
    ) -> io::Result<Self> {
        let dir = run_dir.join("observations");
        std::fs::create_dir_all(dir.join("scrapes"))?;
        let file = OpenOptions::new().create(true).append(true).open(dir.join("scrapes.jsonl"))?;
        let index = Mutex::new(Index { file, next: 0 });
        Ok(Self { http, replicas, contract, dir, clock, index })
    }

    /// Scrapes every replica once; the answers' texts, in the replicas' order.
    ///
    /// # Errors
    /// The file system's. A replica that does not answer is no error: it is recorded.
    pub async fn scrape_all(&self, phase: Phase) -> io::Result<Vec<Option<String>>> {
        let mut texts = Vec::new();
        for replica in &self.replicas {
            texts.push(self.scrape(replica, phase).await?);
        }
        Ok(texts)
    }

    /// Scrapes at the contract's interval until `stop`.
    ///
    /// # Errors
    /// The file system's.
    pub async fn scrape_until(&self, stop: CancellationToken) -> io::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.contract.interval.to_duration()) => {}
            }
            self.scrape_all(Phase::During).await?;
        }
    }

    /// Scrapes until every replica has twice in a row shown the same series with nothing in progress, or is gone, or
    /// `deadline` has passed. Whether it settled is judged later, from the record.
    ///
    /// # Errors
    /// The file system's.
    pub async fn settle(&self, deadline: Duration) -> io::Result<()> {
        let give_up = tokio::time::Instant::now() + deadline;
        let mut last: Vec<Option<ContractView>> = vec![None; self.replicas.len()];
        let mut silent = vec![0_u32; self.replicas.len()];
        let mut settled = vec![false; self.replicas.len()];
        while settled.contains(&false) && tokio::time::Instant::now() < give_up {
            for (i, replica) in
                self.replicas.iter().enumerate().filter(|(i, _)| !settled[*i]).collect::<Vec<_>>()
            {
                let Some(text) = self.scrape(replica, Phase::After).await? else {
                    silent[i] += 1;
                    settled[i] = silent[i] >= GONE_AFTER;
                    continue;
                };
                silent[i] = 0;
                let Ok(view) = ContractView::parse(&text, &self.contract) else {
                    // A text that is not in the format will not become so by waiting; it is judged as it is.
                    settled[i] = true;
                    continue;
                };
                settled[i] = view.at_rest() && last[i].as_ref().is_some_and(|last| last.agrees(&view));
                last[i] = Some(view);
            }
            tokio::time::sleep(SETTLE_INTERVAL).await;
        }
        Ok(())
    }

    async fn scrape(&self, replica: &Replica, phase: Phase) -> io::Result<Option<String>> {
        let from_ns = self.clock.now();
        let answer = self.fetch(replica).await;
        let to_ns = self.clock.now();
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let number = index.next;
        index.next += 1;
        let file = format!("{number:06}-{}.prom", replica.name);
        if let Ok(text) = &answer {
            std::fs::write(self.dir.join("scrapes").join(&file), text)?;
        }
        let record = ScrapeRecord {
            number,
            replica: replica.name.clone(),
            phase,
            from_ns,
            to_ns,
            file: answer.is_ok().then_some(file),
            error: answer.as_ref().err().cloned(),
        };
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        index.file.write_all(&line)?;
        Ok(answer.ok())
    }

    async fn fetch(&self, replica: &Replica) -> Result<String, String> {
        let url = format!("{}{}", replica.url, self.contract.path);
        let request = self
            .http
            .get(&url)
            .header("accept", "text/plain;version=0.0.4;q=1,*/*;q=0.1")
            .timeout(SCRAPE_TIMEOUT);
        let answer = request.send().await.map_err(|error| describe(&error))?;
        if !answer.status().is_success() {
            return Err(format!("{url} answered {}", answer.status().as_u16()));
        }
        answer.text().await.map_err(|error| describe(&error))
    }
}

/// An HTTP client's error with its causes, in one line.
pub fn describe(error: &reqwest::Error) -> String {
    use std::error::Error as _;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
