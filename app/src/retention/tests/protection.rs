//! What is protected stays, through damage of the list and of the ledger.

use super::*;
use crate::retention::protection::{Archive, MAX_PROTECTED, ProtectError, read};
use crate::volumes::Volume;
use holdfast_wire::cause::Fault;

fn wish(from: i64, to: i64) -> Wish {
    Wish { camera: None, span: Span::new(at(from), at(to)), note: "accident".try_into().unwrap() }
}

#[test]
fn a_protection_keeps_every_segment_that_it_reaches_into_and_no_other() {
    let place = Place::new();
    // The last one ends early: only its file tells.
    for (number, seconds) in (1..=6).zip([60, 60, 60, 60, 60, 20]) {
        lay(&place, &header("a", number, i64::from(number - 1) * 60, 1, 1), seconds);
    }
    lay(&place, &header("b", 7, 60, 1, 1), 60);
    let mut world =
        World::open_with(place, 1000, Retention { rules: rules(), ..Retention::default() }, &["a", "b"]);
    // The end of number 2, all of 3, and what is behind the end of number 6.
    world.protect(Some("a"), Span::new(at(119), at(180)));
    world.protect(Some("a"), Span::new(at(330), at(2000)));
    world.minutes(60);
    assert_eq!(world.there(), BTreeSet::from([2, 3]));
}

#[test]
fn a_protection_keeps_a_segment_that_it_reaches_late_however_long_that_lasts() {
    // Two hours without a keyframe; the next one follows at once, after a night, or by a clock that was set back.
    for next in [Some(7200), Some(40_000), Some(-7200), None] {
        for (from, kept) in [(7000, true), (7201, false)] {
            let place = Place::new();
            place.segment(&header("a", 1, 0, 1, 1), &[(0, 7200)]);
            if let Some(next) = next {
                lay(&place, &header("a", 2, next, 1, 1), 60);
            }
            let mut world = World::aged(place, &["a"]);
            world.protect(None, Span::new(at(from), at(7260)));
            world.minutes(60);
            assert_eq!(world.there().contains(&1), kept, "next at {next:?}, protected from {from}");
        }
    }
}

#[test]
fn a_protection_that_comes_while_cleaning_is_under_way_holds_at_once_and_one_that_goes_frees() {
    let place = Place::new();
    lay_all(&place, (0..40).map(|minute| minute * 60));
    let mut world = World::aged(place, &["a"]);
    while world.deleted_numbers().is_empty() {
        world.minutes(1);
        assert!(world.seconds < 10_000, "nothing is deleted");
    }
    let gone = world.deleted_numbers().len();
    assert!((1..40).contains(&gone), "{gone} are gone");
    let next = i64::try_from(gone).unwrap() * 60;
    let number = world.protect(None, Span::new(at(next), Wall(i64::MAX)));
    world.minutes(60);
    assert_eq!(world.deleted_numbers().len(), gone, "the very next one was protected");
    world.cleaning.unprotect(number, at(0), &mut world.ledger, &|| Ok(())).unwrap();
    world.minutes(60);
    assert_eq!(world.there(), BTreeSet::new());
}

#[test]
fn protections_are_listed_taken_back_by_number_and_no_number_is_given_twice() {
    let place = Place::new();
    drop(place.open());
    let open = || Archive::open(place.root(), at(0), &mut Vec::new()).unwrap();
    let mut archive = open();
    assert_eq!(archive.protect(wish(0, 60), at(1)).unwrap(), 1);
    assert_eq!(archive.protect(wish(100, 160), at(2)).unwrap(), 2);
    assert!(matches!(archive.protect(wish(60, 60), at(2)), Err(ProtectError::Empty)));
    assert!(matches!(archive.unprotect(9, at(3)), Err(ProtectError::NoSuch { number: 9 })));
    archive.unprotect(2, at(3)).unwrap();
    drop(archive);
    let mut archive = open();
    assert_eq!(archive.list().map(|protected| protected.number).collect::<Vec<_>>(), [1]);
    assert_eq!(archive.protect(wish(100, 160), at(4)).unwrap(), 3);
    let kinds: Vec<_> = place.records().iter().map(|record| format!("{record:?}")[..9].to_owned()).collect();
    assert_eq!(kinds, ["Protected", "Protected", "Unprotect", "Protected"]);
    while archive.list().count() < MAX_PROTECTED {
        archive.protect(wish(0, 60), at(5)).unwrap();
    }
    assert!(matches!(archive.protect(wish(0, 60), at(5)), Err(ProtectError::TooMany)));
    drop(archive);
    assert_eq!(read(place.root()).unwrap().unwrap().list().count(), MAX_PROTECTED);
}

#[test]
fn the_command_line_is_refused_while_a_recorder_holds_the_volume() {
    let place = Place::new();
    let _held: Volume = place.open();
    let refused = Archive::open(place.root(), at(0), &mut Vec::new()).unwrap_err();
    assert_eq!(refused.fault, Fault::InUse);
}

#[test]
fn a_damaged_list_is_found_at_every_byte_and_made_anew_from_the_ledger() {
    let place = Place::new();
    drop(place.open());
    let mut archive = Archive::open(place.root(), at(0), &mut Vec::new()).unwrap();
    archive.protect(wish(0, 60), at(1)).unwrap();
    archive.protect(wish(100, 160), at(2)).unwrap();
    archive.unprotect(1, at(3)).unwrap();
    let expected: Vec<_> = archive.list().cloned().collect();
    drop(archive);
    let path = layout::protected(place.root());
    let good = fs::read(&path).unwrap();
    let damaged = |bytes: Vec<u8>, what: &str| {
        fs::write(&path, bytes).unwrap();
        let mut problems = Vec::new();
        let archive = Archive::open(place.root(), at(9), &mut problems).unwrap();
        assert_eq!(archive.list().cloned().collect::<Vec<_>>(), expected, "{what}");
        assert!(problems[0].contains("everything is protected until that is done"), "{what}: {problems:?}");
        assert_eq!(fs::read(&path).unwrap(), good, "{what}");
    };
    for cut in 0..good.len() {
        // The frame alone of the number that was given is whole, and says nothing of the other one: but then it is
        // another file than any that was ever written, which only a rename could have put there.
        if good[..cut].last() == Some(&0) {
            continue;
        }
        damaged(good[..cut].to_vec(), &format!("cut at {cut}"));
    }
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x15;
        damaged(bytes, &format!("byte {at}"));
    }
    fs::remove_file(&path).unwrap();
    let mut problems = Vec::new();
    let session = crate::ledger::tests::fake::session(1, 1, 0);
    place.write(&[Record::SessionStarted(session)]);
    let archive = Archive::open(place.root(), at(9), &mut problems).unwrap();
    assert_eq!(archive.list().cloned().collect::<Vec<_>>(), expected, "the file is gone");
}

#[test]
fn while_the_list_is_made_anew_nothing_is_deleted_and_nothing_can_be_changed() {
    let place = Place::new();
    lay_all(&place, (0..10).map(|minute| minute * 60));
    drop(place.open());
    let mut archive = Archive::open(place.root(), at(0), &mut Vec::new()).unwrap();
    archive.protect(wish(100, 110), at(1)).unwrap();
    drop(archive);
    // More ledger than one slice of a turn reads in a debug build.
    let many: Vec<Record> =
        (0..40_000).map(|number| Record::ClockStepped { at: at(0), by_micros: number }).collect();
    place.write(&many);
    fs::write(layout::protected(place.root()), "damaged").unwrap();
    let mut world = World::aged(place, &["a"]);
    world.seconds = 10_000;
    assert!(matches!(world.cleaning.protections(), Err(ProtectError::Rebuilding)));
    assert!(matches!(
        world.cleaning.unprotect(1, at(0), &mut world.ledger, &|| Ok(())),
        Err(ProtectError::Rebuilding)
    ));
    while world.cleaning.protections().is_err() {
        assert_eq!(world.deleted_numbers(), [0; 0]);
        world.turn();
        assert!(world.seconds < 11_000, "it is never done");
    }
    world.minutes(60);
    assert_eq!(world.there(), BTreeSet::from([2]));
}
