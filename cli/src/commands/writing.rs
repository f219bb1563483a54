//! Writes files that a user asked for: all of them or none, and never over one that is there unless told to.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    exit::{Exit, Failure},
    report::output::Output,
};

/// Writes `text` to `path`; `-` is standard output.
///
/// # Errors
/// When it is there already and not to be overwritten, or cannot be written.
pub(super) fn write_new(
    path: &Path,
    text: &str,
    overwrite: bool,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if path == Path::new("-") { output.say(text) } else { write_all_new(&[(path, text)], overwrite) }
}

/// Writes each text to its path.
///
/// # Errors
/// When one is there already and not to be overwritten, or cannot be written; then nothing is written.
pub(super) fn write_all_new(files: &[(&Path, &str)], overwrite: bool) -> Result<(), Failure> {
    let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
    let taken: Vec<&Path> =
        files.iter().map(|(path, _)| *path).filter(|path| !overwrite && is_there(path)).collect();
    if !taken.is_empty() {
        return Err(there_already(&taken));
    }
    let mut parts = Parts(Vec::new());
    for (path, text) in files {
        parts.write(path, text).map_err(|error| unwritable(path, &error))?;
    }
    for (path, _) in files {
        put(path, overwrite).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => there_already(&[*path]),
            _ => unwritable(path, &error),
        })?;
    }
    Ok(())
}

/// Files that are not yet in their places; what of them is left at the end is removed.
#[derive(Debug)]
struct Parts(Vec<PathBuf>);

impl Parts {
    fn write(&mut self, path: &Path, text: &str) -> io::Result<()> {
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let part = part(path);
        let mut file = File::create(&part)?;
        self.0.push(part);
        file.write_all(text.as_bytes())?;
        file.sync_data()
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.0.iter().for_each(|part| drop(fs::remove_file(part)));
    }
}

/// Puts what was written into its place.
fn put(path: &Path, overwrite: bool) -> io::Result<()> {
    if !overwrite {
        // Whoever was faster keeps it.
        OpenOptions::new().write(true).create_new(true).open(path)?;
    }
    fs::rename(part(path), path)
}

fn part(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

fn there_already(paths: &[&Path]) -> Failure {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    Failure::new(Exit::Usage, format!("{} {verb} there already", names.join(" and ")))
        .hint("choose another name, or overwrite it with --force")
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Broken, format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in a directory.
    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn all_are_written_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (csv, toml) = (at("a.csv"), at("a.toml"));
        let write = |paths: [&Path; 2], overwrite| {
            let told = write_all_new(&paths.map(|path| (path, "new")), overwrite);
            told.map_err(|failure| failure.message.replace(dir.path().to_str().unwrap(), "DIR"))
        };
        fs::write(&toml, "old").unwrap();
        assert_eq!(write([&csv, &toml], false), Err("DIR/a.toml is there already".to_owned()));
        assert_eq!(
            (names(dir.path()), fs::read_to_string(&toml).unwrap()),
            (vec!["a.toml".into()], "old".into())
        );
        write([&csv, &toml], true).unwrap();
        assert_eq!(fs::read_to_string(&toml).unwrap(), "new");
        assert_eq!(write([&csv, &toml], false), Err("DIR/a.csv and DIR/a.toml are there already".to_owned()));
        fs::create_dir(at("b.toml")).unwrap();
        assert_eq!(
            write([&at("b.csv"), &at("b.toml")], true),
            Err("cannot write DIR/b.toml: is a directory".to_owned())
        );
        let nowhere = at("no/b.toml");
        assert!(write([&at("b.csv"), &nowhere], false).is_err());
        assert_eq!(names(dir.path()), ["a.csv", "a.toml", "b.toml"]);
    }
}
