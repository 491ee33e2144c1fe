//! One segment's file while it grows: created once, appended to, synced at every fragment.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};

use holdfast_core::time::{Anchor, Mono, Span, Wall};

use crate::mp4::{Fragment, Payload, Sample, SegmentMuxer};
use crate::ring::Data;
use crate::volumes::{VolumeError, sync_directory};

/// Most slices in one `writev` (Linux: IOV_MAX is 1024). A fragment of 1 s has about a hundred.
const MOST_SLICES: usize = 1024;

/// A segment that is being written.
pub(super) struct OpenSegment {
    /// Number on the volume.
    pub sequence: u32,
    /// Pairing of media time and wall time, for the whole of the segment.
    pub anchor: Anchor,
    /// Presentation time of its first video frame.
    pub start: Mono,
    /// End of the video that is durable.
    pub end: Mono,
    /// Video frames durable.
    pub frames: u32,
    /// Bytes written.
    pub bytes: u64,
    muxer: SegmentMuxer<Data>,
    file: File,
    path: PathBuf,
}

/// A fragment that became durable.
pub(super) struct Durable {
    pub span: Span,
    pub frames: u32,
    pub bytes: u64,
}

impl OpenSegment {
    /// Creates the file at `path` and writes the fragments that `muxer` holds.
    ///
    /// Everything is synced when this returns: the fragments and the file's entry in its directory. Fails rather than touch a file that is there already.
    pub fn create(
        path: PathBuf,
        anchor: Anchor,
        start: Mono,
        sequence: u32,
        mut muxer: SegmentMuxer<Data>,
        next_video: Option<Mono>,
    ) -> Result<(Self, Vec<Durable>), VolumeError> {
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let mut file = file.map_err(|error| VolumeError::io("create", &path, error))?;
        let fragments = muxer.cut(next_video);
        append(&mut file, &fragments, &path)?;
        sync_directory(path.parent().unwrap_or(&path))?;
        let mut segment =
            OpenSegment { sequence, anchor, start, end: start, frames: 0, bytes: 0, muxer, file, path };
        let durable = segment.count(&fragments);
        Ok((segment, durable))
    }

    /// Holds a sample for the next fragment.
    pub fn push(&mut self, sample: Sample<Data>) {
        self.muxer.push(sample);
    }

    /// Writes and syncs what is held: nothing, a fragment, or several if there is a hole inside.
    pub fn write(&mut self, next_video: Option<Mono>) -> Result<Vec<Durable>, VolumeError> {
        let fragments = self.muxer.cut(next_video);
        append(&mut self.file, &fragments, &self.path)?;
        Ok(self.count(&fragments))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Wall time of a media moment of this segment.
    pub fn wall_at(&self, moment: Mono) -> Wall {
        self.anchor.wall_at(moment)
    }

    /// How far frames were out of order: a hint for the segment that follows.
    pub fn reorder_depth(&self) -> usize {
        self.muxer.reorder_depth()
    }

    fn count(&mut self, fragments: &[Fragment<Data>]) -> Vec<Durable> {
        for fragment in fragments {
            self.end = self.end.max(fragment.to);
            self.frames += fragment.frames;
            self.bytes += fragment.bytes;
        }
        let durable = |fragment: &Fragment<Data>| Durable {
            span: Span::new(self.wall_at(fragment.from), self.wall_at(fragment.to)),
            frames: fragment.frames,
            bytes: fragment.bytes,
        };
        fragments.iter().map(durable).collect()
    }
}

/// Writes fragments and makes them durable.
fn append(file: &mut File, fragments: &[Fragment<Data>], path: &Path) -> Result<(), VolumeError> {
    if fragments.is_empty() {
        return Ok(());
    }
    for fragment in fragments {
        write_fragment(file, fragment).map_err(|error| VolumeError::io("append to", path, error))?;
    }
    file.sync_data().map_err(|error| VolumeError::io("sync", path, error))
}

/// Writes a fragment with as few calls as the kernel allows, without copying its payloads.
fn write_fragment(file: &mut File, fragment: &Fragment<Data>) -> io::Result<()> {
    let mut slices = Vec::with_capacity(fragment.payloads.len() + 1);
    slices.push(IoSlice::new(&fragment.head));
    slices.extend(fragment.payloads.iter().map(|payload| IoSlice::new(payload.bytes())));
    let mut left = slices.as_mut_slice();
    while !left.is_empty() {
        let batch = left.len().min(MOST_SLICES);
        match file.write_vectored(&left[..batch]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes the directories from `root` down to `directory`, and syncs the parent of each, also of those that
/// were there: one that was made just before a fault may not be durable yet. `root` itself is not ours.
pub(super) fn create_directories(root: &Path, directory: &Path) -> Result<(), VolumeError> {
    if directory == root {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(root);
    create_directories(root, parent)?;
    match fs::create_dir(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(VolumeError::io("create", directory, error)),
    }
    sync_directory(parent)
}
