//! `saasbench schema`: the JSON Schemas of scenarios and of the JSON output.

use std::path::Path;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::{
    args::{SchemaArgs, SchemaOf},
    exit::{Exit, Failure},
    live::json::{self, Line},
    output::Output,
};
use saasbench_model::scenario;
use saasbench_verify::{
    REPORT_VERSION, Report,
    capacity::result::{self, CapacityReport},
    compare::{COMPARISON_VERSION, Comparison},
};

/// Writes a schema.
///
/// # Errors
/// When it cannot be written.
pub fn schema(args: &SchemaArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    output.document(&schema_of(args.of), args.out.as_deref().unwrap_or(Path::new("-")))?;
    Ok(Exit::Pass)
}

/// The schema of a document.
fn schema_of(of: SchemaOf) -> Value {
    match of {
        SchemaOf::Report => written::<Report>("report", REPORT_VERSION),
        SchemaOf::Scenario => scenario::schema::schema(),
        SchemaOf::Progress => written::<Line>("progress", json::VERSION),
        SchemaOf::Capacity => written::<CapacityReport>("capacity", result::VERSION),
        SchemaOf::Comparison => written::<Comparison>("comparison", COMPARISON_VERSION),
    }
}

/// The schema of a document that saasbench writes. Additional properties are allowed, because additions do
/// not change the version.
fn written<T: JsonSchema>(name: &str, version: u32) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), format!("urn:saasbench:{name}:{version}").into());
    schema.to_value()
}

#[cfg(test)]
mod tests;
