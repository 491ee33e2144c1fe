//! The media path against virtual cameras, without a recorder around it: what it pushes into a ring, and what it counts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gstreamer::prelude::*;
use holdfast::config::RtspUrl;
use holdfast::ingest::{Departures, Reporter, Request, Session};
use holdfast::mp4::Payload;
use holdfast::ring::{AccessUnit, Item, Limits, Reader, Ring, TrackKind};
use holdfast_core::effect::Stream;
use holdfast_core::event::{CameraEvent, Failure, StreamFigures};
use holdfast_core::settings::Transport;
use holdfast_core::time::Mono;
use holdfast_tests::camera::{CameraOptions, Sound, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::nal::{Mark, NalCodec, length_prefixed_units};
use holdfast_tests::sound::SoundCodec;
use holdfast_tests::{wait_until, wall_micros};

/// How long anything may take that takes a moment, on a machine that builds something beside it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What time in files is to be true to, in microseconds.
const TRUE: i64 = 500_000;

/// A connection to a camera, and what came of it.
struct Link {
    session: Option<Session>,
    reader: Reader,
    told: Arc<Mutex<Vec<CameraEvent>>>,
    items: Vec<Item>,
    /// Its messages are read on it, as the recorder's loop would.
    context: glib::MainContext,
    codec: NalCodec,
    /// From the monotonic clock to the wall's, in microseconds.
    wall: i64,
}

/// A video frame as it came.
#[derive(Debug)]
struct Frame {
    number: u64,
    keyframe: bool,
    pts: Mono,
    /// By how much its time is more than that of its filming, in microseconds.
    error: i64,
}

impl Link {
    fn open(camera: &VirtualCamera, transport: Transport) -> Link {
        gstreamer::init().unwrap();
        let ring = Ring::new(Limits { bytes: 256 << 20, time: Duration::from_secs(600) });
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let report: Reporter = Arc::new(move |event| sink.lock().unwrap().push(event));
        let request = Request {
            camera: camera.name().to_owned(),
            url: RtspUrl::parse(&camera.url()).unwrap().url,
            credentials: None,
            transport,
            audio: true,
            departures: Departures::default(),
        };
        let clock = gstreamer::SystemClock::obtain();
        let wall = wall_micros() - clock.time().nseconds() as i64 / 1000;
        let context = glib::MainContext::new();
        let start = || Session::start(&request, ring.connect(Stream::Main), report).unwrap();
        let session = context.with_thread_default(start).unwrap();
        let codec = match camera.video().codec {
            VideoCodec::H264 => NalCodec::H264,
            VideoCodec::H265 => NalCodec::H265,
            VideoCodec::Jpeg => unreachable!(),
        };
        let reader = ring.attach();
        Link { session: Some(session), reader, told, items: Vec::new(), context, codec, wall }
    }

    fn session(&self) -> &Session {
        self.session.as_ref().unwrap()
    }

    fn figures(&self) -> StreamFigures {
        let CameraEvent::Received(figures) = self.session().figures().event() else { unreachable!() };
        figures
    }

    /// Waits for so many video units more.
    fn wait(&mut self, units: u64) {
        let wanted = self.figures().units + units;
        let came = || {
            while self.context.iteration(false) {}
            self.figures().units >= wanted
        };
        assert!(wait_until(PATIENCE, came), "{:?}", self.told.lock().unwrap());
        assert!(self.reader.read(&mut self.items, usize::MAX));
    }

    fn units(&self, track: TrackKind) -> impl Iterator<Item = &AccessUnit> {
        self.items.iter().filter_map(move |item| match item {
            Item::Unit(_, unit) if unit.track == track => Some(unit),
            Item::Unit(..) | Item::Gop { .. } | Item::End => None,
        })
    }

    fn frames(&self) -> Vec<Frame> {
        let frame = |unit: &AccessUnit| {
            let mark = Mark::find(self.codec, length_prefixed_units(unit.data.bytes(), 4)).unwrap();
            let shown = unit.pts.as_nanos() as i64 / 1000 + self.wall;
            let error = shown - mark.wall_micros;
            Frame { number: mark.number, keyframe: unit.keyframe, pts: unit.pts, error }
        };
        self.units(TrackKind::Video).map(frame).collect()
    }

    fn failures(&self) -> Vec<Failure> {
        let failure = |event: &CameraEvent| match event {
            CameraEvent::Failed(failure) => Some(*failure),
            CameraEvent::Streaming { .. }
            | CameraEvent::Received(_)
            | CameraEvent::NoConnection
            | CameraEvent::Unsupported { .. }
            | CameraEvent::TornDown
            | CameraEvent::Dropped { .. } => None,
        };
        self.told.lock().unwrap().iter().filter_map(failure).collect()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let ended = Arc::new(Mutex::new(false));
        let sink = Arc::clone(&ended);
        if let Some(session) = self.session.take() {
            session.tear_down(Arc::new(move |_| *sink.lock().unwrap() = true));
            wait_until(PATIENCE, || *ended.lock().unwrap());
        }
    }
}

fn camera(name: &str, video: ClipSpec, sound: Sound) -> VirtualCamera {
    VirtualCamera::start(CameraOptions::new(name, 1, video).sound(sound)).unwrap()
}

const AAC: Sound = Sound::Sends(SoundCodec::Aac);

#[test]
fn nothing_is_wrong_with_cameras_that_are_well() {
    let h264 = ClipSpec::small(VideoCodec::H264);
    let cases = [
        ("H.264 over TCP", h264, Transport::Tcp),
        ("H.264 over UDP", h264, Transport::Udp),
        ("H.265 over TCP", ClipSpec::small(VideoCodec::H265), Transport::Tcp),
        ("B-frames", h264.with_b_frames(3), Transport::Tcp),
    ];
    for (name, video, transport) in cases {
        let camera = camera("well", video, AAC);
        let mut link = Link::open(&camera, transport);
        link.wait(150);
        let figures = link.figures();
        let expected = StreamFigures {
            last_video: figures.last_video,
            last_audio: figures.last_audio,
            units: figures.units,
            keyframes: figures.keyframes,
            ..StreamFigures::default()
        };
        assert_eq!(figures, expected, "{name}");
        assert!(figures.last_video.is_some() && figures.last_audio.is_some(), "{name}: {figures:?}");
        assert!(figures.keyframes > 1 && figures.keyframes < figures.units / 2, "{name}: {figures:?}");
        assert_eq!(link.failures(), [], "{name}");
    }
}

#[test]
fn what_is_damaged_and_what_is_another_format_is_counted() {
    let video = ClipSpec::small(VideoCodec::H264);
    let camera = camera("changing", video, Sound::None);
    let mut link = Link::open(&camera, Transport::Tcp);
    link.wait(50);
    for size in [(480, 270), (320, 180)] {
        camera.change_video(video.with_size(size.0, size.1)).unwrap();
        link.wait(60);
    }
    let figures = link.figures();
    assert_eq!((figures.formats, figures.damaged), (2, 0), "{figures:?}");
}

#[test]
fn a_branch_is_built_anew_while_the_connection_and_the_sound_go_on() {
    let camera = camera("rebuilt", ClipSpec::small(VideoCodec::H264), AAC);
    let mut link = Link::open(&camera, Transport::Tcp);
    link.wait(75);
    let mut before = link.frames().last().unwrap().number;
    for round in 0..5 {
        link.session().rebuild_branch().unwrap();
        link.items.clear();
        link.wait(75);
        let frames = link.frames();
        // What was on its way when the branch was exchanged still belongs to the one before.
        let numbers: Vec<u64> = frames.iter().map(|frame| frame.number).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b) && numbers[0] > before, "{round}: {numbers:?}");
        let anew = numbers.windows(2).position(|pair| pair[1] != pair[0] + 1).map_or(0, |at| at + 1);
        assert!(frames[anew].keyframe, "{round}: goes on without a keyframe: {frames:?}");
        assert!(numbers[anew] - before < 100, "{round}: {before} to {}", numbers[anew]);
        before = *numbers.last().unwrap();
    }
    let figures = link.figures();
    assert_eq!((figures.damaged, figures.formats), (0, 0), "{figures:?}");
    assert_eq!((link.failures(), camera.watchers()), (vec![], 1));
    let streaming = |event: &&CameraEvent| matches!(event, CameraEvent::Streaming { .. });
    assert_eq!(link.told.lock().unwrap().iter().filter(streaming).count(), 1, "it connected again");
    assert!(figures.last_audio.is_some_and(|audio| figures.last_video.unwrap().since(audio).as_secs() < 5));
}

#[test]
fn a_resumed_stream_begins_at_a_keyframe_and_with_a_time_of_its_own() {
    let camera = camera("resumed", ClipSpec::small(VideoCodec::H264), AAC);
    let mut link = Link::open(&camera, Transport::Tcp);
    link.wait(60);
    link.items.clear();
    link.session().resume();
    link.wait(100);
    let begins = link.items.iter().position(|item| matches!(item, Item::Gop { continues: false, .. }));
    link.items.drain(..begins.expect("what is resumed follows on"));
    let frames = link.frames();
    assert!(frames[0].keyframe);
    assert!(frames.windows(2).all(|pair| pair[1].number == pair[0].number + 1), "{frames:?}");
    assert!(frames.iter().all(|frame| frame.error.abs() < TRUE), "{frames:?}");
    assert_eq!((link.failures(), camera.watchers()), (vec![], 1));
}

/// What a fault of a camera's stamps leaves: frames that are off, in decode order, and the figures.
fn faulty(
    name: &str,
    transport: Transport,
    fault: impl FnOnce(&VirtualCamera, &mut Link),
) -> (Vec<Frame>, StreamFigures) {
    let camera = camera(name, ClipSpec::small(VideoCodec::H264), AAC);
    let mut link = Link::open(&camera, transport);
    link.wait(100);
    fault(&camera, &mut link);
    link.wait(150);
    assert_eq!(link.failures(), [], "{name}");
    let sound: Vec<u64> = link.units(TrackKind::Audio).map(|unit| unit.pts.as_nanos()).collect();
    let back = sound.windows(2).filter(|pair| pair[1] <= pair[0]).count();
    assert_eq!(back, 0, "{name}: sound runs back");
    let longest = sound.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    assert!(longest < 600_000_000, "{name}: sound has a hole of {longest} ns");
    (link.frames(), link.figures())
}

#[test]
fn stamps_of_a_camera_that_step_leave_its_footage_true() {
    let cases = [Transport::Tcp, Transport::Udp]
        .into_iter()
        .flat_map(|transport| [3600, 2, -2, -30].map(|seconds| (transport, seconds)));
    let judge = |(transport, seconds): (Transport, i64)| {
        let name = format!("{seconds} s over {transport:?}");
        let (frames, figures) = faulty(&name, transport, |camera, _| {
            camera.shift_timestamps(seconds * 1_000_000_000);
        });
        let worst = frames.iter().map(|frame| frame.error.abs()).max();
        println!("{name}: {worst:?} µs off at most; {figures:?}");
        assert!(worst < Some(TRUE), "{name}: {frames:?} {figures:?}");
        assert!(figures.jumps + figures.backwards > 0 || figures.frozen, "{name}: {figures:?}");
        let steps = frames.windows(2).filter(|pair| pair[1].pts <= pair[0].pts).count();
        assert_eq!(steps, 0, "{name}: {steps} steps back");
    };
    let judged = cases.map(|case| std::thread::spawn(move || judge(case))).collect::<Vec<_>>();
    for judged in judged {
        judged.join().unwrap();
    }
}

#[test]
fn stamps_of_a_camera_that_stand_leave_its_footage_true() {
    let (frames, figures) = faulty("frozen", Transport::Tcp, |camera, link| {
        camera.freeze_timestamps(true);
        link.wait(100);
        assert!(link.figures().frozen, "{:?}", link.figures());
        camera.freeze_timestamps(false);
    });
    assert!(!figures.frozen, "{figures:?}");
    let off: Vec<_> = frames.iter().filter(|frame| frame.error.abs() > TRUE).collect();
    assert!(off.is_empty(), "{off:?}");
    assert!(frames.windows(2).all(|pair| pair[1].pts > pair[0].pts), "time stands or runs back");
}
