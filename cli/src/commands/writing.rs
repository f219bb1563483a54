//! Writes a file that a user asked for, and never over one that is there unless told to.

use std::{fs::OpenOptions, io::Write as _, path::Path};

use crate::{
    exit::{Exit, Failure},
    record::manifest::write_whole,
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
    if path == Path::new("-") {
        return output.say(text);
    }
    let written = if overwrite {
        write_whole(path, text.as_bytes())
    } else {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
    };
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::new(Exit::Usage, format!("{} is there already", path.display()))
                .hint("choose another name, or overwrite it with --force")
        }
        _ => Failure::new(Exit::Broken, format!("cannot write {}: {error}", path.display())),
    })
}
