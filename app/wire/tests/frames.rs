//! What must hold for every run of frames, whatever happened to the disk below it.

use heapless::String;
use holdfast_wire::cause::{Cause, Failure, Fault};
use holdfast_wire::frame::{Frame, Frames, MAX_FRAME, Tail, encode};
use holdfast_wire::ids::{Id128, Name};
use holdfast_wire::ledger::{Ending, Gap, Record, Repaired, SegmentClosed, SegmentOpened, SessionStarted};
use holdfast_wire::time::{Span, Wall};
use proptest::prelude::*;

fn wall() -> impl Strategy<Value = Wall> {
    prop_oneof![any::<i64>(), 0..4_000_000_000_000_000i64].prop_map(Wall)
}

fn name() -> impl Strategy<Value = Name> {
    "[a-km-u][a-z0-9_-]{0,31}".prop_map(|text| Name::new(&text).unwrap())
}

fn id() -> impl Strategy<Value = Id128> {
    any::<[u8; 16]>().prop_map(Id128)
}

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::Unknown),
        Just(Cause::PowerLost),
        Just(Cause::Camera(Failure::Internal)),
        any::<i32>().prop_map(|errno| Cause::Volume(Fault::Other(errno))),
        Just(Cause::OnAnotherVolume),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        (wall(), id(), id(), name(), "[0-9.]{0,16}", any::<bool>()).prop_map(
            |(at, session, boot, device, version, clock_trusted)| {
                let version = String::try_from(version.as_str()).unwrap();
                Record::SessionStarted(SessionStarted { at, session, boot, device, version, clock_trusted })
            }
        ),
        (any::<u32>(), name(), wall(), any::<bool>()).prop_map(|(sequence, camera, start, fallback)| {
            Record::SegmentOpened(SegmentOpened { sequence, camera, start, fallback })
        }),
        (any::<u32>(), name(), wall(), any::<u32>(), any::<u64>()).prop_map(
            |(sequence, camera, end, frames, bytes)| {
                let ending = Ending::Recovered;
                Record::SegmentClosed(SegmentClosed { sequence, camera, end, frames, bytes, ending })
            }
        ),
        (name(), wall(), wall(), cause()).prop_map(|(camera, from, to, cause)| {
            Record::Gap(Gap { camera, span: Span::new(from, to), cause })
        }),
        (wall(), any::<u64>()).prop_map(|(at, bytes)| Record::Repaired(Repaired::LedgerTail { at, bytes })),
        (wall(), any::<i64>()).prop_map(|(at, by_micros)| Record::ClockStepped { at, by_micros }),
    ]
}

/// The records as a ledger holds them, and where each frame ends.
fn stored(records: &[Record]) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for record in records {
        bytes.extend_from_slice(encode(record, &mut [0; MAX_FRAME]).unwrap());
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn records(bytes: &[u8]) -> Vec<Record> {
    Frames::new(bytes)
        .filter_map(|frame| match frame {
            Frame::Record(record) => Some(record),
            Frame::Unknown { .. } | Frame::Damaged { .. } => None,
        })
        .collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(written in prop::collection::vec(record(), 0..20)) {
        let (bytes, _) = stored(&written);
        let mut frames = Frames::new(&bytes);
        let read: Vec<Frame> = frames.by_ref().collect();
        prop_assert_eq!(read, written.into_iter().map(Frame::Record).collect::<Vec<_>>());
        prop_assert_eq!((frames.good_end(), frames.tail()), (bytes.len(), Tail::Clean));
    }

    #[test]
    fn a_file_cut_anywhere_gives_every_record_before_the_cut_and_says_that_it_is_torn(
        written in prop::collection::vec(record(), 1..12), cut in any::<prop::sample::Index>(),
    ) {
        let (bytes, ends) = stored(&written);
        let cut = cut.index(bytes.len());
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let mut frames = Frames::new(&bytes[..cut]);
        let read: Vec<Frame> = frames.by_ref().collect();
        prop_assert_eq!(read, written[..whole].iter().cloned().map(Frame::Record).collect::<Vec<_>>());
        let good_end = whole.checked_sub(1).map_or(0, |last| ends[last]);
        prop_assert_eq!(frames.good_end(), good_end);
        let torn = cut - good_end;
        prop_assert_eq!(frames.tail(), if torn == 0 { Tail::Clean } else { Tail::Torn { bytes: torn } });
    }

    #[test]
    fn a_flipped_byte_costs_only_the_frames_it_touches_and_invents_none(
        written in prop::collection::vec(record(), 1..12), at in any::<prop::sample::Index>(), flip in 1u8..,
    ) {
        let (mut bytes, ends) = stored(&written);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let hit = ends.iter().filter(|end| **end <= at).count();
        // A flipped zero joins its frame to the one behind it: both are lost then, if there is one.
        let after = if at + 1 == ends[hit] { hit + 2 } else { hit + 1 };
        let expected = [&written[..hit], written.get(after..).unwrap_or_default()].concat();
        prop_assert_eq!(records(&bytes), expected);
    }

    #[test]
    fn noise_never_panics_and_never_gives_a_record(noise in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut frames = Frames::new(&noise);
        prop_assert!(frames.by_ref().all(|frame| !matches!(frame, Frame::Record(_))));
        prop_assert!(frames.good_end() <= noise.len());
        frames.tail();
    }
}

fn one() -> Record {
    Record::ClockStepped { at: Wall(1), by_micros: 2 }
}

#[test]
fn zeros_behind_the_last_frame_are_padding() {
    let (mut bytes, _) = stored(&[one()]);
    let good = bytes.len();
    bytes.resize(good + 4096, 0);
    let mut frames = Frames::new(&bytes);
    assert_eq!(frames.by_ref().count(), 1);
    assert_eq!((frames.good_end(), frames.tail()), (good, Tail::Padded { bytes: 4096 }));
}

#[test]
fn half_a_frame_with_zeros_behind_it_is_damage_that_a_repair_may_cut() {
    let (mut bytes, ends) = stored(&[one(), one()]);
    bytes.truncate(ends[0] + 3);
    bytes.resize(ends[0] + 100, 0);
    let mut frames = Frames::new(&bytes);
    let read: Vec<Frame> = frames.by_ref().collect();
    assert_eq!(read, [Frame::Record(one()), Frame::Damaged { offset: ends[0], len: 3 }]);
    assert_eq!((frames.good_end(), frames.tail()), (ends[0], Tail::Damaged { bytes: 100 }));
}

#[test]
fn a_damaged_frame_in_the_middle_is_told_with_its_place_and_the_next_ones_are_read() {
    let (mut bytes, ends) = stored(&[one(), one(), one()]);
    bytes[ends[0] + 2] ^= 0x40;
    let read: Vec<Frame> = Frames::new(&bytes).collect();
    let damaged = Frame::Damaged { offset: ends[0], len: ends[1] - ends[0] - 1 };
    assert_eq!(read, [Frame::Record(one()), damaged, Frame::Record(one())]);
}

#[test]
fn a_whole_frame_of_a_newer_version_is_told_apart_from_damage() {
    let content = [100u8, 1, 2, 3]; // variant 100 does not exist
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&content).to_le_bytes();
    let mut stuffed = [0u8; 32];
    let len = cobs::encode(&[&content[..], &crc[..]].concat(), &mut stuffed);
    let mut bytes = stuffed[..=len].to_vec();
    let good = bytes.len();
    bytes.push(7);
    let mut frames = Frames::new(&bytes);
    assert_eq!(frames.next(), Some(Frame::Unknown { offset: 0, len }));
    assert_eq!(frames.next(), None);
    assert_eq!((frames.good_end(), frames.tail()), (good, Tail::Torn { bytes: 1 }));
}

#[test]
fn the_longest_record_fits_with_room_to_spare() {
    let longest = Record::SessionStarted(SessionStarted {
        at: Wall(i64::MIN),
        session: Id128([255; 16]),
        boot: Id128([255; 16]),
        device: Name::new("abcdefghijklmnopqrstuvwxyz012345").unwrap(),
        version: String::try_from("1234567890123456").unwrap(),
        clock_trusted: true,
    });
    assert_eq!(encode(&longest, &mut [0; MAX_FRAME]).unwrap().len(), 100);
    assert!(encode(&longest, &mut [0; 99]).is_err());
}

#[test]
fn a_name_that_no_directory_may_have_is_not_read() {
    // As postcard writes `CameraRemoved { at, camera }`, with a text that `Name::new` refuses.
    #[derive(serde::Serialize)]
    struct Forged<'a>(u8, Wall, &'a str);
    for text in ["", "..", "../../etc", "a/b", "Entrance", "ledger"] {
        let mut buffer = [0; MAX_FRAME];
        let bytes = postcard::to_slice(&Forged(2, Wall(1), text), &mut buffer).unwrap();
        assert!(postcard::from_bytes::<Record>(bytes).is_err(), "{text:?} was read as a name");
    }
    let mut buffer = [0; MAX_FRAME];
    let good = postcard::to_slice(&Forged(2, Wall(1), "entrance"), &mut buffer).unwrap();
    let camera = Name::new("entrance").unwrap();
    assert_eq!(postcard::from_bytes::<Record>(good), Ok(Record::CameraRemoved { at: Wall(1), camera }));
}
