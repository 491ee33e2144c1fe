//! Listing a directory of segments by their names alone, a window at a time.
//!
//! A day of one camera has 1440 segments of a minute; a clock that falls back to 1970 at each start puts years into
//! one day. So what is kept of a listing is bounded: the [`WINDOW`] lowest numbers from a given one on.

use crate::volumes::layout::{self, Day};
use holdfast_wire::ids::Name;
use holdfast_wire::time::Wall;
use std::collections::{BinaryHeap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Most segments that are remembered of a listing, 16 bytes each: two thirds of a day of segments of a minute, so
/// that a day is listed twice while it is deleted.
pub(super) const WINDOW: usize = 1024;

/// A segment as its file's name tells it. Ordered by number, as the segments were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    /// Its number on the volume.
    pub sequence: u32,
    /// Its start, cut to whole seconds.
    pub start: Wall,
}

/// The lowest numbers of a listing.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// In the order of their numbers, at most [`WINDOW`].
    pub found: VecDeque<Named>,
    /// The directory holds others with higher numbers.
    pub more: bool,
}

/// The segments of a day's directory with the lowest numbers from `from` on. What Holdfast did not name, and what is no
/// plain file, is not among them.
///
/// Fails if the directory cannot be listed to its end: half a listing could hide the oldest.
pub(super) fn window(root: &Path, camera: &Name, day: Day, from: u32) -> io::Result<Window> {
    let directory = layout::day(root, camera, day);
    let (mut lowest, mut more) = (BinaryHeap::with_capacity(WINDOW + 1), false);
    for entry in fs::read_dir(&directory)? {
        let entry = entry?;
        let Some(name) = layout::parse_segment(&directory.join(entry.file_name())) else { continue };
        if name.sequence < from || !entry.file_type()?.is_file() {
            continue;
        }
        lowest.push(Named { sequence: name.sequence, start: name.start });
        if lowest.len() > WINDOW {
            lowest.pop();
            more = true;
        }
    }
    Ok(Window { found: lowest.into_sorted_vec().into(), more })
}

/// The days of a camera, in no order. A file that is named like a day is none.
pub(super) fn days(root: &Path, camera: &Name) -> io::Result<Vec<Day>> {
    let mut days = Vec::new();
    for entry in fs::read_dir(layout::camera(root, camera))? {
        let entry = entry?;
        let day = entry.file_name().to_str().and_then(Day::parse);
        if let Some(day) = day
            && entry.file_type()?.is_dir()
        {
            days.push(day);
        }
    }
    Ok(days)
}

/// The cameras that have a directory on the volume, by name.
pub(super) fn cameras(root: &Path) -> io::Result<Vec<Name>> {
    let mut cameras = Vec::new();
    for entry in fs::read_dir(layout::home(root))? {
        let entry = entry?;
        let name = entry.file_name().to_str().and_then(|text| Name::new(text).ok());
        if let Some(name) = name
            && entry.file_type()?.is_dir()
        {
            cameras.push(name);
        }
    }
    cameras.sort_unstable();
    Ok(cameras)
}

/// Where a named segment of a camera lies.
pub(super) fn path(root: &Path, camera: &Name, named: Named) -> PathBuf {
    layout::segment(root, camera, named.start, named.sequence)
}
