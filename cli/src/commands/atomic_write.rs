//! Writes files that a user asked for: all of them or none, and never over an existing one unless asked to.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile, PersistError};

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

/// Writes `text` to `path`; `-` is standard output.
///
/// # Errors
/// When it exists and must not be overwritten, or cannot be written.
pub(super) fn write_new(
    path: &Path,
    text: &str,
    overwrite: bool,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if path == Path::new("-") { output.say_document(text) } else { write_all_new(&[(path, text)], overwrite) }
}

/// Writes each text to its path. Symbolic links are followed, and what is neither a file nor a directory (a
/// pipe, `/dev/null`) is written to directly.
///
/// # Errors
/// When one exists and must not be overwritten, or cannot be written; then no new file is left behind.
pub(super) fn write_all_new(files: &[(&Path, &str)], overwrite: bool) -> Result<(), Failure> {
    let is_taken = |path: &Path| fs::symlink_metadata(path).is_ok() && !path.is_dir() && !is_stream(path);
    let taken: Vec<&Path> =
        files.iter().map(|(path, _)| *path).filter(|path| !overwrite && is_taken(path)).collect();
    if !taken.is_empty() {
        return Err(there_already(&taken));
    }
    commit_all(stage_all(files)?, overwrite)
}

/// A text that has been written, but not moved to its path yet.
#[derive(Debug)]
struct StagedFile<'a> {
    path: &'a Path,
    text: &'a str,
    /// The temporary file with the text; dropping it removes it. `None` for a stream.
    part: Option<NamedTempFile>,
}

fn stage_all<'a>(files: &[(&'a Path, &'a str)]) -> Result<Vec<StagedFile<'a>>, Failure> {
    let staged = files.iter().map(|(path, text)| stage(path, text).map_err(|error| unwritable(path, &error)));
    staged.collect()
}

fn stage<'a>(path: &'a Path, text: &'a str) -> io::Result<StagedFile<'a>> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if is_stream(path) || leads_nowhere(path) {
        return Ok(StagedFile { path, text, part: None });
    }
    // With a unique name, and the permissions of any new file.
    let create = |part: &Path| OpenOptions::new().write(true).create_new(true).open(part);
    let mut part = Builder::new().prefix(".saasbench-").make_in(parent(&place(path)), create)?;
    part.as_file_mut().write_all(text.as_bytes())?;
    part.as_file().sync_data()?;
    Ok(StagedFile { path, text, part: Some(part) })
}

/// Moves all to their paths; if one fails, those that are new are removed again.
fn commit_all(staged: Vec<StagedFile<'_>>, overwrite: bool) -> Result<(), Failure> {
    let mut made = Vec::new();
    for one in staged {
        let path = one.path;
        match put(one, overwrite) {
            Ok(true) => made.push(path),
            Ok(false) => {}
            Err(error) => {
                made.into_iter().for_each(|path| drop(fs::remove_file(path)));
                return Err(match error.kind() {
                    io::ErrorKind::AlreadyExists => there_already(&[path]),
                    _ => unwritable(path, &error),
                });
            }
        }
    }
    Ok(())
}

/// Moves one to its path; returns whether nothing was there before.
fn put(staged: StagedFile<'_>, overwrite: bool) -> io::Result<bool> {
    let Some(part) = staged.part else {
        return fs::write(staged.path, staged.text).map(|()| false);
    };
    // If another process was faster, its file remains.
    match part.persist_noclobber(staged.path) {
        Ok(_) => Ok(true),
        Err(PersistError { error, file }) if overwrite && error.kind() == io::ErrorKind::AlreadyExists => {
            file.persist(place(staged.path)).map(|_| false).map_err(|reported| reported.error)
        }
        Err(reported) => Err(reported.error),
    }
}

/// Whether it is a stream that keeps no bytes: a pipe, a device.
fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir())
}

/// Whether it is a dangling symbolic link.
fn leads_nowhere(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok() && fs::metadata(path).is_err()
}

/// The target of symbolic links.
fn place(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn there_already(paths: &[&Path]) -> Failure {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let (verb, it) = if names.len() == 1 { ("is", "it") } else { ("are", "them") };
    Failure::new(Exit::Usage, format!("{} {verb} there already", names.join(" and ")))
        .hint(format!("choose another name, or overwrite {it} with --force"))
}

/// The failure for a path that cannot be written: a wrong path is a usage error, a full disk is not.
fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let dir = parent(path).display();
    let (why, hint) = match error.kind() {
        io::ErrorKind::NotFound => {
            (format!("there is no directory {dir}"), format!("make it first: mkdir -p {dir}"))
        }
        io::ErrorKind::IsADirectory => ("it is a directory".to_owned(), "name a file in it".to_owned()),
        io::ErrorKind::NotADirectory => {
            (format!("{dir} is no directory"), "choose another directory".to_owned())
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (error.to_string(), "choose a directory that can be written to".to_owned())
        }
        _ => {
            let message = format!("cannot write {}: {error}", path.display());
            return Failure::new(Exit::InternalError, message);
        }
    };
    Failure::new(Exit::Usage, format!("cannot write {}: {why}", path.display())).hint(hint)
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
            let reported = write_all_new(&paths.map(|path| (path, "new")), overwrite);
            reported.map_err(|failure| failure.message.replace(dir.path().to_str().unwrap(), "DIR"))
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
        for overwrite in [false, true] {
            assert_eq!(
                write([&at("b.csv"), &at("b.toml")], overwrite),
                Err("cannot write DIR/b.toml: it is a directory".to_owned())
            );
        }
        assert_eq!(names(dir.path()), ["a.csv", "a.toml", "b.toml"]);
    }

    #[test]
    fn a_file_that_appears_meanwhile_stays_and_nothing_partial_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (csv, toml) = (at("a.csv"), at("a.toml"));
        let staged = stage_all(&[(&csv, "new"), (&toml, "new")]).unwrap();
        fs::write(&toml, "another's").unwrap();
        let failure = commit_all(staged, false).unwrap_err();
        assert_eq!(failure, there_already(&[&toml]));
        assert_eq!(names(dir.path()), ["a.toml"]);
        assert_eq!(fs::read_to_string(&toml).unwrap(), "another's");
        // What was overwritten is not removed: its old text is gone anyway.
        fs::write(&csv, "old").unwrap();
        fs::remove_file(&toml).unwrap();
        let staged = stage_all(&[(&csv, "new"), (&toml, "new")]).unwrap();
        fs::create_dir(&toml).unwrap();
        assert!(commit_all(staged, true).is_err());
        assert_eq!(
            (names(dir.path()), fs::read_to_string(&csv).unwrap()),
            (vec!["a.csv".into(), "a.toml".into()], "new".into())
        );
    }

    #[test]
    fn other_files_are_not_touched() {
        use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};

        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let write = |path: &Path, overwrite| write_all_new(&[(path, "new")], overwrite);
        fs::write(at("x.toml.part"), "the user's").unwrap();
        write(&at("x.toml"), false).unwrap();
        assert_eq!(fs::read_to_string(at("x.toml.part")).unwrap(), "the user's");
        // Like any new file, by this process's umask.
        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode();
        assert_eq!(mode("x.toml"), mode("x.toml.part"));

        fs::write(at("real.toml"), "old").unwrap();
        for (link, to) in [("link.toml", "real.toml"), ("dangling.toml", "fresh.toml")] {
            symlink(to, at(link)).unwrap();
            assert_eq!(write(&at(link), false), Err(there_already(&[&at(link)])));
            write(&at(link), true).unwrap();
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(at(to)).unwrap(), "new");
        }
        // A link, so that a bug does not destroy the machine's device.
        symlink("/dev/null", at("null")).unwrap();
        for overwrite in [false, true] {
            write(&at("null"), overwrite).unwrap();
        }
        assert!(fs::symlink_metadata(at("null")).unwrap().is_symlink());
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    }

    #[test]
    fn unwritable_paths_are_usage_errors() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "").unwrap();
        let mut reported = String::new();
        for path in [at("no/such/x.toml"), at("file/x.toml"), dir.path().to_owned()] {
            let failure = write_all_new(&[(&path, "new")], false).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            reported += &format!("{}\n  {}\n", failure.message, failure.hint.unwrap());
        }
        // Root may write everywhere.
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::StorageFull] {
            let failure = unwritable(&at("x.toml"), &kind.into());
            reported +=
                &format!("{:?}: {}\n  {}\n", failure.exit, failure.message, failure.hint.unwrap_or_default());
        }
        insta::assert_snapshot!(reported.replace(dir.path().to_str().unwrap(), "DIR"));
    }
}
