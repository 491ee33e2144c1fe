//! One camera on one volume: from what its ring gives to segments.
//!
//! A turn has two parts. First [`Stream::gather`] takes what the ring has and cuts it, in memory alone; then
//! [`Stream::write`] and [`Stream::sync`] bring what was cut to the disk, with as few calls as there are files in it.
//! So a backlog costs no more calls than a second of footage.
//!
//! A segment's file is made when its first fragment is full, since only then it is known which tracks
//! deliver: a camera may announce audio and never send any.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_core::effect::Stream as Shown;
use holdfast_core::event::Fault;
use holdfast_core::settings::CameraIndex;
use holdfast_core::time::{Anchor, Mono, Span};
use holdfast_wire::ids::Name;
use holdfast_wire::ledger::Ending;
use holdfast_wire::segment::{SegmentHeader, SegmentHeaderV1};

use super::Limits;
use super::disk::Disk;
use super::formats::Changes;
use super::growing::{Growing, Tracks};
use super::notes::Notes;
use super::segment::{Durable, Lost, OpenSegment, Synced};
use crate::mp4::{Mp4Error, SegmentMuxer, TrackConfig};
use crate::ring::{AccessUnit, Item, Reader, TrackKind};
use crate::volumes::VolumeError;

/// Access units taken from a ring in one turn: half a minute of 30 fps with audio. What is taken is held until it is
/// durable, even by a writer that hangs.
const BATCH: usize = 2048;

/// Bytes of access units taken from a ring in one turn, for the same reason: half a minute at 4 Mb/s.
const BATCH_BYTES: usize = 16 << 20;

/// Items taken from a ring at a time, while its lock is held.
const SIP: usize = 256;

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
    /// The file before is as large as its filesystem allows: nothing can begin before the next keyframe.
    Skipping(Lost),
}

/// What a ring had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gathered {
    /// All of it was taken.
    All,
    /// There is more, for another turn.
    Part,
    /// The ring went to another reader.
    Gone,
}

/// One camera's stream to one volume.
pub(super) struct Stream {
    /// Which camera.
    pub camera: CameraIndex,
    /// Its name.
    pub name: Name,
    reader: Reader,
    /// Which of the camera's streams comes now.
    shows: Shown,
    state: State,
    /// Segments that are complete and not durable yet, in order.
    ended: Vec<Ended>,
    /// Position in the ring up to which everything is in a segment, or will never be.
    settled_to: u64,
    /// The audio track of this connection, once it has delivered.
    audio: Option<Arc<TrackConfig>>,
    /// One that cannot be kept.
    refused: Option<Arc<TrackConfig>>,
    reorder_depth: usize,
    changes: Changes,
    /// When the last video unit was taken.
    last_video: Instant,
    /// Position after the last unit held.
    held_to: u64,
    items: Vec<Item>,
}

/// A segment that is complete, but for the disk.
struct Ended {
    segment: OpenSegment,
    ending: Ending,
}

/// What a stream works with, for one turn.
pub(super) struct Context<'a> {
    pub disk: &'a mut Disk,
    pub limits: &'a Limits,
    /// The largest file that the filesystem takes, in bytes.
    pub max_file: Option<u64>,
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
    /// Footage that no file can take.
    Lost {
        /// What it covers.
        span: Span,
        /// Video frames in it.
        frames: u32,
        /// Bytes in it.
        bytes: u64,
    },
}

impl Stream {
    /// A stream that begins at the oldest GOP that `reader`'s ring holds.
    pub fn new(camera: CameraIndex, name: Name, reader: Reader) -> Self {
        Stream {
            camera,
            name,
            reader,
            shows: Shown::Main,
            state: State::Idle,
            ended: Vec::new(),
            settled_to: 0,
            audio: None,
            refused: None,
            reorder_depth: 0,
            changes: Changes::default(),
            last_video: Instant::now(),
            held_to: 0,
            items: Vec::new(),
        }
    }

    /// The wall clock was set: the segment ends at the next keyframe.
    pub fn clock_was_set(&mut self) {
        match &mut self.state {
            State::Growing(growing) => growing.stale = true,
            // Its file is not begun yet: it takes the new time by itself.
            State::Idle | State::Gathering { .. } | State::Skipping(_) => {}
        }
    }

    /// Takes what the ring has and queues what is full of it. Touches no disk.
    pub fn gather(&mut self, context: &mut Context) -> Gathered {
        let (mut units, mut bytes) = (0, 0);
        let mut items = std::mem::take(&mut self.items);
        let gathered = loop {
            let mine = self.reader.read(&mut items, SIP);
            let more = items.len() >= SIP;
            for item in items.drain(..) {
                if let Item::Unit(_, unit) = &item {
                    units += 1;
                    bytes += unit.len();
                }
                self.take(item, context);
            }
            match (mine, more) {
                (false, _) => break Gathered::Gone,
                (true, false) => break Gathered::All,
                (true, true) if units >= BATCH || bytes >= BATCH_BYTES => break Gathered::Part,
                (true, true) => {}
            }
        };
        self.items = items;
        if gathered == Gathered::All && self.last_video.elapsed() > PAUSE {
            self.cut_held(None, context);
        }
        gathered
    }

    /// Queues what is held and ends the segment.
    pub fn finish(&mut self, ending: Ending, context: &mut Context) {
        self.cut_held(None, context);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Growing(growing) => self.end(*growing, ending),
            State::Skipping(lost) => self.tell_lost(lost, context),
            State::Idle | State::Gathering { .. } => {}
        }
    }

    /// Brings to the disk all that is queued, file by file: each is written, with one call if the kernel takes it all, and
    /// made durable before the next is touched. The ring lets go of it, and it is told; the ledger's next sync makes
    /// durable what the ledger says of it.
    ///
    /// File by file, since a filesystem that commits one file's length commits the others' with it: those whose bytes
    /// still wait to be written would end in zeros after a power cut, and not play (decision 0046).
    pub fn store(
        &mut self,
        disk: &mut Disk,
        tell: &mut dyn FnMut(CameraIndex, Told),
    ) -> Result<(), VolumeError> {
        let mut settle = |segment: &mut OpenSegment, disk: &mut Disk, reader: &mut Reader| {
            let written = segment.write(&self.name, disk);
            match &written {
                // A full disk takes part of it perhaps: that is told before it fails, or each new attempt would write
                // it again and fill the disk with copies.
                Ok(()) | Err(VolumeError { fault: Fault::NoSpace | Fault::Quota, .. }) => {}
                Err(_) => return written,
            }
            let synced = match segment.sync(disk) {
                Ok(synced) => synced,
                Err(error) => return written.and(Err(error)),
            };
            let Some(Synced { fragments, up_to, is_new }) = synced else { return written };
            if let Some(up_to) = up_to {
                reader.release(up_to);
            }
            fragments.into_iter().for_each(|durable| tell(self.camera, Told::Stored(durable)));
            let opened = if is_new { segment.say_opened(&self.name, disk) } else { Ok(()) };
            written.and(opened)
        };
        while let Some(Ended { segment, ending }) = self.ended.first_mut() {
            settle(segment, disk, &mut self.reader)?;
            segment.say_closed(*ending, &self.name, disk)?;
            let ended = self.ended.remove(0);
            disk.pulse().watch(|| drop(ended));
        }
        if let Some(segment) = self.state.segment() {
            settle(segment, disk, &mut self.reader)?;
        }
        self.reader.release(self.settled_to);
        Ok(())
    }

    fn take(&mut self, item: Item, context: &mut Context) {
        match item {
            Item::Gop { continues: true, .. } => {}
            Item::Gop { continues: false, stream } => {
                self.finish(Ending::StreamEnded, context);
                self.shows = stream;
            }
            Item::End => {
                self.finish(Ending::StreamEnded, context);
                // Another connection may be another camera at the same address.
                (self.audio, self.reorder_depth) = (None, 0);
            }
            Item::Unit(position, unit) => {
                match unit.track {
                    TrackKind::Video => {
                        self.last_video = Instant::now();
                        self.prepare_for(&unit, context);
                    }
                    TrackKind::Audio if self.refused.as_ref() == Some(&unit.config) => return,
                    TrackKind::Audio if self.audio.as_ref() != Some(&unit.config) => {
                        self.audio = Some(Arc::clone(&unit.config));
                    }
                    TrackKind::Audio => {}
                }
                self.hold(unit);
                self.held_to = position + 1;
                match self.state {
                    State::Skipping(_) => self.settled_to = self.held_to,
                    State::Idle | State::Gathering { .. } | State::Growing(_) => {}
                }
            }
        }
    }

    /// Queues the fragment, and ends the segment, that are full before this video unit.
    fn prepare_for(&mut self, unit: &AccessUnit, context: &mut Context) {
        let cut = unit.keyframe && self.must_cut(unit, context);
        let full = match &self.state {
            State::Idle | State::Skipping(_) => false,
            State::Gathering { units, .. } => units.first().is_some_and(|first| {
                let sets = self.changes.sets(first.pts);
                unit.pts.since(first.pts) >= context.limits.fragment
                    || (unit.keyframe && self.changes.part(&first.config, sets, first.pts, unit))
            }),
            State::Growing(growing) => unit.pts.since(growing.segment.end) >= context.limits.fragment,
        };
        if full || cut {
            self.cut_held(Some(unit.pts), context);
        }
        // A segment that was only begun just now, by another format, is cut as well.
        let cut = cut || (unit.keyframe && self.must_cut(unit, context));
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            State::Growing(growing) if cut => {
                self.changes.note(&growing.tracks, growing.new_audio, unit);
                State::Gathering { units: Vec::new(), ending: Some(growing) }
            }
            State::Skipping(lost) if unit.keyframe => {
                self.tell_lost(Lost { to: unit.pts, ..lost }, context);
                State::Idle
            }
            other @ (State::Idle | State::Gathering { .. } | State::Growing(_) | State::Skipping(_)) => other,
        };
    }

    /// Whether the segment must end before this keyframe.
    fn must_cut(&self, keyframe: &AccessUnit, context: &Context) -> bool {
        match &self.state {
            State::Idle | State::Gathering { .. } | State::Skipping(_) => false,
            State::Growing(growing) => {
                keyframe.pts.since(growing.segment.start) >= context.limits.segment
                    || growing.stale
                    || self.changes.cut(growing, keyframe)
                    // Half is left for the GOP that comes, whose size nobody knows.
                    || context.max_file.is_some_and(|most| growing.segment.bytes >= most / 2)
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
            State::Skipping(lost) => {
                lost.to = lost.to.max(unit.pts);
                lost.frames += u32::from(unit.track == TrackKind::Video);
                lost.bytes += unit.len() as u64;
            }
        }
    }

    /// Queues what is held, full or not. `next`: the video unit that follows, if it is known.
    fn cut_held(&mut self, next: Option<Mono>, context: &mut Context) {
        let growing = match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => None,
            State::Gathering { units, ending } => {
                if let Some(ending) = ending {
                    self.end(*ending, Ending::Cut);
                }
                self.begin(units, context)
            }
            State::Growing(growing) => Some(growing),
            State::Skipping(lost) => {
                self.state = State::Skipping(lost);
                return;
            }
        };
        self.settled_to = self.held_to;
        let Some(mut growing) = growing else { return };
        let lost = growing.segment.cut(next, self.held_to, context.max_file);
        context.notes.covered(self.camera, growing.segment.wall_at(growing.segment.end));
        match lost {
            None => self.state = State::Growing(growing),
            Some(lost) => {
                self.end(*growing, Ending::Cut);
                self.state = State::Skipping(lost);
            }
        }
    }

    fn tell_lost(&self, lost: Lost, context: &mut Context) {
        let Lost { from, to, frames, bytes } = lost;
        let span = Span::new(context.anchor.wall_at(from), context.anchor.wall_at(to));
        (context.tell)(self.camera, Told::Lost { span, frames, bytes });
    }

    /// Begins a segment with what was gathered. `None` if there is nothing, or nothing playable.
    fn begin(&mut self, units: Vec<AccessUnit>, context: &mut Context) -> Option<Box<Growing>> {
        let Context { disk, anchor, notes, .. } = context;
        let first = units.first()?;
        let (start, video) = (first.pts, Arc::clone(&first.config));
        let mut tracks = Tracks { video, audio: self.audio.clone() };
        let wall = anchor.wall_at(start);
        let (sequence, path) = disk.number_segment(&self.name, wall);
        let header = SegmentHeaderV1 {
            volume: disk.id(),
            device: disk.device().clone(),
            camera: self.name.clone(),
            session: disk.session(),
            boot: disk.boot(),
            sequence,
            start: wall,
            clock_trusted: anchor.trusted,
            fallback: self.shows == Shown::Fallback,
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
        let muxer = match made {
            Ok(muxer) => muxer,
            Err(error) => {
                (context.tell)(self.camera, Told::Unusable(error));
                return None;
            }
        };
        notes.told(self.camera, wall);
        let sets = self.changes.sets(start);
        let muxer = muxer.declare(sets);
        let segment = OpenSegment::plan(path, *anchor, start, (sequence, self.shows), muxer);
        let known = Arc::clone(&tracks.video);
        let mut growing = Box::new(Growing { segment, tracks, sets, known, new_audio: false, stale: false });
        // Sound that the newest description has superseded is not worth another file.
        for unit in units {
            if growing.has(&unit) {
                growing.push(unit);
            }
        }
        Some(growing)
    }

    /// Ends a segment: what it still holds is queued, and all of it waits for the disk.
    fn end(&mut self, mut growing: Growing, ending: Ending) {
        // Sound that came behind the video. The little that would not fit any more is no gap in the picture.
        let _ = growing.segment.cut(None, self.settled_to, None);
        let segment = growing.segment;
        self.reorder_depth = segment.reorder_depth();
        if !segment.is_unborn() {
            self.ended.push(Ended { segment, ending });
        }
    }
}

impl State {
    /// The segment that still grows, or waits for its last sound.
    fn segment(&mut self) -> Option<&mut OpenSegment> {
        match self {
            State::Growing(growing) | State::Gathering { ending: Some(growing), .. } => {
                Some(&mut growing.segment)
            }
            State::Gathering { ending: None, .. } | State::Idle | State::Skipping(_) => None,
        }
    }
}
