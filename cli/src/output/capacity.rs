//! What `capacity` prints after its search.

use std::path::Path;

use super::Output;
use crate::exit::Failure;
use saasbench_report::capacity;
use saasbench_verify::capacity::result::CapacityReport;

impl Output<'_> {
    /// Delivers the result of a capacity search, like [`Self::dashboards`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn capacity(&mut self, report: &CapacityReport, json: Option<&Path>) -> Result<(), Failure> {
        self.deliver(report, || capacity::render(report), json)
    }
}
