//! What the generator measured of itself: the files under `generator/`.

use std::path::Path;

use super::{
    damage::{DamageKind, Files, Part},
    json_lines::{ObservationsError, lines},
    stall::{self, Stall},
    usage::{self, Usage},
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
    /// Reads the files of the run in `dir`; missing and damaged ones are no error.
    ///
    /// # Errors
    /// When an existing file cannot be read.
    pub fn read(dir: &Path) -> Result<Self, ObservationsError> {
        Self::read_from(&mut Files { dir, damage: Vec::new() })
    }

    /// The same; what cannot be used becomes damage.
    pub(crate) fn read_from(files: &mut Files<'_>) -> Result<Self, ObservationsError> {
        let mut stalls: Vec<Stall> = Vec::new();
        for stall in lines::<Stall>(files, stall::FILE, Part::Generator)? {
            // A second line about a stall knows when its backlog had drained.
            match stalls.iter_mut().rev().find(|known| known.from_ns == stall.from_ns) {
                Some(known) => *known = stall,
                None => stalls.push(stall),
            }
        }
        let used: Vec<Usage> = lines(files, usage::FILE, Part::Generator)?;
        let written = used.last().map_or(0, |usage| usage.stalls);
        if written > stalls.len() as u64 && files.usable(stall::FILE).is_some() {
            files.add(stall::FILE, Part::Generator, DamageKind::Incomplete);
        }
        Ok(Self { stalls, usage: used })
    }

    /// Writes a test's data.
    #[cfg(any(test, feature = "testing"))]
    pub fn write(&self, dir: &Path) -> std::io::Result<()> {
        use super::json_lines::to_line;
        fn text(lines: &[impl serde::Serialize]) -> std::io::Result<Vec<u8>> {
            Ok(lines.iter().map(to_line).collect::<std::io::Result<Vec<_>>>()?.concat())
        }
        let dir = dir.join(DIRECTORY);
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join(STALLS), text(&self.stalls)?)?;
        std::fs::write(dir.join(USAGE), text(&self.usage)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stall;
    use saasbench_model::units::Nanos;

    #[test]
    fn lost_stalls_are_noticed_in_a_record_that_was_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let usage = |stalls| Usage {
            at_ns: Nanos::ZERO,
            cpu_ns: Nanos::ZERO,
            memory_bytes: 0,
            in_flight: None,
            stalls,
            threads: Default::default(),
        };
        let damage = |stalls: usize, written: u64| {
            let stalls = vec![stall(0, 9); stalls];
            SelfMonitorRecord { stalls, usage: vec![usage(0), usage(written)] }.write(dir.path()).unwrap();
            let mut files = Files { dir: dir.path(), damage: Vec::new() };
            SelfMonitorRecord::read_from(&mut files).unwrap();
            files.damage.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        // The last one was written after the last line of usage.
        assert_eq!(damage(3, 2), [""; 0]);
        assert_eq!(damage(2, 2), [""; 0]);
        assert_eq!(damage(1, 2), ["generator/stalls.jsonl lacks lines that were written"]);
    }
}
