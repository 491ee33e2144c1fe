//! Listing that fails, counting in slices, and time as a shelf knows it.

use super::*;
use crate::retention::camera::Stream;
use crate::retention::shelf::DiskShelf;
use crate::retention::{Protection, Protections};
use holdfast_core::retention::{Shelf, Unlisted};
use rustix::process::{Uid, geteuid};
use std::os::unix::fs::PermissionsExt;
use std::thread;

fn shelf(place: &Place, cameras: &[&str]) -> DiskShelf {
    let cameras: Vec<Name> = cameras.iter().map(|camera| name(camera)).collect();
    let protection = Protection::Known(Protections::default());
    let ids = vec![Id128([9; 16])];
    DiskShelf::open(place.root(), ids, Ages::default(), &cameras, 1_000_000, protection, Box::new(Fake))
        .unwrap()
}

/// The numbers that a camera gives, each passed over.
fn all(shelf: &mut DiskShelf, camera: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(head) = shelf.head(camera).unwrap() {
        numbers.push(head.sequence);
        shelf.pass(camera);
        let given = shelf.given().to_vec();
        shelf.answered(&given);
    }
    numbers
}

#[test]
fn a_day_with_more_segments_than_a_window_is_given_whole_and_in_order() {
    let place = Place::new();
    // As on a device whose clock falls back to 1970 at each start: all of it on one day.
    let count = 2500u32;
    let directory = layout::day(place.root(), &name("a"), layout::Day::of(at(0)));
    fs::create_dir_all(&directory).unwrap();
    let mut stream = Stream::new(name("a"));
    for number in 1..=count {
        let path = layout::segment(place.root(), &name("a"), at(i64::from(number * 7 % 100)), number);
        fs::write(path, "").unwrap();
    }
    let mut found = Vec::new();
    while let Some((_, named)) = stream.head(place.root(), Mono(0)).unwrap() {
        found.push(named.sequence);
        stream.pass();
    }
    assert_eq!(found, (1..=count).collect::<Vec<_>>());
    stream.rewind();
    assert_eq!(stream.head(place.root(), Mono(0)).unwrap().unwrap().1.sequence, 1);
}

#[test]
fn a_segment_that_is_added_behind_the_listing_is_found() {
    let place = Place::new();
    lay_all(&place, [0, 60]);
    let mut shelf = shelf(&place, &["a"]);
    assert_eq!(shelf.head(0).unwrap().unwrap().sequence, 1);
    shelf.opened(&name("a"), at(120), 3);
    lay(&place, &header("a", 3, 120, 1, 1), 60);
    assert_eq!(all(&mut shelf, 0), [1, 2], "it is open");
    shelf.closed(&name("a"), 3, LENGTH);
    assert_eq!(all(&mut shelf, 0), [3]);
    lay(&place, &header("new", 4, 120, 1, 1), 60);
    shelf.opened(&name("new"), at(120), 4);
    shelf.closed(&name("new"), 4, LENGTH);
    assert_eq!((shelf.cameras(), all(&mut shelf, 1)), (2, vec![4]), "a camera that is new");
}

#[test]
fn the_count_is_right_however_it_is_sliced_and_whatever_goes_and_comes_meanwhile() {
    for slice in [1, 3, 7, 1000] {
        let place = Place::new();
        lay_all(&place, (0..20).map(|minute| minute % 3 * 86_400 + minute * 60));
        let mut shelf = shelf(&place, &["a"]);
        assert_eq!(shelf.footage(0), None);
        let mut turn = 0;
        loop {
            let mut left = slice;
            let done = shelf.count(|| {
                left -= 1;
                left == 0
            });
            turn += 1;
            // One goes and one comes in each of the first turns.
            if turn <= 5 {
                let head = shelf.head(0).unwrap().unwrap();
                shelf.pass(0);
                let given = shelf.given().to_vec();
                fs::remove_file(&given[0].path).unwrap();
                shelf.answered(&given);
                assert_eq!(head.sequence, turn);
                let number = 1_000_000 + turn;
                shelf.opened(&name("a"), at(7000), number);
                lay(&place, &header("a", number, 7000, 1, 1), 60);
                shelf.closed(&name("a"), number, LENGTH);
            }
            if done && turn > 5 {
                break;
            }
        }
        let there: u64 = segments(place.root()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert_eq!(shelf.footage(0), Some(there), "slices of {slice}");
        // What is passed over does not count until the next beginning.
        shelf.head(0).unwrap();
        shelf.pass(0);
        assert_eq!(shelf.footage(0), Some(there - LENGTH));
        shelf.answered(&[]);
        shelf.rewind();
        assert_eq!(shelf.footage(0), Some(there));
    }
}

#[test]
fn a_directory_that_cannot_be_listed_is_not_nothing_and_does_not_block_for_ever() {
    let place = Place::new();
    lay_all(&place, [0, 60, 86_400, 86_460]);
    lay(&place, &header("b", 5, 0, 1, 1), 60);
    let closed = layout::day(place.root(), &name("a"), layout::Day::of(at(0)));
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(place.root(), 0o755);
    set(&closed, 0o000);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Root may list everything: this thread alone becomes somebody who may not.
            if geteuid().is_root() {
                let nobody = Uid::from_raw(65_534);
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            let mut shelf = shelf(&place, &["a", "b"]);
            let at_second = |second: u64, shelf: &mut DiskShelf| {
                shelf.set_now(Mono::from_nanos(second * 1_000_000_000));
                shelf.head(0).map(|head| head.map(|head| head.sequence))
            };
            assert_eq!(at_second(0, &mut shelf), Err(Unlisted), "its oldest may be there");
            assert_eq!(shelf.head(1).unwrap().unwrap().sequence, 5, "the other camera goes on");
            assert_eq!(shelf.said.len(), 1, "{:?}", shelf.said);
            assert!(shelf.said[0].contains("2023-11-14: could not be listed"), "{:?}", shelf.said);
            assert_eq!(at_second(9, &mut shelf), Err(Unlisted));
            assert_eq!(shelf.said.len(), 1, "it is not tried at each step");
            assert_eq!(at_second(10, &mut shelf), Err(Unlisted));
            assert_eq!(at_second(20, &mut shelf), Err(Unlisted));
            assert_eq!(at_second(20, &mut shelf), Ok(Some(3)), "it is given up for now");
            shelf.pass(0);
            assert_eq!(at_second(20, &mut shelf), Ok(Some(4)));
            shelf.pass(0);
            assert_eq!(at_second(20, &mut shelf), Err(Unlisted), "there may be more");
            shelf.count(|| false);
            assert!(shelf.footage(0).is_some(), "what can be counted is");
        });
    });
    set(&closed, 0o755);
}

#[test]
fn a_day_that_is_a_file_is_none_and_a_directory_that_goes_meanwhile_is_no_trouble() {
    let place = Place::new();
    lay_all(&place, [0, 86_400, 2 * 86_400]);
    fs::write(layout::camera(place.root(), &name("a")).join("2023-01-01"), "a file").unwrap();
    let mut shelf = shelf(&place, &["a"]);
    assert_eq!(shelf.head(0).unwrap().unwrap().sequence, 1);
    fs::remove_dir_all(layout::day(place.root(), &name("a"), layout::Day::of(at(86_400)))).unwrap();
    assert_eq!(all(&mut shelf, 0), [1, 3]);
}

#[test]
fn a_segment_is_dated_by_the_next_one_or_by_a_later_one_that_was_trusted() {
    let place = Place::new();
    let untrusted =
        |number, start| SegmentHeaderV1 { clock_trusted: false, ..header("a", number, start, 1, 1) };
    lay(&place, &untrusted(1, -1_000_000), 60);
    lay(&place, &untrusted(2, -999_940), 60);
    lay(&place, &header("a", 3, 100, 1, 1), 60);
    lay(&place, &header("a", 4, 160, 1, 1), 60);
    lay(&place, &header("a", 5, 90_000, 1, 1), 60);
    lay(&place, &untrusted(6, -500_000), 60);
    let mut shelf = shelf(&place, &["a"]);
    let mut ended = Vec::new();
    while let Some(head) = shelf.head(0).unwrap() {
        ended.push(head.ended.map(|ended| ended.micros_since(at(0)) / 1_000_000));
        shelf.pass(0);
    }
    // A name tells whole seconds, so a second may be too much; after a pause it is the longest that a segment can be.
    let bound = |start: i64| Some(start + 1200);
    assert_eq!(ended[2..], [Some(161), bound(160), bound(90_000), None]);
    let dated = [Some(100), Some(100)];
    assert!(ended[..2] == dated || ended[..2] == [None, None], "{ended:?}");
}
