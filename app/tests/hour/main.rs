//! An hour of footage in two minutes: the real writer, rings and files, and a clock that the test moves.
//!
//! The writer is told the time by [`Job::clock`](holdfast::writer::Job), so a step of ten seconds of footage may take as long as the
//! disk takes; the next step comes when the last is durable. What was deleted is then read from the ledger and held against a
//! model that knows the rules of `core/src/retention` and none of its code.
//!
//! | file | what |
//! |---|---|
//! | `footage` | cameras: which frame has which bytes at which moment |
//! | `recording` | a writer at work, step by step; whatever it says that is trouble fails the test |
//! | `model` | the ledger told again: which deletion is the right one at each moment |
//! | `verify` | files against the ledger and against what the cameras sent |
//! | `strangers` | what is not Holdfast's, and stays as it was |
//! | `disk` | a filesystem of a size that is chosen |

mod disk;
mod footage;
mod model;
mod recording;
mod strangers;
mod verify;

use footage::{Camera, second};
use holdfast::retention::{Ages, Retention};
use holdfast::volumes::Place;
use holdfast_core::retention::{Rules, Threshold};
use holdfast_wire::ids::Name;
use holdfast_wire::retention::Rule;
use holdfast_wire::time::Span;
use model::Model;
use recording::Recording;
use std::path::Path;
use std::time::{Duration, Instant};
use strangers::Strangers;

const HOUR: u64 = 3600;

/// Less than this is free only if cleaning comes too late: what comes in within ten seconds.
const NEVER_LESS: u64 = 4_250_000;

/// Kilobits a second, frames a second, frames of a GOP. Only the first ends its segments at whole minutes.
fn cameras() -> Vec<Camera> {
    vec![
        Camera::new(0, "entrance", 300, 12, 48),
        Camera::new(1, "yard", 600, 15, 48),
        Camera::new(2, "ramp", 1000, 25, 25),
        Camera::new(3, "till", 1500, 25, 70),
    ]
}

#[test]
fn an_hour_on_256_mb_fails_no_write_keeps_what_is_protected_and_deletes_in_the_planned_order() {
    disk::with_mounts(|| {
        let disk = disk::Ext4::new(256);
        let begun = Instant::now();
        let place = Place::MountPoint { path: disk.root().to_owned() };
        // Adopted first, so that what strangers lay there lies on a volume of ours.
        Recording::begin(place.clone(), cameras(), Retention::default()).end();
        let strangers = Strangers::lay(disk.root());

        let mut recording = Recording::begin(place, cameras(), Retention::default());
        let (early, late) = (Span::new(second(215), second(295)), Span::new(second(1650), second(1770)));
        let yard = Name::new("yard").unwrap();
        recording.protect(None, early);
        for step in 0..HOUR / 10 {
            if step == HOUR / 20 {
                recording.protect(Some(yard.clone()), late);
                let known = Model::of(disk.root(), Rule::Space).footage();
                recording.until("the footage is counted anew", |figures| figures.footage == Some(known));
            }
            recording.step(10);
        }
        let told = recording.end();

        let model = Model::of(disk.root(), Rule::Space);
        println!(
            "an hour on 256 MB: {} segments written, {} deleted, {} there; least free {} KiB; {:?}",
            model.there.len() + model.gone.len(),
            model.gone.len(),
            model.there.len(),
            told.least_free / 1024,
            begun.elapsed()
        );
        assert_eq!(told.deleted, model.gone.len() as u32, "what was told of and what is in the ledger");
        assert!(model.gone.len() > 150, "it filled more than four times");
        assert!(told.least_free > NEVER_LESS, "{} bytes were free", told.least_free);
        let verified = verify::volume(disk.root(), &model, &cameras(), HOUR);
        for camera in cameras() {
            verified.has_all(&camera, early);
        }
        verified.has_all(&cameras()[1], late);
        verify::coverage(disk.root(), &model, &[Rule::Space]);
        strangers.are_as_they_were();
    });
}

#[test]
fn an_hour_with_an_age_of_twelve_minutes_deletes_what_is_older_soon_and_nothing_else() {
    const AGE: Duration = Duration::from_secs(12 * 60);
    let begun = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let few = |index, name| Camera::new(index, name, 16, 5, 10);
    let cameras = || vec![few(0, "entrance"), few(1, "yard"), few(2, "ramp"), few(3, "till")];
    let aged = ["yard", "till"].map(|name| Name::new(name).unwrap());
    let nothing = Threshold { bytes: 0, per_mille: 0 };
    let retention = Retention {
        rules: Rules { start: nothing, stop: nothing, ..Rules::DEFAULT },
        ages: Ages { of: aged.iter().map(|name| (name.clone(), Some(AGE))).collect(), others: None },
        ..Retention::default()
    };
    let mut recording =
        Recording::begin(Place::Directory { path: folder.path().to_owned() }, cameras(), retention);
    for _ in 0..HOUR / 20 {
        recording.step(20);
    }
    let told = recording.end();

    let model = Model::of(folder.path(), Rule::Age);
    println!(
        "an hour with an age: {} of {} deleted; {:?}",
        model.gone.len(),
        model.gone.len() + model.there.len(),
        begun.elapsed()
    );
    assert_eq!(told.deleted, model.gone.len() as u32);
    let is_aged = |name: &Name| aged.contains(name);
    for gone in &model.gone {
        assert!(is_aged(&gone.segment.camera), "{gone:?}");
        let age = gone.at.micros_since(gone.segment.end) - AGE.as_micros() as i64;
        // A look a minute, a step of 20 s, and a second that a name does not tell.
        assert!((0..=100_000_000).contains(&age), "{age} µs after it was due: {gone:?}");
    }
    let too_old = second(HOUR) - AGE - Duration::from_secs(100);
    let kept = |segment: &&model::Segment| is_aged(&segment.camera) && segment.end < too_old;
    assert_eq!(model.there.values().find(kept), None);
    verify::volume(folder.path(), &model, &cameras(), HOUR);
    verify::coverage(folder.path(), &model, &[Rule::Age]);
    assert!(is_whole(folder.path()));
}

/// The segments without an age go back to the first second.
fn is_whole(root: &Path) -> bool {
    let model = Model::of(root, Rule::Age);
    ["entrance", "ramp"].iter().all(|camera| {
        let first = model.there.values().find(|segment| segment.camera.as_str() == *camera);
        first.is_some_and(|first| first.start < second(1))
    })
}
