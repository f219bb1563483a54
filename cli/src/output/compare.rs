//! What `compare` prints, and what `run` with a baseline prints after its report.

use std::path::Path;

use super::{Output, files, unwritable};
use crate::{args::ReportArgs, exit::Failure, safe_output};
use saasbench_report::{comparison, github::GitHub};
use saasbench_verify::compare::Comparison;

impl Output<'_> {
    /// Delivers a comparison of runs, like [`Self::report`]; and as Markdown in a file (`-` for standard
    /// output, in place of the text).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn comparison(
        &mut self,
        comparison: &Comparison,
        json: Option<&Path>,
        markdown: Option<&Path>,
    ) -> Result<(), Failure> {
        let mut is_stdout_taken = false;
        if let Some(path) = markdown {
            let text = comparison::markdown(comparison);
            if path == Path::new("-") {
                is_stdout_taken = true;
                self.say_document(&text)?;
            } else {
                files::write(path, safe_output::document(&text).as_bytes(), self.github.as_ref())
                    .map_err(|error| unwritable(path, &error))?;
            }
        }
        let annotations = self.github.as_ref().map(|_| GitHub::of_comparison(comparison)).unwrap_or_default();
        let text = || if is_stdout_taken { String::new() } else { comparison::render(comparison) };
        self.deliver(comparison, text, json)?;
        let is_text = !is_stdout_taken && json.is_none_or(|path| path != Path::new("-"));
        if is_text { self.say_annotations(&annotations) } else { Ok(()) }
    }

    /// Delivers the comparison of a run whose report was just delivered: its text follows the report's, on
    /// standard error if standard output has something other than text.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn comparison_of_run(&mut self, comparison: &Comparison, args: &ReportArgs) -> Result<(), Failure> {
        let text = comparison::render(comparison);
        if files::asked(args).any(|(_, path)| path == Path::new("-")) {
            self.print(text.trim_end());
            return Ok(());
        }
        self.say(&text)
    }
}
