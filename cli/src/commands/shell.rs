//! `saasbench completions` and `saasbench man`: shell completions and manual pages, generated from the
//! command line.

use std::{fs, path::Path};

use clap::{Command, CommandFactory as _};

use crate::{
    args::{Cli, CompletionsArgs, ManArgs},
    exit::{Exit, Failure},
    output::Output,
};

/// The program's name.
const NAME: &str = "saasbench";

/// Writes the completions for a shell.
///
/// # Errors
/// When they cannot be written.
pub fn completions(args: &CompletionsArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut shown(), NAME, &mut script);
    output.say_document(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Pass)
}

/// Writes the main manual page, or all of them into a directory.
///
/// # Errors
/// When they cannot be written.
pub fn man(args: &ManArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| unwritten(NAME.as_ref(), &error))?;
        output.say_document(&String::from_utf8_lossy(&page))?;
        return Ok(Exit::Pass);
    };
    fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(|error| unwritten(dir, &error))?;
    Ok(Exit::Pass)
}

/// The command line without hidden parts, which completions would offer, too.
fn shown() -> Command {
    let all = Cli::command();
    let subcommands = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new(NAME).args(all.get_arguments().cloned()).subcommands(subcommands)
}

fn unwritten(what: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::InternalError, format!("cannot write the manual pages to {}: {error}", what.display()))
}
