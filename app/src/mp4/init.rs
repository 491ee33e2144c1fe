//! The boxes that stand once, at the start of a segment: `ftyp` and `moov`.
//!
//! The codec's configuration record is written byte for byte as the stream gave it, never taken apart and put
//! together again: what a decoder is told must be what the camera said. The one exception is a bit of hvcC, see
//! [`parameter_sets`](super::parameter_sets).

use super::boxes::{creation_time, encoded};
use super::parameter_sets::{ParameterSets, record};
use super::{Mp4Error, TrackConfig};
use holdfast_wire::frame::{MAX_HEADER, encode_header};
use holdfast_wire::segment::{HEADER_UUID, SegmentHeader};
use mp4_atom::{
    Audio, BufMut, Dinf, Dops, Dref, Edts, Elst, ElstEntry, Encode, Ftyp, Hdlr, Matrix, Mdhd, Mvex, Mvhd,
    Result, Smhd, Stco, Stsc, Stsz, StszSamples, Stts, Tkhd, Trex, Url, Uuid, Visual, Vmhd,
};

/// Ticks of the whole presentation, which a fragmented file hardly uses: milliseconds, as everybody does.
const MOVIE_TIMESCALE: u32 = 1000;

/// A sample that decoding can begin at: depends on no other.
pub const SYNC: u32 = 0x0200_0000;

/// A sample that decoding cannot begin at: depends on others, is no sync sample.
pub const NOT_SYNC: u32 = 0x0101_0000;

/// Longest AudioSpecificConfig that is believed. Real ones have 2 to 8 bytes; under 100 the lengths of the
/// descriptors around it take one byte each.
const MAX_AUDIO_CONFIG: usize = 64;

/// Rates of sound that are believed: up to four times what any codec here knows.
const RATES: std::ops::RangeInclusive<u32> = 1..=768_000;

/// What never changes over a segment, checked.
pub struct Init {
    tracks: Vec<TrackConfig>,
    sets: ParameterSets,
    header: Vec<u8>,
    title: String,
    comment: String,
    created: u64,
}

impl Init {
    /// Checks tracks and header.
    pub fn new(tracks: &[TrackConfig], header: &SegmentHeader) -> std::result::Result<Self, Mp4Error> {
        check_tracks(tracks)?;
        let SegmentHeader::V1(v1) = header;
        let mut bytes = [0u8; MAX_HEADER];
        let used = encode_header(header, &mut bytes).map_err(Mp4Error::Header)?;
        Ok(Init {
            tracks: tracks.to_vec(),
            sets: ParameterSets::default(),
            header: used.to_vec(),
            title: v1.camera.to_string(),
            comment: format!("volume {}, segment {}, recorded by {}", v1.volume, v1.sequence, v1.device),
            created: creation_time(v1.start),
        })
    }

    /// Where the parameter sets of the video are.
    pub fn declare(&mut self, sets: ParameterSets) {
        self.sets = sets;
    }

    /// `ftyp` and `moov`. `shift`: ticks of the video's timescale that its edit list takes back.
    pub fn encode(&self, shift: u64) -> Vec<u8> {
        encoded(|buf| {
            // iso6 stands for what is used: tfdt, default-base-is-moof (iso5), signed offsets. No cmfc:
            // CMAF wants one track in a file.
            Ftyp {
                major_brand: b"iso6".into(),
                minor_version: 0,
                compatible_brands: vec![b"iso6".into(), b"iso5".into(), b"mp41".into()],
            }
            .encode(buf)?;
            buf.encode_atom(b"moov", |buf| self.moov(shift, buf))
        })
    }

    fn moov(&self, shift: u64, buf: &mut Vec<u8>) -> Result<()> {
        Mvhd {
            creation_time: self.created,
            modification_time: self.created,
            timescale: MOVIE_TIMESCALE,
            duration: 0,
            rate: 1.into(),
            volume: 1.into(),
            matrix: Matrix::default(),
            next_track_id: track_id(self.tracks.len()),
        }
        .encode(buf)?;
        for (at, track) in self.tracks.iter().enumerate() {
            let shift = if track.is_video() { shift } else { 0 };
            buf.encode_atom(b"trak", |buf| self.trak(at, track, shift, buf))?;
        }
        let trex = (0..self.tracks.len())
            .map(|at| Trex { track_id: track_id(at), default_sample_description_index: 1, ..Trex::default() })
            .collect();
        Mvex { mehd: None, trex }.encode(buf)?;
        buf.encode_atom(b"udta", |buf| buf.encode_atom(b"meta", |buf| self.metadata(buf)))?;
        Uuid::Unknown(HEADER_UUID.into(), self.header.clone()).encode(buf)
    }

    fn trak(&self, at: usize, track: &TrackConfig, shift: u64, buf: &mut Vec<u8>) -> Result<()> {
        let (width, height) = match track {
            TrackConfig::H264 { width, height, .. } | TrackConfig::H265 { width, height, .. } => {
                (*width, *height)
            }
            TrackConfig::Aac { .. } | TrackConfig::Opus { .. } | TrackConfig::Flac { .. } => (0, 0),
        };
        Tkhd {
            creation_time: self.created,
            modification_time: self.created,
            track_id: track_id(at),
            enabled: true,
            in_movie: true,
            volume: if track.is_video() { 0.into() } else { 1.into() },
            width: width.into(),
            height: height.into(),
            ..Tkhd::default()
        }
        .encode(buf)?;
        if shift > 0 {
            // A duration of 0: to the end, however long the segment will become.
            let entry = ElstEntry { segment_duration: 0, media_time: Some(shift), media_rate: 1.into() };
            Edts { elst: Some(Elst { entries: vec![entry] }) }.encode(buf)?;
        }
        buf.encode_atom(b"mdia", |buf| {
            Mdhd {
                creation_time: self.created,
                modification_time: self.created,
                timescale: track.timescale(),
                duration: 0,
                language: "und".into(),
            }
            .encode(buf)?;
            let (handler, name) = if track.is_video() { (b"vide", "Video") } else { (b"soun", "Audio") };
            Hdlr { handler: handler.into(), name: name.into() }.encode(buf)?;
            buf.encode_atom(b"minf", |buf| {
                if track.is_video() {
                    Vmhd::default().encode(buf)?;
                } else {
                    Smhd::default().encode(buf)?;
                }
                Dinf { dref: Dref { entries: vec![Url::default().into()] } }.encode(buf)?;
                buf.encode_atom(b"stbl", |buf| {
                    buf.encode_atom(b"stsd", |buf| {
                        0u32.encode(buf)?;
                        1u32.encode(buf)?;
                        sample_entry(track, self.sets, buf)
                    })?;
                    // The samples are told by the fragments; the tables must be there, and empty.
                    Stts::default().encode(buf)?;
                    Stsc::default().encode(buf)?;
                    Stsz { samples: StszSamples::default() }.encode(buf)?;
                    Stco::default().encode(buf)
                })
            })
        })
    }

    /// What players show: the camera as title, the volume as comment.
    fn metadata(&self, buf: &mut Vec<u8>) -> Result<()> {
        0u32.encode(buf)?;
        Hdlr { handler: b"mdir".into(), name: String::new() }.encode(buf)?;
        buf.encode_atom(b"ilst", |buf| {
            let writer = concat!("Holdfast ", env!("CARGO_PKG_VERSION"));
            for (kind, text) in
                [(b"\xa9nam", self.title.as_str()), (b"\xa9cmt", self.comment.as_str()), (b"\xa9too", writer)]
            {
                buf.encode_atom(kind, |buf| {
                    buf.encode_atom(b"data", |buf| {
                        1u32.encode(buf)?; // UTF-8
                        0u32.encode(buf)?; // any country, any language
                        buf.append_slice(text.as_bytes());
                        Ok(())
                    })
                })?;
            }
            Ok(())
        })
    }
}

/// The number of a track in the file: its place in the list, from 1.
pub fn track_id(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

fn sample_entry(track: &TrackConfig, sets: ParameterSets, buf: &mut Vec<u8>) -> Result<()> {
    let (avc, hevc) = match sets {
        ParameterSets::InEntry => (b"avc1", b"hvc1"),
        ParameterSets::InSamples => (b"avc3", b"hev1"),
    };
    match track {
        TrackConfig::H264 { codec_data, width, height } => buf.encode_atom(avc, |buf| {
            visual(*width, *height).encode(buf)?;
            verbatim(b"avcC", codec_data, buf)
        }),
        TrackConfig::H265 { codec_data, width, height } => buf.encode_atom(hevc, |buf| {
            visual(*width, *height).encode(buf)?;
            verbatim(b"hvcC", &record(codec_data, sets), buf)
        }),
        TrackConfig::Aac { codec_data, rate, channels } => buf.encode_atom(b"mp4a", |buf| {
            audio(*rate, *channels, 16).encode(buf)?;
            buf.encode_atom(b"esds", |buf| elementary_stream(codec_data, buf))
        }),
        TrackConfig::Opus { rate, channels, pre_skip } => buf.encode_atom(b"Opus", |buf| {
            audio(track.timescale(), *channels, 16).encode(buf)?;
            Dops {
                output_channel_count: *channels,
                pre_skip: *pre_skip,
                input_sample_rate: *rate,
                output_gain: 0,
                channel_mapping: None,
            }
            .encode(buf)
        }),
        TrackConfig::Flac { stream_info, rate, channels } => buf.encode_atom(b"fLaC", |buf| {
            audio(*rate, *channels, flac_bits(stream_info)).encode(buf)?;
            buf.encode_atom(b"dfLa", |buf| {
                0u32.encode(buf)?;
                // The header of the one block: last (0x80), STREAMINFO (0), its length.
                [0x80, 0, 0, 34].encode(buf)?;
                stream_info.encode(buf)
            })
        }),
    }
}

fn visual(width: u16, height: u16) -> Visual {
    Visual { data_reference_index: 1, width, height, ..Visual::default() }
}

fn audio(rate: u32, channels: u8, bits: u16) -> Audio {
    Audio {
        data_reference_index: 1,
        channel_count: channels.into(),
        sample_size: bits,
        // The field has 16 bits; a rate above is told by the codec's own record, and 0 here.
        sample_rate: u16::try_from(rate).unwrap_or(0).into(),
    }
}

fn verbatim(kind: &[u8; 4], bytes: &[u8], buf: &mut Vec<u8>) -> Result<()> {
    buf.encode_atom(kind, |buf| {
        buf.append_slice(bytes);
        Ok(())
    })
}

/// The body of `esds`: MPEG-4 descriptors around the AudioSpecificConfig.
fn elementary_stream(config: &[u8], buf: &mut Vec<u8>) -> Result<()> {
    let config_length = config.len() as u8; // at most MAX_AUDIO_CONFIG
    0u32.encode(buf)?; // version, flags
    [0x03, 3 + 2 + 13 + 2 + config_length + 3].encode(buf)?; // ES_Descriptor
    [0, 0, 0].encode(buf)?; // ES_ID 0, no flags
    [0x04, 13 + 2 + config_length].encode(buf)?; // DecoderConfigDescriptor
    [0x40, 0x15].encode(buf)?; // MPEG-4 audio; audio stream
    [0u8; 11].encode(buf)?; // buffer size, greatest and average bit rate: not known
    [0x05, config_length].encode(buf)?; // DecoderSpecificInfo
    buf.append_slice(config);
    [0x06, 1, 2].encode(buf) // SLConfigDescriptor: as MP4 wants it
}

/// Bits of a sample, from STREAMINFO: five bits that follow 20 of rate and 3 of channels, less one.
fn flac_bits(stream_info: &[u8; 34]) -> u16 {
    (u16::from(stream_info[12] & 1) << 4 | u16::from(stream_info[13] >> 4)) + 1
}

fn check_tracks(tracks: &[TrackConfig]) -> std::result::Result<(), Mp4Error> {
    if !tracks.first().is_some_and(TrackConfig::is_video) {
        return Err(Mp4Error::NoVideo);
    }
    for (track, config) in tracks.iter().enumerate() {
        let damaged = |codec, bytes: &[u8]| Mp4Error::CodecData { track, codec, length: bytes.len() };
        match config {
            TrackConfig::H264 { .. } | TrackConfig::H265 { .. } if track > 0 => {
                return Err(Mp4Error::SecondVideo { track });
            }
            // The shortest record has seven bytes before its parameter sets, and version 1.
            TrackConfig::H264 { codec_data, .. } => {
                if codec_data.len() < 7 || codec_data[0] != 1 {
                    return Err(damaged("H.264", codec_data));
                }
            }
            // 23 bytes before its arrays. Version 0 was written by drafts and is read by everyone.
            TrackConfig::H265 { codec_data, .. } => {
                if codec_data.len() < 23 || codec_data[0] > 1 {
                    return Err(damaged("H.265", codec_data));
                }
            }
            TrackConfig::Aac { codec_data, rate, channels } => {
                if !(2..=MAX_AUDIO_CONFIG).contains(&codec_data.len()) {
                    return Err(damaged("AAC", codec_data));
                }
                if !RATES.contains(rate) || *channels == 0 {
                    return Err(Mp4Error::Audio { track, rate: *rate, channels: *channels });
                }
            }
            // More than two channels want a mapping table, which RTP does not carry.
            TrackConfig::Opus { rate, channels, .. } => {
                if !(1..=2).contains(channels) {
                    return Err(Mp4Error::Audio { track, rate: *rate, channels: *channels });
                }
            }
            TrackConfig::Flac { rate, channels, .. } => {
                if !RATES.contains(rate) || !(1..=8).contains(channels) {
                    return Err(Mp4Error::Audio { track, rate: *rate, channels: *channels });
                }
            }
        }
    }
    Ok(())
}
