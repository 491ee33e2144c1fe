//! A volume: opening, faults, retries, and the end in good order.

mod world;

use holdfast_core::event::{CameraEvent, Event, Failure, Fault, VolumeEvent};
use holdfast_core::settings::TransportChoice;
use world::{World, settings};

fn without_cameras(volumes: u8) -> World {
    let mut world = World::started(settings(0, volumes, TransportChoice::Auto));
    world.expect_of("vol", &(0..volumes).map(|v| format!("0.0 vol{v} Open")).collect::<Vec<_>>().each());
    world
}

trait Each {
    fn each(&self) -> Vec<&str>;
}

impl Each for Vec<String> {
    fn each(&self) -> Vec<&str> {
        self.iter().map(String::as_str).collect()
    }
}

#[test]
fn a_volume_that_fails_is_tried_again_after_2_4_8_16_and_each_30_seconds() {
    let mut world = without_cameras(1);
    for wait in [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] {
        world.forget();
        let due = world.secs() + wait;
        world.fault(0, Fault::Missing);
        world.expect_of(
            "faulted until",
            &[&format!("{:.1} vol0 is faulted until {due:.1}: Missing", due - wait)],
        );
        world.at(due - 0.1);
        world.expect_of("Open", &[]);
        world.at(due);
        world.expect(&[&format!("{due:.1} vol0 Open")]);
    }
}

#[test]
fn only_half_a_minute_of_service_makes_the_waits_short_again() {
    for (case, service, wait) in [("29 s do not", 29.0, 4.0), ("30 s do", 30.0, 2.0)] {
        let mut world = without_cameras(1);
        world.fault(0, Fault::Again);
        world.at(2.0);
        world.volume(0, VolumeEvent::Ready);
        world.at(2.0 + service);
        world.forget();
        world.fault(0, Fault::Io);
        let (at, until) = (2.0 + service, 2.0 + service + wait);
        let lines = world.lines();
        assert_eq!(lines[0], format!("{at:.1} vol0 is faulted until {until:.1}: Io"), "{case}");
    }
}

#[test]
fn an_opening_that_hangs_is_abandoned_after_a_minute_and_tried_again() {
    let mut world = without_cameras(1);
    world.at(59.9);
    world.expect_of("vol0", &[]);
    world.at(60.0);
    world.expect_of("vol0", &["60.0 vol0 Abandon", "60.0 vol0 is faulted until 62.0: Stuck"]);
    world.volume(0, VolumeEvent::Ready);
    world.expect(&[]);
    world.at(62.0);
    world.expect(&["62.0 vol0 Open"]);
}

#[test]
fn a_fault_in_use_is_told_to_the_ledger_once_it_takes_data_again() {
    let mut world = without_cameras(1);
    world.volume(0, VolumeEvent::Ready);
    world.at(5.0);
    world.fault(0, Fault::Io);
    world.at(7.0);
    world.fault(0, Fault::Missing);
    world.at(11.0);
    world.forget();
    world.volume(0, VolumeEvent::Ready);
    world.expect_of("ledger", &["11.0 ledger0: faulted 5.0 Io"]);
}

#[test]
fn an_end_that_nobody_asked_for_is_a_fault() {
    let mut world = without_cameras(1);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.volume(0, VolumeEvent::Closed);
    world.expect_of("vol0", &["0.0 vol0 is faulted until 2.0: Other(0)"]);
}

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
    world.expect(&["2.0 finished"]);
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
    world.expect(&["8.0 finished"]);
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
        "18.0 alarm VolumeFaulted(VolumeIndex(0)) Unacknowledged x1 Volume(Stuck)",
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
