//! The lab's reader on trial: files made by FFmpeg and by plain GStreamer from virtual cameras hold what the
//! cameras say they sent, frame for frame. They stand in for the recorder.

use gstreamer as gst;
use gstreamer::prelude::*;
use holdfast_tests::camera::{CameraOptions, Sound, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::read::{self, Footage};
use holdfast_tests::sound::SoundCodec;
use holdfast_tests::wait_until;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// FFmpeg copying a camera into fragmented MP4, with the wall clock in prft boxes.
fn ffmpeg(url: &str, path: &Path, sound: bool) -> Child {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", url, "-c", "copy"]);
    if !sound {
        command.arg("-an");
    }
    command.args(["-movflags", "+frag_keyframe+empty_moov", "-write_prft", "wallclock", "-t", "5"]);
    command.arg(path).spawn().unwrap()
}

/// Every frame from the first keyframe on, once, in order, in its place. `jumps`: how often the times may jump.
fn assert_whole(name: &str, camera: &VirtualCamera, footage: &Footage, jumps: usize) {
    assert_eq!(footage.problem, None, "{name}");
    let log = camera.log();
    let samples: Vec<_> = footage.video.iter().skip_while(|sample| !sample.keyframe).collect();
    assert!(samples.len() >= 60, "{name}: only {} frames", samples.len());
    let sent = |at: usize| log[samples[at].mark.expect("a frame without a mark").number as usize];
    let mut jumped = Vec::new();
    for at in 1..samples.len() {
        let (before, this) = (sent(at - 1), sent(at));
        assert_eq!(this.number, before.number + 1, "{name}: frames missing or doubled");
        assert_eq!(samples[at].keyframe, this.keyframe, "{name}: frame {}", this.number);
        let places = this.presentation as i64 - before.presentation as i64;
        let off = samples[at].pts as i64 - samples[at - 1].pts as i64 - places * 40_000_000;
        if off.abs() > 25_000_000 {
            jumped.push((this.number, off));
        }
    }
    assert!(jumped.len() <= jumps, "{name}: times jump at these frames: {jumped:?}");
}

#[test]
fn files_made_by_ffmpeg_hold_every_frame_that_was_sent() {
    let camera = |codec| CameraOptions::new("camera", 9, ClipSpec::small(codec));
    let b_frames = |codec| CameraOptions::new("camera", 9, ClipSpec::small(codec).with_b_frames(3));
    let cases = [
        ("H.264 and AAC", camera(VideoCodec::H264).sound(Sound::Sends(SoundCodec::Aac)), 1024),
        ("H.264 and Opus", camera(VideoCodec::H264).sound(Sound::Sends(SoundCodec::Opus)), 960),
        ("H.264 with B-frames", b_frames(VideoCodec::H264), 0),
        ("H.265", camera(VideoCodec::H265), 0),
    ];
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for (at, (name, options, samples)) in cases.into_iter().enumerate() {
            let path = folder.path().join(format!("{at}.mp4"));
            scope.spawn(move || {
                let camera = VirtualCamera::start(options).unwrap();
                assert!(ffmpeg(&camera.url(), &path, samples > 0).wait().unwrap().success(), "{name}");
                let footage = read::read(&path).unwrap();
                // FFmpeg puts picture and sound together only at the first sender report: there its times jump.
                assert_whole(name, &camera, &footage, usize::from(samples > 0));
                let packets = footage.sound_span() * 48_000 / 1_000_000_000 / samples.max(1);
                assert!((packets as usize).abs_diff(footage.sound.len()) < 4, "{name}: {packets}");
                assert_eq!(footage.sound.is_empty(), samples == 0, "{name}");
                let first = footage.video.iter().find_map(|sample| sample.mark).unwrap();
                let anchor = footage.anchor.expect("no prft");
                assert!((anchor - first.wall_micros).abs() < 5_000_000, "{name}: anchor {anchor}, {first:?}");
                let probe = read::ffprobe_ok(&path).unwrap();
                assert_eq!(
                    probe["streams"].as_array().map(Vec::len),
                    Some(1 + usize::from(samples > 0)),
                    "{name}"
                );
            });
        }
    });
}

#[test]
fn a_fragmented_file_made_by_gstreamer_reads_while_it_grows_and_when_it_is_whole() {
    holdfast_tests::init().unwrap();
    let camera =
        VirtualCamera::start(CameraOptions::new("camera", 9, ClipSpec::small(VideoCodec::H264))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing.mp4");
    let line = format!(
        "rtspsrc location={} protocols=tcp latency=0 buffer-mode=none ! rtph264depay ! h264parse \
         ! mp4mux fragment-duration=1000 fragment-mode=dash-or-mss ! filesink location={} buffer-mode=unbuffered",
        camera.url(),
        path.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let grown = || path.exists() && read::read(&path).is_ok_and(|footage| footage.numbers().len() >= 50);
    assert!(wait_until(PATIENCE, grown), "a growing file cannot be read");
    assert!(wait_until(PATIENCE, || camera.frames_sent() >= 130));
    pipeline.send_event(gst::event::Eos::new());
    let bus = pipeline.bus().unwrap();
    let end = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(20),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    assert!(matches!(end.as_ref().map(|message| message.view()), Some(gst::MessageView::Eos(_))), "{end:?}");
    pipeline.set_state(gst::State::Null).unwrap();
    assert_whole("GStreamer", &camera, &read::read(&path).unwrap(), 0);
    read::plays(&path).unwrap();
}

#[test]
fn a_file_that_is_cut_is_read_as_far_as_it_goes_and_one_that_is_none_is_said_not_to_play() {
    let camera =
        VirtualCamera::start(CameraOptions::new("camera", 9, ClipSpec::small(VideoCodec::H264))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.mp4");
    assert!(ffmpeg(&camera.url(), &path, false).wait().unwrap().success());
    let whole = read::read(&path).unwrap().numbers();
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    let cut = read::read(&path).unwrap().numbers();
    assert!(!cut.is_empty() && cut.len() < whole.len(), "{} of {}", cut.len(), whole.len());
    assert!(whole.starts_with(&cut), "a cut file gave other frames");
    std::fs::write(&path, b"no MP4 at all").unwrap();
    assert!(read::plays(&path).is_err(), "ffmpeg had nothing to say about a file that is none");
    let nothing = read::read(&path).unwrap();
    assert!(nothing.problem.is_some() && nothing.video.is_empty());
    assert!(read::ffprobe_ok(&path).is_err());
}
