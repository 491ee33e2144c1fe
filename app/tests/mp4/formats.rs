//! Formats that change each second, through the writer to files: every player finds and decodes every frame.

use crate::media::{self, Stream};
use crate::players::{ffprobe, numbers, qtdemux, quietly};
use holdfast::host::clock;
use holdfast::mp4::TrackConfig;
use holdfast::retention::Retention;
use holdfast::ring::{AccessUnit, Data, Feed, Limits as RingLimits, Ring, TrackKind};
use holdfast::volumes::{InUse, Knowledge, Place};
use holdfast::writer::{Complaints, Job, Limits, Report, VolumeWriter};
use holdfast_core::effect::Stream as Shown;
use holdfast_core::event::{Event, VolumeEvent};
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_core::time::{Anchor, Mono};
use holdfast_wire::ids::{Id128, Name};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(60);
const SECOND: u64 = 1_000_000_000;
const CAMERA: CameraIndex = CameraIndex(0);

fn job(root: &Path) -> Job {
    Job {
        last_words: None,
        index: VolumeIndex(0),
        place: Place::Directory { path: root.to_owned() },
        device: Name::new("box").unwrap(),
        formerly: Vec::new(),
        cameras: vec![Name::new("yard").unwrap()],
        session: Id128([1; 16]),
        boot: Id128([2; 16]),
        knowledge: Knowledge::Unknown,
        new_volume: Id128([3; 16]),
        in_use: InUse::default(),
        claimant: 1,
        limits: Limits { segment: Duration::from_secs(60), fragment: Duration::from_secs(1) },
        max_file: None,
        anchor: Anchor { mono: Mono(0), wall: media::START, trusted: true },
        now: media::START,
        clock: Arc::new(clock::mono),
        retention: Retention::default(),
        complaints: Complaints::default(),
    }
}

/// A frame without the parameter sets that encoders repeat in it: cameras need not, and the file must not live on them.
fn bare(clip: &Stream, frame: &[u8]) -> Vec<u8> {
    let is_set = |header: u8| match &clip.config {
        TrackConfig::H264 { .. } => matches!(header & 0x1f, 7 | 8),
        TrackConfig::H265 { .. } => matches!(header >> 1 & 0x3f, 32..=34),
        other => panic!("no video: {other:?}"),
    };
    let (mut bare, mut rest) = (Vec::new(), frame);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (unit, next) = after.split_at(u32::from_be_bytes(*length) as usize);
        if !is_set(unit[0]) {
            bare.extend_from_slice(length);
            bare.extend_from_slice(unit);
        }
        rest = next;
    }
    bare
}

/// Pushes the GOP number `gop` of a clip, its times moved into second `second`.
fn push(feed: &Feed, clip: &Stream, gop: usize, second: usize) {
    let starts: Vec<usize> = (0..clip.samples.len()).filter(|at| clip.samples[*at].keyframe).collect();
    let end = starts.get(gop + 1).copied().unwrap_or(clip.samples.len());
    let begin = clip.samples[starts[gop]].pts.as_nanos();
    let config = Arc::new(clip.config.clone());
    for sample in &clip.samples[starts[gop]..end] {
        feed.push(AccessUnit {
            track: TrackKind::Video,
            pts: Mono::from_nanos((second as u64 + 100) * SECOND + sample.pts.as_nanos() - begin),
            duration: sample.duration,
            keyframe: sample.keyframe,
            config: Arc::clone(&config),
            data: Data::new(bare(clip, &sample.payload)),
        });
    }
}

/// Records 15 s in which two clips alternate each second; the files, oldest first.
fn recorded(root: &Path, clips: &[Stream; 2]) -> Vec<PathBuf> {
    let (tell, heard) = mpsc::channel();
    let report = Arc::new(move |report| drop(tell.send(report)));
    let writer = VolumeWriter::start(job(root), report).unwrap();
    let ring = Ring::new(RingLimits { bytes: 64 << 20, time: Duration::from_secs(3600) });
    let feed = ring.connect(Shown::Main);
    (0..15).for_each(|second| push(&feed, &clips[second % 2], second / 2 % 2, second));
    feed.end();
    writer.take(CAMERA, &ring);
    let end = Instant::now() + DEADLINE;
    let mut frames = 0;
    while frames < 375 {
        let left = end.saturating_duration_since(Instant::now());
        match heard.recv_timeout(left).expect("all becomes durable before the deadline") {
            Report::Event(Event::Volume(_, VolumeEvent::Stored { frames: more, .. })) => frames += more,
            Report::Event(Event::Volume(_, VolumeEvent::Faulted(fault))) => panic!("{fault}"),
            Report::Event(_) | Report::Drained | Report::Ended => {}
        }
    }
    writer.drain();
    writer.end(media::START);
    while !matches!(heard.recv_timeout(DEADLINE).expect("it ends"), Report::Ended) {}
    let day = std::fs::read_dir(root.join("holdfast/yard")).unwrap().next().unwrap().unwrap().path();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(day).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Frames that ffmpeg decodes, without a word on stderr.
fn decoded(file: &Path, from: &str) -> usize {
    let arguments =
        ["-v", "error", "-ss", from, "-i", "FILE", "-an", "-vsync", "passthrough", "-f", "framemd5", "-"];
    let frames = quietly("ffmpeg", &arguments, file);
    String::from_utf8(frames).unwrap().lines().filter(|line| !line.starts_with('#')).count()
}

/// Widths of the frames that are decoded: a decoder that was told the wrong format may well not complain.
fn widths(file: &Path) -> Vec<u16> {
    let arguments = [
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "frame=width",
        "-of",
        "default=nw=1:nk=1",
        "FILE",
    ];
    let text = String::from_utf8(quietly("ffprobe", &arguments, file)).unwrap();
    text.split_whitespace().map(|width| width.parse().unwrap()).collect()
}

fn width(clip: &Stream) -> u16 {
    match &clip.config {
        TrackConfig::H264 { width, .. } | TrackConfig::H265 { width, .. } => *width,
        other => panic!("no video: {other:?}"),
    }
}

fn check(name: &str, clips: [Stream; 2], entries: [&str; 3]) {
    assert_ne!(clips[0].config, clips[1].config, "{name}: two formats");
    let root = tempfile::tempdir().unwrap();
    let files = recorded(root.path(), &clips);
    // Another one at 1 s, and at the first change that is 10 s later.
    let expected = [25, 275, 75];
    assert_eq!(files.len(), expected.len(), "{name}: {files:?}");
    for ((file, frames), entry) in files.iter().zip(expected).zip(entries) {
        let probed = ffprobe(file);
        assert_eq!(probed["streams"][0]["codec_tag_string"], entry, "{name}");
        let dts = numbers(&probed, 0, "dts");
        assert_eq!(dts.len(), frames, "{name}: frames of {entry}");
        assert!(dts.windows(2).all(|pair| pair[0] < pair[1]), "{name}: decode times rise");
        assert_eq!(decoded(file, "0"), frames, "{name}: ffmpeg decodes each frame of {entry}");
        assert_eq!(qtdemux(file, "video_0"), frames, "{name}: qtdemux finds each frame of {entry}");
    }
    let found: Vec<u16> = files.iter().flat_map(|file| widths(file)).collect();
    let sent: Vec<u16> = (0..375).map(|frame| width(&clips[frame / 25 % 2])).collect();
    assert_eq!(found, sent, "{name}: each frame in its size");
    // A player that begins anywhere: at a keyframe of the entry's format and at one of the other.
    for (second, frames) in [("4", 175), ("5", 150)] {
        assert_eq!(decoded(&files[1], second), frames, "{name}: from {second} s on");
    }
    // GStreamer's decoder takes every frame as well.
    let decoder = if entries[0] == "avc1" { "h264parse ! avdec_h264" } else { "h265parse ! avdec_h265" };
    assert_eq!(qtdemux(&files[1], &format!("video_0 ! {decoder}")), 275, "{name}: {decoder}");
}

/// H.264 of this size; `options` make one encoding differ from another in its PPS.
fn h264(width: u16, height: u16, options: &str) -> Stream {
    let encoder = format!(
        "x264enc key-int-max=25 bframes=0 {options} ! video/x-h264,profile=main ! h264parse ! video/x-h264,stream-format=avc,alignment=au"
    );
    media::clip(width, height, &encoder)
}

fn h265(width: u16, height: u16) -> Stream {
    let encoder = "x265enc key-int-max=25 option-string=log-level=none:bframes=0:scenecut=0 ! h265parse ! video/x-h265,stream-format=hvc1,alignment=au";
    media::clip(width, height, encoder)
}

#[test]
fn two_resolutions() {
    check("two resolutions", [h264(128, 96, ""), h264(192, 144, "")], ["avc1", "avc3", "avc3"]);
}

#[test]
fn two_picture_parameter_sets_of_one_number() {
    let (cabac, cavlc) = (h264(128, 96, "cabac=true"), h264(128, 96, "cabac=false"));
    check("two PPS", [cabac, cavlc], ["avc1", "avc3", "avc3"]);
}

#[test]
fn one_with_b_frames_and_one_without() {
    let with = media::clip(
        128,
        96,
        "x264enc key-int-max=25 bframes=2 b-adapt=false ! video/x-h264,profile=main ! h264parse ! video/x-h264,stream-format=avc,alignment=au",
    );
    check("B-frames", [h264(128, 96, ""), with], ["avc1", "avc3", "avc3"]);
}

#[test]
fn two_resolutions_of_h265() {
    check("H.265", [h265(128, 96), h265(192, 144)], ["hvc1", "hev1", "hev1"]);
}
