//! Promises about alerts, judged from hand-made responses of Prometheus.

use serde_json::{Value, json};

use crate::testing::Judge as _;
use crate::{
    Report,
    verdict::{Claim, Outcome, Verdict},
};
use saasbench_model::units::Nanos;
use saasbench_record::testing::{TestRun, sample};

/// Fires for acme, with a cause from 2 s to 8 s; silent for globex.
const ALERTS: &str = r#"
[[alert]]
name            = "Flood"
labels          = { tenant = "acme" }
cause           = "2s..8s"
fires_within    = "10s"
resolves_within = "20s"

[[alert]]
name   = "Flood"
labels = { tenant = "globex" }
silent = true
"#;
/// The run's zero, in seconds since the epoch.
const ZERO: f64 = 1_000_000_000.0;
/// The last sample, in seconds of the run.
const END: f64 = 60.0;

/// What Prometheus reports.
struct Reported {
    rule: Value,
    /// Tenant, state, and the seconds of the run at which it is shown.
    alerts: Vec<(&'static str, &'static str, Vec<i64>)>,
    scrapes: Vec<i64>,
    restarts: u32,
    /// Further queries, each with its response.
    more: Vec<(String, Value)>,
}

fn seconds(from: i64, to: i64) -> Vec<i64> {
    (from..=to).collect()
}

impl Reported {
    /// An alert that fires at 6 s and is gone after 20 s.
    fn conforming() -> Self {
        Self {
            rule: json!({"type": "alerting", "name": "Flood", "duration": 2, "health": "ok", "lastError": "",
                "query": "sum by (tenant) (rate(rejected_total{status=\"429\"}[10s])) > 0.5"}),
            alerts: vec![
                ("acme", "pending", seconds(4, 5)),
                ("acme", "firing", seconds(6, 20)),
                ("initech", "firing", seconds(6, 20)),
            ],
            scrapes: seconds(-5, 60),
            restarts: 0,
            more: Vec::new(),
        }
    }

    fn with_alerts(alerts: &[(&'static str, &'static str, Vec<i64>)]) -> Self {
        Self { alerts: alerts.to_vec(), ..Self::conforming() }
    }

    fn records(&self) -> Vec<Value> {
        let series = |tenant: &str, state: &str, times: &mut dyn Iterator<Item = f64>| {
            let labels =
                json!({"__name__": "ALERTS", "alertname": "Flood", "alertstate": state, "tenant": tenant});
            let values: Vec<Value> = times.map(|time| json!([ZERO + time, "1"])).collect();
            json!({"metric": labels, "values": values})
        };
        let raw = self
            .alerts
            .iter()
            .map(|(tenant, state, times)| series(tenant, state, &mut times.iter().map(|time| *time as f64)));
        // A sample stays visible until the next evaluation, one second later.
        let shown = self.alerts.iter().map(|(tenant, state, times)| {
            let is = |time: &f64| times.contains(&(time.floor() as i64));
            series(tenant, state, &mut (-120..120).map(|half| f64::from(half) / 2.0).filter(is))
        });
        let active = self.alerts.iter().filter_map(|(tenant, _, times)| {
            let since = (ZERO + *times.first()? as f64).to_string();
            let values: Vec<Value> = times.iter().map(|time| json!([ZERO + *time as f64, since])).collect();
            Some(json!({"metric": {"alertname": "Flood", "tenant": tenant}, "values": values}))
        });
        let up: Vec<Value> = self.scrapes.iter().map(|time| json!([ZERO + *time as f64, "1"])).collect();
        let matrix = |result: Vec<Value>| json!({"status": "success", "data": {"result": result}});
        let mut records = vec![
            (
                "/api/v1/rules".to_owned(),
                json!({"data": {"groups": [{"interval": 1, "rules": [self.rule]}]}}),
            ),
            ("ALERTS{alertname=~\"Flood\"}[180s]".to_owned(), matrix(raw.collect())),
            ("ALERTS_FOR_STATE{alertname=~\"Flood\"}[180s]".to_owned(), matrix(active.collect())),
            ("{__name__=\"up\"}[180s]".to_owned(), matrix(vec![json!({"metric": {}, "values": up})])),
            (
                "changes(process_start_time_seconds[180s]) and on".to_owned(),
                vector(&[("instance", "prometheus", f64::from(self.restarts))]),
            ),
        ];
        records.extend(self.more.iter().cloned());
        let record = |(query, answer): (String, Value)| json!({"at_ns": Nanos::from_secs_f64(END), "query": query, "time_unix_s": ZERO + END, "answer": answer, "error": null});
        let mut lines: Vec<Value> = records.into_iter().map(record).collect();
        let mut range = record(("ALERTS{alertname=~\"Flood\"}".to_owned(), matrix(shown.collect())));
        range["range_s"] = json!([120.0, 0.5]);
        lines.push(range);
        lines
    }

    fn made(&self) -> TestRun {
        let mut made =
            TestRun::new(ALERTS, &[sample(0, 0, saasbench_record::sample::RequestOutcome::Status(200))]);
        made.manifest.environment.prometheus = Some("http://127.0.0.1:9".to_owned());
        let lines: String = self.records().iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(made.dir.path().join("observations/prometheus.jsonl"), lines).unwrap();
        made
    }

    fn judged(&self) -> [Verdict; 2] {
        alerts(&self.made().judge())
    }
}

/// Response to an instant query: label, label value and sample value of each series.
fn vector(series: &[(&str, &str, f64)]) -> Value {
    let result: Vec<Value> = series
        .iter()
        .map(|(label, value, sample)| json!({"metric": {*label: value}, "value": [ZERO, sample.to_string()]}))
        .collect();
    json!({"data": {"result": result}})
}

/// The verdicts about acme and about globex.
fn alerts(report: &Report) -> [Verdict; 2] {
    let verdicts = report.verdicts.iter().filter(|verdict| verdict.claim == Claim::Alerts).cloned();
    verdicts.collect::<Vec<_>>().try_into().unwrap()
}

fn outcomes(reported: &Reported) -> [Outcome; 2] {
    reported.judged().map(|verdict| verdict.outcome)
}

fn shown(verdict: &Verdict) -> String {
    let findings = verdict.evidence.iter().map(|finding| {
        let details: String = finding.details.iter().map(|line| format!("\n    {line}")).collect();
        let hypothesis = finding.diagnosis.as_ref().map_or("", |diagnosis| diagnosis.hypothesis.as_str());
        let (subject, expected) = (&finding.subject, &finding.expected);
        format!("\n  {} {subject}: {expected}: {} [{hypothesis}]{details}", finding.outcome, finding.observed)
    });
    format!("{} {}: {}{}\n", verdict.outcome, verdict.subject, verdict.summary, findings.collect::<String>())
}

use Outcome::{Fail, Inconclusive, Pass};

#[test]
fn an_alert_that_fires_and_resolves_in_time_passes() {
    insta::assert_snapshot!(Reported::conforming().judged().map(|verdict| shown(&verdict)).concat());
}

#[test]
fn late_or_missing_alerts_fail() {
    let late = Reported::with_alerts(&[("acme", "firing", seconds(14, 20))]);
    let lasting = Reported::with_alerts(&[("acme", "firing", seconds(6, 40))]);
    let never = Reported::with_alerts(&[]);
    let loud =
        Reported::with_alerts(&[("acme", "firing", seconds(6, 20)), ("globex", "firing", seconds(30, 31))]);
    assert_eq!(outcomes(&late), [Fail, Pass]);
    assert_eq!(outcomes(&lasting), [Fail, Pass]);
    assert_eq!(outcomes(&never), [Fail, Pass]);
    assert_eq!(outcomes(&loud), [Pass, Fail]);
    let all = [late, lasting, never].map(|reported| shown(&reported.judged()[0])).concat();
    insta::assert_snapshot!(all + &shown(&loud.judged()[1]));
}

#[test]
fn undecidable_alerts_are_inconclusive() {
    let never = || Reported::with_alerts(&[]);
    // Prometheus was unreachable, restarted, or has no data.
    let away = Reported { scrapes: [seconds(-5, 3), seconds(9, 60)].concat(), ..never() };
    let anew = Reported { restarts: 1, ..never() };
    let blind = Reported { scrapes: Vec::new(), ..never() };
    // It was already firing, for an earlier cause.
    let before =
        Reported::with_alerts(&[("acme", "firing", seconds(-3, 20)), ("globex", "firing", seconds(-3, 5))]);
    // Too close to the bound to decide, given the clocks and the evaluation interval.
    let close = Reported::with_alerts(&[("acme", "firing", seconds(12, 20))]);
    let close_end = Reported::with_alerts(&[("acme", "firing", seconds(6, 28))]);
    // Still pending, or still firing, at the last sample.
    let pending =
        Reported::with_alerts(&[("acme", "firing", seconds(6, 20)), ("globex", "pending", seconds(59, 60))]);
    let all = [&away, &anew, &blind, &before, &close, &close_end, &pending];
    let outcomes: Vec<[Outcome; 2]> = all.into_iter().map(outcomes).collect();
    let doubt = [Inconclusive, Inconclusive];
    let only_acme = [Inconclusive, Pass];
    assert_eq!(outcomes, [doubt, doubt, doubt, doubt, only_acme, only_acme, [Pass, Inconclusive]]);
    let texts = all
        .into_iter()
        .flat_map(|reported| reported.judged().map(|verdict| format!("{}\n", verdict.summary)));
    insta::assert_snapshot!(texts.collect::<String>());
}

#[test]
fn in_a_shared_environment_others_may_make_it_fire() {
    let reported =
        Reported::with_alerts(&[("acme", "firing", seconds(6, 40)), ("globex", "firing", seconds(30, 31))]);
    let mut made = reported.made();
    made.manifest.environment.exclusive = false;
    assert_eq!(alerts(&made.judge()).map(|verdict| verdict.outcome), [Inconclusive, Inconclusive]);
    // No other client can keep an alert from firing.
    let mut made = Reported::with_alerts(&[]).made();
    made.manifest.environment.exclusive = false;
    assert_eq!(alerts(&made.judge()).map(|verdict| verdict.outcome), [Fail, Pass]);
}

#[test]
fn an_alert_caused_by_an_earlier_run_is_inconclusive() {
    let reported =
        Reported::with_alerts(&[("acme", "firing", seconds(6, 20)), ("globex", "firing", seconds(1, 9))]);
    let mut made = reported.made();
    made.manifest.environment.fresh = false;
    assert_eq!(alerts(&made.judge()).map(|verdict| verdict.outcome), [Pass, Inconclusive]);
    made.manifest.environment.fresh = true;
    assert_eq!(alerts(&made.judge()).map(|verdict| verdict.outcome), [Pass, Fail]);
}

#[test]
fn alerts_from_before_the_run_are_inconclusive() {
    // Pending since long before the run, it fires during it.
    let held = Reported::with_alerts(&[
        ("acme", "firing", seconds(6, 20)),
        ("globex", "pending", seconds(-60, 29)),
        ("globex", "firing", seconds(30, 31)),
    ]);
    assert_eq!(outcomes(&held), [Pass, Inconclusive]);
    // It fired before, and the rule's evaluation interval is unknown.
    let firing = [("globex", "firing", seconds(-100, -50)), ("globex", "firing", seconds(1, 5))];
    let unreported = Reported { rule: Value::Null, ..Reported::with_alerts(&firing) };
    assert_eq!(outcomes(&unreported)[1], Inconclusive);
}

#[test]
fn rules_that_are_not_listed_may_be_evaluated_elsewhere() {
    let listing = |groups: Value| {
        let rules = ("/api/v1/rules".to_owned(), json!({"data": {"groups": groups}}));
        outcomes(&Reported { more: vec![rules], ..Reported::with_alerts(&[]) })
    };
    assert_eq!(listing(json!([])), [Inconclusive, Inconclusive]);
    let other = rule(&[("name", json!("Other"))]);
    assert_eq!(listing(json!([{"interval": 1, "rules": [other]}])), [Fail, Fail]);
}

#[test]
fn without_prometheus_responses_alerts_are_inconclusive() {
    let mut made = Reported::conforming().made();
    let mut texts = String::new();
    let mut note = |made: &TestRun| {
        for verdict in alerts(&made.judge()) {
            assert_eq!(verdict.outcome, Inconclusive);
            texts += &format!("{}\n", verdict.summary);
        }
    };
    let file = made.dir.path().join("observations/prometheus.jsonl");
    let rejected =
        json!({"at_ns": 0, "query": "ALERTS{}[9s]", "time_unix_s": ZERO, "answer": null, "error": "timeout"});
    std::fs::write(&file, format!("{rejected}\n")).unwrap();
    note(&made);
    std::fs::remove_file(file).unwrap();
    note(&made);
    made.manifest.environment.prometheus = None;
    note(&made);
    insta::assert_snapshot!(texts);
}

#[test]
fn a_run_that_was_cut_short_is_judged_as_far_as_it_got() {
    let cut = |reported: &Reported| {
        let mut made = reported.made();
        made.manifest.state = saasbench_record::manifest::State::Interrupted;
        made.manifest.load.as_mut().unwrap().to_ns = Nanos::from_secs(7);
        alerts(&made.judge()).map(|verdict| verdict.outcome)
    };
    assert_eq!(cut(&Reported::with_alerts(&[])), [Inconclusive, Pass]);
    assert_eq!(cut(&Reported::conforming()), [Inconclusive, Pass]);
}

/// The selector of the rule in [`Reported::conforming`].
const SELECTOR: &str = "rejected_total{status=\"429\"}";

/// The query for how many series a selector has, with its response.
fn count(selector: &str, number: f64) -> (String, Value) {
    let answer = if number > 0.0 { vector(&[("x", "", number)]) } else { vector(&[]) };
    (format!("count(last_over_time({selector}[180s]))"), answer)
}

/// The query for the values of a label of the metric, with its response.
fn values(label: &str, values: &[&str]) -> (String, Value) {
    let series: Vec<(&str, &str, f64)> = values.iter().map(|value| (label, *value, 1.0)).collect();
    (format!("topk(50, count by ({label}) (last_over_time(rejected_total[180s])))"), vector(&series))
}

/// The conforming rule with these keys changed.
fn rule(changes: &[(&str, Value)]) -> Value {
    let mut rule = Reported::conforming().rule;
    changes.iter().for_each(|(key, value)| rule[*key] = value.clone());
    rule
}

#[test]
fn a_rule_that_cannot_fire_is_diagnosed() {
    let relatives = (
        "count by (name) (label_replace(last_over_time({__name__=~\"refu.*\"}[180s]), …)".to_owned(),
        vector(&[("name", "reject_total", 3.0)]),
    );
    let silent = |rule: Value, more: &[(String, Value)]| Reported {
        rule,
        more: more.to_vec(),
        ..Reported::with_alerts(&[])
    };
    let fine = [
        count(SELECTOR, 2.0),
        count("rejected_total", 5.0),
        values("status", &["200", "429"]),
        values("tenant", &["acme"]),
    ];
    let reached = {
        let left = "sum by (tenant) (rate(rejected_total{status=\"429\"}[10s]))";
        (
            format!("({left})"),
            json!({"data": {"result": [{"metric": {}, "values": [[ZERO, "0.125"], [ZERO, "NaN"]]}]}}),
        )
    };
    let all = [
        silent(rule(&[("name", json!("Floods"))]), &[]),
        silent(rule(&[("health", json!("err")), ("lastError", json!("many-to-many matching"))]), &[]),
        silent(rule(&[]), &[count(SELECTOR, 0.0), count("rejected_total", 0.0), relatives]),
        silent(rule(&[]), &[count(SELECTOR, 0.0), count("rejected_total", 5.0), values("status", &[])]),
        silent(
            rule(&[]),
            &[count(SELECTOR, 0.0), count("rejected_total", 5.0), values("status", &["200", "500"])],
        ),
        silent(rule(&[]), &[fine.as_slice(), &[reached]].concat()),
        Reported {
            alerts: vec![("acme", "pending", seconds(4, 20))],
            rule: rule(&[("duration", json!(300))]),
            more: fine.to_vec(),
            ..Reported::conforming()
        },
        Reported {
            alerts: vec![("", "firing", seconds(4, 20))],
            more: [&fine[..3], &[values("tenant", &[])]].concat(),
            ..Reported::conforming()
        },
        Reported {
            alerts: vec![("initech", "firing", seconds(4, 20))],
            more: fine.to_vec(),
            ..Reported::conforming()
        },
    ];
    let mut text = String::new();
    for reported in all {
        let made = reported.made();
        // A range query differs from an instant query by its range.
        let path = made.dir.path().join("observations/prometheus.jsonl");
        let lines = std::fs::read_to_string(&path).unwrap();
        let ranged = lines.replace("\"query\":\"(sum by", "\"range_s\":[120.0,0.5],\"query\":\"(sum by");
        std::fs::write(&path, ranged).unwrap();
        let verdicts = alerts(&made.judge());
        assert_eq!(verdicts[0].outcome, Fail, "{}", shown(&verdicts[0]));
        text += &verdicts.map(|verdict| shown(&verdict)).concat();
    }
    insta::assert_snapshot!(text);
}
