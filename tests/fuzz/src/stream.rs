//! What a camera sends: its codec's configuration as it is, frames of any size at any times. What can be begun as a segment is
//! written and read back to the last frame.

use holdfast::ingest::is_sound;
use holdfast::mp4::{Sample, SegmentMuxer, TrackConfig, scan};
use holdfast_core::time::Mono;
use holdfast_wire::ids::{Id128, Name};
use holdfast_wire::segment::{SegmentHeader, SegmentHeaderV1};
use holdfast_wire::time::Wall;
use std::io::Cursor;
use std::time::Duration;

/// Bytes that are taken one after the other, zeros at their end.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }
    fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }
    fn long(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }
    fn some(&mut self, length: usize) -> Vec<u8> {
        (0..length.min(self.0.len())).map(|_| self.byte()).collect()
    }
}

fn track(bytes: &mut Bytes<'_>) -> TrackConfig {
    let kind = bytes.byte();
    let length = usize::from(bytes.byte());
    match kind % 5 {
        0 => {
            TrackConfig::H264 { codec_data: bytes.some(length), width: bytes.short(), height: bytes.short() }
        }
        1 => {
            TrackConfig::H265 { codec_data: bytes.some(length), width: bytes.short(), height: bytes.short() }
        }
        2 => TrackConfig::Aac { codec_data: bytes.some(length), rate: bytes.long(), channels: bytes.byte() },
        3 => TrackConfig::Opus { rate: bytes.long(), channels: bytes.byte(), pre_skip: bytes.short() },
        _ => TrackConfig::Flac { stream_info: [7; 34], rate: bytes.long(), channels: bytes.byte() },
    }
}

/// A header as every segment has one.
pub fn segment_header() -> SegmentHeaderV1 {
    SegmentHeaderV1 {
        volume: Id128([9; 16]),
        device: Name::new("van-12").expect("a name"),
        camera: Name::new("entrance").expect("a name"),
        session: Id128([1; 16]),
        boot: Id128([2; 16]),
        sequence: 1,
        start: Wall::from_secs(1_700_000_000),
        clock_trusted: true,
        fallback: false,
        before: Default::default(),
    }
}

/// Muxes a stream.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let tracks: Vec<TrackConfig> = (0..=bytes.byte() % 3).map(|_| track(&mut bytes)).collect();
    let depth = usize::from(bytes.byte());
    let video = tracks[0].clone();
    let Ok(mut muxer) = SegmentMuxer::new(tracks, SegmentHeader::V1(segment_header()), depth) else { return };
    let mut file = Vec::new();
    let (mut pushed, mut now) = (0, 1_000_000_000_000_u64);
    let mut begun = false;
    while !bytes.0.is_empty() {
        let what = bytes.byte();
        // Up to 65 s ahead, up to 6.5 s back, in steps of 1 ms or 0.1 ms.
        let step = u64::from(bytes.short());
        now = if what & 1 == 0 { now + step * 1_000_000 } else { now.saturating_sub(step * 100_000) };
        let track = usize::from(what >> 1 & 3);
        let duration = (what & 8 != 0).then(|| Duration::from_millis(u64::from(bytes.byte())));
        let length = usize::from(bytes.byte());
        let mut payload = bytes.some(length);
        if is_sound(&video, &payload) && video.is_video() {
            // What is whole is whole no more with a byte too few.
            assert!(!is_sound(&video, &payload[..payload.len() - 1]), "{payload:?}");
        }
        // Data that ends in zeros counts as never written: no NAL unit does.
        payload.push(0x80);
        begun |= track == 0;
        pushed += u32::from(track == 0);
        muxer.push(Sample { track, pts: Mono::from_nanos(now), duration, keyframe: what & 16 != 0, payload });
        if what & 32 != 0 {
            let next = (what & 64 != 0).then(|| Mono::from_nanos(now + 40_000_000));
            write(&mut file, muxer.cut(next));
        }
    }
    write(&mut file, muxer.cut(None));
    assert_eq!(begun, !file.is_empty());
    if !begun {
        return;
    }
    let facts = scan(Cursor::new(&file), file.len() as u64).expect("a segment of ours");
    assert_eq!((facts.frames, facts.torn_bytes), (pushed, 0), "{facts:?}");
}

fn write(file: &mut Vec<u8>, fragments: Vec<holdfast::mp4::Fragment<Vec<u8>>>) {
    for fragment in fragments {
        let before = file.len() as u64;
        file.extend_from_slice(&fragment.head);
        fragment.payloads.iter().for_each(|payload| file.extend_from_slice(payload));
        assert_eq!(file.len() as u64 - before, fragment.bytes);
        assert!(fragment.from <= fragment.to, "{:?} to {:?}", fragment.from, fragment.to);
    }
}
