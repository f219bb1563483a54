//! Guesses about the expositions of the presets, and about others.

use super::*;
use saasbench_model::scenario::testing;

fn guesses(text: &str) -> Vec<Proposal> {
    guess(&saasbench_exposition::parse(text).unwrap(), None)
}

/// The proposal as printed; it resolves to the contract that it describes.
fn shown(proposal: &Proposal) -> String {
    let text = proposal.to_string();
    let resolved = testing::scenario(&format!("{}{text}", testing::SCENARIO)).metrics.unwrap();
    let routes = resolved.routes.clone();
    assert_eq!(resolved, MetricsContract { routes, ..proposal.contract.clone() }, "{text}");
    text
}

#[test]
fn a_known_librarys_exposition_is_recognised() {
    let pages = [
        (Preset::Tenancy, include_str!("../../../tests/fixtures/good/observations/scrapes/000004-a.prom")),
        (
            Preset::FastapiInstrumentator,
            include_str!("../../../tests/fixtures/presets/fastapi-instrumentator.prom"),
        ),
        (Preset::OtelHttpServer, include_str!("../../../tests/fixtures/presets/otel-http-server.prom")),
        (Preset::Micrometer, include_str!("../../../tests/fixtures/presets/micrometer.prom")),
        (Preset::AxumPrometheus, include_str!("../../../tests/fixtures/presets/axum-prometheus.prom")),
    ];
    let mut all = String::new();
    for (preset, page) in pages {
        let proposals = guesses(page);
        assert_eq!(proposals[0].preset, Some(preset));
        assert_eq!(proposals[0].contract, preset.contract(), "{}", proposals[0]);
        let text = shown(&proposals[0]);
        let table: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(table, ["[metrics]", &format!("preset = \"{}\"", preset.name())]);
        all += &format!("{text}\n");
    }
    insta::assert_snapshot!(all);
}

#[test]
fn differences_from_a_preset_are_written_out() {
    let page = include_str!("../../../tests/fixtures/presets/fastapi-instrumentator.prom");
    let page = page.replace("\"2xx\"", "\"200\"").replace("\"4xx\"", "\"404\"").replace("highr", "fine");
    let page = page.replace("handler=\"none\"", "handler=\"/health\"")
        + "# TYPE http_requests_inprogress gauge\nhttp_requests_inprogress 1\n";
    insta::assert_snapshot!(shown(&guesses(&page)[0]));
}

#[test]
fn a_contract_is_guessed_for_an_unknown_service() {
    let page = "\
# TYPE shop_requests counter
shop_requests_total{op=\"get\",route=\"GET /items/:id\",code=\"2xx\",tenant_id=\"a\"} 3
shop_requests_total{op=\"post\",route=\"POST /items\",code=\"4xx\",tenant_id=\"b\"} 1
# TYPE shop_request_latency histogram
shop_request_latency_bucket{op=\"get\",route=\"GET /items/:id\",le=\"50\"} 3
shop_request_latency_bucket{op=\"get\",route=\"GET /items/:id\",le=\"2000\"} 3
shop_request_latency_bucket{op=\"get\",route=\"GET /items/:id\",le=\"+Inf\"} 3
shop_request_latency_sum{op=\"get\",route=\"GET /items/:id\"} 12
shop_request_latency_count{op=\"get\",route=\"GET /items/:id\"} 3
# TYPE shop_requests_in_flight gauge
shop_requests_in_flight 1
# TYPE shop_response_bytes summary
shop_response_bytes_sum{route=\"GET /items/:id\"} 300
shop_response_bytes_count{route=\"GET /items/:id\"} 3
# TYPE http_client_requests counter
http_client_requests_total{method=\"GET\",path=\"/upstream\",status=\"200\"} 9
";
    let proposals = guesses(page);
    assert_eq!(proposals[0].contract.tenant_requests.as_deref(), Some("shop_requests_total"));
    insta::assert_snapshot!(proposals.iter().map(shown).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_timer_without_buckets_is_not_a_histogram() {
    let page = include_str!("../../../tests/fixtures/presets/micrometer.prom");
    let without: String =
        page.lines().filter(|line| !line.contains("_bucket{")).flat_map(|line| [line, "\n"]).collect();
    insta::assert_snapshot!(shown(&guesses(&without)[0]));
}

#[test]
fn an_exposition_without_requests_proposes_nothing() {
    for page in ["", "up 1\n", "go_goroutines 7\nhttp_requests_total 3\n", "jobs_total{queue=\"a\"} 1\n"] {
        assert_eq!(guesses(page), [], "{page}");
    }
}
