//! Each fault has its own treatment: when the volume is tried again, what is asked for, which alarm is raised and when.

mod world;

use holdfast_core::alarm::{AlarmKey, AlarmState, Severity};
use holdfast_core::effect::Effect;
use holdfast_core::event::{CameraEvent, Fault, StreamFigures, VolumeEvent};
use holdfast_core::settings::{VolumeIndex, VolumeKind};
use world::World;

/// What is to be seen of a fault that met a volume in use at second 2.
struct Case {
    fault: Fault,
    /// Seconds until a path is opened again.
    path: f64,
    /// What a disk gets, and when.
    disk: Option<(f64, &'static str)>,
    severity: Severity,
    /// Seconds until the alarm.
    alarm: f64,
    /// Whether it is kept until acknowledged.
    latched: bool,
}

const fn case(
    fault: Fault,
    path: f64,
    disk: Option<(f64, &'static str)>,
    severity: Severity,
    alarm: f64,
    latched: bool,
) -> Case {
    Case { fault, path, disk, severity, alarm, latched }
}

const CASES: [Case; 18] = {
    use Severity::{Critical, High, Medium};
    const OPENED: Option<(f64, &str)> = Some((2.0, "Open"));
    const SOON: Option<(f64, &str)> = Some((0.25, "Open"));
    const REMOUNTED: Option<(f64, &str)> = Some((0.0, "Unmount"));
    [
        case(Fault::Other(27), 2.0, OPENED, Critical, 0.0, true),
        case(Fault::Missing, 2.0, OPENED, Critical, 0.0, true),
        case(Fault::NoSpace, 0.25, SOON, Critical, 3.0, true),
        case(Fault::Io, 2.0, OPENED, Critical, 0.0, true),
        case(Fault::ReadOnly, 2.0, REMOUNTED, Critical, 0.0, true),
        case(Fault::Denied, 2.0, OPENED, Critical, 0.0, false),
        case(Fault::Again, 0.25, SOON, High, 3.0, false),
        case(Fault::Quota, 0.25, SOON, Critical, 3.0, true),
        case(Fault::Stale, 0.25, SOON, High, 3.0, false),
        case(Fault::Stuck, 2.0, OPENED, Critical, 0.0, true),
        case(Fault::TooSlow, 2.0, OPENED, High, 0.0, true),
        case(Fault::WrongIdentity, 2.0, OPENED, Critical, 0.0, true),
        case(Fault::InUse, 2.0, OPENED, High, 10.0, false),
        case(Fault::Damaged, 2.0, REMOUNTED, Critical, 0.0, true),
        case(Fault::Foreign, 2.0, None, Medium, 0.0, false),
        case(Fault::Duplicate, 2.0, None, Medium, 0.0, false),
        case(Fault::Copied, 2.0, None, Medium, 0.0, false),
        case(Fault::NotMounted, 2.0, OPENED, Critical, 0.0, true),
    ]
};

fn recording_on(kind: VolumeKind) -> World {
    let mut world = World::recording_on(&[kind]);
    // Proved, so that the first wait is that of the table.
    world.go_on(2.0, 40.0, 2);
    world.forget();
    world
}

/// The first command to the volume from now on, and after how many seconds.
fn next_command(world: &mut World, patience: f64) -> Option<(f64, String)> {
    let from = world.secs();
    loop {
        let found = world.effects().into_iter().map(|effect| world::line(&effect)).find_map(|line| {
            let word = line.strip_prefix("vol0 ")?;
            ["Open", "Unmount", "Mount", "Close"].contains(&word).then(|| word.to_owned())
        });
        if let Some(command) = found {
            return Some(((world.secs() - from).mul_add(100.0, 0.5).floor() / 100.0, command));
        }
        let wake = world.core.poll_timeout().expect("it runs");
        world.until(wake);
        if world.secs() - from > patience {
            return None;
        }
    }
}

#[test]
fn a_path_is_opened_again_as_the_table_says() {
    for Case { fault, path, .. } in CASES {
        let mut world = recording_on(VolumeKind::Path);
        world.fault(0, fault);
        assert_eq!(next_command(&mut world, 60.0), Some((path, "Open".into())), "{fault:?}");
        world.fault(0, fault);
        assert_eq!(next_command(&mut world, 60.0), Some((2.0, "Open".into())), "{fault:?}: then each 2 s");
    }
}

#[test]
fn a_disk_is_opened_remounted_or_left_alone_as_the_table_says() {
    for Case { fault, disk, .. } in CASES {
        let mut world = recording_on(VolumeKind::Disk);
        world.fault(0, fault);
        let expected = disk.map(|(wait, command)| (wait, command.to_owned()));
        assert_eq!(next_command(&mut world, 3600.0), expected, "{fault:?}");
    }
}

#[test]
fn recording_goes_on_within_3_seconds_of_the_end_of_any_fault() {
    // Whenever the fault ends: an opening takes half a second here, and succeeds if the fault is over at its end.
    for Case { fault, disk, .. } in CASES {
        for kind in [VolumeKind::Path, VolumeKind::Disk] {
            if (disk.is_none() || disk.is_some_and(|(_, command)| command == "Unmount"))
                && kind == VolumeKind::Disk
            {
                continue; // told in stories of their own
            }
            for tenth in 1..100 {
                let over = 40.0 + f64::from(tenth) / 10.0;
                let mut world = recording_on(kind);
                world.fault(0, fault);
                loop {
                    next_command(&mut world, 60.0).expect("tried again");
                    let opened = world.secs() + 0.5;
                    world.at(opened);
                    if opened >= over {
                        break;
                    }
                    world.fault(0, fault);
                }
                world.volume(0, VolumeEvent::Ready);
                assert!(world.secs() - over <= 3.0, "{fault:?}, over at {over}: ready at {}", world.secs());
            }
        }
    }
}

#[test]
fn each_fault_has_its_own_alarm_with_its_own_severity_delay_and_latch() {
    for Case { fault, severity, alarm, latched, .. } in CASES {
        let mut world = recording_on(VolumeKind::Path);
        world.fault(0, fault);
        let key = AlarmKey::fault(VolumeIndex(0), fault);
        let (mut raised, mut opening) = (None, false);
        while (raised.is_none() || !opening) && world.secs() < 60.0 {
            for effect in world.effects() {
                opening |= world::line(&effect) == "vol0 Open";
                match effect {
                    Effect::Alarm(notice) if notice.key == key => {
                        raised = Some((notice, world.secs() - 40.0))
                    }
                    _ => {}
                }
            }
            let next = world.secs() + 0.125;
            world.at(next);
        }
        let (notice, after) = raised.unwrap_or_else(|| panic!("{fault:?}: no alarm"));
        assert_eq!((notice.severity, notice.state), (severity, AlarmState::Unacknowledged), "{fault:?}");
        assert!((alarm..alarm + 0.2).contains(&after), "{fault:?}: after {after} s");
        // Back, and proved by footage.
        let back = world.secs();
        world.volume(0, VolumeEvent::Ready);
        world.camera(
            0,
            CameraEvent::Received(StreamFigures {
                last_video: Some(world.now.mono),
                units: 9999,
                keyframes: 999,
                ..StreamFigures::default()
            }),
        );
        world.forget();
        world.stored(40.0, back);
        let state = world.effects().into_iter().find_map(|effect| match effect {
            Effect::Alarm(notice) if notice.key == key => Some(notice.state),
            _ => None,
        });
        let expected = if latched { AlarmState::ReturnedUnacknowledged } else { AlarmState::Normal };
        assert_eq!(state, Some(expected), "{fault:?}");
    }
}

#[test]
fn a_fault_that_becomes_another_changes_its_alarm() {
    let mut world = World::recording();
    world.fault(0, Fault::Io);
    world.at(4.0);
    world.forget();
    world.fault(0, Fault::Denied);
    world.expect_of(
        "alarm",
        &[
            "4.0 alarm Volume(VolumeIndex(0), Io) ReturnedUnacknowledged x1 Volume(Io)",
            "4.0 alarm Volume(VolumeIndex(0), Denied) Unacknowledged x1 Volume(Denied)",
        ],
    );
}

#[test]
fn errors_that_are_not_known_share_one_alarm_that_names_the_newest() {
    let mut world = World::recording();
    world.fault(0, Fault::Other(27));
    world.expect_of(
        "Other",
        &[
            "2.0 vol0 is faulted until 4.0: Other(27)",
            "2.0 alarm Volume(VolumeIndex(0), Other(0)) Unacknowledged x1 Volume(Other(27))",
        ],
    );
    world.at(4.0);
    world.forget();
    world.fault(0, Fault::Other(95));
    world.expect_of("alarm Volume", &[]);
}

#[test]
fn eagain_once_costs_a_quarter_of_a_second_and_no_alarm() {
    let mut world = World::recording();
    world.fault(0, Fault::Again);
    world.at(2.25);
    world.volume(0, VolumeEvent::Ready);
    world.stored(2.0, 2.25);
    world.go_on(2.25, 20.0, 3);
    world.expect_of("alarm", &[]);
}

#[test]
fn a_read_only_disk_is_checked_and_mounted_again_at_once_but_not_more_often_than_each_ten_minutes() {
    let mut world = World::recording_on(&[VolumeKind::Disk]);
    let mut remounts = Vec::new();
    world.fault(0, Fault::ReadOnly);
    while world.secs() < 3000.0 {
        for line in world.lines() {
            match line.split_once(' ').expect("a moment").1 {
                "vol0 Unmount" => {
                    remounts.push(world.secs());
                    world.volume(0, VolumeEvent::Unmounted);
                }
                "vol0 Mount" => world.volume(0, VolumeEvent::Attached),
                "vol0 Open" => world.fault(0, Fault::ReadOnly),
                _ => {}
            }
        }
        let wake = world.core.poll_timeout().expect("it runs");
        world.until(wake);
    }
    assert!(remounts.len() >= 5, "{remounts:?}");
    assert_eq!(remounts[0], 2.0);
    let apart: Vec<_> = remounts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(apart.iter().all(|apart| (600.0..602.5).contains(apart)), "{apart:?}");
}

#[test]
fn a_disk_that_was_checked_records_again_without_a_gap() {
    let mut world = World::recording_on(&[VolumeKind::Disk]);
    world.fault(0, Fault::ReadOnly);
    world.expect_of(
        "vol0",
        &["2.0 cam0 to nowhere", "2.0 vol0 Unmount", "2.0 vol0 is faulted until 12.0: ReadOnly"][1..],
    );
    world.at(3.0);
    world.volume(0, VolumeEvent::Unmounted);
    world.expect_of("vol0", &["3.0 vol0 Mount"]);
    world.at(8.0);
    world.received(8);
    world.volume(0, VolumeEvent::Attached);
    world.expect_of("vol0", &["8.0 vol0 Open"]);
    world.volume(0, VolumeEvent::Ready);
    world.stored(2.0, 8.0);
    world.expect_of("gap", &[]);
}

#[test]
fn a_helper_that_does_not_answer_costs_no_more_than_its_deadline() {
    let mut world = World::recording_on(&[VolumeKind::Disk]);
    world.fault(0, Fault::ReadOnly);
    world.at(13.9);
    world.expect_of("Open", &[]);
    world.at(14.0);
    world.expect_of("vol0 Open", &["14.0 vol0 Open"]);
}

#[test]
fn a_mount_that_does_not_come_is_asked_for_again_and_taken_whenever_it_comes() {
    let mut world = World::recording_on(&[VolumeKind::Disk]);
    world.fault(0, Fault::ReadOnly);
    world.forget();
    world.volume(0, VolumeEvent::Unmounted);
    world.at(1330.0);
    // Nothing is there to be opened meanwhile.
    let lines: Vec<_> = world.lines().into_iter().filter(|line| line.contains("vol0")).collect();
    let commands: Vec<_> = lines.iter().filter(|line| !line.contains("vol0 is")).collect();
    assert_eq!(commands, ["2.0 vol0 Mount", "662.0 vol0 Mount", "1322.0 vol0 Mount"]);
    world.volume(0, VolumeEvent::Attached);
    world.expect_of("vol0 Open", &["1330.0 vol0 Open"]);
    world.volume(0, VolumeEvent::Ready);
    world.expect_of("to vol0", &["1330.0 cam0 to vol0"]);
}

#[test]
fn a_disk_that_is_unmounted_later_than_it_was_waited_for_is_mounted_again_at_once() {
    for (answered, meanwhile) in [(13.0, "it waits for its next attempt"), (14.5, "it is being opened")] {
        let mut world = World::recording_on(&[VolumeKind::Disk]);
        world.fault(0, Fault::ReadOnly);
        world.at(answered);
        world.forget();
        world.volume(0, VolumeEvent::Unmounted);
        if answered > 14.0 {
            world.expect_of("vol0", &[]);
            world.fault(0, Fault::Missing);
        }
        let mount = format!("{answered:.1} vol0 Mount");
        let lines = world.lines();
        assert!(lines.contains(&mount), "{meanwhile}: {lines:?}");
        world.volume(0, VolumeEvent::Attached);
        world.expect_of("vol0 Open", &[&format!("{answered:.1} vol0 Open")]);
    }
}

#[test]
fn an_io_error_that_lasts_a_minute_is_worth_a_check_of_the_disk() {
    let mut world = World::recording_on(&[VolumeKind::Disk]);
    let mut unmounted = None;
    world.fault(0, Fault::Io);
    while unmounted.is_none() && world.secs() < 600.0 {
        for line in world.lines() {
            match line.split_once(' ').expect("a moment").1 {
                "vol0 Unmount" => unmounted = Some(world.secs()),
                "vol0 Open" => world.fault(0, Fault::Io),
                _ => {}
            }
        }
        let wake = world.core.poll_timeout().expect("it runs");
        world.until(wake);
    }
    assert!(unmounted.is_some_and(|at| (62.0..=64.0).contains(&at)), "{unmounted:?}");
}

#[test]
fn a_path_is_never_unmounted() {
    for Case { fault, .. } in CASES {
        let mut world = World::recording();
        for _ in 0..400 {
            world.fault(0, fault);
            let next = world.secs() + 2.0;
            world.at(next);
        }
        assert!(!world.lines().iter().any(|l| l.ends_with(" Unmount") || l.ends_with(" Mount")), "{fault:?}");
    }
}

#[test]
fn a_disk_that_is_not_ours_waits_for_a_person_or_for_coming_anew() {
    for fault in [Fault::Foreign, Fault::Duplicate, Fault::Copied] {
        for (case, occasion) in [("coming anew", VolumeEvent::Attached), ("a person", VolumeEvent::Use)] {
            let mut world = World::started(world::places(&[VolumeKind::Disk]));
            world.volume(0, VolumeEvent::Attached);
            world.forget();
            world.fault(0, fault);
            world.expect_of("vol0", &[&format!("0.0 vol0 is faulted: {fault:?}")]);
            world.at(5000.0);
            world.volume(0, VolumeEvent::Released);
            world.expect_of("vol0", &[]);
            world.volume(0, occasion);
            world.expect_of("vol0", &["5000.0 vol0 Open"]);
            world.fault(0, fault);
            world.forget();
            // Nobody misses it.
            world.volume(0, VolumeEvent::Detached);
            world.expect_of(
                "Volume",
                &[&format!("5000.0 alarm Volume(VolumeIndex(0), {fault:?}) Normal x1 Volume({fault:?})")],
            );
            assert_eq!(world.core.alarms_evicted(), 0, "{case}");
        }
    }
}
