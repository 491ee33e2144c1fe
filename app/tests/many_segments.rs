//! A volume with 100,000 segments: used within seconds, in the memory of an empty one.
//!
//! The volume is made here: real files by the program's own muxer, of two frames each, and a ledger of what a recorder would have
//! written. `HOLDFAST_SEGMENTS` makes it smaller or larger.

use holdfast::coverage::{self, CoverageArgs};
use holdfast::host::clock;
use holdfast::ledger::{LedgerWriter, Mp4Scanner};
use holdfast::mp4::{Sample, SegmentMuxer, TrackConfig};
use holdfast::retention::cleaning::{Cleaning, Moment, Retention, Site, Work};
use holdfast::ring::{AccessUnit, Data, Limits as RingLimits, Ring, TrackKind};
use holdfast::volumes::{Adoption, InUse, Knowledge, Place, Volume, layout};
use holdfast::writer::{Complaints, Job, Limits, Report, VolumeWriter};
use holdfast_core::effect::Stream;
use holdfast_core::event::{Event, VolumeEvent};
use holdfast_core::retention::Space;
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_core::time::{Anchor, Mono, Wall};
use holdfast_wire::ids::{Id128, Name};
use holdfast_wire::ledger::{Ending, Record, SegmentClosed, SegmentOpened, SessionStarted};
use holdfast_wire::segment::{SegmentHeader, SegmentHeaderV1};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// 2026-11-22T10:00:00Z: the end of what is laid.
const NOW: i64 = 1_795_341_600;

const CAMERAS: [&str; 4] = ["entrance", "yard", "ramp", "till"];

/// What opening may take. A debug build on a machine that builds other things takes several times what a release build does.
const SOON: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 3 });

/// What a hundred thousand segments may cost beside an empty volume, in bytes: windows of a listing, a piece of the ledger.
const FEW: u64 = 8 << 20;

fn segments() -> u32 {
    std::env::var("HOLDFAST_SEGMENTS").ok().and_then(|count| count.parse().ok()).unwrap_or(100_000)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn avc() -> TrackConfig {
    // Version 1, profile and level, four-byte lengths, one SPS, one PPS.
    let codec_data = vec![1, 66, 192, 30, 0xff, 0xe1, 0, 4, 0x67, 66, 192, 30, 1, 0, 2, 0x68, 0xce];
    TrackConfig::H264 { codec_data, width: 320, height: 240 }
}

/// Lays `count` segments of a minute, the cameras by turns, and their ledger, with a clean end. Nothing is synced: it is fast.
fn lay(root: &Path, count: u32) {
    let adoption =
        Adoption { id: Id128([3; 16]), device: name("box"), formerly: Vec::new(), at: Wall::from_secs(NOW) };
    let _volume =
        Volume::open(&Place::Directory { path: root.to_owned() }, &adoption, Knowledge::Unknown).unwrap();
    let minutes = i64::from(count / CAMERAS.len() as u32) + 1;
    let begin = NOW - 60 * minutes - 3600;
    let start_of = |number: u32| Wall::from_secs(begin + 60 * i64::from((number - 1) / CAMERAS.len() as u32));
    let (mut ledger, _) = LedgerWriter::open(root, Wall::from_secs(begin)).unwrap();
    let at = Wall::from_secs(begin);
    let session = SessionStarted {
        at,
        session: Id128([1; 16]),
        boot: Id128([1; 16]),
        device: name("box"),
        version: heapless::String::new(),
        clock_trusted: true,
    };
    ledger.append(at, &Record::SessionStarted(session)).unwrap();
    for camera in CAMERAS {
        ledger.append(at, &Record::CameraConfigured { at, camera: name(camera) }).unwrap();
    }
    let mut last_directory = None;
    for sequence in 1..=count {
        let camera = name(CAMERAS[(sequence - 1) as usize % CAMERAS.len()]);
        let start = start_of(sequence);
        let path = layout::segment(root, &camera, start, sequence);
        let directory = path.parent().unwrap();
        if last_directory.as_deref() != Some(directory) {
            fs::create_dir_all(directory).unwrap();
            last_directory = Some(directory.to_owned());
        }
        let header = SegmentHeaderV1 {
            volume: Id128([3; 16]),
            device: name("box"),
            camera: camera.clone(),
            session: Id128([1; 16]),
            boot: Id128([1; 16]),
            sequence,
            start,
            clock_trusted: true,
            fallback: false,
            before: heapless::Vec::new(),
        };
        let mut muxer = SegmentMuxer::new(vec![avc()], SegmentHeader::V1(header), 0).unwrap();
        for second in [0, 30] {
            muxer.push(Sample {
                track: 0,
                pts: Mono(second * 1_000_000_000),
                duration: Some(Duration::from_secs(30)),
                keyframe: true,
                payload: vec![0u8, 0, 0, 4, 0x65, 1, 2, 3],
            });
        }
        let mut bytes = Vec::with_capacity(4096);
        for fragment in muxer.cut(None) {
            bytes.extend_from_slice(&fragment.head);
            fragment.payloads.iter().for_each(|payload| bytes.extend_from_slice(payload));
        }
        fs::write(&path, &bytes).unwrap();
        let opened = SegmentOpened { sequence, camera: camera.clone(), start, fallback: false };
        ledger.append(start, &Record::SegmentOpened(opened)).unwrap();
        let closed = SegmentClosed {
            sequence,
            camera,
            end: start + Duration::from_secs(60),
            frames: 2,
            bytes: bytes.len() as u64,
            ending: Ending::Cut,
        };
        ledger.append(start, &Record::SegmentClosed(closed)).unwrap();
    }
    let at = Wall::from_secs(NOW - 3600);
    ledger.append(at, &Record::SessionEnded { at, session: Id128([1; 16]) }).unwrap();
    ledger.sync().unwrap();
}

fn job(root: &Path) -> Job {
    Job {
        last_words: None,
        index: VolumeIndex(0),
        place: Place::Directory { path: root.to_owned() },
        device: name("box"),
        formerly: Vec::new(),
        cameras: CAMERAS.map(name).to_vec(),
        session: Id128([2; 16]),
        boot: Id128([2; 16]),
        knowledge: Knowledge::Unknown,
        new_volume: Id128([3; 16]),
        in_use: InUse::default(),
        claimant: 1,
        max_file: None,
        limits: Limits { segment: Duration::from_secs(10), fragment: Duration::from_secs(1) },
        anchor: Anchor { mono: Mono(0), wall: Wall::from_secs(NOW), trusted: true },
        now: Wall::from_secs(NOW),
        clock: Arc::new(clock::mono),
        retention: Retention::default(),
        complaints: Complaints::default(),
    }
}

/// Waits for an event, and gives back how long after `begun` it came.
fn wait(heard: &Receiver<Report>, begun: Instant, fits: impl Fn(&VolumeEvent) -> bool) -> Duration {
    loop {
        match heard.recv_timeout(Duration::from_secs(120)).expect("it comes") {
            Report::Event(Event::Volume(_, event)) if fits(&event) => return begun.elapsed(),
            Report::Event(Event::Volume(_, VolumeEvent::Faulted(fault))) => panic!("{fault}"),
            _ => {}
        }
    }
}

/// Opens the volume, records to it, and closes it: how long it took to be ready, and to have recorded.
fn record(root: &Path) -> (Duration, Duration) {
    let (tell, heard) = mpsc::channel();
    let ring = Ring::new(RingLimits { bytes: 1 << 20, time: Duration::from_secs(3600) });
    let feed = ring.connect(Stream::Main);
    let config = Arc::new(avc());
    for frame in 0..75u64 {
        feed.push(AccessUnit {
            track: TrackKind::Video,
            pts: Mono(frame * 40_000_000),
            duration: None,
            keyframe: frame % 25 == 0,
            config: Arc::clone(&config),
            data: Data::new(vec![0, 0, 0, 4, 0x65, 1, 2, 3]),
        });
    }
    let begun = Instant::now();
    // A writer that is being closed may report to nobody.
    let writer = VolumeWriter::start(job(root), Arc::new(move |report| drop(tell.send(report)))).unwrap();
    let ready = wait(&heard, begun, |event| matches!(event, VolumeEvent::Ready));
    writer.take(CameraIndex(0), &ring);
    let recorded = wait(&heard, begun, |event| matches!(event, VolumeEvent::Stored { .. }));
    writer.drain();
    while !matches!(heard.recv_timeout(Duration::from_secs(60)).expect("it drains"), Report::Drained) {}
    writer.end(Wall::from_secs(NOW + 60));
    wait(&heard, begun, |event| matches!(event, VolumeEvent::Closed));
    (ready, recorded)
}

/// A figure of this process, in bytes: `VmRSS`, or `VmHWM`, the most since [`forget_peak`].
fn memory(figure: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Lists and counts all of a volume as its writer does on its turns; gives back the footage, and how many turns it took.
fn count(root: &Path) -> (u64, u32) {
    let adoption =
        Adoption { id: Id128([3; 16]), device: name("box"), formerly: Vec::new(), at: Wall::from_secs(NOW) };
    let _volume =
        Volume::open(&Place::Directory { path: root.to_owned() }, &adoption, Knowledge::Unknown).unwrap();
    let (mut ledger, _) = LedgerWriter::open(root, Wall::from_secs(NOW)).unwrap();
    let cameras = CAMERAS.map(name);
    let site = Site {
        root,
        id: Id128([3; 16]),
        formerly: Vec::new(),
        cameras: &cameras,
        next_sequence: u32::MAX,
        check: &|| Ok(()),
    };
    let moment = Moment { mono: Mono(1), wall: Wall::from_secs(NOW), trusted: true };
    let mut cleaning =
        Cleaning::open(site, Retention::default(), &ledger, Box::new(Mp4Scanner), moment).unwrap();
    let mut turns = 0;
    loop {
        let mut work = Work {
            ledger: &mut ledger,
            check: &|| Ok(()),
            tell: &mut |event| panic!("nothing is to be deleted: {event:?}"),
        };
        let space = || Some(Space { free: 1 << 40, total: 1 << 40 });
        cleaning.turn(moment, space, &mut work).unwrap();
        turns += 1;
        if let Some(footage) = cleaning.footage() {
            return (footage, turns);
        }
    }
}

#[test]
fn a_hundred_thousand_segments_are_adopted_in_seconds_and_cost_no_memory() {
    let (empty, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let begun = Instant::now();
    lay(full.path(), segments());
    println!("laid {} segments in {:?}", segments(), begun.elapsed());

    record(empty.path());
    count(empty.path());
    forget_peak();
    record(empty.path());
    count(empty.path());
    let base = memory("VmHWM");

    // As after an update from a version without checkpoints: the ledger is read.
    fs::remove_file(layout::checkpoint(full.path())).unwrap();
    forget_peak();
    let (ready, recorded) = record(full.path());
    println!("without a checkpoint: ready in {ready:?}, recorded in {recorded:?}");
    assert!(recorded < 2 * SOON, "ready in {ready:?}, recorded in {recorded:?}");
    let (ready, recorded) = record(full.path());
    println!("with a checkpoint: ready in {ready:?}, recorded in {recorded:?}");
    assert!(recorded < SOON, "ready in {ready:?}, recorded in {recorded:?}");

    let begun = Instant::now();
    let (footage, turns) = count(full.path());
    println!("{footage} bytes of footage counted in {turns} turns, {:?} in all", begun.elapsed());
    assert!(footage > u64::from(segments()) * 500);
    let peak = memory("VmHWM");
    println!("most memory: {} KiB, with an empty volume {} KiB", peak / 1024, base / 1024);
    assert!(peak < base + FEW, "{peak} bytes, with an empty volume {base}");

    let begun = Instant::now();
    let asked = CoverageArgs {
        volume: full.path().to_owned(),
        cameras: Vec::new(),
        since: None,
        until: None,
        json: true,
        now: Wall::from_secs(NOW + 60),
    };
    let mut answer = Vec::new();
    coverage::run(&asked, &Mp4Scanner, &mut answer).unwrap();
    println!("coverage in {:?}, most memory {} KiB", begun.elapsed(), memory("VmHWM") / 1024);
    assert!(answer.windows(8).any(|bytes| bytes == b"entrance"));
}
