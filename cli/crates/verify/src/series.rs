//! Groups series of one metric that the contract cannot tell apart. Libraries add labels of their own
//! (protocol, host, exception) and leave some out of part of the series (the route, if none matched), so what
//! clients saw can only be compared with the sum of all series with the same contract labels.

use std::collections::{BTreeMap, BTreeSet};

use saasbench_exposition::Labels;
use saasbench_model::scenario::MetricsContract;

/// Series with the same contract labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'a> {
    /// The contract's labels that the metric has; empty where these series lack one.
    pub reported: Labels,
    /// The full label sets.
    pub series: Vec<&'a Labels>,
}

impl Group<'_> {
    /// The labels to show for the group: all of them, if it is a single series.
    pub fn shown(&self) -> &Labels {
        match self.series.as_slice() {
            [only] => only,
            _ => &self.reported,
        }
    }
}

/// The series of one metric, grouped by the contract's labels.
pub fn groups<'a>(contract: &MetricsContract, series: impl Iterator<Item = &'a Labels>) -> Vec<Group<'a>> {
    let series: Vec<&Labels> = series.collect();
    let labels =
        [&contract.tenant_label, &contract.method_label, &contract.route_label, &contract.status_label];
    let has = |label: &&String| series.iter().any(|of| of.contains_key(*label));
    let known: BTreeSet<&String> = labels.into_iter().flatten().filter(has).collect();
    let mut groups: BTreeMap<Labels, Vec<&Labels>> = BTreeMap::new();
    for of in series {
        let reported =
            known.iter().map(|label| ((*label).clone(), of.get(*label).cloned().unwrap_or_default()));
        groups.entry(reported.collect()).or_default().push(of);
    }
    groups.into_iter().map(|(reported, series)| Group { reported, series }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_model::scenario::Preset;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn labels_outside_the_contract_do_not_separate_groups() {
        let contract = Preset::OtelHttpServer.contract();
        let series = [
            labels(&[("http_route", "/a"), ("network_protocol_version", "1.1")]),
            labels(&[("http_route", "/a"), ("network_protocol_version", "2")]),
            labels(&[("network_protocol_version", "2")]),
        ];
        let groups = groups(&contract, series.iter());
        assert_eq!(groups.len(), 2);
        assert_eq!((&groups[0].reported, groups[0].shown()), (&labels(&[("http_route", "")]), &series[2]));
        assert_eq!((groups[1].series.len(), groups[1].shown()), (2, &labels(&[("http_route", "/a")])));
    }

    #[test]
    fn a_metric_without_labels_is_one_group() {
        let none = Labels::new();
        let groups = groups(&Preset::Tenancy.contract(), std::iter::once(&none));
        assert_eq!(groups, [Group { reported: Labels::new(), series: vec![&none] }]);
    }
}
