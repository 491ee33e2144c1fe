//! One thread per volume: fragments to files, sync, ledger.
//!
//! Words: a **stream** is one camera on one volume; the **disk** is the volume's directory and ledger.
//!
//! The loop commands and hears [`VolumeEvent`]s. The thread owns everything that touches
//! the volume, so that a call stuck in the kernel stops nothing but this thread; the loop then abandons
//! it ([`VolumeWriter::abandon`]) and its rings go to another reader. Any error of the volume ends the
//! thread with `Faulted`: whether and when to try again is the core's decision.

mod disk;
mod notes;
mod segment;
mod stream;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use holdfast_core::effect::Entry;
use holdfast_core::event::{CameraEvent, Event, Failure, VolumeEvent};
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_core::time::{Anchor, Wall};
use holdfast_wire::ids::{BootId, Name, SessionId, VolumeId};
use holdfast_wire::ledger::Ending;
use holdfast_wire::segment::Missing;

use crate::ring::Ring;
use crate::volumes::{Knowledge, VolumeError};
use disk::Disk;
use notes::Notes;
use stream::{Context, Stream, Told};

/// How often the rings are looked at. A fragment becomes durable at most this long after it is full; four
/// wake-ups a second for a volume cost nothing beside the cameras' packets.
const TURN: Duration = Duration::from_millis(250);

/// How often the space on the volume is asked for.
const SPACE_EVERY: Duration = Duration::from_secs(5);

/// A segment keeps the anchor it began with, unless that was wrong by more than time in files may be.
const CLOCK_WAS_SET: Duration = Duration::from_millis(500);

/// How footage is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A segment is cut at the first keyframe after this long.
    pub segment: Duration,
    /// A fragment is cut at the first frame after this long.
    pub fragment: Duration,
}

/// What a writer must know at its start.
pub struct Job {
    /// Which volume.
    pub index: VolumeIndex,
    /// Where it is mounted, or its directory.
    pub root: PathBuf,
    /// This device's name.
    pub device: Name,
    /// All cameras of the configuration; a [`CameraIndex`] is a place in this list.
    pub cameras: Vec<Name>,
    /// This life of the recorder.
    pub session: SessionId,
    /// This boot of the machine.
    pub boot: BootId,
    /// Whether a volume was in use there before.
    pub knowledge: Knowledge,
    /// A random identity, for a volume that has none yet.
    pub new_volume: VolumeId,
    /// How footage is cut.
    pub limits: Limits,
    /// The anchor in force.
    pub anchor: Anchor,
    /// When the job began, for the ledger.
    pub now: Wall,
}

/// What the loop tells a writer.
enum Command {
    /// Take this camera's footage, from the oldest GOP in its ring.
    Take(CameraIndex, Arc<Ring>),
    /// Finish this camera's segment and let go of its ring.
    Leave(CameraIndex),
    /// Write this into the ledger.
    Account(Entry),
    /// Segments opened from now on take their wall time from this.
    SetAnchor(Anchor),
    /// Finish every segment, and say so.
    Drain,
    /// End the session in the ledger, and end.
    End(Wall),
}

/// Space on the volume, for people.
#[derive(Debug, Default)]
pub struct Space {
    /// Bytes that an ordinary user may still write.
    pub free: AtomicU64,
    /// Bytes in all.
    pub total: AtomicU64,
}

/// The loop's end of a writer.
pub struct VolumeWriter {
    commands: Sender<Command>,
    abandoned: Arc<AtomicBool>,
    space: Arc<Space>,
    thread: JoinHandle<()>,
}

/// What a writer reports.
#[derive(Debug)]
pub enum Report {
    /// A fact for the core.
    Event(Event),
    /// Every segment is finished, as [`VolumeWriter::drain`] asked: the loop owes [`VolumeWriter::end`], once
    /// the core has heard all that was reported before.
    Drained,
}

/// Tells the loop what happened. Called from the writer's thread.
pub type Reporter = Arc<dyn Fn(Report) + Send + Sync>;

impl VolumeWriter {
    /// Starts the thread. It opens the volume, repairs and reads its ledger, and reports the past of each
    /// camera, then `Ready`; or `Faulted`.
    pub fn start(job: Job, report: Reporter) -> io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let space = Arc::new(Space::default());
        let worker = Worker {
            limits: job.limits,
            anchor: job.anchor,
            streams: Vec::new(),
            notes: Notes::default(),
            voice: Voice {
                index: job.index,
                cameras: job.cameras.clone(),
                report,
                abandoned: Arc::clone(&abandoned),
            },
            space: Arc::clone(&space),
            space_asked: None,
        };
        let thread = thread::Builder::new()
            .name(format!("volume-{}", job.index.0))
            .spawn(move || worker.run(job, &inbox))?;
        Ok(VolumeWriter { commands, abandoned, space, thread })
    }

    /// Takes this camera's footage, from the oldest GOP its ring holds.
    pub fn take(&self, camera: CameraIndex, ring: &Arc<Ring>) {
        self.tell(Command::Take(camera, Arc::clone(ring)));
    }
    /// Finishes this camera's segment and lets go of its ring.
    pub fn leave(&self, camera: CameraIndex) {
        self.tell(Command::Leave(camera));
    }
    /// Writes this into the ledger; durable within a turn.
    pub fn account(&self, entry: Entry) {
        self.tell(Command::Account(entry));
    }
    /// Gives segments opened from now on their wall time.
    pub fn set_anchor(&self, anchor: Anchor) {
        self.tell(Command::SetAnchor(anchor));
    }
    /// Finishes every segment; [`Report::Drained`] or a fault is reported. What the core has to say of the last
    /// footage can still be [accounted](VolumeWriter::account) then.
    pub fn drain(&self) {
        self.tell(Command::Drain);
    }
    /// Ends the session; `Closed` or `Faulted` is reported.
    pub fn end(&self, now: Wall) {
        self.tell(Command::End(now));
    }
    /// Gives the thread up: from now on it reports nothing, and it ends when the kernel lets it.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }
    /// Whether its thread has ended. One that was abandoned may hang in the kernel, and hold the volume's
    /// lock, for as long as the kernel likes.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
    /// Space on the volume, asked for every few seconds.
    pub fn space(&self) -> &Space {
        &self.space
    }

    fn tell(&self, command: Command) {
        // A thread that ended has reported why; the command has nobody to go to, and the core knows.
        let _ = self.commands.send(command);
    }
}

/// The writer's way to the loop, silent once abandoned.
struct Voice {
    index: VolumeIndex,
    cameras: Vec<Name>,
    report: Reporter,
    abandoned: Arc<AtomicBool>,
}

impl Voice {
    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }
    fn volume(&self, event: VolumeEvent) {
        self.say(Event::Volume(self.index, event));
    }
    fn say(&self, event: Event) {
        self.report(Report::Event(event));
    }
    fn report(&self, report: Report) {
        if !self.is_abandoned() {
            (self.report)(report);
        }
    }
    fn complain(&self, camera: CameraIndex, what: &str) {
        let name = self.cameras.get(usize::from(camera.0)).map_or("?", Name::as_str);
        log::error!(CAMERA = name; "{what}");
    }
    fn told(&self, camera: CameraIndex, told: Told) {
        match told {
            Told::Stored(durable) => self.volume(VolumeEvent::Stored {
                camera,
                span: durable.span,
                frames: durable.frames,
                bytes: durable.bytes,
            }),
            Told::Unusable(error) => {
                self.complain(camera, &format!("no playable file can be made of its video: {error}"));
                self.say(Event::Camera(camera, CameraEvent::Failed(Failure::Garbage)));
            }
            Told::NoSound(error) => {
                self.complain(camera, &format!("its sound cannot be kept, the picture goes on: {error}"));
                let track = "audio, by its description".try_into().unwrap_or_default();
                self.say(Event::Camera(camera, CameraEvent::Unsupported { track }));
            }
        }
    }
}

struct Worker {
    limits: Limits,
    anchor: Anchor,
    streams: Vec<Stream>,
    notes: Notes,
    voice: Voice,
    space: Arc<Space>,
    space_asked: Option<Instant>,
}

impl Worker {
    fn run(mut self, job: Job, inbox: &Receiver<Command>) {
        let root = job.root.clone();
        let cameras = job.cameras.clone();
        let outcome = Disk::open(job).and_then(|(mut disk, past)| {
            for event in past {
                if let VolumeEvent::History { camera, covered_until, .. } = event {
                    self.notes.covered(camera, covered_until);
                }
                self.voice.volume(event);
            }
            self.voice.volume(VolumeEvent::Ready);
            self.work(&mut disk, &cameras, inbox)
        });
        self.voice.volume(match outcome {
            Ok(()) => VolumeEvent::Closed,
            Err(error) => {
                let path = root.display().to_string();
                log::error!(VOLUME = path.as_str(); "{error}");
                VolumeEvent::Faulted(error.fault)
            }
        });
    }

    /// Turns until told to close, or until the volume fails.
    fn work(
        &mut self,
        disk: &mut Disk,
        cameras: &[Name],
        inbox: &Receiver<Command>,
    ) -> Result<(), VolumeError> {
        let mut next_turn = Instant::now() + TURN;
        loop {
            let first = match inbox.recv_timeout(next_turn.saturating_duration_since(Instant::now())) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                // The loop is gone without a word: finish nothing that it did not ask for.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            for command in first.into_iter().chain(inbox.try_iter()) {
                match command {
                    Command::Take(camera, ring) => {
                        let Some(name) = cameras.get(usize::from(camera.0)) else { continue };
                        self.streams.retain(|stream| stream.camera != camera);
                        self.streams.push(Stream::new(camera, name.clone(), ring.attach()));
                    }
                    Command::Leave(camera) => self.leave(camera, disk)?,
                    Command::Account(entry) => self.account(entry, disk, cameras)?,
                    Command::SetAnchor(anchor) => self.set_anchor(anchor),
                    Command::Drain => self.drain(disk)?,
                    Command::End(now) => return disk.end_session(now),
                }
            }
            if Instant::now() >= next_turn {
                self.turn(disk)?;
                next_turn = Instant::now() + TURN;
            }
            if self.voice.is_abandoned() {
                return Ok(());
            }
        }
    }

    fn turn(&mut self, disk: &mut Disk) -> Result<(), VolumeError> {
        // What is written to files that were removed with their disk's directory is lost, whatever fsync says.
        disk.check()?;
        self.pump(disk)?;
        disk.sync()?;
        if self.space_asked.is_none_or(|asked| asked.elapsed() >= SPACE_EVERY) {
            self.space_asked = Some(Instant::now());
            let (free, total) = disk.space()?;
            self.space.free.store(free, Ordering::Relaxed);
            self.space.total.store(total, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Everything that the rings have, to the disk.
    fn pump(&mut self, disk: &mut Disk) -> Result<(), VolumeError> {
        let Worker { limits, anchor, streams, notes, voice, .. } = self;
        let mut kept = Vec::with_capacity(streams.len());
        for mut stream in streams.drain(..) {
            let mut tell = |camera, told| voice.told(camera, told);
            let mut context =
                Context { disk: &mut *disk, limits, anchor: *anchor, notes: &mut *notes, tell: &mut tell };
            if stream.pump(&mut context)? {
                kept.push(stream);
            } else {
                stream.finish(Ending::Cut, &mut context)?;
            }
        }
        *streams = kept;
        Ok(())
    }

    fn set_anchor(&mut self, anchor: Anchor) {
        let moved = anchor.wall.micros_since(self.anchor.wall_at(anchor.mono)).unsigned_abs();
        if u128::from(moved) > CLOCK_WAS_SET.as_micros() {
            self.streams.iter_mut().for_each(Stream::clock_was_set);
        }
        self.anchor = anchor;
    }

    fn leave(&mut self, camera: CameraIndex, disk: &mut Disk) -> Result<(), VolumeError> {
        let (leaving, staying) = self.streams.drain(..).partition(|stream| stream.camera == camera);
        self.streams = staying;
        self.finish(leaving, Ending::Cut, disk)
    }

    fn finish(&mut self, streams: Vec<Stream>, ending: Ending, disk: &mut Disk) -> Result<(), VolumeError> {
        let Worker { limits, anchor, notes, voice, .. } = self;
        let mut tell = |camera, told| voice.told(camera, told);
        for mut stream in streams {
            let mut context =
                Context { disk: &mut *disk, limits, anchor: *anchor, notes: &mut *notes, tell: &mut tell };
            stream.finish(ending, &mut context)?;
        }
        Ok(())
    }

    fn account(&mut self, entry: Entry, disk: &mut Disk, cameras: &[Name]) -> Result<(), VolumeError> {
        if let Entry::GapOpened { camera, from, cause } = entry {
            self.notes.missing(camera, Missing { from, cause });
        }
        disk.account(entry, cameras)
    }

    fn drain(&mut self, disk: &mut Disk) -> Result<(), VolumeError> {
        self.pump(disk)?;
        let streams = std::mem::take(&mut self.streams);
        self.finish(streams, Ending::Stopped, disk)?;
        disk.sync()?;
        self.voice.report(Report::Drained);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
