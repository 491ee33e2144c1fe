//! Fragmented MP4: access units in, bytes of a segment out, and the way back: what a file holds.
//!
//! Words: a **segment** is one file, `ftyp` + `moov`, then **fragments**, each `prft` + `moof` + `mdat`.
//! **PTS** is when a frame is shown, **DTS** when it is decoded; cameras tell only the PTS, so the DTS is
//! derived (`timing.rs`). A **tick** is one unit of a track's timescale: 1/90000 s for video, one sample
//! for audio. **Media time zero** is the PTS of a segment's first keyframe.
//!
//! Everything here is pure: [`SegmentMuxer`] turns [`Sample`]s into [`Fragment`]s without touching a file or
//! copying a payload, and [`scan`] reads through `Read + Seek`.
//!
//! ```text
//! push push push cut(next)            push push cut(next)
//!  └──── >= 1 s ───┘ └▶ ftyp moov prft moof mdat └▶ prft moof mdat ...
//! ```
//!
//! A fragment need not begin at a keyframe. Decode times run on from one to the next (`tfdt` equals the
//! previous `tfdt` and its durations) unless there is a hole, so a hole can be read back from the file
//! alone.

mod boxes;
mod fragment;
mod init;
mod muxer;
mod parameter_sets;
mod scan;
#[cfg(test)]
mod tests;
mod timing;

use holdfast_core::time::Mono;
use std::time::Duration;

pub use muxer::SegmentMuxer;
pub use parameter_sets::{ParameterSets, share_a_file, with_parameter_sets};
pub use scan::{ScanError, SegmentFacts, header, scan};

/// Timescale of video: RTP's own clock, so that a camera's timestamps lose nothing.
pub const VIDEO_TIMESCALE: u32 = 90_000;

/// A PTS that is later than expected by more than this (and by more than the stream's own rhythm explains) is
/// a hole: the next fragment's `tfdt` jumps. Anything shorter is told as one long frame.
pub const HOLE: Duration = Duration::from_secs(1);

/// A `tfdt` that lies further than this behind the end of the fragment before splits a stretch of coverage
/// when a file is read back; the muxer closes smaller ones, which only jitter explains.
pub const SEAM: Duration = Duration::from_millis(100);

/// What a track holds. The video comes first, in [`SegmentMuxer::new`]'s list, and is the only one of its
/// kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackConfig {
    /// H.264 in length-prefixed NAL units (`stream-format=avc`).
    H264 {
        /// AVCDecoderConfigurationRecord, written as it is.
        codec_data: Vec<u8>,
        /// In pixels.
        width: u16,
        /// In pixels.
        height: u16,
    },
    /// H.265 in length-prefixed NAL units, parameter sets in `codec_data` (`stream-format=hvc1`).
    H265 {
        /// HEVCDecoderConfigurationRecord, written as it is.
        codec_data: Vec<u8>,
        /// In pixels.
        width: u16,
        /// In pixels.
        height: u16,
    },
    /// AAC, raw access units (no ADTS).
    Aac {
        /// AudioSpecificConfig, written as it is.
        codec_data: Vec<u8>,
        /// Samples per second.
        rate: u32,
        /// Channels.
        channels: u8,
    },
    /// Opus, one packet per sample.
    Opus {
        /// Rate of the original, in samples per second; the track itself always runs at 48000.
        rate: u32,
        /// One or two channels.
        channels: u8,
        /// Samples at 48000 a second that a decoder throws away at its start.
        pre_skip: u16,
    },
    /// FLAC, one frame per sample. What G.711 is kept as.
    Flac {
        /// Body of the STREAMINFO block.
        stream_info: [u8; 34],
        /// Samples per second.
        rate: u32,
        /// Channels.
        channels: u8,
    },
}

impl TrackConfig {
    /// Whether it is a video track.
    pub const fn is_video(&self) -> bool {
        match self {
            TrackConfig::H264 { .. } | TrackConfig::H265 { .. } => true,
            TrackConfig::Aac { .. } | TrackConfig::Opus { .. } | TrackConfig::Flac { .. } => false,
        }
    }
    /// Ticks in a second of this track.
    pub const fn timescale(&self) -> u32 {
        match self {
            TrackConfig::H264 { .. } | TrackConfig::H265 { .. } => VIDEO_TIMESCALE,
            // The mapping of Opus into MP4 fixes it, whatever rate went into the encoder.
            TrackConfig::Opus { .. } => 48_000,
            TrackConfig::Aac { rate, .. } | TrackConfig::Flac { rate, .. } => *rate,
        }
    }
}

/// The data of an access unit: a mapped GStreamer buffer in the program, a `Vec<u8>` in tests.
pub trait Payload {
    /// The bytes, as they are to lie in the file.
    fn bytes(&self) -> &[u8];
}

impl Payload for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// One access unit: a frame, or a packet of audio.
#[derive(Clone, Debug)]
pub struct Sample<P> {
    /// Place of its track in the muxer's list; 0 is the video.
    pub track: usize,
    /// When it is shown or heard.
    pub pts: Mono,
    /// How long it lasts, if known; used where no following sample tells.
    pub duration: Option<Duration>,
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// Its data.
    pub payload: P,
}

/// A piece of a segment: the unit of loss at a power cut. Write `head`, then each of `payloads` in order
/// (one writev), then sync.
#[derive(Clone, Debug)]
pub struct Fragment<P> {
    /// Boxes that precede the data: `prft`, `moof`, the header of `mdat`; before a segment's first also
    /// `ftyp` and `moov`.
    pub head: Vec<u8>,
    /// The data of `mdat`, in order.
    pub payloads: Vec<P>,
    /// When its video begins.
    ///
    /// Measured in decode times, shifted so that a segment begins with its first shown frame: with B-frames a
    /// fragment's frames are shown interleaved with its neighbours' at both ends, and only so do spans
    /// tile, `to` of one being `from` of the next, unless frames are missing. Without B-frames it is the
    /// PTS of the first frame.
    pub from: Mono,
    /// When its video ends; see `from`.
    pub to: Mono,
    /// Video frames in it.
    pub frames: u32,
    /// Length of `head` and `payloads` together, in bytes.
    pub bytes: u64,
}

/// Why a segment cannot be begun. Each is a fault of the caller's configuration, none is healed by trying
/// again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mp4Error {
    /// The list of tracks is empty, or does not begin with the video.
    #[error("a segment cannot be begun: its first track must be video")]
    NoVideo,
    /// Another track than the first is video.
    #[error(
        "a segment cannot be begun: track {track} is a second video track, and a segment shows one camera"
    )]
    SecondVideo {
        /// Its place in the list.
        track: usize,
    },
    /// The codec's own configuration record is too short, too long or of an unknown version.
    #[error(
        "a segment cannot be begun: the {codec} configuration of track {track} ({length} bytes) is damaged"
    )]
    CodecData {
        /// Its place in the list.
        track: usize,
        /// Which codec.
        codec: &'static str,
        /// Length of what was given.
        length: usize,
    },
    /// A rate of zero or beyond all codecs, or a number of channels that the codec cannot have in MP4.
    #[error(
        "a segment cannot be begun: track {track} cannot have {channels} channels at {rate} samples a second"
    )]
    Audio {
        /// Its place in the list.
        track: usize,
        /// Samples per second.
        rate: u32,
        /// Channels.
        channels: u8,
    },
    /// The segment's header does not fit its box.
    #[error("a segment cannot be begun: its header cannot be encoded")]
    Header(#[source] holdfast_wire::frame::TooLong),
}
