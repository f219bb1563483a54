//! `saasbench schema`: the JSON Schemas of what people write and machines read.

use std::path::Path;

use crate::{
    args::{SchemaArgs, SchemaOf},
    exit::Failure,
    report::output::Output,
    scenario,
    verify::Report,
};

/// Writes a schema.
///
/// # Errors
/// When it cannot be written.
pub fn schema(args: &SchemaArgs, output: &mut Output<'_>) -> Result<(), Failure> {
    let schema = match args.of {
        SchemaOf::Report => Report::schema(),
        SchemaOf::Scenario => scenario::schema::schema(),
    };
    output.document(&schema, args.out.as_deref().unwrap_or(Path::new("-")))
}

#[cfg(test)]
mod tests;
