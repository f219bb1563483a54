//! The directory that the stack lives in: one that is given and stays, or a temporary one that goes.
//!
//! A temporary one is removed by a process of its own, `saasbench sweep` ([`sweep`]). It reads from a pipe that ends with this
//! process, however that ends. A single byte through the pipe tells it to leave the directory alone.

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

/// A file that tells a directory of ours, in which files are replaced.
const MARK: &str = ".saasbench-up";
/// What the names of temporary directories begin with.
const TEMPORARY: &str = "saasbench-local-";
/// A file that tells a temporary directory, which is removed.
const TEMPORARY_MARK: &str = ".saasbench-temporary";
/// How often the directory is tried to be removed: processes that are being killed may still write into it.
const TRIES: usize = 100;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// A directory with logs and data.
#[derive(Debug)]
pub struct Data {
    path: PathBuf,
    sweeper: Option<Sweeper>,
    /// The mark of a given directory, locked for as long as a stack lives there: the lock goes with it, however it ends.
    _lock: Option<File>,
}

#[derive(Debug)]
struct Sweeper {
    process: Child,
    pipe: Option<ChildStdin>,
}

impl Data {
    /// The directory `path`, made if it is not there and kept; without one, a temporary directory.
    pub(super) fn new(path: Option<&Path>) -> Result<Self, LocalError> {
        let Some(path) = path else { return Self::temporary() };
        let what = format!("cannot use the data directory {}", path.display());
        let failed = |cause| LocalError::system(what.clone())(cause);
        fs::create_dir_all(path).map_err(failed)?;
        let whole = path.canonicalize().map_err(failed)?;
        let mark = whole.join(MARK);
        // It holds something, and not because an earlier stack lived there.
        if !mark.exists() && fs::read_dir(&whole).map_err(failed)?.next().is_some() {
            return Err(LocalError::Foreign(path.to_owned()));
        }
        let lock = lock(&mark).map_err(failed)?.ok_or_else(|| LocalError::Occupied(path.to_owned()))?;
        Ok(Self { path: whole, sweeper: None, _lock: Some(lock) })
    }

    fn temporary() -> Result<Self, LocalError> {
        let failed = |cause| LocalError::system("cannot make a temporary directory")(cause);
        let path = tempfile::Builder::new().prefix(TEMPORARY).tempdir().map_err(failed)?;
        fs::write(path.path().join(TEMPORARY_MARK), "saasbench removes this directory\n").map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("sweep").arg(path.path()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().map_err(failed)?;
        let pipe = process.stdin.take();
        Ok(Self { path: path.keep(), sweeper: Some(Sweeper { process, pipe }), _lock: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays when the stack goes.
    pub fn is_kept(&self) -> bool {
        self.sweeper.is_none()
    }

    /// Something went wrong: what is in it is wanted.
    pub(super) fn keep(&mut self) {
        if let Some(Sweeper { pipe: Some(pipe), .. }) = &mut self.sweeper {
            // A sweeper that is gone removes nothing either.
            let _ = pipe.write_all(b"k");
        }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.process.wait();
    }
}

/// Writes and locks the mark of a directory; `None`: another stack has locked it.
fn lock(mark: &Path) -> io::Result<Option<File>> {
    // Not emptied: it may be another's.
    let mut file = File::options().create(true).truncate(false).write(true).open(mark)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    file.write_all(b"saasbench up --data keeps its files here\n")?;
    Ok(Some(file))
}

/// Whether a directory is a temporary one of ours, or is gone already: nothing else may be removed.
pub fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let is_named = name.is_some_and(|name| name.starts_with(TEMPORARY));
    is_named && (!path.exists() || path.join(TEMPORARY_MARK).exists())
}

/// Waits for the end of `pipe`, and removes `path`, unless a byte came through.
///
/// # Errors
/// When the directory cannot be removed.
pub fn sweep(path: &Path, pipe: &mut dyn Read) -> io::Result<()> {
    let mut told = Vec::new();
    pipe.read_to_end(&mut told)?;
    if !told.is_empty() {
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
    fn nobody_elses_files_are_replaced() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("kept");
        for _ in 0..2 {
            assert!(Data::new(Some(&path)).unwrap().is_kept());
            fs::write(path.join("prometheus.yml"), "").unwrap();
        }
        let _lives_there = Data::new(Some(&path)).unwrap();
        let error = Data::new(Some(&path)).unwrap_err();
        let text = error.to_string().replace(outer.path().to_str().unwrap(), "DIR");
        insta::assert_snapshot!(text, @"another stack lives in DIR/kept");
        insta::assert_snapshot!(error.hint().unwrap(), @"end that one, or name another directory for `--data`");
        let error = Data::new(Some(outer.path())).unwrap_err();
        let text = error.to_string().replace(outer.path().to_str().unwrap(), "DIR");
        insta::assert_snapshot!(text, @"there are other files in DIR");
        insta::assert_snapshot!(error.hint().unwrap(), @"name an empty directory for `--data`, or one that an earlier `saasbench up --data` has left");
    }

    #[test]
    fn the_directory_goes_unless_it_is_wanted() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("stack");
        fs::create_dir_all(path.join("logs")).unwrap();
        sweep(&path, &mut &b"k"[..]).unwrap();
        assert!(path.exists());
        sweep(&path, &mut io::empty()).unwrap();
        assert!(!path.exists());
        sweep(&path, &mut io::empty()).unwrap();
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
