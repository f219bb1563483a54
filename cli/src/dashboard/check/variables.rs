//! Determines the values of a document's variables, as Grafana does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    super::{
        Document,
        finding::Finding,
        result::{series_text, texts},
        template,
        variable::{Chosen, Source, Variable},
    },
    Checked, Checker,
};
use saasbench_record::query::ApiRequest;

impl Checker<'_> {
    /// The values of all variables, each after those that its query uses.
    pub(super) async fn variables(
        &mut self,
        document: &Document,
        checked: &mut Checked,
    ) -> BTreeMap<String, Chosen> {
        let mut chosen = BTreeMap::new();
        let mut waiting: Vec<&Variable> = document.variables.iter().collect();
        while !waiting.is_empty() {
            let is_ready = |variable: &&Variable| {
                let texts = variable.texts();
                let mut names = texts.iter().flat_map(|text| template::names(text));
                names.all(|name| {
                    chosen.contains_key(name) || !document.variables.iter().any(|of| of.name == name)
                })
            };
            // Variables in a cycle are queried as written.
            let next = waiting.iter().position(is_ready).unwrap_or(0);
            let variable = waiting.remove(next);
            let place = format!("variable ${}", variable.name);
            self.unknown_variables(document, &variable.texts())
                .into_iter()
                .for_each(|finding| checked.tell(place.clone(), finding));
            let values = self.values(variable, &chosen).await;
            let values = match values {
                Ok(values) => variable.filtered(values),
                Err(finding) => {
                    checked.tell(place.clone(), finding);
                    Vec::new()
                }
            };
            let is_reported = checked.found.iter().any(|found| found.place == place);
            if values.is_empty() && variable.source != Source::Free && variable.all.is_none() && !is_reported
            {
                checked.tell(place, Finding::NoValues(variable.source.to_string()));
            }
            chosen.insert(variable.name.clone(), variable.choose(&values));
        }
        chosen
    }

    async fn values(
        &self,
        variable: &Variable,
        chosen: &BTreeMap<String, Chosen>,
    ) -> Result<Vec<String>, Finding> {
        let times = self.times(None, None);
        let fill = |text: &str| template::fill(text, chosen, &times).into_owned();
        let pattern =
            |text: &str| regex::Regex::new(text).map_err(|error| Finding::Rejected(error.to_string()));
        match &variable.source {
            Source::LabelValues { selector, label } => {
                self.label_values(&fill(label), selector.as_deref().map(fill)).await
            }
            Source::LabelNames(filter) => {
                let filter = filter.as_deref().map(pattern).transpose()?;
                let request = ApiRequest::LabelNames { start: self.span.0, end: self.span.1 };
                let names = texts(&self.request(&request).await?);
                Ok(names
                    .into_iter()
                    .filter(|name| filter.as_ref().is_none_or(|filter| filter.is_match(name)))
                    .collect())
            }
            Source::Metrics(filter) => {
                let filter = pattern(&fill(filter))?;
                Ok(self.catalogue.names.iter().filter(|name| filter.is_match(name)).cloned().collect())
            }
            Source::QueryResult(expr) => {
                let request = ApiRequest::Instant { query: fill(expr), time: self.span.1 };
                let result = self.request(&request).await?;
                let series = result.pointer("/data/result").and_then(Value::as_array).into_iter().flatten();
                Ok(series.map(|series| series_text(series, series.get("value"))).collect())
            }
            Source::Series(selector) => Ok(self
                .series(&fill(selector))
                .await?
                .iter()
                .map(|series| series_text(series, None))
                .collect()),
            Source::Fixed(values) => Ok(values.clone()),
            Source::Free => Ok(variable.current.clone()),
        }
    }
}
