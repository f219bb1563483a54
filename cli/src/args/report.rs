//! Flags for report files.

use std::path::PathBuf;

use clap::Args;

/// The report files of a run.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Report files")]
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

/// The JSON file of a report.
#[derive(Debug, Args)]
pub struct JsonArgs {
    /// Write the report as JSON, too (`-` for standard output, in place of the text)
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
