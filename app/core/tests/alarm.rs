//! Alarms: states, delays, latching, counts, the bounded table.

mod world;

use holdfast_core::alarm::{AlarmKey, MAX_ALARMS, Severity};
use holdfast_core::disk::Unfit;
use holdfast_core::effect::Effect;
use holdfast_core::event::{CameraEvent, Event, Failure, Fault, Health, VolumeEvent};
use holdfast_core::settings::{CameraIndex, TransportChoice, VolumeIndex, VolumeKind};
use world::{World, key_label, settings, span};

const CAMERA: CameraIndex = CameraIndex(0);
const VOLUME: VolumeIndex = VolumeIndex(0);

fn unsupported(world: &mut World, track: &str) {
    world.camera(0, CameraEvent::Unsupported { track: key_label(track) });
}

#[test]
fn a_camera_is_lost_after_twelve_seconds_and_found_after_thirty() {
    let mut world = World::recording();
    world.fail(Failure::Refused);
    world.at(13.9);
    world.expect_of("alarm", &[]);
    world.at(14.0);
    world.expect_of("alarm", &["14.0 alarm CameraLost(CameraIndex(0)) Unacknowledged x1 Camera(Refused)"]);
    world.camera(0, CameraEvent::TornDown);
    world.at(20.0);
    world.record(20.0, 50.0);
    world.at(50.9);
    world.expect_of("alarm", &[]);
    world.at(51.0);
    world.expect_of("alarm", &["51.0 alarm CameraLost(CameraIndex(0)) Normal x1 Camera(Refused)"]);
}

#[test]
fn a_short_break_is_no_alarm() {
    let mut world = World::recording();
    world.fail(Failure::ServerClosed);
    world.camera(0, CameraEvent::TornDown);
    world.at(10.0);
    world.record(10.0, 60.0);
    world.expect_of("alarm", &[]);
}

#[test]
fn a_camera_that_comes_and_goes_is_one_alarm() {
    let mut world = World::recording();
    world.fail(Failure::Bye);
    world.at(15.0);
    world.tell(Event::Acknowledge(AlarmKey::CameraLost(CAMERA)));
    world.expect_of(
        "alarm",
        &[
            "14.0 alarm CameraLost(CameraIndex(0)) Unacknowledged x1 Camera(Bye)",
            "15.0 alarm CameraLost(CameraIndex(0)) Acknowledged x1 Camera(Bye)",
        ],
    );
    for _ in 0..5 {
        world.camera(0, CameraEvent::TornDown);
        let begun = world.until_connect();
        world.record(begun, begun + 5.0);
        world.fail(Failure::Bye);
        world.expect_of("alarm CameraLost", &[]);
    }
}

#[test]
fn a_lost_camera_is_as_bad_as_what_it_is_lost_by() {
    for (failure, severity) in [
        (Failure::Refused, Severity::High),
        (Failure::OutOfMemory, Severity::Critical),
        (Failure::Garbage, Severity::High),
    ] {
        let mut world = World::recording();
        world.fail(failure);
        // Told before its next attempt has an answer.
        world.at(14.9);
        let told = world.effects().into_iter().find_map(|effect| match effect {
            Effect::Alarm(notice) if matches!(notice.key, AlarmKey::CameraLost(_)) => Some(notice.severity),
            _ => None,
        });
        assert_eq!(told, Some(severity), "{failure}");
    }
}

#[test]
fn a_refused_password_is_its_own_alarm_at_once_and_over_with_access() {
    let mut world = World::one();
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.fail(Failure::Unauthorized);
    world.camera(0, CameraEvent::TornDown);
    world.at(59.9);
    world.expect_of(
        "alarm",
        &["0.0 alarm CameraAccess(CameraIndex(0)) Unacknowledged x1 Camera(Unauthorized)"],
    );
    world.at(60.0);
    world.record(60.0, 62.0);
    world.expect_of("alarm", &["60.0 alarm CameraAccess(CameraIndex(0)) Normal x1 Camera(Unauthorized)"]);
}

#[test]
fn a_volume_s_alarm_is_at_once_and_stays_until_acknowledged() {
    let mut world = World::recording();
    world.fault(0, Fault::Io);
    world.at(6.0);
    world.expect_of(
        "alarm",
        &[
            "2.0 alarm Volume(VolumeIndex(0), Io) Unacknowledged x1 Volume(Io)",
            "5.0 alarm NothingRecords Unacknowledged x1 None",
        ],
    );
    world.tell(Event::Acknowledge(AlarmKey::NothingRecords));
    world.expect_of("alarm", &["6.0 alarm NothingRecords Acknowledged x1 None"]);
    world.received(6);
    world.volume(0, VolumeEvent::Ready);
    // It opens: that proves nothing.
    world.expect_of("alarm", &[]);
    world.stored(2.0, 6.0);
    world.expect_of(
        "alarm",
        &[
            "6.0 alarm Volume(VolumeIndex(0), Io) ReturnedUnacknowledged x1 Volume(Io)",
            "6.0 alarm NothingRecords Normal x1 None",
        ],
    );
    world.fault(0, Fault::Io);
    world.expect_of("alarm", &["6.0 alarm Volume(VolumeIndex(0), Io) Unacknowledged x2 Volume(Io)"]);
    world.at(8.0);
    world.received(8);
    world.volume(0, VolumeEvent::Ready);
    world.stored(6.0, 8.0);
    world.forget();
    world.tell(Event::Acknowledge(AlarmKey::Volume(VOLUME, Fault::Io)));
    world.expect(&["8.0 alarm Volume(VolumeIndex(0), Io) Normal x2 Volume(Io)"]);
}

#[test]
fn a_volume_that_fails_while_another_records_is_not_nothing() {
    let mut world = World::started(settings(1, 2, TransportChoice::Auto));
    world.fault(0, Fault::Missing);
    world.expect_of("Nothing", &[]);
    world.volume(1, VolumeEvent::Ready);
    world.expect_of("Nothing", &[]);
    world.fault(1, Fault::Missing);
    world.at(2.0);
    world.volume(0, VolumeEvent::Ready);
    world.stored(1.0, 2.0);
    world.at(10.0);
    // It passed.
    world.expect_of("Nothing", &[]);
    world.fault(0, Fault::Missing);
    world.at(13.0);
    world.expect_of("Nothing", &["13.0 alarm NothingRecords Unacknowledged x1 None"]);
}

#[test]
fn a_track_is_named_once_however_often_the_camera_connects() {
    let mut world = World::recording();
    unsupported(&mut world, "application/vnd.onvif.metadata");
    world.expect_of(
        "alarm",
        &[concat!(
            "2.0 alarm TrackNotRecorded(CameraIndex(0), \"application/vnd.onvif.metadata\") ",
            "Unacknowledged x1 None"
        )],
    );
    unsupported(&mut world, "application/vnd.onvif.metadata");
    let key = AlarmKey::TrackNotRecorded(CAMERA, key_label("application/vnd.onvif.metadata"));
    world.expect(&[]);
    world.tell(Event::Acknowledge(key));
    world.forget();
    unsupported(&mut world, "application/vnd.onvif.metadata");
    world.expect(&[]);
    unsupported(&mut world, "video/JPEG");
    world.expect(&["2.0 alarm TrackNotRecorded(CameraIndex(0), \"video/JPEG\") Unacknowledged x1 None"]);
}

#[test]
fn drops_add_up_to_one_alarm_until_half_a_minute_has_passed() {
    let mut world = World::recording();
    let drop = |world: &mut World, from: f64| {
        world.camera(0, CameraEvent::Dropped { span: span(from, from + 1.0), units: 25, bytes: 1000 });
    };
    drop(&mut world, 2.0);
    world.expect_of("alarm", &["2.0 alarm FootageDropped(CameraIndex(0)) Unacknowledged x1 Units(25)"]);
    drop(&mut world, 3.0);
    world.go_on(2.0, 31.0, 2);
    world.expect_of("alarm", &[]);
    world.go_on(31.0, 33.0, 40);
    world.expect_of(
        "alarm",
        &["32.0 alarm FootageDropped(CameraIndex(0)) ReturnedUnacknowledged x1 Units(50)"],
    );
}

#[test]
fn a_repair_is_told_with_what_it_cost() {
    let mut world = World::one();
    world.forget();
    world.volume(0, VolumeEvent::Repaired { segments: 2, segment_bytes: 900, ledger_bytes: 12 });
    world.expect(&["0.0 alarm VolumeRepaired(VolumeIndex(0)) ReturnedUnacknowledged x1 Bytes(912)"]);
}

#[test]
fn acknowledging_what_is_not_there_changes_nothing() {
    let mut world = World::recording();
    world.tell(Event::Acknowledge(AlarmKey::CameraLost(CAMERA)));
    world.fail(Failure::Bye);
    world.forget();
    world.tell(Event::Acknowledge(AlarmKey::CameraLost(CAMERA)));
    world.at(14.0);
    world.expect_of("alarm", &["14.0 alarm CameraLost(CameraIndex(0)) Unacknowledged x1 Camera(Bye)"]);
}

#[test]
fn severities_are_as_the_table_says() {
    let mut world = World::recording();
    unsupported(&mut world, "video/JPEG");
    world.volume(0, VolumeEvent::Repaired { segments: 1, segment_bytes: 1, ledger_bytes: 0 });
    world.fail(Failure::Forbidden);
    world.fault(0, Fault::Io);
    world.at(5.0);
    let severities: Vec<_> = world
        .effects()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Alarm(notice) => Some(notice.severity),
            _ => None,
        })
        .collect();
    let (low, medium, high, critical) = (Severity::Low, Severity::Medium, Severity::High, Severity::Critical);
    assert_eq!(severities, [low, medium, high, critical, critical]);
}

#[test]
fn a_full_table_gives_way_to_what_is_worse_only() {
    let mut world = World::recording();
    for track in 0..MAX_ALARMS {
        unsupported(&mut world, &format!("track/{track}"));
    }
    assert_eq!((world.lines().len(), world.core.alarms_evicted()), (MAX_ALARMS, 0));
    unsupported(&mut world, "track/one-too-many");
    world.expect(&[]);
    assert_eq!(world.core.alarms_evicted(), 1);
    world.fault(0, Fault::Io);
    world.at(5.0);
    world.expect_of(
        "alarm",
        &[
            "2.0 alarm Volume(VolumeIndex(0), Io) Unacknowledged x1 Volume(Io)",
            "5.0 alarm NothingRecords Unacknowledged x1 None",
        ],
    );
    assert_eq!(world.core.alarms_evicted(), 3);
}

#[test]
fn what_smart_says_is_medium_when_worn_and_critical_when_failing() {
    let mut world = World::recording();
    let severities = |world: &mut World| -> Vec<(String, Severity)> {
        let told = world.effects().into_iter().filter_map(|effect| match effect {
            Effect::Alarm(notice) => Some((format!("{:?} {:?}", notice.key, notice.state), notice.severity)),
            _ => None,
        });
        told.collect()
    };
    let line = |health: &str, state: &str| format!("VolumeHealth(VolumeIndex(0), {health}) {state}");
    world.volume(0, VolumeEvent::Health(Health::Good));
    assert_eq!(severities(&mut world), []);
    world.volume(0, VolumeEvent::Health(Health::Worn));
    assert_eq!(severities(&mut world), [(line("Worn", "Unacknowledged"), Severity::Medium)]);
    world.volume(0, VolumeEvent::Health(Health::Failing));
    let expected = [
        (line("Worn", "ReturnedUnacknowledged"), Severity::Medium),
        (line("Failing", "Unacknowledged"), Severity::Critical),
    ];
    assert_eq!(severities(&mut world), expected);
    world.volume(0, VolumeEvent::Health(Health::Good));
    assert_eq!(severities(&mut world), [(line("Failing", "ReturnedUnacknowledged"), Severity::Critical)]);
}

#[test]
fn a_failing_disk_that_is_taken_out_fails_no_more() {
    let mut world = World::recording_on(&[VolumeKind::Disk]);
    world.volume(0, VolumeEvent::Health(Health::Failing));
    world.forget();
    world.volume(0, VolumeEvent::Detached);
    world.expect_of(
        "Health",
        &["2.0 alarm VolumeHealth(VolumeIndex(0), Failing) ReturnedUnacknowledged x1 None"],
    );
}

#[test]
fn a_volume_that_lost_what_was_durable_is_kept_until_a_person_knows() {
    let mut world = World::recording();
    world.volume(0, VolumeEvent::WentBack);
    world.expect(&["2.0 alarm VolumeWentBack(VolumeIndex(0)) ReturnedUnacknowledged x1 None"]);
}

#[test]
fn a_disk_that_is_left_alone_is_named_as_long_as_it_is_there() {
    let mut world = World::recording();
    let disk = key_label("sdb1 (NTFS, PHOTOS)");
    let reason = Unfit::Filesystem;
    world.tell(Event::DiskLeftAlone { disk: disk.clone(), reason });
    world.tell(Event::DiskLeftAlone { disk: disk.clone(), reason });
    world.expect(&["2.0 alarm DiskNotUsed(\"sdb1 (NTFS, PHOTOS)\") Unacknowledged x1 Disk(Filesystem)"]);
    world.tell(Event::DiskGone { disk });
    world.expect(&["2.0 alarm DiskNotUsed(\"sdb1 (NTFS, PHOTOS)\") Normal x1 Disk(Filesystem)"]);
}
