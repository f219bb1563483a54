//! The output of `saasbench up` once its stack is running: all addresses, and how to run a scenario against
//! it.

use std::fmt::Write as _;

use crate::environment::local::{Role, Stack, programs};
use saasbench_report::{
    style::{FAINT, STRONG, UNSURE, paint},
    terminal,
};

/// Renders it; it ends with a newline.
pub fn render(stack: &Stack) -> String {
    let rows: Vec<[String; 3]> = stack
        .services()
        .iter()
        .map(|service| {
            let log = service.log.file_name().unwrap_or_default().display().to_string();
            [service.role.to_string(), service.url.clone(), log]
        })
        .collect();
    let data = stack.data();
    let kept = if data.is_kept() { "is kept" } else { "is removed at the end" };
    let mut text = table(&rows);
    let _ = writeln!(text, "\nlogs and data are in {}, which {kept}", data.path().display());
    for absent in &stack.absent {
        let how = programs::how_to_install(&[absent]);
        let _ = writeln!(text, "{} {} is not installed ({how})", paint(UNSURE, "without:"), absent.name());
    }
    let _ = writeln!(text, "\nrun a scenario against it:\n\n  {}\n", paint(STRONG, command(stack)));
    let _ = writeln!(text, "{}", paint(FAINT, "Ctrl-C ends it"));
    text
}

fn table(rows: &[[String; 3]]) -> String {
    let mut table = terminal::table(&["service", "address", "log"]);
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt() + "\n"
}

/// An example command line.
fn command(stack: &Stack) -> String {
    let mut words = vec!["saasbench run scenarios/flood.toml".to_owned()];
    words.extend(stack.replicas().map(|(_, url)| format!("--target {url}")));
    let flag = |name: &str, role: Role| Some(format!("{name} {}", stack.url(&role)?));
    words.extend(flag("--prometheus", Role::Prometheus));
    words.extend(flag("--redis", Role::Redis));
    words.push(format!("--metrics-listen {} --exclusive", stack.self_metrics));
    words.join(" ")
}
