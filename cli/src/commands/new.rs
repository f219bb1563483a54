//! `saasbench new`: writes a first scenario, from a template or from a service's OpenAPI description.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use super::scenario::{Secrets, understand};
use crate::commands::atomic_write::{write_all_new, write_new};
use crate::{
    args::NewArgs,
    exit::{Exit, Failure},
    input,
    output::Output,
    scaffold::{
        openapi::{self, Draft},
        template,
    },
};
use saasbench_model::scenario::notation;

/// Name of a scenario that is written to standard output.
const NAMELESS: &str = "new";

/// Writes the scenario.
///
/// # Errors
/// When the name is invalid, the description cannot be read, or the file cannot be written.
pub fn new(args: &NewArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let (name, path) = named(&args.name)?;
    let Some(from) = &args.from else {
        write_new(&path, &template::scenario(&name), args.force, output)?;
        reported(&path, "", output);
        return Ok(Exit::Pass);
    };
    let (spec, file) = read(from, &mut std::io::stdin())?;
    let to_stdout = path == Path::new("-");
    let rows = (!to_stdout).then(|| format!("{name}.csv"));
    let draft = openapi::scenario(&spec, &file, &name, rows.as_deref()).map_err(|error| {
        let hint = error.hint();
        Failure::new(Exit::Usage, error.to_string()).hint(hint)
    })?;
    check(&draft, &name)?;
    match (&draft.rows, rows) {
        (Some(csv), Some(rows)) => {
            write_all_new(&[(&path.with_file_name(rows), csv), (&path, &draft.text)], args.force)?;
        }
        _ => write_new(&path, &draft.text, args.force, output)?,
    }
    for line in &draft.left_out {
        output.note(&format!("left out: {line}"));
    }
    for name in &draft.secrets {
        output.note(&format!("it needs the variable {name}"));
    }
    reported(&path, &format!(" --target {}", draft.target.as_deref().unwrap_or(openapi::ELSEWHERE)), output);
    Ok(Exit::Pass)
}

/// Says what to do next with it.
fn reported(path: &Path, target: &str, output: &mut Output<'_>) {
    if path != Path::new("-") {
        let path = path.display();
        output.note(&format!("wrote {path}; run it: saasbench run {path}{target}"));
    }
}

/// Name and file of the scenario: `checkout`, `load/checkout` and `checkout.toml` are all accepted.
fn named(name: &Path) -> Result<(String, PathBuf), Failure> {
    if name == Path::new("-") {
        return Ok((NAMELESS.to_owned(), name.to_owned()));
    }
    let text = name.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = text.strip_suffix(".toml").unwrap_or(&text);
    match notation::file_label(stem) {
        Ok(stem) => Ok((stem.clone(), name.with_file_name(format!("{stem}.toml")))),
        Err(complaint) => {
            let message = format!("`{}` is no name for a scenario: {}", name.display(), complaint.message);
            Err(Failure::new(Exit::Usage, message).hint(complaint.help))
        }
    }
}

fn read(from: &Path, stdin: &mut dyn Read) -> Result<(String, String), Failure> {
    let (name, text) = if from == Path::new("-") {
        ("standard input".to_owned(), input::read_all_to_string(stdin))
    } else {
        (from.display().to_string(), input::read_to_string(from))
    };
    match text {
        Ok(text) => Ok((text, name)),
        Err(error) => Err(Failure::new(Exit::Usage, format!("cannot read the description {name}: {error}"))
            .hint("--from takes a file; of a running service: curl -s URL/openapi.json | saasbench new NAME --from -")),
    }
}

/// Checks that the written scenario is valid; if it is not, that is a bug, and the user is shown where.
fn check(draft: &Draft, name: &str) -> Result<(), Failure> {
    let dir = tempfile::tempdir().map_err(|error| {
        Failure::new(Exit::InternalError, format!("cannot make a temporary directory: {error}"))
    })?;
    if let Some(rows) = &draft.rows {
        fs::write(dir.path().join(format!("{name}.csv")), rows).map_err(|error| {
            Failure::new(Exit::InternalError, format!("cannot write a temporary file: {error}"))
        })?;
    }
    understand(draft.text.clone(), &format!("{name}.toml"), dir.path(), Secrets::Unknown, false)
        .map(|_| ())
        .map_err(|failure| Failure { exit: Exit::InternalError, ..failure })
}
