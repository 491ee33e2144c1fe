//! Reading back files that a power cut, a bad disk or somebody else has left.

use crate::media::{self, START};
use crate::muxing::{h264, sample};
use holdfast::mp4::{ScanError, SegmentFacts, SegmentMuxer, scan};
use holdfast_wire::time::{Span, Wall};
use proptest::prelude::*;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// A small segment of three fragments of five frames: the file, where `moov` ends, where each fragment ends.
fn small() -> (Vec<u8>, usize, Vec<usize>) {
    let mut muxer = SegmentMuxer::new(vec![h264()], media::header(), 0).unwrap();
    let mut fragments = Vec::new();
    for frame in 0..15 {
        if frame > 0 && frame % 5 == 0 {
            fragments.extend(muxer.cut(Some(sample(0, frame * 40, false).pts)));
        }
        muxer.push(sample(0, frame * 40, frame == 0));
    }
    fragments.extend(muxer.cut(None));
    let (bytes, ends) = media::file(&fragments);
    let start = bytes.windows(4).position(|kind| kind == b"prft").unwrap() - 4;
    (bytes, start, ends)
}

fn read(bytes: &[u8]) -> Result<SegmentFacts, ScanError> {
    scan(Cursor::new(bytes), bytes.len() as u64)
}

/// What the whole fragments before `length` cover.
fn expected(length: usize, start: usize, ends: &[usize]) -> SegmentFacts {
    let whole = ends.iter().filter(|end| **end <= length).count();
    let durable = if whole == 0 { start } else { ends[whole - 1] };
    let end = Wall::from_micros(START.as_micros() + whole as i64 * 200_000);
    SegmentFacts {
        header: media::header_v1(),
        frames: whole as u32 * 5,
        durable_len: durable as u64,
        torn_bytes: (length - durable) as u64,
        stretches: if whole == 0 { vec![] } else { vec![Span::new(START, end)] },
        end,
    }
}

#[test]
fn cut_off_at_any_byte_a_file_keeps_its_whole_fragments() {
    let (bytes, start, ends) = small();
    for length in 0..=bytes.len() {
        match read(&bytes[..length]) {
            Ok(facts) => assert_eq!(facts, expected(length, start, &ends), "cut at {length}"),
            Err(ScanError::Nothing) => assert!(length < start, "cut at {length} of a start of {start}"),
            Err(other) => panic!("cut at {length}: {other}"),
        }
    }
}

#[test]
fn zeros_after_any_byte_are_torn() {
    // What a filesystem leaves of blocks that were allocated but never written.
    let (bytes, start, ends) = small();
    for length in 0..bytes.len() {
        let mut torn = bytes.clone();
        torn[length..].fill(0);
        // Zeros that stood in the file anyway make no difference.
        let Some(kept) = torn.iter().zip(&bytes).position(|(torn, whole)| torn != whole) else { continue };
        match read(&torn) {
            Ok(facts) if kept < start => assert_eq!(facts.frames, 0, "zeros from {length}"),
            Ok(facts) => {
                let before = expected(kept, start, &ends);
                // Of a frame that is zero at its end only, too little is missing to be seen.
                let last_frame = ends.iter().any(|end| kept < *end && kept + 7 > *end);
                let seen = facts.durable_len == before.durable_len && facts.frames == before.frames;
                assert!(seen || last_frame, "zeros from {length}: {facts:?}");
                assert!(facts.durable_len as usize <= ends.iter().copied().find(|end| *end > kept).unwrap());
            }
            Err(ScanError::Nothing | ScanError::Foreign | ScanError::Header(_)) => {
                assert!(kept < start, "zeros from {length}");
            }
            Err(other) => panic!("zeros from {length}: {other}"),
        }
    }
}

#[test]
fn garbage_behind_the_last_fragment_is_torn() {
    let (bytes, start, ends) = small();
    let garbage: &[(&str, Vec<u8>)] = &[
        ("zeros", vec![0; 4096]),
        ("one zero", vec![0]),
        ("ones", vec![0xff; 100]),
        ("a box of everything", [&8u32.to_be_bytes()[..], b"free", &[0; 8]].concat()),
        ("a moof of 4 GiB", [&u32::MAX.to_be_bytes()[..], b"moof", &[0; 64]].concat()),
        ("a moof with a 64-bit size", [&1u32.to_be_bytes()[..], b"moof", &u64::MAX.to_be_bytes()].concat()),
        ("a moof to the end of the file", [&0u32.to_be_bytes()[..], b"moof", &[0; 64]].concat()),
        (
            "an empty moof and mdat",
            [&8u32.to_be_bytes()[..], b"moof", &9u32.to_be_bytes(), b"mdat", &[0]].concat(),
        ),
        ("the first fragment again", bytes[start..ends[0]].to_vec()),
    ];
    for (name, garbage) in garbage {
        let torn = [&bytes[..], garbage].concat();
        let facts = read(&torn).unwrap();
        assert_eq!(
            (facts.durable_len, facts.torn_bytes),
            (bytes.len() as u64, garbage.len() as u64),
            "{name}"
        );
        assert_eq!(facts.frames, 15, "{name}");
    }
}

#[test]
fn files_that_are_no_segments_are_told_apart() {
    let (bytes, start, _) = small();
    let with = |at: usize, patch: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + patch.len()].copy_from_slice(patch);
        bytes
    };
    let kind = |kind: &[u8]| bytes.windows(kind.len()).position(|found| found == kind).unwrap();
    let header = kind(b"uuid") + 4 + 16;
    type Check = fn(&ScanError) -> bool;
    let cases: &[(&str, Vec<u8>, Check)] = &[
        ("empty", vec![], |error| matches!(error, ScanError::Nothing)),
        ("zeros", vec![0; 10_000], |error| matches!(error, ScanError::Nothing)),
        ("half a moov", bytes[..start - 1].to_vec(), |error| matches!(error, ScanError::Nothing)),
        ("a picture", b"\x00\x00\x00\x0cjP  \r\n\x87\n".to_vec(), |error| {
            matches!(error, ScanError::Foreign)
        }),
        ("someone else's uuid", with(kind(b"uuid") + 4, &[9; 16]), |error| {
            matches!(error, ScanError::Foreign)
        }),
        ("no video", with(kind(b"vide"), b"soun"), |error| matches!(error, ScanError::Foreign)),
        ("a header of another version", with(header, &[99]), |error| matches!(error, ScanError::Header(_))),
        // The footage is all there: nobody may think that the file can be deleted.
        ("a damaged length of ftyp", with(0, &[0x80]), |error| matches!(error, ScanError::Foreign)),
        ("a damaged length of moov", with(kind(b"moov") - 4, &[0x40]), |error| {
            matches!(error, ScanError::Foreign)
        }),
    ];
    for (name, bytes, check) in cases {
        let error = read(bytes).expect_err(name);
        assert!(check(&error), "{name}: {error:?}");
    }
}

#[test]
fn times_that_cannot_follow_on_end_the_file() {
    let (bytes, _, ends) = small();
    let second = bytes[ends[0]..].windows(4).position(|kind| kind == b"tfdt").unwrap() + ends[0] + 8;
    for (name, value) in
        [("before the fragment before", 17_999u64), ("in two hundred years", 1 << 60), ("never", u64::MAX)]
    {
        let mut damaged = bytes.clone();
        damaged[second..second + 8].copy_from_slice(&value.to_be_bytes());
        let facts = read(&damaged).unwrap();
        assert_eq!((facts.frames, facts.durable_len), (5, ends[0] as u64), "{name}");
    }
}

#[test]
fn a_file_that_is_shorter_than_was_said_is_read_as_far_as_it_goes() {
    let (bytes, _, ends) = small();
    let facts = scan(Cursor::new(&bytes[..ends[1]]), bytes.len() as u64).unwrap();
    assert_eq!((facts.frames, facts.durable_len), (10, ends[1] as u64));
}

/// A disk that fails behind a byte.
struct Failing<'a> {
    file: Cursor<&'a [u8]>,
    from: u64,
}

impl Read for Failing<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.file.position() >= self.from {
            Err(io::Error::from_raw_os_error(5))
        } else {
            self.file.read(into)
        }
    }
}

impl Seek for Failing<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[test]
fn a_failing_disk_is_not_taken_for_a_torn_file() {
    let (bytes, _, ends) = small();
    let failing = Failing { file: Cursor::new(&bytes), from: ends[0] as u64 };
    match scan(failing, bytes.len() as u64) {
        Err(ScanError::Read { at, source }) => {
            assert_eq!((at, source.raw_os_error()), (ends[0] as u64, Some(5)))
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn flipped_bits_never_stop_the_scanner_nor_invent_footage(flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..20), cut in any::<prop::sample::Index>()) {
        let (mut bytes, _, _) = small();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(facts) = read(&bytes) {
            prop_assert_eq!(facts.durable_len + facts.torn_bytes, bytes.len() as u64);
            prop_assert!(facts.frames <= 15);
            prop_assert!(facts.stretches.iter().all(|stretch| stretch.from <= stretch.to));
            prop_assert!(facts.stretches.windows(2).all(|pair| pair[0].to < pair[1].from));
        }
    }

    #[test]
    fn random_bytes_never_stop_the_scanner(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let (whole, start, _) = small();
        let _ = read(&bytes);
        let facts = read(&[&whole[..start], &bytes].concat()).unwrap();
        prop_assert_eq!(facts.frames, 0);
    }
}
