//! Cameras as they come in life, on one recorder: transports, passwords, kinds of sound, B-frames, another
//! resolution, stalls and restarts. What could be recorded is there; what could not has its cause.

use holdfast_tests::camera::{Auth, CameraOptions, SentFrame, Sound, Transports, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::feeder::Fate;
use holdfast_tests::recorder::{CameraEntry, Recorder, Transport};
use holdfast_tests::report::{CameraReport, Gap};
use holdfast_tests::sound::SoundCodec;
use holdfast_tests::stage::{PATIENCE, Stage, lines, wait_for_frames};
use holdfast_tests::{hearing, read, wait_until};
use std::collections::HashSet;
use std::time::Duration;

/// How exact a gap's ends have to be, in microseconds: a keyframe interval, a fragment.
const GAP_TOLERANCE: i64 = 2_000_000;

/// Frames of a second.
const SECOND: usize = 25;

fn camera(name: &str, tag: u32) -> CameraOptions {
    CameraOptions::new(name, tag, ClipSpec::small(VideoCodec::H264))
}

fn start(options: impl IntoIterator<Item = CameraOptions>) -> Vec<VirtualCamera> {
    options.into_iter().map(|options| VirtualCamera::start(options).unwrap()).collect()
}

fn login(password: &str) -> (String, String) {
    ("viewer".to_owned(), password.to_owned())
}

/// Fetches this many more seconds of a camera.
fn watch(camera: &VirtualCamera, seconds: usize) {
    let patience = PATIENCE + Duration::from_secs(seconds as u64);
    wait_for_frames(camera, camera.frames_sent() + seconds * SECOND, patience).unwrap();
}

/// Whole cameras have to be recorded whole, whatever their kind.
#[test]
fn every_kind_of_camera_that_can_be_recorded_is_recorded_whole() {
    let stage = Stage::new().unwrap();
    let (basic, digest) = (login("basic-canary-7301"), login("digest-canary-7302"));
    let b_frames = ClipSpec::small(VideoCodec::H264).with_b_frames(3);
    let sends = |options: CameraOptions, codec| options.sound(Sound::Sends(codec));
    let cameras = start([
        sends(camera("udp", 1), SoundCodec::Aac),
        camera("basic", 2).auth(Auth::Basic { user: basic.0, password: basic.1.clone() }),
        sends(camera("digest", 3), SoundCodec::Aac)
            .auth(Auth::Digest { user: digest.0, password: digest.1.clone() }),
        camera("refuses-tcp", 4).transports(Transports::UdpOnly),
        camera("never-sounds", 5).sound(Sound::DeclaredOnly),
        sends(camera("unheard", 6), SoundCodec::Aac),
        sends(camera("opus", 7), SoundCodec::Opus),
        sends(camera("pcmu", 8), SoundCodec::Pcmu),
        sends(CameraOptions::new("pyramid-a", 9, b_frames), SoundCodec::Pcma),
        sends(CameraOptions::new("pyramid-b", 10, b_frames), SoundCodec::Aac),
        sends(CameraOptions::new("pyramid-c", 11, b_frames), SoundCodec::Opus),
        camera("resized", 12),
    ]);
    let mut entries: Vec<CameraEntry> = cameras.iter().map(CameraEntry::of).collect();
    // With B-frames too: time that runs back is not lateness.
    entries[0].transport = Transport::Udp;
    entries[10].transport = Transport::Udp;
    entries[5].audio = false;
    let recorder = stage.record(&stage.configuration(entries)).unwrap();
    for camera in &cameras {
        wait_for_frames(camera, 5 * SECOND, PATIENCE).unwrap();
    }
    let resized = &cameras[11];
    resized.change_video(resized.video().with_size(480, 270)).unwrap();
    watch(&cameras[3], 17);
    let log = recorder.log();
    let stop = stage.stop(recorder).unwrap();

    let mut findings = Vec::new();
    let report = stage.report().unwrap();
    for camera in &cameras {
        let name = camera.name();
        // Its sound is switched off: that is judged below.
        let wanted = |finding: &String| name != "unheard" || !finding.contains("sound beside");
        findings.extend(stage.judge(camera, stop).unwrap().into_iter().filter(wanted));
        let account = report.camera(name).unwrap();
        findings.extend(account.faults());
        if !matches!(account.causes()[..], [] | ["connecting after start"]) {
            findings.push(format!("{name}: its gaps are {:?}", account.causes()));
        }
        let parts = stage.footage(name).unwrap();
        match camera.sound() {
            Sound::Sends(codec) if name != "unheard" => {
                let said = hearing::continuity(codec, &parts);
                findings.extend(said.into_iter().map(|said| format!("{name}: {said}")));
                let lag = hearing::lag(camera, codec, &parts).unwrap();
                let kept = matches!(codec, SoundCodec::Aac | SoundCodec::Opus);
                if lag.is_some_and(|lag| lag.abs() > 200_000) || lag.is_none() && kept {
                    findings.push(format!("{name}: sound is {lag:?} µs late against the picture"));
                }
            }
            Sound::Sends(_) | Sound::None | Sound::DeclaredOnly => {
                for (path, footage) in &parts {
                    let streams = read::ffprobe_ok(path).unwrap()["streams"].as_array().map(Vec::len);
                    if streams != Some(1) || !footage.sound.is_empty() {
                        findings.push(format!("{name}: {} has a sound track", path.display()));
                    }
                }
            }
        }
    }
    assert_eq!(findings, [""; 0], "the recorder had said:\n{log}");

    let ways = |name: &str| lines(&log, &["connecting over", &format!("CAMERA={name}")]).len();
    assert_eq!(lines(&log, &["connecting over UDP", "CAMERA=refuses-tcp"]).len(), 1, "{log}");
    assert_eq!((ways("refuses-tcp"), ways("udp"), ways("basic"), ways("digest")), (2, 1, 1, 1), "{log}");
    for password in [basic.1, digest.1] {
        assert!(!log.contains(&password), "a password is in the log");
    }
    let widths: Vec<String> = stage
        .footage("resized")
        .unwrap()
        .iter()
        .map(|(path, _)| {
            let stream = &read::ffprobe_ok(path).unwrap()["streams"][0];
            format!("{}x{}", stream["width"], stream["height"])
        })
        .collect();
    let (small, large): (Vec<_>, Vec<_>) = widths.iter().partition(|size| *size == "320x180");
    assert!(!small.is_empty() && !large.is_empty(), "{widths:?}");
    assert!(large.iter().all(|size| *size == "480x270") && widths.is_sorted(), "{widths:?}");
}

/// The gap that a fault made: the only one but the start's, told in one piece or in several that touch. Its cause
/// is that of the first piece.
fn one_gap(account: &CameraReport) -> Gap {
    let mut gaps = account.gaps.iter().filter(|gap| gap.cause != "starting").cloned();
    let mut whole = gaps.next().unwrap_or_else(|| panic!("{}: {:?}", account.camera, account.gaps));
    for piece in gaps {
        assert!((piece.from - whole.to).abs() <= 1000, "{}: {:?}", account.camera, account.gaps);
        (whole.to, whole.micros) = (piece.to, whole.micros + piece.micros);
    }
    whole
}

/// Every frame that was sent is in the files once, in order, but those that lie in a gap of the account.
fn assert_nothing_untold(stage: &Stage, camera: &VirtualCamera, account: &CameraReport, stop: i64) {
    let name = camera.name();
    let parts = stage.footage(name).unwrap();
    let numbers: Vec<u64> = parts.iter().flat_map(|(_, footage)| footage.numbers()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{name}: frames are doubled or out of order");
    let there: HashSet<u64> = numbers.iter().copied().collect();
    let told = |frame: &SentFrame| {
        let at = frame.wall_micros;
        account.gaps.iter().any(|gap| (gap.from - 500_000..gap.to + 500_000).contains(&at))
    };
    let log = camera.log();
    let owed = log.iter().filter(|frame| frame.fate == Fate::Sent && frame.wall_micros < stop - 500_000);
    let untold: Vec<u64> = owed
        .filter(|frame| !there.contains(&frame.number) && !told(frame))
        .map(|frame| frame.number)
        .collect();
    assert!(untold.is_empty(), "{name}: missing, and in no gap: {untold:?}; gaps: {:?}", account.gaps);
    for (path, _) in &parts {
        read::plays(path).unwrap();
    }
    assert_eq!(account.faults(), [""; 0]);
}

/// The frames of a camera that met this fate while it was broken, as a span on the wall clock.
fn span_of(camera: &VirtualCamera, fate: Fate, broken: i64, stop: i64) -> (i64, i64) {
    let log = camera.filmed_between(broken, stop);
    let mut times = log.iter().filter(|frame| frame.fate == fate).map(|frame| frame.wall_micros);
    let first = times.next().expect("the fault left no trace");
    (first, times.next_back().unwrap_or(first))
}

#[test]
fn what_cannot_be_recorded_is_told_once_and_what_was_missed_has_its_cause_and_its_span() {
    let stage = Stage::new().unwrap();
    let right = Auth::Digest { user: "viewer".to_owned(), password: "right".to_owned() };
    let mut cameras = start([
        camera("steady", 1),
        camera("stalls", 2).sound(Sound::Sends(SoundCodec::Aac)),
        camera("restarts", 3).sound(Sound::Sends(SoundCodec::Pcma)).metadata(),
        camera("locked", 4).auth(right),
        CameraOptions::new("webcam", 5, ClipSpec::small(VideoCodec::Jpeg)),
        camera("falls-silent", 6).sound(Sound::Sends(SoundCodec::Pcma)),
    ]);
    let mut entries: Vec<CameraEntry> = cameras.iter().map(CameraEntry::of).collect();
    let wrong = login("wrong-canary-7303");
    entries[3].login = Some(wrong.clone());
    let configuration = stage.configuration(entries).limit("stall", "3s");
    let recorder = stage.record(&configuration).unwrap();
    for at in [0, 1, 2, 5] {
        wait_for_frames(&cameras[at], 5 * SECOND, PATIENCE).unwrap();
    }
    let recording = |recorder: &Recorder, name: &str| {
        let name = format!("CAMERA={name}");
        recorder.log().lines().filter(|line| line.ends_with(&name) && line.contains(": recording")).count()
    };
    for name in ["steady", "stalls", "restarts", "falls-silent"] {
        assert!(wait_until(PATIENCE, || recording(&recorder, name) == 1), "{name}: {}", recorder.log());
    }
    let broken = holdfast_tests::wall_micros();
    cameras[1].stall();
    cameras[2].stop();
    cameras[5].silence_sound(true);
    watch(&cameras[0], 3);
    cameras[5].silence_sound(false);
    let sounds_again = holdfast_tests::wall_micros();
    watch(&cameras[0], 9);
    cameras[1].resume();
    cameras[2].restart().unwrap();
    for name in ["stalls", "restarts"] {
        let again = wait_until(PATIENCE * 2, || recording(&recorder, name) == 2);
        assert!(again, "{name} is not recorded again: {}", recorder.log());
    }
    watch(&cameras[0], 6);
    let seconds = cameras[0].log().len() / SECOND;
    let log = recorder.log();
    let stop = stage.stop(recorder).unwrap();

    let report = stage.report().unwrap();
    assert_eq!(stage.judge(&cameras[0], stop).unwrap(), [""; 0], "{log}");
    let cases = [
        (1, vec!["camera: connected, but no video arrives"], Fate::Stalled),
        (2, vec!["camera: connection closed by the camera", "camera: connection refused"], Fate::Unwatched),
    ];
    for (at, causes, fate) in cases {
        let (camera, account) = (&cameras[at], report.camera(cameras[at].name()).unwrap());
        let gap = one_gap(account);
        assert!(causes.contains(&gap.detail.as_str()), "{}: {gap:?}\n{log}", camera.name());
        let (from, to) = span_of(camera, fate, broken, stop);
        assert!((gap.from - from).abs() < GAP_TOLERANCE, "{}: {gap:?}, frames from {from}", camera.name());
        assert!(gap.to > to - 500_000 && gap.from < to, "{}: {gap:?}, frames until {to}", camera.name());
        let parts = stage.footage(camera.name()).unwrap();
        let marks = parts.iter().flat_map(|(_, footage)| &footage.video).filter_map(|sample| sample.mark);
        let back = marks.map(|mark| mark.wall_micros).find(|at| *at > to).unwrap();
        assert!((gap.to - back).abs() < GAP_TOLERANCE, "{}: {gap:?}, frames again at {back}", camera.name());
        assert_nothing_untold(&stage, camera, account, stop);
    }

    let tracks = lines(&log, &["alarm (", "is not recorded", "VND.ONVIF.METADATA"]);
    assert_eq!(tracks.len(), 1, "{tracks:#?}");
    let access = lines(&log, &["alarm (", "camera locked refuses the password"]);
    assert_eq!(access.len(), 1, "{log}");
    let tries = lines(&log, &["connecting over", "CAMERA=locked"]).len();
    assert!(tries <= 1 + seconds / 55, "{tries} attempts in {seconds} s would lock the user out\n{log}");
    assert!(!log.contains(&wrong.1), "a password is in the log");
    let webcam = lines(&log, &["alarm (", "webcam", "no video track that can be recorded"]);
    assert_eq!(webcam.len(), 1, "{log}");
    for (name, cause) in [("locked", "user or password refused"), ("webcam", "no video track")] {
        let account = report.camera(name).unwrap();
        assert_eq!(account.durable, 0, "{account:?}");
        assert!(account.gaps.iter().any(|gap| gap.detail.contains(cause)), "{account:?}");
        assert_eq!(account.faults(), [""; 0]);
    }
    sound_that_paused_comes_back_at_its_time(&stage, &cameras[5], (broken, sounds_again), stop);

    // A second life on the same volume: the time between is told as what it was.
    let again = stage.record(&configuration).unwrap();
    watch(&cameras[0], 4);
    let log = again.log();
    let second_stop = stage.stop(again).unwrap();
    let report = stage.report().unwrap();
    let account = report.camera("steady").unwrap();
    assert_eq!(account.faults(), [""; 0]);
    let gap = one_gap(account);
    assert_eq!(gap.detail, "recorder stopped", "{log}");
    assert!((gap.from - stop).abs() < GAP_TOLERANCE, "{gap:?}, stopped at {stop}");
    assert_nothing_untold(&stage, &cameras[0], account, second_stop);
}

/// A microphone that is switched off and on: the picture is whole, the sound after the pause is where it belongs.
fn sound_that_paused_comes_back_at_its_time(
    stage: &Stage,
    camera: &VirtualCamera,
    (off, on): (i64, i64),
    stop: i64,
) {
    let findings = stage.judge(camera, stop).unwrap();
    // The judge wants sound as long as the picture in each file: that is what is missing here.
    let other: Vec<_> = findings.iter().filter(|finding| !finding.contains("sound beside")).collect();
    assert!(other.is_empty(), "{other:#?}");
    let mut longest = (0, 0, 0);
    let mut before: Option<i64> = None;
    for (_, footage) in stage.footage(camera.name()).unwrap() {
        let anchor = footage.anchor.unwrap();
        for sample in &footage.sound {
            let at = anchor + (sample.pts / 1000) as i64;
            if let Some(before) = before.filter(|before| at - before > longest.0) {
                longest = (at - before, before, at);
            }
            before = Some(at);
        }
    }
    let (_, silent, heard) = longest;
    // A packet of 128 ms lies on both sides.
    assert!((silent - off).abs() < 700_000, "silent from {off} on, in the files from {silent}");
    assert!((heard - on).abs() < 700_000, "heard again from {on} on, in the files from {heard}");
}
