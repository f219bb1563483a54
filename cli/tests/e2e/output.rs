//! Reports go to stdout, everything else to stderr; closed pipes and full disks are handled.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::support::{Copied, Report, Sandbox, TENANTS, fixture, program, short};

#[test]
fn json_on_stdout_is_the_only_output_there() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let ended = sandbox.run(&["run", "scenario.toml", "--quiet", "--json", "-"]);
    ended.assert_code(0);
    assert_eq!(Report::parse(&ended.out).outcome(), "pass");
    assert_eq!(ended.err, "");
}

#[test]
fn quiet_prints_only_the_report() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let ended = sandbox.run(&["run", "scenario.toml", "-q"]);
    ended.assert_code(0);
    assert_eq!(ended.err, "");
    ended.assert_says(&["short: acme floods, globex chats", "claims: "]);
    let loud = sandbox.run(&["run", "scenario.toml"]);
    loud.assert_code(0);
    assert!(loud.err.contains("recording into runs/"), "{}", loud.err);
    assert!(!loud.out.contains("recording into"), "{}", loud.out);
}

#[test]
fn reports_a_json_file_that_cannot_be_written() {
    let ended = Copied::of(&fixture("good")).verify(&["--json", "no/such/directory/report.json"]);
    ended.assert_code(2);
    assert!(ended.err.contains("no/such/directory/report.json"), "{ended:?}");
}

#[test]
fn colours_follow_the_settings() {
    let copy = Copied::of(&fixture("over-admission"));
    let coloured = |arguments: &[&str], variable: Option<(&str, &str)>| {
        let sandbox = Sandbox::new();
        let mut command = sandbox.command(arguments);
        command.envs(variable);
        let ended = sandbox.start_command(&mut command).end();
        (ended.out.contains('\u{1b}'), ended.err.contains('\u{1b}'))
    };
    let run = copy.path();
    let run = run.to_str().unwrap();
    // Not a terminal.
    assert_eq!(coloured(&["verify", run], None), (false, false));
    assert_eq!(coloured(&["verify", run, "--color", "always"], None), (true, false));
    assert_eq!(coloured(&["verify", run, "--color", "never"], Some(("CLICOLOR_FORCE", "1"))), (false, false));
    assert_eq!(coloured(&["verify", run], Some(("CLICOLOR_FORCE", "1"))), (true, false));
    assert_eq!(coloured(&["verify", run], Some(("NO_COLOR", "1"))), (false, false));
    assert_eq!(coloured(&["--color", "always", "verify", "nowhere"], None), (false, true));
    assert_eq!(coloured(&["verify", "nowhere"], Some(("NO_COLOR", "1"))), (false, false));
}

#[test]
fn a_closed_pipe_does_not_panic() {
    let run = fixture("good");
    let run = run.to_str().unwrap();
    for arguments in
        [&["verify", run][..], &["verify", run, "--json", "-"], &["--help"], &["validate", "none.toml"]]
    {
        let mut command = program();
        let mut child =
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&ended.stderr);
        assert!(!err.contains("panicked"), "{arguments:?}: {err}");
        let expected = if arguments[0] == "validate" { 2 } else { 0 };
        assert_eq!(ended.status.code(), Some(expected), "{arguments:?}: {err}");
    }
    // Nothing can be printed, but the exit code still reports the result.
    let mut child = program().args(["verify", "nowhere"]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn a_full_disk_ends_the_run_with_an_error() {
    // In its own namespace, the mount disappears with the process, and root is not needed.
    let within = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script]);
        command
    };
    let sandbox = Sandbox::with(&short("30s"), TENANTS);
    let mount = "mkdir -p runs && mount -t tmpfs -o size=64k tmpfs runs";
    match within(mount).current_dir(sandbox.path()).output() {
        Ok(output) if output.status.success() => {}
        other => {
            eprintln!("skipped: no small file system can be mounted here: {other:?}");
            return;
        }
    }
    let script = format!("{mount} && exec {} run scenario.toml", env!("CARGO_BIN_EXE_saasbench"));
    let ended = sandbox.start_command(within(&script).current_dir(sandbox.path())).end();
    ended.assert_code(5);
    assert!(ended.err.contains("error: the run could not be recorded: cannot write runs/"), "{}", ended.err);
    assert!(ended.err.contains("No space left on device"), "{}", ended.err);
    assert!(fs::read_dir(sandbox.path().join("runs")).unwrap().next().is_none(), "the mount hid it");
}

#[test]
fn reports_a_directory_that_cannot_be_created() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    sandbox.write("file", "");
    let ended = sandbox.run(&["run", "scenario.toml", "--out", "file/runs"]);
    ended.assert_code(5);
    assert!(ended.err.contains("cannot write file/runs"), "{}", ended.err);
}
