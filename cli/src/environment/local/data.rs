//! The directory with the logs and data of the stack: a given one, which is kept, or a temporary one, which
//! is removed.
//!
//! A temporary one is removed by a process of its own, `saasbench cleanup` ([`cleanup`]). It reads from a
//! pipe that is closed when this process ends, in whatever way. A byte through the pipe makes it keep the
//! directory.

use std::{
    fs::{self, File},
    io::{self, Read, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::LocalError;

/// Marks a directory of ours, in which files may be replaced.
const MARK: &str = ".saasbench-up";
/// Prefix of the names of temporary directories.
const TEMPORARY: &str = "saasbench-local-";
/// Marks a temporary directory, which may be removed.
const TEMPORARY_MARK: &str = ".saasbench-temporary";
/// Attempts to remove the directory: processes that are being killed may still write into it.
const TRIES: usize = 100;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// A directory with logs and data.
#[derive(Debug)]
pub struct Data {
    path: PathBuf,
    cleaner: Option<Cleaner>,
    /// The mark of a given directory, locked while a stack uses it; the lock ends with the process, in
    /// whatever way.
    _lock: Option<File>,
}

#[derive(Debug)]
struct Cleaner {
    process: Child,
    pipe: Option<ChildStdin>,
}

impl Data {
    /// The directory `path`, which is created if necessary and kept; without one, a temporary directory.
    pub(super) fn new(path: Option<&Path>) -> Result<Self, LocalError> {
        let Some(path) = path else { return Self::temporary() };
        let what = format!("cannot use the data directory {}", path.display());
        let failed = |cause| LocalError::system(what.clone())(cause);
        fs::create_dir_all(path).map_err(failed)?;
        let whole = path.canonicalize().map_err(failed)?;
        let mark = whole.join(MARK);
        // It holds something that is not from an earlier stack.
        if !mark.exists() && fs::read_dir(&whole).map_err(failed)?.next().is_some() {
            return Err(LocalError::Foreign(path.to_owned()));
        }
        let lock = lock(&mark).map_err(failed)?.ok_or_else(|| LocalError::Occupied(path.to_owned()))?;
        Ok(Self { path: whole, cleaner: None, _lock: Some(lock) })
    }

    fn temporary() -> Result<Self, LocalError> {
        let failed = |cause| LocalError::system("cannot make a temporary directory")(cause);
        let path = tempfile::Builder::new().prefix(TEMPORARY).tempdir().map_err(failed)?;
        fs::write(path.path().join(TEMPORARY_MARK), "saasbench removes this directory\n").map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("cleanup").arg(path.path()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().map_err(failed)?;
        let pipe = process.stdin.take();
        Ok(Self { path: path.keep(), cleaner: Some(Cleaner { process, pipe }), _lock: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is kept after the stack has ended.
    pub fn is_kept(&self) -> bool {
        self.cleaner.is_none()
    }

    /// Keeps a temporary directory, for its logs: something went wrong.
    pub(super) fn keep(&mut self) {
        if let Some(Cleaner { pipe: Some(pipe), .. }) = &mut self.cleaner {
            // Fails where the cleaner is gone, which then removes nothing either.
            let _ = pipe.write_all(b"k");
        }
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.process.wait();
    }
}

/// Writes and locks the mark of a directory; `None`: another stack has locked it.
fn lock(mark: &Path) -> io::Result<Option<File>> {
    // Not truncated: it may be another stack's.
    let mut file = File::options().create(true).truncate(false).write(true).open(mark)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    file.write_all(b"saasbench up --data keeps its files here\n")?;
    Ok(Some(file))
}

/// Whether a directory is a temporary one of ours, or does not exist: nothing else may be removed.
pub fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let is_named = name.is_some_and(|name| name.starts_with(TEMPORARY));
    is_named && (!path.exists() || path.join(TEMPORARY_MARK).exists())
}

/// Waits until `pipe` is closed, and removes `path`, unless a byte was received.
///
/// # Errors
/// When the directory cannot be removed.
pub fn cleanup(path: &Path, pipe: &mut dyn Read) -> io::Result<()> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes)?;
    if !bytes.is_empty() {
        return Ok(());
    }
    let mut removed = fs::remove_dir_all(path);
    for _ in 1..TRIES {
        match &removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => std::thread::sleep(PAUSE),
            _ => return Ok(()),
        }
        removed = fs::remove_dir_all(path);
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_programs_are_not_replaced() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("kept");
        for _ in 0..2 {
            assert!(Data::new(Some(&path)).unwrap().is_kept());
            fs::write(path.join("prometheus.yml"), "").unwrap();
        }
        let _in_use = Data::new(Some(&path)).unwrap();
        let error = Data::new(Some(&path)).unwrap_err();
        let text = error.to_string().replace(outer.path().to_str().unwrap(), "DIR");
        insta::assert_snapshot!(text, @"another stack uses DIR/kept");
        insta::assert_snapshot!(error.hint().unwrap(), @"end that one, or name another directory for `--data`");
        let error = Data::new(Some(outer.path())).unwrap_err();
        let text = error.to_string().replace(outer.path().to_str().unwrap(), "DIR");
        insta::assert_snapshot!(text, @"there are other files in DIR");
        insta::assert_snapshot!(error.hint().unwrap(), @"name an empty directory for `--data`, or one that an earlier `saasbench up --data` has left");
    }

    #[test]
    fn a_temporary_directory_is_removed_unless_it_is_kept() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("stack");
        fs::create_dir_all(path.join("logs")).unwrap();
        cleanup(&path, &mut &b"k"[..]).unwrap();
        assert!(path.exists());
        cleanup(&path, &mut io::empty()).unwrap();
        assert!(!path.exists());
        cleanup(&path, &mut io::empty()).unwrap();
    }

    #[test]
    fn only_temporary_directories_of_ours_are_removed() {
        let outer = tempfile::tempdir().unwrap();
        let [marked, named, both] =
            ["mine", "saasbench-local-1", "saasbench-local-2"].map(|name| outer.path().join(name));
        for path in [&marked, &named, &both] {
            fs::create_dir(path).unwrap();
        }
        for path in [&marked, &both] {
            fs::write(path.join(TEMPORARY_MARK), "").unwrap();
        }
        let all = [&marked, &named, &both, &outer.path().join("saasbench-local-3")];
        assert_eq!(all.map(|path| is_temporary(path)), [false, false, true, true]);
    }
}
