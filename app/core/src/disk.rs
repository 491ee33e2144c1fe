//! Which of the disks that come are ours to write to.
//!
//! Words: a **disk** here is one filesystem: a whole disk or one partition of it. Its **facts** are what udev, the kernel
//! and a look inside say of it; the **verdict** is what is to be done with it. A disk is **marked** if somebody said that
//! it is for recording: it has the label [`LABEL`], it carries a volume of ours, or a person adopted it by a command.
//! To **look** is to mount it read-only where nobody sees it, and to search for `holdfast/volume` and for a system.
//!
//! The rules, the first that applies decides:
//!
//! 1. What is in use by the system, or is no disk in the eyes of a person, is passed over in silence.
//! 2. What could never be written to is left alone and named, so that nobody waits for it in vain. It is not looked into.
//! 3. What is marked is used, unless a system could be started from it.
//! 4. What is not marked is looked into once, and left alone if nothing of ours is found.
//!
//! Nothing here ever leads to formatting.

use core::time::Duration;
use heapless::String;

/// The label of a filesystem that says: this disk is for recording. Compared without regard to case, since mkfs.vfat
/// and Windows write labels in upper case, and somebody who wrote "Holdfast" meant it.
pub const LABEL: &str = "HOLDFAST";

/// A filesystem smaller than this, in bytes, is not used: 64 MiB is what the memory holds for one camera, so one that is
/// smaller could not even take what waited for it. It also passes over the small partitions of firmware and systems.
pub const SMALLEST: u64 = 64 << 20;

/// A text that udev or blkid told, cut to fit.
pub type Text = String<64>;

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
    /// As many volumes are in use as a device can have.
    NoPlace,
}

/// How a disk is connected. The order is that in which disks found at the start take their places: what is built in
/// before what can be pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bus {
    /// NVMe.
    Nvme,
    /// SATA.
    Ata,
    /// An SD card or eMMC.
    Mmc,
    /// Made by the kernel of something else: a loop device, a RAID, a mapped or RAM disk.
    Virtual,
    /// Any other, or not told.
    #[default]
    Other,
    /// USB.
    Usb,
}

/// What blkid says that the content is for (`ID_FS_USAGE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    /// It was not told: the name of the content has to do.
    #[default]
    Untold,
    /// Files.
    Filesystem,
    /// An encrypted container.
    Crypto,
    /// A part of something larger.
    Raid,
    /// Swap and the like.
    Other,
}

/// What the running system has to do with a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Running {
    /// Nothing.
    #[default]
    Elsewhere,
    /// Another partition of the same disk holds `/`, `/boot` or `/usr`, or is swap in use.
    SameDisk,
    /// It does so itself.
    Here,
}

/// Where a disk is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mounted {
    /// Nowhere.
    #[default]
    Nowhere,
    /// Where the helper mounts volumes, or at a path of the configuration.
    AsVolume,
    /// Anywhere else, by somebody else.
    Elsewhere,
}

/// What a look inside found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inside {
    /// Nobody looked yet.
    #[default]
    Unknown,
    /// It carries `holdfast/volume`.
    Volume,
    /// It carries a system (`/etc/os-release`, a boot loader's files), whatever else is on it.
    System,
    /// Neither.
    Nothing,
}

/// All that a verdict needs to know of a disk. Whoever builds it leaves what it does not know at its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskFacts {
    /// The kernel's name: "sdb1".
    pub name: Text,
    /// The content as blkid names it (`ID_FS_TYPE`): "ext4", "crypto_LUKS"; empty if nothing was recognised.
    pub content: Text,
    /// What the content is for.
    pub usage: Usage,
    /// The label of the filesystem as blkid gives it; empty if it has none.
    pub label: Text,
    /// The UUID of the filesystem as blkid gives it; empty if it has none.
    pub uuid: Text,
    /// How it is connected.
    pub bus: Bus,
    /// The kernel says that its medium can be taken out.
    pub removable: bool,
    /// Bytes; 0 for a reader without a card.
    pub size: u64,
    /// The kernel does not let it be written to: a card's lock, a write-protected medium.
    pub read_only: bool,
    /// It is a whole disk whose partitions are devices of their own: they are what counts.
    pub partitioned: bool,
    /// The type of its partition is one that firmware starts systems from (an EFI system partition).
    pub boot_partition: bool,
    /// What the running system has to do with it.
    pub running: Running,
    /// Where it is mounted.
    pub mounted: Mounted,
    /// What a look inside found.
    pub inside: Inside,
    /// A person named it in a command.
    pub adopted: bool,
}

/// What is to be done with a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is for recording, as far as is known. Whoever mounts it looks inside before it shows, and asks again with what
    /// was found.
    Use,
    /// Look inside, and ask again with what was found.
    Look,
    /// It is not used, and a person is told.
    LeaveAlone(Unfit),
    /// It is not used, and nothing is said of it unless a person asks: it would be noise.
    PassOver(Unfit),
}

impl DiskFacts {
    /// Whether somebody said that it is for recording.
    pub fn is_marked(&self) -> bool {
        self.adopted || self.inside == Inside::Volume || self.label.eq_ignore_ascii_case(LABEL)
    }

    /// Which filesystem that Holdfast writes to it carries.
    pub fn filesystem(&self) -> Option<Filesystem> {
        Filesystem::named(&self.content)
    }

    /// What is to be done with it. See the module for the rules.
    pub fn verdict(&self) -> Verdict {
        // A person who named a disk is answered, whatever the answer.
        let quietly = if self.adopted { Verdict::LeaveAlone } else { Verdict::PassOver };
        let marked = self.is_marked();
        let unless_marked = if marked { Verdict::LeaveAlone } else { quietly };
        if self.running == Running::Here {
            return quietly(Unfit::System);
        }
        if self.size == 0 || self.partitioned {
            return quietly(Unfit::Blank);
        }
        match (self.mounted, self.running) {
            (Mounted::AsVolume, _) => {}
            (Mounted::Elsewhere, _) => return unless_marked(Unfit::MountedElsewhere),
            // The system's spare slots and its data are not to be looked into: mounting may replay a journal.
            (Mounted::Nowhere, Running::SameDisk) if !marked => return quietly(Unfit::System),
            (Mounted::Nowhere, Running::SameDisk | Running::Elsewhere | Running::Here) => {}
        }
        if self.boot_partition && !marked {
            return quietly(Unfit::System);
        }
        if self.bus == Bus::Virtual && !marked {
            return quietly(Unfit::NotMarked);
        }
        if self.size < SMALLEST {
            return unless_marked(Unfit::TooSmall);
        }
        if let Some(unfit) = self.unfit_content() {
            return Verdict::LeaveAlone(unfit);
        }
        if self.boot_partition || self.inside == Inside::System {
            return Verdict::LeaveAlone(Unfit::System);
        }
        if self.read_only {
            return Verdict::LeaveAlone(Unfit::ReadOnly);
        }
        match self.inside {
            Inside::Volume => Verdict::Use,
            Inside::Unknown | Inside::Nothing if marked => Verdict::Use,
            Inside::Unknown => Verdict::Look,
            Inside::Nothing | Inside::System => Verdict::LeaveAlone(Unfit::NotMarked),
        }
    }

    fn unfit_content(&self) -> Option<Unfit> {
        if self.content.is_empty() {
            return Some(Unfit::Blank);
        }
        match self.usage {
            Usage::Crypto => Some(Unfit::Encrypted),
            Usage::Raid => Some(Unfit::Member),
            Usage::Untold | Usage::Filesystem | Usage::Other => match self.content.as_str() {
                "crypto_LUKS" | "BitLocker" => Some(Unfit::Encrypted),
                "linux_raid_member" | "LVM2_member" | "LVM1_member" | "bcache" | "drbd" => {
                    Some(Unfit::Member)
                }
                // Where there is swap there is a system.
                "swap" | "swsuspend" => Some(Unfit::System),
                name if name.ends_with("_raid_member") => Some(Unfit::Member),
                name => Filesystem::named(name).is_none().then_some(Unfit::Filesystem),
            },
        }
    }
}

/// A filesystem that Holdfast writes to.
///
/// Not ext2 and ext3: without extents, freeing an hour's footage takes seconds of scattered writes in which nothing is
/// recorded. Not NTFS: its Linux drivers have a history of damage at power cuts, and no repair tool. Not Btrfs, XFS:
/// what they would add is not needed, and each more is one more to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filesystem {
    /// The advice for a disk that stays with Linux.
    Ext4,
    /// For a disk that is to be read on any computer.
    Exfat,
    /// For SD cards and sticks.
    F2fs,
    /// What small sticks come with.
    Vfat,
}

/// What a filesystem can do and what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Properties {
    /// Its name for blkid and mount.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Space can be reserved for a file that is being written (fallocate), quickly. exFAT's driver refuses; vfat's writes
    /// zeros over all of it.
    pub fallocate: bool,
    /// Most bytes of one file.
    pub largest_file: u64,
    /// The grain of the times of change: what is younger than this may look as old as its neighbour.
    pub time_step: Duration,
    /// Its files have no owners of their own: the mount says whose they are (uid, gid, umask).
    pub owner_by_mount: bool,
    /// Its own structure survives a power cut; one without may need its check first.
    pub journal: bool,
    /// The program that checks and mends it, without questions.
    pub check: Check,
}

/// How a filesystem is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// The program.
    pub program: &'static str,
    /// Its arguments; the device follows them.
    pub arguments: &'static [&'static str],
}

impl Filesystem {
    /// All of them.
    pub const ALL: [Filesystem; 4] =
        [Filesystem::Ext4, Filesystem::Exfat, Filesystem::F2fs, Filesystem::Vfat];

    /// The one that blkid names so.
    pub fn named(name: &str) -> Option<Filesystem> {
        Filesystem::ALL.into_iter().find(|filesystem| filesystem.properties().name == name)
    }

    /// What it can do and what it needs. Sizes are those of 4 KiB blocks, from the kernel's documentation of each.
    pub const fn properties(self) -> Properties {
        match self {
            Filesystem::Ext4 => Properties {
                name: "ext4",
                title: "ext4",
                fallocate: true,
                largest_file: (16 << 40) - 4096,
                time_step: Duration::from_nanos(1),
                owner_by_mount: false,
                journal: true,
                // -p: mends what is safe; 4 and above in its exit code says that it left damage.
                check: Check { program: "e2fsck", arguments: &["-p"] },
            },
            Filesystem::Exfat => Properties {
                name: "exfat",
                title: "exFAT",
                fallocate: false,
                largest_file: i64::MAX as u64, // the format would take more; a file offset of Linux does not
                time_step: Duration::from_millis(10),
                owner_by_mount: true,
                journal: false,
                check: Check { program: "fsck.exfat", arguments: &["-p"] },
            },
            Filesystem::F2fs => Properties {
                name: "f2fs",
                title: "F2FS",
                fallocate: true,
                largest_file: 4_228_213_756 << 10, // what its inode's tree of blocks can name
                time_step: Duration::from_nanos(1),
                owner_by_mount: false,
                journal: true, // it goes back to its last checkpoint
                check: Check { program: "fsck.f2fs", arguments: &["-a"] },
            },
            Filesystem::Vfat => Properties {
                name: "vfat",
                title: "FAT",
                fallocate: false,
                largest_file: u32::MAX as u64,
                time_step: Duration::from_secs(2),
                owner_by_mount: true,
                journal: false,
                check: Check { program: "fsck.vfat", arguments: &["-a"] },
            },
        }
    }
}
