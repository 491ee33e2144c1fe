//! Cameras whose every frame can be made again: its moment, its length and its bytes follow from its number.

use holdfast::mp4::TrackConfig;
use holdfast::ring::{AccessUnit, Data, TrackKind};
use holdfast_core::time::Mono;
use holdfast_wire::ids::Name;
use holdfast_wire::time::Wall;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const NANOS: u64 = 1_000_000_000;

/// The monotonic clock at second zero.
pub const START: Mono = Mono(1000 * NANOS);

/// The wall clock at second zero: 2026-11-22T10:00:00Z.
pub const WALL: Wall = Wall::from_secs(1_795_341_600);

/// A keyframe's length in those of other frames.
const KEYFRAME: u64 = 8;

/// What frames are cut from: longer than two of the longest.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    (0..1 << 18).map(|_| next(&mut state) as u8).collect()
});

/// The wall clock after so many seconds.
pub fn second(seconds: u64) -> Wall {
    WALL + Duration::from_secs(seconds)
}

/// One camera.
pub struct Camera {
    pub index: u8,
    pub name: Name,
    config: Arc<TrackConfig>,
    frames_a_second: u64,
    frames_of_gop: u64,
    /// Mean length of a frame that is no keyframe.
    length: u64,
}

impl Camera {
    pub fn new(index: u8, name: &str, kilobits: u64, frames_a_second: u64, frames_of_gop: u64) -> Self {
        // Version 1, profile and level, four-byte lengths, one SPS, one PPS.
        let codec_data = vec![1, 66, 192, 30, 0xff, 0xe1, 0, 4, 0x67, 66, 192, 30, 1, 0, 2, 0x68, 0xce];
        let gop = kilobits * 125 * frames_of_gop / frames_a_second;
        Camera {
            index,
            name: Name::new(name).unwrap(),
            config: Arc::new(TrackConfig::H264 { codec_data, width: 1280, height: 720 }),
            frames_a_second,
            frames_of_gop,
            length: gop / (frames_of_gop - 1 + KEYFRAME),
        }
    }

    /// When a frame is shown: each camera begins a little later than the one before.
    fn after(&self, frame: u64) -> Duration {
        let offset = u64::from(self.index) * 130_000_000;
        Duration::from_nanos(offset + frame * NANOS / self.frames_a_second)
    }

    /// When a frame is shown, by the wall clock.
    pub fn wall(&self, frame: u64) -> Wall {
        WALL + self.after(frame)
    }

    /// How many frames are shown before this second.
    pub fn frames_before(&self, second: u64) -> u64 {
        (0..).find(|frame| self.after(*frame) >= Duration::from_secs(second)).unwrap()
    }

    /// A frame as the ring takes it.
    pub fn unit(&self, frame: u64) -> AccessUnit {
        AccessUnit {
            track: TrackKind::Video,
            pts: START + self.after(frame),
            duration: None,
            keyframe: self.is_keyframe(frame),
            config: Arc::clone(&self.config),
            data: Data::new(self.bytes(frame)),
        }
    }

    /// One NAL unit: its length, its type, whose it is and its number, noise.
    pub fn bytes(&self, frame: u64) -> Vec<u8> {
        let mut state = (u64::from(self.index) << 32 | frame).wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
        let mean = if self.is_keyframe(frame) { self.length * KEYFRAME } else { self.length };
        let length = (mean * 3 / 4 + next(&mut state) % (mean / 2).max(1)).max(16) as usize;
        let kind = if self.is_keyframe(frame) { 0x65 } else { 0x41 };
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&(length as u32 - 4).to_be_bytes());
        bytes.extend_from_slice(&[kind, self.index]);
        bytes.extend_from_slice(&(frame as u32).to_be_bytes());
        let from = next(&mut state) as usize % (NOISE.len() / 2);
        bytes.extend_from_slice(&NOISE[from..from + length - bytes.len()]);
        bytes
    }

    fn is_keyframe(&self, frame: u64) -> bool {
        frame.is_multiple_of(self.frames_of_gop)
    }
}

/// xorshift64.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 11
}
