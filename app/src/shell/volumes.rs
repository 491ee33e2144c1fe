//! The loop's side of the volumes: their writers, and which camera goes to which.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use holdfast_core::effect::{Entry, VolumeEffect};
use holdfast_core::event::{Event, Fault, VolumeEvent};
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_core::time::Anchor;
use holdfast_wire::ids::{BootId, Name, SessionId};

use super::{Message, Outbox};
use crate::config::Config;
use crate::host::clock;
use crate::ring::Ring;
use crate::view::VolumeLine;
use crate::volumes::Knowledge;
use crate::writer::{Job, Limits, VolumeWriter};

/// All volumes, by index.
pub(super) struct Volumes {
    parts: Vec<Part>,
    outbox: Outbox,
    device: Name,
    cameras: Vec<Name>,
    limits: Limits,
    session: SessionId,
    boot: BootId,
    anchor: Anchor,
    routes: HashMap<CameraIndex, VolumeIndex>,
}

struct Part {
    root: PathBuf,
    writer: Option<VolumeWriter>,
    /// A writer that was given up and may still hang in the kernel.
    abandoned: Option<VolumeWriter>,
    knowledge: Knowledge,
    /// Counts writers: a message of an older one is stale.
    generation: u64,
}

impl Volumes {
    pub fn new(config: &Config, cameras: Vec<Name>, anchor: Anchor, outbox: Outbox) -> io::Result<Self> {
        let parts = config.volumes.iter().map(|volume| Part {
            root: volume.path.clone(),
            writer: None,
            abandoned: None,
            knowledge: Knowledge::Unknown,
            generation: 0,
        });
        Ok(Volumes {
            parts: parts.collect(),
            outbox,
            device: config.device.clone(),
            cameras,
            limits: Limits { segment: config.limits.segment, fragment: config.limits.fragment },
            session: clock::random_id()?,
            boot: clock::boot_id()?,
            anchor,
            routes: HashMap::new(),
        })
    }

    pub fn session(&self) -> SessionId {
        self.session
    }

    pub fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// The volume's path; `?` for an index that does not exist.
    pub fn name(&self, volume: VolumeIndex) -> String {
        self.parts.get(usize::from(volume.0)).map_or("?".into(), |part| part.root.display().to_string())
    }

    pub fn is_current(&self, volume: VolumeIndex, generation: u64) -> bool {
        self.parts.get(usize::from(volume.0)).is_some_and(|part| part.generation == generation)
    }

    /// Keeps in mind where a volume has been in use.
    pub fn note(&mut self, event: &Event) {
        if let Event::Volume(volume, VolumeEvent::Ready) = event
            && let Some(part) = self.parts.get_mut(usize::from(volume.0))
        {
            part.knowledge = Knowledge::WasInUse;
        }
    }

    pub fn perform(&mut self, volume: VolumeIndex, effect: VolumeEffect) {
        match effect {
            VolumeEffect::Open => self.open(volume),
            VolumeEffect::Close => match self.writer(volume) {
                Some(writer) => writer.drain(),
                None => self.report(volume, VolumeEvent::Closed),
            },
            VolumeEffect::Abandon => {
                if let Some(part) = self.parts.get_mut(usize::from(volume.0)) {
                    part.generation += 1;
                    part.abandoned = part.writer.take();
                    if let Some(writer) = &part.abandoned {
                        writer.abandon();
                    }
                }
            }
            VolumeEffect::Unmount
            | VolumeEffect::Mount
            | VolumeEffect::Status(_)
            | VolumeEffect::Forecast(_) => {}
        }
    }

    /// A writer has drained, and the core has heard of all that it stored: it may end.
    pub fn end(&self, volume: VolumeIndex) {
        if let Some(writer) = self.writer(volume) {
            writer.end(clock::now().wall);
        }
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

    pub fn picture(&self) -> Vec<VolumeLine> {
        let lines = self.parts.iter().map(|part| {
            let space = part.writer.as_ref().and_then(|writer| {
                let space = writer.space();
                space.free.get().zip(space.total.get())
            });
            VolumeLine { path: part.root.display().to_string(), space }
        });
        lines.collect()
    }

    fn open(&mut self, volume: VolumeIndex) {
        let Some(part) = self.parts.get_mut(usize::from(volume.0)) else { return };
        if part.abandoned.as_ref().is_some_and(|writer| !writer.has_ended()) {
            return self.report(volume, VolumeEvent::Faulted(Fault::Stuck));
        }
        part.abandoned = None;
        part.generation += 1;
        let generation = part.generation;
        let outbox = self.outbox.clone();
        let report = Arc::new(move |report| {
            // The loop is gone only when the program ends.
            let _ = outbox.unbounded_send(Message::Writer(volume, generation, report));
        });
        let new_volume = match clock::random_id() {
            Ok(id) => id,
            Err(error) => {
                log::error!("the kernel gives no random numbers: {error}");
                return self
                    .report(volume, VolumeEvent::Faulted(Fault::Other(error.raw_os_error().unwrap_or(0))));
            }
        };
        let job = Job {
            index: volume,
            root: part.root.clone(),
            device: self.device.clone(),
            cameras: self.cameras.clone(),
            session: self.session,
            boot: self.boot,
            knowledge: part.knowledge,
            new_volume,
            limits: self.limits,
            max_file: None,
            anchor: self.anchor,
            now: clock::now().wall,
            retention: crate::retention::Retention::default(),
        };
        match VolumeWriter::start(job, report) {
            Ok(writer) => part.writer = Some(writer),
            Err(error) => {
                log::error!("cannot start the thread of volume {}: {error}", part.root.display());
                self.report(volume, VolumeEvent::Faulted(Fault::Other(error.raw_os_error().unwrap_or(0))));
            }
        }
    }

    fn report(&self, volume: VolumeIndex, event: VolumeEvent) {
        let _ = self.outbox.unbounded_send(Message::Event(Event::Volume(volume, event)));
    }

    fn writer(&self, volume: VolumeIndex) -> Option<&VolumeWriter> {
        self.parts.get(usize::from(volume.0)).and_then(|part| part.writer.as_ref())
    }
}
