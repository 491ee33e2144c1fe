//! A little space kept for the worst moment: the file `holdfast/reserve`.
//!
//! On a volume without a free byte not even the ledger can take the records that deleting needs. So when a write
//! meets ENOSPC or EDQUOT the reserve is **given up**: cut to nothing, which frees [`SIZE`] bytes and takes none. An
//! empty reserve says to whoever opens the volume next that it was full, whatever statvfs claims (a quota is not
//! in its figures), until a [`probe`] of real bytes succeeds.

use super::Check;
use crate::volumes::{VolumeError, layout, sync_directory};
use holdfast_wire::cause::Fault;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes kept: the records of a thousand deletions take a quarter of it, and a filesystem spends blocks of its own.
pub const SIZE: u64 = 256 * 1024;

/// How the reserve was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// It is there.
    Kept,
    /// There never was one.
    Missing,
    /// It was given up: the volume was full.
    GivenUp,
}

/// How it is with the reserve of the volume at `root`.
pub fn look(root: &Path) -> Result<Reserve, VolumeError> {
    let path = path(root);
    match fs::symlink_metadata(&path) {
        Ok(facts) if facts.len() >= SIZE => Ok(Reserve::Kept),
        Ok(_) => Ok(Reserve::GivenUp),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Reserve::Missing),
        Err(error) => Err(VolumeError::io("look at", &path, error)),
    }
}

/// Makes the reserve, if there is room for it; else it stays given up. True if it is there now.
pub fn keep(root: &Path, check: Check) -> Result<bool, VolumeError> {
    fill(root, SIZE, check)
}

/// Whether `bytes` more can really be written now: they are written, synced, and given back. Leaves the reserve given up.
pub fn probe(root: &Path, bytes: u64, check: Check) -> Result<bool, VolumeError> {
    let fits = fill(root, bytes, check)?;
    check()?;
    give_up(root)?;
    Ok(fits)
}

/// Whether so many files more can really be made now: they are made, and removed. What a power cut left of them the next
/// probe removes.
pub fn probe_files(root: &Path, files: usize, check: Check) -> Result<bool, VolumeError> {
    let mut fits = true;
    let mut made = Vec::new();
    for number in 0..files {
        let path = path(root).with_extension(number.to_string());
        check()?;
        match OpenOptions::new().write(true).create(true).truncate(true).open(&path) {
            Ok(_) => made.push(path),
            Err(error) => {
                let error = VolumeError::io("create", &path, error);
                if !matches!(error.fault, Fault::NoSpace | Fault::Quota) {
                    return Err(error);
                }
                fits = false;
                break;
            }
        }
    }
    for path in made {
        check()?;
        fs::remove_file(&path).map_err(|error| VolumeError::io("remove", &path, error))?;
    }
    Ok(fits)
}

/// Gives the reserve up, durably. The caller has made sure that the volume is the one that it opened.
pub fn give_up(root: &Path) -> Result<(), VolumeError> {
    let path = path(root);
    let cut = OpenOptions::new().write(true).create(true).truncate(true).open(&path);
    cut.and_then(|file| file.sync_all()).map_err(|error| VolumeError::io("give up", &path, error))
}

/// Fills the file with so many bytes that no filesystem can store in fewer. False, and it is empty, if they do not fit.
fn fill(root: &Path, bytes: u64, check: Check) -> Result<bool, VolumeError> {
    let path = path(root);
    let is_new = !path.exists();
    check()?;
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path);
    let written = file.and_then(|file| write(file, bytes));
    match written {
        Ok(()) if is_new => sync_directory(&layout::home(root)).map(|()| true),
        Ok(()) => Ok(true),
        Err(error) => {
            let error = VolumeError::io("write", &path, error);
            if matches!(error.fault, Fault::NoSpace | Fault::Quota) {
                check()?;
                // It may be that not even its name fits.
                return give_up(root).map(|()| false).or(Ok(false));
            }
            Err(error)
        }
    }
}

fn write(mut file: File, bytes: u64) -> io::Result<()> {
    let mut block = [0u8; 16 * 1024];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut left = bytes;
    while left > 0 {
        for word in block.chunks_exact_mut(8) {
            // xorshift64: nothing that a filesystem could compress.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(&block[..now])?;
        left -= now as u64;
    }
    file.sync_all()
}

fn path(root: &Path) -> PathBuf {
    layout::reserve(root)
}
