//! The log as a journal receives it: the real socket's path, in a mount namespace of its own.
//!
//! The journal's socket has a fixed path, `/run/systemd/journal/socket`. The test binds one in a directory,
//! and starts itself again in a namespace where that directory is mounted over `/run`; the second
//! process logs, this one reads. Where namespaces are not allowed it says on standard error that it was skipped.

use holdfast::host::{journal, message_ids};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::linux::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Set for the process that logs.
const INSIDE: &str = "HOLDFAST_TEST_INSIDE";

/// The process that logs. Run on its own it has nothing to say.
#[test]
#[ignore = "the other half of the tests below, which start it"]
fn inside() {
    assert!(std::env::var_os(INSIDE).is_some(), "it is started by the other tests of this file");
    journal::init();
    log::info!(
        CAMERA = "entrance", VOLUME = "5a6b", SEGMENT = "10-00-00Z-1.mp4", ALARM = "camera-lost",
        MESSAGE_ID = message_ids::CAMERA_RECORDING; "records again\nafter 12 s"
    );
    log::debug!("not wanted at the default level");
    log::error!("the last line");
}

/// How a process can be started where `run` lies over `/run`. Where that is not allowed, a test that was not made is
/// not a test that passed: it fails, unless `HOLDFAST_NO_MOUNT` says that it is known.
fn namespace() -> Option<&'static [&'static str]> {
    // The last is for a chroot, whose root is no mount point and so has no propagation to change.
    let ways: [&[&str]; 3] =
        [&["--mount"], &["--map-root-user", "--mount"], &["--mount", "--propagation", "unchanged"]];
    let works = |way: &&[&str]| {
        let tried = Command::new("unshare").args(*way).arg("true").stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let found = ways.into_iter().find(works);
    if found.is_none() {
        assert!(
            std::env::var_os("HOLDFAST_NO_MOUNT").is_some(),
            "mount namespaces are not allowed here, so the journal cannot be tested; run as root, or set \
             HOLDFAST_NO_MOUNT=1 to leave this test out"
        );
        // Not through eprintln!, which the test harness would keep to itself.
        let _ = std::io::stderr().write_all(b"LEFT OUT: the journal is not tested (HOLDFAST_NO_MOUNT)\n");
    }
    found
}

/// Starts the logging half with `run` mounted over `/run` and its standard error "connected to the journal".
/// Returns what it wrote to standard error.
fn log_inside(way: &[&str], run: &Path) -> String {
    let path = run.join("stderr");
    let stderr = File::create(&path).expect("a file");
    let facts = stderr.metadata().expect("its facts");
    let mounts = mounts_on_run();
    let status = Command::new("unshare")
        .args(way)
        .args(["sh", "-c", "mount --bind \"$0\" /run && exec \"$1\" --ignored --exact inside --nocapture"])
        .arg(run)
        .arg(std::env::current_exe().expect("this program"))
        .env(INSIDE, "1")
        .env("JOURNAL_STREAM", format!("{}:{}", facts.st_dev(), facts.st_ino()))
        .env_remove("HOLDFAST_LOG")
        .stdout(Stdio::null())
        .stderr(stderr)
        .status()
        .expect("unshare was there before");
    if mounts_on_run() > mounts {
        // It came back to us, since what is around the chroot shares its mounts.
        let undone = Command::new("umount").arg("/run").status().expect("umount is beside mount");
        assert!(undone.success(), "a mount over /run is left");
    }
    let told = fs::read_to_string(&path).expect("readable");
    assert!(status.success(), "the logging half failed: {told}");
    told
}

/// How many filesystems are mounted over `/run` where this process is.
fn mounts_on_run() -> usize {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("proc is mounted");
    mounts.lines().filter(|line| line.split(' ').nth(4) == Some("/run")).count()
}

/// The fields of one message of the journal's native protocol: `KEY=value\n`, or `KEY\n`, the length as
/// 64 bits little-endian, the value and `\n`.
fn fields(mut datagram: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while !datagram.is_empty() {
        let line_end = datagram.iter().position(|byte| *byte == b'\n').expect("a line end");
        let line = &datagram[..line_end];
        datagram = &datagram[line_end + 1..];
        let (key, value) = match line.iter().position(|byte| *byte == b'=') {
            Some(equals) => (&line[..equals], &line[equals + 1..]),
            None => {
                let (length, rest) = datagram.split_first_chunk::<8>().expect("a length");
                let length = usize::try_from(u64::from_le_bytes(*length)).expect("a sane length");
                let (value, rest) = rest.split_at(length);
                datagram = rest.strip_prefix(b"\n").expect("a line end after the value");
                (line, value)
            }
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        fields.insert(text(key), text(value));
    }
    fields
}

#[test]
fn messages_reach_the_journal_with_their_fields() {
    let Some(way) = namespace() else { return };
    let run = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(run.path().join("systemd/journal")).expect("directories");
    let socket = UnixDatagram::bind(run.path().join("systemd/journal/socket")).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    let told = log_inside(way, run.path());
    let receive = || {
        let mut buffer = [0; 4096];
        loop {
            // The logger asks with an empty datagram whether somebody listens.
            let length = socket.recv(&mut buffer).expect("a message");
            if length > 0 {
                return fields(&buffer[..length]);
            }
        }
    };
    let first = receive();
    let expected = [
        ("ALARM", "camera-lost"),
        ("CAMERA", "entrance"),
        ("MESSAGE", "records again\nafter 12 s"),
        ("MESSAGE_ID", message_ids::CAMERA_RECORDING),
        ("SEGMENT", "10-00-00Z-1.mp4"),
        ("SYSLOG_IDENTIFIER", "holdfast"),
        ("VOLUME", "5a6b"),
    ];
    for (key, value) in expected {
        assert_eq!(first.get(key).map(String::as_str), Some(value), "{key}");
    }
    let last = receive();
    assert_eq!(
        last.get("MESSAGE").map(String::as_str),
        Some("the last line"),
        "debug is not logged by default"
    );
    assert_eq!(last.get("PRIORITY").map(String::as_str), Some("3"), "err");
    assert!(!told.contains("records again"), "and not a second time on standard error: {told}");
}

#[test]
fn messages_reach_standard_error_where_the_journal_is_gone() {
    let Some(way) = namespace() else { return };
    let run = tempfile::tempdir().expect("a directory");
    let told = log_inside(way, run.path());
    let lines: Vec<&str> = told.lines().filter(|line| line.contains("Z ")).collect();
    let expected = [
        "info entrance: records again\\nafter 12 s  CAMERA=entrance VOLUME=5a6b SEGMENT=10-00-00Z-1.mp4 ALARM=camera-lost",
        "error the last line",
    ];
    assert_eq!(lines.len(), expected.len(), "{told}");
    for (line, expected) in lines.iter().zip(expected) {
        assert_eq!(line.split_once("Z ").map(|(_, text)| text), Some(expected));
    }
}
