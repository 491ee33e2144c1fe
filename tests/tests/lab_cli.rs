//! The program `lab` on trial: what it prints, and that `lab run` does not pass a recorder that records nothing.

use holdfast_tests::tap::{Tap, Via};
use holdfast_tests::wait_until;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

const LAB: &str = env!("CARGO_BIN_EXE_lab");

#[test]
fn cameras_are_served_until_the_program_is_told_to_end() {
    let mut lab = Command::new(LAB)
        .args(["cameras", "--profile", "small", "--count", "2"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(lab.stdout.take().unwrap()).lines().map(Result::unwrap);
    let printed: Vec<String> = lines.take_while(|line| line != "ready").collect();
    assert_eq!(printed.len(), 2, "{printed:?}");
    for line in &printed {
        let url = line.split_whitespace().next().unwrap();
        let tap = Tap::open(url, Via::Tcp, None).unwrap();
        assert!(wait_until(Duration::from_secs(20), || tap.count() > 5), "{line}: {:?}", tap.error());
    }
    let pid = rustix::process::Pid::from_child(&lab);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut ended = None;
    wait_until(Duration::from_secs(20), || {
        ended = lab.try_wait().unwrap();
        ended.is_some()
    });
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}

#[test]
fn a_recorder_that_records_nothing_fails_the_run_and_each_camera_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = folder.path().join("stand-in");
    let body = "#!/bin/sh\ntrap 'exit 0' TERM\n[ \"$1\" = run ] || exit 0\nwhile :; do sleep 0.05; done\n";
    std::fs::write(&stand_in, body).unwrap();
    std::fs::set_permissions(&stand_in, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(LAB)
        .args(["run", "--seconds", "2", "--dir"])
        .arg(folder.path().join("run"))
        .arg("--holdfast")
        .arg(&stand_in)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    for camera in ["entrance", "yard", "loading-bay", "cab"] {
        assert!(said.contains(&format!("lab: {camera}: nothing of it was recorded")), "{camera}: {said}");
    }
}
