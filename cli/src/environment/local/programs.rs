//! The programs of the stack: their paths, their versions, and how to install missing ones.

use std::{
    env,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// A program of the stack.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Its possible names; Debian's first.
    pub names: &'static [&'static str],
    /// Debian's package.
    pub package: &'static str,
    /// Its download page.
    pub home: &'static str,
}

/// Limits and sessions.
pub const REDIS: Program =
    Program { names: &["redis-server"], package: "redis-server", home: "https://redis.io/downloads" };
/// Redis's metrics.
pub const REDIS_EXPORTER: Program = Program {
    names: &["prometheus-redis-exporter", "redis_exporter"],
    package: "prometheus-redis-exporter",
    home: "https://github.com/oliver006/redis_exporter/releases",
};
/// Metrics and rules.
pub const PROMETHEUS: Program =
    Program { names: &["prometheus"], package: "prometheus", home: "https://prometheus.io/download" };
/// Notifications.
pub const ALERTMANAGER: Program = Program {
    names: &["prometheus-alertmanager", "alertmanager"],
    package: "prometheus-alertmanager",
    home: "https://prometheus.io/download",
};

impl Program {
    /// Its first name.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// Where it is in the PATH, if anywhere.
    pub fn find(&self) -> Option<PathBuf> {
        let path = env::var_os("PATH")?;
        let folders: Vec<PathBuf> = env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        let candidates = self.names.iter().flat_map(|name| folders.iter().map(move |dir| dir.join(name)));
        candidates.into_iter().find(|file| is_executable(file))
    }
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// A program's version by its own output; `unknown` where that contains none.
pub fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let output = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    version_in(&String::from_utf8_lossy(&output)).unwrap_or("unknown").to_owned()
}

/// `Redis server v=7.0.15 sha=…`, `prometheus, version 2.42.0+ds (branch: …`, `… Redis Metrics Exporter
/// 1.45.0 …`.
fn version_in(text: &str) -> Option<&str> {
    let mut words = text.split_whitespace().map(|word| word.trim_start_matches("v=").trim_start_matches('v'));
    words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
}

/// Their names, separated by commas.
pub(super) fn names(programs: &[&Program]) -> String {
    programs.iter().map(|program| program.name()).collect::<Vec<_>>().join(", ")
}

/// How to get them.
pub fn how_to_install(programs: &[&Program]) -> String {
    let packages: Vec<&str> = programs.iter().map(|program| program.package).collect();
    let mut homes: Vec<&str> = programs.iter().map(|program| program.home).collect();
    homes.dedup();
    format!("on Debian and Ubuntu: apt-get install {}; elsewhere: {}", packages.join(" "), homes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_the_programs_print() {
        let output = [
            "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0",
            "prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5+deb12u1)\n  go version: go1.19.8",
            "alertmanager, version 0.25.0 (branch: debian/sid, revision: 0.25.0-1+b4)",
            r#"time="2026-11-21T10:21:22Z" level=info msg="Redis Metrics Exporter 1.45.0-2+b4    build date: 20230409""#,
            "a program that says nothing",
        ];
        let versions = output.map(|text| version_in(text).unwrap_or("unknown"));
        assert_eq!(versions, ["7.0.15", "2.42.0+ds", "0.25.0", "1.45.0-2+b4", "unknown"]);
    }

    #[test]
    fn missing_programs_are_reported_with_packages_and_addresses() {
        insta::assert_snapshot!(how_to_install(&[&REDIS, &REDIS_EXPORTER, &PROMETHEUS, &ALERTMANAGER]), @"on Debian and Ubuntu: apt-get install redis-server prometheus-redis-exporter prometheus prometheus-alertmanager; elsewhere: https://redis.io/downloads, https://github.com/oliver006/redis_exporter/releases, https://prometheus.io/download");
    }
}
