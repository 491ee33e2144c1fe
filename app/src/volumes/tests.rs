//! Adoption, the lock and identity, on real directories.

use super::*;
use holdfast_wire::ids::Id128;
use tempfile::tempdir;

fn adoption(id: u8) -> Adoption {
    Adoption { id: Id128([id; 16]), device: Name::new("van-12").unwrap(), at: Wall::from_secs(1) }
}

fn open(root: &Path, id: u8) -> Result<Volume, VolumeError> {
    Volume::open(root, &adoption(id), Knowledge::Unknown)
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
    assert_eq!(volume.marker().adopted_by.as_str(), "van-12");
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
        assert_eq!(read_marker(place.path()).unwrap().unwrap().id, Id128([3; 16]), "{case}");
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
    let again = || Volume::open(&root, &adoption(2), Knowledge::WasInUse);
    fs::rename(&root, &away).unwrap();
    assert_eq!(fault(again()), Fault::Missing);
    fs::create_dir(&root).unwrap();
    assert_eq!(fault(again()), Fault::WrongIdentity);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "something was made in the wrong place");
    fs::remove_dir(&root).unwrap();
    fs::rename(&away, &root).unwrap();
    assert_eq!(again().unwrap().id(), Id128([1; 16]));
}
