//! Whether a video access unit is well-formed, as far as that costs next to nothing: the headers of its NAL units.
//!
//! Words: a **NAL unit** is what H.264 and H.265 are packed in; here each follows its length. A **slice** is one that
//! holds picture. Nothing is decoded and nothing copied: of each NAL unit three bytes are read.

use crate::mp4::TrackConfig;

/// What a NAL unit is for, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nal {
    /// Picture; whether it is where a picture begins.
    Slice { begins: bool },
    /// Parameter sets, messages, delimiters.
    Other,
    /// No encoder makes it: bits are wrong.
    Impossible,
}

/// Whether `bytes` is a whole access unit of that format: NAL units that fill it exactly, each of a kind that exists,
/// and a picture from its beginning.
pub fn is_sound(config: &TrackConfig, bytes: &[u8]) -> bool {
    let (length_bytes, read): (usize, fn(&[u8]) -> Nal) = match config {
        TrackConfig::H264 { codec_data, .. } => (length_bytes(codec_data, 4), h264),
        TrackConfig::H265 { codec_data, .. } => (length_bytes(codec_data, 21), h265),
        TrackConfig::Aac { .. } | TrackConfig::Opus { .. } | TrackConfig::Flac { .. } => return true,
    };
    let mut rest = bytes;
    let mut has_picture = false;
    while !rest.is_empty() {
        let Some((length, behind)) = rest.split_at_checked(length_bytes) else { return false };
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let Some((nal, next)) = behind.split_at_checked(length) else { return false };
        match read(nal) {
            Nal::Impossible => return false,
            Nal::Slice { begins: false } if !has_picture => return false,
            Nal::Slice { .. } => has_picture = true,
            Nal::Other => {}
        }
        rest = next;
    }
    has_picture
}

/// Of how many bytes a length is, as the decoder configuration says in the low bits of the byte at `at`.
fn length_bytes(codec_data: &[u8], at: usize) -> usize {
    codec_data.get(at).map_or(4, |byte| usize::from(byte & 3) + 1)
}

/// H.264, 7.3.1 and table 7-1.
fn h264(nal: &[u8]) -> Nal {
    let Some(header) = nal.first().filter(|header| *header & 0x80 == 0) else { return Nal::Impossible };
    match header & 0x1f {
        // A slice begins with the number of its first macroblock, and zero is coded as a single 1.
        1 | 2 | 5 => Nal::Slice { begins: nal.get(1).is_some_and(|byte| byte & 0x80 != 0) },
        // Partitions B and C follow a partition A.
        3 | 4 => Nal::Slice { begins: false },
        6..=16 | 19..=21 => Nal::Other,
        // Reserved, and those that RTP uses for itself.
        _ => Nal::Impossible,
    }
}

/// H.265, 7.3.1.2 and table 7-1.
fn h265(nal: &[u8]) -> Nal {
    let [first, second, rest @ ..] = nal else { return Nal::Impossible };
    // The forbidden bit, and a temporal id of which one is subtracted.
    if first & 0x80 != 0 || second & 7 == 0 {
        return Nal::Impossible;
    }
    match first >> 1 {
        // `first_slice_segment_in_pic_flag`.
        0..=9 | 16..=21 => Nal::Slice { begins: rest.first().is_some_and(|byte| byte & 0x80 != 0) },
        32..=40 => Nal::Other,
        _ => Nal::Impossible,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(codec_data: Vec<u8>, is_h265: bool) -> TrackConfig {
        if is_h265 {
            TrackConfig::H265 { codec_data, width: 320, height: 180 }
        } else {
            TrackConfig::H264 { codec_data, width: 320, height: 180 }
        }
    }

    /// NAL units, each after its length of four bytes.
    fn unit(nals: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for nal in nals {
            bytes.extend((nal.len() as u32).to_be_bytes());
            bytes.extend(*nal);
        }
        bytes
    }

    #[test]
    fn units_of_h264_are_judged_by_their_headers() {
        let sps: &[u8] = &[0x67, 0x42];
        let sei: &[u8] = &[0x06, 0x05];
        let slice: &[u8] = &[0x41, 0x9a, 0x24];
        let second: &[u8] = &[0x41, 0x5a, 0x24];
        let idr: &[u8] = &[0x65, 0x88];
        let cases: &[(&str, &[&[u8]], bool)] = &[
            ("a frame", &[slice], true),
            ("a keyframe with all that belongs to it", &[&[0x09, 0x10], sps, &[0x68, 0xce], sei, idr], true),
            ("a frame in two slices", &[slice, second], true),
            ("partitions", &[&[0x42, 0x9a], &[0x43, 0x11], &[0x44, 0x11]], true),
            ("filler after a frame", &[slice, &[0x0c, 0xff]], true),
            ("no bytes", &[], false),
            ("parameter sets alone", &[sps, &[0x68, 0xce]], false),
            ("a frame whose first slice is missing", &[second], false),
            ("a slice of a header alone", &[&[0x41]], false),
            ("the forbidden bit", &[&[0xc1, 0x9a]], false),
            ("the forbidden bit in the second", &[slice, &[0x86, 0x05]], false),
            ("an empty NAL unit", &[&[], slice], false),
            ("type 0", &[&[0x40, 0x80]], false),
            ("a reserved type", &[&[0x56, 0x80], slice], false),
            ("a type that is RTP's own", &[&[0x5c, 0x80], slice], false),
        ];
        let avc = config(vec![1, 0x42, 0, 0x1f, 0xff, 0xe1], false);
        for (name, nals, sound) in cases {
            assert_eq!(is_sound(&avc, &unit(nals)), *sound, "{name}");
        }
    }

    #[test]
    fn units_of_h265_are_judged_by_their_headers() {
        let vps: &[u8] = &[0x40, 0x01, 0x0c];
        let slice: &[u8] = &[0x02, 0x01, 0xd0];
        let second: &[u8] = &[0x02, 0x01, 0x50];
        let cases: &[(&str, &[&[u8]], bool)] = &[
            ("a frame", &[slice], true),
            ("a keyframe", &[vps, &[0x42, 0x01], &[0x44, 0x01], &[0x26, 0x01, 0xaf]], true),
            ("a frame in two slices", &[slice, second], true),
            ("a message after a frame", &[slice, &[0x50, 0x01]], true),
            ("parameter sets alone", &[vps], false),
            ("a frame whose first slice is missing", &[second], false),
            ("the forbidden bit", &[&[0x82, 0x01, 0xd0]], false),
            ("a temporal id of none", &[&[0x02, 0x00, 0xd0]], false),
            ("half a header", &[&[0x02]], false),
            ("a reserved type", &[&[0x14, 0x01, 0xd0]], false),
            ("an unspecified type", &[slice, &[0x62, 0x01, 0x00]], false),
        ];
        let mut record = vec![0; 23];
        record[21] = 0x0f;
        let hevc = config(record, true);
        for (name, nals, sound) in cases {
            assert_eq!(is_sound(&hevc, &unit(nals)), *sound, "{name}");
        }
    }

    #[test]
    fn lengths_that_do_not_add_up_are_damage() {
        let avc = config(vec![1, 0x42, 0, 0x1f, 0xff, 0xe1], false);
        let whole = unit(&[&[0x65, 0x88, 1, 2, 3]]);
        assert!(is_sound(&avc, &whole));
        for cut in 1..whole.len() {
            assert!(!is_sound(&avc, &whole[..cut]), "cut to {cut} bytes");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert!(!is_sound(&avc, &longer), "a byte too many");
        // Lengths of two bytes, as the configuration says.
        let short = config(vec![1, 0x42, 0, 0x1f, 0xfd, 0xe1], false);
        assert!(is_sound(&short, &[0, 2, 0x65, 0x88]));
        assert!(!is_sound(&short, &[0, 0, 0, 2, 0x65, 0x88]));
    }

    #[test]
    fn sound_is_not_judged() {
        assert!(is_sound(&TrackConfig::Opus { rate: 48_000, channels: 1, pre_skip: 0 }, &[]));
    }
}
