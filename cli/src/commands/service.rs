//! `saasbench supervise-child` and `saasbench cleanup`, by which the local stack starts its processes, so
//! that nothing of it is left even if saasbench is killed.

use std::path::Path;

use crate::{
    args::SuperviseChildArgs,
    environment::local::{child_service, data},
    exit::{Exit, Failure},
};

/// Replaces this process by another program; returns only if that failed.
pub fn supervise_child(args: &SuperviseChildArgs) -> Failure {
    let Some((program, arguments)) = args.command.split_first() else {
        return Failure::new(Exit::Usage, "no program is named");
    };
    let error = child_service::exec_with_parent_death_signal(args.parent, Path::new(program), arguments);
    Failure::new(Exit::Unreachable, format!("cannot start {}: {error}", program.display()))
}

/// Waits for the end of standard input, and removes the directory.
///
/// # Errors
/// When it is not a temporary directory of saasbench, or cannot be removed.
pub fn cleanup(dir: &Path) -> Result<Exit, Failure> {
    if !data::is_temporary(dir) {
        let text = format!("{} is not a temporary directory of saasbench", dir.display());
        return Err(Failure::new(Exit::Usage, text));
    }
    data::cleanup(dir, &mut std::io::stdin()).map(|()| Exit::Pass).map_err(|error| {
        Failure::new(Exit::InternalError, format!("cannot remove {}: {error}", dir.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_directories_are_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let failure = cleanup(dir.path()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(dir.path().exists());
    }
}
