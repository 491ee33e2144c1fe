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
    let mut cameras = Vec::new();
    list(&layout::home(root), &mut unlisted, |name, _| cameras.extend(Name::new(name).ok()));
    for camera in cameras {
        let mut days = Vec::new();
        list(&layout::camera(root, &camera), &mut unlisted, |name, _| {
            days.extend(Day::parse(name).filter(|day| from <= Some(*day)));
        });
        for day in days {
            list(&layout::day(root, &camera, day), &mut unlisted, |_, file| {
                if file.file_type().is_ok_and(|kind| kind.is_file()) {
                    layout::parse_segment(&file.path()).into_iter().for_each(&mut each);
                }
            });
        }
    }
    unlisted
}

/// Tells the entries of a directory one by one, so that a hundred thousand cost no memory; none if `path` is not one, or it
/// is not there. A name that is no text is none of ours.
fn list(path: &Path, unlisted: &mut Vec<Unlisted>, mut each: impl FnMut(&str, &DirEntry)) {
    let read = fs::read_dir(path).and_then(|entries| {
        for entry in entries {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str() {
                each(name, &entry);
            }
        }
        Ok(())
    });
    match read {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::NotFound) => {}
        Err(error) => unlisted.push((path.to_owned(), error)),
    }
}
