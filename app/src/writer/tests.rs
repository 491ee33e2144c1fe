//! A writer's thread on a real directory, fed by hand through real rings.

mod abandon;
mod batch;
mod faults;
mod formats;
mod limits;
mod streams;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use holdfast_core::effect::Stream;
use holdfast_core::time::{Mono, Span};
use holdfast_wire::ids::Id128;
use holdfast_wire::ledger::{Ending, Record};

use super::*;
use crate::host::clock;
use crate::ledger::read_all;
use crate::mp4::{self, TrackConfig};
use crate::ring::{AccessUnit, Data, Feed, Limits as RingLimits, TrackKind};
use holdfast_core::event::{CameraEvent, Fault};

const SECOND: u64 = 1_000_000_000;
const FRAME: u64 = SECOND / 25;
const START: u64 = 100 * SECOND;

/// Wall time of monotonic `START`.
const WALL: i64 = 1_795_341_600;

const DEADLINE: Duration = Duration::from_secs(30);

fn avc(width: u16) -> Arc<TrackConfig> {
    // Version 1, profile and level, four-byte lengths, one SPS, one PPS.
    let codec_data = vec![1, 66, 192, 30, 0xff, 0xe1, 0, 4, 0x67, 66, 192, 30, 1, 0, 2, 0x68, 0xce];
    Arc::new(TrackConfig::H264 { codec_data, width, height: 240 })
}

fn aac() -> Arc<TrackConfig> {
    Arc::new(TrackConfig::Aac { codec_data: vec![0x11, 0x88], rate: 48_000, channels: 1 })
}

fn unit(track: TrackKind, at: u64, keyframe: bool, config: &Arc<TrackConfig>) -> AccessUnit {
    // Four bytes of length, then something that is not zero: a decoder is not asked here.
    let data = Data::new(vec![0, 0, 0, 4, 0x65, 1, 2, 3]);
    AccessUnit { track, pts: Mono(START + at), duration: None, keyframe, config: Arc::clone(config), data }
}

/// Pushes seconds `from..to` of 25 fps, a keyframe each second.
fn film(feed: &Feed, from: u64, to: u64, config: &Arc<TrackConfig>) {
    for frame in from * 25..to * 25 {
        feed.push(unit(TrackKind::Video, frame * FRAME, frame % 25 == 0, config));
    }
}

/// The same, with sound: four packets a second.
fn film_with_sound(feed: &Feed, from: u64, to: u64, config: &Arc<TrackConfig>) {
    for frame in from * 25..to * 25 {
        feed.push(unit(TrackKind::Video, frame * FRAME, frame % 25 == 0, config));
        if frame % 6 == 3 {
            feed.push(unit(TrackKind::Audio, frame * FRAME, true, &aac()));
        }
    }
}

struct Lab {
    root: PathBuf,
    writer: VolumeWriter,
    heard: Receiver<Report>,
    stored: Vec<Span>,
}

fn job(root: &Path) -> Job {
    let name = |text| Name::new(text).unwrap();
    Job {
        last_words: None,
        index: VolumeIndex(0),
        place: Place::Directory { path: root.to_owned() },
        device: name("box"),
        formerly: Vec::new(),
        cameras: vec![name("yard")],
        session: Id128([1; 16]),
        boot: Id128([2; 16]),
        knowledge: Knowledge::Unknown,
        new_volume: Id128([3; 16]),
        in_use: InUse::default(),
        claimant: 1,
        limits: Limits { segment: Duration::from_secs(10), fragment: Duration::from_secs(1) },
        max_file: None,
        anchor: Anchor { mono: Mono(START), wall: Wall::from_secs(WALL), trusted: true },
        now: Wall::from_secs(WALL),
        clock: Arc::new(clock::mono),
        retention: Retention::default(),
        complaints: Complaints::default(),
    }
}

const YARD: CameraIndex = CameraIndex(0);

impl Lab {
    fn open(root: &Path) -> Lab {
        Lab::open_with(job(root))
    }

    fn open_with(job: Job) -> Lab {
        let mut lab = Lab::start(job);
        lab.wait(|event| matches!(event, VolumeEvent::Ready));
        lab
    }

    fn start(job: Job) -> Lab {
        let root = job.place.path().to_owned();
        let (tell, heard) = mpsc::channel();
        // A thread's last words may come after the test has its answer.
        let report: Reporter = Arc::new(move |report| drop(tell.send(report)));
        let writer = VolumeWriter::start(job, report).unwrap();
        Lab { root, writer, heard, stored: Vec::new() }
    }

    /// Hears events until one fits, and keeps the spans that became durable.
    fn wait(&mut self, fits: impl Fn(&VolumeEvent) -> bool) -> VolumeEvent {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let event = self.heard.recv_timeout(left).expect("the event comes before the deadline");
            let Report::Event(Event::Volume(_, event)) = event else { panic!("unexpected {event:?}") };
            if let VolumeEvent::Stored { span, .. } = &event {
                self.stored.push(*span);
            }
            if fits(&event) {
                return event;
            }
            assert!(!matches!(event, VolumeEvent::Faulted(_)), "{event:?}");
        }
    }

    /// Waits until footage up to second `second` is durable.
    fn durable(&mut self, second: i64) {
        let until = Wall::from_secs(WALL + second);
        self.wait(|event| matches!(event, VolumeEvent::Stored { span, .. } if span.to >= until));
    }

    fn close(mut self) -> Vec<Span> {
        self.writer.drain();
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left).expect("it drains before the deadline") {
                Report::Drained => break,
                Report::Event(Event::Volume(_, VolumeEvent::Stored { span, .. })) => self.stored.push(span),
                other => panic!("unexpected {other:?}"),
            }
        }
        self.writer.end(Wall::from_secs(WALL + 3600));
        self.wait(|event| matches!(event, VolumeEvent::Closed));
        self.stored
    }
}

fn ring() -> (Arc<Ring>, Feed) {
    let ring = Ring::new(RingLimits { bytes: 1 << 20, time: Duration::from_secs(3600) });
    let feed = ring.connect(Stream::Main);
    (ring, feed)
}

/// Polls until `fits`, or fails.
fn until(what: &str, fits: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !fits() {
        assert!(Instant::now() < end, "not before the deadline: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The camera's segments in their order, each whole.
fn files(root: &Path) -> Vec<(Vec<u8>, mp4::SegmentFacts)> {
    let mut found: Vec<PathBuf> = Vec::new();
    for day in fs::read_dir(root.join("holdfast/yard")).unwrap() {
        found.extend(fs::read_dir(day.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
    }
    let read = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        let facts = mp4::scan(std::io::Cursor::new(&bytes), bytes.len() as u64).unwrap();
        assert_eq!(facts.torn_bytes, 0, "{}", path.display());
        (bytes, facts)
    };
    let mut files: Vec<_> = found.iter().map(read).collect();
    files.sort_unstable_by_key(|(_, facts)| facts.header.sequence);
    files
}

/// Segments in their order: frames and number of tracks.
fn segments(root: &Path) -> Vec<(u32, usize)> {
    let tracks = |bytes: &[u8]| bytes.windows(4).filter(|window| *window == b"trak").count();
    files(root).iter().map(|(bytes, facts)| (facts.frames, tracks(bytes))).collect()
}

fn endings(root: &Path) -> Vec<(u32, Ending)> {
    let mut endings = Vec::new();
    read_all(root, |record| {
        if let Record::SegmentClosed(closed) = record.expect("the ledger is whole") {
            endings.push((closed.frames, closed.ending));
        }
    })
    .unwrap();
    endings
}

fn assert_tiled(spans: &[Span], from: i64, to: i64) {
    let spans: Vec<Span> = spans.iter().copied().filter(|span| !span.is_empty()).collect();
    assert_eq!(spans.first().map(|span| span.from), Some(Wall::from_secs(WALL + from)));
    assert!(spans.windows(2).all(|pair| pair[0].to == pair[1].from), "{spans:?}");
    assert_eq!(spans.last().map(|span| span.to), Some(Wall::from_secs(WALL + to)));
}

#[test]
fn footage_becomes_fragments_of_a_second_in_segments_cut_at_keyframes() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 25, &avc(320));
    lab.durable(24);
    let stored = lab.close();
    assert_tiled(&stored, 0, 25);
    assert!(stored.iter().all(|span| span.micros() <= 1_000_000), "no fragment is longer: {stored:?}");
    assert_eq!(segments(root.path()), [(250, 1), (250, 1), (125, 1)]);
    assert_eq!(endings(root.path()), [(250, Ending::Cut), (250, Ending::Cut), (125, Ending::Stopped)]);
}

#[test]
fn what_is_durable_leaves_the_ring_and_what_is_not_stays() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 5, &avc(320));
    feed.push(unit(TrackKind::Video, 5 * SECOND, true, &avc(320)));
    lab.durable(5);
    assert_eq!(ring.bytes(), 8, "one unit of eight bytes is left");
    lab.close();
}

#[test]
fn sound_that_begins_late_is_taken_up_at_the_next_keyframe_and_keeps_its_track() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 3, &avc(320));
    film_with_sound(&feed, 3, 5, &avc(320));
    film(&feed, 5, 20, &avc(320));
    lab.durable(19);
    assert_tiled(&lab.close(), 0, 20);
    assert_eq!(
        segments(root.path()),
        [(100, 1), (250, 2), (150, 2)],
        "picture alone, then with sound; sound that stopped makes no file of its own"
    );
}

#[test]
fn another_format_begins_another_segment_and_no_frame_is_lost() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 4, &avc(320));
    film(&feed, 4, 7, &avc(640));
    lab.durable(6);
    assert_tiled(&lab.close(), 0, 7);
    assert_eq!(segments(root.path()), [(100, 1), (75, 1)]);
}

#[test]
fn a_connection_that_ends_closes_its_segment_with_all_that_came() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 2, &avc(320));
    feed.end();
    let feed = ring.connect(Stream::Main);
    film(&feed, 8, 10, &avc(320));
    lab.durable(9);
    lab.close();
    assert_eq!(endings(root.path()), [(50, Ending::StreamEnded), (50, Ending::Stopped)]);
}

#[test]
fn a_camera_that_pauses_has_its_last_frames_made_durable() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    (0..10).for_each(|frame| feed.push(unit(TrackKind::Video, frame * FRAME, frame == 0, &avc(320))));
    let stored = lab.wait(|event| matches!(event, VolumeEvent::Stored { frames: 10, .. }));
    assert!(matches!(stored, VolumeEvent::Stored { .. }));
    lab.close();
}

#[test]
fn a_volume_that_was_replaced_gets_not_one_byte_and_another_takes_over_from_the_first_gop_held() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (place.path().join("first"), place.path().join("second"));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    let mut lab = Lab::open(&first);
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 5, &avc(320));
    feed.push(unit(TrackKind::Video, 5 * SECOND, true, &avc(320)));
    lab.durable(5);
    // Unplugged, and an empty directory left in its place, as an unmounted disk leaves one.
    fs::rename(&first, place.path().join("gone")).unwrap();
    fs::create_dir(&first).unwrap();
    for frame in 126..500 {
        feed.push(unit(TrackKind::Video, frame * FRAME, frame % 25 == 0, &avc(320)));
    }
    let faulted = lab.wait(|event| matches!(event, VolumeEvent::Faulted(_)));
    assert!(
        matches!(faulted, VolumeEvent::Faulted(Fault::Missing | Fault::WrongIdentity)),
        "the next segment is refused: {faulted:?}"
    );
    assert_eq!(fs::read_dir(&first).unwrap().count(), 0, "nothing was written in its place");

    let mut other = Lab::open(&second);
    other.writer.take(YARD, &ring);
    other.durable(19);
    let stored = other.close();
    let from = stored.iter().map(|span| span.from).min().unwrap();
    let last = lab.stored.iter().map(|span| span.to).max().unwrap();
    assert!(from <= last, "nothing is missing between {last:?} and {from:?}");
}

#[test]
fn sound_with_an_impossible_description_costs_only_the_sound() {
    let root = tempfile::tempdir().unwrap();
    let lab = Lab::open(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    let odd = Arc::new(TrackConfig::Aac { codec_data: vec![], rate: 0, channels: 0 });
    for frame in 0..75 {
        feed.push(unit(TrackKind::Video, frame * FRAME, frame % 25 == 0, &avc(320)));
        feed.push(unit(TrackKind::Audio, frame * FRAME, true, &odd));
    }
    feed.end();
    let end = Instant::now() + DEADLINE;
    let (mut frames, mut told) = (0, 0);
    while frames < 75 {
        let left = end.saturating_duration_since(Instant::now());
        match lab.heard.recv_timeout(left).expect("the picture is stored") {
            Report::Event(Event::Volume(_, VolumeEvent::Stored { frames: more, .. })) => frames += more,
            Report::Event(Event::Camera(YARD, CameraEvent::Unsupported { .. })) => told += 1,
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(told, 1);
    assert_eq!(segments(root.path()), [(75, 1)]);
}

#[test]
fn a_clock_that_was_set_begins_a_new_segment_at_the_next_keyframe() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 3, &avc(320));
    lab.durable(2);
    let set = Wall::from_secs(WALL + 1_000_003);
    lab.writer.set_anchor(Anchor { mono: Mono(START + 3 * SECOND), wall: set, trusted: true });
    film(&feed, 3, 6, &avc(320));
    let stored = lab.close();
    assert_eq!(segments(root.path()), [(75, 1), (75, 1)]);
    assert_eq!(stored.last().map(|span| span.to), Some(Wall::from_secs(WALL + 1_000_006)));
}

#[test]
fn what_the_core_says_of_the_last_footage_is_in_the_ledger_before_the_session_ends() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let gap = Span::new(Wall::from_secs(WALL + 1), Wall::from_secs(WALL + 2));
    lab.writer.drain();
    while !matches!(lab.heard.recv_timeout(DEADLINE).expect("it drains"), Report::Drained) {}
    lab.writer.account(Entry::Gap { camera: YARD, span: gap, cause: holdfast_core::event::Cause::Lost });
    lab.writer.end(Wall::from_secs(WALL + 3600));
    lab.wait(|event| matches!(event, VolumeEvent::Closed));
    let mut records = Vec::new();
    read_all(root.path(), |record| records.push(record.expect("the ledger is whole"))).unwrap();
    let place = |fits: fn(&Record) -> bool| records.iter().position(fits);
    let gap = place(|record| matches!(record, Record::Gap(_)));
    let end = place(|record| matches!(record, Record::SessionEnded { .. }));
    assert!(gap.is_some() && gap < end, "{records:?}");
}

#[test]
fn an_abandoned_writer_says_nothing_more_but_that_it_ends() {
    let root = tempfile::tempdir().unwrap();
    let lab = Lab::open(root.path());
    lab.writer.abandon();
    let said = lab.heard.recv_timeout(DEADLINE).expect("its thread ends");
    assert!(matches!(said, Report::Ended), "{said:?}");
    assert!(lab.writer.has_ended(), "what comes with the report is so when it comes");
    assert!(lab.heard.recv_timeout(DEADLINE).is_err(), "once, and nothing after it");
    assert!(lab.root.join("holdfast/volume").is_file());
}

#[test]
fn what_is_protected_while_it_records_is_dated_by_the_clock_of_the_job() {
    let root = tempfile::tempdir().unwrap();
    let simulated = Arc::new(|| Mono(START + 7 * SECOND));
    let lab = Lab::open_with(Job { clock: simulated, ..job(root.path()) });
    let span = Span::new(Wall::from_secs(WALL), Wall::from_secs(WALL + 5));
    let (answer, answered) = mpsc::channel();
    let wish = Wish { camera: None, span, note: heapless::String::new() };
    lab.writer.protect(wish, move |number| drop(answer.send(number)));
    answered.recv_timeout(DEADLINE).expect("it is answered").unwrap();
    let mut dated = Vec::new();
    read_all(root.path(), |record| {
        if let Ok(Record::Protected(protected)) = record {
            dated.push(protected.at);
        }
    })
    .unwrap();
    assert_eq!(dated, [Wall::from_secs(WALL + 7)]);
    lab.close();
}
