//! Finding the segments on a volume by their names alone. Nothing that Holdfast did not name is looked at.

use crate::volumes::layout::{self, Day, SegmentName};
use holdfast_wire::ids::Name;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

/// A directory that could not be listed, and why.
pub type Unlisted = (PathBuf, io::Error);

/// Tells every segment on the volume at `root` that started on `from` or later (all, without it), in no
/// order that means anything. Gives back what could not be listed.
pub fn segments(root: &Path, from: Option<Day>, mut each: impl FnMut(SegmentName)) -> Vec<Unlisted> {
    let mut unlisted = Vec::new();
    for camera in list(&layout::home(root), &mut unlisted) {
        if text(&camera).and_then(|name| Name::new(&name).ok()).is_none() {
            continue;
        }
        for day in list(&camera.path(), &mut unlisted) {
            let in_time = text(&day).and_then(|name| Day::parse(&name)).is_some_and(|day| from <= Some(day));
            if !in_time {
                continue;
            }
            for file in list(&day.path(), &mut unlisted) {
                if file.file_type().is_ok_and(|kind| kind.is_file()) {
                    layout::parse_segment(&file.path()).into_iter().for_each(&mut each);
                }
            }
        }
    }
    unlisted
}

fn text(entry: &DirEntry) -> Option<String> {
    entry.file_name().into_string().ok()
}

/// The entries of a directory; none if `path` is not one, or it is not there.
fn list(path: &Path, unlisted: &mut Vec<Unlisted>) -> Vec<DirEntry> {
    let mut found = Vec::new();
    let read = fs::read_dir(path).and_then(|entries| {
        for entry in entries {
            found.push(entry?);
        }
        Ok(())
    });
    match read {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::NotFound) => {}
        Err(error) => unlisted.push((path.to_owned(), error)),
    }
    found
}
