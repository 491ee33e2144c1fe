//! Clips: short pieces of real video, encoded once and then sent in a loop by the virtual cameras.
//!
//! Words: a clip is kept as **access units** in decode order; each knows its place in **presentation
//! order**, which differs once there are B-frames; the **depth** is how many frames a decoder has to hold
//! back for that. Every GOP is closed and the last one whole, so that a loop has no seam.
//!
//! Encoding 10 s of 1080p takes seconds of CPU, sending it nothing: clips are therefore kept in a cache
//! (`target/lab-clips`, or `HOLDFAST_LAB_CLIPS`), under a name made of their parameters.

use crate::nal::{self, NalCodec};
use crate::{LabError, cache};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

/// Raised whenever the way of making clips changes, so that no stale cache is used.
const CACHE_VERSION: u32 = 1;

/// How often a clip is encoded to meet its rate: each attempt comes several times closer.
const RATE_ATTEMPTS: u32 = 20;

/// How a clip's video is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum VideoCodec {
    /// H.264 (x264).
    H264,
    /// H.265 (x265).
    H265,
    /// Motion JPEG: what a recorder of H.264 and H.265 does not know. Its frames carry no mark.
    Jpeg,
}

impl VideoCodec {
    /// The codec's NAL units, if it has any.
    pub fn nal(self) -> Option<NalCodec> {
        match self {
            VideoCodec::H264 => Some(NalCodec::H264),
            VideoCodec::H265 => Some(NalCodec::H265),
            VideoCodec::Jpeg => None,
        }
    }
}

/// What a clip is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClipSpec {
    /// Its codec.
    pub codec: VideoCodec,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// Target, in kbit/s.
    pub kbits: u32,
    /// Whether the clip is encoded anew until its rate is within 2 % of the target. An encoder left to itself stays
    /// a fifth below: enough for a test, but a measure of load must be of the load that it names.
    pub exact_rate: bool,
    /// Frames from one keyframe to the next.
    pub gop: u32,
    /// B-frames between two other frames.
    pub b_frames: u32,
    /// Whether B-frames are referred to by others: the reordering is then deeper.
    pub b_pyramid: bool,
    /// Length of the loop in GOPs.
    pub gops: u32,
}

impl ClipSpec {
    /// 320x180 at 25 frames/s, keyframe each second, 3 s: cheap, for tests that need many cameras.
    pub fn small(codec: VideoCodec) -> Self {
        let (width, height) = (320, 180);
        ClipSpec {
            codec,
            width,
            height,
            fps: 25,
            kbits: 300,
            exact_rate: false,
            gop: 25,
            b_frames: 0,
            b_pyramid: false,
            gops: 3,
        }
    }

    /// 1280x720 at 25 frames/s, 1.5 Mb/s, keyframe every 2 s: the cameras of `make run`.
    pub fn demo(codec: VideoCodec) -> Self {
        let (width, height) = (1280, 720);
        ClipSpec {
            codec,
            width,
            height,
            fps: 25,
            kbits: 1500,
            exact_rate: false,
            gop: 50,
            b_frames: 0,
            b_pyramid: false,
            gops: 4,
        }
    }

    /// 1920x1080 at 30 frames/s, H.264 of 4 Mb/s at a constant rate, keyframe every 2 s: the load of `make bench`.
    pub fn bench() -> Self {
        let codec = VideoCodec::H264;
        let (width, height) = (1920, 1080);
        ClipSpec {
            codec,
            width,
            height,
            fps: 30,
            kbits: 4000,
            exact_rate: true,
            gop: 60,
            b_frames: 0,
            b_pyramid: false,
            gops: 5,
        }
    }

    /// The same with this many B-frames in a row, as a pyramid from three on.
    pub fn with_b_frames(self, b_frames: u32) -> Self {
        ClipSpec { b_frames, b_pyramid: b_frames >= 3, ..self }
    }

    /// The same in another size.
    pub fn with_size(self, width: u32, height: u32) -> Self {
        ClipSpec { width, height, ..self }
    }

    /// Frames in the loop.
    pub fn frames(&self) -> u32 {
        self.gop * self.gops
    }

    fn cache_key(&self) -> String {
        let ClipSpec { codec, width, height, fps, kbits, exact_rate, gop, b_frames, b_pyramid, gops } = *self;
        let (pyramid, exact) = (if b_pyramid { "p" } else { "" }, if exact_rate { "exactly" } else { "" });
        format!(
            "{codec:?}-{width}x{height}-{fps}fps-{kbits}k{exact}-gop{gop}x{gops}-b{b_frames}{pyramid}-v{CACHE_VERSION}"
        )
    }

    /// Encodes it; several times, if its rate has to be met.
    fn encode(&self) -> Result<cache::Stored, LabError> {
        let mut asked = self.kbits;
        for _ in 0..RATE_ATTEMPTS {
            let stored = encode(&self.encoder(asked))?;
            // In bits a second: whole kbit/s would let 2.4 % pass for 2 %.
            let bits = stored.data.len() as u64 * 8;
            let got = bits * u64::from(self.fps) / u64::from(self.frames());
            let target = u64::from(self.kbits) * 1000;
            if !self.exact_rate || got.abs_diff(target) * 50 <= target {
                return Ok(stored);
            }
            let next = u64::from(asked) * target / got.max(1);
            asked = u32::try_from(next).unwrap_or(u32::MAX).clamp(1, self.kbits.saturating_mul(4));
        }
        let problem = format!("does not come to {} kbit/s in {RATE_ATTEMPTS} attempts", self.kbits);
        Err(LabError::Clip { clip: self.cache_key(), problem })
    }

    /// The pipeline that encodes it, ending in an appsink named `out`.
    fn encoder(&self, kbits: u32) -> String {
        let ClipSpec { width, height, fps, gop, b_frames, .. } = *self;
        let frames = self.frames();
        // A moving zone plate has detail everywhere: the encoder needs its whole budget, as with a real street.
        let source = format!(
            "videotestsrc pattern=zone-plate kx2=16 ky2=16 kt=4 num-buffers={frames} \
             ! video/x-raw,format=I420,width={width},height={height},framerate={fps}/1"
        );
        let coder = match self.codec {
            VideoCodec::H264 => format!(
                "x264enc speed-preset=superfast pass=cbr bitrate={kbits} key-int-max={gop} bframes={b_frames} \
                 b-adapt=false b-pyramid={} option-string=\"scenecut=0:open-gop=0:min-keyint={gop}\" \
                 ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au",
                self.b_pyramid
            ),
            VideoCodec::H265 => format!(
                "x265enc speed-preset=ultrafast bitrate={kbits} key-int-max={gop} option-string=\"bframes={b_frames}:\
                 b-pyramid={}:b-adapt=0:scenecut=0:open-gop=0:min-keyint={gop}:repeat-headers=1:log-level=none\" \
                 ! h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au",
                u8::from(self.b_pyramid)
            ),
            VideoCodec::Jpeg => "jpegenc quality=40 ! image/jpeg".to_owned(),
        };
        format!("{source} ! {coder} ! appsink name=out sync=false")
    }
}

/// One frame of a clip.
#[derive(Debug)]
pub struct ClipFrame {
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// Its place in presentation order, from 0 for the clip's first frame.
    pub presentation: u32,
    /// What comes before the first slice: delimiter, parameter sets, SEI. May be absent.
    pub head: Option<gst::Memory>,
    /// The slices.
    pub tail: gst::Memory,
}

/// Encoded video, ready to be sent in a loop. Its frames share one allocation.
#[derive(Debug)]
pub struct Clip {
    /// What it was made from.
    pub spec: ClipSpec,
    /// GStreamer caps of the access units.
    pub caps: gst::Caps,
    /// In decode order.
    pub frames: Vec<ClipFrame>,
    /// By how many frames presentation has to lag behind sending.
    pub depth: u32,
    /// Parameter sets with start codes, for a client that comes in the middle of a GOP.
    pub parameter_sets: gst::Memory,
}

impl Clip {
    /// The clip, from memory, from the cache, or encoded now.
    pub fn get(spec: ClipSpec) -> Result<Arc<Clip>, LabError> {
        static MADE: OnceLock<Mutex<HashMap<ClipSpec, Arc<Clip>>>> = OnceLock::new();
        // Held while encoding: a second camera waits for the first one's clip instead of making it too.
        let mut made = crate::lock(MADE.get_or_init(Mutex::default));
        if let Some(clip) = made.get(&spec) {
            return Ok(clip.clone());
        }
        crate::init()?;
        let stored = cache::load_or(&spec.cache_key(), || spec.encode())?;
        let clip = Arc::new(Clip::from_stored(spec, stored)?);
        made.insert(spec, clip.clone());
        Ok(clip)
    }

    /// Where clips are kept.
    pub fn cache_dir() -> &'static Path {
        cache::dir()
    }

    fn from_stored(spec: ClipSpec, stored: cache::Stored) -> Result<Clip, LabError> {
        let whole = |problem: &str| LabError::Clip { clip: spec.cache_key(), problem: problem.to_owned() };
        if stored.units.len() != spec.frames() as usize {
            let problem = format!("has {} frames instead of {}", stored.units.len(), spec.frames());
            return Err(whole(&problem));
        }
        let caps = stored.caps.parse::<gst::Caps>().map_err(|_| whole("has caps that cannot be read"))?;
        let presentation = ranks(&stored.units.iter().map(|unit| unit.pts).collect::<Vec<_>>());
        let depth = reorder_depth(&presentation);
        let mut frames = Vec::with_capacity(stored.units.len());
        let mut parameter_sets = Vec::new();
        let memory = gst::Memory::from_slice(stored.data);
        let data = memory.map_readable().map_err(|_| whole("cannot be mapped"))?;
        let mut offset = 0;
        for (unit, presentation) in stored.units.iter().zip(presentation) {
            let bytes =
                data.get(offset..offset + unit.size).ok_or_else(|| whole("is shorter than its index"))?;
            let split = match spec.codec.nal() {
                Some(codec) => {
                    if unit.keyframe && parameter_sets.is_empty() {
                        parameter_sets = nal::parameter_sets(codec, bytes);
                    }
                    nal::first_slice(codec, bytes).ok_or_else(|| whole("has a frame without a slice"))?
                }
                None => 0,
            };
            frames.push(ClipFrame {
                keyframe: unit.keyframe,
                presentation,
                head: (split > 0).then(|| memory.share(offset..offset + split)),
                tail: memory.share(offset + split..offset + unit.size),
            });
            offset += unit.size;
        }
        drop(data);
        let closed = frames.iter().enumerate().all(|(at, frame)| {
            frame.keyframe == (at as u32).is_multiple_of(spec.gop) || spec.codec == VideoCodec::Jpeg
        });
        if !closed || frames.iter().enumerate().any(|(at, f)| f.keyframe && f.presentation as usize != at) {
            return Err(whole("does not have its keyframes where closed GOPs would put them"));
        }
        Ok(Clip { spec, caps, frames, depth, parameter_sets: gst::Memory::from_slice(parameter_sets) })
    }
}

/// Runs an encoder pipeline to its end and takes every buffer from its appsink `out`.
pub(crate) fn encode(pipeline: &str) -> Result<cache::Stored, LabError> {
    let failed = |problem: String| LabError::Encode { pipeline: pipeline.to_owned(), problem };
    let bin = gst::parse::launch(pipeline).map_err(|error| failed(error.to_string()))?;
    let bin = bin.downcast::<gst::Pipeline>().map_err(|_| failed("is not a pipeline".to_owned()))?;
    let sink = bin
        .by_name("out")
        .and_downcast::<gst_app::AppSink>()
        .ok_or_else(|| failed("has no appsink named out".to_owned()))?;
    bin.set_state(gst::State::Playing).map_err(|error| failed(error.to_string()))?;
    let mut stored = cache::Stored { caps: String::new(), units: Vec::new(), data: Vec::new() };
    while let Ok(sample) = sink.pull_sample() {
        let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps()) else { continue };
        let Ok(map) = buffer.map_readable() else { continue };
        stored.caps = caps.to_string();
        stored.units.push(cache::StoredUnit {
            size: map.len(),
            pts: buffer.pts().map_or(0, gst::ClockTime::nseconds),
            keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
        });
        stored.data.extend_from_slice(&map);
    }
    let trouble = bin.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    // The pipeline has ended; a failure to take it down harms nothing that was read from it.
    let _ = bin.set_state(gst::State::Null);
    match trouble.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(failed(error.error().to_string())),
        _ if stored.units.is_empty() => Err(failed("gave no data".to_owned())),
        _ => Ok(stored),
    }
}

/// For each time its place in the order of all.
fn ranks(times: &[u64]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by_key(|&at| times[at]);
    let mut ranks = vec![0; times.len()];
    for (rank, at) in order.into_iter().enumerate() {
        ranks[at] = rank as u32;
    }
    ranks
}

/// The furthest that a frame is presented before its turn in decode order.
fn reorder_depth(presentation: &[u32]) -> u32 {
    presentation.iter().enumerate().map(|(at, place)| (at as u32).saturating_sub(*place)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_whose_rate_is_to_be_met_meets_it() {
        let left_alone = ClipSpec::small(VideoCodec::H264);
        let exact = ClipSpec { exact_rate: true, ..left_alone };
        let kbits = |spec| {
            let clip = Clip::get(spec).unwrap();
            let size =
                |frame: &ClipFrame| frame.head.as_ref().map_or(0, |head| head.size()) + frame.tail.size();
            let bytes: usize = clip.frames.iter().map(size).sum();
            bytes as f64 * 8.0 * f64::from(spec.fps) / f64::from(spec.frames()) / 1000.0
        };
        let (loose, met) = (kbits(left_alone), kbits(exact));
        assert!((met / f64::from(exact.kbits) - 1.0).abs() <= 0.02, "{met} kbit/s; left to itself: {loose}");
        let off = (loose / f64::from(exact.kbits) - 1.0).abs();
        assert!(off > 0.02, "the encoder meets {loose} kbit/s by itself: this test proves nothing");
    }

    #[test]
    fn the_depth_is_how_far_presentation_lags_behind_decoding() {
        let cases: [(&str, &[u64], &[u32], u32); 4] = [
            ("no B-frames", &[10, 20, 30], &[0, 1, 2], 0),
            ("one B-frame", &[0, 40, 20, 80, 60], &[0, 2, 1, 4, 3], 1),
            ("two B-frames", &[0, 60, 20, 40], &[0, 3, 1, 2], 1),
            ("pyramid of three", &[0, 80, 40, 20, 60], &[0, 4, 2, 1, 3], 2),
        ];
        for (name, times, places, depth) in cases {
            assert_eq!(ranks(times), places, "{name}");
            assert_eq!(reorder_depth(places), depth, "{name}");
        }
    }
}
