//! Who a volume is: its id, and the filesystem it lies on.
//!
//! A marker is a file, and files can be copied. So an identity is more than the id in the marker: it is the id *on this
//! filesystem*. The filesystem is known by its UUID, which a copy of files does not take along, and by `st_dev`
//! and inode while it is mounted, which even a copy of the whole disk (dd) cannot share with the original.

use super::fault::VolumeError;
use holdfast_wire::cause::Fault;
use holdfast_wire::ids::{Name, VolumeId};
use holdfast_wire::volume::VolumeMarkerV2;
use rustix::ioctl::{Getter, ioctl, opcode};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells one opened volume from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id in its marker.
    pub id: VolumeId,
    /// The UUID of its filesystem as blkid prints it; `None` where it cannot be known.
    pub filesystem_uuid: Option<String>,
    /// `st_dev` of its filesystem.
    pub device: u64,
    /// The inode of `holdfast/`.
    pub inode: u64,
}

/// How two opened volumes stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Two volumes.
    Different,
    /// One volume, reached by two paths.
    Same,
    /// Two places with one id: one of the two is a copy.
    Duplicate,
}

impl Identity {
    /// Compares two identities, both of volumes that are there now.
    pub fn relation(&self, other: &Identity) -> Relation {
        match (self.id == other.id, (self.device, self.inode) == (other.device, other.inode)) {
            (_, true) => Relation::Same,
            (true, false) => Relation::Duplicate,
            (false, false) => Relation::Different,
        }
    }
}

/// Whether a marker may be used by this device on this filesystem.
///
/// Fails with [`Fault::Copied`] if the marker was made on a filesystem with another UUID, and with
/// [`Fault::Foreign`] if a device adopted it that is neither `device` nor one of its former names.
pub fn judge(
    root: &Path,
    marker: &VolumeMarkerV2,
    filesystem_uuid: Option<&str>,
    device: &Name,
    formerly: &[Name],
) -> Result<(), VolumeError> {
    if is_copied(marker, filesystem_uuid) {
        let detail = "`holdfast volume adopt` gives it an identity of its own";
        return Err(VolumeError::found(Fault::Copied, "use", root, detail));
    }
    let by = &marker.now.adopted_by;
    if by != device && !formerly.contains(by) {
        let detail = format!(
            "\"{by}\"; if this device was called so, say it in its configuration, else `holdfast volume adopt` takes it over"
        );
        return Err(VolumeError::found(Fault::Foreign, "use", root, detail));
    }
    Ok(())
}

/// Whether a marker was made on another filesystem than the one it lies on. A UUID that is not known proves nothing.
pub fn is_copied(marker: &VolumeMarkerV2, filesystem_uuid: Option<&str>) -> bool {
    let made_on = marker.now.filesystem_uuid.as_str();
    let here = filesystem_uuid.unwrap_or_default();
    !made_on.is_empty() && !here.is_empty() && !made_on.eq_ignore_ascii_case(here)
}

/// The UUID of the filesystem that `file` lies on, as blkid prints it. The kernel is asked first (from Linux 6.9 on, and not
/// of every filesystem), then udev's database. `None` if neither knows.
pub fn filesystem_uuid(file: impl AsFd, st_dev: u64) -> Option<String> {
    uuid_of_kernel(file).or_else(|| uuid_of_udev(st_dev))
}

/// `st_dev` of what lies at `path`.
pub(super) fn device_at(path: &Path) -> Result<u64, VolumeError> {
    let facts = fs::metadata(path).map_err(|error| VolumeError::io("look at", path, error))?;
    Ok(facts.dev())
}

/// Whether another filesystem begins at `root`.
pub(super) fn is_mount_point(root: &Path) -> Result<bool, VolumeError> {
    Ok(device_at(root)? != device_at(&root.join(".."))?)
}

/// The kernel's `struct fsuuid2`.
#[repr(C)]
struct KernelUuid {
    length: u8,
    bytes: [u8; 16],
}

fn uuid_of_kernel(file: impl AsFd) -> Option<String> {
    // SAFETY: FS_IOC_GETFSUUID (from the kernel's uapi/linux/fs.h) fills a structure of this layout and reads nothing;
    // its number holds the structure's size, so a kernel that means another one refuses the call.
    let answer = unsafe { ioctl(file, Getter::<{ opcode::read::<KernelUuid>(0x15, 0) }, KernelUuid>::new()) };
    let KernelUuid { length, bytes } = answer.ok()?;
    // Shorter ones (the serial numbers of vfat and exfat) are printed in ways of their own: udev knows them.
    (usize::from(length) == bytes.len() && bytes != [0; 16]).then(|| {
        let hex = |part: &[u8]| part.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let parts = [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]];
        parts.map(hex).join("-")
    })
}

fn uuid_of_udev(st_dev: u64) -> Option<String> {
    let device = udev::Device::from_devnum(udev::DeviceType::Block, st_dev).ok()?;
    let uuid = device.property_value("ID_FS_UUID")?.to_str()?.to_owned();
    (!uuid.is_empty()).then_some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapless::{String as Short, Vec as ShortVec};
    use holdfast_wire::ids::Id128;
    use holdfast_wire::time::Wall;
    use holdfast_wire::volume::VolumeMarkerV1;

    fn marker(uuid: &str, by: &str) -> VolumeMarkerV2 {
        VolumeMarkerV2 {
            now: VolumeMarkerV1 {
                id: Id128([1; 16]),
                filesystem_uuid: Short::try_from(uuid).unwrap(),
                adopted_by: Name::new(by).unwrap(),
                adopted_at: Wall::from_secs(1),
            },
            formerly: ShortVec::new(),
        }
    }

    #[test]
    fn whose_a_marker_is_and_whether_it_was_copied() {
        let device = Name::new("van-12").unwrap();
        let formerly = [Name::new("van-7").unwrap()];
        for (case, made_on, here, by, expected) in [
            ("ours, on its filesystem", "aa-1", Some("aa-1"), "van-12", None),
            ("vfat's serial in other letters", "1A2B-3C4D", Some("1a2b-3c4d"), "van-12", None),
            ("a plain directory", "", Some("aa-1"), "van-12", None),
            ("a filesystem that does not tell", "aa-1", None, "van-12", None),
            ("an empty answer is none", "aa-1", Some(""), "van-12", None),
            ("adopted under our former name", "aa-1", Some("aa-1"), "van-7", None),
            ("another device's", "aa-1", Some("aa-1"), "van-13", Some(Fault::Foreign)),
            ("files copied to another filesystem", "aa-1", Some("aa-2"), "van-12", Some(Fault::Copied)),
            (
                "a copy of another device's is a copy first",
                "aa-1",
                Some("aa-2"),
                "van-13",
                Some(Fault::Copied),
            ),
        ] {
            let judged = judge(Path::new("/m"), &marker(made_on, by), here, &device, &formerly);
            assert_eq!(judged.err().map(|error| error.fault), expected, "{case}");
        }
    }

    #[test]
    fn a_copy_is_told_from_the_volume_itself_under_another_path() {
        let here = Identity { id: Id128([1; 16]), filesystem_uuid: None, device: 8, inode: 12 };
        for (case, id, device, inode, relation) in [
            ("a bind mount of it", 1, 8, 12, Relation::Same),
            ("a dd copy, mounted", 1, 24, 12, Relation::Duplicate),
            ("a copied folder on one filesystem", 1, 8, 99, Relation::Duplicate),
            ("another volume", 2, 24, 12, Relation::Different),
        ] {
            let other = Identity { id: Id128([id; 16]), filesystem_uuid: None, device, inode };
            assert_eq!(here.relation(&other), relation, "{case}");
        }
    }
}
