//! What a decoder must know before a frame, and where a file tells it.
//!
//! Words: **parameter sets** are SPS and PPS, in H.265 also VPS: NAL units without which no frame can be decoded. A
//! codec's configuration record holds those of the moment. A **sample entry** describes a track at the start of a file, and
//! by its name says where the sets are (ISO/IEC 14496-15): `avc1` and `hvc1` have all of them in their record;
//! with `avc3` and `hev1` they may also stand in the samples, so that one file can hold frames of several formats.
//!
//! Records come from cameras: nothing in here believes a length.

use super::TrackConfig;
use super::boxes::Bytes;

/// Where a segment's decoders find parameter sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParameterSets {
    /// In the sample entry: one format over the whole segment.
    #[default]
    InEntry,
    /// In the samples too, see [`with_parameter_sets`]: formats may change at any keyframe.
    InSamples,
}

/// H.264's access unit delimiter, sequence and picture parameter set.
mod avc {
    pub const DELIMITER: u8 = 9;
    pub const SETS: [u8; 2] = [7, 8];
}

/// The same of H.265, with the video parameter set.
mod hevc {
    pub const DELIMITER: u8 = 35;
    pub const SETS: [u8; 3] = [32, 33, 34];
}

/// The bit of an array of hvcC that says: there are no others, also not in the samples.
const ARRAY_COMPLETE: u8 = 0x80;

/// Where the number of arrays stands in hvcC.
const HVCC_ARRAYS: usize = 22;

/// What a configuration record holds.
struct Sets<'a> {
    /// Bytes of the length before each NAL unit of a sample.
    length_size: usize,
    /// In the order in which a decoder is to get them.
    units: Vec<&'a [u8]>,
}

/// Whether frames of both formats can lie in one file whose parameter sets are in its samples.
pub fn share_a_file(one: &TrackConfig, other: &TrackConfig) -> bool {
    let same_codec = match (one, other) {
        (TrackConfig::H264 { .. }, TrackConfig::H264 { .. })
        | (TrackConfig::H265 { .. }, TrackConfig::H265 { .. }) => true,
        (
            TrackConfig::H264 { .. }
            | TrackConfig::H265 { .. }
            | TrackConfig::Aac { .. }
            | TrackConfig::Opus { .. }
            | TrackConfig::Flac { .. },
            _,
        ) => false,
    };
    match (sets(one), sets(other)) {
        (Some(one), Some(other)) => same_codec && one.length_size == other.length_size,
        (None, _) | (_, None) => false,
    }
}

/// A frame with its format's parameter sets before it; behind the delimiter, which comes first in an access unit. `None`
/// if the record holds none that can be read.
pub fn with_parameter_sets(config: &TrackConfig, frame: &[u8]) -> Option<Vec<u8>> {
    let Sets { length_size, units } = sets(config)?;
    let mut whole = Vec::with_capacity(frame.len() + units.iter().map(|unit| unit.len() + 4).sum::<usize>());
    let (delimiter, rest) = frame.split_at(delimiter(config, frame, length_size));
    whole.extend_from_slice(delimiter);
    for unit in units {
        let length = u32::try_from(unit.len()).ok()?.to_be_bytes();
        let (beyond, length) = length.split_at_checked(length.len().checked_sub(length_size)?)?;
        if beyond.iter().any(|byte| *byte != 0) {
            return None;
        }
        whole.extend_from_slice(length);
        whole.extend_from_slice(unit);
    }
    whole.extend_from_slice(rest);
    Some(whole)
}

/// A record as a sample entry holds it: hvcC says of its arrays that nothing is beside them, and must not where there is.
pub fn record(codec_data: &[u8], sets: ParameterSets) -> Vec<u8> {
    let mut record = codec_data.to_vec();
    match sets {
        ParameterSets::InEntry => {}
        ParameterSets::InSamples => {
            for at in hevc_arrays(codec_data).unwrap_or_default() {
                if let Some(byte) = record.get_mut(at) {
                    *byte &= !ARRAY_COMPLETE;
                }
            }
        }
    }
    record
}

fn sets(config: &TrackConfig) -> Option<Sets<'_>> {
    let (length_size, units) = match config {
        TrackConfig::H264 { codec_data, .. } => (codec_data.get(4)?, avc_units(codec_data)?),
        TrackConfig::H265 { codec_data, .. } => (codec_data.get(21)?, hevc_units(codec_data)?),
        TrackConfig::Aac { .. } | TrackConfig::Opus { .. } | TrackConfig::Flac { .. } => return None,
    };
    (!units.is_empty()).then_some(Sets { length_size: usize::from(length_size & 3) + 1, units })
}

/// SPS and PPS of an AVCDecoderConfigurationRecord.
fn avc_units(record: &[u8]) -> Option<Vec<&[u8]>> {
    let mut bytes = Bytes(record);
    bytes.take(5)?;
    let mut units = Vec::new();
    for kind in avc::SETS {
        // The upper three bits of the SPS' count are reserved.
        let count = bytes.take(1)?.first()? & if kind == avc::SETS[0] { 0x1f } else { 0xff };
        for _ in 0..count {
            units.extend(unit(&mut bytes)?);
        }
    }
    Some(units)
}

/// VPS, SPS and PPS of an HEVCDecoderConfigurationRecord.
fn hevc_units(record: &[u8]) -> Option<Vec<&[u8]>> {
    let mut units = Vec::new();
    for kind in hevc::SETS {
        for at in hevc_arrays(record)? {
            let mut bytes = Bytes(record.get(at..)?);
            if bytes.take(1)?.first()? & 0x3f == kind {
                for _ in 0..number(&mut bytes)? {
                    units.extend(unit(&mut bytes)?);
                }
            }
        }
    }
    Some(units)
}

/// Where the arrays of an HEVCDecoderConfigurationRecord begin.
fn hevc_arrays(record: &[u8]) -> Option<Vec<usize>> {
    let mut bytes = Bytes(record);
    bytes.take(HVCC_ARRAYS)?;
    let count = *bytes.take(1)?.first()?;
    let mut places = Vec::new();
    for _ in 0..count {
        places.push(record.len() - bytes.0.len());
        bytes.take(1)?;
        for _ in 0..number(&mut bytes)? {
            unit(&mut bytes)?;
        }
    }
    Some(places)
}

/// The next NAL unit of a record; one without bytes is none.
fn unit<'a>(bytes: &mut Bytes<'a>) -> Option<Option<&'a [u8]>> {
    let length = number(bytes)?;
    let unit = bytes.take(usize::from(length))?;
    Some((!unit.is_empty()).then_some(unit))
}

fn number(bytes: &mut Bytes) -> Option<u16> {
    bytes.take(2)?.try_into().ok().map(u16::from_be_bytes)
}

/// Length of the delimiter that a frame begins with, if it does.
fn delimiter(config: &TrackConfig, frame: &[u8], length_size: usize) -> usize {
    let mut bytes = Bytes(frame);
    let Some(length) = bytes.take(length_size) else { return 0 };
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let Some(header) = bytes.take(length).and_then(<[u8]>::first) else { return 0 };
    let is_delimiter = match config {
        TrackConfig::H264 { .. } => header & 0x1f == avc::DELIMITER,
        TrackConfig::H265 { .. } => header >> 1 & 0x3f == hevc::DELIMITER,
        TrackConfig::Aac { .. } | TrackConfig::Opus { .. } | TrackConfig::Flac { .. } => false,
    };
    if is_delimiter { length_size + length } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn avc(codec_data: &[u8]) -> TrackConfig {
        TrackConfig::H264 { codec_data: codec_data.to_vec(), width: 320, height: 240 }
    }

    fn hevc(codec_data: &[u8]) -> TrackConfig {
        TrackConfig::H265 { codec_data: codec_data.to_vec(), width: 320, height: 240 }
    }

    /// avcC with one SPS and two PPS, and lengths of this many bytes.
    fn avcc(length_size: u8) -> Vec<u8> {
        let mut record = vec![1, 66, 192, 30, 0xfc | (length_size - 1), 0xe1];
        record.extend([0, 3, 0x67, 1, 2]);
        record.extend([2, 0, 2, 0x68, 3, 0, 2, 0x68, 4]);
        record
    }

    /// hvcC whose PPS comes before its SPS, with a VPS and an SEI message; all arrays complete.
    fn hvcc() -> Vec<u8> {
        let mut record = vec![1; 21];
        record.extend([0xff, 4]);
        for (kind, byte) in [(34, 0x44), (32, 0x40), (33, 0x42), (39, 0x4e)] {
            record.extend([0x80 | kind, 0, 1, 0, 2, byte, 1]);
        }
        record
    }

    #[test]
    fn a_frame_gets_its_sets_in_their_order_and_behind_its_delimiter() {
        const FRAME: [u8; 6] = [0, 0, 0, 2, 0x65, 9];
        let sets = [0, 0, 0, 3, 0x67, 1, 2, 0, 0, 0, 2, 0x68, 3, 0, 0, 0, 2, 0x68, 4];
        let delimiter = [0, 0, 0, 2, 0x09, 0xf0];
        let whole = |parts: &[&[u8]]| Some(parts.concat());
        let config = avc(&avcc(4));
        assert_eq!(with_parameter_sets(&config, &FRAME), whole(&[&sets, &FRAME]));
        let delimited = [&delimiter[..], &FRAME].concat();
        assert_eq!(with_parameter_sets(&config, &delimited), whole(&[&delimiter, &sets, &FRAME]));
        let short = with_parameter_sets(&avc(&avcc(2)), &[0, 2, 0x65, 9]);
        assert_eq!(short, whole(&[&[0, 3, 0x67, 1, 2, 0, 2, 0x68, 3, 0, 2, 0x68, 4, 0, 2, 0x65, 9]]));
        let frame = [0, 0, 0, 3, 0x46, 1, 0x50, 0, 0, 0, 2, 0x26, 1];
        let sets = [0, 0, 0, 2, 0x40, 1, 0, 0, 0, 2, 0x42, 1, 0, 0, 0, 2, 0x44, 1];
        let expected = whole(&[&frame[..7], &sets, &frame[7..]]);
        assert_eq!(with_parameter_sets(&hevc(&hvcc()), &frame), expected, "H.265, VPS first");
    }

    #[test]
    fn formats_share_a_file_if_one_reader_can_take_both_apart() {
        let aac = TrackConfig::Aac { codec_data: vec![0x11, 0x88], rate: 48_000, channels: 1 };
        for (case, one, other, expected) in [
            ("two of H.264", avc(&avcc(4)), avc(&[&avcc(4)[..], &[0xfd]].concat()), true),
            ("two of H.265", hevc(&hvcc()), hevc(&hvcc()), true),
            ("lengths of another size", avc(&avcc(4)), avc(&avcc(2)), false),
            ("another codec", avc(&avcc(4)), hevc(&hvcc()), false),
            ("sound", aac.clone(), aac, false),
            ("a record without sets", avc(&avcc(4)), avc(&[1, 66, 192, 30, 0xff, 0xe0, 0]), false),
            ("a record that is cut short", avc(&avcc(4)), avc(&avcc(4)[..12]), false),
        ] {
            let both_ways = (share_a_file(&one, &other), share_a_file(&other, &one));
            assert_eq!(both_ways, (expected, expected), "{case}");
        }
    }

    #[test]
    fn only_hvcc_is_changed_and_only_where_it_would_lie() {
        let said = record(&hvcc(), ParameterSets::InSamples);
        let changed: Vec<usize> = (0..said.len()).filter(|at| said[*at] != hvcc()[*at]).collect();
        assert_eq!(changed, [23, 30, 37, 44]);
        assert!(changed.iter().all(|at| said[*at] == hvcc()[*at] & 0x3f));
        assert_eq!(record(&hvcc(), ParameterSets::InEntry), hvcc());
    }

    proptest! {
        #[test]
        fn no_record_and_no_frame_whatever_stops_it(
            mut bytes in prop::collection::vec(any::<u8>(), 0..60), frame in prop::collection::vec(any::<u8>(), 0..20), sane in any::<bool>(),
        ) {
            if sane && bytes.len() > 23 {
                bytes[22] &= 3;
                bytes[5] = 0xe1;
            }
            for config in [avc(&bytes), hevc(&bytes)] {
                let _ = share_a_file(&config, &config);
                if let Some(whole) = with_parameter_sets(&config, &frame) {
                    prop_assert!(whole.len() > frame.len() && whole.len() < frame.len() + 4 * bytes.len());
                }
            }
            prop_assert_eq!(record(&bytes, ParameterSets::InSamples).len(), bytes.len());
        }
    }
}
