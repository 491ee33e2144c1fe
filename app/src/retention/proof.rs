//! What a segment's own file proves before it may be deleted: that it is ours, and that no protection reaches into it.

use super::listing::Named;
use super::protection::Protection;
use crate::ledger::{ScanError, SegmentScanner};
use crate::volumes::layout;
use holdfast_wire::ids::{Name, VolumeId};
use holdfast_wire::segment::SegmentHeaderV1;
use holdfast_wire::time::{Span, Wall};
use rustix::io::Errno;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Why a file is no head.
pub(super) enum Strange {
    /// It is not there any more.
    Gone,
    /// It could not be looked at for a reason that lies not in it.
    NotNow(String),
    /// It is not proved to be ours.
    NotOurs(String),
}

/// A segment's header and length, if it is one of this volume and lies where it belongs.
pub(super) fn examine(
    path: &Path,
    root: &Path,
    camera: &Name,
    named: Named,
    ids: &[VolumeId],
    scanner: &dyn SegmentScanner,
) -> Result<(SegmentHeaderV1, u64), Strange> {
    let io = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Strange::Gone,
        _ => match Errno::from_io_error(&error) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INTR | Errno::AGAIN) => {
                Strange::NotNow(error.to_string())
            }
            _ => Strange::NotOurs(format!("cannot be read: {error}")),
        },
    };
    let facts = fs::symlink_metadata(path).map_err(io)?;
    if !facts.is_file() {
        return Err(Strange::NotOurs("is no plain file".to_owned()));
    }
    let header = match scanner.header(path) {
        Ok(header) => header,
        Err(ScanError::Io(error)) => return Err(io(error)),
        Err(error) => return Err(Strange::NotOurs(error.full())),
    };
    if !ids.contains(&header.volume) {
        return Err(Strange::NotOurs(format!("was written to another volume ({})", header.volume)));
    }
    let place = layout::segment(root, &header.camera, header.start, header.sequence);
    if header.camera != *camera || header.sequence != named.sequence || place != path {
        let SegmentHeaderV1 { camera, sequence, .. } = header;
        return Err(Strange::NotOurs(format!("its header names camera {camera}, number {sequence}")));
    }
    Ok((header, facts.len()))
}

/// Whether a protection reaches into a segment. Where its exact end decides, the file is read for it. `next`: when the
/// one behind it had begun; without that a segment may be of any length, whatever was configured.
pub(super) fn is_protected(
    protection: &Protection,
    header: &SegmentHeaderV1,
    next: Option<Wall>,
    path: &Path,
    scanner: &dyn SegmentScanner,
) -> bool {
    let Protection::Known(protections) = protection else { return true };
    let next = next.filter(|next| header.clock_trusted && header.start < *next);
    let reach = |to| protections.reach(&header.camera, Span::new(header.start, to));
    if !reach(next.unwrap_or(Wall(i64::MAX))) {
        return false;
    }
    if reach(header.start + Duration::from_micros(1)) {
        return true;
    }
    // What cannot be read may well reach that far.
    scanner.scan(path).map_or(true, |facts| reach(facts.end))
}
