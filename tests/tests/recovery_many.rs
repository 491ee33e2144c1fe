//! Many cameras at once against the real recorder: sixteen that are lost and return in one moment, and faults drawn from a
//! seed over all of them.
//!
//! `HOLDFAST_FAULTS=100` sets so many faults instead of 16 (some five minutes); `HOLDFAST_SEED=n` repeats a run.

use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::dice::Dice;
use holdfast_tests::paces::{self, Attempt};
use holdfast_tests::proxy::{Fault, Proxy};
use holdfast_tests::recorder::{CameraEntry, Recorder, Transport};
use holdfast_tests::stage::{PATIENCE, Stage};
use holdfast_tests::watch::Status;
use holdfast_tests::{wait_until, wall_micros};
use std::time::{Duration, Instant};

const CAMERAS: u32 = 16;

/// So that the log tells of every connection that is opened.
const DEBUG: &[(&str, &str)] = &[("HOLDFAST_LOG", "debug")];

/// So much durable video forgives earlier failures, and some more: then the next fault meets a healthy camera again.
const HEALTHY: Duration = Duration::from_secs(33);

fn scene(stage: &Stage) -> (Vec<VirtualCamera>, Vec<Proxy>, Recorder) {
    let cameras: Vec<VirtualCamera> = (0..CAMERAS)
        .map(|tag| {
            let options =
                CameraOptions::new(&format!("cam-{tag:02}"), tag, ClipSpec::small(VideoCodec::H264));
            VirtualCamera::start(options).unwrap()
        })
        .collect();
    let proxies: Vec<Proxy> = cameras.iter().map(|camera| Proxy::start(&camera.url()).unwrap()).collect();
    let entries =
        cameras.iter().zip(&proxies).map(|(camera, proxy)| CameraEntry::of(camera).by_way_of(&proxy.url()));
    let configuration = stage.configuration(entries.collect());
    let recorder = stage.record_with(&configuration, DEBUG).unwrap();
    Status::until_all_record(stage, &recorder, PATIENCE).unwrap();
    (cameras, proxies, recorder)
}

/// Within this, in microseconds, no more than four connections are opened.
const CROWD: i64 = 1_000_000;

/// By so much one of them may be seen later than it was opened, on two busy cores: the budget has the same to spare.
const LATE: i64 = 250_000;

/// In microseconds of UTC.
fn moments(attempts: Vec<Instant>) -> impl Iterator<Item = i64> {
    attempts.into_iter().map(|at| wall_micros() - at.elapsed().as_micros() as i64)
}

/// Most of them within a time.
fn densest(moments: &[i64], time: i64) -> usize {
    let within =
        |(place, from): (usize, &i64)| moments[place..].iter().take_while(|at| **at - from < time).count();
    moments.iter().enumerate().map(within).max().unwrap_or(0)
}

#[test]
fn sixteen_cameras_that_are_lost_and_return_at_once_are_asked_four_at_a_time_then_faults_one_by_one() {
    let stage = Stage::new().unwrap();
    let (_cameras, proxies, recorder) = scene(&stage);
    proxies.iter().for_each(|proxy| proxy.set(Fault::Reset));
    let none_left = || proxies.iter().all(|proxy| proxy.open() == 0);
    assert!(wait_until(PATIENCE, none_left));
    let network = |status: &Status| status.alarms.iter().any(|alarm| alarm.contains("the network"));
    let status = Status::until(&stage, &recorder, PATIENCE, "the network's alarm", network).unwrap();
    let own = status.alarms.iter().filter(|alarm| alarm.contains("does not record")).count();
    assert_eq!(own, 0, "the cameras' own alarms wait: {:?}", status.alarms);
    proxies.iter().for_each(|proxy| proxy.set(Fault::None));
    let back = Instant::now();
    Status::until_all_record(&stage, &recorder, Duration::from_secs(120)).unwrap();
    let recovered = back.elapsed();
    let (told, most) = judge_the_crowd("16 cameras that are lost", &recorder, &proxies);
    println!("all record again {recovered:.1?} after the fault's end");
    assert!(told >= 32, "each was lost, and tried again: {told} connections");
    assert!(most <= 4, "{most} in a second");

    faults(&stage, &recorder, &proxies);
    stage.stop(recorder).unwrap();
}

/// How many connections the recorder says that it opened, and how many of them in the densest second. Those are all: no more
/// are seen by the proxies.
fn judge_the_crowd(scene: &str, recorder: &Recorder, proxies: &[Proxy]) -> (usize, usize) {
    // What the proxies have seen by then was told before it was opened.
    let mut seen: Vec<i64> = proxies.iter().flat_map(|proxy| moments(proxy.attempts())).collect();
    seen.sort_unstable();
    let told = paces::connections(&recorder.log());
    let (most, on_the_wire) = (densest(&told, CROWD), densest(&seen, CROWD - LATE));
    println!(
        "{scene}: {} connections, at most {most} in a second; {} seen on the wire, at most {on_the_wire} in less",
        told.len(),
        seen.len()
    );
    assert!(seen.len() <= told.len(), "{} connections on the wire, and {} are told", seen.len(), told.len());
    assert!(on_the_wire <= 4, "{on_the_wire} on the wire within {} µs", CROWD - LATE);
    (told.len(), most)
}

#[test]
fn sixteen_cameras_that_cannot_be_reached_are_asked_and_diagnosed_four_at_a_time() {
    let stage = Stage::new().unwrap();
    // Who listens speaks no TLS: a connection is had, and neither the attempt nor what asks why gets any further.
    let proxies: Vec<Proxy> =
        (0..CAMERAS).map(|_| Proxy::start("rtsp://127.0.0.1:9/main").unwrap()).collect();
    proxies.iter().for_each(|proxy| proxy.set(Fault::Closed));
    let entry = |(tag, proxy): (usize, &Proxy)| CameraEntry {
        id: format!("cam-{tag:02}"),
        url: proxy.url().replace("rtsp:", "rtsps:"),
        login: None,
        transport: Transport::Tcp,
        audio: false,
        fallback: None,
    };
    let configuration = stage.configuration(proxies.iter().enumerate().map(entry).collect());
    let recorder = stage.record_with(&configuration, DEBUG).unwrap();
    let all_failed_twice = || {
        let log = recorder.log();
        (0..CAMERAS).all(|tag| paces::failures(&log, &format!("cam-{tag:02}")).len() >= 2)
    };
    assert!(wait_until(2 * PATIENCE, all_failed_twice), "{}", recorder.log());
    let tls = |failed: &paces::Failed| failed.said.contains("TLS");
    assert!(paces::failures(&recorder.log(), "cam-00").iter().all(tls), "the reason is told");
    let (told, most) = judge_the_crowd("16 cameras out of reach", &recorder, &proxies);
    assert!(told >= 4 * CAMERAS as usize, "each attempt is followed by a diagnosis: {told} connections");
    assert!(most <= 4, "{most} in a second");
    stage.stop(recorder).unwrap();
}

/// A fault that a camera is under, or recovers from.
struct Trial {
    kind: &'static str,
    ends: Instant,
    /// When it ended, in microseconds of UTC.
    over: Option<i64>,
}

fn faults(stage: &Stage, recorder: &Recorder, proxies: &[Proxy]) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let wanted = number("HOLDFAST_FAULTS").unwrap_or(16) as usize;
    let seed = number("HOLDFAST_SEED").unwrap_or_else(|| wall_micros() as u64);
    println!("{wanted} faults from seed {seed}");
    let mut dice = Dice(seed);
    let mut took: Vec<(Duration, &'static str)> = Vec::new();
    let mut running: Vec<Option<Trial>> = proxies.iter().map(|_| None).collect();
    let mut healthy: Vec<Instant> = proxies.iter().map(|_| Instant::now() + HEALTHY).collect();
    let mut begun = 0;
    let done = wait_until(Duration::from_secs(120 + 8 * wanted as u64), || {
        let status = Status::ask(stage).unwrap_or_default();
        let attempts = paces::attempts(&recorder.log());
        for (place, proxy) in proxies.iter().enumerate() {
            match &mut running[place] {
                None if begun < wanted && healthy[place] <= Instant::now() => {
                    let (kind, fault, lasts) = draw(&mut dice);
                    proxy.set(fault);
                    running[place] = Some(Trial { kind, ends: Instant::now() + lasts, over: None });
                    begun += 1;
                }
                None => {}
                Some(trial) if trial.over.is_none() && trial.ends <= Instant::now() => {
                    proxy.set(Fault::None);
                    trial.over = Some(wall_micros());
                }
                Some(trial) => {
                    let Some(recovered) = recovered(&status, place, &attempts, trial) else { continue };
                    took.push((recovered, trial.kind));
                    running[place] = None;
                    healthy[place] = Instant::now() + HEALTHY;
                }
            }
        }
        took.len() == wanted
    });
    took.sort_unstable();
    let log = recorder.log();
    let times: Vec<Duration> = took.iter().map(|(took, _)| *took).collect();
    let bound = paces::bound(&log);
    println!(
        "durable again after its first retry, or after the fault where the connection lived: median and 99th percentile {:.1?}, of {}; the machine's factor {:.1}, allowed {bound:.1?}",
        paces::percentiles(&times),
        took.len(),
        paces::factor(&log)
    );
    assert!(done, "only {} of {wanted} are over:\n{log}", took.len());
    assert_eq!(paces::judge(&log, &times), [""; 0], "{took:?}\n{log}");
}

/// How long after the later of its end and the first attempt since there was durable footage.
fn recovered(status: &Status, place: usize, attempts: &[Attempt], trial: &Trial) -> Option<Duration> {
    let (over, name) = (trial.over?, format!("cam-{place:02}"));
    let state = status.camera(&name).filter(|state| state.state == "recording")?;
    let retry = attempts.iter().find(|attempt| attempt.camera == name && attempt.at >= over);
    let since = retry.map_or(over, |attempt| attempt.at);
    (state.durable_until > since).then(|| Duration::from_micros(wall_micros().abs_diff(since)))
}

/// A fault, and for how long.
fn draw(dice: &mut Dice) -> (&'static str, Fault, Duration) {
    let millis = |dice: &mut Dice, from: u64, to: u64| Duration::from_millis(from + dice.below(to - from));
    match dice.below(7) {
        0 => ("refused", Fault::Refused, millis(dice, 200, 3000)),
        1 => ("reset", Fault::Reset, millis(dice, 100, 2000)),
        2 => ("closed", Fault::Closed, millis(dice, 100, 2000)),
        3 => ("half-closed", Fault::HalfClosed, millis(dice, 100, 2000)),
        // Short ones end before they are a stall: the connection lives.
        4 => ("silent", Fault::Silent, millis(dice, 2000, 16_000)),
        5 => ("late", Fault::Late(Duration::from_millis(150)), millis(dice, 1000, 4000)),
        _ => ("503", Fault::Status { method: "", code: 503, headers: "" }, millis(dice, 100, 2000)),
    }
}
