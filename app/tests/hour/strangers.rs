//! What is not Holdfast's, laid on its volume in the places where cleaning looks: none of it may ever be touched.

use super::footage::second;
use holdfast::mp4::{Sample, SegmentMuxer, TrackConfig};
use holdfast::volumes::layout;
use holdfast_core::time::Mono;
use holdfast_wire::ids::{Id128, Name};
use holdfast_wire::segment::{SegmentHeader, SegmentHeaderV1};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// See the module.
pub struct Strangers(Vec<Stranger>);

struct Stranger {
    path: PathBuf,
    bytes: Vec<u8>,
    modified: SystemTime,
}

impl Strangers {
    pub fn lay(root: &Path) -> Self {
        let home = layout::home(root);
        // Whole, as another program makes it: a movie without a header of ours, and its pictures.
        let film =
            b"\0\0\0\x18ftypisom\0\0\0\0isommp42\0\0\0\x10moov\0\0\0\x08udta\0\0\0\x0cmdatcats".to_vec();
        let named = |camera, number| {
            let start = second(0) - Duration::from_secs(3600);
            (layout::segment(root, &Name::new(camera).unwrap(), start, number), start)
        };
        let (of_yard, start) = named("yard", 3);
        let other_yard = segment("yard", 3, start);
        let (of_garage, start) = named("garage", 4);
        let other_garage = segment("garage", 4, start);
        let files = [
            // Segments of another volume, larger than many of ours; one of a camera that this device has, one of none.
            (of_yard, other_yard),
            (of_garage, other_garage),
            // Another program's film under a name of ours.
            (named("till", 5).0, film.clone()),
            (home.join("ramp/2026-11-22/film.mp4"), film.clone()),
            // A person's.
            (home.join("ramp/holiday/beach.txt"), b"sand".to_vec()),
            (home.join("notes.txt"), b"bought in May".to_vec()),
            (root.join("Photos/2019/cat.jpg"), vec![0xff; 100_000]),
            (root.join("10-00-00Z-1.mp4"), film),
        ];
        Strangers(files.into_iter().map(|(path, bytes)| Stranger::lay(path, bytes)).collect())
    }

    pub fn are_as_they_were(&self) {
        for Stranger { path, bytes, modified } in &self.0 {
            let found = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(found == *bytes, "{} was changed", path.display());
            assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), *modified, "{}", path.display());
        }
    }
}

impl Stranger {
    fn lay(path: PathBuf, bytes: Vec<u8>) -> Self {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &bytes).unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        Stranger { path, bytes, modified }
    }
}

/// A segment of a megabyte that Holdfast wrote to another volume.
fn segment(camera: &str, sequence: u32, start: holdfast_wire::time::Wall) -> Vec<u8> {
    let header = SegmentHeaderV1 {
        volume: Id128([77; 16]),
        device: Name::new("box").unwrap(),
        camera: Name::new(camera).unwrap(),
        session: Id128([7; 16]),
        boot: Id128([7; 16]),
        sequence,
        start,
        clock_trusted: true,
        fallback: false,
        before: heapless::Vec::new(),
    };
    let codec_data = vec![1, 66, 192, 30, 0xff, 0xe1, 0, 4, 0x67, 66, 192, 30, 1, 0, 2, 0x68, 0xce];
    let config = TrackConfig::H264 { codec_data, width: 1280, height: 720 };
    let mut muxer = SegmentMuxer::new(vec![config], SegmentHeader::V1(header), 0).unwrap();
    let mut payload = vec![0x55; 1 << 20];
    payload[..4].copy_from_slice(&((1u32 << 20) - 4).to_be_bytes());
    let duration = Some(Duration::from_secs(60));
    muxer.push(Sample { track: 0, pts: Mono(0), duration, keyframe: true, payload });
    let mut bytes = Vec::new();
    for fragment in muxer.cut(None) {
        bytes.extend_from_slice(&fragment.head);
        fragment.payloads.iter().for_each(|payload| bytes.extend_from_slice(payload));
    }
    bytes
}
