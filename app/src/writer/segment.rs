//! One segment's file while it grows: fragments are queued, written with as few calls as possible, then synced.
//!
//! ```text
//! push push cut  push push cut ...   write            sync
//!  └─ memory alone ─┘                 └ create, writev └ fdatasync (a new file: its directory too): durable
//! ```

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::path::PathBuf;

use holdfast_core::time::{Anchor, Mono, Span, Wall};
use holdfast_wire::ids::Name;
use holdfast_wire::ledger::{Ending, Record, SegmentClosed, SegmentOpened};

use super::disk::Disk;
use super::pulse::Pulse;
use crate::host::message_ids as ids;
use crate::mp4::{Fragment, Payload, Sample, SegmentMuxer};
use crate::ring::Data;
use crate::volumes::VolumeError;

/// Most slices in one `writev` (Linux: IOV_MAX is 1024). A fragment of 1 s has about a hundred, so that half a minute's
/// backlog takes three calls.
const MOST_SLICES: usize = 1024;

/// A segment that is being written.
pub(super) struct OpenSegment {
    /// Number on the volume.
    pub sequence: u32,
    /// Pairing of media time and wall time, for the whole of the segment.
    pub anchor: Anchor,
    /// Presentation time of its first video frame.
    pub start: Mono,
    /// End of the video in its fragments, those that are queued included; as the two that follow.
    pub end: Mono,
    /// Video frames.
    pub frames: u32,
    /// Bytes of the file.
    pub bytes: u64,
    muxer: SegmentMuxer<Data>,
    path: PathBuf,
    file: Place,
    /// Fragments that are not durable yet.
    queue: Vec<Fragment<Data>>,
    /// How many of them are written.
    written: usize,
    /// Position in the ring after what the queue holds.
    up_to: u64,
}

/// Where the file stands.
enum Place {
    /// It is not made yet.
    Planned,
    /// It is made; its entry in the directory is not durable yet.
    Made(File),
    /// It is there.
    Durable(File),
}

/// A fragment that became durable.
pub(super) struct Durable {
    pub span: Span,
    pub frames: u32,
    pub bytes: u64,
}

/// What [`OpenSegment::sync`] made durable.
pub(super) struct Synced {
    /// The fragments, in order.
    pub fragments: Vec<Durable>,
    /// Position in the ring after them.
    pub up_to: u64,
    /// Whether they are the file's first.
    pub is_new: bool,
}

/// Footage that no file can take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    pub from: Mono,
    pub to: Mono,
    pub frames: u32,
    pub bytes: u64,
}

impl OpenSegment {
    /// A segment whose file will be made at `path`.
    pub fn plan(
        path: PathBuf,
        anchor: Anchor,
        start: Mono,
        sequence: u32,
        muxer: SegmentMuxer<Data>,
    ) -> Self {
        OpenSegment {
            sequence,
            anchor,
            start,
            end: start,
            frames: 0,
            bytes: 0,
            muxer,
            path,
            file: Place::Planned,
            queue: Vec::new(),
            written: 0,
            up_to: 0,
        }
    }

    /// Holds a sample for the next fragment.
    pub fn push(&mut self, sample: Sample<Data>) {
        self.muxer.push(sample);
    }

    /// Queues what is held: nothing, a fragment, or several if there is a hole inside. `up_to`: position in the ring after
    /// it. From the first fragment on that would make the file larger than `max_file` bytes it is given back as lost:
    /// then the segment must end.
    pub fn cut(&mut self, next_video: Option<Mono>, up_to: u64, max_file: Option<u64>) -> Option<Lost> {
        let mut lost: Option<Lost> = None;
        for fragment in self.muxer.cut(next_video) {
            let fits = max_file.is_none_or(|most| self.bytes.saturating_add(fragment.bytes) <= most);
            if lost.is_none() && fits {
                self.end = self.end.max(fragment.to);
                self.frames += fragment.frames;
                self.bytes += fragment.bytes;
                self.queue.push(fragment);
                continue;
            }
            let Fragment { from, to, frames, bytes, .. } = fragment;
            let lost = lost.get_or_insert(Lost { from, to, frames: 0, bytes: 0 });
            lost.to = lost.to.max(to);
            lost.frames += frames;
            lost.bytes += bytes;
        }
        self.up_to = up_to;
        lost
    }

    /// Whether nothing was queued and no file was made: there is nothing to tell of it.
    pub fn is_unborn(&self) -> bool {
        matches!(self.file, Place::Planned) && self.queue.is_empty()
    }

    /// Writes what is queued and not written yet, after making the file if there is none. A file that is there already is
    /// not touched: that fails.
    pub fn write(&mut self, camera: &Name, disk: &mut Disk) -> Result<(), VolumeError> {
        let due = self.queue.get(self.written..).unwrap_or_default();
        if due.is_empty() {
            return Ok(());
        }
        let mut slices = Vec::new();
        for fragment in due {
            slices.push(IoSlice::new(&fragment.head));
            slices.extend(fragment.payloads.iter().map(|payload| IoSlice::new(payload.bytes())));
        }
        let file = match &mut self.file {
            Place::Made(file) | Place::Durable(file) => file,
            planned @ Place::Planned => {
                *planned = Place::Made(disk.create_segment(camera, &self.path)?);
                let (Place::Made(file) | Place::Durable(file)) = planned else { return Ok(()) };
                file
            }
        };
        let written = write_gathered(file, &mut slices, disk.pulse());
        written.map_err(|error| VolumeError::io("append to", &self.path, error))?;
        self.written = self.queue.len();
        Ok(())
    }

    /// Makes durable what was written, and tells it. `None` if there was nothing.
    pub fn sync(&mut self, disk: &mut Disk) -> Result<Option<Synced>, VolumeError> {
        let (Place::Made(file) | Place::Durable(file)) = &self.file else { return Ok(None) };
        if self.queue.is_empty() {
            return Ok(None);
        }
        let synced = disk.pulse().during(|| file.sync_data());
        synced.map_err(|error| VolumeError::io("sync", &self.path, error))?;
        let is_new = matches!(self.file, Place::Made(_));
        if is_new {
            disk.sync_entry(&self.path)?;
        }
        self.file = match std::mem::replace(&mut self.file, Place::Planned) {
            Place::Made(file) | Place::Durable(file) => Place::Durable(file),
            Place::Planned => Place::Planned,
        };
        self.written = 0;
        let fragments = self.queue.drain(..).map(|fragment| Durable {
            span: Span::new(self.anchor.wall_at(fragment.from), self.anchor.wall_at(fragment.to)),
            frames: fragment.frames,
            bytes: fragment.bytes,
        });
        Ok(Some(Synced { fragments: fragments.collect(), up_to: self.up_to, is_new }))
    }

    /// Says in the ledger that it is there.
    pub fn say_opened(&self, camera: &Name, disk: &mut Disk) -> Result<(), VolumeError> {
        disk.append(&Record::SegmentOpened(SegmentOpened {
            sequence: self.sequence,
            camera: camera.clone(),
            start: self.wall_at(self.start),
            fallback: false,
        }))?;
        let file = self.path.display().to_string();
        let volume = disk.root().display().to_string();
        log::debug!(CAMERA = camera.as_str(), VOLUME = volume.as_str(), SEGMENT = file.as_str(), MESSAGE_ID = ids::SEGMENT_OPENED;
            "segment {file} begins");
        Ok(())
    }

    /// Says in the ledger how it ended.
    pub fn say_closed(&self, ending: Ending, camera: &Name, disk: &mut Disk) -> Result<(), VolumeError> {
        disk.append(&Record::SegmentClosed(SegmentClosed {
            sequence: self.sequence,
            camera: camera.clone(),
            end: self.wall_at(self.end),
            frames: self.frames,
            bytes: self.bytes,
            ending,
        }))?;
        let file = self.path.display().to_string();
        let volume = disk.root().display().to_string();
        log::debug!(CAMERA = camera.as_str(), VOLUME = volume.as_str(), SEGMENT = file.as_str(), MESSAGE_ID = ids::SEGMENT_CLOSED;
            "segment {file} ends with {} frames, {} bytes", self.frames, self.bytes);
        Ok(())
    }

    /// Position in the ring after what was queued last.
    pub fn up_to(&self) -> u64 {
        self.up_to
    }

    /// Wall time of a media moment of this segment.
    pub fn wall_at(&self, moment: Mono) -> Wall {
        self.anchor.wall_at(moment)
    }

    /// How far frames were out of order: a hint for the segment that follows.
    pub fn reorder_depth(&self) -> usize {
        self.muxer.reorder_depth()
    }
}

/// Writes all slices with as few calls as the kernel allows, without copying what they hold. A call that a signal
/// interrupted is made again; every other error ends it, with part of the slices written perhaps.
fn write_gathered(file: &mut impl Write, slices: &mut [IoSlice], pulse: &Pulse) -> io::Result<()> {
    let mut left = slices;
    // Slices without bytes would look like a file that takes nothing.
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        let batch = left.len().min(MOST_SLICES);
        match pulse.during(|| file.write_vectored(&left[..batch])) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
