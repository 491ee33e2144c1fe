//! The end in good order, from whatever state.

mod world;

use holdfast_core::event::{CameraEvent, Event, Failure, Fault, VolumeEvent};
use holdfast_core::settings::{TransportChoice, VolumeKind};
use world::{World, settings};

#[test]
fn stop_disconnects_then_closes_then_finishes() {
    let mut world = World::recording();
    world.tell(Event::Stop);
    world.expect(&["2.0 cam0 disconnect", "2.0 cam0 is Stopped"]);
    world.tell(Event::Stop);
    world.expect(&[]);
    world.camera(0, CameraEvent::TornDown);
    world.expect(&["2.0 vol0 Close"]);
    world.stored(2.0, 2.4);
    world.volume(0, VolumeEvent::Closed);
    world.expect(&["2.0 vol0 is Closed", "2.0 finished"]);
    assert_eq!(world.core.poll_timeout(), None);
    world.tell(Event::Start);
    world.tell(Event::Stop);
    world.expect(&[]);
}

#[test]
fn a_hole_found_while_closing_is_still_told() {
    let mut world = World::recording();
    world.tell(Event::Stop);
    world.camera(0, CameraEvent::TornDown);
    world.forget();
    world.stored(2.5, 3.0);
    world.expect(&["2.0 ledger0: cam0 gap 2.0..2.5 Lost"]);
}

#[test]
fn a_volume_that_failed_is_not_tried_again_while_cameras_are_let_go() {
    let mut world = World::recording();
    world.fault(0, Fault::Io);
    world.tell(Event::Stop);
    world.forget();
    world.at(8.0);
    world.expect(&["5.0 alarm NothingRecords Unacknowledged x1 None", "8.0 finished"]);
}

#[test]
fn stop_waits_for_nobody_longer_than_sixteen_seconds() {
    let mut world = World::recording();
    world.tell(Event::Stop);
    world.at(7.9);
    world.expect_of("vol0", &[]);
    world.at(8.0);
    world.expect(&["8.0 vol0 Close"]);
    world.at(17.9);
    world.expect(&[]);
    world.at(18.0);
    world.expect(&[
        "18.0 vol0 Abandon",
        "18.0 vol0 is Closed",
        "18.0 alarm Volume(VolumeIndex(0), Stuck) Unacknowledged x1 Volume(Stuck)",
        "18.0 finished",
    ]);
}

#[test]
fn stop_works_from_every_state() {
    type Prepare = fn(&mut World);
    let cases: [(&str, Prepare, &[&str]); 6] = [
        ("before anything answered", |_| {}, &["cam0 disconnect", "vol0 Close"]),
        ("while tearing down", |w| w.fail(Failure::Bye), &["vol0 Close"]),
        (
            "while backing off",
            |w| {
                w.fail(Failure::Unauthorized);
                w.camera(0, CameraEvent::TornDown);
            },
            &["vol0 Close"],
        ),
        ("while waiting for video", World::streaming, &["cam0 disconnect", "vol0 Close"]),
        ("with a faulted volume", |w| w.fault(0, Fault::Missing), &["cam0 disconnect"]),
        (
            "while recording",
            |w| {
                w.volume(0, VolumeEvent::Ready);
                w.record(0.0, 1.0)
            },
            &["cam0 disconnect", "vol0 Close"],
        ),
    ];
    for (case, prepare, expected) in cases {
        let mut world = World::one();
        prepare(&mut world);
        world.forget();
        world.tell(Event::Stop);
        world.camera(0, CameraEvent::TornDown);
        world.volume(0, VolumeEvent::Closed);
        let lines = world.lines();
        let done: Vec<_> = lines.iter().map(|l| l.split_once(' ').expect("a moment").1).collect();
        let commands: Vec<_> = done.iter().filter(|l| expected.contains(*l)).copied().collect();
        assert_eq!(commands, expected, "{case}: {lines:?}");
        assert_eq!(done.last(), Some(&"finished"), "{case}: {lines:?}");
        let forbidden = ["connect ", "Open"];
        assert!(!done.iter().any(|l| forbidden.iter().any(|f| l.contains(f))), "{case}: {lines:?}");
    }
}

#[test]
fn stop_before_start_only_finishes() {
    let mut world = World::silent(settings(2, 2, TransportChoice::Auto));
    world.tell(Event::Tick);
    assert_eq!(world.core.poll_timeout(), None);
    world.tell(Event::Stop);
    world.tell(Event::Start);
    world.expect(&["0.0 finished"]);
}

/// A disk that was ejected while one camera recorded on it, up to some point of the way out.
fn ejecting(until: &[VolumeEvent]) -> World {
    let mut world = World::recording_on(&[VolumeKind::Disk]);
    world.volume(0, VolumeEvent::Eject);
    for event in until {
        world.volume(0, event.clone());
    }
    world.forget();
    world
}

#[test]
fn stop_ends_an_ejection_wherever_it_is() {
    let cases: [(&str, &[VolumeEvent], f64); 4] = [
        ("while it closes", &[], 12.0),
        ("while it is unmounted", &[VolumeEvent::Closed], 2.0),
        ("when it is out", &[VolumeEvent::Closed, VolumeEvent::Unmounted], 2.0),
        ("when it is mounted again", &[VolumeEvent::Closed, VolumeEvent::Unmounted, VolumeEvent::Use], 2.0),
    ];
    for (case, until, end) in cases {
        let mut world = ejecting(until);
        world.tell(Event::Stop);
        world.camera(0, CameraEvent::TornDown);
        world.volume(0, VolumeEvent::Attached);
        world.volume(0, VolumeEvent::Use);
        world.at(20.0);
        let lines = world.lines();
        assert_eq!(lines.last(), Some(&format!("{end:.1} finished")), "{case}: {lines:?}");
        let forbidden = ["Open", "Mount", "Close"];
        assert!(!lines.iter().any(|l| forbidden.iter().any(|f| l.ends_with(f))), "{case}: {lines:?}");
    }
}

#[test]
fn a_disk_that_is_pulled_while_it_closes_is_not_waited_for() {
    let mut world = World::recording_on(&[VolumeKind::Disk]);
    world.tell(Event::Stop);
    world.camera(0, CameraEvent::TornDown);
    world.forget();
    world.volume(0, VolumeEvent::Detached);
    world.expect(&[
        "2.0 vol0 Abandon",
        "2.0 vol0 is Closed",
        "2.0 alarm Volume(VolumeIndex(0), Missing) Unacknowledged x1 Volume(Missing)",
        "2.0 finished",
    ]);
}

#[test]
fn an_empty_place_keeps_nobody_waiting() {
    let mut world = World::started(world::places(&[VolumeKind::Disk]));
    world.tell(Event::Stop);
    world.forget();
    world.camera(0, CameraEvent::TornDown);
    world.expect(&["0.0 finished"]);
}
