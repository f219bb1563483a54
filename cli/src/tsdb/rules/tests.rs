//! Recording and alerting rules, evaluated on a simulated clock.

use super::*;

const FLOOD: &str = "groups:\n- name: tenants\n  interval: 5s\n  rules:\n  - record: tenant:rejected:rate10s\n    \
    expr: sum by (tenant) (rate(rejected_total[10s]))\n  - alert: Flood\n    expr: tenant:rejected:rate10s > 0.5\n    for: 5s\n    \
    labels: {severity: page}\n    annotations: {summary: 'too much'}\n";

fn rules(text: &str) -> Result<RuleManager, RuleError> {
    RuleManager::read(&[("rules.yml".to_owned(), text.to_owned())], Duration::from_secs(15))
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A counter of acme that rises by ten per second from 5 s to 20 s, scraped every second, evaluated every
/// five.
fn simulated() -> (RuleManager, Store, Vec<(i64, String)>) {
    let (rules, store, mut source) = (rules(FLOOD).unwrap(), Store::new(i64::MAX), Source::default());
    let mut states = Vec::new();
    for second in 0..=45_i64 {
        let count = (second.clamp(5, 20) - 5) as f64 * 10.0;
        let series = labels(&[("__name__", "rejected_total"), ("tenant", "acme")]);
        store.append(&mut source, second * 1000, [(series, count)]);
        if second % 5 == 0 {
            rules.evaluate(0, &store, second * 1000);
            let state =
                rules.to_json().pointer("/groups/0/rules/1/state").unwrap().as_str().unwrap().to_owned();
            states.push((second, state));
        }
    }
    (rules, store, states)
}

#[test]
fn an_alert_is_pending_then_fires_then_resolves() {
    let (_, store, states) = simulated();
    let expected = ["inactive", "inactive", "pending", "firing", "firing", "firing", "inactive", "inactive"];
    assert_eq!(states.iter().map(|(_, state)| state.as_str()).collect::<Vec<_>>()[..8], expected);
    let at = |query: &str, second: i64| Query::parse(query).unwrap().at(&store, second * 1000).unwrap();
    let Evaluated::Vector(firing) = at("ALERTS", 20) else { panic!() };
    let alert = labels(&[
        ("__name__", "ALERTS"),
        ("alertname", "Flood"),
        ("alertstate", "firing"),
        ("severity", "page"),
        ("tenant", "acme"),
    ]);
    assert_eq!(firing, [Sample { labels: alert, value: 1.0 }]);
    // It disappears with the evaluation that does not yield it, not five minutes later.
    assert_eq!(at("ALERTS", 31), Evaluated::Vector(Vec::new()));
    let Evaluated::Vector(since) = at("ALERTS_FOR_STATE", 20) else { panic!() };
    assert_eq!(since[0].value, 10.0);
}

#[test]
fn rules_are_listed_as_prometheus_lists_them() {
    let (rules, ..) = simulated();
    let json = serde_json::to_string_pretty(&rules.to_json()).unwrap();
    insta::with_settings!({filters => [(r#""evaluationTime": [^,]*"#, r#""evaluationTime": 0.0"#)]}, {
        insta::assert_snapshot!(json);
    });
}

#[test]
fn rule_evaluation_errors_are_listed() {
    let text =
        "groups:\n- name: g\n  rules:\n  - record: x\n    expr: hour()\n  - record: y\n    expr: sum(\n";
    let (rules, store) = (rules(text).unwrap(), Store::new(i64::MAX));
    rules.evaluate(0, &store, 0);
    let error = |rule: usize| {
        let rules = rules.to_json();
        rules.pointer(&format!("/groups/0/rules/{rule}/lastError")).unwrap().as_str().unwrap().to_owned()
    };
    insta::assert_snapshot!(format!("{}\n{}", error(0), error(1)));
}

#[test]
fn errors_of_rule_files_name_the_file_and_the_group() {
    let texts = [
        "groups: 3",
        "groups:\n- name: g\n  rules:\n  - expr: up\n",
        "groups:\n- name: g\n  rules:\n  - record: a\n    alert: b\n    expr: up\n",
        "groups:\n- name: g\n  interval: soon\n",
        "groups:\n- name: g\n  rules:\n  - alert: b\n    expr: up\n    fro: 5s\n",
        "groups:\n- name: g\n  rules:\n  - alert: b\n    expr: up\n    for: 5 seconds\n",
    ];
    let errors: Vec<String> = texts.iter().map(|text| rules(text).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(errors.join("\n"));
}
