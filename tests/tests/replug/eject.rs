//! Disks that a person takes out in good order, and a recorder that begins with a disk in place.

use crate::LARGE_RING;
use crate::set::{self, RESUMED, Set};
use holdfast_tests::disk::Disk;
use holdfast_tests::loops::{Pulled, run, world};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

impl Set<'_> {
    /// `holdfast volume eject`, as a person does it, with all that it promises.
    pub fn eject(&self, volume: &str) {
        let said = self.device.ask(&["volume", "eject", &volume[..8]]).unwrap();
        let story = || format!("{}{}\n{}", said.out, said.err, self.device.story());
        assert_eq!(said.code, Some(0), "{}", story());
        assert!(said.out.contains("safe to remove"), "{}", story());
        assert!(!self.device.mounted().iter().any(|there| there == volume), "{}", story());
        // The helper removes the mount point after the mount that tells the recorder.
        assert!(
            self.until(|set| !set.device.mount_points().iter().any(|there| there == volume)),
            "{}",
            story()
        );
        let status = self.device.status();
        assert_eq!(status["volumes"][0]["state"], "safe-to-remove", "{status:#}");
    }
}

/// The last record of the ledger on a disk that is not plugged in, read without mounting it.
fn last_record(disk: &Disk, folder: &Path) -> String {
    let at = folder.join("read");
    fs::create_dir(&at).unwrap();
    let request = format!("rdump /holdfast {}", at.display());
    run("debugfs", [Path::new("-R"), Path::new(&request), &disk.image()]).unwrap();
    let mut last = String::new();
    holdfast::ledger::read_all(&at, |record| last = format!("{record:?}")).unwrap();
    fs::remove_dir_all(&at).unwrap();
    last
}

#[test]
fn an_ejected_disk_can_be_pulled_and_is_used_again_when_it_returns_or_at_a_persons_wish() {
    let test = "an_ejected_disk_can_be_pulled_and_is_used_again_when_it_returns_or_at_a_persons_wish";
    let Some(folder) = world(&format!("eject::{test}")) else { return };
    let cameras = set::cameras(2);
    let mut disk = set::disk(&folder, "a", "HOLDFAST");
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    disk.plug().unwrap();
    set.device.start().unwrap();
    let volume = set.first_volume();
    set.expect_footage(&volume, &Default::default());
    set.film(Duration::from_secs(1));

    let known = set.device.footage(&volume, &cameras);
    set.eject(&volume);
    assert!(set.alarm("is safe to remove"), "{:?}", set.alarms());
    assert_eq!(disk.pull().unwrap(), Some(Pulled::Really), "somebody still used it");
    let last = last_record(&disk, &folder);
    assert!(last.starts_with("Ok(SessionEnded"), "its ledger was not closed: {last}");
    set.film(Duration::from_secs(1));
    let plugged = Instant::now();
    disk.plug().unwrap();
    set.expect_footage(&volume, &known);
    println!("{test}: recording {} ms after it was plugged in", plugged.elapsed().as_millis());
    assert!(set.until(|set| !set.alarms().iter().any(|alarm| alarm.contains("safe to remove"))));

    // The same without taking it out.
    let known = set.device.footage(&volume, &cameras);
    set.eject(&volume);
    set.film(Duration::from_secs(1));
    let said = set.device.ask(&["volume", "use", &volume[..8]]).unwrap();
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    set.expect_footage(&volume, &known);

    set.film(Duration::from_secs(1));
    let stopped = set.stop();
    set.expect_no_reconnect();
    set.expect_all_frames(&[&volume], stopped);
    assert!(!set.device.log().contains("not been closed in good order"), "{}", set.device.log());
    let units = set.device.units();
    assert!(units.iter().all(|unit| unit.ends_with("exit status: 0")), "{units:?}");
}

#[test]
fn a_recorder_goes_on_at_once_with_the_disk_that_is_still_mounted() {
    let test = "a_recorder_goes_on_at_once_with_the_disk_that_is_still_mounted";
    let Some(folder) = world(&format!("eject::{test}")) else { return };
    let cameras = set::cameras(2);
    let mut disk = set::disk(&folder, "a", "HOLDFAST");
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    disk.plug().unwrap();
    set.device.start().unwrap();
    let volume = set.first_volume();
    set.expect_footage(&volume, &Default::default());
    set.film(Duration::from_secs(1));
    for how in ["killed", "stopped"] {
        let known = set.device.footage(&volume, &cameras);
        match how {
            "killed" => set.device.kill(),
            _ => set.device.stop().unwrap(),
        }
        assert_eq!(set.device.mounted(), std::slice::from_ref(&volume), "{how}: it is not mounted any more");
        let started = Instant::now();
        set.device.start().unwrap();
        set.expect_footage(&volume, &known);
        println!("{test}: {how}: recording {} ms after its start", started.elapsed().as_millis());
        assert!(started.elapsed() <= RESUMED, "{how}");
        set.film(Duration::from_secs(1));
    }
    set.stop();
    set.expect_connections(3);
    let mut units = set.device.units();
    units.dedup();
    assert_eq!(units.len(), 1, "its disk was touched: {units:?}");
    for camera in set.coverage(&volume).cameras {
        let mut causes: Vec<&str> = camera.gaps.iter().map(|gap| gap.cause.as_str()).collect();
        causes.retain(|cause| *cause != "starting");
        assert_eq!(causes, ["crashed", "stopped"], "{}: {:?}", camera.camera, camera.gaps);
    }
}

#[test]
fn a_disk_on_which_somebody_reads_can_be_ejected_and_one_to_which_somebody_writes_cannot() {
    let test = "a_disk_on_which_somebody_reads_can_be_ejected_and_one_to_which_somebody_writes_cannot";
    let Some(folder) = world(&format!("eject::{test}")) else { return };
    let cameras = set::cameras(1);
    let mut disk = set::disk(&folder, "a", "HOLDFAST");
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    disk.plug().unwrap();
    set.device.start().unwrap();
    let volume = set.first_volume();
    set.expect_footage(&volume, &Default::default());
    let home = set.device.volumes().join(&volume).join("holdfast");

    // Somebody looks at footage.
    let reader = File::open(home.join("volume")).unwrap();
    let known = set.device.footage(&volume, &cameras);
    set.eject(&volume);
    let writer = OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    let refused = writer.map(drop).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::ReadOnlyFilesystem), "it can still be written to");
    drop(reader);
    disk.pull().unwrap();
    disk.plug().unwrap();
    set.expect_footage(&volume, &known);

    // Somebody copies something to it: it stays, and is recorded to again.
    let known = set.device.footage(&volume, &cameras);
    let mut foreign = File::create(home.join("foreign")).unwrap();
    foreign.write_all(b"still in memory").unwrap();
    let said = set.device.ask(&["volume", "eject", &volume[..8]]).unwrap();
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(!said.out.contains("safe to remove"), "{}", said.out);
    drop(foreign);
    set.expect_footage(&volume, &known);
    let stopped = set.stop();
    set.expect_no_reconnect();
    set.expect_all_frames(&[&volume], stopped);
}
