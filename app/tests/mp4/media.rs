//! Real streams, encoded by GStreamer, and segments made of them as the writer makes them.

use gstreamer as gst;
use gstreamer::prelude::*;
use holdfast::mp4::{Fragment, Sample, SegmentMuxer, TrackConfig};
use holdfast_core::time::Mono;
use holdfast_wire::ids::{Id128, Name};
use holdfast_wire::segment::{SegmentHeader, SegmentHeaderV1};
use holdfast_wire::time::Wall;
use std::time::Duration;

/// 2026-05-01T10:00:00Z.
pub const START: Wall = Wall::from_secs(1_777_629_600);

/// A track and what an encoder made for it.
#[derive(Clone)]
pub struct Stream {
    pub config: TrackConfig,
    pub samples: Vec<Sample<Vec<u8>>>,
}

/// Encodes 4 s of a test picture at 25 frames a second, a keyframe every 2 s.
pub fn video(encoder: &str) -> Stream {
    encode(&format!(
        "videotestsrc num-buffers=100 pattern=ball ! video/x-raw,format=I420,width=128,height=96,framerate=25/1 ! {encoder} ! appsink name=out sync=false"
    ))
}

/// Encodes 2 s of a test picture of this size at 25 frames a second, a keyframe each second.
pub fn clip(width: u16, height: u16, encoder: &str) -> Stream {
    encode(&format!(
        "videotestsrc num-buffers=50 pattern=ball ! video/x-raw,format=I420,width={width},height={height},framerate=25/1 ! {encoder} ! appsink name=out sync=false"
    ))
}

/// H.264 with this many B-frames, in a pyramid if there are more than two.
pub fn h264(b_frames: u32) -> Stream {
    video(&format!(
        "x264enc key-int-max=50 bframes={b_frames} b-pyramid={} b-adapt=false ! video/x-h264,profile=main ! h264parse ! video/x-h264,stream-format=avc,alignment=au",
        b_frames > 2
    ))
}

/// H.265, with B-frames and open GOPs as x265 likes them.
pub fn h265() -> Stream {
    video(
        "x265enc key-int-max=50 option-string=log-level=none:open-gop=1 ! h265parse ! video/x-h265,stream-format=hvc1,alignment=au",
    )
}

/// Encodes 4 s of a tone.
pub fn audio(rate: u32, encoder: &str) -> Stream {
    encode(&format!(
        "audiotestsrc samplesperbuffer={} num-buffers=200 ! audio/x-raw,rate={rate},channels=1 ! audioconvert ! {encoder} ! appsink name=out sync=false",
        rate / 50
    ))
}

/// AAC.
pub fn aac() -> Stream {
    audio(48_000, "avenc_aac ! aacparse ! audio/mpeg,stream-format=raw")
}

/// Opus.
pub fn opus() -> Stream {
    audio(48_000, "opusenc")
}

/// What becomes of G.711: FLAC at 8000 samples a second.
pub fn flac() -> Stream {
    audio(8_000, "alawenc ! alawdec ! flacenc")
}

fn encode(description: &str) -> Stream {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(description).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<gstreamer_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut stream = None;
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().unwrap();
        // flacenc sends its headers as buffers first; the program's ingest never passes them on.
        if buffer.flags().contains(gst::BufferFlags::HEADER) && description.contains("flacenc") {
            continue;
        }
        let stream = stream.get_or_insert_with(|| Stream {
            config: config(sample.caps().unwrap().structure(0).unwrap()),
            samples: Vec::new(),
        });
        let segment = sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap();
        let pts = segment.to_running_time(buffer.pts().unwrap()).unwrap();
        stream.samples.push(Sample {
            track: 0,
            pts: Mono::from_nanos(1_000_000_000_000 + pts.nseconds()),
            duration: buffer.duration().map(|duration| Duration::from_nanos(duration.nseconds())),
            keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            payload: buffer.map_readable().unwrap().to_vec(),
        });
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    assert!(error.is_none(), "{error:?}");
    pipeline.set_state(gst::State::Null).unwrap();
    stream.expect("the encoder made samples")
}

fn config(caps: &gst::StructureRef) -> TrackConfig {
    let codec_data = || caps.get::<gst::Buffer>("codec_data").unwrap().map_readable().unwrap().to_vec();
    let number = |name: &str| caps.get::<i32>(name).unwrap();
    let pixels = |name: &str| number(name).try_into().unwrap();
    let rate = || number("rate").try_into().unwrap();
    let channels = || number("channels").try_into().unwrap();
    match caps.name().as_str() {
        "video/x-h264" => {
            TrackConfig::H264 { codec_data: codec_data(), width: pixels("width"), height: pixels("height") }
        }
        "video/x-h265" => {
            TrackConfig::H265 { codec_data: codec_data(), width: pixels("width"), height: pixels("height") }
        }
        "audio/mpeg" => TrackConfig::Aac { codec_data: codec_data(), rate: rate(), channels: channels() },
        "audio/x-opus" => TrackConfig::Opus { rate: rate(), channels: channels(), pre_skip: 312 },
        "audio/x-flac" => {
            let headers = caps.get::<gst::Array>("streamheader").unwrap();
            let first = headers.first().unwrap().get::<gst::Buffer>().unwrap();
            let bytes = first.map_readable().unwrap();
            // 0x7f "FLAC", version, number of headers; "fLaC"; the block's header; STREAMINFO.
            TrackConfig::Flac {
                stream_info: bytes[17..51].try_into().unwrap(),
                rate: rate(),
                channels: channels(),
            }
        }
        other => panic!("no such codec in these tests: {other}"),
    }
}

/// A segment's header that says something in every field.
pub fn header() -> SegmentHeader {
    SegmentHeader::V1(header_v1())
}

/// What the header of every segment of these tests says.
pub fn header_v1() -> SegmentHeaderV1 {
    SegmentHeaderV1 {
        volume: Id128([0x11; 16]),
        device: Name::new("barn").unwrap(),
        camera: Name::new("entrance").unwrap(),
        session: Id128([0x22; 16]),
        boot: Id128([0x33; 16]),
        sequence: 7,
        start: START,
        clock_trusted: true,
        fallback: false,
        before: Default::default(),
    }
}

/// The samples of all streams as they come out of a ring: video in decode order, audio beside it.
pub fn interleaved(streams: &[Stream]) -> Vec<Sample<Vec<u8>>> {
    let mut queues: Vec<_> = streams.iter().map(|stream| stream.samples.iter().peekable()).collect();
    let mut out = Vec::new();
    let (video, audio) = queues.split_first_mut().unwrap();
    for frame in video {
        out.push(frame.clone());
        for (at, queue) in audio.iter_mut().enumerate() {
            while let Some(packet) = queue.next_if(|packet| packet.pts <= frame.pts) {
                out.push(Sample { track: at + 1, ..packet.clone() });
            }
        }
    }
    out
}

/// A muxer for these streams.
pub fn muxer(streams: &[Stream], depth_hint: usize) -> SegmentMuxer<Vec<u8>> {
    SegmentMuxer::new(streams.iter().map(|stream| stream.config.clone()).collect(), header(), depth_hint)
        .unwrap()
}

/// Fills a segment: a fragment is cut as soon as a second is held and the next frame is known.
pub fn fill(muxer: &mut SegmentMuxer<Vec<u8>>, samples: Vec<Sample<Vec<u8>>>) -> Vec<Fragment<Vec<u8>>> {
    let mut fragments = Vec::new();
    for sample in samples {
        if sample.track == 0 && muxer.buffered().is_some_and(|held| held >= Duration::from_secs(1)) {
            fragments.extend(muxer.cut(Some(sample.pts)));
        }
        muxer.push(sample);
    }
    fragments.extend(muxer.cut(None));
    fragments
}

/// A segment from whole streams.
pub fn segment_of(streams: &[Stream]) -> Vec<Fragment<Vec<u8>>> {
    fill(&mut muxer(streams, 0), interleaved(streams))
}

/// The file, and where each fragment ends in it.
pub fn file(fragments: &[Fragment<Vec<u8>>]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    for fragment in fragments {
        bytes.extend_from_slice(&fragment.head);
        fragment.payloads.iter().for_each(|payload| bytes.extend_from_slice(payload));
        ends.push(bytes.len());
    }
    (bytes, ends)
}
