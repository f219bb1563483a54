//! What the generator recorded of itself: the files under `generator/`.

use std::path::Path;

use super::{
    json_lines::{ObservationsError, lines},
    stall::Stall,
    usage::Usage,
};

/// Where it is written, in the run's directory.
pub const DIRECTORY: &str = "generator";

/// The stalls, a line each.
pub const STALLS: &str = "stalls.jsonl";

/// What the threads cost, two lines a second.
pub const USAGE: &str = "usage.jsonl";

/// What the generator knows of itself.
#[derive(Debug, Clone, Default)]
pub struct SelfMonitorRecord {
    /// When it stood still, in order.
    pub stalls: Vec<Stall>,
    /// What its threads had cost, twice a second; empty for a record of a version that did not watch.
    pub usage: Vec<Usage>,
}

impl SelfMonitorRecord {
    /// Reads what the run in `dir` wrote; nothing at all is no error.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn read(dir: &Path) -> Result<Self, ObservationsError> {
        let dir = dir.join(DIRECTORY);
        Ok(Self { stalls: lines(&dir.join(STALLS))?, usage: lines(&dir.join(USAGE))? })
    }

    /// Writes what a test made up.
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
