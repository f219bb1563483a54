//! One random change of a record.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// SplitMix64: a seed gives the same numbers everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// What was changed: the file, and how.
#[derive(Debug)]
#[expect(dead_code, reason = "for whoever reads a failure")]
pub(super) struct Mutation {
    file: PathBuf,
    change: String,
}

impl Mutation {
    /// Changes the record in `run`; `other` is another record, whose files may be mixed in.
    pub(super) fn apply(random: &mut Random, run: &Path, other: &Path) -> Self {
        // Few files are as interesting as the many expositions: kinds of files first, then one of them.
        let files = files(run);
        let mut kinds: Vec<&str> = files.iter().filter_map(|file| kind(run, file)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let wanted = *random.of(&kinds);
        let of_kind: Vec<&PathBuf> = files.iter().filter(|file| kind(run, file) == Some(wanted)).collect();
        let file = (*random.of(&of_kind)).clone();
        let change = match random.below(16) {
            0..4 => bytes(random, &file),
            4 => remove(&file),
            5 => remove_directory(run, &file),
            6 => swap(&file, random.of::<PathBuf>(&files)),
            7 => replace(run, &file, other),
            8 => add(random, run, other),
            9..12 => lines(random, &file),
            12 => cut(random, &file),
            _ => return Self::field(random, run),
        };
        Self { file, change }
    }

    /// Changes a field of the manifest.
    pub(super) fn field(random: &mut Random, run: &Path) -> Self {
        let file = run.join("manifest.json");
        let Ok(text) = fs::read_to_string(&file) else {
            return Self { change: bytes(random, &run.join("capacity.json")), file };
        };
        let mut manifest: Value = serde_json::from_str(&text).unwrap();
        let mut pointers = Vec::new();
        collect(&manifest, String::new(), &mut pointers);
        let pointer = random.of(&pointers).clone();
        let value = manifest.pointer_mut(&pointer).unwrap();
        *value = other_value(random, value);
        let change = format!("{pointer} = {value}");
        fs::write(&file, serde_json::to_string_pretty(&manifest).unwrap() + "\n").unwrap();
        Self { file, change }
    }
}

/// Copies a directory recursively.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
        if from.is_dir() { copy(&from, &to) } else { fs::copy(&from, &to).map(|_| ()).unwrap() }
    }
}

/// All files of a record, in order.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A file's directory, or at the top its name.
fn kind<'a>(run: &Path, file: &'a Path) -> Option<&'a str> {
    let parent = file.parent()?;
    if parent == run { file.file_name()?.to_str() } else { parent.to_str() }
}

fn bytes(random: &mut Random, file: &Path) -> String {
    let mut contents = fs::read(file).unwrap();
    let mut changes = Vec::new();
    for _ in 0..=random.below(4) {
        let at = random.below(contents.len());
        changes.push(at);
        match random.below(5) {
            _ if contents.is_empty() => contents.push(b'x'),
            0..3 => contents[at] ^= 1 << random.below(8),
            3 => contents[at] = random.next() as u8,
            _ => contents.insert(at, random.next() as u8),
        }
    }
    fs::write(file, contents).unwrap();
    format!("bytes {changes:?}")
}

fn remove(file: &Path) -> String {
    fs::remove_file(file).unwrap();
    "removed".to_owned()
}

fn remove_directory(run: &Path, file: &Path) -> String {
    let dir = file.parent().unwrap();
    if dir == run {
        return remove(file);
    }
    fs::remove_dir_all(dir).unwrap();
    "its directory removed".to_owned()
}

fn swap(file: &Path, with: &Path) -> String {
    let (one, two) = (fs::read(file).unwrap(), fs::read(with).unwrap());
    fs::write(file, two).unwrap();
    fs::write(with, one).unwrap();
    format!("swapped with {}", with.display())
}

fn replace(run: &Path, file: &Path, other: &Path) -> String {
    let from = other.join(file.strip_prefix(run).unwrap());
    match fs::copy(&from, file) {
        Ok(_) => "that of another record".to_owned(),
        Err(_) => remove(file),
    }
}

fn add(random: &mut Random, run: &Path, other: &Path) -> String {
    let from = random.of(&files(other)).clone();
    let to = match from.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => run.join("samples/000009.parquet"),
        _ => run.join(from.strip_prefix(other).unwrap()),
    };
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(&from, &to).unwrap();
    format!("added {}", to.display())
}

fn lines(random: &mut Random, file: &Path) -> String {
    let Ok(text) = fs::read_to_string(file) else { return bytes(random, file) };
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return remove(file);
    }
    let (one, two) = (random.below(lines.len()), random.below(lines.len()));
    let change = match random.below(3) {
        0 => {
            lines.remove(one);
            "removed"
        }
        1 => {
            lines.insert(two, lines[one]);
            "repeated"
        }
        _ => {
            lines.swap(one, two);
            "swapped"
        }
    };
    fs::write(file, lines.join("\n") + "\n").unwrap();
    format!("lines {one} and {two} {change}")
}

fn cut(random: &mut Random, file: &Path) -> String {
    let contents = fs::read(file).unwrap();
    let at = random.below(contents.len());
    fs::write(file, &contents[..at]).unwrap();
    format!("cut at {at}")
}

/// Pointers to everything in a document but itself.
fn collect(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(value, format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                collect(value, format!("{pointer}/{number}"), found);
            }
        }
        _ => {}
    }
    if !pointer.is_empty() {
        found.push(pointer);
    }
}

fn other_value(random: &mut Random, value: &Value) -> Value {
    let numbers = [0, 1, -1, i64::MAX, i64::MIN, 1 << 40, -(1 << 50)];
    match (value, random.below(4)) {
        (Value::Bool(truth), _) => Value::Bool(!truth),
        (Value::Number(_), 0..3) => (*random.of(&numbers)).into(),
        (Value::Number(number), _) => number.as_f64().map_or(Value::Null, |number| (number * 1.5).into()),
        (Value::String(text), 0) => Value::String(text.to_ascii_uppercase()),
        (Value::String(text), 1) => Value::String(text.chars().rev().collect()),
        (Value::String(_), 2) => Value::String("finished".to_owned()),
        (Value::Array(items), 0) => Value::Array([items.as_slice(), items].concat()),
        (Value::Array(items), 1) => Value::Array(items.iter().skip(1).cloned().collect()),
        (Value::Null, _) => Value::String("http://127.0.0.1:9".to_owned()),
        _ => Value::Null,
    }
}
