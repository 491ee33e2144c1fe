//! ffprobe, ffmpeg and qtdemux on our segments: what they read is what went in.

use crate::media::{self, START, Stream};
use gstreamer as gst;
use gstreamer::prelude::*;
use holdfast::mp4::{Sample, scan};
use holdfast_core::time::Mono;
use holdfast_wire::time::{Span, Wall};
use serde_json::Value;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Runs a tool that must succeed without a word on stderr; its stdout.
pub fn quietly(program: &str, arguments: &[&str], file: &Path) -> Vec<u8> {
    let output = Command::new(program)
        .args(
            arguments
                .iter()
                .map(|argument| if *argument == "FILE" { file.as_os_str() } else { argument.as_ref() }),
        )
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{program}: {complaints}");
    output.stdout
}

pub fn ffprobe(file: &Path) -> Value {
    let arguments = ["-v", "error", "-show_packets", "-show_streams", "-show_format", "-of", "json", "FILE"];
    serde_json::from_slice(&quietly("ffprobe", &arguments, file)).unwrap()
}

fn decode(file: &Path) {
    quietly("ffmpeg", &["-v", "error", "-i", "FILE", "-f", "null", "-"], file);
}

pub fn numbers(probed: &Value, stream: usize, field: &str) -> Vec<i64> {
    let packets = probed["packets"].as_array().unwrap().iter();
    packets
        .filter(|packet| packet["stream_index"] == stream)
        .map(|packet| match &packet[field] {
            Value::String(text) => text.parse().unwrap(),
            other => other.as_i64().unwrap_or_else(|| panic!("{field} in {packet}")),
        })
        .collect()
}

/// PTS in ticks from the first frame.
fn expected_pts(samples: &[Sample<Vec<u8>>], origin: Mono, timescale: i64) -> Vec<i64> {
    let from_origin = |pts: Mono| pts.as_nanos() as i128 - origin.as_nanos() as i128;
    samples
        .iter()
        .map(|sample| {
            (from_origin(sample.pts) * timescale as i128 + 500_000_000).div_euclid(1_000_000_000) as i64
        })
        .collect()
}

/// Samples that qtdemux finds in a track.
pub fn qtdemux(file: &Path, pad: &str) -> usize {
    gst::init().unwrap();
    let description = format!(
        "filesrc location={} ! qtdemux name=demux demux.{pad} ! appsink name=out sync=false",
        file.display()
    );
    let pipeline = gst::parse::launch(&description).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<gstreamer_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut count = 0;
    // After an error no sample comes, and no end.
    while sink.try_pull_sample(gst::ClockTime::from_seconds(60)).is_some() {
        count += 1;
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    assert!(error.is_none(), "{error:?}");
    pipeline.set_state(gst::State::Null).unwrap();
    count
}

/// Everything that every player must find in a segment of these streams.
fn check(name: &str, codecs: &[&str], streams: &[Stream]) -> Value {
    let fragments = media::segment_of(streams);
    assert!(fragments.len() >= 3, "{name}: {} fragments", fragments.len());
    let (bytes, ends) = media::file(&fragments);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("segment.mp4");
    std::fs::write(&path, &bytes).unwrap();

    let probed = ffprobe(&path);
    let origin = streams[0].samples[0].pts;
    for (at, (stream, codec)) in streams.iter().zip(codecs).enumerate() {
        assert_eq!(probed["streams"][at]["codec_name"], *codec, "{name}");
        let timescale = i64::from(stream.config.timescale());
        assert_eq!(probed["streams"][at]["time_base"], format!("1/{timescale}"), "{name}");
        let pts = numbers(&probed, at, "pts");
        let samples: Vec<_> =
            media::interleaved(streams).into_iter().filter(|sample| sample.track == at).collect();
        let expected = expected_pts(&samples, origin, timescale);
        if at == 0 {
            assert_eq!(pts, expected, "{name}: PTS of every frame, in decode order");
            let lengths: Vec<i64> = samples.iter().map(|sample| sample.payload.len() as i64).collect();
            assert_eq!(numbers(&probed, at, "size"), lengths, "{name}: length of every frame");
            let packets =
                probed["packets"].as_array().unwrap().iter().filter(|packet| packet["stream_index"] == 0);
            let keyframes: Vec<bool> =
                packets.map(|packet| packet["flags"].as_str().unwrap().starts_with('K')).collect();
            let pushed: Vec<bool> = samples.iter().map(|sample| sample.keyframe).collect();
            assert_eq!(keyframes, pushed, "{name}: keyframes");
        } else {
            assert_eq!(pts.len(), expected.len(), "{name}: packets of audio");
            for (found, expected) in pts.iter().zip(&expected) {
                assert!(
                    (found - expected).abs() <= timescale / 100,
                    "{name}: audio at {found}, not {expected}"
                );
            }
        }
        let dts = numbers(&probed, at, "dts");
        assert!(dts.windows(2).all(|pair| pair[0] < pair[1]), "{name}: decode times rise: {dts:?}");
        let pad = if at == 0 { "video_0" } else { "audio_0" };
        assert_eq!(qtdemux(&path, pad), expected.len(), "{name}: samples that qtdemux finds");
    }
    decode(&path);

    let facts = scan(Cursor::new(&bytes), bytes.len() as u64).unwrap();
    assert_eq!(facts.header, media::header_v1(), "{name}");
    assert_eq!(facts.frames as usize, streams[0].samples.len(), "{name}");
    assert_eq!((facts.durable_len, facts.torn_bytes), (bytes.len() as u64, 0), "{name}");
    assert_eq!(facts.stretches.len(), 1, "{name}");
    for pair in fragments.windows(2) {
        assert_eq!(pair[0].to, pair[1].from, "{name}: spans tile");
    }
    let told = |at: Mono| START.as_micros() + (at.as_nanos() as i64 - origin.as_nanos() as i64) / 1000;
    let (from, to) = (told(fragments[0].from), told(fragments[fragments.len() - 1].to));
    assert!(
        (facts.stretches[0].from.as_micros() - from).abs() <= 12,
        "{name}: scan and muxer agree to a tick"
    );
    assert!((facts.stretches[0].to.as_micros() - to).abs() <= 12, "{name}: scan and muxer agree to a tick");

    for (at, end) in ends.iter().enumerate() {
        std::fs::write(&path, &bytes[..*end]).unwrap();
        decode(&path);
        let facts = scan(Cursor::new(&bytes[..*end]), *end as u64).unwrap();
        let frames: u32 = fragments[..=at].iter().map(|fragment| fragment.frames).sum();
        assert_eq!((facts.frames, facts.torn_bytes), (frames, 0), "{name}: after fragment {at}");
    }
    for (fragment, end) in fragments.iter().zip([0].iter().chain(&ends).zip(&ends)) {
        assert_eq!(fragment.bytes, (end.1 - end.0) as u64, "{name}");
    }
    probed
}

#[test]
fn h264_without_b_frames_alone() {
    let probed = check("H.264", &["h264"], &[media::h264(0)]);
    assert_eq!(probed["streams"][0]["codec_tag_string"], "avc1");
    assert_eq!((&probed["streams"][0]["width"], &probed["streams"][0]["height"]), (&128.into(), &96.into()));
    assert_eq!(probed["streams"][0]["start_pts"], 0);
    let tags = &probed["format"]["tags"];
    assert_eq!(tags["title"], "entrance");
    assert_eq!(tags["creation_time"], "2026-05-01T10:00:00.000000Z");
    let volume = "11111111111111111111111111111111";
    assert_eq!(tags["comment"], format!("volume {volume}, segment 7, recorded by barn"));
    assert!(tags["encoder"].as_str().unwrap().starts_with("Holdfast "));
}

#[test]
fn h264_with_two_b_frames_and_aac() {
    check("H.264 with B-frames, AAC", &["h264", "aac"], &[media::h264(2), media::aac()]);
}

#[test]
fn h264_with_a_pyramid_of_b_frames_and_g711_as_flac() {
    check("H.264 with a pyramid, FLAC", &["h264", "flac"], &[media::h264(3), media::flac()]);
}

#[test]
fn h265_and_opus() {
    let probed = check("H.265, Opus", &["hevc", "opus"], &[media::h265(), media::opus()]);
    assert_eq!(probed["streams"][0]["codec_tag_string"], "hvc1");
}

#[test]
fn a_hole_is_read_back_from_the_file_alone() {
    for b_frames in [0, 2] {
        let mut stream = media::h264(b_frames);
        let origin = stream.samples[0].pts;
        // The second GOP, 2 s in, comes 10 s late.
        for sample in &mut stream.samples[50..] {
            sample.pts = sample.pts + Duration::from_secs(10);
        }
        let fragments = media::segment_of(std::slice::from_ref(&stream));
        let (bytes, _) = media::file(&fragments);
        let facts = scan(Cursor::new(&bytes), bytes.len() as u64).unwrap();
        let wall = |millis: i64| Wall::from_micros(START.as_micros() + millis * 1000);
        let expected = [Span::new(wall(0), wall(2000)), Span::new(wall(12_000), wall(14_000))];
        assert_eq!(facts.stretches, expected, "{b_frames} B-frames");
        assert_eq!((facts.frames, facts.end), (100, wall(14_000)));
        let covered: u128 =
            fragments.iter().map(|fragment| fragment.to.since(fragment.from).as_millis()).sum();
        assert_eq!(covered, 4000, "{b_frames} B-frames: what the fragments say is what the file says");

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segment.mp4");
        std::fs::write(&path, &bytes).unwrap();
        let expected = expected_pts(&stream.samples, origin, 90_000);
        assert_eq!(numbers(&ffprobe(&path), 0, "pts"), expected, "{b_frames} B-frames");
        decode(&path);
    }
}

#[test]
fn b_frames_that_begin_late_are_shown_right_and_expected_by_the_next_segment() {
    // 2 s without B-frames, then with: one stream's second GOP behind the other's first.
    let mut stream = media::h264(2);
    stream.samples.splice(..50, media::h264(0).samples.into_iter().take(50));
    let expected = expected_pts(&stream.samples, stream.samples[0].pts, 90_000);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("segment.mp4");

    let mut muxer = media::muxer(std::slice::from_ref(&stream), 0);
    let fragments = media::fill(&mut muxer, stream.samples.clone());
    std::fs::write(&path, media::file(&fragments).0).unwrap();
    // ffmpeg 5 adds the largest negative offset of a file to all its times: the distances are what counts.
    let found = numbers(&ffprobe(&path), 0, "pts");
    assert_eq!(found.iter().map(|pts| pts - found[0]).collect::<Vec<_>>(), expected);

    let mut muxer = media::muxer(std::slice::from_ref(&stream), muxer.reorder_depth());
    let fragments = media::fill(&mut muxer, stream.samples.clone());
    std::fs::write(&path, media::file(&fragments).0).unwrap();
    assert_eq!(numbers(&ffprobe(&path), 0, "pts"), expected);
}
