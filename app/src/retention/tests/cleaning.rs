//! What is deleted in which order, what never is, and what a power cut leaves.

use super::*;
use crate::ledger::recover::recover;
use crate::retention::Protections;
use crate::volumes::VolumeError;
use holdfast_core::retention::Rule;
use holdfast_wire::cause::Fault;
use holdfast_wire::ledger::Protected;
use proptest::prelude::*;
use std::os::unix::fs::symlink;

const DAY: i64 = 86_400;

#[test]
fn segments_go_in_the_order_of_their_numbers_whatever_their_days_are_called() {
    let place = Place::new();
    // A clock that began in 1970, was set, jumped to 2106 and back, and fell back to 1970 again.
    let (epoch, far) = (-START, 4_291_747_200 - START);
    let days = [epoch, 0, far, DAY, epoch + 3600, 2 * DAY];
    let starts = days.into_iter().flat_map(|day| (0..5).map(move |minute| day + minute * 60));
    lay_all(&place, starts);
    // 30 segments on 40 places: 25 % are free; cleaning ends at 50 %.
    let mut world = World::open(place, 39 * LENGTH);
    world.turns(60);
    let gone = world.deleted_numbers();
    assert_eq!(gone, (1..=u32::try_from(gone.len()).unwrap()).collect::<Vec<_>>());
    assert_eq!(gone.len(), 11, "as many as bring half of it free, and no more");
    assert_eq!(world.there(), (12..=30).collect());
    assert!(
        !layout::day(world.root(), &name("a"), layout::Day::of(at(0))).exists(),
        "an emptied day goes too"
    );
    assert!(layout::day(world.root(), &name("a"), layout::Day::of(at(far))).exists());
    let told: u32 = world
        .heard
        .iter()
        .map(|event| match event {
            VolumeEvent::Deleted { rule: Rule::Space, segments, bytes } => {
                assert_eq!(*bytes, u64::from(*segments) * LENGTH);
                *segments
            }
            other => panic!("unexpected {other:?}"),
        })
        .sum();
    assert_eq!(told, 11);
}

#[test]
fn space_that_falls_short_is_made_at_the_next_figures_and_not_when_ages_are_looked_at() {
    let place = Place::new();
    lay_all(&place, (0..29).map(|minute| minute * 60));
    let mut world = World::open(place, 39 * LENGTH);
    world.turns(30);
    assert!(world.deleted_numbers().is_empty(), "a quarter is free");
    world.cleaning.opened(&name("a"), at(29 * 60), 30);
    lay(&world.place, &header("a", 30, 29 * 60, 1, 1), 60);
    world.cleaning.closed(&name("a"), 30, LENGTH);
    world.turns(5);
    assert_eq!(world.deleted_numbers(), (1..=11).collect::<Vec<_>>());
}

#[test]
fn what_is_not_ours_is_no_footage_however_often_it_is_counted() {
    let place = Place::new();
    drop(place.open());
    let foreign = SegmentHeaderV1 { volume: Id128([7; 16]), ..header("a", 1, 90_000, 1, 1) };
    lay(&place, &foreign, 60);
    (2..=4).for_each(|number| {
        drop(lay(&place, &header("a", number, 90_000 + 60 * i64::from(number), 1, 1), 60))
    });
    let mut world = World::aged(place, &["a"]);
    world.minutes(15);
    assert_eq!(world.cleaning.footage(), Some(3 * LENGTH), "it was looked at for its age");
    world.protect(None, Span::new(at(90_240), at(90_260)));
    world.turns(2);
    assert_eq!(world.cleaning.footage(), Some(2 * LENGTH));
}

#[test]
fn a_camera_that_is_no_longer_configured_is_cleaned_and_its_empty_directory_goes() {
    let place = Place::new();
    lay(&place, &header("old", 1, 0, 1, 1), 60);
    lay_all(&place, []);
    let retention = Retention { rules: rules(), ages: ages(&[("old", 1)]), ..Retention::default() };
    let mut world = World::open_with(place, 1 << 40, retention, &["a"]);
    world.minutes(20);
    assert_eq!(world.deleted_numbers(), [1]);
    assert_eq!(world.deleted()[0].rule, Rule::Age);
    assert!(!layout::camera(world.root(), &name("old")).exists());
}

#[test]
fn what_is_not_proved_to_be_ours_is_never_touched_and_told_once() {
    let place = Place::new();
    drop(place.open());
    lay_all(&place, (0..10).map(|minute| minute * 60));
    let day = place.path("a", 1, 0).parent().unwrap().to_owned();
    let of_another_volume = SegmentHeaderV1 { volume: Id128([7; 16]), ..header("a", 900, 2, 1, 1) };
    let strange = [
        lay(&place, &of_another_volume, 60),
        day.join("22-13-25Z-0.mp4"),   // no segment inside
        day.join("22-13-26Z-901.mp4"), // a copy of number 1 under another number
        day.join("22-13-27Z-1.mp4"),   // a copy of number 1 at another time
        day.join("notes.txt"),
        day.join("22-13-28Z-902.mp4"), // a link
        day.join("22-13-29Z-903.mp4/keep"),
        layout::home(place.root()).join("a/2023-11-14.bak"),
    ];
    fs::write(&strange[1], "somebody's holiday").unwrap();
    fs::copy(place.path("a", 1, 0), &strange[2]).unwrap();
    fs::copy(place.path("a", 1, 0), &strange[3]).unwrap();
    fs::write(&strange[4], "notes").unwrap();
    symlink(place.path("a", 10, 540), &strange[5]).unwrap();
    fs::create_dir(strange[6].parent().unwrap()).unwrap();
    fs::write(&strange[6], "kept").unwrap();
    fs::write(&strange[7], "no day").unwrap();
    let mut world = World::aged(place, &["a"]);
    world.minutes(60);
    let there = world.there();
    assert!(there.is_superset(&BTreeSet::from([0, 900, 901])), "{there:?}");
    assert!((2..=10).all(|number| !there.contains(&number)), "{there:?}");
    assert_eq!(world.deleted_numbers(), (1..=10).collect::<Vec<_>>(), "ours went, each once");
    for path in strange {
        assert!(path.symlink_metadata().is_ok(), "{} was touched", path.display());
    }
}

#[test]
fn a_segment_that_is_being_written_and_what_comes_after_it_stay() {
    let place = Place::new();
    lay_all(&place, (0..6).map(|minute| minute * 60));
    let mut world = World::aged(place, &["a"]);
    world.cleaning.opened(&name("a"), at(180), 4);
    world.minutes(60);
    assert_eq!(world.there(), BTreeSet::from([4, 5, 6]));
    world.cleaning.closed(&name("a"), 4, LENGTH);
    world.minutes(60);
    assert_eq!(world.there(), BTreeSet::from([]));
}

#[test]
fn a_volume_with_a_former_identity_is_cleaned_of_that_ones_segments_too() {
    let place = Place::new();
    lay(&place, &SegmentHeaderV1 { volume: Id128([8; 16]), ..header("a", 1, 0, 1, 1) }, 60);
    let mut world = World::aged(place, &["a"]);
    world.minutes(30);
    assert_eq!(world.there(), BTreeSet::new());
}

#[test]
fn the_record_is_durable_before_the_file_goes_and_nothing_goes_from_another_disk() {
    let place = Place::new();
    lay_all(&place, (0..30).map(|minute| minute * 60));
    let mut world = World::open(place, 31 * LENGTH);
    let looks = std::cell::Cell::new(0);
    let World { place, ledger, cleaning, .. } = &mut world;
    // First all is counted, while there is room: until then no more is deleted than has to be.
    for second in 1..10 {
        let mut work = Work { ledger, check: &|| Ok(()), tell: &mut |_| {} };
        let space = || Some(Space { free: 30 * LENGTH, total: 31 * LENGTH });
        cleaning.turn(moment(second), space, &mut work).unwrap();
    }
    assert!(cleaning.footage().is_some());
    for second in 10..40 {
        let check = || {
            // The reader sees what was written, another disk is mounted after five files.
            let recorded: BTreeSet<u32> = place
                .records()
                .iter()
                .filter_map(|record| {
                    if let Record::SegmentDeleted(deleted) = record { Some(deleted.sequence) } else { None }
                })
                .collect();
            let there: BTreeSet<u32> = segments(place.root())
                .iter()
                .map(|path| layout::parse_segment(path).unwrap().sequence)
                .collect();
            assert!((1..=30).filter(|number| !there.contains(number)).all(|gone| recorded.contains(&gone)));
            assert!(recorded.iter().any(|number| there.contains(number)), "the next one is recorded too");
            looks.set(looks.get() + 1);
            if looks.get() <= 5 {
                return Ok(());
            }
            Err(VolumeError::found(Fault::WrongIdentity, "go on with", place.root(), ""))
        };
        let mut work = Work { ledger, check: &check, tell: &mut |_| {} };
        let space = || Some(Space { free: LENGTH, total: 31 * LENGTH });
        if let Err(error) = cleaning.turn(moment(second), space, &mut work) {
            assert_eq!(error.fault, Fault::WrongIdentity);
            break;
        }
    }
    assert_eq!(looks.get(), 6);
    assert_eq!(world.there(), (6..=30).collect(), "five went");
}

/// Every prefix of the calls that a batch makes, as a power cut would leave them.
#[test]
fn a_power_cut_between_record_and_file_is_finished_at_the_next_opening() {
    for removed in 0..=3usize {
        let place = Place::new();
        drop(place.open());
        let session = crate::ledger::tests::fake::session(1, 1, 0);
        place.write(&[Record::SessionStarted(session)]);
        lay_all(&place, (0..5).map(|minute| minute * 60));
        for number in 1..=5u32 {
            place.write(&crate::ledger::tests::fake::whole(&place, "a", number, i64::from(number - 1) * 60));
        }
        let gone = |number: u32| {
            let (at, start) = (at(1000), at(i64::from(number - 1) * 60));
            let (camera, rule) = (name("a"), Rule::Space);
            Record::SegmentDeleted(SegmentDeleted {
                at,
                sequence: number,
                camera,
                start,
                bytes: LENGTH,
                rule,
            })
        };
        place.write(&[gone(1), gone(2), gone(3)]);
        Protections::default().write(place.root(), at(0), &|| Ok(())).unwrap();
        for number in 1..=removed {
            fs::remove_file(place.path("a", u32::try_from(number).unwrap(), (number as i64 - 1) * 60))
                .unwrap();
        }
        let (_, recovered) = recover(&place.open(), &Fake, at(2000), Id128([2; 16])).unwrap();
        assert_eq!(recovered.repairs.deleted, u32::try_from(3 - removed).unwrap(), "{removed} were removed");
        assert_eq!(recovered.problems, [""; 0]);
        assert_eq!(recovered.next_sequence, 6);
        for number in 1..=5u32 {
            let path = place.path("a", number, i64::from(number - 1) * 60);
            assert_eq!(path.exists(), number > 3, "{}", path.display());
        }
    }
}

#[test]
fn a_number_that_was_given_anew_is_not_taken_for_the_deleted_one() {
    let place = Place::new();
    drop(place.open());
    let session = crate::ledger::tests::fake::session(1, 1, 0);
    let (camera, rule) = (name("a"), Rule::Space);
    let gone = SegmentDeleted { at: at(0), sequence: 1, camera, start: at(0), bytes: 1, rule };
    place.write(&[Record::SessionStarted(session), Record::SegmentDeleted(gone)]);
    let path = lay(&place, &header("a", 1, 0, 1, 1), 60);
    place.write(&crate::ledger::tests::fake::whole(&place, "a", 1, 0));
    let (_, recovered) = recover(&place.open(), &Fake, at(2000), Id128([2; 16])).unwrap();
    assert_eq!(recovered.repairs.deleted, 0);
    assert!(path.exists());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Whatever days the clock made of it, cameras interleaved: each camera's segments go in the order of their numbers, nothing
    /// protected goes, and the record is always there first.
    #[test]
    fn each_cameras_segments_go_in_order(
        segments in prop::collection::vec((0..3usize, 0..6i64, 0..50i64), 1..60),
        protected in prop::option::of((0..6i64, 0..40i64, 1..20i64)),
        reopened in 0..40u64,
    ) {
        let place = Place::new();
        let cameras = ["a", "b", "c"];
        let mut laid = Vec::new();
        for (number, (camera, day, minute)) in (1u32..).zip(&segments) {
            let start = day * DAY + minute * 60;
            lay(&place, &header(cameras[*camera], number, start, 1, 1), 60);
            laid.push((number, *camera, start));
        }
        let total = (segments.len() as u64 + 2) * LENGTH;
        let mut world = World::open_with(place, total, Retention { rules: rules(), ..Retention::default() }, &cameras);
        let span = protected.map(|(day, minute, length)| {
            let from = day * DAY + minute * 60 + 30;
            Span::new(at(from), at(from + length * 60))
        });
        span.into_iter().for_each(|span| { world.protect(None, span); });
        world.turns(reopened);
        // Opened again in the middle of it.
        let World { place, ledger, cleaning, .. } = world;
        drop((ledger, cleaning));
        let mut world = World::open_with(place, total, Retention { rules: rules(), ..Retention::default() }, &cameras);
        world.turns(120);
        let is_protected = |start: i64| span.is_some_and(|span| at(start) < span.to && span.from < at(start + 60));
        let gone = world.deleted_numbers();
        for (index, _) in cameras.iter().enumerate() {
            let of_camera = |number: &u32| laid[*number as usize - 1].1 == index;
            let gone: Vec<u32> = gone.iter().copied().filter(of_camera).collect();
            let may = laid.iter().filter(|(_, camera, start)| *camera == index && !is_protected(*start));
            let planned: Vec<u32> = may.map(|(number, ..)| *number).take(gone.len()).collect();
            prop_assert_eq!(gone, planned);
        }
        let mut left: BTreeSet<u32> = laid.iter().map(|(number, ..)| *number).collect();
        gone.iter().for_each(|number| { left.remove(number); });
        prop_assert_eq!(world.there(), left);
        let used = world.there().len() as u64 * LENGTH;
        let may_go = laid.iter().filter(|(number, _, start)| world.there().contains(number) && !is_protected(*start));
        // The policy keeps half of what it might delete; what it must reach is its own tests' affair.
        prop_assert!(total - used >= total / 4 || may_go.count() as u64 * LENGTH <= total / 2);
    }
}

#[test]
fn a_deletion_that_did_not_happen_is_not_finished_on_what_was_protected_since() {
    // Camera, and from where to where; whether that keeps a segment of camera `a` from 60 to 120.
    let table = [
        (None, 0, 1000, true),
        (Some("a"), 119, 130, true),
        (Some("a"), 120, 1000, false),
        (Some("a"), 0, 60, false),
        (Some("b"), 0, 1000, false),
    ];
    let deleted = |place: &Place| {
        drop(place.open());
        place.write(&[Record::SessionStarted(crate::ledger::tests::fake::session(1, 1, 0))]);
        lay(place, &header("a", 1, 60, 1, 1), 60);
        place.write(&crate::ledger::tests::fake::whole(place, "a", 1, 60));
        let (camera, rule) = (name("a"), Rule::Space);
        let record = SegmentDeleted { at: at(0), sequence: 1, camera, start: at(60), bytes: LENGTH, rule };
        place.write(&[Record::SegmentDeleted(record)]);
    };
    for (camera, from, to, kept) in table {
        let place = Place::new();
        deleted(&place);
        let mut protections = Protections::default();
        let (camera, span) = (camera.map(name), Span::new(at(from), at(to)));
        let note = heapless::String::new();
        protections.take(Record::Protected(Protected { at: at(0), number: 1, camera, span, note }));
        protections.write(place.root(), at(0), &|| Ok(())).unwrap();
        let (_, recovered) = recover(&place.open(), &Fake, at(2000), Id128([2; 16])).unwrap();
        assert_eq!(place.path("a", 1, 60).exists(), kept, "protected from {from} to {to}");
        assert_eq!(recovered.problems.len(), usize::from(kept), "{:?}", recovered.problems);
    }
    // Without a list nobody knows.
    for list in [None, Some("damaged")] {
        let place = Place::new();
        deleted(&place);
        if let Some(list) = list {
            fs::write(layout::protected(place.root()), list).unwrap();
        }
        let (_, recovered) = recover(&place.open(), &Fake, at(2000), Id128([2; 16])).unwrap();
        assert!(place.path("a", 1, 60).exists(), "{list:?}");
        assert_eq!(recovered.problems.len(), 1, "{:?}", recovered.problems);
    }
}

/// A writer that was given up while a call hung, and another disk in its place when the call comes back.
#[test]
fn nothing_is_changed_by_path_once_the_volume_is_another_whichever_call_had_hung() {
    let lost = |root: &Path| VolumeError::found(Fault::WrongIdentity, "go on with", root, "");
    // How many looks each change gets before the volume is another; `None`: the change needs no more.
    let change = |wanted: &dyn Fn(&mut World, crate::retention::Check) -> bool, looks: usize| {
        let place = Place::new();
        lay_all(&place, [0]);
        let retention = Retention { rules: rules(), ages: ages(&[("a", 1)]), ..Retention::default() };
        let mut world = World::open_with(place, 1 << 40, retention, &["b"]);
        let hers = tempfile::tempdir().unwrap();
        fs::create_dir_all(layout::day(hers.path(), &name("a"), layout::Day::of(at(0)))).unwrap();
        fs::write(layout::protected(hers.path()), "hers").unwrap();
        let root = world.root().to_owned();
        let away = root.with_extension("away");
        let left = std::cell::Cell::new(looks);
        let done = wanted(&mut world, &|| {
            if left.get() == 0 {
                if !away.exists() {
                    fs::rename(layout::home(&root), &away).unwrap();
                    fs::rename(layout::home(hers.path()), layout::home(&root)).unwrap();
                }
                return Err(lost(&root));
            }
            left.set(left.get() - 1);
            Ok(())
        });
        if away.exists() {
            let home = layout::home(&root);
            let mut names: Vec<_> =
                fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            assert_eq!(names, ["a", "protected"], "after {looks} looks");
            assert_eq!(fs::read_to_string(layout::protected(&root)).unwrap(), "hers", "after {looks} looks");
            let day = layout::day(&root, &name("a"), layout::Day::of(at(0)));
            assert!(day.exists(), "after {looks} looks her empty directory is gone");
            fs::remove_dir_all(&away).unwrap();
        }
        done
    };
    let protect = |world: &mut World, check: crate::retention::Check| {
        let wish = Wish { camera: None, span: Span::new(at(0), at(60)), note: heapless::String::new() };
        world.cleaning.protect(wish, at(0), &mut world.ledger, check).is_ok()
    };
    // Removes the segment, then the directories that this emptied.
    let clean = |world: &mut World, check: crate::retention::Check| {
        for _ in 0..20 {
            world.seconds += 60;
            let mut work = Work { ledger: &mut world.ledger, check, tell: &mut |_| {} };
            if world.cleaning.turn(moment(world.seconds), || None, &mut work).is_err() {
                return false;
            }
        }
        true
    };
    let needs = |wanted: &dyn Fn(&mut World, crate::retention::Check) -> bool| {
        (0..10).find(|looks| change(wanted, *looks)).expect("it is never done")
    };
    assert_eq!(needs(&protect), 2, "before the new list is made, and before it takes the place of the old");
    assert_eq!(needs(&clean), 3, "before the file goes, before its day, and before its camera");
}
