//! Limits, expectations, noisy neighbours and alerts: each problem is reported once, at its place.

use super::{each, shown};

#[test]
fn limits() {
    shown(
        "limits",
        &each(&[
            ("route = \"POST /chat\"", "route = \"POST /chatt\""),
            ("route = \"POST /chat\"", ""),
            ("per = \"tenant\"", "per = \"user\""),
            ("per = \"tenant\"", "anchor = \"epoch\""),
            ("per = \"tenant\"", "estimate = \"floored\""),
            ("\"fixed-window\"", "\"sliding-counter\"\nanchor = \"noon\""),
            ("\"fixed-window\"", "\"sliding-counter\"\nestimate = \"rounded\""),
            ("per = \"tenant\"", "burst = 12"),
            ("per = \"tenant\"", "refill = \"100ms\""),
            ("\"fixed-window\"", "\"token-bucket\"\nburst = 0"),
            ("\"fixed-window\"", "\"token-bucket\"\nrefill = \"slowly\""),
            ("\"fixed-window\"", "\"leaky\""),
            ("algorithm = \"fixed-window\"", ""),
            ("quota = { acme = \"8/10s\", globex = \"4/10s\" }", ""),
            ("{ acme = \"8/10s\", globex = \"4/10s\" }", "{}"),
            ("{ acme = \"8/10s\", globex = \"4/10s\" }", "8"),
            ("{ acme = \"8/10s\"", "{ acmee = \"8/10s\""),
            ("\"8/10s\"", "\"0/10s\""),
            ("\"8/10s\"", "\"8 per 10s\""),
            ("\"8/10s\"", "8"),
            ("per = \"tenant\"", "rejected = \"2xx\""),
            ("per = \"tenant\"", "resolution = \"0s\""),
            (
                "[[limit]]",
                "[[limit]]\nroute = \"POST /chat\"\nalgorithm = \"fixed-window\"\nquota = \"9/10s\"\n[[limit]]",
            ),
        ]),
    );
}

#[test]
fn expectations() {
    shown(
        "expectations",
        &each(&[
            ("that = \"p99 < 50ms\"", ""),
            ("\"p99 < 50ms\"", "\"p100 < 50ms\""),
            ("\"p99 < 50ms\"", "\"latency < 50ms\""),
            ("\"p99 < 50ms\"", "\"p99 = 50ms\""),
            ("\"p99 < 50ms\"", "\"p99 < 50\""),
            ("\"p99 < 50ms\"", "\"error_ratio < 5\""),
            ("\"p99 < 50ms\"", "\"count(2xx) > 3\""),
            ("tenant = \"globex\",", "tenant = \"globes\","),
            ("journey = \"chat\",", "journey = \"chta\","),
            ("step = \"read\"", "step = \"raed\""),
            ("journey = \"chat\", step = \"read\"", "step = \"GET /items/{sid}\""),
            ("\"p99 < 50ms\"", "\"rate > 3/s\"\nabort_on_fail = true"),
            ("\"p99 < 50ms\"", "\"p99 > 50ms\"\nabort_on_fail = true"),
            ("\"p99 < 50ms\"", "\"p99 < 50ms\"\nabort_on_fail = 1"),
            (
                "[[expect]]",
                "[[expect]]\nthat = \"p99<50ms\"\nwhere = { tenant = \"globex\", step = \"read\", journey = \"chat\" }\n[[expect]]",
            ),
        ]),
    );
}

#[test]
fn invalid_promql_expectations() {
    let with = |keys: &str| format!("[[expect]]\n{keys}\n[[expect]]");
    let good = "promql = \"up\"\nis = \"== 1\"\n";
    let tables = [
        "promql = \"up\"".to_owned(),
        "is = \"== 1\"".to_owned(),
        "promql = \" \"\nis = \"== 1\"".to_owned(),
        "promql = \"up{tenant='${tenant}'}\"\nis = \"== 1\"".to_owned(),
        "promql = \"rate(x[$__range])\"\nis = \"== 1\"".to_owned(),
        "promql = \"up[30s]\"\nis = \"== 1\"".to_owned(),
        "promql = \"up\"\nis = \"1\"".to_owned(),
        "promql = \"up\"\nis = \"< 50ms\"".to_owned(),
        format!("{good}at = \"begin\""),
        format!("{good}that = \"max < 9s\""),
        format!("{good}where = {{ tenant = \"acme\" }}"),
        format!("{good}abort_on_fail = true"),
        format!("{good}[[expect]]\n{good}"),
    ];
    let changes: Vec<(&str, String)> = tables.iter().map(|keys| ("[[expect]]", with(keys))).collect();
    let changes: Vec<(&str, &str)> = changes.iter().map(|(from, to)| (*from, to.as_str())).collect();
    shown("invalid_promql_expectations", &each(&changes));
}

#[test]
fn noisy_neighbour() {
    let with = |keys: &str| format!("[noisy_neighbour]\n{keys}\n[[limit]]");
    let whole = "noisy = \"acme\"\nquiet = \"6s..12s\"\nflood = \"12s..20s\"";
    let tables = [
        whole.replace("noisy = \"acme\"\n", ""),
        whole.replace("flood", "# flood"),
        whole.replace("acme", "acne"),
        whole.replace("6s..12s", "6s"),
        whole.replace("6s..12s", "12s..6s"),
        whole.replace("6s..12s", "6s..13s"),
        whole.replace("6s..12s", "2s..10s"),
        whole.replace("12s..20s", "20s..26s"),
        whole.replace("\"acme\"", "[\"acme\", \"globex\"]"),
        format!("{whole}\nvictims = \"acme\""),
        format!("{whole}\nvictims = []"),
        format!("{whole}\nvictims = [\"globex\", \"globex\"]"),
        format!("{whole}\nslower = 0.5"),
        format!("{whole}\nslower = \"1.5\""),
        format!("{whole}\ngoodput = 90"),
        format!("{whole}\ngrace = \"5\""),
    ]
    .map(|keys| with(&keys));
    let changes: Vec<(&str, &str)> = tables.iter().map(|table| ("[[limit]]", table.as_str())).collect();
    shown("noisy_neighbour", &each(&changes));
}

#[test]
fn alerts() {
    let with = |keys: &str| format!("[[alert]]\n{keys}\n[[limit]]");
    let whole =
        "name = \"TenantFlood\"\nlabels = { tenant = \"acme\" }\ncause = \"2s..10s\"\nfires_within = \"45s\"";
    let tables = [
        whole.replace("name", "# name"),
        whole.replace("cause", "# cause"),
        whole.replace("fires_within", "# fires_within"),
        format!("{whole}\nfor = \"1m\""),
        whole.replace("TenantFlood", ""),
        whole.replace("\"acme\"", "7"),
        whole.replace("{ tenant = \"acme\" }", "\"acme\""),
        whole.replace("tenant =", "alertname ="),
        whole.replace("2s..10s", "10s..2s"),
        whole.replace("2s..10s", "2s..60s"),
        whole.replace("45s", "45"),
        format!("{whole}\nresolves_within = \"0s\""),
        "name = \"TenantFlood\"\nresolves_within = \"1m\"\nsilent = true".to_owned(),
        format!("{whole}\nsilent = \"yes\""),
        format!("{whole}\n[[alert]]\n{whole}"),
    ]
    .map(|keys| with(&keys));
    let changes: Vec<(&str, &str)> = tables.iter().map(|table| ("[[limit]]", table.as_str())).collect();
    shown("alerts", &each(&changes));
}
