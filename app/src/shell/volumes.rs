//! The loop's side of the volumes: their writers, which camera goes to which, and what a person is shown of them.
//!
//! Words: a **part** is what stands behind a [`VolumeIndex`]: a path of the configuration, or a slot that a disk takes
//! ([`super::slots`]); its **epoch** counts the filesystems that were there: a writer that hangs on an earlier one is no
//! reason not to use the one that is there now.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use holdfast_core::effect::{Entry, Forecast, VolumeEffect, VolumeStatus};
use holdfast_core::event::{Event, Fault, Health, VolumeEvent, VolumeFigures};
use holdfast_core::retention::{Rules, Threshold};
use holdfast_core::settings::{CameraIndex, MAX_VOLUMES, VolumeIndex, VolumeKind};
use holdfast_core::time::Anchor;
use holdfast_wire::ids::{BootId, Name, SessionId, VolumeId};

use super::slots::{Disk, Presence};
use super::{Message, Outbox};
use crate::config::{CameraConfig, Config, PlaceKind, RetentionConfig, Share};
use crate::host::clock;
use crate::host::last_words::LastWords;
use crate::retention::{Ages, Memory, Retention};
use crate::ring::Ring;
use crate::view::VolumeLine;
use crate::volumes::helper::requests::Request as HelperRequest;
use crate::volumes::{InUse, Knowledge, Place, mounts};
use crate::writer::{Complaints, Job, Limits, VolumeWriter};

/// Most writers that may hang in the kernel at once. Each holds a thread and what it was writing, some megabytes: one
/// for each volume that a device can have. Beyond it a volume waits until one of them ends.
const MAX_ABANDONED: usize = MAX_VOLUMES;

/// All volumes, by index.
pub(super) struct Volumes {
    pub(super) parts: Vec<Part>,
    abandoned: Vec<Abandoned>,
    in_use: InUse,
    outbox: Outbox,
    pub(super) runtime: PathBuf,
    device: Name,
    formerly: Vec<Name>,
    cameras: Vec<Name>,
    rules: Rules,
    ages: Ages,
    limits: Limits,
    session: SessionId,
    /// What the session before could not write down itself.
    pub last_words: Option<LastWords>,
    boot: BootId,
    anchor: Anchor,
    routes: HashMap<CameraIndex, VolumeIndex>,
    generations: u64,
}

/// What stands behind a [`VolumeIndex`].
pub(super) struct Part {
    pub kind: Kind,
    /// Where it is; `None` for a slot without a disk.
    pub place: Option<Place>,
    /// The disk in the slot, also when it is gone: it comes back to the same one.
    pub disk: Option<Disk>,
    pub status: VolumeStatus,
    pub forecast: Option<Forecast>,
    pub health: Option<Health>,
    /// Its identity, once it was opened.
    pub id: Option<VolumeId>,
    pub figures: VolumeFigures,
    epoch: u64,
    /// When its disk came or went last, as a number that rises; 0: never.
    touched: u64,
    writer: Option<VolumeWriter>,
    knowledge: Knowledge,
    /// What cleaning remembers from one opening to the next.
    memory: Memory,
    complaints: Complaints,
    /// The number of its writer: a message of an older one is stale.
    generation: u64,
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    MountPoint,
    Directory,
    Disk,
}

/// A writer that was given up and may still hang in the kernel.
struct Abandoned {
    volume: VolumeIndex,
    epoch: u64,
    generation: u64,
    writer: VolumeWriter,
}

impl Volumes {
    pub fn new(config: &Config, cameras: Vec<Name>, anchor: Anchor, outbox: Outbox) -> io::Result<Self> {
        let mut parts: Vec<Part> = config
            .volumes
            .iter()
            .map(|volume| match volume.kind {
                PlaceKind::MountPoint => {
                    Part::new(Kind::MountPoint, Some(Place::MountPoint { path: volume.path.clone() }))
                }
                PlaceKind::Directory => {
                    Part::new(Kind::Directory, Some(Place::Directory { path: volume.path.clone() }))
                }
            })
            .collect();
        if config.storage.disks {
            parts.resize_with(MAX_VOLUMES, || Part::new(Kind::Disk, None));
        }
        let own = |camera: &CameraConfig| Some((camera.id.clone(), Some(camera.keep?)));
        let ages =
            Ages { of: config.cameras.iter().filter_map(own).collect(), others: Some(config.retention.keep) };
        Ok(Volumes {
            parts,
            abandoned: Vec::new(),
            in_use: InUse::default(),
            outbox,
            runtime: config.storage.runtime.clone(),
            device: config.device.clone(),
            formerly: config.formerly.clone(),
            cameras,
            rules: rules(&config.retention),
            ages,
            limits: Limits { segment: config.limits.segment, fragment: config.limits.fragment },
            last_words: None,
            session: clock::random_id()?,
            boot: clock::boot_id()?,
            anchor,
            routes: HashMap::new(),
            generations: 0,
        })
    }

    /// What the core is to know of the places.
    pub fn kinds(&self) -> impl Iterator<Item = VolumeKind> + '_ {
        self.parts.iter().map(|part| match part.kind {
            Kind::MountPoint | Kind::Directory => VolumeKind::Path,
            Kind::Disk => VolumeKind::Disk,
        })
    }

    pub fn session(&self) -> SessionId {
        self.session
    }

    pub fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// What a person calls the volume: its path, or of a disk its device and the beginning of its id.
    pub fn name(&self, volume: VolumeIndex) -> String {
        self.part(volume).map_or("?".into(), Part::name)
    }

    pub fn is_current(&self, volume: VolumeIndex, generation: u64) -> bool {
        self.part(volume).is_some_and(|part| part.generation == generation)
    }

    /// Whether footage goes there now.
    pub fn takes_footage(&self, volume: VolumeIndex) -> bool {
        self.routes.values().any(|target| *target == volume)
    }

    /// Keeps in mind where a volume has been in use, and what it is.
    pub fn note(&mut self, event: &Event) {
        let Event::Volume(volume, event) = event else { return };
        let Some(part) = self.parts.get_mut(usize::from(volume.0)) else { return };
        match event {
            VolumeEvent::Ready => {
                part.knowledge = Knowledge::WasInUse;
                part.id = self.in_use.id_of(part.generation).or(part.id);
                if let Some(Disk { presence: presence @ Presence::Leaving { .. }, .. }) = &mut part.disk {
                    // It was asked to go, and did not in time: when its mount goes now, that is a loss.
                    *presence = Presence::Mounted;
                }
            }
            VolumeEvent::Health(health) => part.health = Some(*health),
            VolumeEvent::LedgerEnds { .. }
            | VolumeEvent::History { .. }
            | VolumeEvent::Repaired { .. }
            | VolumeEvent::Stored { .. }
            | VolumeEvent::Faulted(_)
            | VolumeEvent::Closed
            | VolumeEvent::Attached
            | VolumeEvent::Detached
            | VolumeEvent::Replaced
            | VolumeEvent::Figures(_)
            | VolumeEvent::Released
            | VolumeEvent::Deleted { .. }
            | VolumeEvent::Exhausted { .. }
            | VolumeEvent::WentBack
            | VolumeEvent::Eject
            | VolumeEvent::Use
            | VolumeEvent::Unmounted
            | VolumeEvent::KeptMounted => {}
        }
    }

    pub fn perform(&mut self, volume: VolumeIndex, effect: VolumeEffect) {
        match effect {
            VolumeEffect::Open => self.open(volume),
            VolumeEffect::Close => match self.writer(volume) {
                Some(writer) => writer.drain(),
                None => self.report(volume, VolumeEvent::Closed),
            },
            VolumeEffect::Abandon => self.abandon(volume),
            VolumeEffect::Unmount => self.ask_helper(volume, HelperRequest::Unmount),
            VolumeEffect::Mount => self.ask_helper(volume, HelperRequest::Mount),
            VolumeEffect::Status(status) => {
                if let Some(part) = self.parts.get_mut(usize::from(volume.0)) {
                    part.status = status;
                }
            }
            VolumeEffect::Forecast(forecast) => {
                if let Some(part) = self.parts.get_mut(usize::from(volume.0)) {
                    part.forecast = Some(forecast);
                }
            }
        }
    }

    /// A writer has drained, and the core has heard of all that it stored: it may end.
    pub fn end(&self, volume: VolumeIndex) {
        if let Some(writer) = self.writer(volume) {
            writer.end(clock::now().wall);
        }
    }

    /// A writer's thread has let go of everything. True if it had been given up, so that its volume can be opened now.
    pub fn ended(&mut self, generation: u64) -> bool {
        self.in_use.release(generation);
        let before = self.abandoned.len();
        self.abandoned.retain(|abandoned| abandoned.generation != generation);
        self.abandoned.len() < before
    }

    /// Tells the old and the new writer who takes a camera's footage from now on.
    pub fn route(&mut self, camera: CameraIndex, to: Option<VolumeIndex>, ring: &Arc<Ring>) {
        let before = match to {
            Some(volume) => self.routes.insert(camera, volume),
            None => self.routes.remove(&camera),
        };
        if let Some(writer) =
            before.filter(|before| Some(*before) != to).and_then(|before| self.writer(before))
        {
            writer.leave(camera);
        }
        match to.and_then(|volume| self.writer(volume)) {
            Some(writer) => writer.take(camera, ring),
            None => ring.detach(),
        }
    }

    pub fn account(&self, volume: VolumeIndex, entry: Entry) {
        if let Some(writer) = self.writer(volume) {
            writer.account(entry);
        }
    }

    pub fn set_anchor(&mut self, anchor: Anchor) {
        self.anchor = anchor;
        for writer in self.parts.iter().filter_map(|part| part.writer.as_ref()) {
            writer.set_anchor(anchor);
        }
    }

    /// The figures of every writer, as events. `fill`: how full a camera's ring is, in percent.
    pub fn figures(&mut self, fill: impl Fn(CameraIndex) -> u8) -> Vec<Event> {
        let mut events = Vec::new();
        for (index, part) in (0u8..).zip(&mut self.parts) {
            let volume = VolumeIndex(index);
            let Some(writer) = part.writer.as_ref().filter(|writer| !writer.has_ended()) else { continue };
            let told = writer.figures();
            let routed = self.routes.iter().filter(|(_, target)| **target == volume);
            part.figures = VolumeFigures {
                busy: told.busy,
                slowest: told.slowest,
                fill: routed.map(|(camera, _)| fill(*camera)).max().unwrap_or(0),
                free: told.free,
                total: told.total,
                footage: told.footage,
            };
            events.push(Event::Volume(volume, VolumeEvent::Figures(part.figures)));
        }
        events
    }

    pub fn picture(&self) -> Vec<VolumeLine> {
        let there = self.parts.iter().filter(|part| part.kind != Kind::Disk || part.disk.is_some());
        let lines = there.map(|part| VolumeLine {
            path: part.name(),
            status: part.status,
            space: part.figures.free.zip(part.figures.total).filter(|_| part.writer.is_some()),
        });
        lines.collect()
    }

    /// The writer of a volume, for questions about its protections.
    pub fn writer(&self, volume: VolumeIndex) -> Option<&VolumeWriter> {
        self.part(volume).and_then(|part| part.writer.as_ref())
    }

    pub(super) fn report(&self, volume: VolumeIndex, event: VolumeEvent) {
        let _ = self.outbox.unbounded_send(Message::Event(Event::Volume(volume, event)));
    }

    pub(super) fn part(&self, volume: VolumeIndex) -> Option<&Part> {
        self.parts.get(usize::from(volume.0))
    }

    fn open(&mut self, volume: VolumeIndex) {
        let Some(part) = self.parts.get(usize::from(volume.0)) else { return };
        let Some(place) = part.place.clone() else {
            return self.report(volume, VolumeEvent::Faulted(Fault::Missing));
        };
        self.abandoned.retain(|abandoned| !abandoned.writer.has_ended());
        let hangs = |abandoned: &Abandoned| abandoned.volume == volume && abandoned.epoch == part.epoch;
        if self.abandoned.iter().any(hangs) {
            return self.report(volume, VolumeEvent::Faulted(Fault::Stuck));
        }
        if self.abandoned.len() >= MAX_ABANDONED {
            log::error!(VOLUME = part.name().as_str();
                "{MAX_ABANDONED} disks hang already; this one is not opened before one of them lets go. Pull the disks that hang, or restart the device");
            return self.report(volume, VolumeEvent::Faulted(Fault::Stuck));
        }
        match self.start_writer(volume, place) {
            Ok(writer) => {
                if let Some(part) = self.parts.get_mut(usize::from(volume.0)) {
                    part.generation = self.generations;
                    part.writer = Some(writer);
                }
            }
            Err(error) => {
                log::error!("cannot start the thread of volume {}: {error}", self.name(volume));
                self.report(volume, VolumeEvent::Faulted(Fault::Other(error.raw_os_error().unwrap_or(0))));
            }
        }
    }

    fn start_writer(&mut self, volume: VolumeIndex, place: Place) -> io::Result<VolumeWriter> {
        self.generations += 1;
        let generation = self.generations;
        let outbox = self.outbox.clone();
        let report = Arc::new(move |report| {
            // The loop is gone only when the program ends.
            let _ = outbox.unbounded_send(Message::Writer(volume, generation, report));
        });
        let knowledge = self.part(volume).map_or(Knowledge::Unknown, |part| part.knowledge);
        let complaints = self.part(volume).map(|part| part.complaints.clone()).unwrap_or_default();
        let job = Job {
            last_words: self.last_words,
            complaints,
            index: volume,
            place,
            device: self.device.clone(),
            formerly: self.formerly.clone(),
            cameras: self.cameras.clone(),
            session: self.session,
            boot: self.boot,
            knowledge,
            new_volume: clock::random_id()?,
            in_use: self.in_use.clone(),
            claimant: generation,
            max_file: self.largest_file(volume),
            retention: Retention {
                rules: self.rules,
                ages: self.ages.clone(),
                memory: self.part(volume).map(|part| part.memory.clone()).unwrap_or_default(),
            },
            limits: self.limits,
            anchor: self.anchor,
            now: clock::now().wall,
            clock: Arc::new(clock::mono),
        };
        VolumeWriter::start(job, report)
    }

    /// Most bytes of one file there; `None`: more than a segment ever has.
    fn largest_file(&self, volume: VolumeIndex) -> Option<u64> {
        let part = self.part(volume)?;
        let told = part.disk.as_ref().and_then(|disk| disk.kind);
        // A path of the configuration may be any filesystem's: the kernel is asked what it lies on.
        let filesystem = told.or_else(|| mounts::filesystem_of(part.place.as_ref()?.path()))?;
        Some(filesystem.properties().largest_file).filter(|most| *most < u64::from(u32::MAX) + 1)
    }

    fn abandon(&mut self, volume: VolumeIndex) {
        let Some(part) = self.parts.get_mut(usize::from(volume.0)) else { return };
        let Some(writer) = part.writer.take() else { return };
        writer.abandon();
        let (generation, epoch) = (part.generation, part.epoch);
        part.generation = 0;
        self.in_use.release(generation);
        if !writer.has_ended() {
            self.abandoned.push(Abandoned { volume, epoch, generation, writer });
        }
    }

    /// A disk came or went.
    pub(super) fn touch(&mut self, volume: VolumeIndex) {
        let newest = self.parts.iter().map(|part| part.touched).max().unwrap_or(0);
        if let Some(part) = self.parts.get_mut(usize::from(volume.0)) {
            part.touched = newest + 1;
        }
    }

    /// The device's name.
    pub fn device(&self) -> &Name {
        &self.device
    }
}

/// The rules as the core knows them.
pub(super) fn rules(config: &RetentionConfig) -> Rules {
    let threshold = |share: Share| Threshold { bytes: share.bytes, per_mille: u16::from(share.percent) * 10 };
    Rules {
        start: threshold(config.clean_below),
        stop: threshold(config.clean_until),
        emergency_age: config.emergency,
        ..Rules::DEFAULT
    }
}

impl Part {
    fn new(kind: Kind, place: Option<Place>) -> Self {
        Part {
            kind,
            place,
            disk: None,
            status: VolumeStatus::Absent,
            forecast: None,
            health: None,
            id: None,
            figures: VolumeFigures::default(),
            epoch: 0,
            touched: 0,
            writer: None,
            knowledge: Knowledge::Unknown,
            memory: Memory::default(),
            complaints: Complaints::default(),
            generation: 0,
        }
    }

    /// Another filesystem is there now.
    pub fn begin_epoch(&mut self) {
        self.epoch += 1;
    }

    /// Another volume comes here: what is known of the one before counts no longer.
    pub fn forget(&mut self) {
        let (epoch, touched) = (self.epoch, self.touched);
        *self = Part { epoch, touched, ..Part::new(self.kind, None) };
    }

    /// When its disk came or went last, as a number that rises; 0: never.
    pub fn touched(&self) -> u64 {
        self.touched
    }

    /// What a person calls it.
    pub fn name(&self) -> String {
        match (&self.disk, &self.place) {
            (Some(disk), _) => {
                let id: String = disk.id.to_string().chars().take(8).collect();
                format!("{id} ({})", disk.device)
            }
            (None, Some(place)) => place.path().display().to_string(),
            (None, None) => "-".to_owned(),
        }
    }
}
