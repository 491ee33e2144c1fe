//! One value of what Holdfast stores: read from any bytes without a checksum in the way, written, and read again as the same.
//! A name that was read is one that a directory may have.

use holdfast_wire::cause::Cause;
use holdfast_wire::frame::{self, Frame, Frames, MAX_FRAME, MAX_HEADER, MAX_MARKER, Tail};
use holdfast_wire::ids::Name;
use holdfast_wire::ledger::{Record, SegmentClosed, SegmentDeleted, SegmentOpened};
use holdfast_wire::segment::SegmentHeader;
use holdfast_wire::volume::{VolumeMarker, VolumeMarkerV1};

/// Reads a value; the first byte says of which kind.
pub fn run(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 5 {
        0 => {
            if let Ok((record, _)) = postcard::take_from_bytes::<Record>(bytes) {
                name_of(&record).into_iter().for_each(directory);
                let mut buffer = [0; MAX_FRAME];
                let written =
                    frame::encode(&record, &mut buffer).expect("every record fits a frame").to_vec();
                let mut frames = Frames::new(&written);
                assert_eq!(frames.next(), Some(Frame::Record(record)));
                assert_eq!((frames.next(), frames.tail()), (None, Tail::Clean));
            }
        }
        1 => {
            if let Ok((header, _)) = postcard::take_from_bytes::<SegmentHeader>(bytes) {
                let SegmentHeader::V1(facts) = &header;
                directory(&facts.camera);
                directory(&facts.device);
                let mut buffer = [0; MAX_HEADER];
                let written = frame::encode_header(&header, &mut buffer).expect("every header fits");
                assert_eq!(frame::decode_header(written), Ok(header));
            }
        }
        2 => {
            if let Ok((marker, _)) = postcard::take_from_bytes::<VolumeMarker>(bytes) {
                let now: &VolumeMarkerV1 = match &marker {
                    VolumeMarker::V1(now) => now,
                    VolumeMarker::V2(marker) => &marker.now,
                };
                directory(&now.adopted_by);
                let mut buffer = [0; MAX_MARKER];
                let written = frame::encode_marker(&marker, &mut buffer).expect("every marker fits");
                assert_eq!(frame::decode_marker(written), Ok(marker));
            }
        }
        3 => {
            if let Ok((cause, _)) = postcard::take_from_bytes::<Cause>(bytes) {
                assert!(!cause.to_string().is_empty() && !cause.code().is_empty());
            }
        }
        _ => {
            // As they come, checksum and all.
            let _ = frame::decode_header(bytes);
            let _ = frame::decode_marker(bytes);
        }
    }
}

/// The camera that a record names, if it becomes part of a path.
fn name_of(record: &Record) -> Option<&Name> {
    match record {
        Record::CameraConfigured { camera, .. }
        | Record::SegmentOpened(SegmentOpened { camera, .. })
        | Record::SegmentClosed(SegmentClosed { camera, .. })
        | Record::SegmentDeleted(SegmentDeleted { camera, .. }) => Some(camera),
        _ => None,
    }
}

fn directory(name: &Name) {
    assert!(Name::new(name.as_str()).is_ok(), "{name:?} was read, and is no name");
}
