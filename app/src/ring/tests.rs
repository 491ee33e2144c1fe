//! The ring's promises, told as tables of what was pushed and what comes out.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::effect::Stream;
use holdfast_core::time::Mono;
use proptest::prelude::*;

use super::*;
use crate::mp4::TrackConfig;

mod streams;

const FRAME: u64 = 40_000_000;

fn config() -> Arc<TrackConfig> {
    Arc::new(TrackConfig::H264 { codec_data: vec![], width: 16, height: 16 })
}

fn video(frame: u64, keyframe: bool, size: usize) -> AccessUnit {
    AccessUnit {
        track: TrackKind::Video,
        pts: Mono(1_000_000_000 + frame * FRAME),
        duration: None,
        keyframe,
        config: config(),
        data: Data::new(vec![0u8; size]),
    }
}

fn ring(bytes: usize, millis: u64) -> Arc<Ring> {
    Ring::new(Limits { bytes, time: Duration::from_millis(millis) })
}

/// Pushes `frames` frames of 100 bytes, a keyframe every ten, from frame `first` on.
fn feed(feed: &Feed, first: u64, frames: u64) {
    (first..first + frames).for_each(|frame| feed.push(video(frame, frame % 10 == 0, 100)));
}

/// What a reader got, short: `G` a GOP that continues, `g` one that does not, `E` an end, numbers are frames.
fn story(items: &[Item]) -> String {
    let word = |item: &Item| match item {
        Item::Gop { continues: true, .. } => "G".into(),
        Item::Gop { continues: false, .. } => "g".into(),
        Item::End => "E".into(),
        Item::Unit(_, unit) => ((unit.pts.0 - 1_000_000_000) / FRAME).to_string(),
    };
    items.iter().map(word).collect::<Vec<String>>().join(" ")
}

fn read(reader: &mut Reader) -> String {
    let mut items = Vec::new();
    assert!(reader.read(&mut items, 1000), "this reader is attached");
    story(&items)
}

#[test]
fn its_fill_counts_what_is_not_durable_in_bytes_or_time_whichever_is_more() {
    // Ten frames of 100 bytes are 360 ms from the first to the last; 25 are 960 ms.
    for (case, bytes, millis, frames, expected) in [
        ("empty", 10_000, 10_000, 0, 0),
        ("the least is not nothing", 1 << 20, 60_000, 1, 1),
        ("by bytes", 10_000, 60_000, 25, 25),
        ("by time", 1 << 20, 1_920, 25, 50),
        ("all that it may hold", 2_500, 60_000, 25, 100),
        ("a ring for nothing", 0, 0, 0, 100),
    ] {
        let ring = ring(bytes, millis);
        feed(&ring.connect(Stream::Main), 0, frames);
        assert_eq!(ring.fill(), expected, "{case}");
    }
}

#[test]
fn its_fill_falls_as_footage_becomes_durable_and_rises_when_its_reader_is_taken_away() {
    let ring = ring(10_000, 60_000);
    let input = ring.connect(Stream::Main);
    feed(&input, 0, 35);
    let mut reader = ring.attach();
    assert_eq!(ring.fill(), 35, "nobody has read it");
    read(&mut reader);
    assert_eq!(ring.fill(), 35, "read is not durable");
    reader.release(15);
    assert_eq!((ring.fill(), ring.bytes()), (20, 2_500), "half of its GOP is durable, and held");
    reader.release(35);
    assert_eq!((ring.fill(), ring.bytes()), (0, 500), "the GOP that grows is held");
    feed(&input, 35, 1);
    assert_eq!(ring.fill(), 1);
    ring.detach();
    assert_eq!(ring.fill(), 6, "for the next reader all of it is new");
}

#[test]
fn nothing_is_kept_before_the_first_keyframe_of_a_connection() {
    let ring = ring(1 << 20, 60_000);
    let over = ring.connect(Stream::Main);
    over.end();
    feed(&over, 0, 3);
    feed(&ring.connect(Stream::Main), 7, 5);
    assert_eq!(read(&mut ring.attach()), "g 10 11");
}

#[test]
fn a_reader_gets_each_unit_once_with_its_gop_announced() {
    let ring = ring(1 << 20, 60_000);
    let input = ring.connect(Stream::Main);
    let mut reader = ring.attach();
    feed(&input, 0, 4);
    assert_eq!(read(&mut reader), "g 0 1 2 3");
    assert_eq!(read(&mut reader), "");
    feed(&input, 4, 8);
    assert_eq!(read(&mut reader), "4 5 6 7 8 9 G 10 11");
}

#[test]
fn the_end_of_a_connection_is_told_once_and_the_next_does_not_continue() {
    let ring = ring(1 << 20, 60_000);
    let input = ring.connect(Stream::Main);
    let mut reader = ring.attach();
    feed(&input, 0, 2);
    input.end();
    assert_eq!(read(&mut reader), "g 0 1 E");
    assert_eq!(read(&mut reader), "");
    let input = ring.connect(Stream::Main);
    assert_eq!(read(&mut reader), "");
    feed(&input, 50, 2);
    assert_eq!(read(&mut reader), "g 50 51");
}

#[test]
fn a_quick_reconnect_between_two_reads_still_shows_the_end() {
    let ring = ring(1 << 20, 60_000);
    let input = ring.connect(Stream::Main);
    let mut reader = ring.attach();
    feed(&input, 0, 2);
    input.end();
    let input = ring.connect(Stream::Main);
    feed(&input, 20, 2);
    assert_eq!(read(&mut reader), "g 0 1 E g 20 21");
}

#[test]
fn what_is_not_durable_is_read_again_by_the_next_reader_from_its_keyframe() {
    let ring = ring(1 << 20, 60_000);
    let input = ring.connect(Stream::Main);
    let mut first = ring.attach();
    feed(&input, 0, 25);
    let mut items = Vec::new();
    first.read(&mut items, 1000);
    let after_frame_14 = items
        .iter()
        .find_map(|item| match item {
            Item::Unit(position, unit) if unit.pts == video(15, false, 0).pts => Some(*position),
            _ => None,
        })
        .unwrap();
    first.release(after_frame_14);
    let mut second = ring.attach();
    assert!(!first.read(&mut items, 1000), "the first reader has lost the ring");
    assert_eq!(read(&mut second), "g 10 11 12 13 14 15 16 17 18 19 G 20 21 22 23 24");
}

#[test]
fn a_reader_that_lost_the_ring_releases_nothing() {
    let ring = ring(1 << 20, 60_000);
    let input = ring.connect(Stream::Main);
    let mut first = ring.attach();
    feed(&input, 0, 25);
    let _second = ring.attach();
    first.release(u64::MAX);
    assert_eq!(ring.bytes(), 2500);
}

#[test]
fn a_full_ring_drops_its_oldest_whole_gops_and_tells_the_span() {
    let ring = ring(3000, 60_000);
    let input = ring.connect(Stream::Main);
    feed(&input, 0, 55);
    assert!(ring.bytes() <= 3000);
    let frame = |n: u64| video(n, false, 0).pts;
    assert_eq!(
        ring.take_drops(),
        [Dropped { from: frame(0), to: frame(30), units: 30, bytes: 3000 }],
        "three neighbours are told as one"
    );
    assert_eq!(
        read(&mut ring.attach()),
        "g 30 31 32 33 34 35 36 37 38 39 G 40 41 42 43 44 45 46 47 48 49 G 50 51 52 53 54"
    );
}

#[test]
fn time_bounds_the_ring_as_bytes_do() {
    let ring = ring(1 << 20, 1000);
    let input = ring.connect(Stream::Main);
    feed(&input, 0, 40);
    assert_eq!(ring.take_drops().iter().map(|drop| drop.units).sum::<u32>(), 20);
    assert!(read(&mut ring.attach()).starts_with("g 20 "));
}

#[test]
fn a_drop_never_takes_the_gop_that_is_being_read() {
    let ring = ring(2000, 60_000);
    let input = ring.connect(Stream::Main);
    let mut reader = ring.attach();
    feed(&input, 0, 5);
    assert_eq!(read(&mut reader), "g 0 1 2 3 4");
    feed(&input, 5, 30);
    assert_eq!(read(&mut reader), "5 6 7 8 9 g 30 31 32 33 34", "10 to 29 were dropped whole");
}

#[test]
fn a_gop_larger_than_the_ring_goes_whole_and_recording_goes_on_at_the_next_keyframe() {
    let ring = ring(500, 60_000);
    let input = ring.connect(Stream::Main);
    input.push(video(0, true, 100));
    (1..8).for_each(|frame| input.push(video(frame, false, 100)));
    assert_eq!(ring.bytes(), 0);
    input.push(video(8, true, 100));
    assert_eq!(read(&mut ring.attach()), "g 8");
    let drops = ring.take_drops();
    assert_eq!(drops.len(), 1);
    assert_eq!((drops[0].units, drops[0].bytes), (8, 800));
    assert_eq!(drops[0].to, video(8, true, 0).pts);
}

#[test]
fn a_gop_larger_than_the_ring_costs_nothing_while_the_disk_keeps_up() {
    let ring = ring(1000, 60_000);
    let input = ring.connect(Stream::Main);
    let mut reader = ring.attach();
    let mut came = 0;
    for frame in 0..200 {
        input.push(video(frame, frame % 50 == 0, 40 + 100 * usize::from(frame % 50 == 0)));
        let mut items = Vec::new();
        assert!(reader.read(&mut items, 1000));
        for item in items {
            if let Item::Unit(position, _) = item {
                came += 1;
                reader.release(position + 1);
            }
        }
    }
    assert_eq!((came, ring.take_drops()), (200, vec![]));
}

#[test]
fn what_is_left_of_a_gop_without_its_keyframe_is_dropped_for_another_reader_and_told() {
    let ring = ring(1000, 60_000);
    let input = ring.connect(Stream::Main);
    let mut reader = ring.attach();
    (0..10).for_each(|frame| input.push(video(frame, frame == 0, 100)));
    let mut items = Vec::new();
    reader.read(&mut items, 1000);
    reader.release(6);
    input.push(video(10, false, 100));
    assert_eq!(ring.bytes(), 500, "the six durable ones went, four and the new one stay");
    let mut other = ring.attach();
    input.push(video(11, false, 100));
    input.push(video(12, true, 100));
    assert_eq!(read(&mut other), "g 12");
    assert_eq!(ring.take_drops().iter().map(|drop| drop.units).sum::<u32>(), 6, "frames 6 to 11");
}

#[test]
fn a_ring_without_a_reader_counts_everything_as_unread_again() {
    let ring = ring(2000, 60_000);
    let input = ring.connect(Stream::Main);
    let mut reader = ring.attach();
    feed(&input, 0, 15);
    read(&mut reader);
    ring.detach();
    feed(&input, 15, 10);
    assert_eq!(ring.take_drops().iter().map(|drop| drop.units).sum::<u32>(), 10);
    assert!(read(&mut ring.attach()).starts_with("g 10 11"));
}

#[test]
fn a_connection_whose_tear_down_hangs_disturbs_the_next_one_in_nothing() {
    let ring = ring(1 << 20, 60_000);
    let hanging = ring.connect(Stream::Main);
    let mut reader = ring.attach();
    feed(&hanging, 0, 2);
    let input = ring.connect(Stream::Main);
    feed(&input, 20, 2);
    hanging.push(video(2, true, 100));
    hanging.end();
    feed(&input, 22, 1);
    assert_eq!(read(&mut reader), "g 0 1 E g 20 21 22");
}

/// One step of a random life.
#[derive(Clone, Debug)]
enum Step {
    Push { keyframe: bool, size: usize },
    Reconnect,
    Read(usize),
    Release,
    Attach,
    Detach,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (prop::bool::weighted(0.15), 1usize..400).prop_map(|(keyframe, size)| Step::Push { keyframe, size }),
        1 => Just(Step::Reconnect),
        4 => (1usize..40).prop_map(Step::Read),
        2 => Just(Step::Release),
        1 => Just(Step::Attach),
        1 => Just(Step::Detach),
    ]
}

proptest! {
    /// Whatever happens: the bound on bytes holds but for what the reader has begun; what is read rises,
    /// begins each GOP with a keyframe, and every frame pushed after a keyframe is either readable,
    /// released, or told as dropped.
    #[test]
    fn the_bounds_hold_and_every_unit_is_accounted(steps in prop::collection::vec(step(), 1..400)) {
        let limit = 4000;
        let ring = ring(limit, 10_000_000);
        let mut input = ring.connect(Stream::Main);
        let mut reader: Option<Reader> = None;
        let mut frame = 0u64;
        let mut started = false;
        let (mut taken, mut released, mut dropped) = (0u64, 0u64, 0u64);
        let (mut last_position, mut last_read) = (None::<u64>, 0u64);
        let mut reading_bytes = 0usize;
        for step in steps {
            match step {
                Step::Push { keyframe, size } => {
                    started |= keyframe;
                    taken += u64::from(started);
                    let before = durable_positions(&ring);
                    input.push(video(frame, keyframe, size));
                    frame += 1;
                    let after = durable_positions(&ring);
                    released += before.iter().filter(|position| !after.contains(position)).count() as u64;
                    prop_assert!(ring.bytes() <= limit + reading_bytes, "{} bytes held", ring.bytes());
                }
                Step::Reconnect => {
                    input.end();
                    input = ring.connect(Stream::Main);
                    started = false;
                }
                Step::Read(most) => {
                    let Some(reader) = reader.as_mut() else { continue };
                    let mut items = Vec::new();
                    prop_assert!(reader.read(&mut items, most));
                    let mut gop = false;
                    for item in items {
                        match item {
                            Item::Gop { .. } => gop = true,
                            Item::End => {}
                            Item::Unit(position, unit) => {
                                prop_assert!(last_position.is_none_or(|last| position > last));
                                prop_assert!(!gop || unit.keyframe, "a GOP begins with its keyframe");
                                gop = false;
                                reading_bytes += unit.len();
                                last_position = Some(position);
                                last_read = position + 1;
                            }
                        }
                    }
                }
                Step::Release => {
                    if let Some(reader) = reader.as_mut() {
                        let before = count(&ring);
                        reader.release(last_read);
                        released += before - count(&ring);
                    }
                }
                Step::Attach => {
                    reader = Some(ring.attach());
                    (last_position, last_read) = (None, 0);
                }
                Step::Detach => {
                    ring.detach();
                    reader = None;
                }
            }
            dropped += ring.take_drops().iter().map(|drop| u64::from(drop.units)).sum::<u64>();
        }
        // Drops that still run are told when the connection ends.
        input.end();
        dropped += ring.take_drops().iter().map(|drop| u64::from(drop.units)).sum::<u64>();
        prop_assert!(
            count(&ring) + released + dropped == taken,
            "taken {taken} = held {} + released {released} + dropped {dropped}", count(&ring)
        );
    }
}

/// Units held.
fn count(ring: &Ring) -> u64 {
    ring.lock().gops.iter().map(|gop| gop.units.len() as u64).sum()
}

/// Positions of the units held that are durable.
fn durable_positions(ring: &Ring) -> Vec<u64> {
    let inner = ring.lock();
    let durable = inner.cursor.as_ref().map_or(0, |cursor| cursor.durable);
    let positions = inner.gops.iter().flat_map(|gop| gop.first..gop.next_position());
    positions.filter(|position| *position < durable).collect()
}
