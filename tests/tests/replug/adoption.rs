//! Which disks are used, which are refused and named, what a person does about it, and the second one that takes over.

use crate::LARGE_RING;
use crate::set::{self, PATIENCE, Set};
use holdfast_tests::disk::Disk;
use holdfast_tests::loops::{format, run, world};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;

fn node(disk: &Disk) -> String {
    disk.node().expect("it is plugged in").display().to_string()
}

impl Set<'_> {
    /// Waits until `volume list` names the disk as not used with these words and an alarm tells of it; and while it is so, it is
    /// not mounted.
    fn expect_not_used(&self, disk: &Disk, alarm: &str, words: &str) {
        let name = disk.name().expect("it is plugged in");
        let listed = |set: &Set| {
            let status = set.device.status();
            let left = status["left_alone"].as_array().cloned().unwrap_or_default();
            left.iter().any(|one| {
                one["disk"].as_str().is_some_and(|disk| disk.starts_with(&name))
                    && one["reason"].as_str().is_some_and(|reason| reason.contains(words))
            })
        };
        assert!(
            self.until(listed),
            "{name} is not named: {:#}\n{}",
            self.device.status(),
            self.device.story()
        );
        let named = |text: &str| text.lines().any(|line| line.starts_with(&name) && line.contains(words));
        let list = self.device.ask(&["volume", "list"]).unwrap();
        let unused = list.out.split_once("not used:").map_or("", |(_, unused)| unused);
        assert!(list.code == Some(0) && named(unused), "{}", list.out);
        let json: Value =
            serde_json::from_str(&self.device.ask(&["volume", "list", "--json"]).unwrap().out).unwrap();
        assert!(json["left_alone"].as_array().is_some_and(|left| !left.is_empty()), "{json:#}");
        let alarm = format!("disk {name} ({alarm}");
        assert!(self.alarm(&alarm), "no alarm \"{alarm}\": {:?}", self.alarms());
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!table.contains(&format!("/dev/{name} ")), "it is mounted all the same:\n{table}");
    }

    /// Waits until no disk is named as not used, and no alarm of one is left.
    fn expect_no_bystander(&self) {
        let nobody = |set: &Set| {
            let status = set.device.status();
            status["left_alone"].as_array().is_some_and(Vec::is_empty)
                && !set.alarms().iter().any(|alarm| alarm.starts_with("disk "))
        };
        assert!(self.until(nobody), "{:#}\n{}", self.device.status(), self.device.story());
    }

    /// Waits until the recorder has a volume in this state. Its id.
    fn volume_on(&self, disk: &Disk, state: &str) -> String {
        let name = disk.name().expect("it is plugged in");
        let mut id = String::new();
        let is_so = self.until(|set| {
            let status = set.device.status();
            let volumes = status["volumes"].as_array().cloned().unwrap_or_default();
            let found = volumes.iter().find(|one| one["device"] == name.as_str() && one["state"] == state);
            id = found.and_then(|one| one["id"].as_str()).unwrap_or_default().to_owned();
            found.is_some()
        });
        assert!(is_so, "{name} is not {state}: {:#}\n{}", self.device.status(), self.device.story());
        id
    }

    /// Waits until footage goes to this volume.
    fn expect_target(&self, volume: &str, patience: Duration) {
        let takes = || {
            let status = self.device.status();
            let volumes = status["volumes"].as_array().cloned().unwrap_or_default();
            volumes.iter().any(|one| one["id"] == volume && one["recording"] == true)
        };
        assert!(
            holdfast_tests::wait_until(patience, takes),
            "footage does not go to {volume}: {:#}\n{}",
            self.device.status(),
            self.device.story()
        );
    }

    /// What `holdfast volume adopt` says, which succeeds.
    fn adopt(&self, arguments: &[&str]) -> String {
        let arguments: Vec<&str> = ["adopt"].into_iter().chain(arguments.iter().copied()).collect();
        let said = self.device.help(&arguments).unwrap();
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        said.out + &said.err
    }
}

#[test]
fn a_labelled_disk_is_adopted_and_any_other_only_at_a_persons_wish() {
    let test = "a_labelled_disk_is_adopted_and_any_other_only_at_a_persons_wish";
    let Some(folder) = world(&format!("adoption::{test}")) else { return };
    let cameras = set::cameras(1);
    let mut fresh = set::disk(&folder, "fresh", "HOLDFAST");
    let mut photos = set::disk(&folder, "photos", "PHOTOS");
    let mut strange = Disk::new(&folder.join("strange"), 80 << 20, "ext2", "HOLDFAST").unwrap();
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    set.device.start().unwrap();

    fresh.plug().unwrap();
    let first = set.first_volume();
    set.expect_footage(&first, &Default::default());
    assert_eq!(set.volume_on(&fresh, "ready"), first);
    set.expect_no_bystander();

    // Somebody meant it for recording, but Holdfast does not write to what is on it.
    strange.plug().unwrap();
    set.expect_not_used(&strange, "ext2, HOLDFAST) is not used", "does not write to its filesystem");
    strange.pull().unwrap();
    set.expect_no_bystander();

    // A loop device without the label is passed over in silence, where a disk of flesh and blood would be named.
    photos.plug().unwrap();
    set.device.settle().unwrap();
    assert_eq!(set.device.mounted(), std::slice::from_ref(&first));
    set.adopt(&[&node(&photos)]);
    let second = set.volume_on(&photos, "ready");
    assert_ne!(first, second);

    // It is as good as the first.
    fresh.pull().unwrap();
    set.expect_footage(&second, &Default::default());
    set.film(Duration::from_secs(1));
    set.stop();
    set.expect_connections(1);
}

#[test]
fn a_disk_that_is_formatted_as_the_alarm_asks_while_it_is_plugged_in_is_used() {
    let test = "a_disk_that_is_formatted_as_the_alarm_asks_while_it_is_plugged_in_is_used";
    let Some(folder) = world(&format!("adoption::{test}")) else { return };
    let cameras = set::cameras(1);
    let mut strange = Disk::new(&folder.join("strange"), 80 << 20, "ext2", "HOLDFAST").unwrap();
    let mut photos = set::disk(&folder, "photos", "PHOTOS");
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    set.device.start().unwrap();
    strange.plug().unwrap();
    set.expect_not_used(&strange, "ext2, HOLDFAST) is not used", "does not write to its filesystem");
    format(&strange.node().unwrap(), "ext4", "HOLDFAST").unwrap();
    let first = set.first_volume();
    set.expect_footage(&first, &Default::default());
    set.expect_no_bystander();

    // One that nobody marked is given the label by hand.
    photos.plug().unwrap();
    set.device.settle().unwrap();
    assert_eq!(set.device.mounted(), std::slice::from_ref(&first));
    run("e2label", [photos.node().unwrap().as_path(), Path::new("HOLDFAST")]).unwrap();
    let second = set.volume_on(&photos, "ready");
    assert_ne!(first, second);

    // What was ejected stays so, whoever looks at it.
    let ejected = set.device.ask(&["volume", "eject", &second]).unwrap();
    assert_eq!(ejected.code, Some(0), "{}{}", ejected.out, ejected.err);
    run("udevadm", ["trigger", "--action=change", "--settle", &node(&photos)]).unwrap();
    let requests = set.device.volumes().with_file_name("requests");
    let is_done = || fs::read_dir(&requests).unwrap().next().is_none();
    assert!(set.until(|_| is_done()), "the request is not answered");
    assert_eq!(set.device.mounted(), std::slice::from_ref(&first));
    set.stop();
    set.expect_connections(1);
}

#[test]
fn a_disk_of_another_device_is_refused_until_it_is_taken_over() {
    let test = "a_disk_of_another_device_is_refused_until_it_is_taken_over";
    let Some(folder) = world(&format!("adoption::{test}")) else { return };
    let cameras = set::cameras(1);
    // Without the label, so that nobody takes it while it is made another device's.
    let mut disk = set::disk(&folder, "a", "OTHER");
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    let (other, runtime) = (folder.join("other.toml"), folder.join("other"));
    fs::write(&other, "[device]\nname = \"bus-7\"\n").unwrap();
    fs::create_dir(&runtime).unwrap();
    disk.plug().unwrap();
    let elsewhere = |arguments: &[&str]| {
        let more = ["--config", other.to_str().unwrap(), "--runtime", runtime.to_str().unwrap()];
        let arguments = ["volume"].iter().chain(arguments).chain(&more);
        run(holdfast_tests::recorder::binary().unwrap().to_str().unwrap(), arguments).unwrap();
    };
    // At once: udevd may not have come to it yet.
    elsewhere(&["adopt", &node(&disk)]);
    elsewhere(&["unmount", &node(&disk)]);
    disk.pull().unwrap();
    run("e2label", [disk.image().as_path(), Path::new("HOLDFAST")]).unwrap();

    set.device.start().unwrap();
    disk.plug().unwrap();
    set.expect_not_used(&disk, "ext4, HOLDFAST) cannot be used", "adopted by another device: \"bus-7\"");
    assert!(set.device.mounted().is_empty() && set.device.mount_points().is_empty());

    let said = set.adopt(&[&node(&disk)]);
    assert!(said.contains("was taken over from \"bus-7\""), "{said}");
    let volume = set.first_volume();
    set.expect_footage(&volume, &Default::default());
    set.expect_no_bystander();
    set.film(Duration::from_secs(1));
    let known = set.device.footage(&volume, &cameras);
    // From now on it is one of this device's.
    disk.pull().unwrap();
    set.expect_nothing_mounted(1);
    disk.plug().unwrap();
    set.expect_footage(&volume, &known);
    let stopped = set.stop();
    set.expect_connections(1);
    set.expect_all_frames(&[&volume], stopped);
}

#[test]
fn a_copy_beside_its_original_is_refused_until_it_has_an_identity_of_its_own() {
    let test = "a_copy_beside_its_original_is_refused_until_it_has_an_identity_of_its_own";
    let Some(folder) = world(&format!("adoption::{test}")) else { return };
    let cameras = set::cameras(1);
    let mut original = set::disk(&folder, "original", "HOLDFAST");
    let mut copy: Option<Disk> = None;
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    set.device.start().unwrap();
    original.plug().unwrap();
    let volume = set.first_volume();
    set.expect_footage(&volume, &Default::default());
    set.eject(&volume);
    original.pull().unwrap();
    let copy = copy.insert(original.copy(&folder.join("copy")).unwrap());
    original.plug().unwrap();
    set.expect_target(&volume, PATIENCE);

    copy.plug().unwrap();
    set.expect_not_used(copy, "ext4, HOLDFAST) cannot be used", "one of the two is a copy");
    assert_eq!(set.device.mounted(), std::slice::from_ref(&volume));
    set.adopt(&["--new-identity", &node(copy)]);
    let second = set.volume_on(copy, "ready");
    assert_ne!(second, volume);
    set.expect_no_bystander();
    // Each is itself, also after both went and came.
    original.pull().unwrap();
    copy.pull().unwrap();
    set.expect_nothing_mounted(1);
    copy.plug().unwrap();
    original.plug().unwrap();
    assert_eq!(set.volume_on(copy, "ready"), second);
    assert_eq!(set.volume_on(&original, "ready"), volume);
    set.stop();
    set.expect_connections(1);
    for volume in [&volume, &second] {
        let report = set.coverage(volume);
        assert!(report.problems.is_empty(), "{volume}: {:?}", report.problems);
    }
}

#[test]
fn the_second_disk_takes_over_from_the_first_frame_held_and_gives_back_when_the_first_has_proved_itself() {
    let test = "the_second_disk_takes_over_from_the_first_frame_held_and_gives_back_when_the_first_has_proved_itself";
    let Some(folder) = world(&format!("adoption::{test}")) else { return };
    let cameras = set::cameras(4);
    let mut first = set::disk(&folder, "first", "HOLDFAST");
    let mut second = set::disk(&folder, "second", "HOLDFAST");
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    set.device.start().unwrap();
    first.plug().unwrap();
    let preferred = set.first_volume();
    set.expect_footage(&preferred, &Default::default());
    second.plug().unwrap();
    let reserve = set.volume_on(&second, "ready");
    set.film(Duration::from_secs(2));
    assert!(set.device.footage(&reserve, &cameras).is_empty(), "the reserve is written to");

    first.pull().unwrap();
    set.expect_footage(&reserve, &Default::default());
    set.expect_target(&reserve, PATIENCE);
    set.film(Duration::from_secs(2));
    first.plug().unwrap();
    assert_eq!(set.volume_on(&first, "ready"), preferred);
    let known = set.device.footage(&preferred, &cameras);
    // A loose plug must not cut footage to pieces: it has to be there for half a minute first.
    set.film(Duration::from_secs(10));
    set.expect_target(&reserve, Duration::ZERO);
    set.expect_target(&preferred, PATIENCE + PATIENCE);
    set.expect_footage(&preferred, &known);
    set.film(Duration::from_secs(1));
    let stopped = set.stop();
    set.expect_connections(1);
    set.expect_all_frames(&[&preferred, &reserve], stopped);
    for (volume, name) in [(&preferred, "the first"), (&reserve, "the second")] {
        for camera in set.coverage(volume).cameras {
            let causes: Vec<&str> = camera.gaps.iter().map(|gap| gap.cause.as_str()).collect();
            assert!(
                causes.iter().all(|cause| ["starting", "on-another-volume"].contains(cause)),
                "{name}, {}: {:?}",
                camera.camera,
                camera.gaps
            );
        }
    }
}
