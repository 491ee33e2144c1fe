//! One segment's file while it grows: fragments are queued, written with as few calls as possible, then synced.
//!
//! ```text
//! push push cut  push push cut ...   write            sync
//!  └─ memory alone ─┘                 └ create, writev └ fdatasync (a new file: its directory too): durable
//! ```

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::path::PathBuf;

use holdfast_core::effect::Stream;
use holdfast_core::time::{Anchor, Mono, Span, Wall};
use holdfast_wire::ids::Name;
use holdfast_wire::ledger::{Ending, Record, SegmentClosed, SegmentOpened};

use super::disk::Disk;
use super::pulse::{Abandoned, Pulse};
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
    /// Which of the camera's streams it shows.
    shows: Stream,
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
    queue: Vec<Queued>,
    /// How many of them are written, to their last byte.
    written: usize,
}

struct Queued {
    fragment: Fragment<Data>,
    /// Position in the ring after what it holds; of several that were cut at once, the last one has it.
    up_to: Option<u64>,
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
    /// Position in the ring after them, if they hold all up to there.
    pub up_to: Option<u64>,
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
        (sequence, shows): (u32, Stream),
        muxer: SegmentMuxer<Data>,
    ) -> Self {
        OpenSegment {
            sequence,
            shows,
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
                self.queue.push(Queued { fragment, up_to: None });
                continue;
            }
            let Fragment { from, to, frames, bytes, .. } = fragment;
            let lost = lost.get_or_insert(Lost { from, to, frames: 0, bytes: 0 });
            lost.to = lost.to.max(to);
            lost.frames += frames;
            lost.bytes += bytes;
        }
        if let Some(last) = self.queue.last_mut() {
            last.up_to = Some(up_to);
        }
        lost
    }

    /// Whether nothing was queued and no file was made: there is nothing to tell of it.
    pub fn is_unborn(&self) -> bool {
        matches!(self.file, Place::Planned) && self.queue.is_empty()
    }

    /// Writes what is queued and not written yet, after making the file if there is none. A file that is there already is
    /// not touched: that fails. What was written whole before it failed can still be [synced](OpenSegment::sync).
    pub fn write(&mut self, camera: &Name, disk: &mut Disk) -> Result<(), VolumeError> {
        let due = self.queue.get(self.written..).unwrap_or_default();
        if due.is_empty() {
            return Ok(());
        }
        let mut slices = Vec::new();
        for Queued { fragment, .. } in due {
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
        let mut count = 0;
        let written = write_gathered(file, &mut slices, disk.pulse(), &mut count);
        for Queued { fragment, .. } in due {
            let Some(left) = count.checked_sub(fragment.bytes) else { break };
            count = left;
            self.written += 1;
        }
        written.map_err(|error| VolumeError::io("append to", &self.path, error))
    }

    /// Makes durable what was written, and tells it. `None` if there was nothing.
    pub fn sync(&mut self, disk: &mut Disk) -> Result<Option<Synced>, VolumeError> {
        let (Place::Made(file) | Place::Durable(file)) = &self.file else { return Ok(None) };
        if self.written == 0 {
            return Ok(None);
        }
        let synced = disk.pulse().during(|| file.sync_data());
        synced.map_err(|error| VolumeError::io("sync", &self.path, error))?;
        let is_new = matches!(self.file, Place::Made(_));
        if is_new {
            disk.sync_entry(&self.path)?;
        }
        if disk.pulse().is_abandoned() {
            // Nobody would hear of it: the ring is to keep it for its next reader.
            return Err(Abandoned.into());
        }
        self.file = match std::mem::replace(&mut self.file, Place::Planned) {
            Place::Made(file) | Place::Durable(file) => Place::Durable(file),
            Place::Planned => Place::Planned,
        };
        let mut synced = Synced { fragments: Vec::new(), up_to: None, is_new };
        for Queued { fragment, up_to } in self.queue.drain(..std::mem::take(&mut self.written)) {
            synced.up_to = up_to.or(synced.up_to);
            synced.fragments.push(Durable {
                span: Span::new(self.anchor.wall_at(fragment.from), self.anchor.wall_at(fragment.to)),
                frames: fragment.frames,
                bytes: fragment.bytes,
            });
        }
        Ok(Some(synced))
    }

    /// Says in the ledger that it is there.
    pub fn say_opened(&self, camera: &Name, disk: &mut Disk) -> Result<(), VolumeError> {
        disk.append(&Record::SegmentOpened(SegmentOpened {
            sequence: self.sequence,
            camera: camera.clone(),
            start: self.wall_at(self.start),
            fallback: self.shows == Stream::Fallback,
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
/// interrupted is made again; every other error ends it, with part of the slices written perhaps. `count`: to it the bytes
/// written are added.
fn write_gathered(
    file: &mut impl Write,
    slices: &mut [IoSlice],
    pulse: &Pulse,
    count: &mut u64,
) -> io::Result<()> {
    let mut left = slices;
    // Slices without bytes would look like a file that takes nothing.
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        let batch = left.len().min(MOST_SLICES);
        match pulse.during(|| file.write_vectored(&left[..batch])) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                *count += written as u64;
                IoSlice::advance_slices(&mut left, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::fault_of;
    use holdfast_core::event::Fault;
    use std::collections::VecDeque;

    /// A file that answers each call by a script, then takes all.
    struct Scripted {
        script: VecDeque<io::Result<usize>>,
        taken: Vec<u8>,
        calls: usize,
        /// Abandons its writer in this call.
        abandons: Option<(usize, Pulse)>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }
        fn write_vectored(&mut self, slices: &[IoSlice]) -> io::Result<usize> {
            self.calls += 1;
            if let Some((_, pulse)) = self.abandons.as_ref().filter(|(call, _)| *call == self.calls) {
                pulse.abandon();
            }
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            let count = self.script.pop_front().unwrap_or(Ok(all.len()))?;
            self.taken.extend_from_slice(&all[..count.min(all.len())]);
            Ok(count.min(all.len()))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn errno(number: i32) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(number))
    }

    /// Writes 3,000 slices of one to three bytes; gives the file, what it should hold, and how it went.
    fn write(
        script: impl Into<VecDeque<io::Result<usize>>>,
        abandon_in: usize,
    ) -> (Scripted, Vec<u8>, io::Result<()>) {
        let pulse = Pulse::new();
        let abandons = Some((abandon_in, pulse.clone()));
        let mut file = Scripted { script: script.into(), taken: Vec::new(), calls: 0, abandons };
        let parts: Vec<Vec<u8>> = (0..3_000u32).map(|part| vec![part as u8; 1 + part as usize % 3]).collect();
        let mut slices: Vec<IoSlice> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut count = 0;
        let result = write_gathered(&mut file, &mut slices, &pulse, &mut count);
        assert_eq!(count, file.taken.len() as u64);
        (file, parts.concat(), result)
    }

    #[test]
    fn each_answer_of_a_file_has_its_consequence() {
        const EINTR: i32 = 4;
        let whole = None;
        for (case, script, fault, calls) in [
            ("it takes all: as many calls as the kernel's limit asks for", vec![], whole, 3),
            ("short writes are gone on with", vec![Ok(1), Ok(4)], whole, 5),
            ("a signal: the same call again", vec![errno(EINTR), errno(EINTR)], whole, 5),
            ("it takes nothing", vec![Ok(0)], Some(Fault::Other(0)), 1),
            (
                "EAGAIN is for the core to judge, not for the writer to try again",
                vec![errno(11)],
                Some(Fault::Again),
                1,
            ),
            ("full after a part", vec![Ok(5), errno(28)], Some(Fault::NoSpace), 2),
            ("the disk fails", vec![errno(5)], Some(Fault::Io), 1),
        ] {
            let (file, expected, result) = write(script, usize::MAX);
            assert_eq!(result.err().map(|error| fault_of(&error)), fault, "{case}");
            assert_eq!(file.calls, calls, "{case}");
            assert!(expected.starts_with(&file.taken), "{case}: in order and nothing twice");
            assert!(fault.is_some() || file.taken == expected, "{case}");
        }
    }

    #[test]
    fn a_writer_that_is_abandoned_during_a_call_makes_no_other() {
        let (file, expected, result) = write(vec![Ok(9)], 1);
        assert_eq!(result.map_err(|error| fault_of(&error)), Err(Fault::Stuck));
        assert_eq!((file.calls, file.taken.as_slice()), (1, &expected[..9]));
    }
}
