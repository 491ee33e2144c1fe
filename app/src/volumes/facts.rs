//! The facts of a disk, gathered for [`core`'s verdict](holdfast_core::disk): from udev's database, sysfs, the table of
//! mounts and the list of swaps. Nothing is judged here, and no disk is opened.
//!
//! Words: the **whole** disk of a partition is the device that it is a part of. The **surroundings** of a disk are what
//! the running system and the mounts have to do with it.

use super::mounts::{DeviceNumber, MountTable};
use holdfast_core::disk::{Bus, DiskFacts, Mounted, Running, Text, Usage};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use udev::Device;

/// Sectors of sysfs, whatever the disk's own are.
const SECTOR: u64 = 512;

/// Partition types that firmware starts systems from: the EFI system partition in a GPT and in an MBR.
pub(super) const BOOT_PARTITIONS: [&str; 2] = ["c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef"];

/// Where the mount of a running system's own filesystem lies.
const SYSTEM_PATHS: [&str; 8] =
    ["/", "/usr", "/var", "/boot", "/boot/efi", "/boot/firmware", "/efi", "/sysroot"];

/// What can be known of a block device alone. What only a look inside tells stays at its default, and so do its
/// surroundings.
pub fn of(device: &Device) -> DiskFacts {
    let told = |name| property(device, name).unwrap_or_default();
    let whole = whole_of(device);
    let disk = whole.as_ref().unwrap_or(device);
    let flag = |device: &Device, name: &str| attribute(device, name).is_some_and(|text| text.trim() == "1");
    let sectors: u64 = attribute(device, "size").and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    DiskFacts {
        name: cut(&device.sysname().to_string_lossy()),
        content: cut(told("ID_FS_TYPE")),
        usage: match told("ID_FS_USAGE") {
            "filesystem" => Usage::Filesystem,
            "crypto" => Usage::Crypto,
            "raid" => Usage::Raid,
            "other" => Usage::Other,
            _ => Usage::Untold,
        },
        label: cut(told("ID_FS_LABEL")),
        uuid: cut(told("ID_FS_UUID")),
        bus: bus_of(device.syspath()),
        removable: flag(disk, "removable"),
        size: sectors.saturating_mul(SECTOR),
        read_only: flag(device, "ro"),
        partitioned: has_partitions(device.syspath()),
        boot_partition: BOOT_PARTITIONS.contains(&told("ID_PART_ENTRY_TYPE")),
        ..DiskFacts::default()
    }
}

/// A property of udev's database, or of the event that brought the device.
pub fn property<'a>(device: &'a Device, name: &str) -> Option<&'a str> {
    device.property_value(name).and_then(|value| value.to_str())
}

/// The whole disk that a device is a partition of; `None` if it is one itself.
pub fn whole_of(device: &Device) -> Option<Device> {
    device.parent_with_subsystem_devtype("block", "disk").ok().flatten()
}

/// What the running system and the mounts have to do with disks, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Names of the blocks that the running system lives on.
    system: BTreeSet<String>,
    /// Names of the whole disks that those are parts of.
    system_disks: BTreeSet<String>,
    /// Every mounted block device, and whether as a volume.
    mounted: Vec<(DeviceNumber, Mounted)>,
}

impl Surroundings {
    /// As they are now. `is_volume` says of a mount's path whether it is one of ours: below the helper's folder, or a
    /// path of the configuration.
    pub fn read(is_volume: impl Fn(&Path) -> bool) -> io::Result<Surroundings> {
        Ok(Self::of(&MountTable::read()?, is_volume))
    }

    /// As a table of mounts tells them, with the swaps and the sysfs of now.
    pub fn of(table: &MountTable, is_volume: impl Fn(&Path) -> bool) -> Surroundings {
        // Without swaps there is no such file.
        let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
        Self::gather(table, &swaps, Path::new("/sys"), is_volume)
    }

    fn gather(
        table: &MountTable,
        swaps: &str,
        sys: &Path,
        is_volume: impl Fn(&Path) -> bool,
    ) -> Surroundings {
        let mut found = Surroundings::default();
        for mount in table.all() {
            // Btrfs and overlays have numbers of their own; then the source may name the device.
            let device =
                if mount.device.is_virtual() { node_number(&mount.source) } else { Some(mount.device) };
            let Some(device) = device else { continue };
            let as_volume = is_volume(&mount.path);
            found.mounted.push((device, if as_volume { Mounted::AsVolume } else { Mounted::Elsewhere }));
            if SYSTEM_PATHS.iter().any(|path| Path::new(path) == mount.path) {
                found.add_system(sys, device);
            }
        }
        // "Filename Type Size Used Priority", then a line each; files lie on disks that are mounted.
        let partitions = swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next());
        for device in partitions.filter_map(|path| node_number(Path::new(path))) {
            found.add_system(sys, device);
        }
        found
    }

    fn add_system(&mut self, sys: &Path, device: DeviceNumber) {
        let folder = sys.join("dev/block").join(device.to_string());
        let Ok(folder) = folder.canonicalize() else { return };
        self.add_block(&folder);
    }

    /// One block by its folder in sysfs, and those that it is made of (`slaves`: RAID, LVM, encryption).
    fn add_block(&mut self, folder: &Path) {
        let Some(name) = folder.file_name().map(|name| name.to_string_lossy().into_owned()) else { return };
        let whole = if folder.join("partition").exists() { folder.parent() } else { Some(folder) };
        self.system_disks
            .extend(whole.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()));
        if !self.system.insert(name) {
            return; // seen: it cannot go in circles
        }
        for entry in fs::read_dir(folder.join("slaves")).into_iter().flatten().flatten() {
            if let Ok(slave) = entry.path().canonicalize() {
                self.add_block(&slave);
            }
        }
    }

    /// Adds to a disk's facts what the surroundings have to do with it. `whole` is the name of its whole disk, or its own.
    pub fn complete(&self, facts: DiskFacts, number: DeviceNumber, whole: &str) -> DiskFacts {
        let running = if self.system.contains(facts.name.as_str()) {
            Running::Here
        } else if self.system_disks.contains(whole) {
            Running::SameDisk
        } else {
            Running::Elsewhere
        };
        let mut mounted = Mounted::Nowhere;
        for (device, how) in &self.mounted {
            // As a volume counts more: somebody may have bound it to a second place.
            if *device == number && mounted != Mounted::AsVolume {
                mounted = *how;
            }
        }
        DiskFacts { running, mounted, ..facts }
    }
}

/// How a device is connected, by where it hangs in sysfs. A SATA disk in a USB enclosure hangs below a USB port.
fn bus_of(syspath: &Path) -> Bus {
    let names = || syspath.iter().map(|name| name.to_string_lossy());
    let numbered = |prefix: &str| {
        names().any(|name| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
        })
    };
    if names().any(|name| name == "virtual") && !names().any(|name| name.starts_with("nvme")) {
        Bus::Virtual
    } else if numbered("usb") {
        Bus::Usb
    } else if numbered("ata") {
        Bus::Ata
    } else if numbered("nvme") || names().any(|name| name.starts_with("nvme-subsys")) {
        Bus::Nvme
    } else if names().any(|name| name == "mmc_host") {
        Bus::Mmc
    } else {
        Bus::Other
    }
}

fn has_partitions(syspath: &Path) -> bool {
    let below = fs::read_dir(syspath).into_iter().flatten().flatten();
    below.into_iter().any(|entry| entry.path().join("partition").exists())
}

fn node_number(path: &Path) -> Option<DeviceNumber> {
    if !path.starts_with("/dev") {
        return None;
    }
    let facts = fs::metadata(path).ok()?;
    (facts.rdev() != 0).then(|| DeviceNumber::of(facts.rdev()))
}

fn attribute<'a>(device: &'a Device, name: &str) -> Option<&'a str> {
    device.attribute_value(name).and_then(|value| value.to_str())
}

/// As much of a text as fits, whole characters only.
pub(super) fn cut(text: &str) -> Text {
    let mut short = Text::new();
    for c in text.chars() {
        if short.push(c).is_err() {
            break;
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A sysfs with a SATA disk of two partitions, an encrypted root on the second, and a stick.
    fn sysfs() -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let make = |path: &str| {
            fs::create_dir_all(sys.path().join(path)).unwrap();
            sys.path().join(path)
        };
        let block = |path: &str, number: &str, partition: bool| {
            let folder = make(path);
            make("dev/block");
            symlink(&folder, sys.path().join("dev/block").join(number)).unwrap();
            if partition {
                fs::write(folder.join("partition"), "1\n").unwrap();
            }
            folder
        };
        block("devices/pci0/ata1/block/sda", "8:0", false);
        block("devices/pci0/ata1/block/sda/sda1", "8:1", true);
        let inside = block("devices/pci0/ata1/block/sda/sda2", "8:2", true);
        block("devices/pci0/ata1/block/sda/sda3", "8:3", true);
        let mapped = block("devices/virtual/block/dm-0", "254:0", false);
        fs::create_dir(mapped.join("slaves")).unwrap();
        symlink(inside, mapped.join("slaves/sda2")).unwrap();
        block("devices/pci0/usb1/block/sdb", "8:16", false);
        block("devices/pci0/usb1/block/sdb/sdb1", "8:17", true);
        sys
    }

    fn complete(around: &Surroundings, name: &str, minor: u32, whole: &str) -> (Running, Mounted) {
        let facts = DiskFacts { name: cut(name), ..DiskFacts::default() };
        let facts = around.complete(facts, DeviceNumber { major: 8, minor }, whole);
        (facts.running, facts.mounted)
    }

    #[test]
    fn the_running_system_is_found_through_encryption_and_on_every_partition_of_its_disk() {
        let sys = sysfs();
        let table = MountTable::parse(
            b"1 0 254:0 / / rw - ext4 /dev/mapper/root rw\n\
              2 1 8:1 / /boot rw - ext4 /dev/sda1 rw\n\
              3 1 8:17 / /run/v/aa rw - ext4 /dev/sdb1 rw\n\
              4 1 8:17 / /mnt/me/disk rw - ext4 /dev/sdb1 rw\n",
        );
        let around = Surroundings::gather(&table, "", sys.path(), |path| path.starts_with("/run/v"));
        for (name, minor, whole, expected) in [
            ("sda1", 1, "sda", (Running::Here, Mounted::Elsewhere)),
            ("sda2", 2, "sda", (Running::Here, Mounted::Nowhere)),
            ("sda3", 3, "sda", (Running::SameDisk, Mounted::Nowhere)),
            ("sda", 0, "sda", (Running::SameDisk, Mounted::Nowhere)),
            ("sdb1", 17, "sdb", (Running::Elsewhere, Mounted::AsVolume)),
            ("sdb", 16, "sdb", (Running::Elsewhere, Mounted::Nowhere)),
        ] {
            assert_eq!(complete(&around, name, minor, whole), expected, "{name}");
        }
    }

    #[test]
    fn a_disk_that_is_bound_to_a_second_place_is_still_a_volume_and_one_that_is_not_ours_is_elsewhere() {
        let sys = sysfs();
        for (lines, expected) in [
            ("1 0 8:17 / /m rw - ext4 /dev/sdb1 rw\n", Mounted::Elsewhere),
            ("1 0 8:17 / /m rw - ext4 a rw\n2 0 8:17 / /run/v/a rw - ext4 a rw\n", Mounted::AsVolume),
            ("1 0 8:17 / /run/v/a rw - ext4 a rw\n2 0 8:17 / /m rw - ext4 a rw\n", Mounted::AsVolume),
            ("1 0 8:18 / /m rw - ext4 a rw\n", Mounted::Nowhere),
        ] {
            let table = MountTable::parse(lines.as_bytes());
            let around = Surroundings::gather(&table, "", sys.path(), |path| path.starts_with("/run/v"));
            assert_eq!(complete(&around, "sdb1", 17, "sdb").1, expected, "{lines}");
        }
    }

    #[test]
    fn the_bus_is_read_from_the_place_in_sysfs() {
        for (path, bus) in [
            ("/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1", Bus::Ata),
            (
                "/sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb",
                Bus::Usb,
            ),
            ("/sys/devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1/nvme0n1p1", Bus::Nvme),
            ("/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1", Bus::Nvme),
            (
                "/sys/devices/platform/soc/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0/mmcblk0p2",
                Bus::Mmc,
            ),
            ("/sys/devices/virtual/block/loop3", Bus::Virtual),
            ("/sys/devices/pci0000:00/0000:00:04.0/virtio1/block/vda", Bus::Other),
            ("/sys/devices/platform/usbish/block/xda", Bus::Other),
        ] {
            assert_eq!(bus_of(Path::new(path)), bus, "{path}");
        }
    }

    #[test]
    fn a_long_label_is_cut_between_characters() {
        let long = "ä".repeat(40);
        assert_eq!(cut(&long).as_str(), "ä".repeat(32));
        assert_eq!(cut("HOLDFAST").as_str(), "HOLDFAST");
    }

    #[test]
    fn this_machines_own_root_is_found_on_its_disk() {
        let around = Surroundings::read(|_| false).unwrap();
        let table = MountTable::read().unwrap();
        let root = table.at(Path::new("/")).unwrap();
        if !root.device.is_virtual() {
            assert!(!around.system_disks.is_empty(), "{root:?} is on no disk: {around:?}");
            assert!(around.mounted.contains(&(root.device, Mounted::Elsewhere)));
        }
    }
}
