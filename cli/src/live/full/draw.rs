//! The layout of the full display: progress, charts, tenants, messages and keys.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::Line,
    widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState},
};
use saasbench_report::spans::sparkline;

use super::{State, charts};
use crate::live::{
    status_block,
    view::{Phase, View},
    window::Tenant,
};
use saasbench_record::event::Pace;

/// The keys with their actions.
const KEYS: [(&str, &str); 7] = [
    ("q", "end the run as Ctrl-C does; twice: quit at once"),
    ("p", "pause, and go on"),
    ("+ -", "10 % of the planned rate more or less; of users, fewer and all again"),
    ("↑ ↓", "look at another tenant"),
    ("^Z", "suspend saasbench, until `fg` in the shell: the load stands still"),
    ("?", "these keys"),
    ("", "What is changed by hand is recorded, and what rests on the plan is not judged."),
];

/// Draws a run.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View, state: &State, pace: Pace) {
    let area = frame.area();
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(0), Constraint::Length(1)]).areas(area);
    header(frame, head, view, state);
    let tenants = (view.plan.tenants.len() as u16 + 3).min(body.height / 3).max(4);
    let log = (body.height / 5).max(3);
    let [charts, tenants, log] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(tenants), Constraint::Length(log)])
            .areas(body);
    let [rates, latency] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(charts);
    charts::rates(frame, rates, view, state);
    charts::latency(frame, latency, view, state);
    table(frame, tenants, view, state);
    said(frame, log, view, state);
    footer(frame, foot, view, state, pace);
    if state.help {
        help(frame, area);
    }
}

fn header(frame: &mut Frame<'_>, area: Rect, view: &View, state: &State) {
    let width = usize::from(area.width);
    let plain = |text: String| anstream::adapter::strip_str(&text).to_string();
    let strong = Style::new().add_modifier(Modifier::BOLD);
    let mut time = Line::raw(plain(status_block::time_line(view, width)));
    if view.interrupted {
        time = Line::styled(status_block::interrupted(view, width), paint(state, Color::Yellow));
    }
    let lines = vec![Line::styled(plain(status_block::headline(view, width)), strong), time];
    frame.render_widget(Paragraph::new(lines), area);
}

fn table(frame: &mut Frame<'_>, area: Rect, view: &View, state: &State) {
    let spark = usize::from(area.width).saturating_sub(58).clamp(6, 60);
    let named = view.plan.tenants.iter().zip(&view.window.tenants);
    let rows = named.map(|(name, tenant)| row(name.as_str(), tenant, spark, state));
    let widths = [
        Constraint::Min(8),
        Constraint::Length(spark as u16),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(6),
        Constraint::Length(8),
    ];
    let header = Row::new(["tenant", "rate", "", "p50", "p99", "429", "errors"])
        .style(Style::new().add_modifier(Modifier::DIM));
    let table = Table::new(rows, widths)
        .header(header)
        .block(Block::bordered().title(" tenants "))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut selected = TableState::new().with_selected(state.selected);
    frame.render_stateful_widget(table, area, &mut selected);
}

fn row(name: &str, tenant: &Tenant, spark: usize, state: &State) -> Row<'static> {
    let latency = |q| tenant.quantile(q).map_or_else(|| "–".to_owned(), |latency| latency.to_string());
    let rejected = tenant.rejected().filter(|share| *share > 0.0);
    let errors = tenant.total.errors + tenant.total.outcomes.dropped;
    Row::new([
        Cell::new(name.to_owned()),
        Cell::new(sparkline(tenant.rates.iter().copied(), spark)),
        Cell::new(status_block::rate(tenant.rate())),
        Cell::new(latency(0.5)),
        Cell::new(latency(0.99)),
        Cell::new(rejected.map_or_else(String::new, |share| format!("{:.0} %", share * 100.0)))
            .style(paint(state, Color::Yellow)),
        Cell::new(if errors > 0 { errors.to_string() } else { String::new() })
            .style(paint(state, Color::Red)),
    ])
}

/// The generator's state, and recent messages.
fn said(frame: &mut Frame<'_>, area: Rect, view: &View, state: &State) {
    let (count, length) = view.stalls;
    let stalls = if count == 0 { "no stalls".to_owned() } else { format!("{count} stalls, {length}") };
    let title = format!(
        " generator: {} in flight · {stalls} · {} dropped ",
        view.in_flight, view.window.total.outcomes.dropped
    );
    let rows = usize::from(area.height.saturating_sub(2));
    let lines: Vec<Line<'_>> = state
        .log
        .iter()
        .flat_map(|text| text.lines())
        .rev()
        .take(rows)
        .map(Line::raw)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(title)), area);
}

fn footer(frame: &mut Frame<'_>, area: Rect, view: &View, state: &State, pace: Pace) {
    let scenario = &view.plan.scenario;
    // There is a pace while there is a load.
    let has_pace = view.phase == Phase::Preparing || view.is_loading();
    let text = match pace {
        _ if view.interrupted => format!(" {scenario} · q quits at once · ? help"),
        _ if !has_pace => format!(" {scenario} · q ends · ? help"),
        Pace { paused: true, .. } => " PAUSED · p goes on · q ends · ? help".to_owned(),
        Pace { factor: 1.0, .. } => format!(" {scenario} · q ends · p pauses · + − pace · ? help"),
        Pace { factor, .. } => {
            format!(" {:.0} % OF THE PLAN · q ends · p pauses · + − pace · ? help", factor * 100.0)
        }
    };
    let is_turned = has_pace && !view.interrupted && pace != Pace::default();
    let style = if is_turned { paint(state, Color::Yellow) } else { Style::new() };
    frame.render_widget(Paragraph::new(text).style(style.add_modifier(Modifier::REVERSED)), area);
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let lines: Vec<Line<'_>> = KEYS.iter().map(|(key, does)| Line::raw(format!(" {key:4} {does}"))).collect();
    let (width, height) = (82.min(area.width), (lines.len() as u16 + 2).min(area.height));
    let place = Rect::new((area.width - width) / 2, (area.height - height) / 2, width, height);
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" keys ")), place);
}

fn paint(state: &State, colour: Color) -> Style {
    if state.coloured { Style::new().fg(colour) } else { Style::new() }
}
