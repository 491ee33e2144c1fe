//! Taking a volume over, or giving it a new identity, because a person wishes it.
//!
//! Opening a volume adopts only what has no marker. Here a marker that is somebody else's, or a copy's, is made ours:
//! what is done stands in the volume's ledger first, so that the old and the new owner can read it there.

use super::Adoption;
use super::fault::VolumeError;
use super::identity::{filesystem_uuid, is_copied};
use super::lock::Lock;
use super::marker::{read_marker, write_marker};
use crate::ledger::LedgerWriter;
use heapless::String as Short;
use holdfast_wire::ids::{Name, VolumeId};
use holdfast_wire::ledger::Record;
use holdfast_wire::volume::VolumeMarkerV2;
use std::path::Path;

/// What a volume is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground<'a> {
    /// A whole filesystem: its UUID goes into the marker, so that a copy of the files is found.
    Filesystem {
        /// What blkid said, for where neither the kernel nor udev can tell.
        told_uuid: Option<&'a str>,
    },
    /// A plain directory, which may be moved.
    Directory,
}

/// Which identity a volume is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Its own, unless its marker was copied to it from another filesystem.
    Keep,
    /// A new one in any case: it is a copy (dd) of a volume that is in use too.
    NewIdentity,
}

/// What an adoption changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Its identity now.
    pub id: VolumeId,
    /// It had no marker.
    pub fresh: bool,
    /// Its identity before, if it got a new one.
    pub renewed_from: Option<VolumeId>,
    /// The device it was taken over from.
    pub taken_from: Option<Name>,
}

impl Adopted {
    /// Whether nothing had to be changed.
    pub fn is_unchanged(&self) -> bool {
        !self.fresh && self.renewed_from.is_none() && self.taken_from.is_none()
    }
}

/// Adopts what lies at `root`: writes its marker, or takes it over. Footage that is there stays, and is this
/// device's to keep and to delete from then on. That a disk is mounted at `root` is for the caller to know.
///
/// Fails as [`super::Volume::open`] does, but for [`Fault::Copied`](holdfast_wire::cause::Fault::Copied)
/// and [`Fault::Foreign`](holdfast_wire::cause::Fault::Foreign), which it mends. A marker that is damaged is not
/// written over: what it said may be restored from the segments.
pub fn adopt(
    root: &Path,
    ground: Ground<'_>,
    adoption: &Adoption,
    wish: Wish,
) -> Result<Adopted, VolumeError> {
    read_marker(root)?; // a damaged one is told before anything is made
    let lock = Lock::take(root, true)?;
    let uuid = filesystem_uuid(lock.home(), lock.device());
    let (uuid, on) = match ground {
        Ground::Directory => (uuid.as_deref(), None),
        Ground::Filesystem { told_uuid } => (uuid.as_deref().or(told_uuid), uuid.as_deref().or(told_uuid)),
    };
    let Some(mut marker) = read_marker(root)? else {
        write_marker(&lock, &adoption.marker(on))?;
        return Ok(Adopted { id: adoption.id, fresh: true, renewed_from: None, taken_from: None });
    };
    let mut records = Vec::new();
    let renewed_from = (wish == Wish::NewIdentity || is_copied(&marker, uuid)).then(|| {
        let before = renew(&mut marker, adoption.id);
        records.push(Record::Renewed { at: adoption.at, before, now: adoption.id });
        before
    });
    let by = marker.now.adopted_by.clone();
    let taken_from = (by != adoption.device).then(|| {
        records.push(Record::TakenOver { at: adoption.at, from: by.clone(), by: adoption.device.clone() });
        by
    });
    // One that was adopted where the UUID could not be known learns it now.
    let uuid_changes = on.is_some_and(|on| !marker.now.filesystem_uuid.eq_ignore_ascii_case(on));
    if !records.is_empty() || uuid_changes {
        if let Some(on) = on {
            marker.now.filesystem_uuid = Short::try_from(on).unwrap_or_default();
        } else if renewed_from.is_some() {
            marker.now.filesystem_uuid = Short::new();
        }
        marker.now.adopted_by = adoption.device.clone();
        marker.now.adopted_at = adoption.at;
        // First the ledger: a power cut between the two leaves a record of what was begun, and the command run again does it.
        if !records.is_empty() {
            let (mut ledger, _) = LedgerWriter::open(root, adoption.at)?;
            records.iter().try_for_each(|record| ledger.append(adoption.at, record))?;
            ledger.sync()?;
        }
        write_marker(&lock, &marker)?;
    }
    Ok(Adopted { id: marker.now.id, fresh: false, renewed_from, taken_from })
}

/// Gives a marker a new id; the old one is remembered, the oldest forgotten if there are too many.
fn renew(marker: &mut VolumeMarkerV2, id: VolumeId) -> VolumeId {
    let before = std::mem::replace(&mut marker.now.id, id);
    if marker.formerly.is_full() {
        marker.formerly.remove(0);
    }
    let _ = marker.formerly.push(before); // there is room: see the line above
    before
}
