//! Disks that are none of ours, and such as mean harm.

use super::bench::{Bench, SIZE, copy};
use holdfast_tests::loops::{Loop, Mounted, format, image, world};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;

/// The first sectors of an NTFS, as far as blkid looks.
fn ntfs(path: &Path) {
    const CLUSTER: u64 = 4096;
    let mut boot = [0u8; 512];
    boot[3..11].copy_from_slice(b"NTFS    ");
    boot[0x0B..0x0D].copy_from_slice(&512u16.to_le_bytes());
    boot[0x0D] = 8; // sectors in a cluster
    boot[0x15] = 0xF8;
    boot[0x28..0x30].copy_from_slice(&(SIZE / 512 - 1).to_le_bytes());
    boot[0x30..0x38].copy_from_slice(&4u64.to_le_bytes()); // the cluster of the MFT
    boot[0x38..0x40].copy_from_slice(&8u64.to_le_bytes()); // and of its mirror
    boot[0x40] = 0xF6; // a record of 2^10 bytes
    boot[0x44] = 1;
    boot[0x1FE..].copy_from_slice(&[0x55, 0xAA]);
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&boot, 0).unwrap();
    // The MFT's records of itself and of the volume.
    file.write_all_at(b"FILE", 4 * CLUSTER).unwrap();
    file.write_all_at(b"FILE", 4 * CLUSTER + 3 * 1024).unwrap();
}

/// The first bytes of a LUKS container.
fn luks(path: &Path) {
    let mut header = [0u8; 592];
    header[..8].copy_from_slice(b"LUKS\xBA\xBE\x00\x01");
    header[168..204].copy_from_slice(b"01234567-89ab-cdef-0123-456789abcdef");
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(&header, 0).unwrap();
}

#[test]
fn what_is_not_for_recording_is_named_left_alone_and_not_changed_by_a_single_byte() {
    let test = "strange::what_is_not_for_recording_is_named_left_alone_and_not_changed_by_a_single_byte";
    let Some(folder) = world(test) else { return };
    let bench = Bench::new(folder);
    let ext4 = |path: &Path, label: &str| format(path, "ext4", label).unwrap();
    let with = |path: &Path, change: &dyn Fn(&Path)| {
        ext4(path, "HOLDFAST");
        let disk = Loop::attach(path).unwrap();
        bench.by_hand(&disk, change);
    };
    let system = |path: &Path| {
        with(path, &|root| {
            fs::create_dir(root.join("etc")).unwrap();
            fs::write(root.join("etc/os-release"), "ID=debian\n").unwrap();
        });
    };
    // As after a power cut: with a journal that a plain read-only mount would replay.
    let crashed_system = |path: &Path| {
        system(path);
        let disk = Loop::attach(path).unwrap();
        let at = Mounted::at(&disk.node(), &bench.folder.join("by-hand"), "rw").unwrap();
        fs::write(at.path().join("etc/late"), "not in its place yet").unwrap();
        File::open(at.path().join("etc")).unwrap().sync_all().unwrap();
        let torn = bench.image("torn.img");
        copy(path, &torn);
        drop((at, disk));
        fs::rename(torn, path).unwrap();
    };
    type Make<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Make<'_>, &str, u64); 7] = [
        ("an NTFS", &ntfs, "filesystem", SIZE),
        ("a LUKS container", &luks, "encrypted", SIZE),
        ("a swap", &|path| format(path, "swap", "HOLDFAST").unwrap(), "system", SIZE),
        ("nothing at all", &|_| (), "blank", SIZE),
        ("one that is too small", &|path| ext4(path, "HOLDFAST"), "too_small", 32 << 20),
        ("a system with our label", &system, "system", SIZE),
        ("one whose journal is not replayed yet", &crashed_system, "system", SIZE),
    ];
    for (case, make, reason, size) in cases {
        let path = bench.image("disk.img");
        image(&path, size).unwrap();
        make(&path);
        let before = fs::read(&path).unwrap();
        let disk = Loop::attach(&path).unwrap();
        let answer = bench.plug(&disk);
        assert_eq!(answer.code, Some(0), "{case}: {}", answer.said);
        assert!(answer.said.contains("is left alone: "), "{case}: {}", answer.said);
        // A loop device without our label is nobody's business; a person who asks for it is answered.
        let asked = bench.helper(&["adopt", disk.node().to_str().unwrap()]);
        assert_eq!(asked.code, Some(1), "{case}: adopted: {}", asked.said);
        assert!(asked.said.contains("is left alone: "), "{case}: {}", asked.said);
        assert_eq!(bench.outcome(&disk)["left_alone"]["reason"], reason, "{case}: {}", asked.said);
        assert!(bench.is_unmounted(), "{case}");
        drop(disk);
        assert!(fs::read(&path).unwrap() == before, "{case}: the disk was written to");
        fs::remove_file(path).unwrap();
    }
    // Nobody marked it: it is passed over, and no report says a word of it.
    let disk = bench.disk("photos.img", "PHOTOS");
    let answer = bench.plug(&disk);
    assert_eq!(answer.code, Some(0));
    assert!(answer.said.contains("give its filesystem the label HOLDFAST"), "{}", answer.said);
    assert_eq!(bench.report(&disk), None);
}

#[test]
fn a_link_on_a_disk_leads_nowhere() {
    let Some(folder) = world("strange::a_link_on_a_disk_leads_nowhere") else { return };
    let bench = Bench::new(folder);
    let victim = bench.folder.join("victim");
    for (case, prepare) in [
        (
            "in place of what is written before the marker",
            &(|root: &Path| {
                fs::create_dir(root.join("holdfast")).unwrap();
                symlink(bench.folder.join("victim"), root.join("holdfast/volume.tmp")).unwrap();
            }) as &dyn Fn(&Path),
        ),
        ("in place of the marker", &|root| {
            fs::create_dir(root.join("holdfast")).unwrap();
            symlink(bench.folder.join("victim"), root.join("holdfast/volume")).unwrap();
        }),
        ("in place of all", &|root| symlink(&bench.folder, root.join("holdfast")).unwrap()),
    ] {
        fs::write(&victim, "whole").unwrap();
        let (owner, entries) =
            (victim.metadata().unwrap().uid(), fs::read_dir(&bench.folder).unwrap().count());
        let disk = bench.disk("link.img", "HOLDFAST");
        bench.by_hand(&disk, prepare);
        bench.plug(&disk);
        assert_eq!(fs::read(&victim).unwrap(), b"whole", "{case}: written through");
        assert_eq!(victim.metadata().unwrap().uid(), owner, "{case}: given away");
        bench.helper(&["unmount", "--lazy", &disk.name()]);
        drop(disk);
        fs::remove_file(bench.image("link.img")).unwrap();
        let now = fs::read_dir(&bench.folder).unwrap();
        let names: Vec<_> = now.map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.len() <= entries + 2, "{case}: something was made: {names:?}");
        assert!(!bench.folder.join("volume").exists() && !bench.folder.join("ledger").exists(), "{case}");
    }
}
