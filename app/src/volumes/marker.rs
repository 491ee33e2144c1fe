//! The marker file: read whole, replaced whole.

use super::fault::VolumeError;
use super::layout;
use super::lock::Lock;
use holdfast_wire::cause::Fault;
use holdfast_wire::frame::{MAX_MARKER, ReadError, decode_marker, encode_marker};
use holdfast_wire::volume::{VolumeMarker, VolumeMarkerV2};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Reads the marker at `root`. `None` if there is none, or one that was cut off before anything of it
/// was durable (empty or all zero). Fails with [`Fault::Damaged`] if it is there and cannot be read.
pub fn read_marker(root: &Path) -> Result<Option<VolumeMarkerV2>, VolumeError> {
    Ok(open_marker(root)?.and_then(|(_, marker)| marker))
}

/// As [`read_marker`], with the opened file: what it lies on can be asked of it.
pub(super) fn open_marker(root: &Path) -> Result<Option<(File, Option<VolumeMarkerV2>)>, VolumeError> {
    let path = layout::marker(root);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(VolumeError::io("open", &path, error)),
    };
    let mut bytes = Vec::with_capacity(MAX_MARKER);
    let mut start = (&mut file).take(MAX_MARKER as u64);
    start.read_to_end(&mut bytes).map_err(|error| VolumeError::io("read", &path, error))?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(Some((file, None)));
    }
    let told = |detail| VolumeError::found(Fault::Damaged, "read", &path, detail);
    match decode_marker(&bytes) {
        Ok(VolumeMarker::V1(marker)) => Ok(Some((file, Some(marker.into())))),
        Ok(VolumeMarker::V2(marker)) => Ok(Some((file, Some(marker)))),
        Err(ReadError::Damaged) => {
            Err(told(format!("`holdfast ledger rebuild {}` restores it", root.display())))
        }
        Err(error @ ReadError::Unknown) => Err(told(format!("it {error}: update this device"))),
    }
}

/// Puts a marker in place so that a power cut leaves the old one or the new one, never half of one.
/// One without former identities is written as version 1, which every Holdfast can read.
pub fn write_marker(lock: &Lock, marker: &VolumeMarkerV2) -> Result<(), VolumeError> {
    let path = layout::marker(lock.root());
    let temporary = path.with_extension("tmp");
    let mut buffer = [0; MAX_MARKER];
    let versioned = match marker.formerly.is_empty() {
        true => VolumeMarker::V1(marker.now.clone()),
        false => VolumeMarker::V2(marker.clone()),
    };
    let bytes = encode_marker(&versioned, &mut buffer)
        .map_err(|error| VolumeError::found(Fault::Damaged, "encode", &path, error.to_string()))?;
    // One that was left by a power cut is removed, not written through: it might be a link.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(VolumeError::io("remove", &temporary, error));
        }
        Ok(()) | Err(_) => {}
    }
    let written = File::create_new(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| VolumeError::io("write", &temporary, error))?;
    fs::rename(&temporary, &path).map_err(|error| VolumeError::io("rename to", &path, error))?;
    lock.sync()
}
