//! One thread per volume: fragments to files, sync, ledger.
//!
//! Words: a **stream** is one camera on one volume; the **disk** is the volume's directory and ledger.
//!
//! The loop commands and hears [`VolumeEvent`]s. The thread owns everything that touches
//! the volume, so that a call stuck in the kernel stops nothing but this thread; the loop sees how long it lasts
//! ([`VolumeWriter::figures`]), abandons the thread ([`VolumeWriter::abandon`]), and its rings go to another reader.
//! Any error of the volume ends the thread with `Faulted`: whether and when to try again is the core's decision.
//!
//! | file | what |
//! |---|---|
//! | `stream` | one camera: where fragments and segments are cut |
//! | `formats` | which changes of a stream's format begin another file |
//! | `growing`, `segment` | one file: queued, written, synced |
//! | `notes` | why footage is missing before a segment |
//! | `disk`, `home` | the volume: its ledger, new files, whether it is still the same |
//! | [`pulse`], `figures` | how long a call to the disk lasts; what the loop may know at any moment |
//! | `voice` | what the loop is told |

mod complaints;
mod disk;
mod figures;
mod formats;
mod growing;
mod home;
mod notes;
pub mod pulse;
mod segment;
mod stream;
mod voice;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use holdfast_core::effect::Entry;
use holdfast_core::event::{Event, VolumeEvent};
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_core::time::{Anchor, Wall};
use holdfast_wire::ids::{BootId, Name, SessionId, VolumeId};
use holdfast_wire::ledger::Ending;
use holdfast_wire::segment::Missing;

use crate::host::clock::Clock;
use crate::host::last_words::LastWords;
use crate::ledger::LedgerWriter;
use crate::retention::{Check, Cleaning, ProtectError, Protections, Retention, Wish};
use crate::ring::Ring;
use crate::volumes::{Claimant, InUse, Knowledge, Place, VolumeError};
pub use complaints::Complaints;
use disk::Disk;
pub use figures::{Figure, Space, WriterFigures};
use notes::Notes;
use pulse::Pulse;
use stream::{Context, Gathered, Stream};
use voice::Voice;

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
    /// Where it is.
    pub place: Place,
    /// This device's name.
    pub device: Name,
    /// Names that it had before.
    pub formerly: Vec<Name>,
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
    /// The identities that this recorder has in use.
    pub in_use: InUse,
    /// Under which number this writer claims its volume's identity. The loop lets go of it.
    pub claimant: Claimant,
    /// How footage is cut.
    pub limits: Limits,
    /// The largest file that the filesystem takes, in bytes: 4 GiB less one for vfat. `None`: larger than any segment.
    pub max_file: Option<u64>,
    /// The anchor in force.
    pub anchor: Anchor,
    /// When the job began, for the ledger.
    pub now: Wall,
    /// What tells the time while it runs: how old footage is and how fast it comes in, for cleaning.
    pub clock: Clock,
    /// What the process before this one could not write down itself, if it left a word.
    pub last_words: Option<LastWords>,
    /// By which rules it is cleaned.
    pub retention: Retention,
    /// What this place's writers have complained of: the same one for all of them.
    pub complaints: Complaints,
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
    /// Do this to the list of protections, and answer.
    Protect(Protecting),
}

/// Something to do about the protections of an open volume. It answers by itself.
type Protecting = Box<dyn FnOnce(&mut Cleaning, &mut LedgerWriter, Wall, Check) + Send>;

/// The loop's end of a writer.
pub struct VolumeWriter {
    commands: Sender<Command>,
    pulse: Pulse,
    space: Arc<Space>,
    ended: Arc<AtomicBool>,
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
    /// The thread ends: every file, the lock and the rings are let go of. The last report of each writer, made exactly
    /// once, also by one that was abandoned; [`VolumeWriter::has_ended`] says so already when it comes.
    Ended,
}

/// Tells the loop what happened. Called from the writer's thread.
pub type Reporter = Arc<dyn Fn(Report) + Send + Sync>;

impl VolumeWriter {
    /// Starts the thread. It opens the volume, repairs and reads its ledger, and reports the past of each
    /// camera, then `Ready`; or `Faulted`.
    pub fn start(job: Job, report: Reporter) -> io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let pulse = Pulse::new();
        let space = Arc::new(Space::default());
        let ended = Arc::new(AtomicBool::new(false));
        let last_word = LastWord { ended: Arc::clone(&ended), report: Arc::clone(&report) };
        let worker = Worker {
            limits: job.limits,
            max_file: job.max_file,
            anchor: job.anchor,
            streams: Vec::new(),
            leaving: Vec::new(),
            notes: Notes::default(),
            voice: Voice { index: job.index, cameras: job.cameras.clone(), report, pulse: pulse.clone() },
            pulse: pulse.clone(),
            space: Arc::clone(&space),
            space_asked: None,
        };
        let thread = thread::Builder::new().name(format!("volume-{}", job.index.0)).spawn(move || {
            let _last_word = last_word;
            worker.run(job, &inbox);
        })?;
        Ok(VolumeWriter { commands, pulse, space, ended, thread })
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
    /// Protects footage on the volume; `answer` is called on the writer's thread, with the number to take it back by, once it
    /// is durable. It is dropped uncalled if the writer ends before.
    pub fn protect(&self, wish: Wish, answer: impl FnOnce(Result<u32, ProtectError>) + Send + 'static) {
        self.tell(Command::Protect(Box::new(move |cleaning, ledger, at, check| {
            answer(cleaning.protect(wish, at, ledger, check));
        })));
    }
    /// Takes a protection back; answered as [`VolumeWriter::protect`] is.
    pub fn unprotect(&self, number: u32, answer: impl FnOnce(Result<(), ProtectError>) + Send + 'static) {
        self.tell(Command::Protect(Box::new(move |cleaning, ledger, at, check| {
            answer(cleaning.unprotect(number, at, ledger, check));
        })));
    }
    /// Asks for the protections of the volume; answered as [`VolumeWriter::protect`] is.
    pub fn protections(&self, answer: impl FnOnce(Result<Protections, ProtectError>) + Send + 'static) {
        self.tell(Command::Protect(Box::new(move |cleaning, _, _, _| {
            answer(cleaning.protections().cloned());
        })));
    }
    /// Gives the thread up: from now on it makes no further call to the disk and reports nothing but
    /// [`Report::Ended`], when the kernel lets it end.
    pub fn abandon(&self) {
        self.pulse.abandon();
    }
    /// Whether its thread has let go of everything. One that was abandoned may hang in the kernel, and hold the
    /// volume's lock, for as long as the kernel likes.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) || self.thread.is_finished()
    }
    /// Space on the volume, asked for every few seconds.
    pub fn space(&self) -> &Space {
        &self.space
    }
    /// How its calls to the disk go, and its space. Waits for nothing; `slowest` is told once.
    pub fn figures(&self) -> WriterFigures {
        WriterFigures {
            busy: self.pulse.busy(),
            slowest: self.pulse.take_slowest(),
            free: self.space.free.get(),
            total: self.space.total.get(),
            footage: self.space.footage.get(),
        }
    }

    fn tell(&self, command: Command) {
        // A thread that ended has reported why; the command has nobody to go to, and the core knows.
        let _ = self.commands.send(command);
    }
}

/// Says that the thread ends, when all else that it owned has gone; also after a panic.
struct LastWord {
    ended: Arc<AtomicBool>,
    report: Reporter,
}

impl Drop for LastWord {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        (self.report)(Report::Ended);
    }
}

struct Worker {
    limits: Limits,
    max_file: Option<u64>,
    anchor: Anchor,
    streams: Vec<Stream>,
    /// Streams that are finished, but for the disk.
    leaving: Vec<Stream>,
    notes: Notes,
    voice: Voice,
    pulse: Pulse,
    space: Arc<Space>,
    space_asked: Option<Instant>,
}

impl Worker {
    fn run(mut self, job: Job, inbox: &Receiver<Command>) {
        let root = job.place.path().to_owned();
        let cameras = job.cameras.clone();
        let complaints = job.complaints.clone();
        let opened = Disk::open(job, self.pulse.clone(), &mut |event| self.voice.volume(event));
        let outcome = opened.and_then(|(mut disk, past)| {
            for event in past {
                if let VolumeEvent::History { camera, covered_until, .. } = event {
                    self.notes.covered(camera, covered_until);
                }
                self.voice.volume(event);
            }
            self.voice.volume(VolumeEvent::Ready);
            complaints.forget();
            let outcome = self.work(&mut disk, &cameras, inbox).inspect_err(|error| disk.on_error(error));
            // Letting go of files may hang as well, and comes before the word that it is done.
            self.pulse.watch(|| {
                self.leaving.clear();
                self.streams.clear();
                drop(disk);
            });
            outcome
        });
        if self.pulse.is_abandoned() {
            return;
        }
        self.voice.volume(match outcome {
            Ok(()) => VolumeEvent::Closed,
            Err(error) => {
                complaints.say(&root.display().to_string(), &error);
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
                        self.leave(camera, disk);
                        self.streams.push(Stream::new(camera, name.clone(), ring.attach()));
                    }
                    Command::Leave(camera) => self.leave(camera, disk),
                    Command::Account(entry) => self.account(entry, disk, cameras)?,
                    Command::SetAnchor(anchor) => self.set_anchor(anchor),
                    Command::Drain => self.drain(disk)?,
                    Command::End(now) => return disk.end_session(now),
                    Command::Protect(protecting) => {
                        disk.check()?;
                        let at = disk.moment(self.anchor).wall;
                        disk.cleaning(|cleaning, ledger, check| protecting(cleaning, ledger, at, check));
                    }
                }
            }
            if Instant::now() >= next_turn {
                // A backlog goes on at once; commands come between its parts.
                next_turn = if self.turn(disk)? { Instant::now() } else { Instant::now() + TURN };
            }
            if self.pulse.is_abandoned() {
                return Ok(());
            }
        }
    }

    /// One round of everything. Whether a ring had more than one turn takes.
    fn turn(&mut self, disk: &mut Disk) -> Result<bool, VolumeError> {
        // What is written to files that were removed with their disk's directory is lost, whatever fsync says.
        disk.check()?;
        let more = self.gather(disk);
        self.flush(disk)?;
        if self.space_asked.is_none_or(|asked| asked.elapsed() >= SPACE_EVERY) {
            self.space_asked = Some(Instant::now());
            // A filesystem that does not tell is none the worse for recording; it is asked again.
            let answer = disk.space();
            self.space.free.set(answer.map(|(free, _)| free));
            self.space.total.set(answer.map(|(_, total)| total));
        }
        let voice = &self.voice;
        disk.clean(self.anchor, &self.space, &mut |event| voice.volume(event))?;
        Ok(more)
    }

    /// Takes what the rings have, in memory alone. Whether there is more.
    fn gather(&mut self, disk: &mut Disk) -> bool {
        let mut more = false;
        for mut stream in std::mem::take(&mut self.streams) {
            let gathered = self.with_context(disk, |context| {
                let gathered = stream.gather(context);
                if gathered == Gathered::Gone {
                    stream.finish(Ending::Cut, context);
                }
                gathered
            });
            more |= gathered == Gathered::Part;
            let list = if gathered == Gathered::Gone { &mut self.leaving } else { &mut self.streams };
            list.push(stream);
        }
        more
    }

    /// Brings to the disk all that was gathered, file by file, then what the ledger says of it.
    fn flush(&mut self, disk: &mut Disk) -> Result<(), VolumeError> {
        let Worker { streams, leaving, voice, .. } = self;
        let mut tell = |camera, told| voice.told(camera, told);
        all(leaving, streams).try_for_each(|stream| stream.store(disk, &mut tell))?;
        leaving.clear();
        disk.sync()
    }

    fn set_anchor(&mut self, anchor: Anchor) {
        let moved = anchor.wall.micros_since(self.anchor.wall_at(anchor.mono)).unsigned_abs();
        if u128::from(moved) > CLOCK_WAS_SET.as_micros() {
            self.streams.iter_mut().for_each(Stream::clock_was_set);
        }
        self.anchor = anchor;
    }

    fn leave(&mut self, camera: CameraIndex, disk: &mut Disk) {
        let (leaving, staying) = self.streams.drain(..).partition(|stream| stream.camera == camera);
        self.streams = staying;
        self.finish(leaving, Ending::Cut, disk);
    }

    fn finish(&mut self, streams: Vec<Stream>, ending: Ending, disk: &mut Disk) {
        for mut stream in streams {
            self.with_context(disk, |context| stream.finish(ending, context));
            self.leaving.push(stream);
        }
    }

    fn with_context<T>(&mut self, disk: &mut Disk, work: impl FnOnce(&mut Context) -> T) -> T {
        let Worker { limits, max_file, anchor, notes, voice, .. } = self;
        let mut tell = |camera, told| voice.told(camera, told);
        work(&mut Context { disk, limits, max_file: *max_file, anchor: *anchor, notes, tell: &mut tell })
    }

    fn account(&mut self, entry: Entry, disk: &mut Disk, cameras: &[Name]) -> Result<(), VolumeError> {
        if let Entry::GapOpened { camera, from, cause } = entry {
            self.notes.missing(camera, Missing { from, cause });
        }
        disk.account(entry, cameras)
    }

    fn drain(&mut self, disk: &mut Disk) -> Result<(), VolumeError> {
        disk.check()?;
        while self.gather(disk) {
            self.flush(disk)?;
        }
        let streams = std::mem::take(&mut self.streams);
        self.finish(streams, Ending::Stopped, disk);
        self.flush(disk)?;
        self.voice.report(Report::Drained);
        Ok(())
    }
}

fn all<'a>(leaving: &'a mut [Stream], streams: &'a mut [Stream]) -> impl Iterator<Item = &'a mut Stream> {
    leaving.iter_mut().chain(streams)
}

#[cfg(test)]
mod tests;
