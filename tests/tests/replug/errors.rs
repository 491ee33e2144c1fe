//! Disks that fail before they go, or instead of going.

use crate::LARGE_RING;
use crate::set::{self, Set};
use holdfast_tests::faultfs::{Call, Fault};
use holdfast_tests::loops::{run, world};
use rustix::io::Errno;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a disk answers whose cable or controller fails.
fn bad_blocks() -> Fault {
    Fault::fails(Errno::IO).on(&[Call::Write, Call::Sync])
}

#[test]
fn a_filesystem_that_the_kernel_turned_read_only_is_checked_and_mounted_again_without_a_person() {
    let test = "a_filesystem_that_the_kernel_turned_read_only_is_checked_and_mounted_again_without_a_person";
    let Some(folder) = world(&format!("errors::{test}")) else { return };
    let cameras = set::cameras(2);
    let mut disk = set::disk(&folder, "a", "HOLDFAST");
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    disk.plug().unwrap();
    set.device.start().unwrap();
    let volume = set.first_volume();
    set.expect_footage(&volume, &Default::default());
    set.film(Duration::from_secs(1));
    let known = set.device.footage(&volume, &cameras);

    // What the kernel does by itself when it finds the filesystem damaged.
    let place = set.device.volumes().join(&volume);
    let _ = run("mount", [Path::new("-o"), Path::new("remount,abort"), &place]);
    let ended = Instant::now();
    set.expect_footage(&volume, &known);
    println!("{test}: recording after {} ms", ended.elapsed().as_millis());
    assert_eq!(set.device.mounted(), std::slice::from_ref(&volume));
    set.film(Duration::from_secs(2));
    let stopped = set.stop();
    set.expect_no_reconnect();
    set.expect_all_frames(&[&volume], stopped);
    let log = set.device.log();
    assert!(log.contains("to be checked and mounted again"), "{log}");
    let report = set.coverage(&volume);
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

#[test]
fn a_disk_that_fails_before_it_is_pulled_is_used_again_when_it_returns() {
    let test = "a_disk_that_fails_before_it_is_pulled_is_used_again_when_it_returns";
    let Some(folder) = world(&format!("errors::{test}")) else { return };
    let cameras = set::cameras(2);
    let mut disk = set::disk(&folder, "a", "HOLDFAST");
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    disk.plug().unwrap();
    set.device.start().unwrap();
    let volume = set.first_volume();
    set.expect_footage(&volume, &Default::default());
    let mut delays = Vec::new();
    // From the first error on until it is noticed, while it is being taken down, and long after.
    for failing in [300, 2_500, 7_000] {
        set.film(Duration::from_secs(1));
        let known = set.device.footage(&volume, &cameras);
        let fault = disk.inject(Fault::fails(Errno::IO)).unwrap();
        set.film(Duration::from_millis(failing));
        disk.snatch().unwrap();
        fault.end();
        set.expect_nothing_mounted(failing);
        set.film(Duration::from_millis(500));
        let plugged = Instant::now();
        disk.plug().unwrap();
        set.expect_footage(&volume, &known);
        delays.push(plugged.elapsed().as_millis());
    }
    println!("{test}: recording {delays:?} ms after it returned");
    set.film(Duration::from_secs(2));
    let stopped = set.stop();
    set.expect_no_reconnect();
    set.expect_all_frames(&[&volume], stopped);
}

#[test]
fn what_a_disk_failed_to_write_is_not_taken_for_durable_since_the_kernel_remembers_it() {
    let test = "what_a_disk_failed_to_write_is_not_taken_for_durable_since_the_kernel_remembers_it";
    let Some(folder) = world(&format!("errors::{test}")) else { return };
    let cameras = set::cameras(2);
    let mut disk = set::disk(&folder, "a", "HOLDFAST");
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    disk.plug().unwrap();
    set.device.start().unwrap();
    let volume = set.first_volume();
    set.expect_footage(&volume, &Default::default());
    for failing in [1_100, 2_300, 4_100] {
        set.film(Duration::from_millis(2_500));
        let known = set.device.footage(&volume, &cameras);
        let fault = disk.inject(bad_blocks()).unwrap();
        set.film(Duration::from_millis(failing));
        fault.end();
        set.expect_footage(&volume, &known);
        set.film(Duration::from_millis(2_500));
        // What only the kernel remembered goes with it.
        let known = set.device.footage(&volume, &cameras);
        disk.pull().unwrap();
        set.expect_nothing_mounted(failing);
        disk.plug().unwrap();
        set.expect_footage(&volume, &known);
    }
    set.film(Duration::from_secs(2));
    let stopped = set.stop();
    let errors = set.device.log().matches("cannot be used: input/output error").count();
    assert!(errors > 0, "nothing failed, so nothing was proved: {}", set.device.log());
    set.expect_no_reconnect();
    set.expect_all_frames(&[&volume], stopped);
    let report = set.coverage(&volume);
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}
