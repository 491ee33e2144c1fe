//! A volume in use: its identity, its ledger, the number of its next segment, its space.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use holdfast_core::effect::Entry;
use holdfast_core::event::{Past, VolumeEvent};
use holdfast_core::retention::Space;
use holdfast_core::settings::CameraIndex;
use holdfast_core::time::{Anchor, Wall};
use holdfast_wire::ids::{BootId, Name, SessionId, VolumeId};
use holdfast_wire::ledger::{Gap, Record, SessionStarted};

use super::Job;
use super::figures::Space as Figures;
use super::home::Home;
use super::pulse::Pulse;
use crate::host::clock::Clock;
use crate::host::last_words;
use crate::host::message_ids as ids;
use crate::ledger::recover::{Recovered, Repairs, recover};
use crate::ledger::{LedgerWriter, Mp4Scanner};
use crate::retention::cleaning::{self, Tell, Work};
use crate::retention::{Check, full};
use crate::retention::{Cleaning, Moment};
use crate::volumes::{Adoption, Identity, Volume, VolumeError, layout};
use layout::Month;

/// An opened volume and its ledger.
pub(super) struct Disk {
    volume: Volume,
    pulse: Pulse,
    home: Home,
    ledger: LedgerWriter,
    /// The newest month that the ledger has a file for, as far as this session knows.
    month: Month,
    /// Whether the ledger holds records that are not synced yet.
    dirty: bool,
    /// Newest time written, which chooses the ledger's month.
    at: Wall,
    device: Name,
    session: SessionId,
    boot: BootId,
    next_sequence: u32,
    /// Each camera's directory of the day, once its entry is known to be durable.
    directories: HashMap<Name, PathBuf>,
    /// Directories in which files were made whose entries are not durable yet.
    unsynced: BTreeSet<PathBuf>,
    cleaning: Cleaning,
    clock: Clock,
}

impl Disk {
    /// Opens the volume: lock, marker, repair, ledger; room, if it was full. Gives also what its past means for the core.
    pub fn open(job: Job, pulse: Pulse, tell: Tell) -> Result<(Self, Vec<VolumeEvent>), VolumeError> {
        let device = job.device.clone();
        let adoption = Adoption { id: job.new_volume, device, formerly: job.formerly.clone(), at: job.now };
        let volume = pulse.during(|| Volume::open(&job.place, &adoption, job.knowledge))?;
        job.in_use.claim(job.claimant, &volume)?;
        let home = Home::open(volume.root(), &pulse)?;
        // Now it is certain that `home` is what was locked.
        pulse.during(|| volume.check())?;
        let (root, identity) = (volume.root().to_owned(), volume.identity());
        let opened = Self::open_volume(job, volume, home, pulse.clone(), tell);
        opened.inspect_err(|error| prepare_for(error, &root, &identity, &pulse))
    }

    fn open_volume(
        job: Job,
        volume: Volume,
        home: Home,
        pulse: Pulse,
        tell: Tell,
    ) -> Result<(Self, Vec<VolumeEvent>), VolumeError> {
        let (mut ledger, mut found) = pulse.during(|| recover(&volume, &Mp4Scanner, job.now, job.boot))?;
        pulse.during(|| volume.check())?;
        let root = volume.root().display().to_string();
        for problem in &found.problems {
            log::warn!(VOLUME = root.as_str(); "{problem}");
        }
        if let (Some(Past::Crashed), Some(words)) = (found.past, job.last_words)
            && found.session == Some(words.session)
            && words.cause == last_words::Cause::OutOfMemory
        {
            found.past = Some(Past::OutOfMemory);
        }
        say_how_it_ended(&root, &found, job.session);
        let site = cleaning::Site {
            root: volume.root(),
            id: volume.id(),
            formerly: volume.marker().formerly.to_vec(),
            cameras: &job.cameras,
            next_sequence: found.next_sequence,
            check: &|| pulse.during(|| volume.check()),
        };
        let now = || moment(&job.clock, job.anchor);
        let retention = job.retention;
        let mut cleaning =
            pulse.during(|| Cleaning::open(site, retention, &ledger, Box::new(Mp4Scanner), now()))?;
        let mut work = Work { ledger: &mut ledger, check: &|| pulse.during(|| volume.check()), tell };
        pulse.during(|| cleaning.make_room(now, &mut work))?;
        let mut disk = Disk {
            volume,
            pulse,
            home,
            cleaning,
            ledger,
            month: Month::of(job.now),
            dirty: false,
            at: job.now,
            device: job.device,
            session: job.session,
            boot: job.boot,
            next_sequence: found.next_sequence,
            directories: HashMap::new(),
            unsynced: BTreeSet::new(),
            clock: job.clock,
        };
        disk.begin_session(job.now, job.anchor.trusted, &job.cameras, &found)?;
        let events = past(&found, &job.cameras);
        Ok((disk, events))
    }

    fn begin_session(
        &mut self,
        at: Wall,
        clock_trusted: bool,
        cameras: &[Name],
        found: &Recovered,
    ) -> Result<(), VolumeError> {
        let version = env!("CARGO_PKG_VERSION").try_into().unwrap_or_default();
        self.append(&Record::SessionStarted(SessionStarted {
            at,
            session: self.session,
            boot: self.boot,
            device: self.device.clone(),
            version,
            clock_trusted,
        }))?;
        let owed = |name: &Name| found.cameras.iter().any(|camera| camera.owed && camera.camera == *name);
        for camera in cameras.iter().filter(|camera| !owed(camera)) {
            self.append(&Record::CameraConfigured { at, camera: camera.clone() })?;
        }
        let gone = found.cameras.iter().filter(|camera| camera.owed && !cameras.contains(&camera.camera));
        for camera in gone {
            self.append(&Record::CameraRemoved { at, camera: camera.camera.clone() })?;
        }
        self.sync()
    }

    /// Adds a record to the ledger; durable with the next [`Disk::sync`].
    pub fn append(&mut self, record: &Record) -> Result<(), VolumeError> {
        let month = Month::of(self.at);
        if month > self.month {
            self.check()?; // the ledger begins another file
            self.month = month;
        }
        self.dirty = true;
        if let Record::SegmentClosed(closed) = record {
            self.cleaning.closed(&closed.camera, closed.sequence, closed.bytes);
        }
        self.pulse.during(|| self.ledger.append(self.at, record))
    }

    /// Makes the ledger durable, if anything was added.
    pub fn sync(&mut self) -> Result<(), VolumeError> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(());
        }
        self.pulse.during(|| self.ledger.sync())
    }

    /// Adds what the core decided on.
    pub fn account(&mut self, entry: Entry, cameras: &[Name]) -> Result<(), VolumeError> {
        let name = |camera: CameraIndex| cameras.get(usize::from(camera.0)).cloned();
        let record = match entry {
            Entry::Gap { camera, span, cause } => {
                name(camera).map(|camera| Record::Gap(Gap { camera, span, cause }))
            }
            Entry::GapOpened { camera, from, cause } => {
                name(camera).map(|camera| Record::GapOpened { from, camera, cause })
            }
            Entry::ClockStepped { at, by_micros } => Some(Record::ClockStepped { at, by_micros }),
            Entry::TimeCorrected { from, to, by_micros } => {
                Some(Record::TimeCorrected { at: to.later_by(by_micros), from, to, by_micros })
            }
            Entry::VolumeFaulted { at, fault } => Some(Record::VolumeFaulted { at, fault }),
        };
        record.map_or(Ok(()), |record| self.append(&record))
    }

    /// Says in the ledger that the session ended in good order, and makes it durable.
    pub fn end_session(&mut self, at: Wall) -> Result<(), VolumeError> {
        self.append(&Record::SessionEnded { at, session: self.session })?;
        self.sync()
    }

    /// Whether the volume is still the one that was opened.
    pub fn check(&self) -> Result<(), VolumeError> {
        self.pulse.during(|| self.volume.check())
    }

    /// A new segment's number and path. Touches nothing.
    pub fn number_segment(&mut self, camera: &Name, start: Wall) -> (u32, PathBuf) {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.saturating_add(1);
        self.at = self.at.max(start);
        self.cleaning.opened(camera, start, sequence);
        (sequence, layout::segment(self.root(), camera, start, sequence))
    }

    /// Makes a segment's file, in a directory that is there and durable, after making sure that the volume is still the
    /// one that was opened: not a byte goes to what may be mounted in its place, or to the empty mount point.
    ///
    /// Its own entry is durable after [`Disk::sync_entry`]. Fails if the file is there already.
    pub fn create_segment(&mut self, camera: &Name, path: &Path) -> Result<File, VolumeError> {
        self.check()?;
        let directory = path.parent().unwrap_or(path);
        let known = self.directories.get(camera).is_some_and(|known| known == directory);
        // One that cleaning has removed is not there, however well it is known.
        let is_there = known && !self.home.make_directory(directory, &self.pulse)?;
        if !is_there {
            self.directories.remove(camera);
            self.home.make_directories(directory, &self.pulse)?;
            self.directories.insert(camera.clone(), directory.to_owned());
        }
        let file = self.home.create_file(path, &self.pulse)?;
        self.unsynced.insert(directory.to_owned());
        Ok(file)
    }

    /// Makes the entry of a file that was created durable: its directory is synced, once for all files made in it.
    pub fn sync_entry(&mut self, path: &Path) -> Result<(), VolumeError> {
        let directory = path.parent().unwrap_or(path);
        if self.unsynced.remove(directory) {
            self.home.sync_directory(directory, &self.pulse)?;
        }
        Ok(())
    }

    /// A turn of cleaning.
    pub fn clean(&mut self, anchor: Anchor, figures: &Figures, tell: Tell) -> Result<(), VolumeError> {
        let now = self.moment(anchor);
        let Disk { volume, cleaning, ledger, directories, home, pulse, .. } = self;
        let space = || home.space(pulse).ok().map(|(free, total)| Space { free, total });
        let mut work = Work { ledger, check: &|| pulse.during(|| volume.check()), tell };
        pulse.during(|| cleaning.turn(now, space, &mut work))?;
        figures.footage.set(cleaning.footage());
        if cleaning.directories_removed() {
            directories.clear();
        }
        Ok(())
    }

    /// Now, by the job's clock and this anchor.
    pub fn moment(&self, anchor: Anchor) -> Moment {
        moment(&self.clock, anchor)
    }

    /// Does something to what cleaning knows and protects, with the ledger that its changes go to.
    pub fn cleaning<T>(&mut self, change: impl FnOnce(&mut Cleaning, &mut LedgerWriter, Check) -> T) -> T {
        let Disk { volume, cleaning, ledger, pulse, .. } = self;
        change(cleaning, ledger, &|| pulse.during(|| volume.check()))
    }

    /// What an error in use asks for before the volume is let go.
    pub fn on_error(&self, error: &VolumeError) {
        prepare_for(error, self.root(), &self.volume.identity(), &self.pulse);
    }

    /// Bytes free and bytes in all; `None` if the filesystem does not tell, which is no fault of the volume.
    pub fn space(&self) -> Option<(u64, u64)> {
        match self.home.space(&self.pulse) {
            Ok(space) => Some(space),
            Err(error) => {
                let root = self.root().display().to_string();
                log::debug!(VOLUME = root.as_str(); "the free space is not known: {error}");
                None
            }
        }
    }

    /// The sign of life that each call to this volume goes through.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }
    pub fn root(&self) -> &Path {
        self.volume.root()
    }
    pub fn id(&self) -> VolumeId {
        self.volume.id()
    }
    pub fn device(&self) -> &Name {
        &self.device
    }
    pub fn session(&self) -> SessionId {
        self.session
    }
    pub fn boot(&self) -> BootId {
        self.boot
    }
}

/// What an error asks for before the volume is let go: nothing, of one that was given up, or that is no longer there.
fn prepare_for(error: &VolumeError, root: &Path, identity: &Identity, pulse: &Pulse) {
    // It changes nothing that the error would not have to say, so nobody waits for its outcome.
    let _ = pulse.during(|| {
        let home = std::fs::symlink_metadata(layout::home(root))?;
        if (home.dev(), home.ino()) == (identity.device, identity.inode) {
            full::on_error(root, error);
        }
        Ok::<(), std::io::Error>(())
    });
}

fn moment(clock: &Clock, anchor: Anchor) -> Moment {
    let mono = clock();
    Moment { mono, wall: anchor.wall_at(mono), trusted: anchor.trusted }
}

/// A crash is told even where nothing was torn: footage is missing since, and people look for why.
fn say_how_it_ended(root: &str, found: &Recovered, session: SessionId) {
    let Repairs { closed, adopted, removed, .. } = found.repairs;
    if found.session == Some(session) {
        if found.past != Some(Past::Stopped) {
            log::info!(VOLUME = root, MESSAGE_ID = ids::REPAIRED;
                "it is back: closed {closed} segments that were being written when it went, removed {removed} files without footage");
        }
        return;
    }
    let how = match found.past {
        Some(Past::Crashed) => "the recorder was killed or crashed",
        Some(Past::PowerLost) => "the machine went down",
        Some(Past::OutOfMemory) => "the recorder ran out of memory",
        Some(Past::Stopped) | None => return,
    };
    log::warn!(VOLUME = root, MESSAGE_ID = ids::REPAIRED;
        "the session before did not end in good order: {how}. Closed {closed} segments with what is in them, \
         {adopted} of them unknown to the ledger; removed {removed} files without footage");
}

/// What was found, as events for the core. A ledger that was rebuilt does not know how the session before
/// ended: then nothing is claimed, and coverage will call the cause of the gap unknown.
fn past(found: &Recovered, cameras: &[Name]) -> Vec<VolumeEvent> {
    let mut events = Vec::new();
    events.extend(found.ends.map(|at| VolumeEvent::LedgerEnds { at }));
    if let Some(past) = found.past {
        for known in found.cameras.iter().filter(|known| known.owed) {
            let index = cameras.iter().position(|name| *name == known.camera);
            let Some(index) = index.and_then(|index| u8::try_from(index).ok()) else { continue };
            let (camera, covered_until) = (CameraIndex(index), known.covered_until);
            events.push(VolumeEvent::History { camera, covered_until, past });
        }
    }
    let repairs = &found.repairs;
    if repairs.segment_bytes > 0 || repairs.ledger_bytes > 0 {
        events.push(VolumeEvent::Repaired {
            segments: repairs.segments,
            segment_bytes: repairs.segment_bytes,
            ledger_bytes: repairs.ledger_bytes,
        });
    }
    events
}
