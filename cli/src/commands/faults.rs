//! `saasbench faults`: the faults that the reference service can inject, and the claim that detects each.

use tenancy::faults::CATALOGUE;

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

/// Lists them.
///
/// # Errors
/// When standard output cannot be written.
pub fn faults(output: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut text = String::new();
    for entry in CATALOGUE {
        match entry.value {
            Some((what, default)) => text.push_str(&format!("{}={default}  ({what})\n", entry.name)),
            None => text.push_str(&format!("{}\n", entry.name)),
        }
        text.push_str(&format!("    {}\n    detected by: {}\n", entry.breaks, entry.caught_by));
    }
    text.push_str("\nTry one: saasbench run scenarios/flood.toml --fault limit-per-replica\n");
    output.say(&text)?;
    Ok(Exit::Pass)
}
