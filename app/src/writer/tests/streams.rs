//! A camera's second stream on the writing side: the same writer and reader, another segment, marked. And what a
//! ledger that was not closed says of the process before.

use super::*;
use crate::host::last_words::{Cause as End, LastWords};
use holdfast_core::event::{Cause, Past};

/// Of each segment in the ledger: from when, in milliseconds, and whether it shows the fallback stream.
fn opened(root: &Path) -> Vec<(i64, bool)> {
    let mut opened = Vec::new();
    read_all(root, |record| {
        if let Record::SegmentOpened(segment) = record.expect("the ledger is whole") {
            opened.push((segment.start.micros_since(Wall::from_secs(WALL)) / 1000, segment.fallback));
        }
    })
    .unwrap();
    opened
}

#[test]
fn the_fallback_and_the_way_back_are_segments_of_one_line_of_time() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, main) = ring();
    lab.writer.take(YARD, &ring);
    film(&main, 0, 3, &avc(640));
    main.end();
    // The second stream comes 2 s later and is of another size.
    let second = ring.connect(Stream::Fallback);
    ring.select(Stream::Fallback);
    film(&second, 5, 8, &avc(320));
    lab.durable(7);
    // The first is back; its frames come sooner than the second's, which still brings some of the time before.
    let main = ring.connect(Stream::Main);
    ring.select(Stream::Main);
    for frame in 200..205 {
        second.push(unit(TrackKind::Video, frame * FRAME, frame == 200, &avc(320)));
    }
    for frame in 201..251 {
        main.push(unit(TrackKind::Video, frame * FRAME, frame == 201 || frame == 225, &avc(640)));
        second.push(unit(TrackKind::Video, (frame + 4) * FRAME, false, &avc(320)));
    }
    second.end();
    lab.durable(10);
    let stored = lab.close();
    assert_eq!(opened(root.path()), [(0, false), (5_000, true), (8_040, false)]);
    let headers: Vec<bool> = files(root.path()).iter().map(|(_, facts)| facts.header.fallback).collect();
    assert_eq!(headers, [false, true, false], "the files say so too");
    for pair in stored.windows(2) {
        let back = pair[0].to.micros_since(pair[1].from);
        assert!(back <= 200_000, "nothing runs back by more than the streams overlap: {pair:?}");
    }
    let before: Vec<_> = files(root.path()).iter().map(|(_, facts)| facts.header.before.len()).collect();
    assert_eq!(before, [0, 0, 0], "nobody said that anything was missing");
    let endings: Vec<_> = endings(root.path()).into_iter().map(|(_, ending)| ending).collect();
    assert_eq!(endings, [Ending::StreamEnded, Ending::StreamEnded, Ending::Stopped]);
}

#[test]
fn a_note_of_a_gap_that_the_fallback_refuted_is_not_told_by_the_segment_that_overlaps_it() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, main) = ring();
    let second = ring.connect(Stream::Fallback);
    ring.select(Stream::Fallback);
    lab.writer.take(YARD, &ring);
    film(&second, 0, 3, &avc(320));
    lab.durable(2);
    let from = Wall::from_secs(WALL + 2);
    lab.writer.account(Entry::GapOpened { camera: YARD, from, cause: Cause::Lost });
    film(&second, 3, 6, &avc(320));
    ring.select(Stream::Main);
    for frame in 145..200 {
        main.push(unit(TrackKind::Video, frame * FRAME, frame == 145 || frame == 175, &avc(640)));
    }
    lab.durable(7);
    lab.close();
    let before: Vec<_> = files(root.path()).iter().map(|(_, facts)| facts.header.before.clone()).collect();
    assert_eq!(opened(root.path()), [(0, true), (5_800, false)]);
    assert!(before.iter().all(|notes| notes.is_empty()), "{before:?}");
}

#[test]
fn a_ledger_that_was_not_closed_since_memory_ran_out_says_so() {
    let (this, other) = (Id128([1; 16]), Id128([7; 16]));
    let memory = |session| Some(LastWords { session, cause: End::OutOfMemory });
    for (case, words, boot, expected) in [
        ("nobody knows", None, 2, Past::Crashed),
        ("it is of this ledger's session", memory(this), 2, Past::OutOfMemory),
        ("it is of another one", memory(other), 2, Past::Crashed),
        ("the machine went down since", memory(this), 9, Past::PowerLost),
    ] {
        let root = tempfile::tempdir().unwrap();
        let mut lab = Lab::open(root.path());
        let (ring, feed) = ring();
        lab.writer.take(YARD, &ring);
        film(&feed, 0, 3, &avc(320));
        lab.durable(2);
        lab.writer.abandon();
        until("its thread has let go", || lab.writer.has_ended());
        let session = Id128([5; 16]);
        let next = Job { last_words: words, session, boot: Id128([boot; 16]), ..job(root.path()) };
        let mut lab = Lab::start(next);
        let said = |event: &VolumeEvent| {
            matches!(event, VolumeEvent::LedgerEnds { .. } | VolumeEvent::History { .. } | VolumeEvent::Ready)
        };
        let VolumeEvent::LedgerEnds { at } = lab.wait(said) else { panic!("{case}: not told first") };
        assert!(at >= Wall::from_secs(WALL + 2), "{case}: {at:?}");
        let VolumeEvent::History { past, .. } = lab.wait(said) else { panic!("{case}: no history") };
        assert_eq!(past, expected, "{case}");
    }
}
