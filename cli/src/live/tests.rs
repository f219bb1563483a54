//! What the displays show of a run in progress.

use super::*;
use saasbench_model::units::TenantId;
use saasbench_record::{sample::RequestOutcome, tally::Tally, testing::sample};

/// A run of these tenants, some seconds into its load.
pub(crate) fn view(tenants: &[&str], seconds: i64) -> View {
    let plan = Plan {
        scenario: "rush hour".to_owned(),
        tenants: tenants.iter().map(|name| TenantId::from(*name)).collect(),
        length: Nanos::from_secs(30),
        may_end_early: false,
        warmup: Nanos::from_secs(2),
    };
    let mut view = View::new(plan);
    let mut tally = Tally::new(tenants.len());
    view.window.follow(&mut tally);
    for second in 1..=seconds {
        let samples: Vec<_> = (0..40 * second * tenants.len() as i64)
            .map(|i| {
                let tenant = i as usize % tenants.len();
                let wave = if tenant.is_multiple_of(2) { 3 } else { 2 };
                let status = if tenant == 1 && i % 5 == 1 { 429 } else { 200 };
                let mut sample = sample(i, 0, RequestOutcome::Status(status));
                sample.done = sample.intended + Nanos(1_000_000 * (1 + (i + second * wave) % 7));
                sample.tenant = tenant;
                if tenant == 2 && i % 97 == 0 {
                    sample.outcome =
                        RequestOutcome::NoResponse(saasbench_record::sample::NoResponseReason::Timeout);
                }
                sample
            })
            .collect();
        tally.add(&samples.iter().collect());
        view.window.step(&mut tally, Nanos::from_secs(second));
    }
    view.elapsed = Nanos::from_secs(seconds);
    view.phase = view.phase_of_load(view.elapsed);
    view.in_flight = 7;
    view
}

/// What a terminal of `width` columns shows, as indicatif draws it.
fn block(view: &View, width: usize) -> String {
    let (mut bars, term) = bars::tests::in_memory(width);
    let rows = status_block::rows(view, width - 1);
    let count = rows.len();
    bars.draw(rows);
    let shown = term.contents();
    assert!(shown.lines().count() <= count, "a row is wrapped: {shown}");
    shown
}

#[test]
fn the_block_fits_the_terminal() {
    let view = view(&["acme", "globex-international", "東京支社"], 12);
    for width in [120, 80, 60, 40] {
        insta::assert_snapshot!(format!("block_{width}"), block(&view, width));
    }
    for width in 2..40 {
        block(&view, width);
    }
}

#[test]
fn remaining_tenants_are_summed_up() {
    let names: Vec<String> = (1..=20).map(|number| format!("tenant-{number}")).collect();
    let view = view(&names.iter().map(String::as_str).collect::<Vec<_>>(), 5);
    insta::assert_snapshot!(block(&view, 80));
}

#[test]
fn every_phase_is_shown() {
    let mut view = view(&["acme"], 1);
    let mut shown = vec![block(&view, 80)];
    for (phase, seconds) in [(Phase::Finishing, 31), (Phase::Settling, 32), (Phase::Judging, 33)] {
        (view.phase, view.elapsed) = (phase, Nanos::from_secs(seconds));
        shown.push(block(&view, 80));
    }
    shown.push(block(&view, 50));
    view.interrupted = true;
    view.elapsed = Nanos::from_secs(9);
    view.stalls = (2, Nanos::from_millis(31));
    shown.push(block(&view, 80));
    view.plan.may_end_early = true;
    shown.push(block(&view, 80));
    shown.push(block(&View::new(view.plan), 80));
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn external_text_cannot_move_the_cursor() {
    let text = "metrics of a: failed: \u{1b}[2Jgone\r\n\u{9b}31mred\ttext\n";
    assert_eq!(one_line(text), "metrics of a: failed:  [2Jgone 31mred text");
}

#[test]
fn a_line_where_there_is_no_terminal() {
    assert_eq!(
        status_block::plain(&view(&["acme", "globex"], 5)),
        "  5.0 s of 30 s  1200 requests (320/s)  p50 4.03 ms  p99 7 ms  errors 0  1080×200  120×429"
    );
}

#[test]
fn json_progress_objects() {
    let view = view(&["acme", "globex"], 3);
    let at = Nanos::from_millis(3_210);
    let lines =
        [json::phase(&view, at), json::progress(&view, at), json::progress(&View::new(view.plan), at)];
    let pretty = lines.map(|line| {
        assert_eq!(line.matches('\n').count(), 1);
        serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&line).unwrap()).unwrap()
    });
    insta::assert_snapshot!(pretty.join("\n"));
}
