//! Adoption, the lock and identity, on real directories.

use super::adopt::{Ground, Wish, adopt};
use super::*;
use crate::ledger::read_all;
use holdfast_wire::ids::Id128;
use holdfast_wire::ledger::Record;
use std::fs;
use tempfile::tempdir;

fn adoption(id: u8) -> Adoption {
    let device = Name::new("van-12").unwrap();
    Adoption { id: Id128([id; 16]), device, formerly: Vec::new(), at: Wall::from_secs(1) }
}

fn directory(path: &Path) -> Place {
    Place::Directory { path: path.to_owned() }
}

fn open(root: &Path, id: u8) -> Result<Volume, VolumeError> {
    Volume::open(&directory(root), &adoption(id), Knowledge::Unknown)
}

fn fault<T: std::fmt::Debug>(result: Result<T, VolumeError>) -> Fault {
    result.unwrap_err().fault
}

#[test]
fn a_new_directory_is_adopted_and_known_again_under_another_name() {
    let place = tempdir().unwrap();
    let (old, new) = (place.path().join("sda"), place.path().join("sdb"));
    fs::create_dir(&old).unwrap();
    let volume = open(&old, 1).unwrap();
    assert_eq!(volume.id(), Id128([1; 16]));
    assert_eq!(volume.marker().now.adopted_by.as_str(), "van-12");
    drop(volume);
    fs::rename(&old, &new).unwrap();
    assert_eq!(open(&new, 2).unwrap().id(), Id128([1; 16]));
    assert!(!layout::home(&new).join("volume.tmp").exists());
}

#[test]
fn a_root_that_is_not_there_is_missing_and_stays_so() {
    let place = tempdir().unwrap();
    let root = place.path().join("unmounted");
    assert_eq!(fault(open(&root, 1)), Fault::Missing);
    assert!(!root.exists());
    fs::write(&root, "a file").unwrap();
    assert_eq!(fault(open(&root, 1)), Fault::Missing);
}

#[test]
fn a_second_recorder_is_refused_until_the_first_lets_go() {
    let place = tempdir().unwrap();
    let first = open(place.path(), 1).unwrap();
    let error = open(place.path(), 1).unwrap_err();
    assert_eq!(error.fault, Fault::InUse);
    assert!(error.to_string().ends_with("in use by another recorder: stop that recorder first"), "{error}");
    assert!(is_in_use(place.path()));
    drop(first);
    assert!(!is_in_use(place.path()));
    open(place.path(), 1).unwrap();
}

#[test]
fn a_volume_that_vanishes_or_is_exchanged_is_found_before_a_file_is_written() {
    let place = tempdir().unwrap();
    let volume = open(place.path(), 1).unwrap();
    volume.check().unwrap();
    let home = layout::home(place.path());
    fs::rename(&home, place.path().join("away")).unwrap();
    assert_eq!(fault(volume.check()), Fault::Missing);
    fs::create_dir(&home).unwrap();
    assert_eq!(fault(volume.check()), Fault::WrongIdentity);
    fs::remove_dir(&home).unwrap();
    std::os::unix::fs::symlink(place.path().join("away"), &home).unwrap();
    assert_eq!(fault(volume.check()), Fault::WrongIdentity, "a link to it is not it");
    fs::remove_file(&home).unwrap();
    fs::rename(place.path().join("away"), &home).unwrap();
    volume.check().unwrap();
}

#[test]
fn a_marker_that_was_cut_off_at_adoption_is_written_anew() {
    for (case, content) in [("empty", &[][..]), ("all zero", &[0; 64][..])] {
        let place = tempdir().unwrap();
        fs::create_dir(layout::home(place.path())).unwrap();
        fs::write(layout::marker(place.path()), content).unwrap();
        assert_eq!(open(place.path(), 3).unwrap().id(), Id128([3; 16]), "{case}");
        assert_eq!(read_marker(place.path()).unwrap().unwrap().now.id, Id128([3; 16]), "{case}");
    }
}

#[test]
fn a_damaged_marker_is_refused_with_advice_and_left_alone() {
    let place = tempdir().unwrap();
    drop(open(place.path(), 1).unwrap());
    let path = layout::marker(place.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[5] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = open(place.path(), 2).unwrap_err();
    assert_eq!(error.fault, Fault::Damaged);
    assert!(error.to_string().contains("holdfast ledger rebuild"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn where_a_volume_was_in_use_no_empty_folder_is_adopted_in_its_place() {
    let place = tempdir().unwrap();
    let (root, away) = (place.path().join("disk"), place.path().join("away"));
    fs::create_dir(&root).unwrap();
    drop(open(&root, 1).unwrap());
    let again = || Volume::open(&directory(&root), &adoption(2), Knowledge::WasInUse);
    fs::rename(&root, &away).unwrap();
    assert_eq!(fault(again()), Fault::Missing);
    fs::create_dir(&root).unwrap();
    assert_eq!(fault(again()), Fault::WrongIdentity);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "something was made in the wrong place");
    fs::remove_dir(&root).unwrap();
    fs::rename(&away, &root).unwrap();
    assert_eq!(again().unwrap().id(), Id128([1; 16]));
}

#[test]
fn where_a_disk_has_to_be_mounted_and_none_is_nothing_is_made() {
    let place = tempdir().unwrap();
    let path = place.path().to_owned();
    for (case, wanted) in [
        ("a mount point of the configuration", Place::MountPoint { path: path.clone() }),
        ("a disk that the helper mounted", Place::Disk { path: path.clone(), id: Id128([1; 16]) }),
    ] {
        for knowledge in [Knowledge::Unknown, Knowledge::WasInUse] {
            let opened = Volume::open(&wanted, &adoption(1), knowledge);
            assert_eq!(fault(opened), Fault::NotMounted, "{case}");
        }
    }
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "something was made on the system's disk");
}

#[test]
fn a_marker_that_changes_under_an_open_volume_is_found_before_a_file_is_written() {
    let place = tempdir().unwrap();
    let volume = open(place.path(), 1).unwrap();
    let path = layout::marker(place.path());
    let whole = fs::read(&path).unwrap();
    for (case, content) in [
        ("gone", None),
        ("cut off", Some(vec![0; 40])),
        ("of another volume", {
            let other = tempdir().unwrap();
            drop(open(other.path(), 2).unwrap());
            Some(fs::read(layout::marker(other.path())).unwrap())
        }),
    ] {
        match content {
            None => fs::remove_file(&path).unwrap(),
            Some(content) => fs::write(&path, content).unwrap(),
        }
        assert_eq!(fault(volume.check()), Fault::WrongIdentity, "{case}");
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(fault(volume.check()), Fault::Damaged, "damaged");
    fs::write(&path, &whole).unwrap();
    volume.check().unwrap();
}

fn as_device(name: &str, formerly: &[&str], id: u8) -> Adoption {
    let names = formerly.iter().map(|name| Name::new(name).unwrap());
    Adoption { device: Name::new(name).unwrap(), formerly: names.collect(), ..adoption(id) }
}

#[test]
fn another_devices_volume_is_used_only_after_it_was_taken_over_and_its_ledger_says_so() {
    let place = tempdir().unwrap();
    drop(open(place.path(), 1).unwrap());
    let open_as = |who: &Adoption| Volume::open(&directory(place.path()), who, Knowledge::Unknown);
    let other = as_device("van-13", &[], 2);
    let error = open_as(&other).unwrap_err();
    assert_eq!(error.fault, Fault::Foreign);
    assert!(error.to_string().contains("holdfast volume adopt"), "{error}");
    assert_eq!(
        open_as(&as_device("van-13", &["van-12"], 2)).unwrap().id(),
        Id128([1; 16]),
        "its former name"
    );
    let adopted = adopt(place.path(), Ground::Directory, &other, Wish::Keep).unwrap();
    assert_eq!(adopted.taken_from.as_ref().map(Name::as_str), Some("van-12"));
    assert_eq!((adopted.id, adopted.fresh, adopted.renewed_from), (Id128([1; 16]), false, None));
    assert_eq!(open_as(&other).unwrap().id(), Id128([1; 16]));
    assert_eq!(fault(open(place.path(), 3)), Fault::Foreign, "the former owner is a stranger now");
    assert!(adopt(place.path(), Ground::Directory, &other, Wish::Keep).unwrap().is_unchanged());
    let device = |name| Name::new(name).unwrap();
    let (from, by) = (device("van-12"), device("van-13"));
    assert_eq!(ledger(place.path()), [Record::TakenOver { at: other.at, from, by }]);
}

#[test]
fn a_new_identity_is_given_at_a_wish_and_the_former_ones_are_remembered() {
    let place = tempdir().unwrap();
    drop(open(place.path(), 1).unwrap());
    for id in 2..=6 {
        let adopted = adopt(place.path(), Ground::Directory, &adoption(id), Wish::NewIdentity).unwrap();
        assert_eq!((adopted.id, adopted.renewed_from), (Id128([id; 16]), Some(Id128([id - 1; 16]))));
    }
    let volume = open(place.path(), 9).unwrap();
    assert_eq!(volume.id(), Id128([6; 16]));
    // Four are kept: the very first one is forgotten.
    assert_eq!(volume.marker().formerly, [2, 3, 4, 5].map(|id| Id128([id; 16])));
    let renewed =
        |id| Record::Renewed { at: adoption(0).at, before: Id128([id - 1; 16]), now: Id128([id; 16]) };
    assert_eq!(ledger(place.path()), [2, 3, 4, 5, 6].map(renewed));
    let held = adopt(place.path(), Ground::Directory, &adoption(7), Wish::NewIdentity);
    assert_eq!(fault(held), Fault::InUse, "a recorder holds it");
}

fn ledger(root: &Path) -> Vec<Record> {
    let mut records = Vec::new();
    read_all(root, |entry| records.push(entry.unwrap())).unwrap();
    records
}

/// Not asserted: the machine may be busy. `cargo test -- --ignored --nocapture check_is_cheap` measures it.
#[test]
#[ignore = "a measurement"]
fn check_is_cheap() {
    let place = tempdir().unwrap();
    let volume = open(place.path(), 1).unwrap();
    let began = std::time::Instant::now();
    (0..10_000).for_each(|_| volume.check().unwrap());
    println!("{:.1} µs for each check", began.elapsed().as_secs_f64() * 1e6 / 10_000.0);
}

/// Runs a story in a thread with mounts of its own; left out, and said, where HOLDFAST_NO_MOUNT is set.
fn with_mounts(story: fn()) {
    if std::env::var_os("HOLDFAST_NO_MOUNT").is_some() {
        return eprintln!("NOT TESTED: a story with mounts, since HOLDFAST_NO_MOUNT is set");
    }
    use rustix::mount::{MountPropagationFlags, mount_change};
    use rustix::thread::{UnshareFlags, unshare_unsafe};
    let thread = std::thread::spawn(move || {
        // SAFETY: a mount namespace and the working directory become this thread's own; memory and descriptors stay shared.
        let unshared = unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS) };
        unshared.expect(
            "mounting takes root: run as root, or set HOLDFAST_NO_MOUNT=1 to leave this out on purpose",
        );
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        story();
    });
    thread.join().unwrap();
}

/// A tmpfs stands for a disk: another filesystem, with a UUID of its own where the kernel gives it one.
fn plug(at: &Path) {
    rustix::mount::mount("disk", at, "tmpfs", rustix::mount::MountFlags::empty(), None).unwrap();
}

fn pull(at: &Path) {
    rustix::mount::unmount(at, rustix::mount::UnmountFlags::DETACH).unwrap();
}

#[test]
fn a_mounted_disk_is_used_and_its_loss_is_found_before_a_file_is_written() {
    with_mounts(|| {
        let place = tempdir().unwrap();
        let path = place.path().to_owned();
        let mount_point = Place::MountPoint { path: path.clone() };
        plug(&path);
        let volume = Volume::open(&mount_point, &adoption(1), Knowledge::Unknown).unwrap();
        volume.check().unwrap();
        let known = identity::filesystem_uuid(volume.lock.home(), volume.lock.device());
        assert_eq!(volume.marker().now.filesystem_uuid.as_str(), known.as_deref().unwrap_or_default());

        // As the helper's, too: the right one, and not another.
        drop(volume);
        let disk = |id| Place::Disk { path: path.clone(), id: Id128([id; 16]) };
        assert_eq!(fault(Volume::open(&disk(2), &adoption(3), Knowledge::Unknown)), Fault::WrongIdentity);
        let volume = Volume::open(&disk(1), &adoption(3), Knowledge::WasInUse).unwrap();

        // The recorder still holds the old one; what lies at the path is the system's.
        pull(&path);
        assert_eq!(fault(volume.check()), Fault::Missing);
        fs::create_dir(layout::home(&path)).unwrap();
        assert_eq!(fault(volume.check()), Fault::WrongIdentity);
        fs::remove_dir(layout::home(&path)).unwrap();
        for place in [&mount_point, &disk(1)] {
            assert_eq!(fault(Volume::open(place, &adoption(4), Knowledge::WasInUse)), Fault::NotMounted);
        }
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "something was made on the system's disk");

        // Another disk: a mount point of the configuration takes it, the helper's path does not.
        plug(&path);
        assert_eq!(fault(volume.check()), Fault::Missing);
        assert_eq!(fault(Volume::open(&disk(1), &adoption(5), Knowledge::WasInUse)), Fault::Damaged);
        assert_eq!(
            fs::read_dir(&path).unwrap().count(),
            0,
            "something was made on a disk that is not the one"
        );
        let other = Volume::open(&mount_point, &adoption(5), Knowledge::WasInUse).unwrap();
        assert_eq!(other.id(), Id128([5; 16]));
        assert_eq!(volume.identity().relation(&other.identity()), identity::Relation::Different);
    });
}

#[test]
fn a_marker_that_was_copied_to_another_filesystem_is_found_at_opening_and_in_use() {
    with_mounts(|| {
        let place = tempdir().unwrap();
        let (one, two) = (place.path().join("one"), place.path().join("two"));
        for path in [&one, &two] {
            fs::create_dir(path).unwrap();
            plug(path);
        }
        let at = |path: &Path| Place::MountPoint { path: path.to_owned() };
        let volume = Volume::open(&at(&one), &adoption(1), Knowledge::Unknown).unwrap();
        if volume.marker().now.filesystem_uuid.is_empty() {
            return eprintln!("NOT TESTED: copied markers, since this kernel tells no UUID of a tmpfs");
        }
        let copied = fs::read(layout::marker(&one)).unwrap();
        let other = Volume::open(&at(&two), &adoption(2), Knowledge::Unknown).unwrap();
        fs::write(layout::marker(&two), &copied).unwrap();
        assert_eq!(fault(other.check()), Fault::WrongIdentity, "in use: another id");
        drop(other);
        assert_eq!(fault(Volume::open(&at(&two), &adoption(3), Knowledge::Unknown)), Fault::Copied);

        let ground = Ground::Filesystem { told_uuid: None };
        let adopted = adopt(&two, ground, &adoption(4), Wish::Keep).unwrap();
        assert_eq!((adopted.id, adopted.renewed_from), (Id128([4; 16]), Some(Id128([1; 16]))));
        let other = Volume::open(&at(&two), &adoption(5), Knowledge::Unknown).unwrap();
        assert_eq!(other.marker().formerly, [Id128([1; 16])]);
        assert_eq!(volume.identity().relation(&other.identity()), identity::Relation::Different);
    });
}
