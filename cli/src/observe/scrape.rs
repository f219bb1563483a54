//! Scrapes the replicas' own expositions and records every response as it was.
//!
//! A scrape is one line in `observations/scrapes.jsonl` and, if there was a response, one text file beside it
//! that `promtool check metrics` can read.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::{
    observe::{
        observer_log::ProbeLog,
        pages::{Page, Pages},
        until,
    },
    secrets::redactor,
};
use saasbench_engine::clock::RunClock;
use saasbench_model::{redact::secrets::Redactor, scenario::MetricsContract, units::Nanos};
use saasbench_record::contract_view::ContractView;
use saasbench_record::{
    checksum::Checksum,
    json_lines::to_line,
    manifest::Replica,
    scrape::{Phase, ScrapeRecord},
};

/// Scrapes over connections of their own, before the load and after it: of two processes behind one address, both
/// are met with 99 % certainty.
const LOOKS_AROUND: usize = 8;
/// No such scrape begins later than this after the first, so that a slow service is not waited for eight times.
const LOOK_AROUND_FOR: Duration = Duration::from_secs(2);
/// How long `settle` may be to be waited for after an interruption, too.
const BRIEF: Nanos = Nanos::from_secs(1);
/// Consecutive scrapes without a response after which a replica counts as gone.
const GONE_AFTER: u32 = 3;

/// A replica, and how its expositions are fetched.
#[derive(Debug)]
pub struct Source {
    /// The replica.
    pub replica: Replica,
    /// Fetches its expositions.
    pub pages: Box<dyn Pages>,
}

/// Scrapes every replica of an environment.
#[derive(Debug)]
pub struct Scraper {
    replicas: Vec<Source>,
    contract: MetricsContract,
    dir: PathBuf,
    clock: RunClock,
    index: Mutex<Index>,
    probes: ProbeLog,
    redactor: Redactor,
}

#[derive(Debug)]
struct Index {
    file: File,
    next: u64,
}

/// One response of a replica, or the lack of it.
#[derive(Debug)]
struct Scraped {
    from_ns: Nanos,
    to_ns: Nanos,
    answer: Result<String, String>,
}

/// A replica that is waited for.
#[derive(Debug)]
struct Waiting<'a> {
    source: &'a Source,
    last: Option<ContractView>,
    /// Consecutive scrapes without a response.
    silent: u32,
    /// Waiting longer would not change anything.
    over: bool,
}

impl Waiting<'_> {
    /// Processes a scrape; returns whether it shows the replica to be quiescent.
    fn settles(&mut self, scrape: &Scraped, contract: &MetricsContract, is_given_up: bool) -> bool {
        let Ok(text) = &scrape.answer else {
            self.silent += 1;
            self.over = self.silent >= GONE_AFTER || is_given_up;
            return false;
        };
        self.silent = 0;
        let Ok(view) = ContractView::parse(text, contract) else {
            // A text that is not in the format will not become valid by waiting; it is judged as it is.
            self.over = true;
            return false;
        };
        self.over = view.at_rest() && self.last.as_ref().is_some_and(|last| last.agrees(&view));
        self.last = Some(view);
        self.over
    }
}

impl Scraper {
    /// A scraper that records into `run_dir/observations`.
    ///
    /// # Errors
    /// The file system's.
    pub fn new(
        replicas: Vec<Source>,
        contract: MetricsContract,
        run_dir: &Path,
        clock: RunClock,
    ) -> io::Result<Self> {
        let dir = run_dir.join("observations");
        std::fs::create_dir_all(dir.join("scrapes"))?;
        let file = OpenOptions::new().create(true).append(true).open(dir.join("scrapes.jsonl"))?;
        let index = Mutex::new(Index { file, next: 0 });
        let (probes, redactor) = (ProbeLog::default(), redactor());
        Ok(Self { replicas, contract, dir, clock, index, probes, redactor })
    }

    /// The same, with a log of its scrapes.
    #[must_use]
    pub fn with_log(self, probes: ProbeLog) -> Self {
        Self { probes, ..self }
    }

    /// Scrapes every replica once, all at the same time, so that several that do not respond take no longer
    /// than one.
    ///
    /// # Errors
    /// The file system's. A replica that does not respond is no error: it is recorded.
    pub async fn scrape_all(&self, phase: Phase) -> io::Result<()> {
        let path = &self.contract.path;
        let scrapes = join_all(self.replicas.iter().map(|source| self.scrape(source.pages.get(path)))).await;
        for (source, scrape) in self.replicas.iter().zip(&scrapes) {
            self.write(&source.replica, phase, scrape, false)?;
        }
        Ok(())
    }

    /// Scrapes every replica over several connections, one after the other, so that several processes behind one
    /// address are met. They are recorded as all others. A replica that does not respond is not asked again.
    ///
    /// # Errors
    /// The file system's.
    pub async fn look_around(&self, phase: Phase, give_up: &CancellationToken) -> io::Result<()> {
        let last = tokio::time::Instant::now() + LOOK_AROUND_FOR;
        let looks = self.replicas.iter().map(async |source| {
            for _ in 0..LOOKS_AROUND {
                let Some(scrape) =
                    until(give_up, self.scrape(source.pages.get_afresh(&self.contract.path))).await
                else {
                    break;
                };
                self.write(&source.replica, phase, &scrape, false)?;
                if scrape.answer.is_err() || tokio::time::Instant::now() >= last {
                    break;
                }
            }
            Ok(())
        });
        join_all(looks).await.into_iter().collect()
    }

    /// Scrapes at the contract's interval until `stop`; scrapes in progress are abandoned then.
    ///
    /// # Errors
    /// Any I/O error.
    pub async fn scrape_until(&self, stop: CancellationToken) -> io::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.contract.interval.to_duration()) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                scraped = self.scrape_all(Phase::During) => scraped?,
            }
        }
    }

    /// Scrapes until every replica is quiescent (two scrapes, the contract's `settle` apart, show the same
    /// series and nothing in progress), or is gone, or `deadline` has passed. After `give_up` each is scraped
    /// once more at most, and one that does not respond is not waited for.
    ///
    /// # Errors
    /// The file system's.
    pub async fn settle(
        &self,
        phase: Phase,
        deadline: Duration,
        give_up: &CancellationToken,
    ) -> io::Result<()> {
        let last = tokio::time::Instant::now() + deadline;
        let mut is_second = false;
        let mut waiting: Vec<Waiting<'_>> = self
            .replicas
            .iter()
            .map(|source| Waiting { source, last: None, silent: 0, over: false })
            .collect();
        loop {
            let unsettled: Vec<_> = waiting.iter_mut().filter(|waiting| !waiting.over).collect();
            let scrapes =
                join_all(unsettled.iter().map(|waiting| self.scrape_until_given_up(waiting.source, give_up)))
                    .await;
            for (waiting, scrape) in unsettled.into_iter().zip(&scrapes) {
                let settled = waiting.settles(scrape, &self.contract, give_up.is_cancelled());
                self.write(&waiting.source.replica, phase, scrape, settled)?;
            }
            if waiting.iter().all(|waiting| waiting.over)
                || tokio::time::Instant::now() >= last
                || (give_up.is_cancelled() && is_second)
            {
                return Ok(());
            }
            is_second = true;
            let settled = tokio::time::sleep(self.contract.settle.to_duration());
            if self.contract.settle <= BRIEF {
                settled.await;
            } else if until(give_up, settled).await.is_none() {
                return Ok(());
            }
        }
    }

    /// A scrape that is abandoned after `give_up`; then the replica counts as gone.
    async fn scrape_until_given_up(&self, source: &Source, give_up: &CancellationToken) -> Scraped {
        let from_ns = self.clock.now();
        let scraped = until(give_up, self.scrape(source.pages.get(&self.contract.path))).await;
        scraped.unwrap_or_else(|| Scraped {
            from_ns,
            to_ns: self.clock.now(),
            answer: Err("no response until the run was interrupted".to_owned()),
        })
    }

    async fn scrape(&self, page: Page<'_>) -> Scraped {
        let from_ns = self.clock.now();
        let answer = page.await;
        let to_ns = self.clock.now();
        let answer = match answer {
            Ok(text) => Ok(self.redactor.redact_exposition(&text).into_owned()),
            Err(error) => Err(self.redactor.redact(&error).into_owned()),
        };
        Scraped { from_ns, to_ns, answer }
    }

    fn write(&self, replica: &Replica, phase: Phase, scrape: &Scraped, settled: bool) -> io::Result<()> {
        let seen = scrape.answer.as_ref().map(|text| format!("{} bytes", text.len()));
        let seen = seen.as_deref().map_err(|error| error.as_str());
        self.probes.note(&format!("metrics of {}", replica.name), scrape.from_ns, scrape.to_ns, seen);
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let number = index.next;
        index.next += 1;
        let file = format!("{number:06}-{}.prom", replica.name);
        if let Ok(text) = &scrape.answer {
            std::fs::write(self.dir.join("scrapes").join(&file), text)?;
        }
        let record = ScrapeRecord {
            number,
            replica: replica.name.clone(),
            phase,
            from_ns: scrape.from_ns,
            to_ns: scrape.to_ns,
            file: scrape.answer.is_ok().then_some(file),
            sha256: scrape.answer.as_ref().ok().map(|text| Checksum::of(text.as_bytes())),
            error: scrape.answer.as_ref().err().cloned(),
            settled,
        };
        index.file.write_all(&to_line(&record)?)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::observe::pages::SCRAPE_TIMEOUT;
    use saasbench_model::scenario::Preset;

    /// A replica that times out.
    #[derive(Debug)]
    struct Dead;

    impl Pages for Dead {
        fn get<'a>(&'a self, _path: &'a str) -> Page<'a> {
            Box::pin(async {
                tokio::time::sleep(SCRAPE_TIMEOUT).await;
                Err("no response".to_owned())
            })
        }

        fn get_afresh<'a>(&'a self, path: &'a str) -> Page<'a> {
            self.get(path)
        }
    }

    fn dead(names: &[&str], dir: &Path) -> Scraper {
        let source = |name: &&str| Source {
            replica: Replica {
                name: (*name).to_owned(),
                url: "http://127.0.0.1:1".to_owned(),
                instance: "127.0.0.1:1".to_owned(),
                address: None,
            },
            pages: Box::new(Dead),
        };
        let replicas = names.iter().map(source).collect();
        Scraper::new(replicas, Preset::Tenancy.contract(), dir, RunClock::start()).unwrap()
    }

    fn recorded(dir: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(dir.join("observations/scrapes.jsonl")).unwrap();
        let records = text.lines().map(|line| serde_json::from_str::<ScrapeRecord>(line).unwrap());
        records.map(|record| format!("{} {}", record.number, record.replica)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn many_dead_replicas_take_no_longer_than_one() {
        let dir = tempfile::tempdir().unwrap();
        let scraper = dead(&["a", "b", "c", "d"], dir.path());
        let began = Instant::now();
        scraper.scrape_all(Phase::Before).await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 5);
        assert_eq!(recorded(dir.path()), ["0 a", "1 b", "2 c", "3 d"]);
        let never = CancellationToken::new();
        scraper.settle(Phase::After, Duration::from_secs(3), &never).await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 10);
        assert_eq!(recorded(dir.path()).len(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_replica_is_given_up_shortly_after_an_interruption() {
        let dir = tempfile::tempdir().unwrap();
        let scraper = dead(&["a"], dir.path());
        let give_up = CancellationToken::new();
        let began = Instant::now();
        let settling = scraper.settle(Phase::After, Duration::from_secs(15), &give_up);
        let (settled, ()) = tokio::join!(settling, async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            give_up.cancel();
        });
        settled.unwrap();
        assert!(began.elapsed() < Duration::from_millis(2_500), "{:?}", began.elapsed());
        assert_eq!(recorded(dir.path()), ["0 a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_scrapes() {
        let dir = tempfile::tempdir().unwrap();
        let scraper = dead(&["a"], dir.path());
        let stop = CancellationToken::new();
        let began = Instant::now();
        let within = scraper.contract.interval.to_duration() + Duration::from_secs(1);
        let (scraped, ()) = tokio::join!(scraper.scrape_until(stop.clone()), async {
            tokio::time::sleep(within).await;
            stop.cancel();
        });
        scraped.unwrap();
        assert!(began.elapsed() < within + Duration::from_secs(1), "{:?}", began.elapsed());
        assert!(recorded(dir.path()).is_empty());
    }
}
