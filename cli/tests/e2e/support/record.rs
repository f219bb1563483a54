//! Recorded runs: copies that a test can modify and judge.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{Ended, Sandbox};

/// The checked-in recorded run of this name.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Panics if a value does not match the published schema of this name.
pub(crate) fn assert_keeps_to_schema(of: &str, value: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/schema/{of}-1.json"));
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let problems: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(problems, [""; 0], "{of}: {value:#}");
}

/// A copy of a recorded run.
#[derive(Debug)]
pub(crate) struct Copied {
    dir: TempDir,
}

impl Copied {
    pub(crate) fn of(run: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(run, &dir.path().join("run"));
        Self { dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// Files of a replica's scrapes from after the load, oldest first.
    pub(crate) fn last_scrapes(&self, replica: &str) -> Vec<PathBuf> {
        let observations = self.path().join("observations");
        let index = fs::read_to_string(observations.join("scrapes.jsonl")).unwrap();
        let records = index.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let files: Vec<PathBuf> = records
            .filter(|record| record["replica"] == replica && record["phase"] == "after")
            .map(|record| observations.join("scrapes").join(record["file"].as_str().unwrap()))
            .collect();
        assert!(files.len() >= 2, "{files:?}");
        files
    }

    /// Judges it, as `run` in the current directory.
    pub(crate) fn verify(&self, arguments: &[&str]) -> Ended {
        let sandbox = Sandbox::new();
        let mut command = sandbox.command(&["verify", "run"]);
        command.args(arguments).current_dir(self.dir.path());
        sandbox.start_command(&mut command).end()
    }
}

/// Copies a directory recursively.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
