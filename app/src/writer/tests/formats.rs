//! Formats that change: which changes begin another file, and what the frames of one file bring with them.

use super::*;
use crate::mp4::TrackConfig;

/// As `avc`, with another picture parameter set.
fn other() -> Arc<TrackConfig> {
    let codec_data = vec![1, 66, 192, 30, 0xff, 0xe1, 0, 4, 0x67, 66, 192, 30, 1, 0, 3, 0x68, 0xce, 0x3c];
    Arc::new(TrackConfig::H264 { codec_data, width: 320, height: 240 })
}

/// As `avc`, with lengths of two bytes.
fn short() -> Arc<TrackConfig> {
    let codec_data = vec![1, 66, 192, 30, 0xfd, 0xe1, 0, 4, 0x67, 66, 192, 30, 1, 0, 2, 0x68, 0xce];
    Arc::new(TrackConfig::H264 { codec_data, width: 320, height: 240 })
}

fn aac_in(channels: u8) -> Arc<TrackConfig> {
    Arc::new(TrackConfig::Aac { codec_data: vec![0x11, 0x80 | channels << 3], rate: 48_000, channels })
}

/// Opens a volume whose segments are long.
fn lab(root: &Path) -> Lab {
    let limits = Limits { segment: Duration::from_secs(60), fragment: Duration::from_secs(1) };
    Lab::open_with(Job { limits, ..job(root) })
}

/// Frames of each segment and the name of its sample entry.
fn entries(root: &Path) -> Vec<(u32, &'static str)> {
    let entry = |bytes: &[u8]| {
        let found = |name: &&str| bytes.windows(4).any(|window| window == name.as_bytes());
        ["avc1", "avc3"].into_iter().find(found).expect("it has a sample entry")
    };
    files(root).iter().map(|(bytes, facts)| (facts.frames, entry(bytes))).collect()
}

/// How often these bytes lie in a file.
fn count(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).filter(|window| *window == part).count()
}

#[test]
fn a_format_that_flaps_each_second_makes_a_file_in_ten() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = lab(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    for second in 0..35 {
        film(&feed, second, second + 1, &if second % 2 == 0 { avc(320) } else { other() });
    }
    lab.durable(34);
    assert_tiled(&lab.close(), 0, 35);
    // A change cuts at 1, 12, 23 and 34 s; what comes between is the entry's own format, or stays.
    let expected = [(25, "avc1"), (275, "avc3"), (275, "avc3"), (275, "avc3"), (25, "avc3")];
    assert_eq!(entries(root.path()), expected);
    let pps = [0, 0, 0, 3, 0x68, 0xce, 0x3c, 0, 0, 0, 4, 0x65];
    let brought: Vec<usize> = files(root.path()).iter().map(|(bytes, _)| count(bytes, &pps)).collect();
    assert_eq!(brought, [0, 6, 5, 6, 0], "each keyframe of that format, in front of its slice");
}

#[test]
fn where_segments_are_as_short_as_that_a_format_that_flaps_makes_no_more_of_them() {
    let root = tempfile::tempdir().unwrap();
    // Segments of 10 s.
    let mut lab = Lab::open(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    for second in 0..35 {
        film(&feed, second, second + 1, &if second % 2 == 0 { avc(320) } else { other() });
    }
    lab.durable(34);
    assert_tiled(&lab.close(), 0, 35);
    let expected = [(25, "avc1"), (250, "avc3"), (250, "avc3"), (250, "avc3"), (100, "avc3")];
    assert_eq!(entries(root.path()), expected);
}

#[test]
fn one_change_cuts_at_once_and_files_are_ordinary_again_after_a_minute() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 4, &avc(320));
    film(&feed, 4, 76, &other());
    lab.durable(75);
    assert_tiled(&lab.close(), 0, 76);
    let mut expected = vec![(100, "avc1")];
    expected.extend([(250, "avc3"); 6]);
    expected.extend([(250, "avc1"), (50, "avc1")]);
    assert_eq!(entries(root.path()), expected);
}

#[test]
fn a_change_within_the_first_fragment_or_after_another_cut_is_no_exception() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = lab(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    // A keyframe every 200 ms, each of another format; after 3 s the connection ends and another one comes.
    let flap = |feed: &Feed, from: u64, to: u64| {
        for frame in from..to {
            let config = if frame / 5 % 2 == 0 { avc(320) } else { other() };
            feed.push(unit(TrackKind::Video, frame * FRAME, frame % 5 == 0, &config));
        }
    };
    flap(&feed, 0, 75);
    feed.end();
    let feed = ring.connect(Stream::Main);
    flap(&feed, 75, 250);
    lab.durable(9);
    assert_tiled(&lab.close(), 0, 10);
    assert_eq!(entries(root.path()), [(5, "avc1"), (70, "avc3"), (175, "avc3")]);
}

#[test]
fn a_format_that_cannot_share_the_file_cuts_whenever_it_comes() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = lab(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 2, &avc(320));
    film(&feed, 2, 4, &other());
    film(&feed, 4, 6, &short());
    film(&feed, 6, 7, &avc(320));
    lab.durable(6);
    assert_tiled(&lab.close(), 0, 7);
    assert_eq!(entries(root.path()), [(50, "avc1"), (50, "avc3"), (50, "avc3"), (25, "avc3")]);
}

#[test]
fn a_change_in_the_middle_of_a_gop_brings_its_sets_and_cuts_at_the_next_keyframe() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = lab(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    for frame in 0..75 {
        let config = if frame < 36 { avc(320) } else { other() };
        feed.push(unit(TrackKind::Video, frame * FRAME, frame % 25 == 0, &config));
    }
    lab.durable(2);
    assert_tiled(&lab.close(), 0, 3);
    assert_eq!(entries(root.path()), [(50, "avc1"), (25, "avc3")]);
    let (bytes, _) = &files(root.path())[0];
    assert_eq!(
        count(bytes, &[0, 0, 0, 3, 0x68, 0xce, 0x3c]),
        1,
        "once, before the first frame that needs it"
    );
}

#[test]
fn sound_that_flaps_costs_sound_and_makes_a_file_in_ten_seconds() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = lab(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    for frame in 0..30 * 25 {
        feed.push(unit(TrackKind::Video, frame * FRAME, frame % 25 == 0, &avc(320)));
        if frame % 5 == 3 {
            feed.push(unit(TrackKind::Audio, frame * FRAME, true, &aac_in(1 + (frame / 25 % 2) as u8)));
        }
    }
    lab.durable(29);
    assert_tiled(&lab.close(), 0, 30);
    let files = entries(root.path());
    assert_eq!(files.iter().map(|(frames, _)| frames).sum::<u32>(), 750, "no frame is lost: {files:?}");
    assert!(files.len() <= 4 && files.iter().all(|(_, entry)| *entry == "avc1"), "{files:?}");
}

#[test]
fn sound_that_begins_just_after_a_change_of_the_picture_does_not_wait() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = lab(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 2, &avc(320));
    film(&feed, 2, 4, &other());
    film_with_sound(&feed, 4, 8, &other());
    lab.durable(7);
    assert_tiled(&lab.close(), 0, 8);
    assert_eq!(segments(root.path()), [(50, 1), (75, 1), (75, 2)]);
}

#[test]
fn sound_goes_on_in_the_file_while_the_picture_pauses_and_the_other_way_round() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = lab(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film_with_sound(&feed, 0, 2, &avc(320));
    (8..20).for_each(|quarter| {
        feed.push(unit(TrackKind::Audio, quarter * SECOND / 4, true, &aac()));
    });
    // After a pause what came of the picture is durable without waiting for more of it.
    lab.durable(2);
    film(&feed, 5, 7, &avc(320));
    film_with_sound(&feed, 7, 9, &avc(320));
    lab.durable(8);
    let stored: Vec<Span> = lab.close().into_iter().filter(|span| !span.is_empty()).collect();
    assert_eq!(segments(root.path()), [(150, 2)], "one file, with the hole in it");
    let at = |second: i64| Wall::from_secs(WALL + second);
    assert!(stored.iter().all(|span| span.to <= at(2) || span.from >= at(5)), "{stored:?}");
    let (_, facts) = &files(root.path())[0];
    assert_eq!(facts.stretches, [Span::new(at(0), at(2)), Span::new(at(5), at(9))]);
}
