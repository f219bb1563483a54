//! The files that Prometheus and Alertmanager read: their configuration, and the shipped rules.

use std::{fs, io, path::Path, time::Duration};

use crate::environment::rules::RULES;

/// The addresses (`host:port`) in Prometheus's configuration.
#[derive(Debug)]
pub(super) struct Addresses<'a> {
    pub(super) replicas: &'a [String],
    pub(super) redis_exporter: &'a str,
    pub(super) prometheus: &'a str,
    pub(super) alertmanager: Option<&'a str>,
    pub(super) self_metrics: &'a str,
}

/// Writes the shipped rules into `dir`.
///
/// # Errors
/// The file system's.
pub(super) fn write_rules(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    RULES.iter().try_for_each(|(name, text)| fs::write(dir.join(name), text))
}

/// `prometheus.yml`: the jobs have the same names as in `compose/prometheus/prometheus.yml`, which the rules
/// and dashboards rely on.
pub(super) fn prometheus(addresses: &Addresses<'_>, interval: Duration, rules: &Path) -> String {
    let job = |name: &str, targets: &[String]| {
        format!("- job_name: {name}\n  static_configs:\n  - targets: {}\n", list(targets))
    };
    let one = |address: &str| [address.to_owned()];
    let alerting = addresses.alertmanager.map(|address| {
        format!("alerting:\n  alertmanagers:\n  - static_configs:\n    - targets: {}\n", list(&one(address)))
    });
    let jobs = [
        job("api", addresses.replicas),
        job("redis", &one(addresses.redis_exporter)),
        job("prometheus", &one(addresses.prometheus)),
        job("saasbench", &one(addresses.self_metrics)),
    ];
    let interval = format!("{}ms", interval.as_millis());
    format!(
        "global:\n  scrape_interval: {interval}\n  evaluation_interval: {interval}\nrule_files: {}\n{}scrape_configs:\n{}",
        list(&[rules.join("*.yml").display().to_string()]),
        alerting.unwrap_or_default(),
        jobs.concat(),
    )
}

/// `alertmanager.yml`: every notification is sent to `webhook` within seconds; without one, nowhere.
pub(super) fn alertmanager(webhook: Option<&str>) -> String {
    let to =
        webhook.map(|url| format!("  webhook_configs:\n  - url: {}\n    send_resolved: true\n", quoted(url)));
    format!(
        "route:\n  receiver: local\n  group_by: [alertname, tenant]\n  group_wait: 1s\n  group_interval: 5s\n  \
         repeat_interval: 4h\nreceivers:\n- name: local\n{}",
        to.unwrap_or_default()
    )
}

/// A list of texts: JSON is YAML, too.
fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_scrapes_every_service() {
        let replicas = ["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()];
        let addresses = Addresses {
            replicas: &replicas,
            redis_exporter: "127.0.0.1:3",
            prometheus: "127.0.0.1:4",
            alertmanager: Some("127.0.0.1:5"),
            self_metrics: "127.0.0.1:6",
        };
        let rules = Path::new("/data \"1\"/rules");
        insta::assert_snapshot!(prometheus(&addresses, Duration::from_secs(5), rules));
        let alone = Addresses { alertmanager: None, ..addresses };
        assert!(!prometheus(&alone, Duration::from_secs(5), rules).contains("alerting"));
    }

    #[test]
    fn alertmanager_notifies_the_webhook() {
        insta::assert_snapshot!(alertmanager(Some("http://127.0.0.1:7/hook?a=\"b\"")));
        assert!(alertmanager(None).ends_with("- name: local\n"));
    }

    #[test]
    fn every_shipped_rule_is_embedded() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose/prometheus/rules");
        let mut shipped: Vec<String> = fs::read_dir(dir)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        shipped.sort();
        assert_eq!(RULES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), shipped);
    }
}
