//! A writer at work, fed step by step: a step is over when its footage is durable, but for the fragment that fills.

use super::footage::{Camera, START, WALL, second};
use holdfast::retention::{Retention, Wish};
use holdfast::ring::{Feed, Limits as RingLimits, Ring};
use holdfast::volumes::{InUse, Knowledge, Place};
use holdfast::writer::{Complaints, Job, Limits, Report, VolumeWriter, WriterFigures};
use holdfast_core::effect::Stream;
use holdfast_core::event::{Event, VolumeEvent};
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_core::time::{Anchor, Mono};
use holdfast_wire::ids::{Id128, Name};
use holdfast_wire::time::{Span, Wall};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// How long a disk that others use too may take for a step.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a fragment holds back: a second, and a frame or two.
const HELD: Duration = Duration::from_millis(1500);

/// See the module.
pub struct Recording {
    root: PathBuf,
    writer: VolumeWriter,
    heard: Receiver<Report>,
    clock: Arc<AtomicU64>,
    cameras: Vec<Fed>,
    /// Seconds that were fed.
    seconds: u64,
    told: Told,
}

/// A camera and its ring.
struct Fed {
    camera: Camera,
    ring: Arc<Ring>,
    feed: Feed,
    next: u64,
    durable: Wall,
}

/// What was seen and heard in all.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Segments that were deleted.
    pub deleted: u32,
    /// Bytes that were free at the worst moment that was looked at: after each fragment that became durable.
    pub least_free: u64,
}

impl Recording {
    /// Opens the volume and takes the cameras.
    pub fn begin(place: Place, cameras: Vec<Camera>, retention: Retention) -> Self {
        let clock = Arc::new(AtomicU64::new(START.as_nanos()));
        let simulated = Arc::clone(&clock);
        let (tell, heard) = mpsc::channel();
        let root = place.path().to_owned();
        let job = Job {
            last_words: None,
            index: VolumeIndex(0),
            place,
            device: Name::new("box").unwrap(),
            formerly: Vec::new(),
            cameras: cameras.iter().map(|camera| camera.name.clone()).collect(),
            session: Id128([1; 16]),
            boot: Id128([2; 16]),
            knowledge: Knowledge::Unknown,
            new_volume: Id128([3; 16]),
            in_use: InUse::default(),
            claimant: 1,
            limits: Limits { segment: Duration::from_secs(60), fragment: Duration::from_secs(1) },
            max_file: None,
            anchor: Anchor { mono: START, wall: WALL, trusted: true },
            now: WALL,
            clock: Arc::new(move || Mono(simulated.load(Ordering::Acquire))),
            retention,
            complaints: Complaints::default(),
        };
        // A writer that is being closed may report to nobody.
        let writer = VolumeWriter::start(job, Arc::new(move |report| drop(tell.send(report)))).unwrap();
        let cameras = cameras.into_iter().map(Fed::new).collect();
        let told = Told { deleted: 0, least_free: u64::MAX };
        let mut recording = Recording { root, writer, heard, clock, cameras, seconds: 0, told };
        recording.hear("it is ready", |_, report| {
            matches!(report, Report::Event(Event::Volume(_, VolumeEvent::Ready)))
        });
        for fed in &recording.cameras {
            recording.writer.take(CameraIndex(fed.camera.index), &fed.ring);
        }
        recording
    }

    /// Feeds so many seconds more of all cameras, less than the rings hold, and lets the clock come to their end.
    pub fn step(&mut self, seconds: u64) {
        self.seconds += seconds;
        let end = Duration::from_secs(self.seconds);
        for fed in &mut self.cameras {
            while fed.camera.wall(fed.next) < WALL + end {
                fed.feed.push(fed.camera.unit(fed.next));
                fed.next += 1;
            }
        }
        self.clock.store((START + end).as_nanos(), Ordering::Release);
        let durable = WALL + end - HELD;
        self.hear("the step is durable", |cameras, _| cameras.iter().all(|fed| fed.durable >= durable));
        let dropped = self.cameras.iter().find(|fed| !fed.ring.take_drops().is_empty());
        assert!(dropped.is_none(), "a ring was full");
    }

    /// Protects footage, of all cameras or of one.
    pub fn protect(&self, camera: Option<Name>, span: Span) {
        let (answer, answered) = mpsc::channel();
        let wish = Wish { camera, span, note: "a test".try_into().unwrap() };
        self.writer.protect(wish, move |number| drop(answer.send(number)));
        answered.recv_timeout(PATIENCE).expect("it is answered").unwrap();
    }

    /// Waits until the writer's figures fit.
    pub fn until(&self, what: &str, fits: impl Fn(WriterFigures) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !fits(self.writer.figures()) {
            assert!(Instant::now() < end, "not before the deadline: {what}: {:?}", self.writer.figures());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it in good order.
    pub fn end(mut self) -> Told {
        self.writer.drain();
        self.hear("it is drained", |_, report| matches!(report, Report::Drained));
        self.writer.end(second(self.seconds));
        self.hear("it is closed", |_, report| {
            matches!(report, Report::Event(Event::Volume(_, VolumeEvent::Closed)))
        });
        // The thread holds the volume's lock until its last word.
        self.hear("its thread ends", |_, report| matches!(report, Report::Ended));
        self.told
    }

    /// Hears reports until one fits. All that a writer has to say of trouble fails the test.
    fn hear(&mut self, what: &str, fits: impl Fn(&[Fed], &Report) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let report =
                self.heard.recv_timeout(left).unwrap_or_else(|_| panic!("not before the deadline: {what}"));
            match &report {
                Report::Event(Event::Volume(_, VolumeEvent::Stored { camera, span, .. })) => {
                    let fed = &mut self.cameras[usize::from(camera.0)];
                    fed.durable = fed.durable.max(span.to);
                    let space = rustix::fs::statvfs(&self.root).unwrap();
                    self.told.least_free = self.told.least_free.min(space.f_bavail * space.f_frsize);
                }
                Report::Event(Event::Volume(_, VolumeEvent::Deleted { segments, .. })) => {
                    self.told.deleted += segments;
                }
                Report::Event(Event::Volume(
                    _,
                    VolumeEvent::Ready
                    | VolumeEvent::LedgerEnds { .. }
                    | VolumeEvent::History { .. }
                    | VolumeEvent::Closed,
                ))
                | Report::Drained
                | Report::Ended => {}
                Report::Event(_) => panic!("after {} s, waiting until {what}: {report:?}", self.seconds),
            }
            if fits(&self.cameras, &report) {
                return;
            }
        }
    }
}

impl Fed {
    fn new(camera: Camera) -> Self {
        // As by default.
        let ring = Ring::new(RingLimits { bytes: 64 << 20, time: Duration::from_secs(30) });
        let feed = ring.connect(Stream::Main);
        Fed { camera, ring, feed, next: 0, durable: WALL }
    }
}
