//! The bytes of every record, header and marker, as volumes in the field hold them. A test that fails
//! here means that a field or variant moved, and that old volumes could no longer be read: put it back
//! and append a new variant instead.

use heapless::{String, Vec as Few};
use holdfast_wire::cause::{Cause, Failure, Fault};
use holdfast_wire::frame::{
    Frame, Frames, MAX_FRAME, MAX_HEADER, MAX_MARKER, ReadError, decode_header, decode_marker, encode,
    encode_header, encode_marker,
};
use holdfast_wire::ids::{Id128, Name};
use holdfast_wire::ledger::{
    Ending, Gap, Protected, Record, Repaired, SegmentClosed, SegmentDeleted, SegmentOpened, SessionStarted,
};
use holdfast_wire::retention::Rule;
use holdfast_wire::segment::{Missing, SegmentHeader, SegmentHeaderV1};
use holdfast_wire::time::{Span, Wall};
use holdfast_wire::volume::{VolumeMarker, VolumeMarkerV1, VolumeMarkerV2};
use serde::Serialize;

const AT: Wall = Wall::from_secs(1_700_000_000);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn hex(bytes: &[u8]) -> std::string::String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn golden(record: Record, expected: &str) {
    let mut buffer = [0; MAX_FRAME];
    let bytes = encode(&record, &mut buffer).unwrap();
    assert_eq!(hex(bytes), expected, "{record:?}");
    assert_eq!(Frames::new(bytes).collect::<Vec<_>>(), [Frame::Record(record)]);
}

/// That the variants of an enum are stored under 0, 1, 2 ... in this order.
fn numbered<T: Serialize + std::fmt::Debug>(variants: &[T]) {
    for (number, variant) in variants.iter().enumerate() {
        let mut buffer = [0; 16];
        let bytes = postcard::to_slice(variant, &mut buffer).unwrap();
        assert_eq!(usize::from(bytes[0]), number, "{variant:?}");
    }
}

#[test]
fn session_started() {
    golden(
        Record::SessionStarted(SessionStarted {
            at: AT,
            session: Id128([0x11; 16]),
            boot: Id128([0x22; 16]),
            device: name("van-12"),
            version: String::try_from("0.1.0").unwrap(),
            clock_trusted: true,
        }),
        "013b8080f2818389850611111111111111111111111111111111222222222222222222222222222222220676616e2d313205302e312e3001ec09b71100",
    );
}

#[test]
fn camera_configured() {
    golden(
        Record::CameraConfigured { at: AT, camera: name("entrance") },
        "17018080f2818389850608656e7472616e636568235f2200",
    );
}

#[test]
fn camera_removed() {
    golden(
        Record::CameraRemoved { at: AT, camera: name("entrance") },
        "17028080f2818389850608656e7472616e63650afed9c800",
    );
}

#[test]
fn segment_opened() {
    let record = SegmentOpened { sequence: 7, camera: name("entrance"), start: AT, fallback: true };
    golden(Record::SegmentOpened(record), "19030708656e7472616e63658080f2818389850601d96c93bb00");
}

#[test]
fn segment_closed() {
    let record = SegmentClosed {
        sequence: 7,
        camera: name("entrance"),
        end: AT,
        frames: 1800,
        bytes: 30_000_000,
        ending: Ending::Cut,
    };
    golden(Record::SegmentClosed(record), "1a040708656e7472616e63658080f28183898506880e8087a70e05bfc454c200");
}

#[test]
fn gap() {
    let span = Span::new(Wall(1), Wall(2));
    golden(
        Record::Gap(Gap { camera: name("c"), span, cause: Cause::Camera(Failure::Stalled) }),
        "0c0501630204050f62a7529a00",
    );
}

#[test]
fn gap_opened() {
    let cause = Cause::Volume(Fault::Other(-5));
    golden(
        Record::GapOpened { from: AT, camera: name("entrance"), cause },
        "14068080f2818389850608656e7472616e6365080609e817d0e200",
    );
}

#[test]
fn clock_stepped() {
    golden(Record::ClockStepped { at: AT, by_micros: -2_500_000 }, "12078080f28183898506bf96b102856beeae00");
}

#[test]
fn repaired_ledger_tail() {
    golden(
        Record::Repaired(Repaired::LedgerTail { at: AT, bytes: 12 }),
        "02080e8080f281838985060c8438221c00",
    );
}

#[test]
fn repaired_segment_tail() {
    golden(
        Record::Repaired(Repaired::SegmentTail { at: AT, sequence: 7, bytes: 300 }),
        "1208018080f2818389850607ac024bda784d00",
    );
}

#[test]
fn session_ended() {
    golden(
        Record::SessionEnded { at: AT, session: Id128([0x11; 16]) },
        "1e098080f281838985061111111111111111111111111111111103a34de800",
    );
}

#[test]
fn rebuilt() {
    golden(Record::Rebuilt { at: AT, segments: 1000 }, "100a8080f28183898506e8073e704c6800");
}

#[test]
fn volume_faulted() {
    golden(Record::VolumeFaulted { at: AT, fault: Fault::ReadOnly }, "0f0b8080f28183898506049e73d7d800");
}

#[test]
fn every_ending_of_a_segment_keeps_its_number() {
    use Ending::*;
    numbered(&[Cut, StreamEnded, Stopped, VolumeFailed, Recovered]);
}

#[test]
fn every_cause_keeps_its_number() {
    use Cause::*;
    let camera = Camera(Failure::Unknown);
    let volume = Volume(Fault::Missing);
    numbered(&[
        Unknown,
        Stopped,
        Crashed,
        PowerLost,
        Starting,
        camera,
        Lost,
        RingOverflow,
        volume,
        ClockStepped,
        OnAnotherVolume,
        Deleted(Rule::Age),
        Ejected,
        OutOfMemory,
    ]);
}

#[test]
fn every_failure_of_a_camera_keeps_its_number() {
    use Failure::*;
    numbered(&[
        Unknown,
        NameNotResolved,
        Refused,
        Unreachable,
        ConnectTimeout,
        Unauthorized,
        Forbidden,
        NotFound,
        SessionLimit,
        ServiceUnavailable,
        Tls,
        UnsupportedTransport,
        NothingRecordable,
        ServerClosed,
        Bye,
        Stalled,
        KeyframeStarved,
        Garbage,
        TimestampsJump,
        KeepAliveRefused,
        OutOfMemory,
        Internal,
        TimestampsFrozen,
        TimestampsBackwards,
        FormatChanges,
        NotStored,
    ]);
}

#[test]
fn every_fault_of_a_volume_keeps_its_number() {
    use Fault::*;
    numbered(&[
        Other(0),
        Missing,
        NoSpace,
        Io,
        ReadOnly,
        Denied,
        Again,
        Quota,
        Stale,
        Stuck,
        TooSlow,
        WrongIdentity,
        InUse,
        Damaged,
        Foreign,
        Duplicate,
        Copied,
        NotMounted,
    ]);
}

#[test]
fn every_rule_of_deletion_keeps_its_number() {
    numbered(&[Rule::Age, Rule::Space, Rule::EmergencyAge, Rule::EmergencySpace]);
}

#[test]
fn segment_deleted() {
    golden(
        Record::SegmentDeleted(SegmentDeleted {
            at: AT,
            sequence: 7,
            camera: name("entrance"),
            start: AT,
            bytes: 30_000_000,
            rule: Rule::Space,
        }),
        "250c8080f281838985060708656e7472616e63658080f281838985068087a70e0176f884f300",
    );
}

#[test]
fn protected() {
    golden(
        Record::Protected(Protected {
            at: AT,
            number: 3,
            camera: Some(name("entrance")),
            span: Span::new(AT, AT),
            note: String::try_from("break-in").unwrap(),
        }),
        "320d8080f28183898506030108656e7472616e63658080f281838985068080f2818389850608627265616b2d696e79e86cd400",
    );
}

#[test]
fn unprotected() {
    golden(Record::Unprotected { at: AT, number: 3 }, "0f0e8080f2818389850603792d9aa000");
}

#[test]
fn renewed() {
    golden(
        Record::Renewed { at: AT, before: Id128([0x33; 16]), now: Id128([0x44; 16]) },
        "2e0f8080f28183898506333333333333333333333333333333334444444444444444444444444444444477714f3300",
    );
}

#[test]
fn taken_over() {
    golden(
        Record::TakenOver { at: AT, from: name("van-11"), by: name("van-12") },
        "1c108080f281838985060676616e2d31310676616e2d31323c271cd000",
    );
}

#[test]
fn time_corrected() {
    golden(
        Record::TimeCorrected { at: AT, from: Wall(1), to: Wall(2_000_001), by_micros: 1_000_000 },
        "16118080f28183898506028292f40180897a27ad816500",
    );
}

fn header() -> SegmentHeaderV1 {
    let mut before = Few::new();
    before.push(Missing { from: Wall(1), cause: Cause::PowerLost }).unwrap();
    before.push(Missing { from: Wall(2), cause: Cause::Camera(Failure::Unauthorized) }).unwrap();
    SegmentHeaderV1 {
        volume: Id128([0x33; 16]),
        device: name("van-12"),
        camera: name("entrance"),
        session: Id128([0x11; 16]),
        boot: Id128([0x22; 16]),
        sequence: 7,
        start: AT,
        clock_trusted: true,
        fallback: false,
        before,
    }
}

#[test]
fn segment_header() {
    let header = SegmentHeader::V1(header());
    let mut buffer = [0; MAX_HEADER];
    let bytes = encode_header(&header, &mut buffer).unwrap();
    assert_eq!(
        hex(bytes),
        "00333333333333333333333333333333330676616e2d313208656e7472616e63651111111111111111111111111111111122222222222222222222222222222222078080f281838985060100020203040505609b9ec3"
    );
    assert_eq!(decode_header(bytes), Ok(header));
}

#[test]
fn the_longest_segment_header_fits() {
    let mut longest = header();
    longest.device = name("abcdefghijklmnopqrstuvwxyz012345");
    longest.camera = name("abcdefghijklmnopqrstuvwxyz012345");
    longest.sequence = u32::MAX;
    longest.start = Wall(i64::MIN);
    longest.before.clear();
    let cause = Cause::Volume(Fault::Other(i32::MIN));
    while longest.before.push(Missing { from: Wall(i64::MIN), cause }).is_ok() {}
    let mut buffer = [0; MAX_HEADER];
    assert_eq!(encode_header(&SegmentHeader::V1(longest), &mut buffer).unwrap().len(), 205);
}

#[test]
fn volume_marker() {
    let marker = VolumeMarker::V1(VolumeMarkerV1 {
        id: Id128([0x33; 16]),
        filesystem_uuid: String::try_from("1234-ABCD").unwrap(),
        adopted_by: name("van-12"),
        adopted_at: AT,
    });
    let mut buffer = [0; MAX_MARKER];
    let bytes = encode_marker(&marker, &mut buffer).unwrap();
    assert_eq!(
        hex(bytes),
        "003333333333333333333333333333333309313233342d414243440676616e2d31328080f281838985062999fe11"
    );
    assert_eq!(decode_marker(bytes), Ok(marker));
}

#[test]
fn a_marker_of_a_volume_that_had_other_identities() {
    let now = VolumeMarkerV1 {
        id: Id128([0x44; 16]),
        filesystem_uuid: String::try_from("1234-ABCD").unwrap(),
        adopted_by: name("van-12"),
        adopted_at: AT,
    };
    let formerly = [Id128([0x33; 16])].into_iter().collect();
    let marker = VolumeMarker::V2(VolumeMarkerV2 { now, formerly });
    let mut buffer = [0; MAX_MARKER];
    let bytes = encode_marker(&marker, &mut buffer).unwrap();
    assert_eq!(
        hex(bytes),
        "014444444444444444444444444444444409313233342d414243440676616e2d31328080f281838985060133333333333333333333333333333333795744ce"
    );
    assert_eq!(decode_marker(bytes), Ok(marker));
}

#[test]
fn the_longest_marker_fits() {
    let longest = name("abcdefghijklmnopqrstuvwxyz012345");
    let now = VolumeMarkerV1 {
        id: Id128([0x44; 16]),
        filesystem_uuid: String::try_from("f".repeat(64).as_str()).unwrap(),
        adopted_by: longest,
        adopted_at: Wall(i64::MIN),
    };
    let formerly = [Id128([0x33; 16]); 4].into_iter().collect();
    let mut buffer = [0; MAX_MARKER];
    let marker = VolumeMarker::V2(VolumeMarkerV2 { now, formerly });
    assert_eq!(encode_marker(&marker, &mut buffer).unwrap().len(), 194);
}

#[test]
fn a_sealed_value_that_is_short_flipped_or_too_long_is_refused() {
    let mut buffer = [0; MAX_HEADER];
    let bytes = encode_header(&SegmentHeader::V1(header()), &mut buffer).unwrap().to_vec();
    for len in 0..bytes.len() {
        assert_eq!(decode_header(&bytes[..len]), Err(ReadError::Damaged), "{len} bytes");
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        assert_eq!(decode_header(&flipped), Err(ReadError::Damaged), "byte {at}");
    }
    assert_eq!(decode_header(&[&bytes[..], &[0]].concat()), Err(ReadError::Damaged));
}
