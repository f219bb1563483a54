//! What `run` and `verify` print about a run: the banner before it, the report after it, and the path of its
//! HTML report.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use super::{Output, files, unwritable};
use crate::{args::ReportArgs, exit::Failure};
use saasbench_model::{safe_text, scenario::Scenario};
use saasbench_record::{
    manifest::{Environment, Replica},
    writer::RecordError,
};
use saasbench_report::{
    gate::GateInputs,
    style::{FAINT, STRONG, UNSURE, paint},
    terminal,
};
use saasbench_verify::Report;

impl Output<'_> {
    /// Announces what is about to run, where, and where it will be recorded.
    pub fn banner(&mut self, scenario: &Scenario, environment: &Environment, dir: &Path) {
        if self.is_quiet() || self.is_json() {
            return self.begin(scenario, environment, dir);
        }
        let shown = |replica: &Replica| {
            let http2 = if environment.http2.contains(&replica.name) { " (HTTP/2)" } else { "" };
            let address = replica.address.map(|address| format!(" at {address}")).unwrap_or_default();
            format!("{} {}{address}{http2}", replica.name, replica.url)
        };
        let replicas: Vec<String> = environment.replicas.iter().map(shown).collect();
        let about =
            scenario.about.as_ref().map(|about| format!(": {}", safe_text::line(about))).unwrap_or_default();
        self.print(&format!("{}{about}", paint(STRONG, &scenario.name)));
        self.print(&paint(FAINT, format!("{} · {}", environment.name, replicas.join(" · "))));
        if !environment.faults.is_empty() {
            let faults = environment.faults.join(", ");
            self.print(&format!("{} injected into the service: {faults}", paint(UNSURE, "faults:")));
        }
        if environment.insecure {
            self.print(&format!("{} any certificate is accepted", paint(UNSURE, "insecure:")));
        }
        self.print(&paint(FAINT, format!("recording into {}", dir.display())));
    }

    /// Delivers a finished report: as text on standard output, and in every requested file (`-` for standard
    /// output, in place of the text). On GitHub Actions, claims that did not pass are annotated.
    ///
    /// # Errors
    /// When a file cannot be written; the others are written nevertheless.
    pub fn report(
        &mut self,
        report: &Report,
        beside: GateInputs<'_>,
        args: &ReportArgs,
    ) -> Result<(), Failure> {
        self.judged(beside.and(report.outcome));
        let mut failure = None;
        let mut is_stdout_taken = false;
        for (form, path) in files::asked(args) {
            let written = form.render(report, beside).and_then(|text| {
                if path != Path::new("-") {
                    return files::write(path, text.as_bytes(), self.github.as_ref());
                }
                is_stdout_taken = true;
                self.write_out(&text)
            });
            failure = failure.or(written.err().map(|error| unwritable(path, &error)));
        }
        if !is_stdout_taken {
            let annotations = self.github.as_ref().map(|github| github.annotations(report, beside));
            self.say(&terminal::render_within(report, columns()))?;
            annotations.map_or(Ok(()), |annotations| self.say_annotations(&annotations))?;
        }
        failure.map_or(Ok(()), Err)
    }

    /// Prints the path of the HTML page, or why there is none. A record that was cut off has none, which was
    /// reported already.
    pub fn page(&mut self, page: Option<&Result<PathBuf, RecordError>>) {
        match page {
            Some(Ok(path)) => self.note(&format!("report: {}", path.display())),
            Some(Err(error)) => self.warn(&format!("the report could not be written: {error}")),
            None => {}
        }
    }
}

/// The width of standard output: a terminal's width within limits, otherwise 80 columns.
fn columns() -> usize {
    let width = std::io::stdout().is_terminal().then(ratatui::crossterm::terminal::size);
    width.and_then(Result::ok).map_or(terminal::WIDTH, |(columns, _)| usize::from(columns).clamp(40, 120))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn prints_the_path_of_the_html_report_or_why_there_is_none() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut output = Output::new(&mut out, &mut err, false);
        let path = PathBuf::from("runs/x/report.html");
        output.page(Some(&Ok(path.clone())));
        output.page(None);
        let full = RecordError::write(&path)(io::Error::from(io::ErrorKind::StorageFull));
        output.page(Some(&Err(full)));
        let err = anstream::adapter::strip_str(std::str::from_utf8(&err).unwrap()).to_string();
        insta::assert_snapshot!(err, @r"
        report: runs/x/report.html
        error: the report could not be written: cannot write runs/x/report.html: no storage space
        ");
    }
}
