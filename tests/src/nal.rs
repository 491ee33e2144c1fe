//! NAL units, and the mark that every frame of the lab carries.
//!
//! Words: an **access unit** is one encoded frame; in **Annex B** form its NAL units follow start
//! codes (`00 00 01`), in **length-prefixed** form, as MP4 keeps them, each follows its size. The
//! **mark** is an SEI message of the kind "user data, unregistered" with a UUID of the lab's own: any
//! player passes over it, any recorder has to keep it, and so a file says itself which frames it holds.

/// The lab's own UUID (random), which tells its SEI message from those of encoders.
pub const MARK_UUID: [u8; 16] =
    [0x1b, 0x6e, 0x0f, 0xd2, 0x47, 0x3c, 0x4e, 0x05, 0xa9, 0x38, 0xcc, 0x71, 0x5d, 0xe4, 0x82, 0x96];

/// SEI payload type "user data, unregistered", in both standards.
const USER_DATA_UNREGISTERED: u8 = 5;
/// Bytes of a mark's payload: UUID, camera, number, wall clock.
const MARK_SIZE: usize = 16 + 4 + 8 + 8;

/// The codec whose NAL units are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum NalCodec {
    /// H.264, one byte of NAL header.
    H264,
    /// H.265, two bytes of NAL header.
    H265,
}

/// What one frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The camera that sent it.
    pub camera: u32,
    /// Its number in the order of sending (decode order), from the camera's start, never reset.
    pub number: u64,
    /// When it was handed to the RTSP server: microseconds of UTC since 1970.
    pub wall_micros: i64,
}

impl Mark {
    /// The whole NAL unit with its start code, ready to stand before the first slice of an access unit.
    pub fn to_annex_b(self, codec: NalCodec) -> Vec<u8> {
        let mut payload = Vec::with_capacity(MARK_SIZE + 3);
        payload.extend([USER_DATA_UNREGISTERED, MARK_SIZE as u8]);
        payload.extend(MARK_UUID);
        payload.extend(self.camera.to_be_bytes());
        payload.extend(self.number.to_be_bytes());
        payload.extend(self.wall_micros.to_be_bytes());
        payload.push(0x80); // rbsp_trailing_bits
        let mut unit = vec![0, 0, 0, 1];
        match codec {
            NalCodec::H264 => unit.push(6),
            NalCodec::H265 => unit.extend([39 << 1, 1]), // prefix SEI, layer 0, temporal id 0
        }
        escape_into(&payload, &mut unit);
        unit
    }

    /// The mark in a NAL unit (without start code or length), if it holds one.
    pub fn in_unit(codec: NalCodec, unit: &[u8]) -> Option<Mark> {
        let body = match codec {
            NalCodec::H264 => (unit.first()? & 0x1f == 6).then(|| unit.get(1..))??,
            NalCodec::H265 => ((unit.first()? >> 1) & 0x3f == 39).then(|| unit.get(2..))??,
        };
        let payload = unescape(body);
        let mut rest = payload.as_slice();
        // An SEI unit may hold several messages; what is left at the end are the trailing bits.
        while rest.len() > 2 {
            let kind = take_sei_number(&mut rest)?;
            let size = take_sei_number(&mut rest)?;
            let message = rest.get(..size)?;
            rest = rest.get(size..)?;
            if kind == usize::from(USER_DATA_UNREGISTERED) && message.starts_with(&MARK_UUID) {
                let (camera, tail) = message.get(16..)?.split_first_chunk::<4>()?;
                let (number, tail) = tail.split_first_chunk::<8>()?;
                let (wall, _) = tail.split_first_chunk::<8>()?;
                return Some(Mark {
                    camera: u32::from_be_bytes(*camera),
                    number: u64::from_be_bytes(*number),
                    wall_micros: i64::from_be_bytes(*wall),
                });
            }
        }
        None
    }

    /// The first mark among the units of an access unit.
    pub fn find<'a>(codec: NalCodec, units: impl IntoIterator<Item = &'a [u8]>) -> Option<Mark> {
        units.into_iter().find_map(|unit| Mark::in_unit(codec, unit))
    }
}

/// The NAL units of an Annex B access unit, each without its start code.
pub fn annex_b_units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = start_codes(data);
    let ends: Vec<usize> =
        starts.iter().skip(1).map(|(code, _)| *code).chain(std::iter::once(data.len())).collect();
    starts.into_iter().zip(ends).filter_map(move |((_, body), end)| data.get(body..end))
}

/// The NAL units of a length-prefixed access unit whose lengths take `length_size` bytes (1 to 4).
/// Ends at the first length that does not fit, as a torn or damaged sample would have it.
pub fn length_prefixed_units(data: &[u8], length_size: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let prefix = rest.get(..length_size)?;
        let length = prefix.iter().fold(0usize, |value, byte| (value << 8) | usize::from(*byte));
        let unit = rest.get(length_size..length_size.checked_add(length)?)?;
        rest = rest.get(length_size + length..)?;
        Some(unit)
    })
}

/// Where the start code of the first slice lies: what precedes it (delimiter, parameter sets, SEI) may be
/// followed by a mark. `None` if there is no slice.
pub fn first_slice(codec: NalCodec, data: &[u8]) -> Option<usize> {
    start_codes(data).into_iter().find_map(|(code, body)| {
        let header = *data.get(body)?;
        let slice = match codec {
            NalCodec::H264 => matches!(header & 0x1f, 1..=5),
            NalCodec::H265 => (header >> 1) & 0x3f < 32,
        };
        slice.then_some(code)
    })
}

/// The parameter sets (SPS, PPS, and VPS for H.265) of an access unit, with their start codes.
pub fn parameter_sets(codec: NalCodec, data: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    for unit in annex_b_units(data) {
        let Some(header) = unit.first() else { continue };
        let wanted = match codec {
            NalCodec::H264 => matches!(header & 0x1f, 7 | 8),
            NalCodec::H265 => matches!((header >> 1) & 0x3f, 32..=34),
        };
        if wanted {
            found.extend([0, 0, 0, 1]);
            found.extend(unit);
        }
    }
    found
}

/// Each start code as (where it begins, its optional leading zero included; where the unit begins).
fn start_codes(data: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(window) = data.get(at..at + 3) {
        if window == [0, 0, 1] {
            let code = if at > 0 && data[at - 1] == 0 { at - 1 } else { at };
            found.push((code, at + 3));
            at += 3;
        } else {
            at += 1;
        }
    }
    found
}

/// Appends `payload` with emulation prevention: no three bytes `00 00 00..=03` remain in a row.
fn escape_into(payload: &[u8], out: &mut Vec<u8>) {
    let mut zeros = 0;
    for &byte in payload {
        if zeros == 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        out.push(byte);
        zeros = if byte == 0 { zeros + 1 } else { 0 };
    }
}

/// Takes emulation prevention out again.
fn unescape(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut zeros = 0;
    for &byte in body {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        out.push(byte);
        zeros = if byte == 0 { zeros + 1 } else { 0 };
    }
    out
}

/// A payload type or size: each byte 0xff adds 255, the first other byte ends it.
fn take_sei_number(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0usize;
    loop {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value += usize::from(*byte);
        if *byte != 0xff {
            return Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers that are rich in zero bytes: those need emulation prevention.
    fn sparse() -> impl Strategy<Value = u64> {
        prop_oneof![any::<u64>(), (0u32..64).prop_map(|bit| 1 << bit), 0u64..4, Just(u64::MAX)]
    }

    fn codecs() -> impl Strategy<Value = NalCodec> {
        prop_oneof![Just(NalCodec::H264), Just(NalCodec::H265)]
    }

    proptest! {
        #[test]
        fn a_mark_survives_the_round_trip(codec in codecs(), camera in sparse(), number in sparse(), wall in sparse()) {
            let mark = Mark { camera: camera as u32, number, wall_micros: wall as i64 };
            let unit = mark.to_annex_b(codec);
            prop_assert_eq!(Mark::find(codec, annex_b_units(&unit)), Some(mark));
            // Nothing inside may look like a start code, or the unit would be cut in two on the way.
            let body = &unit[4..];
            prop_assert!(!body.windows(3).any(|w| w[0] == 0 && w[1] == 0 && w[2] < 3), "{body:02x?}");
        }

        #[test]
        fn escaping_is_undone_by_unescaping(payload in proptest::collection::vec(0u8..5, 0..80)) {
            let mut escaped = Vec::new();
            escape_into(&payload, &mut escaped);
            prop_assert_eq!(unescape(&escaped), payload);
        }

        #[test]
        fn no_bytes_make_a_reader_panic(codec in codecs(), data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Mark::find(codec, annex_b_units(&data));
            let _ = Mark::find(codec, length_prefixed_units(&data, 4));
            let _ = first_slice(codec, &data);
        }
    }

    #[test]
    fn the_mark_goes_after_delimiter_and_parameter_sets_and_before_the_first_slice() {
        let cases: [(&str, NalCodec, Vec<u8>, usize); 3] = [
            ("H.264 keyframe", NalCodec::H264, annex_b(&[&[9, 16], &[0x67, 1], &[0x68, 2], &[0x65, 3]]), 18),
            ("H.264 frame without delimiter", NalCodec::H264, annex_b(&[&[0x41, 3]]), 0),
            ("H.265 keyframe", NalCodec::H265, annex_b(&[&[0x40, 1, 7], &[0x42, 1, 7], &[0x26, 1, 7]]), 14),
        ];
        for (name, codec, data, place) in cases {
            assert_eq!(first_slice(codec, &data), Some(place), "{name}");
        }
    }

    #[test]
    fn a_mark_is_found_behind_another_message_in_the_same_unit() {
        let mark = Mark { camera: 1, number: 2, wall_micros: 3 };
        let own = unescape(&mark.to_annex_b(NalCodec::H264)[5..]);
        let mut payload = vec![1, 2, 0xaa, 0xbb]; // a pic_timing message of two bytes
        payload.extend(own);
        let mut unit = vec![6];
        escape_into(&payload, &mut unit);
        assert_eq!(Mark::in_unit(NalCodec::H264, &unit), Some(mark));
    }

    fn annex_b(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
    }
}
