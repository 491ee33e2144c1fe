//! Which of the disks that come are ours to write to.
//!
//! Words: a disk here is one filesystem: a whole disk or one partition of it.

/// Why a disk is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unfit {
    /// It carries no filesystem that was recognised.
    Blank,
    /// A filesystem that Holdfast does not write to (NTFS, Btrfs, ...).
    Filesystem,
    /// An encrypted container (LUKS, BitLocker).
    Encrypted,
    /// A member of a RAID or of a volume group.
    Member,
    /// It holds the running system, or one that could be started.
    System,
    /// It is mounted elsewhere, by somebody else.
    MountedElsewhere,
    /// It is too small to be of use.
    TooSmall,
    /// It cannot be written to.
    ReadOnly,
    /// It has no label `HOLDFAST` and no volume of ours: nobody said that it is for recording.
    NotMarked,
}
