//! Gives a record that a test has changed the checksums of what is there now: as if it had been recorded so.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    checksum::{self, Checksum},
    damage::{self, SCRAPES},
    json_lines::{self, to_line},
    manifest::{FILE, Manifest, State},
    reader::recorded_scenario,
    scrape::ScrapeRecord,
    segment::{Growing, Names, decode},
};

/// Objects, a line each, with the checksum of each line; one that it has is replaced. What is no object stays
/// as it is.
pub fn sealed_lines(text: &str) -> String {
    let sealed = |line: &str| match line.strip_suffix('}') {
        Some(body) => {
            let body = body.rsplit_once(json_lines::FIELD).map_or(body, |(body, _)| body);
            String::from_utf8(json_lines::closed(body.as_bytes().to_vec())).unwrap()
        }
        None => format!("{line}\n"),
    };
    text.lines().map(sealed).collect()
}

/// A document with its checksum; one that it has is replaced.
pub fn sealed_document(text: &str) -> Vec<u8> {
    let unsealed = || text.trim_end().strip_suffix('}').unwrap().trim_end();
    let body = text.rsplit_once(checksum::FIELD).map_or_else(unsealed, |(body, _)| body);
    checksum::closed(body.as_bytes().to_vec())
}

/// Gives every file of the record in `dir` its checksum. What cannot be read stays as it is.
pub fn reseal(dir: &Path) {
    for file in ["verdict.json", "capacity.json", FILE] {
        if let Ok(text) = fs::read_to_string(dir.join(file)) {
            fs::write(dir.join(file), sealed_document(&text)).unwrap();
        }
    }
    for (file, _) in damage::FILES {
        let (true, Ok(text)) = (file.ends_with(".jsonl"), fs::read_to_string(dir.join(file))) else {
            continue;
        };
        let text: String = text.lines().map(|line| with_body(dir, file, line)).collect();
        fs::write(dir.join(file), sealed_lines(&text)).unwrap();
    }
    let Ok(mut manifest) = Manifest::read(dir) else { return };
    let last = resealed_segments(dir, &manifest);
    manifest.recorded.iter_mut().for_each(|recorded| recorded.last = last);
    if manifest.state != State::Running {
        manifest.files = damage::checksums(dir).unwrap();
    }
    manifest.write(dir).unwrap();
}

/// A line, of a scrape with the checksum of its exposition.
fn with_body(dir: &Path, file: &str, line: &str) -> String {
    match serde_json::from_str::<ScrapeRecord>(line) {
        Ok(record) if file == SCRAPES => {
            let body = record.file.as_ref().map(|body| dir.join("observations/scrapes").join(body));
            let sha256 = body.and_then(|body| Checksum::of_file(&body).ok());
            String::from_utf8(to_line(&ScrapeRecord { sha256, ..record }).unwrap()).unwrap()
        }
        _ => format!("{line}\n"),
    }
}

/// Writes the segments again, each with the checksum of the one before; returns that of the last.
pub(super) fn resealed_segments(dir: &Path, manifest: &Manifest) -> Checksum {
    let text = &manifest.scenario;
    let mut growing = Growing::of_run(manifest.identity());
    let Ok(scenario) = recorded_scenario(&text.text, &text.file, &text.files) else { return growing.last() };
    let replicas: Vec<String> =
        manifest.environment.replicas.iter().map(|replica| replica.name.clone()).collect();
    let names = Names::new(&scenario, &replicas);
    let entries = fs::read_dir(dir.join("samples")).into_iter().flatten();
    let mut segments: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    segments.sort();
    for path in segments {
        let Ok(batch) = decode(fs::read(&path).unwrap(), &names) else { continue };
        growing.add(&batch);
        growing.write(&path, &names).unwrap();
    }
    growing.last()
}
