//! One camera's trouble is that camera's: two good ones are recorded whole beside one that is down, one that is
//! slow, one that is corrupt, one of a codec that is not recorded, and one that takes the connection and is silent.

use holdfast_tests::camera::{CameraOptions, Sound, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::recorder::{CameraEntry, Transport};
use holdfast_tests::sound::SoundCodec;
use holdfast_tests::stage::{PATIENCE, Stage, lines, wait_for_frames};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

/// Frames that each good camera sends: long enough for the silent one's connection to run into its deadline, and
/// for the next attempt.
const FRAMES: usize = 25 * 25;

fn entry(id: &str, port: u16) -> CameraEntry {
    CameraEntry {
        id: id.to_owned(),
        url: format!("rtsp://127.0.0.1:{port}/main"),
        login: None,
        transport: Transport::Auto,
        audio: true,
        fallback: None,
    }
}

/// A server that takes every connection and never says a word. Its port; connections end with the receiver.
fn silent_server() -> (u16, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (taken, connections) = mpsc::channel();
    std::thread::spawn(move || {
        // Ends when nobody keeps its connections any more; the listener of a finished test dies with the program.
        for connection in listener.incoming().flatten() {
            if taken.send(connection).is_err() {
                return;
            }
        }
    });
    (port, connections)
}

#[test]
fn good_cameras_lose_nothing_beside_bad_ones() {
    let stage = Stage::new().unwrap();
    let small = ClipSpec::small(VideoCodec::H264);
    let start = |options| VirtualCamera::start(options).unwrap();
    let good = [
        start(CameraOptions::new("entrance", 1, small).sound(Sound::Sends(SoundCodec::Aac))),
        start(CameraOptions::new("yard", 2, ClipSpec::small(VideoCodec::H265))),
    ];
    let slow = start(CameraOptions::new("slow", 3, small));
    slow.deliver_every(Duration::from_millis(1500));
    let corrupt = start(CameraOptions::new("corrupt", 4, small));
    corrupt.garble(300);
    let unknown = start(CameraOptions::new("unknown", 5, ClipSpec::small(VideoCodec::Jpeg)));
    let (silent_port, connections) = silent_server();
    let down_port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();

    // The bad ones first: whoever waits for one of them would keep the good ones waiting.
    let mut entries = vec![entry("down", down_port), entry("silent", silent_port)];
    let virtual_ones = [&unknown, &corrupt, &slow, &good[0], &good[1]];
    entries.extend(virtual_ones.into_iter().map(CameraEntry::of));
    let recorder = stage.record(&stage.configuration(entries)).unwrap();
    for camera in &good {
        wait_for_frames(camera, FRAMES, PATIENCE + Duration::from_secs(25)).unwrap();
    }
    let log = recorder.log();
    let stop = stage.stop(recorder).unwrap();
    assert!(connections.try_iter().count() > 0, "the silent server was never asked");

    let report = stage.report().unwrap();
    for camera in &good {
        let name = camera.name();
        assert_eq!(stage.judge(camera, stop).unwrap(), [""; 0], "{log}");
        let account = report.camera(name).unwrap();
        assert_eq!(account.faults(), [""; 0]);
        assert!(matches!(account.causes()[..], [] | ["connecting after start"]), "{account:?}\n{log}");
        let own = format!("CAMERA={name}");
        assert_eq!(lines(&log, &["connecting over", &own]).len(), 1, "{name} was connected anew:\n{log}");
        assert_eq!(lines(&log, &["alarm", name]), [""; 0]);
    }
    // And the bad ones are what they were meant to be, each told with its own cause.
    let causes = [
        ("down", "connection refused"),
        ("silent", "camera: "),
        ("unknown", "no video track that can be recorded"),
    ];
    for (name, cause) in causes {
        let account = report.camera(name).unwrap();
        assert_eq!(account.durable, 0, "{account:?}");
        assert!(account.gaps.iter().any(|gap| gap.detail.contains(cause)), "{account:?}\n{log}");
        assert_eq!(account.faults(), [""; 0]);
    }
    // A slow camera is a whole one: all its frames are there, only late.
    let slow_ones = stage.footage("slow").unwrap();
    let numbers: Vec<u64> = slow_ones.iter().flat_map(|(_, footage)| footage.numbers()).collect();
    assert!(numbers.len() > FRAMES / 2, "{} frames of the slow camera", numbers.len());
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "the slow camera's frames are not all there"
    );
    assert!(corrupt.frames_sent() > 0);
    assert!(!stage.footage("corrupt").unwrap().is_empty(), "nothing of the corrupt camera was kept");
}
