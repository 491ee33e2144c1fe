//! Each kind of failure against the real recorder: it is told for what it is, recovery begins as its policy says, and the
//! camera is durable again soon after the fault's end when its retry comes.
//!
//! All rows run side by side in one recorder, each camera behind a proxy of its own, so that the whole takes the time of the
//! slowest: a refused password is tried again after a minute.

use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::proxy::{Fault, Proxy};
use holdfast_tests::recorder::{CameraEntry, Recorder};
use holdfast_tests::stage::{PATIENCE, Stage, lines};
use holdfast_tests::wait_until;
use holdfast_tests::watch::Status;
use std::time::{Duration, Instant};

/// How a camera that was healthy is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Retry {
    /// The broken connection is answered by a new one at once, whatever that meets.
    AtOnce,
    /// The same, and the refusal that it meets is answered after a minute.
    AfterAMinute,
}

struct Row {
    id: &'static str,
    fault: Fault,
    /// The words of the failure, as `wire` has them.
    told: &'static str,
    retry: Retry,
}

const CHALLENGE: &str = "WWW-Authenticate: Basic realm=\"lab\"\r\n";

fn status(method: &'static str, code: u16, headers: &'static str) -> Fault {
    Fault::Status { method, code, headers }
}

fn rows() -> Vec<Row> {
    use Retry::{AfterAMinute, AtOnce};
    let row = |id, fault, told, retry| Row { id, fault, told, retry };
    vec![
        row("refused", Fault::Refused, "connection refused", AtOnce),
        row("reset", Fault::Reset, "connection closed by the camera", AtOnce),
        row("closed", Fault::Closed, "connection closed by the camera", AtOnce),
        row("half-closed", Fault::HalfClosed, "connection closed by the camera", AtOnce),
        row("silent", Fault::Silent, "connected, but no video arrives", AtOnce),
        row("goodbye", Fault::Bye, "stream ended by the camera (RTCP BYE)", AtOnce),
        row(
            "unauthorized",
            status("DESCRIBE", 401, CHALLENGE),
            "user or password refused (RTSP 401)",
            AfterAMinute,
        ),
        row("forbidden", status("DESCRIBE", 403, ""), "access forbidden (RTSP 403)", AfterAMinute),
        row("not-found", status("DESCRIBE", 404, ""), "stream path not found (RTSP 404)", AtOnce),
        row("bandwidth", status("SETUP", 453, ""), "camera's session or bandwidth limit reached", AtOnce),
        row("no-session", status("PLAY", 454, ""), "camera's session or bandwidth limit reached", AtOnce),
        row("unavailable", status("", 503, ""), "camera's server unavailable (RTSP 5xx)", AtOnce),
    ]
}

/// One row at work.
struct Trial {
    row: Row,
    camera: VirtualCamera,
    proxy: Proxy,
    /// When its fault ended.
    over: Option<Instant>,
    /// From the attempt that succeeded to durable footage.
    took: Option<Duration>,
}

impl Trial {
    fn new(tag: u32, row: Row) -> Trial {
        let options = CameraOptions::new(row.id, tag, ClipSpec::small(VideoCodec::H264));
        let camera = VirtualCamera::start(options).unwrap();
        let proxy = Proxy::start(&camera.url()).unwrap();
        Trial { row, camera, proxy, over: None, took: None }
    }

    fn is_told(&self, log: &str) -> bool {
        !lines(log, &[&format!("CAMERA={}", self.row.id), self.row.told]).is_empty()
    }

    /// Notes recovery: durable footage from after the newest attempt.
    fn look(&mut self, status: &Status) {
        let (Some(over), None) = (self.over, self.took) else { return };
        let Some(attempt) = self.proxy.attempts().into_iter().rfind(|attempt| *attempt >= over) else {
            return;
        };
        let Some(state) = status.camera(self.row.id) else { return };
        let begun = holdfast_tests::wall_micros() - i64::try_from(attempt.elapsed().as_micros()).unwrap();
        if state.state == "recording" && state.durable_until > begun {
            self.took = Some(attempt.elapsed());
        }
    }
}

#[test]
fn each_failure_is_told_for_what_it_is_and_recovery_follows_its_policy() {
    let stage = Stage::new().unwrap();
    let mut trials: Vec<Trial> = (1..).zip(rows()).map(|(tag, row)| Trial::new(tag, row)).collect();
    // The same without a fault of the proxy: a server that speaks no TLS, a name that is none, a codec that is none.
    let mut entries: Vec<CameraEntry> =
        trials.iter().map(|trial| CameraEntry::of(&trial.camera).by_way_of(&trial.proxy.url())).collect();
    let spare =
        VirtualCamera::start(CameraOptions::new("spare", 90, ClipSpec::small(VideoCodec::H264))).unwrap();
    let jpeg =
        VirtualCamera::start(CameraOptions::new("jpeg", 91, ClipSpec::small(VideoCodec::Jpeg))).unwrap();
    let named = |id: &str, url: String| CameraEntry { id: id.to_owned(), url, ..CameraEntry::of(&spare) };
    let jpeg_proxy = Proxy::start(&jpeg.url()).unwrap();
    entries.push(named("tls", spare.url().replace("rtsp://", "rtsps://")));
    entries.push(named("no-name", "rtsp://camera.invalid/main".to_owned()));
    entries.push(named("jpeg", jpeg_proxy.url()));
    let recorder = stage.record(&stage.configuration(entries)).unwrap();
    let all_record = |status: &Status| {
        rows().iter().all(|row| status.camera(row.id).is_some_and(|camera| camera.state == "recording"))
    };
    Status::until(&stage, &recorder, PATIENCE, "all rows record", all_record).unwrap();

    trials.iter().for_each(|trial| trial.proxy.set(trial.row.fault.clone()));
    let set = Instant::now();
    let never_worked = [
        ("tls", "TLS handshake or certificate refused"),
        ("no-name", "host name not found"),
        ("jpeg", "no video track that can be recorded"),
    ];
    let all_told = || {
        let log = recorder.log();
        let others =
            never_worked.iter().all(|(id, told)| !lines(&log, &[&format!("CAMERA={id}"), told]).is_empty());
        others && trials.iter().all(|trial| trial.is_told(&log))
    };
    let told = wait_until(PATIENCE, all_told);
    let log = recorder.log();
    let untold: Vec<_> =
        trials.iter().filter(|trial| !trial.is_told(&log)).map(|trial| trial.row.id).collect();
    assert!(told, "not told for what they are: {untold:?}\n{log}");
    println!("each told for what it is after {:.1?}", set.elapsed());

    // Healthy cameras were tried again at once: there is an attempt within a moment of the break, where one can be seen.
    let seen = |trial: &&Trial| trial.row.fault != Fault::Refused;
    let untried = || -> Vec<&str> {
        let tried = |trial: &&Trial| trial.proxy.attempts().iter().any(|attempt| *attempt >= set);
        trials.iter().filter(seen).filter(|trial| !tried(trial)).map(|trial| trial.row.id).collect()
    };
    assert!(wait_until(Duration::from_secs(10), || untried().is_empty()), "no attempt: {:?}", untried());
    for trial in &mut trials {
        trial.proxy.set(Fault::None);
        trial.over = Some(Instant::now());
    }
    recover(&stage, &recorder, &mut trials, set);
    assert_eq!(
        jpeg_proxy.attempts().len(),
        1,
        "a camera that cannot be recorded is probed each five minutes"
    );
    stage.stop(recorder).unwrap();
}

/// Waits until all are durable again, and judges how.
fn recover(stage: &Stage, recorder: &Recorder, trials: &mut [Trial], set: Instant) {
    let mut slow_attempts = 0;
    let done = wait_until(Duration::from_secs(150), || {
        let status = Status::ask(stage).unwrap_or_default();
        trials.iter_mut().for_each(|trial| trial.look(&status));
        if set.elapsed() < Duration::from_secs(50) {
            // One that met the refusal, and none since.
            let slow = trials.iter().filter(|trial| trial.row.retry == Retry::AfterAMinute);
            let attempts = |trial: &Trial| trial.proxy.attempts().iter().filter(|at| **at >= set).count();
            slow_attempts = slow.map(attempts).max().unwrap_or(0);
        }
        trials.iter().all(|trial| trial.took.is_some())
    });
    for trial in trials.iter() {
        println!("{:13} durable {:.1?} after its retry", trial.row.id, trial.took.unwrap_or_default());
    }
    assert!(done, "not all are back:\n{}", recorder.log());
    assert!(slow_attempts <= 1, "a refused password was tried {slow_attempts} times within 50 s");
    // 2 s and a GOP of 1 s are to be reached; ten times that is asserted.
    let slowest = trials.iter().filter_map(|trial| trial.took).max().unwrap();
    assert!(slowest < Duration::from_secs(30), "the slowest took {slowest:?}");
}
