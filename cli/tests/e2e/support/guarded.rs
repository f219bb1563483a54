//! A Prometheus behind TLS with a private CA, a password and a path prefix.

use std::{fs, path::Path, process::Command};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::{Process, Replica, free_port, wait_for};

/// User name and password.
pub(crate) const CREDENTIALS: (&str, &str) = ("bench", "correct horse");
/// The bcrypt hash of the password, at the lowest cost.
const BCRYPT: &str = "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";

/// Prometheus behind TLS, client certificates, a password and a prefix.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) port: u16,
    _process: Process,
    _dir: TempDir,
}

impl Guarded {
    /// Starts a Prometheus that scrapes `replicas` every second, and writes `ca.pem`, `client.pem` and
    /// `client.key` to `left`.
    pub(crate) fn start(replicas: &[Replica], left: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        certificates(dir.path(), left);
        let targets: Vec<String> = replicas.iter().map(|r| format!("\"127.0.0.1:{}\"", r.port)).collect();
        let write = |name: &str, text: String| fs::write(dir.path().join(name), text).unwrap();
        write(
            "prometheus.yml",
            format!(
                "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: api\n    static_configs:\n      - targets: [{}]\n",
                targets.join(", ")
            ),
        );
        write(
            "web.yml",
            format!(
                "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\nbasic_auth_users:\n  {}: {BCRYPT}\n",
                CREDENTIALS.0
            ),
        );
        let check = ["check", "web-config", "web.yml"];
        let checked = Command::new("promtool").args(check).current_dir(dir.path()).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
        let port = free_port();
        let mut command = Command::new("prometheus");
        command.current_dir(dir.path()).args([
            "--config.file=prometheus.yml",
            "--web.config.file=web.yml",
            "--web.route-prefix=/prom",
            "--storage.tsdb.path=data",
        ]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start("prometheus", &mut command, dir.path());
        wait_for("prometheus to be ready", || {
            process.assert_lives();
            process.err().contains("Server is ready to receive web requests")
        });
        Self { port, _process: process, _dir: dir }
    }
}

/// A certificate authority, which issues a certificate for the server in `dir` and one for clients in `left`.
fn certificates(dir: &Path, left: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    for place in [dir, left] {
        fs::write(place.join("ca.pem"), &authority).unwrap();
    }
    for (place, name, host) in [(dir, "server", "localhost"), (left, "client", "bench")] {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        fs::write(place.join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(place.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}
