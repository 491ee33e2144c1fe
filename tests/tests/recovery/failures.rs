//! Each kind of failure against the real recorder: it is told for what it is, recovery begins as its policy says, and the
//! camera is durable again soon after the fault's end when its retry comes.
//!
//! All rows run side by side in one recorder, each camera behind a proxy of its own, so that the whole takes the time of the
//! slowest: a refused password is tried again after a minute. Their faults begin one after the other: cameras that are lost together
//! are lost to the network, and then tried again when it is back, whatever their ladders say.
//!
//! A fault breaks the connection of a camera that was healthy. So the first retry comes at once; it meets the fault, and the next
//! one comes when the policy for what it met says. The moments are the recorder's own, by its log.

use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::paces::{self, Attempt};
use holdfast_tests::proxy::{Fault, Proxy};
use holdfast_tests::recorder::{CameraEntry, Recorder};
use holdfast_tests::script::{Answer, CHALLENGE, UNKNOWN_CODEC};
use holdfast_tests::stage::{PATIENCE, Stage, lines};
use holdfast_tests::watch::Status;
use holdfast_tests::{wait_until, wall_micros};
use std::time::{Duration, Instant};

/// When a camera is tried again after it failed by what its first retry met.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Retry {
    /// It climbs the ladder: within 5, 10, 20 ... s.
    Climbs,
    /// The same, but it begins at 20 s, since what takes the room may be our own old session.
    Busy,
    /// After a minute, since cameras lock out who tries too often.
    AfterAMinute,
    /// Only a person can change it: it is looked at again after five minutes, longer than this test.
    Seldom,
}

/// The bounds of the ladder's waits, as [recovery.md](../../../app/docs/recovery.md) has them.
const RUNGS: [u64; 5] = [5, 10, 20, 40, 60];

/// So much later than its wait says an attempt may come: thirty times what the tear-down before it was seen to take.
const PROMPT: Duration = Duration::from_secs(3);

/// A decision is logged this much later at most, so that what comes after it seems earlier.
const LOGGED: Duration = Duration::from_millis(100);

/// Between the beginnings of two faults: no more than eight in the 12 s in which what is lost is lost together.
const SPACING: Duration = Duration::from_millis(1500);

impl Retry {
    /// After the failure of this number in a row, from 1, for a camera that was healthy: how long is waited at least and at
    /// most, and what is said of it. `None`: for longer than this test lasts.
    fn wait(self, count: u32) -> Option<(Duration, Duration, &'static str)> {
        if count <= 1 {
            return Some((Duration::ZERO, Duration::ZERO, "at once, since it had been healthy"));
        }
        let rung = |from: usize| {
            let rung = (count as usize - 2 + from).min(RUNGS.len() - 1);
            Some((Duration::ZERO, Duration::from_secs(RUNGS[rung]), "and its wait is over"))
        };
        let minute = Duration::from_secs(60);
        match self {
            Retry::Climbs => rung(0),
            Retry::Busy => rung(2),
            Retry::AfterAMinute if count == 2 => Some((minute, minute, "and its wait is over")),
            Retry::AfterAMinute | Retry::Seldom => None,
        }
    }
}

struct Row {
    id: &'static str,
    fault: Fault,
    /// The words of the failure, as `wire` has them.
    told: &'static str,
    retry: Retry,
    /// Which failure in a row is told so: the one of the retry that met the fault, or the first, where the fault is a stall.
    count: u32,
}

fn status(method: &'static str, code: u16, headers: &'static str) -> Fault {
    Fault::Status { method, code, headers }
}

fn rows() -> Vec<Row> {
    use Retry::{AfterAMinute, Busy, Climbs, Seldom};
    let at = Fault::At;
    let nothing = "no video track that can be recorded";
    let closed = "connection closed by the camera";
    let row = |id, fault, told, retry| Row { id, fault, told, retry, count: 2 };
    let stall = |id, fault, told, retry| Row { id, fault, told, retry, count: 1 };
    // Those that take longest begin first.
    vec![
        row(
            "unauthorized",
            status("DESCRIBE", 401, CHALLENGE),
            "user or password refused (RTSP 401)",
            AfterAMinute,
        ),
        row("no-challenge", status("DESCRIBE", 401, ""), "user or password refused (RTSP 401)", AfterAMinute),
        row("forbidden", status("DESCRIBE", 403, ""), "access forbidden (RTSP 403)", AfterAMinute),
        stall("silent", Fault::Silent, "connected, but no video arrives", Climbs),
        row("gone", Fault::Gone, "no answer in time", Climbs),
        row("mute", at("", Answer::Silence), "no answer in time", Climbs),
        row("refused", Fault::Refused, "connection refused", Climbs),
        row("reset", Fault::Reset, closed, Climbs),
        row("closed", Fault::Closed, closed, Climbs),
        row("half-closed", Fault::HalfClosed, closed, Climbs),
        row("ends-at-describe", at("DESCRIBE", Answer::HangUp), closed, Climbs),
        row("ends-at-play", at("PLAY", Answer::HangUp), closed, Climbs),
        row("ends-early", Fault::CutAfter(700), closed, Climbs),
        row("nonsense", Fault::Nonsense, closed, Climbs),
        row("goodbye", Fault::Bye, "stream ended by the camera (RTCP BYE)", Climbs),
        row("not-found", status("DESCRIBE", 404, ""), "stream path not found", Climbs),
        row("moved", status("DESCRIBE", 410, ""), "stream path not found", Climbs),
        row("bandwidth", status("SETUP", 453, ""), "camera's session or bandwidth limit reached", Busy),
        row("no-session", status("PLAY", 454, ""), "camera's session or bandwidth limit reached", Busy),
        row("unavailable", status("", 503, ""), "camera's server unavailable (RTSP 5xx)", Busy),
        row("broken", status("SETUP", 500, ""), "camera's server unavailable (RTSP 5xx)", Busy),
        row("no-transport", status("SETUP", 461, ""), "transport not supported (RTSP 461)", Climbs),
        row("no-codec", at("DESCRIBE", Answer::Description(UNKNOWN_CODEC)), nothing, Seldom),
    ]
}

/// One row at work.
struct Trial {
    row: Row,
    camera: VirtualCamera,
    proxy: Proxy,
    /// When its fault began and ended, in microseconds of UTC.
    set: Option<i64>,
    over: Option<i64>,
    /// From the fault's end, or the first attempt after it, to durable footage.
    took: Option<Duration>,
}

impl Trial {
    fn new(tag: u32, row: Row) -> Trial {
        let options = CameraOptions::new(row.id, tag, ClipSpec::small(VideoCodec::H264));
        let camera = VirtualCamera::start(options).unwrap();
        let proxy = Proxy::start(&camera.url()).unwrap();
        Trial { row, camera, proxy, set: None, over: None, took: None }
    }

    fn begin(&mut self) {
        // The log's moments are cut to milliseconds.
        self.set = Some(wall_micros() / 1000 * 1000);
        self.proxy.set(self.row.fault.clone());
    }

    fn is_told(&self, log: &str) -> bool {
        let (words, count) = (self.row.told, self.row.count);
        paces::failures(log, self.row.id)
            .iter()
            .any(|failed| failed.count >= count && failed.said.contains(words))
    }

    /// Its attempts since its fault began.
    fn attempts(&self, log: &str) -> Vec<Attempt> {
        let since = self.set.unwrap_or(i64::MAX);
        let own = |attempt: &Attempt| attempt.camera == self.row.id && attempt.at >= since;
        paces::attempts(log).into_iter().filter(own).collect()
    }

    /// Notes recovery: durable footage from after the fault's end, or after the first attempt where one came later.
    fn look(&mut self, status: &Status, log: &str) {
        let (Some(over), None) = (self.over, self.took) else { return };
        let Some(state) = status.camera(self.row.id).filter(|state| state.state == "recording") else {
            return;
        };
        let retry = self.attempts(log).into_iter().map(|attempt| attempt.at).find(|at| *at >= over);
        let since = retry.unwrap_or(over);
        if state.durable_until > since {
            self.took = Some(Duration::from_micros(wall_micros().abs_diff(since)));
        }
    }

    /// Whether each attempt came when the policy says: one sentence for each that did not.
    fn judge(&self, log: &str) -> Vec<String> {
        let (id, set) = (self.row.id, self.set.unwrap_or(i64::MAX));
        let (attempts, mut findings) = (self.attempts(log), Vec::new());
        let failures: Vec<_> =
            paces::failures(log, id).into_iter().filter(|failed| failed.at >= set).collect();
        if failures.first().is_none_or(|failed| failed.count != 1) {
            findings.push(format!("{id}: the first failure is not told: {failures:?}"));
        }
        for failed in failures {
            let next = attempts.iter().find(|next| next.at >= failed.at && next.failures == failed.count);
            let waited = next.map(|next| Duration::from_micros(next.at.abs_diff(failed.at)));
            println!("{id:17} failure {} is followed by an attempt after {waited:.1?}", failed.count);
            let fits = match (self.row.retry.wait(failed.count), next.zip(waited)) {
                (None, next) => next.is_none(),
                (Some(_), None) => false,
                (Some((least, most, why)), Some((next, waited))) => {
                    next.said.contains(why) && waited + LOGGED >= least && waited <= most + PROMPT
                }
            };
            if !fits {
                findings.push(format!("{id}: {failed:?} is followed by {next:?} after {waited:?}"));
            }
        }
        findings
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

    recover(&stage, &recorder, &mut trials);
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
    assert_eq!(
        jpeg_proxy.attempts().len(),
        1,
        "a camera that cannot be recorded is probed each five minutes"
    );
    stage.stop(recorder).unwrap();
}

/// Begins the faults one after the other, ends each when it was told for what it is, waits until all are durable again, and
/// judges how.
fn recover(stage: &Stage, recorder: &Recorder, trials: &mut [Trial]) {
    let begun = Instant::now();
    // Each fault lasts until it was told for what it is, and no longer: the longer it lasts the longer are the waits.
    let done = wait_until(Duration::from_secs(240), || {
        let (log, status) = (recorder.log(), Status::ask(stage).unwrap_or_default());
        for (place, trial) in (0u32..).zip(trials.iter_mut()) {
            if trial.set.is_none() && begun.elapsed() >= SPACING * place {
                trial.begin();
            } else if trial.over.is_none() && trial.is_told(&log) {
                trial.proxy.set(Fault::None);
                trial.over = Some(wall_micros());
            }
            trial.look(&status, &log);
        }
        let over = |trial: &Trial| match trial.row.retry {
            Retry::Seldom => trial.over.is_some(),
            Retry::Climbs | Retry::Busy | Retry::AfterAMinute => trial.took.is_some(),
        };
        trials.iter().all(over)
    });
    let log = recorder.log();
    let mut findings: Vec<String> = trials.iter().flat_map(|trial| trial.judge(&log)).collect();
    for trial in trials.iter() {
        println!("{:17} durable {:.1?} after its fault's end or its retry", trial.row.id, trial.took);
    }
    let took: Vec<Duration> = trials.iter().filter_map(|trial| trial.took).collect();
    let bound = paces::bound(&log);
    println!(
        "recovery: median and 99th percentile {:.1?} of {}; the machine's factor {:.1}, allowed {bound:.1?}",
        paces::percentiles(&took),
        took.len(),
        paces::factor(&log)
    );
    let untold: Vec<_> =
        trials.iter().filter(|trial| trial.over.is_none()).map(|trial| trial.row.id).collect();
    assert!(untold.is_empty(), "not told for what they are: {untold:?}\n{log}");
    assert!(done, "not all are back:\n{log}");
    findings.extend(paces::judge(&log, &took));
    assert!(findings.is_empty(), "{findings:#?}\n{log}");
}
