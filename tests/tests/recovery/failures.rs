//! Each kind of failure against the real recorder: it is told for what it is, recovery begins as its policy says, and the
//! camera is durable again soon after the fault's end when its retry comes.
//!
//! All rows run side by side in one recorder, each camera behind a proxy of its own, so that the whole takes the time of the
//! slowest: a refused password is tried again after a minute.

use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::proxy::{Fault, Proxy};
use holdfast_tests::recorder::{CameraEntry, Recorder};
use holdfast_tests::script::{Answer, CHALLENGE, UNKNOWN_CODEC};
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
    /// The same, and what it meets only a person can change: it is looked at again after five minutes, longer than this test.
    Seldom,
}

struct Row {
    id: &'static str,
    fault: Fault,
    /// The words of the failure, as `wire` has them.
    told: &'static str,
    retry: Retry,
}

fn status(method: &'static str, code: u16, headers: &'static str) -> Fault {
    Fault::Status { method, code, headers }
}

fn rows() -> Vec<Row> {
    use Retry::{AfterAMinute, AtOnce, Seldom};
    let at = Fault::At;
    let nothing = "no video track that can be recorded";
    let closed = "connection closed by the camera";
    let row = |id, fault, told, retry| Row { id, fault, told, retry };
    vec![
        row("refused", Fault::Refused, "connection refused", AtOnce),
        row("reset", Fault::Reset, closed, AtOnce),
        row("closed", Fault::Closed, closed, AtOnce),
        row("half-closed", Fault::HalfClosed, closed, AtOnce),
        row("silent", Fault::Silent, "connected, but no video arrives", AtOnce),
        row("gone", Fault::Gone, "no answer in time", AtOnce),
        row("mute", at("", Answer::Silence), "no answer in time", AtOnce),
        row("ends-at-describe", at("DESCRIBE", Answer::HangUp), closed, AtOnce),
        row("ends-at-play", at("PLAY", Answer::HangUp), closed, AtOnce),
        row("ends-early", Fault::CutAfter(700), closed, AtOnce),
        row("nonsense", Fault::Nonsense, closed, AtOnce),
        row("goodbye", Fault::Bye, "stream ended by the camera (RTCP BYE)", AtOnce),
        row(
            "unauthorized",
            status("DESCRIBE", 401, CHALLENGE),
            "user or password refused (RTSP 401)",
            AfterAMinute,
        ),
        row("no-challenge", status("DESCRIBE", 401, ""), "user or password refused (RTSP 401)", AfterAMinute),
        row("forbidden", status("DESCRIBE", 403, ""), "access forbidden (RTSP 403)", AfterAMinute),
        row("not-found", status("DESCRIBE", 404, ""), "stream path not found", AtOnce),
        row("moved", status("DESCRIBE", 410, ""), "stream path not found", AtOnce),
        row("bandwidth", status("SETUP", 453, ""), "camera's session or bandwidth limit reached", AtOnce),
        row("no-session", status("PLAY", 454, ""), "camera's session or bandwidth limit reached", AtOnce),
        row("unavailable", status("", 503, ""), "camera's server unavailable (RTSP 5xx)", AtOnce),
        row("broken", status("SETUP", 500, ""), "camera's server unavailable (RTSP 5xx)", AtOnce),
        row("no-transport", status("SETUP", 461, ""), "transport not supported (RTSP 461)", AtOnce),
        row("no-codec", at("DESCRIBE", Answer::Description(UNKNOWN_CODEC)), nothing, Seldom),
    ]
}

/// One row at work.
struct Trial {
    row: Row,
    camera: VirtualCamera,
    proxy: Proxy,
    /// When its fault ended.
    over: Option<Instant>,
    /// From the fault's end, or the attempt that succeeded, to durable footage.
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

    /// Ends its fault. A camera that was healthy was tried again at once: there is an attempt, where one can be seen.
    fn end(&mut self, set: Instant) {
        let seen = !matches!(self.row.fault, Fault::Refused | Fault::Gone);
        let tried = || self.proxy.attempts().iter().any(|attempt| *attempt >= set);
        assert!(!seen || wait_until(Duration::from_secs(10), tried), "{}: no attempt", self.row.id);
        self.proxy.set(Fault::None);
        self.over = Some(Instant::now());
    }

    /// Notes recovery: durable footage from after the fault's end, and after the retry where one came later.
    fn look(&mut self, status: &Status) {
        let (Some(over), None) = (self.over, self.took) else { return };
        let retry = self.proxy.attempts().into_iter().rfind(|attempt| *attempt >= over).unwrap_or(over);
        let Some(state) = status.camera(self.row.id) else { return };
        let begun = holdfast_tests::wall_micros() - i64::try_from(retry.elapsed().as_micros()).unwrap();
        if state.state == "recording" && state.durable_until > begun {
            self.took = Some(retry.elapsed());
        }
    }
}

pub fn each_failure_is_told_for_what_it_is_and_recovery_follows_its_policy() {
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

    let set = Instant::now();
    trials.iter().for_each(|trial| trial.proxy.set(trial.row.fault.clone()));
    // Each fault lasts until it was told for what it is, and no longer: the longer it lasts the longer are the waits.
    let told = wait_until(PATIENCE, || {
        let log = recorder.log();
        let status = Status::ask(&stage).unwrap_or_default();
        trials.iter_mut().for_each(|trial| trial.look(&status));
        for trial in trials.iter_mut().filter(|trial| trial.over.is_none() && trial.is_told(&log)) {
            println!("{:17} told for what it is after {:.1?}", trial.row.id, set.elapsed());
            trial.end(set);
        }
        trials.iter().all(|trial| trial.over.is_some())
    });
    let untold: Vec<_> =
        trials.iter().filter(|trial| trial.over.is_none()).map(|trial| trial.row.id).collect();
    assert!(told, "not told for what they are: {untold:?}\n{}", recorder.log());
    let never_worked = [
        ("tls", "TLS handshake or certificate refused"),
        ("no-name", "host name not found"),
        ("jpeg", "no video track that can be recorded"),
    ];
    let others = || {
        let log = recorder.log();
        never_worked.iter().all(|(id, told)| !lines(&log, &[&format!("CAMERA={id}"), told]).is_empty())
    };
    assert!(wait_until(PATIENCE, others), "{}", recorder.log());
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
            let slow = trials.iter().filter(|trial| trial.row.retry != Retry::AtOnce);
            let attempts = |trial: &Trial| trial.proxy.attempts().iter().filter(|at| **at >= set).count();
            slow_attempts = slow.map(attempts).max().unwrap_or(0);
        }
        trials.iter().filter(|trial| trial.row.retry != Retry::Seldom).all(|trial| trial.took.is_some())
    });
    for trial in trials.iter() {
        println!("{:17} durable {:.1?} after its retry", trial.row.id, trial.took);
    }
    assert!(done, "not all are back:\n{}", recorder.log());
    assert!(slow_attempts <= 1, "what only a person can mend was tried {slow_attempts} times within 50 s");
    // 2 s and a GOP of 1 s are to be reached; ten times that is asserted.
    let slowest = trials.iter().filter_map(|trial| trial.took).max().unwrap();
    assert!(slowest < Duration::from_secs(30), "the slowest took {slowest:?}");
}
