//! One camera on one volume: from what its ring gives to segments.
//!
//! A segment's file is made when its first fragment is full, since only then it is known which tracks
//! deliver: a camera may announce audio and never send any.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_core::settings::CameraIndex;
use holdfast_core::time::{Anchor, Mono};
use holdfast_wire::ids::Name;
use holdfast_wire::ledger::{Ending, Record, SegmentClosed, SegmentOpened};
use holdfast_wire::segment::{SegmentHeader, SegmentHeaderV1};

use super::Limits;
use super::disk::Disk;
use super::notes::Notes;
use super::segment::{Durable, OpenSegment};
use crate::host::message_ids as ids;
use crate::mp4::{Mp4Error, Sample, SegmentMuxer, TrackConfig};
use crate::ring::{AccessUnit, Data, Item, Reader, TrackKind};
use crate::volumes::VolumeError;

/// Access units taken from a ring at a time: half a minute of 30 fps with audio. Bounds the clones held
/// while a backlog is written.
const BATCH: usize = 2048;

/// Video held back for this long after its last frame came is written without waiting for its fragment
/// to fill: the camera has paused, and a power cut must not cost what is there.
const PAUSE: Duration = Duration::from_secs(2);

/// Where a stream stands.
enum State {
    /// The next GOP begins a segment.
    Idle,
    /// A segment's first fragment fills: its tracks are not settled yet. `ending` is the one before,
    /// open still for audio that belongs to it and comes behind the video: encoders hold some back.
    Gathering { units: Vec<AccessUnit>, ending: Option<Box<Growing>> },
    /// A segment grows.
    Growing(Box<Growing>),
}

/// A segment that grows.
struct Growing {
    segment: OpenSegment,
    tracks: Tracks,
    /// A track began to deliver that the file does not have.
    new_audio: bool,
    /// The clock was set: what follows is not to carry the old time for longer than to the next keyframe.
    stale: bool,
}

/// The tracks that a segment's file was made with.
struct Tracks {
    video: Arc<TrackConfig>,
    audio: Option<Arc<TrackConfig>>,
}

/// One camera's stream to one volume.
pub(super) struct Stream {
    /// Which camera.
    pub camera: CameraIndex,
    /// Its name.
    pub name: Name,
    reader: Reader,
    state: State,
    /// The audio track of this connection, once it has delivered.
    audio: Option<Arc<TrackConfig>>,
    /// One that cannot be kept.
    refused: Option<Arc<TrackConfig>>,
    reorder_depth: usize,
    /// When the last video unit was taken.
    last_video: Instant,
    /// Position after the last unit held.
    held_to: u64,
    items: Vec<Item>,
}

/// What a stream works with, for one turn.
pub(super) struct Context<'a> {
    pub disk: &'a mut Disk,
    pub limits: &'a Limits,
    pub anchor: Anchor,
    pub notes: &'a mut Notes,
    pub tell: &'a mut dyn FnMut(CameraIndex, Told),
}

/// What a stream tells.
pub(super) enum Told {
    /// Footage became durable.
    Stored(Durable),
    /// The camera's own description of its video makes no playable file. Only this camera is concerned.
    Unusable(Mp4Error),
    /// Its sound cannot be kept, as its description is; the picture goes on.
    NoSound(Mp4Error),
}

impl Stream {
    /// A stream that begins at the oldest GOP that `reader`'s ring holds.
    pub fn new(camera: CameraIndex, name: Name, reader: Reader) -> Self {
        Stream {
            camera,
            name,
            reader,
            state: State::Idle,
            audio: None,
            refused: None,
            reorder_depth: 0,
            last_video: Instant::now(),
            held_to: 0,
            items: Vec::new(),
        }
    }

    /// The wall clock was set: the segment ends at the next keyframe.
    pub fn clock_was_set(&mut self) {
        match &mut self.state {
            State::Growing(growing) => growing.stale = true,
            // Its file is not made yet: it takes the new time by itself.
            State::Idle | State::Gathering { .. } => {}
        }
    }

    /// Takes everything that the ring has. False once the ring went to another reader.
    pub fn pump(&mut self, context: &mut Context) -> Result<bool, VolumeError> {
        loop {
            let mut items = std::mem::take(&mut self.items);
            let mine = self.reader.read(&mut items, BATCH);
            let more = items.len() >= BATCH;
            for item in items.drain(..) {
                self.take(item, context)?;
            }
            self.items = items;
            if !mine {
                return Ok(false);
            }
            if !more {
                break;
            }
        }
        if self.last_video.elapsed() > PAUSE {
            self.write_held(None, context)?;
        }
        Ok(true)
    }

    /// Writes what is held and closes the segment.
    pub fn finish(&mut self, ending: Ending, context: &mut Context) -> Result<(), VolumeError> {
        self.write_held(None, context)?;
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Growing(growing) => self.end(*growing, ending, context),
            State::Idle | State::Gathering { .. } => Ok(()),
        }
    }

    fn take(&mut self, item: Item, context: &mut Context) -> Result<(), VolumeError> {
        match item {
            Item::Gop { continues: true } => Ok(()),
            Item::Gop { continues: false } => self.finish(Ending::StreamEnded, context),
            Item::End => {
                self.finish(Ending::StreamEnded, context)?;
                // Another connection may be another camera at the same address.
                (self.audio, self.reorder_depth) = (None, 0);
                Ok(())
            }
            Item::Unit(position, unit) => {
                match unit.track {
                    TrackKind::Video => {
                        self.last_video = Instant::now();
                        self.prepare_for(&unit, context)?;
                    }
                    TrackKind::Audio if self.refused.as_ref() == Some(&unit.config) => return Ok(()),
                    TrackKind::Audio if self.audio.as_ref() != Some(&unit.config) => {
                        self.audio = Some(Arc::clone(&unit.config));
                    }
                    TrackKind::Audio => {}
                }
                self.hold(unit);
                self.held_to = position + 1;
                Ok(())
            }
        }
    }

    /// Writes the fragment, and ends the segment, that are full before this video unit.
    fn prepare_for(&mut self, unit: &AccessUnit, context: &mut Context) -> Result<(), VolumeError> {
        let cut = unit.keyframe && self.must_cut(unit, context.limits);
        let full = match &self.state {
            State::Idle => false,
            State::Gathering { units, .. } => units.first().is_some_and(|first| {
                // Another format cannot share a file with the one before.
                unit.pts.since(first.pts) >= context.limits.fragment || first.config != unit.config
            }),
            State::Growing(growing) => unit.pts.since(growing.segment.end) >= context.limits.fragment,
        };
        if full || cut {
            self.write_held(Some(unit.pts), context)?;
        }
        // A file that was only made just now, by another format, is cut as well.
        if cut || (unit.keyframe && self.must_cut(unit, context.limits)) {
            self.state = match std::mem::replace(&mut self.state, State::Idle) {
                State::Growing(growing) => State::Gathering { units: Vec::new(), ending: Some(growing) },
                other @ (State::Idle | State::Gathering { .. }) => other,
            };
        }
        Ok(())
    }

    /// Whether the segment must end before this keyframe.
    fn must_cut(&self, keyframe: &AccessUnit, limits: &Limits) -> bool {
        match &self.state {
            State::Idle | State::Gathering { .. } => false,
            State::Growing(growing) => {
                keyframe.pts.since(growing.segment.start) >= limits.segment
                    || growing.stale
                    || growing.tracks.video != keyframe.config
                    || growing.new_audio
            }
        }
    }

    /// Holds a unit for the fragment that fills.
    fn hold(&mut self, unit: AccessUnit) {
        match &mut self.state {
            State::Idle => {
                // A segment begins with a keyframe; audio before it has nothing to go with.
                if unit.track == TrackKind::Video && unit.keyframe {
                    self.state = State::Gathering { units: vec![unit], ending: None };
                }
            }
            State::Gathering { units, ending } => match (units.first(), ending) {
                (Some(first), Some(ending)) if unit.track == TrackKind::Audio && unit.pts < first.pts => {
                    ending.push(unit);
                }
                (Some(_) | None, _) => units.push(unit),
            },
            State::Growing(growing) => growing.push(unit),
        }
    }

    /// Makes durable what is held, full or not. `next`: the video unit that follows, if it is known.
    fn write_held(&mut self, next: Option<Mono>, context: &mut Context) -> Result<(), VolumeError> {
        let durable = match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => Vec::new(),
            State::Gathering { units, ending } => {
                if let Some(ending) = ending {
                    self.end(*ending, Ending::Cut, context)?;
                }
                self.open(units, next, context)?
            }
            State::Growing(mut growing) => {
                let durable = growing.segment.write(next)?;
                self.state = State::Growing(growing);
                durable
            }
        };
        if !durable.is_empty() {
            self.reader.release(self.held_to);
        }
        self.tell_stored(durable, context);
        Ok(())
    }

    fn tell_stored(&self, durable: Vec<Durable>, context: &mut Context) {
        for durable in durable {
            context.notes.covered(self.camera, durable.span.to);
            (context.tell)(self.camera, Told::Stored(durable));
        }
    }

    /// Makes the segment's file, with what was gathered as its first fragment.
    fn open(
        &mut self,
        units: Vec<AccessUnit>,
        next: Option<Mono>,
        context: &mut Context,
    ) -> Result<Vec<Durable>, VolumeError> {
        let Context { disk, anchor, notes, .. } = context;
        let Some(first) = units.first() else { return Ok(Vec::new()) };
        let (start, video) = (first.pts, Arc::clone(&first.config));
        let mut tracks = Tracks { video, audio: self.audio.clone() };
        let wall = anchor.wall_at(start);
        let (sequence, path) = disk.new_segment(&self.name, wall)?;
        let header = SegmentHeaderV1 {
            volume: disk.id(),
            device: disk.device().clone(),
            camera: self.name.clone(),
            session: disk.session(),
            boot: disk.boot(),
            sequence,
            start: wall,
            clock_trusted: anchor.trusted,
            fallback: false,
            before: notes.before(self.camera, wall),
        };
        let header = SegmentHeader::V1(header);
        let made = SegmentMuxer::new(tracks.configs(), header.clone(), self.reorder_depth);
        let made = match made {
            Err(error) if tracks.audio.is_some() => {
                tracks.audio = None;
                let silent = SegmentMuxer::new(tracks.configs(), header, self.reorder_depth);
                if silent.is_ok() {
                    self.refused = self.audio.take();
                    (context.tell)(self.camera, Told::NoSound(error));
                }
                silent
            }
            other @ (Ok(_) | Err(_)) => other,
        };
        let mut muxer = match made {
            Ok(muxer) => muxer,
            Err(error) => {
                (context.tell)(self.camera, Told::Unusable(error));
                self.reader.release(self.held_to);
                return Ok(Vec::new());
            }
        };
        for unit in units {
            match unit.track {
                TrackKind::Video => muxer.push(sample(0, unit)),
                TrackKind::Audio if tracks.audio.as_ref() == Some(&unit.config) => {
                    muxer.push(sample(1, unit))
                }
                TrackKind::Audio => {}
            }
        }
        let (segment, durable) = OpenSegment::create(path, *anchor, start, sequence, muxer, next)?;
        disk.append(&Record::SegmentOpened(SegmentOpened {
            sequence,
            camera: self.name.clone(),
            start: wall,
            fallback: false,
        }))?;
        disk.sync()?;
        notes.told(self.camera, wall);
        let file = segment.path().display().to_string();
        let volume = disk.root().display().to_string();
        log::debug!(CAMERA = self.name.as_str(), VOLUME = volume.as_str(), SEGMENT = file.as_str(), MESSAGE_ID = ids::SEGMENT_OPENED;
            "segment {file} begins");
        self.state = State::Growing(Box::new(Growing { segment, tracks, new_audio: false, stale: false }));
        Ok(durable)
    }

    /// Closes a segment: what it still holds is written, and the ledger says how it ended.
    fn end(
        &mut self,
        mut growing: Growing,
        ending: Ending,
        context: &mut Context,
    ) -> Result<(), VolumeError> {
        let durable = growing.segment.write(None)?;
        self.tell_stored(durable, context);
        let segment = growing.segment;
        self.reorder_depth = segment.reorder_depth();
        let file = segment.path().display().to_string();
        let volume = context.disk.root().display().to_string();
        log::debug!(CAMERA = self.name.as_str(), VOLUME = volume.as_str(), SEGMENT = file.as_str(), MESSAGE_ID = ids::SEGMENT_CLOSED;
            "segment {file} ends with {} frames, {} bytes", segment.frames, segment.bytes);
        context.disk.append(&Record::SegmentClosed(SegmentClosed {
            sequence: segment.sequence,
            camera: self.name.clone(),
            end: segment.wall_at(segment.end),
            frames: segment.frames,
            bytes: segment.bytes,
            ending,
        }))
    }
}

impl Tracks {
    fn configs(&self) -> Vec<TrackConfig> {
        let audio = self.audio.as_deref().cloned();
        std::iter::once((*self.video).clone()).chain(audio).collect()
    }
}

impl Growing {
    /// Holds a unit for the next fragment. Audio that the file has no track for waits for the next file.
    fn push(&mut self, unit: AccessUnit) {
        match unit.track {
            TrackKind::Video => self.segment.push(sample(0, unit)),
            TrackKind::Audio if self.tracks.audio.as_ref() == Some(&unit.config) => {
                self.segment.push(sample(1, unit));
            }
            TrackKind::Audio => self.new_audio = true,
        }
    }
}

fn sample(track: usize, unit: AccessUnit) -> Sample<Data> {
    Sample { track, pts: unit.pts, duration: unit.duration, keyframe: unit.keyframe, payload: unit.data }
}
