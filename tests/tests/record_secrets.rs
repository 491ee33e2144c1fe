//! Promise 11, end to end: a camera's password is nowhere but in the file that it was given in. Not in the log at its
//! most talkative, not in GStreamer's own, not in the process list, not on the volume, not in a report.

use holdfast_tests::camera::{Auth, CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::recorder::CameraEntry;
use holdfast_tests::stage::{PATIENCE, Stage, lines, wait_for_frames};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Passwords by which a leak is known, whichever way it went. (User and password in basic authentication are sent in
/// base64, so that form is looked for too.)
const CANARIES: [&str; 5] = [
    "canary-basic-90210",
    "canary-digest-90211",
    "canary-url-90212",
    "canary-wrong-90213",
    "canary-query-90214",
];

/// Each canary as it is, and as `viewer:CANARY` in base64, as far as that is the same for any password's end.
fn traces() -> Vec<String> {
    CANARIES.iter().flat_map(|canary| [(*canary).to_owned(), base64(&format!("viewer:{canary}"))]).collect()
}

/// Base64 of RFC 4648 without the padding and what precedes it.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = text.as_bytes().chunks_exact(3);
    whole
        .flat_map(|three| {
            let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            [18, 12, 6, 0].map(|shift| char::from(DIGITS[(bits >> shift & 63) as usize]))
        })
        .collect()
}

/// Which of the traces these bytes hold.
fn found(bytes: &[u8]) -> Vec<String> {
    let holds = |trace: &String| bytes.windows(trace.len()).any(|window| window == trace.as_bytes());
    traces().into_iter().filter(holds).collect()
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, files) } else { files.push(path) }
    }
}

#[test]
fn a_password_is_found_by_its_traces() {
    assert_eq!(base64("viewer:canary"), "dmlld2VyOmNhbmFy", "as base64(1) has it, without its end");
    let (plain, coded) = (CANARIES[2], base64(&format!("viewer:{}", CANARIES[0])));
    assert_eq!(found(format!("rtsp://viewer:{plain}@host/").as_bytes()), [plain]);
    assert_eq!(found(format!("Authorization: Basic {coded}==").as_bytes()), [coded]);
}

#[test]
fn no_password_shows_in_logs_processes_reports_or_on_the_volume() {
    let stage = Stage::new().unwrap();
    let [basic, digest, in_url, wrong, in_query] = CANARIES.map(str::to_owned);
    let user = || "viewer".to_owned();
    let auths = [
        ("basic", Auth::Basic { user: user(), password: basic }),
        ("digest", Auth::Digest { user: user(), password: digest }),
        ("by-url", Auth::Basic { user: user(), password: in_url.clone() }),
        ("locked", Auth::Basic { user: user(), password: "another".to_owned() }),
    ];
    let cameras: Vec<VirtualCamera> = (1..)
        .zip(auths)
        .map(|(tag, (name, auth))| {
            let options = CameraOptions::new(name, tag, ClipSpec::small(VideoCodec::H264)).auth(auth);
            VirtualCamera::start(options).unwrap()
        })
        .collect();
    let mut entries: Vec<CameraEntry> = cameras.iter().map(CameraEntry::of).collect();
    entries[2].login = None;
    entries[2].url = entries[2].url.replace("rtsp://", &format!("rtsp://viewer:{in_url}@"));
    entries[3].login = Some((user(), wrong));
    entries[0].url = format!("{}?channel=1&password={in_query}", entries[0].url);
    let gst_log = stage.folder().join("gst.log");
    let environment = [
        ("HOLDFAST_LOG", "debug"),
        ("GST_DEBUG", "*:7"),
        ("GST_DEBUG_NO_COLOR", "1"),
        ("GST_DEBUG_FILE", gst_log.to_str().unwrap()),
        ("GST_DEBUG_DUMP_DOT_DIR", stage.folder().to_str().unwrap()),
    ];
    let recorder = stage.record_with(&stage.configuration(entries), &environment).unwrap();
    for camera in &cameras[..3] {
        wait_for_frames(camera, 75, PATIENCE).unwrap();
    }
    let process = PathBuf::from(format!("/proc/{}", recorder.id()));
    let mut leaks = Vec::new();
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(process.join(file)).unwrap();
        leaks.extend(found(&bytes).into_iter().map(|trace| format!("/proc/PID/{file}: {trace}")));
    }
    let limits = std::fs::read_to_string(process.join("limits")).unwrap();
    let core = lines(&limits, &["Max core file size"]);
    assert!(
        core.iter().all(|line| line.split_whitespace().nth(4) == Some("0")),
        "it could dump core: {core:?}"
    );
    let log = recorder.log();
    stage.stop(recorder).unwrap();
    assert!(lines(&log, &["locked", "user or password refused"]).len() > 1, "{log}");
    assert!(log.contains(" debug "), "the log was not at its most talkative:\n{log}");

    let mut files = Vec::new();
    files_below(stage.folder(), &mut files);
    assert!(files.iter().any(|path| path.extension().is_some_and(|end| end == "mp4")), "{files:?}");
    // Where they were given. The configuration has the one in the URL alone.
    let given = |path: &Path| path.ends_with("secrets.toml") || path.ends_with("holdfast.toml");
    for path in files.iter().filter(|path| !given(path)) {
        let traces = found(&std::fs::read(path).unwrap());
        leaks.extend(traces.into_iter().map(|trace| format!("{}: {trace}", path.display())));
    }
    let check = stage.folder().join("holdfast.toml");
    let volume = stage.volume();
    for arguments in [vec![Path::new("coverage"), &volume], vec![Path::new("check"), &check]] {
        let output = Command::new(stage.binary()).args(&arguments).output().unwrap();
        let traces = found(&[output.stdout, output.stderr].concat());
        leaks.extend(traces.into_iter().map(|trace| format!("holdfast {arguments:?}: {trace}")));
    }
    assert_eq!(leaks, [""; 0]);
}
