//! What the generator measured of itself: the files under `generator/`.

use std::path::Path;

use super::{
    json_lines::{ObservationsError, lines},
    stall::Stall,
    usage::Usage,
};

/// Directory of the files within the run's directory.
pub const DIRECTORY: &str = "generator";

/// File of the stalls, a line each.
pub const STALLS: &str = "stalls.jsonl";

/// File of the threads' use of processors, two lines a second.
pub const USAGE: &str = "usage.jsonl";

/// What the generator measured of itself.
#[derive(Debug, Clone, Default)]
pub struct SelfMonitorRecord {
    /// Its stalls, in order.
    pub stalls: Vec<Stall>,
    /// Processor use of its threads, twice a second; empty in records of a version without self-monitoring.
    pub usage: Vec<Usage>,
}

impl SelfMonitorRecord {
    /// Reads the files of the run in `dir`; missing ones are no error.
    ///
    /// # Errors
    /// When an existing file cannot be read.
    pub fn read(dir: &Path) -> Result<Self, ObservationsError> {
        let dir = dir.join(DIRECTORY);
        let mut stalls: Vec<Stall> = Vec::new();
        for stall in lines::<Stall>(&dir.join(STALLS))? {
            // A second line about a stall knows when its backlog had drained.
            match stalls.iter_mut().rev().find(|known| known.from_ns == stall.from_ns) {
                Some(known) => *known = stall,
                None => stalls.push(stall),
            }
        }
        Ok(Self { stalls, usage: lines(&dir.join(USAGE))? })
    }

    /// Writes a test's data.
    #[cfg(any(test, feature = "testing"))]
    pub fn write(&self, dir: &Path) -> std::io::Result<()> {
        fn text(lines: &[impl serde::Serialize]) -> serde_json::Result<String> {
            lines.iter().map(|line| Ok(serde_json::to_string(line)? + "\n")).collect()
        }
        let dir = dir.join(DIRECTORY);
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join(STALLS), text(&self.stalls)?)?;
        std::fs::write(dir.join(USAGE), text(&self.usage)?)
    }
}
