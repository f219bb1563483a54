//! `saasbench part` and `saasbench sweep`, which the local stack starts its processes through: they see to it that nothing
//! is left of it, even when saasbench itself is killed.

use std::path::Path;

use crate::{
    args::PartArgs,
    environment::local::{child_service, data},
    exit::{Exit, Failure},
};

/// Becomes another program; returns only where that failed.
pub fn part(args: &PartArgs) -> Failure {
    let Some((program, arguments)) = args.command.split_first() else {
        return Failure::new(Exit::Usage, "no program is named");
    };
    let error = child_service::exec_with_parent_death_signal(args.parent, Path::new(program), arguments);
    Failure::new(Exit::Unreachable, format!("cannot start {}: {error}", program.display()))
}

/// Waits for the end of standard input, and removes the directory.
///
/// # Errors
/// When it is none that saasbench made for a while, or cannot be removed.
pub fn sweep(dir: &Path) -> Result<Exit, Failure> {
    if !data::is_temporary(dir) {
        let text = format!("{} is no temporary directory of saasbench's", dir.display());
        return Err(Failure::new(Exit::Usage, text));
    }
    data::sweep(dir, &mut std::io::stdin())
        .map(|()| Exit::Pass)
        .map_err(|error| Failure::new(Exit::Broken, format!("cannot remove {}: {error}", dir.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_somebody_elses_is_not_swept() {
        let dir = tempfile::tempdir().unwrap();
        let failure = sweep(dir.path()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(dir.path().exists());
    }
}
