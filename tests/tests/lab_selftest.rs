//! The lab on trial: before it judges a recorder, its cameras have to prove that they send what they log,
//! and its reader that it finds what is there. FFmpeg and plain GStreamer stand in for the recorder.

use holdfast_tests::camera::{Auth, CameraOptions, ParameterSets, Sound, Transports, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::feeder::Fate;
use holdfast_tests::sound::SoundCodec;
use holdfast_tests::tap::{Arrival, Tap, Via};
use holdfast_tests::{wait_until, wall_micros};
use std::time::Duration;

/// Long enough for two GOPs of the small clips on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

fn small() -> CameraOptions {
    CameraOptions::new("camera", 7, ClipSpec::small(VideoCodec::H264))
}

/// Waits for this many frames from the first keyframe on and gives what came.
fn frames(tap: &Tap, count: usize) -> Vec<Arrival> {
    let came = wait_until(PATIENCE, || tap.usable().len() >= count);
    assert!(came, "only {} of {count} frames came: {:?}", tap.usable().len(), tap.error());
    tap.usable()
}

fn assert_consecutive(frames: &[Arrival], what: &str) {
    for pair in frames.windows(2) {
        assert_eq!(pair[1].mark.number, pair[0].mark.number + 1, "{what}: a frame is missing or doubled");
    }
}

#[test]
fn every_kind_of_camera_delivers_every_frame_once_and_in_order() {
    let basic = || Auth::Basic { user: "admin".to_owned(), password: "be 1:2/3@4".to_owned() };
    let digest = || Auth::Digest { user: "admin".to_owned(), password: "be 1:2/3@4".to_owned() };
    let h265 = || CameraOptions::new("camera", 7, ClipSpec::small(VideoCodec::H265));
    let b_frames =
        |count| CameraOptions::new("camera", 7, ClipSpec::small(VideoCodec::H264).with_b_frames(count));
    let h265_b = || CameraOptions::new("camera", 7, ClipSpec::small(VideoCodec::H265).with_b_frames(3));
    let cases = [
        ("H.264, TCP", small(), Via::Tcp),
        ("H.264, UDP", small(), Via::Udp),
        ("H.264, TCP alone", small().transports(Transports::TcpOnly), Via::Tcp),
        ("H.264, UDP alone", small().transports(Transports::UdpOnly), Via::Udp),
        ("H.264, basic authentication", small().auth(basic()), Via::Tcp),
        ("H.264, digest authentication", small().auth(digest()), Via::Tcp),
        ("H.264, parameter sets every second", small().parameter_sets(ParameterSets::EverySecond), Via::Tcp),
        (
            "H.264, parameter sets in the description",
            small().parameter_sets(ParameterSets::DescriptionOnly),
            Via::Tcp,
        ),
        ("H.264, two B-frames", b_frames(2), Via::Tcp),
        ("H.264, pyramid of B-frames", b_frames(3), Via::Tcp),
        ("H.265", h265(), Via::Tcp),
        ("H.265, UDP, digest authentication", h265().auth(digest()), Via::Udp),
        ("H.265, pyramid of B-frames", h265_b(), Via::Tcp),
    ];
    // All at once: the cameras must not disturb each other either.
    std::thread::scope(|scope| {
        for (name, options, via) in cases {
            scope.spawn(move || delivers_what_it_logs(name, options, via));
        }
    });
}

fn delivers_what_it_logs(name: &str, options: CameraOptions, via: Via) {
    let camera = VirtualCamera::start(options).unwrap();
    let login = match camera.auth() {
        Auth::None => None,
        Auth::Basic { user, password } | Auth::Digest { user, password } => {
            Some((user.as_str(), password.as_str()))
        }
    };
    let tap = Tap::open(&camera.url(), via, login).unwrap();
    let got = frames(&tap, 60);
    assert_consecutive(&got, name);
    assert!(got.iter().all(|frame| frame.mark.camera == 7), "{name}: mark of another camera");
    let log = camera.log();
    let sent = |frame: &Arrival| log[frame.mark.number as usize];
    for frame in &got {
        let entry = sent(frame);
        let says = (frame.mark.number, frame.mark.wall_micros, frame.keyframe);
        assert_eq!(says, (entry.number, entry.wall_micros, entry.keyframe), "{name}: the log says otherwise");
        let delay = frame.wall_micros - frame.mark.wall_micros;
        assert!((0..2_000_000).contains(&delay), "{name}: frame {} took {delay} µs", entry.number);
    }
    // Timestamps follow presentation order, one frame apart.
    for frame in &got[1..] {
        let places = sent(frame).presentation as i64 - sent(&got[0]).presentation as i64;
        let off = frame.pts as i64 - got[0].pts as i64 - places * 40_000_000;
        assert!(off.abs() < 1_000_000, "{name}: frame {} is {off} ns off its place", frame.mark.number);
    }
}

#[test]
fn every_kind_of_sound_arrives_beside_the_picture() {
    let cases = [
        ("AAC", Sound::Sends(SoundCodec::Aac), "MPEG4-GENERIC"),
        ("Opus", Sound::Sends(SoundCodec::Opus), "OPUS"),
        ("G.711 A-law", Sound::Sends(SoundCodec::Pcma), "PCMA"),
        ("G.711 mu-law", Sound::Sends(SoundCodec::Pcmu), "PCMU"),
    ];
    for (name, sound, encoding) in cases {
        let camera = VirtualCamera::start(small().sound(sound)).unwrap();
        let tap = Tap::open(&camera.url(), Via::Tcp, None).unwrap();
        assert_consecutive(&frames(&tap, 50), name);
        let packets = tap.seen().others.get(encoding).copied().unwrap_or(0);
        let Sound::Sends(codec) = sound else { unreachable!() };
        let expected =
            tap.count() as u64 * u64::from(codec.rate() / 25) / u64::from(codec.samples_per_packet());
        assert!(packets.abs_diff(expected) < 20, "{name}: {packets} packets instead of {expected}");
    }
}

#[test]
fn sound_that_is_declared_and_never_sent_delays_nothing() {
    let camera = VirtualCamera::start(small().sound(Sound::DeclaredOnly)).unwrap();
    let tap = Tap::open(&camera.url(), Via::Tcp, None).unwrap();
    assert_consecutive(&frames(&tap, 50), "declared sound");
    assert_eq!(tap.seen().others.get("PCMA"), Some(&0), "{:?}", tap.seen().others);
}

#[test]
fn a_metadata_track_comes_with_the_picture() {
    for sound in [Sound::None, Sound::Sends(SoundCodec::Pcmu)] {
        let camera = VirtualCamera::start(small().sound(sound).metadata()).unwrap();
        let tap = Tap::open(&camera.url(), Via::Tcp, None).unwrap();
        assert_consecutive(&frames(&tap, 60), "metadata");
        let packets = tap.seen().others.get("VND.ONVIF.METADATA").copied().unwrap_or(0);
        assert!((1..6).contains(&packets), "{sound:?}: {packets} metadata packets");
    }
}

#[test]
fn a_codec_that_nobody_records_is_described_and_sent() {
    let camera =
        VirtualCamera::start(CameraOptions::new("camera", 7, ClipSpec::small(VideoCodec::Jpeg))).unwrap();
    let tap = Tap::open(&camera.url(), Via::Tcp, None).unwrap();
    let came = wait_until(PATIENCE, || tap.seen().others.get("JPEG").is_some_and(|packets| *packets > 50));
    assert!(came, "{:?} {:?}", tap.seen().others, tap.error());
    assert_eq!(tap.count(), 0, "JPEG carries no marks");
}

#[test]
fn a_wrong_password_or_a_refused_transport_is_an_error_for_the_client() {
    let auth = Auth::Digest { user: "admin".to_owned(), password: "right".to_owned() };
    let cases = [
        ("no password", small().auth(auth.clone()), Via::Tcp, None, "Unauthorized"),
        ("wrong password", small().auth(auth), Via::Tcp, Some(("admin", "wrong")), "Unauthorized"),
        ("UDP refused", small().transports(Transports::TcpOnly), Via::Udp, None, "transport"),
        ("TCP refused", small().transports(Transports::UdpOnly), Via::Tcp, None, "transport"),
    ];
    for (name, options, via, login, expected) in cases {
        let camera = VirtualCamera::start(options).unwrap();
        let tap = Tap::open(&camera.url(), via, login).unwrap();
        let mut error = None;
        wait_until(PATIENCE, || {
            error = error.take().or_else(|| tap.error());
            error.is_some()
        });
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{name}: {error:?}");
    }
}

#[test]
fn a_stopped_camera_refuses_and_comes_back_on_its_port_with_later_numbers() {
    let mut camera = VirtualCamera::start(small()).unwrap();
    let url = camera.url();
    let tap = Tap::open(&url, Via::Tcp, None).unwrap();
    let before = frames(&tap, 30);
    camera.stop();
    assert!(wait_until(PATIENCE, || tap.ended() || tap.error().is_some()), "the client did not notice");
    let refused = Tap::open(&url, Via::Tcp, None).unwrap();
    assert!(wait_until(PATIENCE, || refused.error().is_some()), "a stopped camera still answers");
    assert_eq!(camera.watchers(), 0);
    camera.restart().unwrap();
    assert_eq!(camera.url(), url);
    let again = Tap::open(&url, Via::Tcp, None).unwrap();
    let after = frames(&again, 30);
    assert_consecutive(&after, "after the restart");
    assert!(after[0].mark.number > before.last().unwrap().mark.number, "numbers were reset");
    let missed = camera.log().into_iter().filter(|frame| frame.fate == Fate::Unwatched).count();
    assert!(missed > 0, "frames filmed while it was stopped have to be in the log");
}

#[test]
fn a_stalled_camera_keeps_its_connection_and_goes_on_where_time_has_got_to() {
    let camera = VirtualCamera::start(small()).unwrap();
    let tap = Tap::open(&camera.url(), Via::Tcp, None).unwrap();
    frames(&tap, 30);
    camera.stall();
    let stalled_at = camera.log().len();
    assert!(wait_until(PATIENCE, || camera.log().len() >= stalled_at + 25), "the camera stopped filming");
    let held = tap.usable().len();
    assert!(wait_until(PATIENCE, || camera.log().len() >= stalled_at + 50));
    assert_eq!(tap.usable().len(), held, "frames came through the stall");
    assert_eq!(camera.watchers(), 1, "the connection was lost");
    camera.resume();
    let got = frames(&tap, held + 25);
    let jump = got.windows(2).find(|pair| pair[1].mark.number != pair[0].mark.number + 1).expect("no gap");
    let log = camera.log();
    let lost = &log[jump[0].mark.number as usize + 1..jump[1].mark.number as usize];
    assert!(lost.len() >= 50 && lost.iter().all(|frame| frame.fate == Fate::Stalled), "{lost:?}");
    let gap = jump[1].pts - jump[0].pts;
    let filmed = (lost.len() as u64 + 1) * 40_000_000;
    assert!(gap.abs_diff(filmed) < 100_000_000, "timestamps over the stall: {gap} ns instead of {filmed}");
}

#[test]
fn a_camera_changes_its_resolution_at_a_keyframe_and_loses_no_frame() {
    let camera = VirtualCamera::start(small()).unwrap();
    let tap = Tap::open(&camera.url(), Via::Tcp, None).unwrap();
    frames(&tap, 30);
    camera.change_video(camera.video().with_size(480, 270)).unwrap();
    assert!(wait_until(PATIENCE, || tap.seen().frames.last().is_some_and(|frame| frame.size == (480, 270))));
    let count = tap.usable().len();
    let got = frames(&tap, count + 50);
    assert_consecutive(&got, "resolution change");
    let change = got.iter().find(|frame| frame.size == (480, 270)).unwrap();
    assert!(camera.log()[change.mark.number as usize].keyframe, "changed in the middle of a GOP");
    let other = camera.change_video(ClipSpec::small(VideoCodec::H265)).unwrap_err();
    assert!(other.to_string().contains("other codec"), "{other}");
}

#[test]
fn faults_of_single_frames_are_seen_and_logged() {
    let camera = VirtualCamera::start(small().sound(Sound::Sends(SoundCodec::Pcma))).unwrap();
    let tap = Tap::open(&camera.url(), Via::Tcp, None).unwrap();
    frames(&tap, 10);
    camera.drop_frames(3);
    let dropped = || camera.log().into_iter().filter(|frame| frame.fate == Fate::Dropped).collect::<Vec<_>>();
    assert!(wait_until(PATIENCE, || dropped().len() == 3));
    let got = frames(&tap, 40);
    for frame in dropped() {
        assert!(!got.iter().any(|arrival| arrival.mark.number == frame.number), "a dropped frame came");
    }
    camera.garble(1000);
    let garbled = || camera.log().into_iter().filter(|frame| frame.fate == Fate::Garbled).count();
    assert!(wait_until(PATIENCE, || garbled() > 10), "no frame was garbled");
    camera.garble(0);
    camera.silence_sound(true);
    let count = camera.sound_packets_sent();
    let frame_count = tap.usable().len();
    frames(&tap, frame_count + 25);
    assert_eq!(camera.sound_packets_sent(), count, "sound came while silenced");
}

#[test]
fn bursts_and_frozen_or_jumping_timestamps_are_seen_at_the_client() {
    let camera = VirtualCamera::start(small()).unwrap();
    let tap = Tap::open(&camera.url(), Via::Tcp, None).unwrap();
    frames(&tap, 10);
    camera.deliver_every(Duration::from_millis(800));
    let count = tap.usable().len();
    let got = frames(&tap, count + 60);
    let times: Vec<i64> = got.iter().map(|frame| frame.mark.wall_micros).collect();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest > 500_000, "no burst: {longest} µs is the longest pause");
    camera.deliver_every(Duration::ZERO);
    let asked_at = wall_micros();
    assert!(wait_until(PATIENCE, || camera.filmed_between(asked_at, i64::MAX).len() > 25));
    let since = camera.filmed_between(asked_at + 900_000, i64::MAX);
    let longest = since.windows(2).map(|pair| pair[1].wall_micros - pair[0].wall_micros).max().unwrap_or(0);
    assert!(longest < 500_000, "bursts go on: {longest} µs");
    camera.freeze_timestamps(true);
    let frozen = || tap.seen().frames.windows(2).filter(|pair| pair[0].pts == pair[1].pts).count();
    assert!(wait_until(PATIENCE, || frozen() > 5), "timestamps go on");
    camera.freeze_timestamps(false);
    camera.shift_timestamps(10_000_000_000);
    let jumped =
        || tap.seen().frames.windows(2).any(|pair| pair[1].pts.saturating_sub(pair[0].pts) > 9_000_000_000);
    assert!(wait_until(PATIENCE, jumped), "timestamps did not jump");
}
