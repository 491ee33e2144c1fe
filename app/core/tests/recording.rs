//! Stories of routes: which volume takes the footage, and what the others are told.

mod world;

use holdfast_core::event::{CameraEvent, Failure, Fault, VolumeEvent};
use holdfast_core::settings::{TransportChoice, VolumeKind};
use world::{World, places, settings};

fn two_volumes() -> World {
    let mut world = World::started(settings(1, 2, TransportChoice::Auto));
    world.forget();
    world
}

#[test]
fn the_first_ready_volume_takes_the_footage_and_a_preferred_one_proves_itself_first() {
    let mut world = two_volumes();
    world.volume(1, VolumeEvent::Ready);
    world.expect_of(" to ", &["0.0 cam0 to vol1"]);
    world.at(5.0);
    world.volume(0, VolumeEvent::Ready);
    world.at(34.9);
    world.expect_of(" to ", &[]);
    world.at(35.0);
    world.expect_of(" to ", &["35.0 cam0 to vol0"]);
    world.fault(0, Fault::Io);
    world.expect_of(" to ", &["35.0 cam0 to vol1"]);
    world.fault(1, Fault::Io);
    world.expect_of(" to ", &["35.0 cam0 to nowhere"]);
    world.at(37.0);
    world.volume(0, VolumeEvent::Ready);
    world.expect_of(" to ", &["37.0 cam0 to vol0"]);
}

#[test]
fn a_preferred_volume_that_fails_again_begins_its_proof_anew() {
    let mut world = two_volumes();
    world.volume(1, VolumeEvent::Ready);
    world.volume(0, VolumeEvent::Ready);
    world.at(29.0);
    world.fault(0, Fault::Io);
    world.at(31.0);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.at(60.9);
    world.expect_of(" to ", &[]);
    world.at(61.0);
    world.expect_of(" to ", &["61.0 cam0 to vol0"]);
}

#[test]
fn a_less_preferred_volume_never_takes_over_from_a_ready_one() {
    let mut world = two_volumes();
    world.volume(0, VolumeEvent::Ready);
    world.volume(1, VolumeEvent::Ready);
    world.forget();
    world.at(100.0);
    world.expect_of(" to ", &[]);
}

#[test]
fn a_volume_that_took_over_in_haste_is_kept_though_a_later_one_has_proved_itself() {
    let mut world = World::started(settings(1, 3, TransportChoice::Auto));
    world.volume(1, VolumeEvent::Ready);
    world.volume(2, VolumeEvent::Ready);
    world.at(40.0);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.fault(1, Fault::Io);
    world.at(60.0);
    world.expect_of(" to ", &["40.0 cam0 to vol0"]);
}

#[test]
fn a_disk_that_comes_while_a_camera_is_away_is_not_told_that_its_footage_goes_elsewhere() {
    let mut world = World::started(places(&[VolumeKind::Disk, VolumeKind::Path]));
    world.volume(1, VolumeEvent::Ready);
    world.at(3.0);
    world.streaming();
    world.at(4.0);
    world.received(1);
    world.stored_on(1, 3.0, 4.0);
    world.fail(Failure::Unreachable);
    world.camera(0, CameraEvent::TornDown);
    world.at(10.0);
    world.volume(0, VolumeEvent::Attached);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.at(41.0);
    let back = world.until_connect();
    world.streaming();
    world.at(back + 1.0);
    world.received(1);
    world.stored(back, back + 1.0);
    let lines = world.lines();
    let gaps: Vec<_> = lines.iter().filter(|line| line.contains("gap")).collect();
    assert!(!gaps.is_empty() && gaps.iter().all(|gap| gap.contains("Camera(")), "{gaps:?}");
}

#[test]
fn what_one_volume_after_another_does_not_store_is_not_the_camera_s_fault() {
    let mut world = World::recording_on(&[VolumeKind::Path, VolumeKind::Path]);
    for second in 3..=50u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
        if second == 20 {
            world.fault(0, Fault::TooSlow);
        }
    }
    let lines = world.lines();
    let blamed = lines.iter().find(|line| line.contains("NotStored"));
    assert!(blamed.is_some_and(|line| line.starts_with("50.0 ")), "{blamed:?}");
}
