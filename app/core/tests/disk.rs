//! Which disks are ours to write to: one table, a case a line; and what holds for all disks there could be.

use holdfast_core::disk::{
    Bus, DiskFacts, Filesystem, Inside, LABEL, Mounted, Running, SMALLEST, Text, Unfit, Usage, Verdict,
};
use std::collections::HashSet;

fn text(text: &str) -> Text {
    Text::try_from(text).expect("short enough")
}

/// A stick of 16 GB with one filesystem, as it comes from the shop.
fn stick() -> DiskFacts {
    DiskFacts {
        name: text("sdb1"),
        content: text("exfat"),
        usage: Usage::Filesystem,
        label: text("PHOTOS"),
        uuid: text("64E5-1B2A"),
        bus: Bus::Usb,
        removable: true,
        size: 16_000_000_000,
        ..DiskFacts::default()
    }
}

fn labelled() -> DiskFacts {
    DiskFacts { label: text(LABEL), ..stick() }
}

fn content(name: &str, usage: Usage) -> DiskFacts {
    DiskFacts { content: text(name), usage, ..stick() }
}

#[test]
fn each_disk_has_its_verdict() {
    use Inside::{Nothing, System, Volume};
    use Unfit as U;
    use Verdict::{LeaveAlone, Look, PassOver, Use};
    let cases: Vec<(&str, DiskFacts, Verdict)> = vec![
        // What it is for.
        ("labelled HOLDFAST", labelled(), Use),
        ("labelled in lower case", DiskFacts { label: text("holdfast"), ..stick() }, Use),
        (
            "labelled HOLDFAST2, which is another name",
            DiskFacts { label: text("HOLDFAST2"), ..stick() },
            Look,
        ),
        ("without a label", DiskFacts { label: text(""), ..stick() }, Look),
        ("with another label, not looked into", stick(), Look),
        ("with another label, a volume of ours inside", DiskFacts { inside: Volume, ..stick() }, Use),
        (
            "with another label, nothing inside",
            DiskFacts { inside: Nothing, ..stick() },
            LeaveAlone(U::NotMarked),
        ),
        ("labelled, nothing inside yet", DiskFacts { inside: Nothing, ..labelled() }, Use),
        ("adopted by a person, not looked into", DiskFacts { adopted: true, ..stick() }, Use),
        ("adopted by a person, nothing inside", DiskFacts { adopted: true, inside: Nothing, ..stick() }, Use),
        // What it carries.
        ("ext4", content("ext4", Usage::Filesystem), Look),
        ("f2fs", content("f2fs", Usage::Filesystem), Look),
        ("vfat", content("vfat", Usage::Filesystem), Look),
        ("ext4, and blkid told no usage", content("ext4", Usage::Untold), Look),
        ("ext3", content("ext3", Usage::Filesystem), LeaveAlone(U::Filesystem)),
        ("ext2", content("ext2", Usage::Filesystem), LeaveAlone(U::Filesystem)),
        ("NTFS", content("ntfs", Usage::Filesystem), LeaveAlone(U::Filesystem)),
        ("NTFS with our label", DiskFacts { content: text("ntfs"), ..labelled() }, LeaveAlone(U::Filesystem)),
        (
            "NTFS adopted",
            DiskFacts { content: text("ntfs"), adopted: true, ..stick() },
            LeaveAlone(U::Filesystem),
        ),
        ("Btrfs", content("btrfs", Usage::Filesystem), LeaveAlone(U::Filesystem)),
        ("a member of a ZFS pool", content("zfs_member", Usage::Filesystem), LeaveAlone(U::Filesystem)),
        ("an installer's image", content("iso9660", Usage::Filesystem), LeaveAlone(U::Filesystem)),
        ("a filesystem that nobody knows", content("novelfs", Usage::Filesystem), LeaveAlone(U::Filesystem)),
        ("LUKS", content("crypto_LUKS", Usage::Crypto), LeaveAlone(U::Encrypted)),
        ("LUKS, and blkid told no usage", content("crypto_LUKS", Usage::Untold), LeaveAlone(U::Encrypted)),
        ("BitLocker", content("BitLocker", Usage::Crypto), LeaveAlone(U::Encrypted)),
        (
            "LUKS with our label",
            DiskFacts { content: text("crypto_LUKS"), ..labelled() },
            LeaveAlone(U::Encrypted),
        ),
        ("a member of a RAID", content("linux_raid_member", Usage::Raid), LeaveAlone(U::Member)),
        ("a member of a RAID, no usage", content("ddf_raid_member", Usage::Untold), LeaveAlone(U::Member)),
        ("a member of a volume group", content("LVM2_member", Usage::Raid), LeaveAlone(U::Member)),
        (
            "a member of a volume group, no usage",
            content("LVM2_member", Usage::Untold),
            LeaveAlone(U::Member),
        ),
        ("swap of some system", content("swap", Usage::Other), LeaveAlone(U::System)),
        ("nothing recognised", content("", Usage::Untold), LeaveAlone(U::Blank)),
        (
            "nothing recognised, adopted",
            DiskFacts { adopted: true, ..content("", Usage::Untold) },
            LeaveAlone(U::Blank),
        ),
        // What is no disk in the eyes of a person.
        ("a reader without a card", DiskFacts { size: 0, ..content("", Usage::Untold) }, PassOver(U::Blank)),
        (
            "a whole disk with partitions",
            DiskFacts { partitioned: true, ..content("", Usage::Untold) },
            PassOver(U::Blank),
        ),
        (
            "a hybrid image: a filesystem over partitions",
            DiskFacts { partitioned: true, ..stick() },
            PassOver(U::Blank),
        ),
        (
            "a whole disk with partitions, adopted",
            DiskFacts { partitioned: true, adopted: true, ..stick() },
            LeaveAlone(U::Blank),
        ),
        (
            "a reserved partition of 16 MB",
            DiskFacts { size: 16 << 20, ..content("", Usage::Untold) },
            PassOver(U::TooSmall),
        ),
        (
            "a loop device of a package manager",
            DiskFacts { bus: Bus::Virtual, ..content("squashfs", Usage::Filesystem) },
            PassOver(U::NotMarked),
        ),
        (
            "a loop device with ext4",
            DiskFacts { bus: Bus::Virtual, ..content("ext4", Usage::Filesystem) },
            PassOver(U::NotMarked),
        ),
        ("a loop device, labelled", DiskFacts { bus: Bus::Virtual, ..labelled() }, Use),
        ("a RAID of disks, adopted", DiskFacts { bus: Bus::Virtual, adopted: true, ..stick() }, Use),
        // Its size.
        ("too small by a byte", DiskFacts { size: SMALLEST - 1, ..stick() }, PassOver(U::TooSmall)),
        ("too small and labelled", DiskFacts { size: SMALLEST - 1, ..labelled() }, LeaveAlone(U::TooSmall)),
        ("just large enough", DiskFacts { size: SMALLEST, ..labelled() }, Use),
        ("256 MB, as the tests use", DiskFacts { size: 256_000_000, ..labelled() }, Use),
        // Write protection.
        ("locked", DiskFacts { read_only: true, ..stick() }, LeaveAlone(U::ReadOnly)),
        ("locked and labelled", DiskFacts { read_only: true, ..labelled() }, LeaveAlone(U::ReadOnly)),
        (
            "locked, a volume of ours",
            DiskFacts { read_only: true, inside: Volume, ..stick() },
            LeaveAlone(U::ReadOnly),
        ),
        // Systems.
        ("it holds the running system", DiskFacts { running: Running::Here, ..stick() }, PassOver(U::System)),
        (
            "it holds the running system, labelled",
            DiskFacts { running: Running::Here, ..labelled() },
            PassOver(U::System),
        ),
        (
            "it holds the running system, adopted",
            DiskFacts { running: Running::Here, adopted: true, ..stick() },
            LeaveAlone(U::System),
        ),
        (
            "beside the running system",
            DiskFacts { running: Running::SameDisk, ..stick() },
            PassOver(U::System),
        ),
        ("beside the running system, labelled", DiskFacts { running: Running::SameDisk, ..labelled() }, Use),
        (
            "beside the running system, adopted",
            DiskFacts { running: Running::SameDisk, adopted: true, ..stick() },
            Use,
        ),
        (
            "an EFI system partition",
            DiskFacts { boot_partition: true, ..content("vfat", Usage::Filesystem) },
            PassOver(U::System),
        ),
        (
            "an EFI system partition, labelled",
            DiskFacts { boot_partition: true, ..labelled() },
            LeaveAlone(U::System),
        ),
        (
            "an EFI system partition, adopted",
            DiskFacts { boot_partition: true, adopted: true, ..stick() },
            LeaveAlone(U::System),
        ),
        ("a system inside", DiskFacts { inside: System, ..stick() }, LeaveAlone(U::System)),
        ("a system inside, labelled", DiskFacts { inside: System, ..labelled() }, LeaveAlone(U::System)),
        (
            "a system inside, adopted",
            DiskFacts { inside: System, adopted: true, ..stick() },
            LeaveAlone(U::System),
        ),
        // Mounts.
        (
            "mounted by somebody",
            DiskFacts { mounted: Mounted::Elsewhere, ..stick() },
            PassOver(U::MountedElsewhere),
        ),
        (
            "mounted by somebody, labelled",
            DiskFacts { mounted: Mounted::Elsewhere, ..labelled() },
            LeaveAlone(U::MountedElsewhere),
        ),
        (
            "mounted by somebody, adopted",
            DiskFacts { mounted: Mounted::Elsewhere, adopted: true, ..stick() },
            LeaveAlone(U::MountedElsewhere),
        ),
        ("mounted as a volume", DiskFacts { mounted: Mounted::AsVolume, inside: Volume, ..stick() }, Use),
        (
            "mounted as a volume, beside the system",
            DiskFacts { mounted: Mounted::AsVolume, inside: Volume, running: Running::SameDisk, ..stick() },
            Use,
        ),
    ];
    let names: HashSet<&str> = cases.iter().map(|case| case.0).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    for (name, facts, verdict) in cases {
        assert_eq!(facts.verdict(), verdict, "{name}");
    }
}

/// Every combination of the facts that are enumerable: some 170,000 disks.
fn all_disks() -> impl Iterator<Item = DiskFacts> {
    let contents =
        ["", "ext4", "exfat", "f2fs", "vfat", "ext3", "ntfs", "crypto_LUKS", "LVM2_member", "swap"];
    let usages = [Usage::Untold, Usage::Filesystem, Usage::Crypto, Usage::Raid, Usage::Other];
    let insides = [Inside::Unknown, Inside::Volume, Inside::System, Inside::Nothing];
    let runnings = [Running::Elsewhere, Running::SameDisk, Running::Here];
    let mounteds = [Mounted::Nowhere, Mounted::AsVolume, Mounted::Elsewhere];
    let sizes = [0, SMALLEST - 1, SMALLEST];
    let labels = ["", LABEL];
    let base = contents.len() * usages.len() * insides.len() * runnings.len() * mounteds.len();
    (0..base * sizes.len() * labels.len() * 16).map(move |number| {
        let mut rest = number;
        let mut pick = |count: usize| {
            let at = rest % count;
            rest /= count;
            at
        };
        DiskFacts {
            content: text(contents[pick(contents.len())]),
            usage: usages[pick(usages.len())],
            inside: insides[pick(insides.len())],
            running: runnings[pick(runnings.len())],
            mounted: mounteds[pick(mounteds.len())],
            size: sizes[pick(sizes.len())],
            label: text(labels[pick(labels.len())]),
            read_only: pick(2) == 1,
            partitioned: pick(2) == 1,
            boot_partition: pick(2) == 1,
            adopted: pick(2) == 1,
            ..stick()
        }
    })
}

#[test]
fn no_disk_there_could_be_is_touched_without_a_reason() {
    let mut used = 0;
    for disk in all_disks() {
        let verdict = disk.verdict();
        let touched = matches!(verdict, Verdict::Use | Verdict::Look);
        if touched {
            assert!(disk.filesystem().is_some(), "not a filesystem of ours: {disk:?}");
            assert!(!disk.read_only && !disk.partitioned && disk.size >= SMALLEST, "not writable: {disk:?}");
            assert_ne!(disk.running, Running::Here, "the running system: {disk:?}");
            assert_ne!(disk.mounted, Mounted::Elsewhere, "somebody else's: {disk:?}");
            assert!(!disk.boot_partition && disk.inside != Inside::System, "a system: {disk:?}");
        }
        match verdict {
            Verdict::Use => {
                assert!(disk.is_marked(), "nobody said so: {disk:?}");
                used += 1;
            }
            Verdict::Look => assert_eq!(disk.inside, Inside::Unknown, "looked into twice: {disk:?}"),
            Verdict::LeaveAlone(_) => {}
            Verdict::PassOver(_) => assert!(!disk.adopted, "a person is not answered: {disk:?}"),
        }
    }
    assert!(used > 100, "the table of all disks has none of ours: {used}");
}

#[test]
fn a_filesystem_is_known_by_the_name_that_blkid_gives_it() {
    for filesystem in Filesystem::ALL {
        let properties = filesystem.properties();
        assert_eq!(Filesystem::named(properties.name), Some(filesystem));
        // The longest segment that a configuration allows fits: an hour at 9 Mb/s is 4 GB.
        assert!(properties.largest_file >= u32::MAX.into(), "{}", properties.name);
        assert!(!properties.check.arguments.is_empty(), "{} would ask questions", properties.name);
    }
    for other in ["ext2", "ext3", "ntfs", "EXT4", "", "msdos"] {
        assert_eq!(Filesystem::named(other), None, "{other:?}");
    }
}

#[test]
fn disks_that_are_built_in_come_before_those_that_can_be_pulled() {
    let mut order = [Bus::Usb, Bus::Virtual, Bus::Other, Bus::Ata, Bus::Mmc, Bus::Nvme];
    order.sort();
    assert_eq!(order, [Bus::Nvme, Bus::Ata, Bus::Mmc, Bus::Virtual, Bus::Other, Bus::Usb]);
}
