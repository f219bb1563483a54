//! `saasbench faults`: what the reference service can be told to do wrong, and which claim catches it.

use std::io::{self, Write};

use tenancy::faults::CATALOGUE;

use crate::exit::Exit;

/// Lists them.
///
/// # Errors
/// When `out` cannot be written; a reader that went away has read enough.
pub fn faults(out: &mut dyn Write) -> io::Result<Exit> {
    match list(out) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(Exit::Pass),
    }
}

fn list(out: &mut dyn Write) -> io::Result<()> {
    for entry in CATALOGUE {
        match entry.value {
            Some((what, default)) => writeln!(out, "{}={default}  ({what})", entry.name)?,
            None => writeln!(out, "{}", entry.name)?,
        }
        writeln!(out, "    {}", entry.breaks)?;
        writeln!(out, "    caught by: {}", entry.caught_by)?;
    }
    writeln!(out, "\nTry one: saasbench run scenarios/flood.toml --fault limit-per-replica")
}
