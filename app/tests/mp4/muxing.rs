//! The muxer's contract, on samples made by hand: 25 frames a second, 3600 ticks each.

use crate::media::{self, START};
use holdfast::mp4::{Fragment, Mp4Error, Sample, SegmentMuxer, TrackConfig, scan};
use holdfast_core::time::Mono;
use holdfast_wire::segment::{SegmentHeader, SegmentHeaderV1};
use mp4_atom::{Decode, Prft, ReferenceTime};
use proptest::prelude::*;
use std::io::Cursor;
use std::time::Duration;

pub fn h264() -> TrackConfig {
    TrackConfig::H264 { codec_data: vec![1, 77, 0, 30, 0xff, 0xe0, 0], width: 64, height: 48 }
}

fn flac() -> TrackConfig {
    let mut stream_info = [0; 34];
    stream_info[..4].copy_from_slice(&[0, 160, 0, 160]);
    TrackConfig::Flac { stream_info, rate: 8000, channels: 1 }
}

pub fn sample(track: usize, millis: u64, keyframe: bool) -> Sample<Vec<u8>> {
    let pts = Mono::from_nanos(5_000_000_000 + millis * 1_000_000);
    Sample { track, pts, duration: None, keyframe, payload: vec![track as u8 + 1; 3 + millis as usize % 5] }
}

fn at(millis: u64) -> Mono {
    sample(0, millis, false).pts
}

fn muxer(tracks: Vec<TrackConfig>) -> SegmentMuxer<Vec<u8>> {
    SegmentMuxer::new(tracks, media::header(), 0).unwrap()
}

fn spans(fragments: &[Fragment<Vec<u8>>]) -> Vec<(Mono, Mono, u32)> {
    fragments.iter().map(|fragment| (fragment.from, fragment.to, fragment.frames)).collect()
}

#[test]
fn nothing_held_gives_nothing() {
    let mut muxer = muxer(vec![h264(), flac()]);
    assert!(muxer.cut(None).is_empty());
    assert_eq!(muxer.buffered(), None);
    muxer.push(sample(1, 0, true));
    assert!(muxer.cut(None).is_empty(), "audio alone begins no segment");
    muxer.push(sample(0, 100, true));
    muxer.push(sample(9, 120, true));
    muxer.push(sample(1, 80, true));
    let fragments = muxer.cut(Some(at(140)));
    assert_eq!(spans(&fragments), [(at(100), at(140), 1)]);
    assert_eq!(
        fragments[0].payloads.len(),
        1,
        "audio from before media time zero, and of no track, is dropped"
    );
    assert!(muxer.cut(None).is_empty());
}

#[test]
fn what_is_held_is_measured_from_first_to_last_pts() {
    let mut muxer = muxer(vec![h264(), flac()]);
    for (millis, held) in [(0, 0), (120, 120), (40, 120), (80, 120), (240, 240)] {
        muxer.push(sample(0, millis, millis == 0));
        muxer.push(sample(1, millis + 900, true));
        assert_eq!(muxer.buffered(), Some(Duration::from_millis(held)));
    }
    muxer.cut(None);
    assert_eq!(muxer.buffered(), None);
}

#[test]
fn only_the_first_fragment_carries_the_segments_start() {
    let mut muxer = muxer(vec![h264()]);
    for (millis, first) in [(0, true), (40, false), (80, false)] {
        muxer.push(sample(0, millis, first));
        let fragments = muxer.cut(Some(at(millis + 40)));
        let kind = &fragments[0].head[4..8];
        assert_eq!(kind, if first { b"ftyp" } else { b"prft" });
        assert_eq!(spans(&fragments), [(at(millis), at(millis + 40), 1)]);
    }
}

#[test]
fn audio_goes_on_while_video_is_missing() {
    let mut muxer = muxer(vec![h264(), flac()]);
    muxer.push(sample(0, 0, true));
    muxer.push(sample(1, 0, true));
    let mut fragments = muxer.cut(Some(at(40)));
    muxer.push(sample(1, 20, true));
    muxer.push(sample(1, 40, true));
    fragments.extend(muxer.cut(None));
    assert_eq!(
        spans(&fragments),
        [(at(0), at(40), 1), (at(40), at(40), 0)],
        "a fragment of audio covers nothing"
    );
    let (bytes, _) = media::file(&fragments);
    let facts = scan(Cursor::new(&bytes), bytes.len() as u64).unwrap();
    assert_eq!((facts.frames, facts.torn_bytes), (1, 0));
    assert_eq!(facts.end.micros_since(START), 40_000);
}

#[test]
fn data_follows_in_the_order_of_tracks() {
    let mut muxer = muxer(vec![h264(), flac()]);
    for millis in [0, 20, 40, 60, 80] {
        muxer.push(sample(usize::from(millis % 40 != 0), millis, millis == 0));
    }
    let tracks: Vec<u8> = muxer.cut(None)[0].payloads.iter().map(|payload| payload[0]).collect();
    assert_eq!(tracks, [1, 1, 1, 2, 2]);
}

#[test]
fn a_hole_inside_what_is_held_parts_it_in_two() {
    let mut muxer = muxer(vec![h264(), flac()]);
    for millis in [0, 40, 80, 5000, 5040] {
        muxer.push(sample(0, millis, millis == 0));
        muxer.push(sample(1, millis, true));
    }
    let fragments = muxer.cut(Some(at(9000)));
    assert_eq!(spans(&fragments), [(at(0), at(120), 3), (at(5000), at(5080), 2)]);
    muxer.push(sample(0, 9000, true));
    assert_eq!(
        spans(&muxer.cut(None)),
        [(at(9000), at(9040), 1)],
        "a hole between what was cut and what follows"
    );
}

#[test]
fn a_stream_of_one_frame_in_two_seconds_has_no_holes() {
    let mut muxer = muxer(vec![h264()]);
    for second in 0..5 {
        muxer.push(sample(0, second * 2000, second == 0));
    }
    assert_eq!(spans(&muxer.cut(Some(at(10_000)))), [(at(0), at(10_000), 5)]);
}

#[test]
fn tracks_that_cannot_be_written_are_refused_with_their_reason() {
    let no_config = |track| match track {
        TrackConfig::H264 { width, height, .. } => TrackConfig::H264 { codec_data: vec![1], width, height },
        other => other,
    };
    let aac = |codec_data: Vec<u8>, rate, channels| TrackConfig::Aac { codec_data, rate, channels };
    let cases = [
        ("no tracks", vec![], Mp4Error::NoVideo),
        ("audio first", vec![flac(), h264()], Mp4Error::NoVideo),
        ("two videos", vec![h264(), h264()], Mp4Error::SecondVideo { track: 1 }),
        (
            "a short record",
            vec![no_config(h264())],
            Mp4Error::CodecData { track: 0, codec: "H.264", length: 1 },
        ),
        (
            "a long AudioSpecificConfig",
            vec![h264(), aac(vec![0x12; 65], 44_100, 2)],
            Mp4Error::CodecData { track: 1, codec: "AAC", length: 65 },
        ),
        (
            "no rate",
            vec![h264(), flac(), aac(vec![0x12, 0x10], 0, 2)],
            Mp4Error::Audio { track: 2, rate: 0, channels: 2 },
        ),
        (
            "Opus in six channels",
            vec![h264(), TrackConfig::Opus { rate: 48_000, channels: 6, pre_skip: 0 }],
            Mp4Error::Audio { track: 1, rate: 48_000, channels: 6 },
        ),
    ];
    for (name, tracks, expected) in cases {
        let refused = SegmentMuxer::<Vec<u8>>::new(tracks, media::header(), 0).err();
        assert_eq!(refused, Some(expected), "{name}");
    }
}

proptest! {
    #[test]
    fn no_timestamps_whatever_stop_the_muxer(
        samples in prop::collection::vec((0usize..3, prop_oneof![any::<u64>(), 0u64..10_000_000_000], any::<bool>(), 0u64..u64::MAX), 1..80),
        hint in 0usize..40,
    ) {
        let mut muxer = SegmentMuxer::new(vec![h264(), flac()], media::header(), hint).unwrap();
        let mut fragments = Vec::new();
        let mut frames = 0;
        for (track, pts, cut, duration) in samples {
            let pts = Mono::from_nanos(pts);
            frames += u32::from(track == 0);
            let duration = cut.then(|| Duration::from_nanos(duration));
            muxer.push(Sample { track, pts, duration, keyframe: cut, payload: vec![7; track] });
            if cut { fragments.extend(muxer.cut(Some(pts))); }
        }
        fragments.extend(muxer.cut(None));
        prop_assert_eq!(fragments.iter().map(|fragment| fragment.frames).sum::<u32>(), frames, "every frame is in a fragment");
        prop_assert!(fragments.iter().all(|fragment| fragment.from <= fragment.to));
        prop_assert!(fragments.windows(2).all(|pair| pair[0].to <= pair[1].from), "spans never overlap");
    }
}

#[test]
fn every_fragment_tells_the_wall_time_of_its_first_frame() {
    // From 1900 to 2026-05-01T10:00:00Z; frames in decode order, one anchor before two B-frames.
    const NTP_START: f64 = 3_986_618_400.0;
    for (trusted, expected) in [(true, ReferenceTime::RealTime), (false, ReferenceTime::Consistent)] {
        let SegmentHeader::V1(header) = media::header();
        let header = SegmentHeader::V1(SegmentHeaderV1 { clock_trusted: trusted, ..header });
        let mut muxer = SegmentMuxer::new(vec![h264()], header, 0).unwrap();
        let mut told = Vec::new();
        for (millis, next) in [([0, 120, 40, 80], 240), ([240, 160, 200, 360], 280)] {
            millis.iter().for_each(|at| muxer.push(sample(0, *at, *at == 0)));
            let head = muxer.cut(Some(at(next))).remove(0).head;
            let begin = head.windows(4).position(|kind| kind == b"prft").unwrap() - 4;
            let prft = Prft::decode(&mut &head[begin..]).unwrap();
            assert_eq!((prft.reference_track_id, &prft.utc_time_semantics), (1, &expected));
            told.push((prft.media_time, prft.ntp_timestamp as f64 / 2f64.powi(32)));
        }
        // One frame of reordering: the file's times lie 40 ms above those from media time zero.
        assert_eq!((told[0].0, told[1].0), (3600, 3600 + 240 * 90));
        assert!((told[0].1 - NTP_START).abs() < 1e-5, "{told:?}");
        assert!((told[1].1 - NTP_START - 0.240).abs() < 1e-5, "{told:?}");
    }
}
