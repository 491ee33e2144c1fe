//! A server and clients over a real socket.

use super::client::{AskError, ask};
use super::server::{Outcome, Server};
use super::{Alarm, Answer, CameraStatus, LeftAlone, Request, Status, StreamStatus, Subject, socket};
use holdfast_wire::alarm::{Kind, Severity};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

fn echo(request: Request, reply: super::server::Reply) {
    let answer = Answer::Done { text: format!("{request:?}") };
    let _ = reply.send(match request {
        Request::Protected => Outcome::Later(Box::new(move || answer)),
        _ => Outcome::Known(answer),
    });
}

#[test]
fn every_request_arrives_as_it_was_asked() {
    let place = tempfile::tempdir().unwrap();
    let _server = Server::start(place.path(), echo).unwrap();
    for request in [
        Request::Status,
        Request::Eject { volume: "4f3c".into() },
        Request::Use { volume: "/media/a b".into() },
        Request::Protect { camera: None, from: -1, to: i64::MAX, note: "\"quoted\"\n".into() },
        Request::Unprotect { volume: "sda1".into(), number: 7 },
        Request::Protected,
    ] {
        assert_eq!(ask(place.path(), &request).unwrap(), Answer::Done { text: format!("{request:?}") });
    }
}

#[test]
fn only_owner_and_group_may_ask() {
    let place = tempfile::tempdir().unwrap();
    let _server = Server::start(place.path(), echo).unwrap();
    let mode = std::fs::metadata(socket(place.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
}

#[test]
fn where_nobody_listens_that_is_said_and_a_socket_left_behind_is_taken_over() {
    let place = tempfile::tempdir().unwrap();
    assert!(matches!(ask(place.path(), &Request::Status), Err(AskError::Nobody(_))));
    assert!(matches!(ask(&place.path().join("absent"), &Request::Status), Err(AskError::Nobody(_))));
    std::fs::create_dir(place.path().join("control")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(socket(place.path())).unwrap());
    assert!(matches!(ask(place.path(), &Request::Status), Err(AskError::Nobody(_))));
    let server = Server::start(place.path(), echo).unwrap();
    assert!(ask(place.path(), &Request::Status).is_ok());
    let second = Server::start(place.path(), echo).unwrap_err();
    assert_eq!(second.kind(), std::io::ErrorKind::AddrInUse);
    assert!(ask(place.path(), &Request::Status).is_ok(), "the first one is disturbed");
    drop(server);
    assert!(!socket(place.path()).exists());
}

#[test]
fn a_directory_with_a_path_longer_than_the_kernel_takes_works() {
    let place = tempfile::tempdir().unwrap();
    let deep = place.path().join("d".repeat(100)).join("e".repeat(100));
    std::fs::create_dir_all(&deep).unwrap();
    let _server = Server::start(&deep, echo).unwrap();
    assert!(ask(&deep, &Request::Status).is_ok());
}

#[test]
fn nonsense_and_silence_are_answered_and_the_next_one_is_served() {
    let place = tempfile::tempdir().unwrap();
    let _server = Server::start(place.path(), echo).unwrap();
    for nonsense in [&b"\n"[..], b"{\"ask\":\"format\"}\n", b"\xff\xfe\n", &[b'x'; 10_000]] {
        let mut stream = UnixStream::connect(socket(place.path())).unwrap();
        // It may hang up before all of it is written.
        let _ = stream.write_all(nonsense).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.is_empty() || answer.contains("refused"), "{answer}");
    }
    assert!(ask(place.path(), &Request::Status).is_ok());
}

#[test]
fn a_status_in_json_is_what_dashboards_hold_on_to() {
    let alarm = |kind, subject, severity, acknowledged, text: &str| Alarm {
        kind,
        subject,
        severity,
        since: "2026-11-22T09:59:48.000Z".into(),
        acknowledged,
        text: text.into(),
    };
    let status = Status {
        device: "van-12".into(),
        version: "0.1.0".into(),
        session: "00112233445566778899aabbccddeeff".into(),
        now: "2026-11-22T10:00:00.000Z".into(),
        uptime_seconds: 3600.5,
        cameras: vec![CameraStatus {
            id: "gate".into(),
            state: "backing-off".into(),
            detail: Some("connection refused".into()),
            durable_until: Some("2026-11-22T09:59:48.000Z".into()),
            durable_seconds: 3588.0,
            held_bytes: 0,
            fallback: Some(StreamStatus {
                state: "backing-off".into(),
                detail: Some("stream path not found".into()),
            }),
        }],
        volumes: Vec::new(),
        left_alone: vec![LeftAlone { disk: "sdb".into(), reason: "it carries no filesystem".into() }],
        alarms: vec![
            alarm(
                Kind::CameraLost,
                Some(Subject::Camera("gate".into())),
                Severity::High,
                false,
                "camera gate does not record: connection refused",
            ),
            alarm(Kind::ClockUntrusted, None, Severity::Medium, true, "the wall clock is not to be trusted"),
        ],
    };
    let written = serde_json::to_string_pretty(&status).unwrap();
    assert_eq!(written + "\n", include_str!("status.golden.json"));
    assert_eq!(serde_json::from_str::<Status>(include_str!("status.golden.json")).unwrap(), status);
}

#[test]
fn a_kind_of_alarm_has_one_name_everywhere() {
    let mut names = std::collections::BTreeSet::new();
    for kind in Kind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        assert!(names.insert(kind.name()), "two kinds are called {}", kind.name());
    }
    for severity in [Severity::Low, Severity::Medium, Severity::High, Severity::Critical] {
        assert_eq!(serde_json::to_value(severity).unwrap(), severity.name());
    }
}

#[test]
fn every_kind_of_alarm_is_in_the_documentation() {
    let page = include_str!("../../docs/status.md");
    for kind in Kind::ALL {
        assert!(page.contains(&format!("| `{}` | {}", kind.name(), kind.meaning())), "{}", kind.name());
    }
}
