//! The helper on real disks: what it mounts and how, what it leaves alone, what it refuses, and that nothing stays behind.
//! ext4 alone: the kernel that these tests meet may have no exFAT, F2FS and FAT (the tables of both are tested in the program).

mod bench;
mod strange;

use bench::{Bench, GROUP, USER, copy, mounts_below, recorder_can_write};
use holdfast_tests::loops::{Loop, Mounted, run, world};
use holdfast_tests::wait_until;
use serde_json::Value;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::Duration;

/// Longest that anything is waited for that ought to happen in a moment.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_disk_with_our_label_is_adopted_and_mounted_safely_for_the_recorder_alone() {
    let test = "a_disk_with_our_label_is_adopted_and_mounted_safely_for_the_recorder_alone";
    let Some(folder) = world(test) else { return };
    let bench = Bench::new(folder);
    let disk = bench.disk("a.img", "HOLDFAST");
    let volume = bench.mounts(&disk);
    let path = bench.path_of(&volume);
    let report = bench.report(&disk).unwrap();
    assert_eq!(report["outcome"]["mounted"]["path"], path.to_str().unwrap());
    assert_eq!((&report["outcome"]["mounted"]["adopted"], &report["check"]), (&true.into(), &"clean".into()));

    let [line] = &mounts_below(&bench.run_folder())[..] else { panic!("not one mount") };
    let options: Vec<&str> = line.split(' ').nth(5).unwrap().split(',').collect();
    for option in ["rw", "nosuid", "nodev", "noexec", "noatime", "nosymfollow"] {
        assert!(options.contains(&option), "{option} is not set: {line}");
    }
    assert!(line.contains("errors=remount-ro"), "{line}");

    let home = path.join("holdfast");
    assert_eq!((home.metadata().unwrap().uid(), home.metadata().unwrap().gid()), (USER, GROUP));
    assert!(recorder_can_write(&home.join("a")), "the recorder cannot write to its volume");
    assert!(!recorder_can_write(&path.join("b")), "it can write beside its volume");

    // Again, as a change event brings it: nothing changes.
    assert_eq!(bench.mounts(&disk), volume);
    assert_eq!(mounts_below(&bench.run_folder()), std::slice::from_ref(line));

    // Under another name it is the same.
    assert_eq!(bench.helper(&["unmount", &disk.name()]).code, Some(0));
    let (first, image) = (disk.name(), disk.image().to_owned());
    drop(disk);
    let mut disk = Loop::attach(&image).unwrap();
    let mut taken = None;
    if disk.name() == first {
        taken = Some(std::mem::replace(&mut disk, Loop::attach(&image).unwrap()));
    }
    assert_ne!(disk.name(), first, "the test gave it no other name");
    assert_eq!(bench.mounts(&disk), volume);
    drop(taken);
}

#[test]
fn where_no_disk_is_mounted_any_more_the_recorder_cannot_write() {
    let Some(folder) = world("where_no_disk_is_mounted_any_more_the_recorder_cannot_write") else { return };
    let bench = Bench::new(folder);
    let disk = bench.disk("a.img", "HOLDFAST");
    let volume = bench.mounts(&disk);
    let path = bench.path_of(&volume);
    // Behind the helper's back: the mount point stays, and is root's.
    run("umount", [&path]).unwrap();
    assert!(path.is_dir());
    assert!(!recorder_can_write(&path.join("a")), "it could fill the system's disk");
    assert_eq!(bench.helper(&["unmount", &volume]).code, Some(0));
    assert!(bench.is_unmounted());
}

#[test]
fn a_copy_of_a_disk_is_refused_beside_it_taken_alone_and_used_with_an_identity_of_its_own() {
    let test = "a_copy_of_a_disk_is_refused_beside_it_taken_alone_and_used_with_an_identity_of_its_own";
    let Some(folder) = world(test) else { return };
    let bench = Bench::new(folder);
    let disk = bench.disk("a.img", "HOLDFAST");
    let volume = bench.mounts(&disk);
    assert_eq!(bench.helper(&["unmount", &volume]).code, Some(0));
    copy(disk.image(), &bench.image("copy.img"));
    let twin = Loop::attach(&bench.image("copy.img")).unwrap();

    assert_eq!(bench.mounts(&disk), volume);
    let refused = bench.plug(&twin);
    assert_eq!(refused.code, Some(1), "{}", refused.said);
    assert!(refused.said.contains("one of the two is a copy"), "{}", refused.said);
    assert!(refused.said.contains("--new-identity"), "no advice: {}", refused.said);
    assert_eq!(bench.outcome(&twin)["refused"]["fault"], "Duplicate");
    assert_eq!(mounts_below(&bench.run_folder()).len(), 1);

    // Alone it is the volume; then the original is the copy.
    assert_eq!(bench.helper(&["unmount", &volume]).code, Some(0));
    assert_eq!(bench.mounts(&twin), volume);
    assert_eq!(bench.plug(&disk).code, Some(1));

    let node = disk.node();
    let adopted = bench.helper(&["adopt", "--new-identity", node.to_str().unwrap()]);
    assert_eq!(adopted.code, Some(0), "{}", adopted.said);
    let other = bench.mounts(&disk);
    assert_ne!(other, volume);
    assert_eq!(mounts_below(&bench.run_folder()).len(), 2);
    let ledger = bench.path_of(&other).join("holdfast/ledger");
    assert!(fs::read_dir(ledger).is_ok_and(|files| files.count() == 1), "its ledger says nothing of it");
    assert!(recorder_can_write(&bench.path_of(&other).join("holdfast/ledger/2026-01")));
}

#[test]
fn another_devices_disk_is_refused_until_it_is_taken_over() {
    let Some(folder) = world("another_devices_disk_is_refused_until_it_is_taken_over") else { return };
    let bench = Bench::new(folder);
    let disk = bench.disk("a.img", "HOLDFAST");
    let volume = bench.mounts(&disk);
    assert_eq!(bench.helper(&["unmount", &volume]).code, Some(0));
    bench.call("van-13");
    let refused = bench.plug(&disk);
    assert_eq!(refused.code, Some(1));
    assert!(refused.said.contains("adopted by another device: \"van-12\""), "{}", refused.said);
    assert_eq!(bench.outcome(&disk)["refused"], serde_json::json!({"volume": volume, "fault": "Foreign"}));
    assert!(bench.is_unmounted());
    let adopted = bench.helper(&["adopt", disk.node().to_str().unwrap()]);
    assert_eq!(adopted.code, Some(0), "{}", adopted.said);
    assert!(adopted.said.contains("was taken over from \"van-12\""), "{}", adopted.said);
    assert_eq!(bench.mounts(&disk), volume, "it is still the same volume");
    assert_eq!(bench.helper(&["unmount", &volume]).code, Some(0));
    bench.call("van-12");
    assert_eq!(bench.plug(&disk).code, Some(1), "the former owner still uses it");
    // Renamed, and said so: its own.
    let configuration = "[device]\nname = \"bus-1\"\nformerly = [\"van-13\"]\n";
    fs::write(bench.folder.join("holdfast.toml"), configuration).unwrap();
    assert_eq!(bench.mounts(&disk), volume);
}

#[test]
fn files_that_were_copied_to_another_filesystem_are_no_volume_until_adopted() {
    let test = "files_that_were_copied_to_another_filesystem_are_no_volume_until_adopted";
    let Some(folder) = world(test) else { return };
    let bench = Bench::new(folder);
    let disk = bench.disk("a.img", "HOLDFAST");
    let volume = bench.mounts(&disk);
    let other = bench.disk("b.img", "HOLDFAST");
    let home = bench.path_of(&volume).join("holdfast");
    bench.by_hand(&other, |root| run("cp", [Path::new("-a"), &home, root]).unwrap());
    assert_eq!(bench.plug(&other).code, Some(1));
    assert_eq!(bench.outcome(&other)["refused"]["fault"], "Copied");
    let adopted = bench.helper(&["adopt", other.node().to_str().unwrap()]);
    assert_eq!(adopted.code, Some(0), "{}", adopted.said);
    assert_ne!(bench.mounts(&other), volume, "two volumes with one identity");

    // The same with a UUID that was changed on purpose.
    assert_eq!(bench.helper(&["unmount", &volume]).code, Some(0));
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    run("e2fsck", [Path::new("-fy"), &disk.node()]).unwrap();
    run("tune2fs", [Path::new("-U"), Path::new(uuid), &disk.node()]).unwrap();
    assert_eq!(bench.plug(&disk).code, Some(1));
    assert_eq!(bench.outcome(&disk)["refused"]["fault"], "Copied");
}

#[test]
fn a_damaged_filesystem_is_mended_before_it_is_mounted_or_left_unmounted() {
    let test = "a_damaged_filesystem_is_mended_before_it_is_mounted_or_left_unmounted";
    let Some(folder) = world(test) else { return };
    let bench = Bench::new(folder);
    let debugfs = |disk: &Loop, request: &str| {
        run("debugfs", ["-w", "-R", request, disk.node().to_str().unwrap()]).unwrap();
    };
    let disk = bench.disk("a.img", "HOLDFAST");
    let volume = bench.mounts(&disk);
    assert_eq!(bench.helper(&["unmount", &volume]).code, Some(0));
    // As the kernel marks one on which it met an error, with a wrong count of what is free.
    debugfs(&disk, "ssv free_blocks_count 7");
    debugfs(&disk, "ssv state 2");
    let answer = bench.plug(&disk);
    assert_eq!(answer.said.matches("is mended").count(), 1, "{}", answer.said);
    let report = bench.report(&disk).unwrap();
    assert_eq!(
        (&report["check"], &report["outcome"]["mounted"]["volume"]),
        (&"mended".into(), &volume.as_str().into())
    );
    assert!(report["text"].as_str().unwrap().contains("is mended"), "{report:#}");

    // The same when the recorder asks for it.
    let requests = bench.run_folder().join("requests");
    fs::create_dir(&requests).unwrap();
    let ask = || {
        fs::write(requests.join(format!("mount-{volume}")), "").unwrap();
        bench.helper(&["unmount", "--requested"])
    };
    assert_eq!(bench.helper(&["unmount", &volume]).code, Some(0));
    debugfs(&disk, "ssv free_blocks_count 7");
    debugfs(&disk, "ssv state 2");
    let answer = ask();
    assert_eq!((answer.code, answer.said.matches("is mended").count()), (Some(0), 1), "{}", answer.said);

    assert_eq!(bench.helper(&["unmount", &volume]).code, Some(0));
    debugfs(&disk, "clri <2>");
    debugfs(&disk, "ssv state 2");
    let answer = bench.plug(&disk);
    assert_eq!(answer.code, Some(1), "{}", answer.said);
    let report = bench.report(&disk).unwrap();
    assert_eq!(
        (&report["check"], &report["outcome"]["failed"]["fault"]),
        (&"left_damaged".into(), &"Damaged".into())
    );
    // It is still known by its id, though nothing on it can be read any more.
    assert_eq!(report["outcome"]["failed"]["volume"], volume.as_str());
    for _ in 0..2 {
        let answer = ask();
        assert_eq!(answer.said.matches("have it checked by hand").count(), 1, "{}", answer.said);
    }
    assert!(bench.is_unmounted(), "it is mounted, damaged as it is");
}

#[test]
fn unmounting_waits_for_nobody_takes_nothing_else_and_leaves_no_directory() {
    let test = "unmounting_waits_for_nobody_takes_nothing_else_and_leaves_no_directory";
    let Some(folder) = world(test) else { return };
    let bench = Bench::new(folder);
    let disk = bench.disk("a.img", "HOLDFAST");
    let node = disk.node();
    let volume = bench.mounts(&disk);
    let path = bench.path_of(&volume);
    for named in [volume.as_str(), node.to_str().unwrap(), &disk.name(), path.to_str().unwrap()] {
        assert_eq!(bench.mounts(&disk), volume);
        let answer = bench.helper(&["unmount", named]);
        assert_eq!(answer.code, Some(0), "{named}: {}", answer.said);
        assert!(bench.is_unmounted(), "{named}: something is left");
        assert_eq!(bench.outcome(&disk)["unmounted"]["volume"], volume, "{named}");
        let again = bench.helper(&["unmount", named]);
        assert_eq!((again.code, again.said.as_str()), (Some(0), "nothing was mounted\n"), "{named}");
    }
    bench.mounts(&disk);
    let open = File::create(path.join("holdfast/open")).unwrap();
    let refused = bench.helper(&["unmount", &volume]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.said.contains("files on it are open"), "{}", refused.said);
    assert_eq!(mounts_below(&bench.run_folder()).len(), 1);
    assert_eq!(bench.helper(&["unmount", "--lazy", &volume]).code, Some(0));
    assert!(bench.is_unmounted());
    drop(open);

    let elsewhere = Mounted::at(&node, &bench.folder.join("elsewhere"), "rw").unwrap();
    for named in [elsewhere.path().to_str().unwrap(), node.to_str().unwrap(), "/"] {
        bench.helper(&["unmount", "--lazy", named]);
        assert_eq!(mounts_below(elsewhere.path()).len(), 1, "{named}: it unmounted what is not ours");
    }
}

#[test]
fn a_disk_that_was_pulled_leaves_no_mount_and_no_report_and_a_stale_mount_is_replaced() {
    let test = "a_disk_that_was_pulled_leaves_no_mount_and_no_report_and_a_stale_mount_is_replaced";
    let Some(folder) = world(test) else { return };
    let bench = Bench::new(folder);
    let disk = bench.disk("a.img", "HOLDFAST");
    let volume = bench.mounts(&disk);
    let open = File::create(bench.path_of(&volume).join("holdfast/open")).unwrap();
    let (name, image) = (disk.name(), disk.image().to_owned());
    // In use: the device stays until its last user is gone; udev and systemd are told that it went.
    let (_, kept) = disk.pull().unwrap();
    assert_eq!(bench.helper(&["unmount", "--lazy", &name]).code, Some(0));
    assert!(bench.is_unmounted());
    drop((open, kept));
    assert_eq!(bench.helper(&["unmount", "--lazy", &name]).code, Some(0));
    assert!(
        !bench.run_folder().join("disks").join(name + ".json").exists(),
        "the report of a disk that is gone"
    );

    // Something without a disk behind it in the place of the volume: what is left of one that vanished.
    let stale = Mounted::at(Path::new("tmpfs"), &bench.path_of(&volume), "rw").err();
    assert!(stale.is_some(), "tmpfs is no device");
    run("mount", [Path::new("-t"), Path::new("tmpfs"), Path::new("gone"), &bench.path_of(&volume)]).unwrap();
    let disk = Loop::attach(&image).unwrap();
    assert_eq!(bench.mounts(&disk), volume);
    let [line] = &mounts_below(&bench.run_folder())[..] else { panic!("the stale mount is still there") };
    assert!(line.contains(" - ext4 "), "{line}");
}

#[test]
fn a_disk_that_nobody_marked_is_used_at_a_persons_wish_with_all_that_is_on_it() {
    let test = "a_disk_that_nobody_marked_is_used_at_a_persons_wish_with_all_that_is_on_it";
    let Some(folder) = world(test) else { return };
    let bench = Bench::new(folder);
    let disk = bench.disk("a.img", "PHOTOS");
    bench.by_hand(&disk, |root| fs::write(root.join("cat.jpg"), "meow").unwrap());
    let adopted = bench.helper(&["adopt", disk.node().to_str().unwrap()]);
    assert_eq!(adopted.code, Some(0), "{}", adopted.said);
    let volume = bench.outcome(&disk)["mounted"]["volume"].as_str().unwrap().to_owned();
    assert_eq!(fs::read(bench.path_of(&volume).join("cat.jpg")).unwrap(), b"meow");
    assert!(recorder_can_write(&bench.path_of(&volume).join("holdfast/a")));
    let again = bench.helper(&["adopt", disk.node().to_str().unwrap()]);
    assert_eq!(again.code, Some(0), "{}", again.said);
    assert_eq!(mounts_below(&bench.run_folder()).len(), 1, "it was mounted twice");

    let directory = bench.folder.join("directory");
    fs::create_dir(&directory).unwrap();
    let adopted = bench.helper(&["adopt", directory.to_str().unwrap()]);
    assert_eq!(adopted.code, Some(0), "{}", adopted.said);
    assert_eq!(directory.join("holdfast/volume").metadata().unwrap().uid(), USER);
}

#[test]
fn while_it_is_not_known_who_this_device_is_nothing_is_adopted_and_what_is_known_is_mounted() {
    let test = "while_it_is_not_known_who_this_device_is_nothing_is_adopted_and_what_is_known_is_mounted";
    let Some(folder) = world(test) else { return };
    let bench = Bench::new(folder);
    let (known, new) = (bench.disk("a.img", "HOLDFAST"), bench.disk("b.img", "HOLDFAST"));
    let volume = bench.mounts(&known);
    assert_eq!(bench.helper(&["unmount", &volume]).code, Some(0));
    fs::write(bench.folder.join("holdfast.toml"), "[device]\nname = \"Not A Name\"\n").unwrap();
    assert_eq!(bench.mounts(&known), volume);
    let refused = bench.plug(&new);
    assert_eq!(refused.code, Some(1));
    assert!(refused.said.contains("holdfast.toml:2"), "it does not say what is wrong: {}", refused.said);
    bench.call("van-12");
    assert_ne!(bench.mounts(&new), volume);
    bench.helper(&["unmount", &bench.mounts(&new)]);
    bench.by_hand(&new, |root| assert!(root.join("holdfast/volume").exists()));
}

#[test]
fn what_the_recorder_requests_is_done_and_nothing_else() {
    let Some(folder) = world("what_the_recorder_requests_is_done_and_nothing_else") else { return };
    let bench = Bench::new(folder);
    let disk = bench.disk("a.img", "HOLDFAST");
    let volume = bench.mounts(&disk);
    let requests = bench.run_folder().join("requests");
    fs::create_dir(&requests).unwrap();
    let victim = bench.folder.join("victim");
    fs::write(&victim, "whole").unwrap();
    let leave = |name: &str| fs::write(requests.join(name), "").unwrap();
    let are_done = || fs::read_dir(&requests).unwrap().count() == 0;

    leave(&format!("unmount-{volume}"));
    symlink(&victim, requests.join("unmount-x")).unwrap();
    leave("unmount-..");
    fs::create_dir(requests.join("mount-")).unwrap();
    let answer = bench.helper(&["unmount", "--requested"]);
    assert_eq!(answer.code, Some(0), "{}", answer.said);
    assert!(are_done() && bench.is_unmounted());
    assert_eq!(fs::read(&victim).unwrap(), b"whole");

    leave(&format!("mount-{volume}"));
    assert_eq!(bench.helper(&["unmount", "--requested"]).code, Some(0));
    assert!(are_done() && bench.path_of(&volume).join("holdfast").exists());

    // Both at once: unmounted, checked, mounted.
    leave(&format!("mount-{volume}"));
    leave(&format!("unmount-{volume}"));
    assert_eq!(bench.helper(&["unmount", "--requested"]).code, Some(0));
    assert_eq!(mounts_below(&bench.run_folder()).len(), 1);

    // One that fails is said, and not tried for ever.
    leave(&format!("mount-{}", "0".repeat(32)));
    let open = File::create(bench.path_of(&volume).join("holdfast/open")).unwrap();
    leave(&format!("unmount-{volume}"));
    let answer = bench.helper(&["unmount", "--requested"]);
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.said.contains("files on it are open") && answer.said.contains("no disk that is there"),
        "{}",
        answer.said
    );
    assert!(are_done());
    drop(open);

    // Who only reads does not keep it, and nobody can write any more.
    let read = File::open(bench.path_of(&volume).join("holdfast/open")).unwrap();
    assert_eq!(
        bench.helper(&["unmount", &volume]).code,
        Some(1),
        "a person did not say that it may be taken"
    );
    leave(&format!("unmount-{volume}"));
    let answer = bench.helper(&["unmount", "--requested"]);
    assert_eq!(answer.code, Some(0), "{}", answer.said);
    assert!(are_done() && bench.is_unmounted());
    let written = fs::OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", read.as_raw_fd()));
    assert_eq!(written.unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
}

#[test]
fn a_mount_that_takes_long_makes_no_unmount_of_another_disk_late_and_is_done_again_if_its_helper_is_killed() {
    let test = "a_mount_that_takes_long_makes_no_unmount_of_another_disk_late_and_is_done_again_if_its_helper_is_killed";
    let Some(folder) = world(test) else { return };
    let bench = Bench::new(folder);
    let (slow, other) = (bench.disk("slow.img", "HOLDFAST"), bench.disk("other.img", "HOLDFAST"));
    let (slow_volume, volume) = (bench.mounts(&slow), bench.mounts(&other));
    assert_eq!(bench.helper(&["unmount", &slow_volume]).code, Some(0));
    let requests = bench.run_folder().join("requests");
    fs::create_dir(&requests).unwrap();
    let leave = |name: String| fs::write(requests.join(name), "").unwrap();
    let asked =
        || fs::read_dir(&requests).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();

    // As a check of minutes has it.
    let lock = File::open(bench.run_folder().join(format!("locks/disk-{}", slow.name()))).unwrap();
    lock.lock().unwrap();
    leave(format!("mount-{slow_volume}"));
    let mut helper = bench.command(&["unmount", "--requested"]).spawn().unwrap();
    let taken = format!("taken-mount-{slow_volume}");
    assert!(wait_until(PATIENCE, || asked() == [taken.as_str()]), "{:?}", asked());
    leave(format!("unmount-{volume}"));
    // What is about the slow one itself waits for it.
    leave(format!("unmount-{slow_volume}"));
    let is_unmounted = || !bench.path_of(&volume).exists() && asked().len() == 2;
    let answered = wait_until(PATIENCE, is_unmounted);
    let still_runs = helper.try_wait().unwrap().is_none();
    helper.kill().unwrap();
    helper.wait().unwrap();
    assert!(answered && still_runs, "{:?}", asked());
    assert!(bench.is_unmounted());

    fs::remove_file(requests.join(format!("unmount-{slow_volume}"))).unwrap();
    drop(lock);
    let answer = bench.helper(&["unmount", "--requested"]);
    assert_eq!((answer.code, asked().len()), (Some(0), 0), "{}", answer.said);
    assert!(bench.path_of(&slow_volume).join("holdfast").exists(), "it is not done again");
}

#[test]
fn a_mount_of_a_medium_that_was_exchanged_under_the_same_name_is_replaced() {
    let test = "a_mount_of_a_medium_that_was_exchanged_under_the_same_name_is_replaced";
    let Some(folder) = world(test) else { return };
    let bench = Bench::new(folder);
    let disk = bench.disk("a.img", "HOLDFAST");
    let volume = bench.mounts(&disk);
    let mount =
        || mounts_below(&bench.run_folder()).first().map(|line| line.split(' ').next().unwrap().to_owned());
    // What a card reader leaves: the same name and number, and a mount of the card that is gone. The kernel's count says so.
    let path = bench.run_folder().join("disks").join(disk.name() + ".json");
    let mut report = bench.report(&disk).unwrap();
    let sequence = report["sequence"].as_u64().expect("this kernel counts no media (Linux 5.15)");
    let before = mount();
    assert_eq!((bench.mounts(&disk), mount()), (volume.clone(), before), "the same medium");
    report["sequence"] = (sequence - 1).into();
    fs::write(&path, report.to_string()).unwrap();
    let open = File::create(bench.path_of(&volume).join("holdfast/open")).unwrap();
    let before = mounts_below(&bench.run_folder());
    assert_eq!(bench.mounts(&disk), volume);
    assert_eq!(mounts_below(&bench.run_folder()).len(), before.len());
    assert_eq!(
        bench.report(&disk).unwrap()["check"],
        "unchecked",
        "it was not mounted anew: {}",
        before.join("\n")
    );
    drop(open);
}

#[test]
fn a_disk_without_smart_is_asked_and_said_to_say_nothing() {
    let Some(folder) = world("a_disk_without_smart_is_asked_and_said_to_say_nothing") else { return };
    let bench = Bench::new(folder);
    let disk = bench.disk("a.img", "HOLDFAST");
    bench.mounts(&disk);
    let health = bench.run_folder().join("health");
    fs::create_dir(&health).unwrap();
    fs::write(health.join("sdz1.json"), "of a disk that is gone").unwrap();
    let answer = bench.helper(&["health"]);
    assert_eq!(answer.code, Some(0), "{}", answer.said);
    let names: Vec<_> = fs::read_dir(&health).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [disk.name().as_str().to_owned() + ".json"].map(std::ffi::OsString::from));
    let report: Value =
        serde_json::from_slice(&fs::read(health.join(disk.name() + ".json")).unwrap()).unwrap();
    assert_eq!((&report["disk"], &report["health"]), (&disk.name().into(), &Value::Null), "{report:#}");
    // The second time nothing is new, and the journal need not hear of it.
    assert!(answer.said.contains(" info "), "{}", answer.said);
    let again = bench.helper(&["health"]);
    assert!(!again.said.contains(" info ") && again.said.contains(&disk.name()), "{}", again.said);
}

#[test]
fn a_disk_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(folder.path().to_owned());
    let answer = bench.helper(&["mount", "/dev/holdfast-nowhere"]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.said.contains("could not find /dev/holdfast-nowhere: not there"), "{}", answer.said);
}
