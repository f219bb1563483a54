//! Servers of others: nginx and OpenSSL's, each on a free port, and ready when its constructor returns.

use std::{fs, net::TcpStream, path::Path, process::Command};

use tempfile::TempDir;

use super::{Process, free_port, wait_for};

/// An nginx that speaks HTTP/2 without TLS, with these directives.
pub(crate) fn nginx_http2(directives: &str) -> (Process, u16, TempDir) {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .concat();
    let config = format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
         server {{ listen 127.0.0.1:{port} http2; {directives} location / {{ return 200 'ok'; }} }}\n}}\n"
    );
    fs::write(dir.path().join("nginx.conf"), config).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir.path()).args(["-e", "error.log", "-c"]).arg(dir.path().join("nginx.conf"));
    let process = listening(command, "nginx", port, dir.path());
    (process, port, dir)
}

/// An `openssl s_server` with a certificate for `localhost`, and these arguments.
pub(crate) fn openssl(arguments: &[&str]) -> (Process, u16, TempDir) {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut create = Command::new("openssl");
    create.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    create.args(["-keyout", "key.pem", "-out", "cert.pem"]).current_dir(dir.path());
    assert!(create.output().unwrap().status.success(), "a certificate");
    let mut command = Command::new("openssl");
    command.args([
        "s_server",
        "-accept",
        &format!("127.0.0.1:{port}"),
        "-cert",
        "cert.pem",
        "-key",
        "key.pem",
    ]);
    command.args(["-www", "-quiet"]).args(arguments).current_dir(dir.path());
    let process = listening(command, "openssl", port, dir.path());
    (process, port, dir)
}

fn listening(mut command: Command, name: &str, port: u16, dir: &Path) -> Process {
    let mut process = Process::start(name, &mut command, dir);
    wait_for(&format!("{name} to listen"), || {
        process.assert_lives();
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    process
}
