//! What can be recorded, and with which elements: one table, used for choosing tracks, for building the
//! pipeline and for checking at start that every element is there.

use gstreamer as gst;

use crate::mp4::TrackConfig;
use crate::ring::TrackKind;

/// One row: a codec as an SDP names it, and the way from its RTP packets to access units.
#[derive(Debug)]
pub struct Codec {
    /// Video or audio.
    pub kind: TrackKind,
    /// `encoding-name` in the track's caps: RTP's registered name, in capitals.
    pub encoding: &'static str,
    /// The elements from RTP to access units, in order.
    pub elements: &'static [&'static str],
    /// What the last of them must deliver.
    pub caps: &'static str,
}

/// G.711 is decoded and kept as FLAC: no sample is changed, and every player reads it (decision 0011).
pub const CODECS: &[Codec] = &[
    Codec {
        kind: TrackKind::Video,
        encoding: "H264",
        elements: &["rtph264depay", "h264parse"],
        caps: "video/x-h264,stream-format=avc,alignment=au",
    },
    Codec {
        kind: TrackKind::Video,
        encoding: "H265",
        elements: &["rtph265depay", "h265parse"],
        caps: "video/x-h265,stream-format=hvc1,alignment=au",
    },
    Codec {
        kind: TrackKind::Audio,
        encoding: "MPEG4-GENERIC",
        elements: &["rtpmp4gdepay", "aacparse"],
        caps: "audio/mpeg,mpegversion=4,stream-format=raw",
    },
    Codec {
        kind: TrackKind::Audio,
        encoding: "MP4A-LATM",
        elements: &["rtpmp4adepay", "aacparse"],
        caps: "audio/mpeg,mpegversion=4,stream-format=raw",
    },
    Codec {
        kind: TrackKind::Audio,
        encoding: "OPUS",
        elements: &["rtpopusdepay", "opusparse"],
        caps: "audio/x-opus",
    },
    Codec {
        kind: TrackKind::Audio,
        encoding: "PCMA",
        elements: &["rtppcmadepay", "alawdec", "flacenc"],
        caps: "audio/x-flac",
    },
    Codec {
        kind: TrackKind::Audio,
        encoding: "PCMU",
        elements: &["rtppcmudepay", "mulawdec", "flacenc"],
        caps: "audio/x-flac",
    },
];

/// Samples in one FLAC packet: 128 ms of G.711, so that a fragment of 1 s ends where its video does, to
/// an eighth. A block size that FLAC codes in four bits.
pub const FLAC_BLOCK: i32 = 1024;

/// Elements beside those of [`CODECS`] that the media path needs.
const OTHERS: &[&str] = &["rtspsrc", "rtpbin", "rtpjitterbuffer", "rtpptdemux", "appsink"];

impl Codec {
    /// The row for a track with these caps, if it can be recorded.
    pub fn of(caps: &gst::StructureRef) -> Option<&'static Codec> {
        let media = caps.get::<&str>("media").ok()?;
        let encoding = caps.get::<&str>("encoding-name").ok()?;
        CODECS.iter().find(|codec| {
            codec.encoding.eq_ignore_ascii_case(encoding)
                && match codec.kind {
                    TrackKind::Video => media == "video",
                    TrackKind::Audio => media == "audio",
                }
        })
    }
}

/// Names of elements that this GStreamer lacks; empty where recording is possible.
pub fn missing_elements() -> Vec<&'static str> {
    let codecs = CODECS.iter().flat_map(|codec| codec.elements.iter());
    let mut names: Vec<&'static str> = codecs.chain(OTHERS.iter()).copied().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| gst::ElementFactory::find(name).is_none());
    names
}

/// What a decoder must know, from the caps in front of the appsink. `None` while they are incomplete
/// (no codec data or no size yet).
pub fn track_config(caps: &gst::CapsRef) -> Option<TrackConfig> {
    let fields = caps.structure(0)?;
    let codec_data = || -> Option<Vec<u8>> {
        let buffer = fields.get::<gst::Buffer>("codec_data").ok()?;
        Some(buffer.map_readable().ok()?.to_vec())
    };
    let dimension = |name| fields.get::<i32>(name).ok().and_then(|value| u16::try_from(value).ok());
    let rate = || fields.get::<i32>("rate").ok().and_then(|rate| u32::try_from(rate).ok());
    let channels = || fields.get::<i32>("channels").ok().and_then(|count| u8::try_from(count).ok());
    match fields.name().as_str() {
        "video/x-h264" => Some(TrackConfig::H264 {
            codec_data: codec_data()?,
            width: dimension("width")?,
            height: dimension("height")?,
        }),
        "video/x-h265" => Some(TrackConfig::H265 {
            codec_data: codec_data()?,
            width: dimension("width")?,
            height: dimension("height")?,
        }),
        "audio/mpeg" => {
            Some(TrackConfig::Aac { codec_data: codec_data()?, rate: rate()?, channels: channels()? })
        }
        // RTP carries no OpusHead, so nothing is to be skipped that anybody told us of (RFC 7587).
        "audio/x-opus" => {
            Some(TrackConfig::Opus { rate: rate().unwrap_or(48_000), channels: channels()?, pre_skip: 0 })
        }
        "audio/x-flac" => Some(TrackConfig::Flac {
            stream_info: flac_stream_info(fields)?,
            rate: rate()?,
            channels: channels()?,
        }),
        _ => None,
    }
}

/// The 34 bytes of STREAMINFO that follow the mark `fLaC` and the four bytes of its block header.
fn flac_stream_info(fields: &gst::StructureRef) -> Option<[u8; 34]> {
    let headers = fields.get::<gst::ArrayRef>("streamheader").ok()?;
    let first = headers.as_slice().first()?.get::<gst::Buffer>().ok()?;
    let bytes = first.map_readable().ok()?;
    let mark = bytes.windows(4).position(|window| window == b"fLaC")?;
    bytes.get(mark + 8..mark + 42)?.try_into().ok()
}
