//! Arguments that say where a report goes.

use std::path::PathBuf;

use clap::Args;

/// How the report of a run goes out.
#[derive(Debug, Default, Args)]
pub struct ReportArgs {
    /// Write the report as JSON, too (`-` for standard output, in place of the text)
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the claims as test cases in JUnit XML, too, for CI systems
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Write a summary in Markdown, too; where FILE is $GITHUB_STEP_SUMMARY, it is appended
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

/// How another report goes out.
#[derive(Debug, Args)]
pub struct JsonArgs {
    /// Write the report as JSON, too (`-` for standard output, in place of the text)
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
