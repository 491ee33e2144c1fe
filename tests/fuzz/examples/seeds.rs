//! Writes the seeds of each target from real values: `seeds FOLDER`, where `FOLDER/<target>/` gets a file for each.

use heapless::{String as Short, Vec as Few};
use holdfast::mp4::{Sample, SegmentMuxer, TrackConfig};
use holdfast_core::time::Mono;
use holdfast_fuzz::stream::segment_header;
use holdfast_wire::cause::{Cause, Failure, Fault};
use holdfast_wire::frame::{MAX_FRAME, encode};
use holdfast_wire::ids::{Id128, Name};
use holdfast_wire::ledger::{
    Ending, Gap, Protected, Record, Repaired, SegmentClosed, SegmentDeleted, SegmentOpened, SessionStarted,
};
use holdfast_wire::retention::Rule;
use holdfast_wire::segment::{Missing, SegmentHeader};
use holdfast_wire::time::{Span, Wall};
use holdfast_wire::volume::{VolumeMarker, VolumeMarkerV1, VolumeMarkerV2};
use serde::Serialize;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLE: &str = include_str!("../../../app/docs/holdfast.example.toml");

fn main() -> std::io::Result<()> {
    let root = PathBuf::from(std::env::args_os().nth(1).expect("usage: seeds FOLDER"));
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let folder = root.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{name}")), bytes)
    };
    configurations(&put)?;
    urls(&put)?;
    let records = records();
    for (number, record) in records.iter().enumerate() {
        put("wire", &format!("record-{number:02}"), &[&[0], raw(record).as_slice()].concat())?;
    }
    put("wire", "header", &[&[1], raw(&SegmentHeader::V1(header())).as_slice()].concat())?;
    put("wire", "marker-1", &[&[2], raw(&VolumeMarker::V1(marker())).as_slice()].concat())?;
    let second =
        VolumeMarkerV2 { now: marker(), formerly: Few::from_slice(&[Id128([5; 16])]).expect("it fits") };
    put("wire", "marker-2", &[&[2], raw(&VolumeMarker::V2(second)).as_slice()].concat())?;
    put("wire", "cause", &[&[3], raw(&Cause::Camera(Failure::Stalled)).as_slice()].concat())?;

    let all: Vec<u8> = records.iter().flat_map(raw).collect();
    put("ledger", "records", &all)?;
    let mut framed = Vec::new();
    for record in &records {
        framed.extend_from_slice(encode(record, &mut [0; MAX_FRAME]).expect("it fits"));
    }
    put("ledger", "frames", &framed)?;
    put("ledger", "torn", &framed[..framed.len() - 5])?;
    put("ledger", "padded", &[framed.as_slice(), &[0; 64]].concat())?;

    let file = segment(&[video()], 3);
    put("mp4", "video", &file)?;
    put("mp4", "sound", &segment(&[video(), sound()], 2))?;
    put("mp4", "torn", &file[..file.len() - 20])?;
    put("mp4", "padded", &[file.as_slice(), &[0; 100]].concat())?;

    let volume = |how: u8, records: &[u8], file: &[u8]| {
        let length = u16::try_from(records.len()).expect("a short ledger").to_le_bytes();
        [&[how], length.as_slice(), records, file].concat()
    };
    let begun: Vec<u8> = records[..4].iter().flat_map(raw).collect();
    put("recovery", "all", &volume(0x12, &all, &file))?;
    put("recovery", "open", &volume(0x12, &begun, &file))?;
    put("recovery", "torn", &volume(0x12, &begun, &file[..file.len() - 20]))?;
    put("recovery", "unknown", &volume(0x22, &begun, &file))?;
    put("recovery", "frames", &volume(0x13, &framed, &file))?;
    put("recovery", "checkpoint", &volume(0x17, &framed, &[]))?;

    streams(&put)
}

type Put<'a> = &'a dyn Fn(&str, &str, &[u8]) -> std::io::Result<()>;

fn configurations(put: Put<'_>) -> std::io::Result<()> {
    put("configuration", "example", EXAMPLE.as_bytes())?;
    put("configuration", "short", b"[device]\nname = \"a\"\n[[camera]]\nid = \"c\"\nurl = \"rtsp://h/\"\n")?;
    let full = "[device]\nname = \"van-12\"\nformerly = [\"van-11\"]\n[[camera]]\nid = \"entrance\"\n\
        url = \"rtsp://viewer:longpassword@192.0.2.10:554/main?channel=1\"\nfallback = \"rtsps://[2001:db8::1]/sub\"\n\
        transport = \"udp\"\naudio = false\nkeep = \"2d\"\n[[camera]]\nid = \"yard\"\nurl = \"rtsp://h/\"\ncredentials = \"yard\"\n\
        [[volume]]\npath = \"/media/disk\"\n[[volume]]\ndirectory = \"/srv/holdfast\"\n[storage]\ndisks = true\n\
        runtime = \"/run/holdfast\"\n[retention]\nkeep = \"30d\"\nemergency_keep = \"7d\"\nclean_below = \"5GiB\"\n\
        clean_below_share = \"5%\"\nclean_until = \"10GiB\"\nclean_until_share = \"10%\"\n[limits]\nsegment = \"60s\"\n\
        fragment = \"500ms\"\nring = \"30s\"\nring_bytes = \"64MiB\"\nmemory = \"auto\"\nstall = \"10s\"\n[secrets]\nfile = \"secrets.toml\"\n";
    put("configuration", "full", full.as_bytes())?;
    let wrong = "device = 3\n[[camera]]\nid = 'A'\nurl = \"http://x\"\ntrasport = \"tcp\"\n[limits]\nring = \"1h\"\nstall = 10\n[volume]\n[limits]\n";
    put("configuration", "wrong", wrong.as_bytes())?;
    put("configuration", "duration", b"90s")?;
    put("configuration", "size", b"64MiB")
}

fn urls(put: Put<'_>) -> std::io::Result<()> {
    let urls = [
        ("plain", "rtsp://192.0.2.10/main"),
        ("port", "rtsps://camera.example:8554/a/b?subtype=1"),
        ("user", "rtsp://viewer:p%40ss@[2001:db8::1]:554/main"),
        ("query", "rtsp://h/user=viewer&password=secret&channel=1#x"),
    ];
    urls.into_iter().try_for_each(|(name, text)| put("url", name, text.as_bytes()))
}

/// See `stream::run` for what each byte means.
fn streams(put: Put<'_>) -> std::io::Result<()> {
    let avc = [&[0, 0, 8, 1, 66, 0, 30, 255, 225, 0, 0, 128, 2, 224, 1], [0].as_slice()].concat();
    let frame = |what: u8, step: u16, length: u8| {
        let mut bytes = vec![what];
        bytes.extend(step.to_le_bytes());
        bytes.push(length);
        bytes.extend(vec![7; usize::from(length)]);
        bytes
    };
    let steady: Vec<u8> =
        (0..40).flat_map(|number| frame(if number % 10 == 0 { 0x70 } else { 0 }, 40, 3)).collect();
    put("stream", "steady", &[avc.as_slice(), &steady].concat())?;
    let reordered: Vec<u8> =
        (0..20).flat_map(|number| [frame(0, 120, 3), frame(1, 400 + number, 3)].concat()).collect();
    put("stream", "reordered", &[avc.as_slice(), &reordered].concat())?;
    let holes: Vec<u8> = (0..8)
        .flat_map(|_| [frame(0x20, 40, 3), frame(0, 30_000, 3), frame(1, 60_000, 3)].concat())
        .collect();
    put("stream", "holes", &[avc.as_slice(), &holes].concat())?;
    let hevc = [&[0, 1, 23, 1], [0; 22].as_slice(), &[128, 2, 224, 1, 0]].concat();
    put("stream", "hevc", &[hevc.as_slice(), &steady].concat())?;
    let aac = [&avc[..15], &[2, 2, 17, 144, 128, 187, 0, 0, 2, 0]].concat();
    let both: Vec<u8> = (0..20).flat_map(|_| [frame(0, 40, 3), frame(2, 1, 2)].concat()).collect();
    put("stream", "sound", &[&[1], &aac[1..], &both].concat())
}

fn raw<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("it can be written")
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn at(seconds: i64) -> Wall {
    Wall::from_secs(1_700_000_000 + seconds)
}

fn header() -> holdfast_wire::segment::SegmentHeaderV1 {
    let before = [
        Missing { from: at(-10), cause: Cause::Starting },
        Missing { from: at(-5), cause: Cause::Camera(Failure::Refused) },
    ];
    let before = Few::from_slice(&before).expect("it fits");
    holdfast_wire::segment::SegmentHeaderV1 { before, ..segment_header() }
}

fn marker() -> VolumeMarkerV1 {
    VolumeMarkerV1 {
        id: Id128([9; 16]),
        filesystem_uuid: Short::try_from("6d4a3f0e-0000-4000-8000-000000000000").expect("it fits"),
        adopted_by: name("van-12"),
        adopted_at: at(0),
    }
}

/// One of each kind, as a session on a volume might leave them.
fn records() -> Vec<Record> {
    let (camera, span) = (name("entrance"), Span::new(at(60), at(70)));
    let session = SessionStarted {
        at: at(0),
        session: Id128([1; 16]),
        boot: Id128([2; 16]),
        device: name("van-12"),
        version: Short::try_from("0.1.0").expect("it fits"),
        clock_trusted: true,
    };
    let opened = |sequence, seconds| {
        Record::SegmentOpened(SegmentOpened {
            sequence,
            camera: name("entrance"),
            start: at(seconds),
            fallback: false,
        })
    };
    let closed = SegmentClosed {
        sequence: 1,
        camera: camera.clone(),
        end: at(60),
        frames: 1800,
        bytes: 30_000,
        ending: Ending::Cut,
    };
    let deleted = SegmentDeleted {
        at: at(200),
        sequence: 1,
        camera: camera.clone(),
        start: at(0),
        bytes: 30_000,
        rule: Rule::Age,
    };
    let note = Short::try_from("accident").expect("it fits");
    let protected = Protected { at: at(100), number: 1, camera: Some(camera.clone()), span, note };
    vec![
        Record::SessionStarted(session),
        Record::CameraConfigured { at: at(0), camera: camera.clone() },
        Record::GapOpened { from: at(0), camera: camera.clone(), cause: Cause::Starting },
        opened(1, 0),
        Record::SegmentClosed(closed),
        Record::Gap(Gap { camera: camera.clone(), span, cause: Cause::Camera(Failure::Stalled) }),
        opened(2, 70),
        Record::ClockStepped { at: at(90), by_micros: -2_500_000 },
        Record::Protected(protected),
        Record::Unprotected { at: at(110), number: 1 },
        Record::VolumeFaulted { at: at(120), fault: Fault::NoSpace },
        Record::Repaired(Repaired::LedgerTail { at: at(130), bytes: 7 }),
        Record::Repaired(Repaired::SegmentTail { at: at(131), sequence: 2, bytes: 8 }),
        Record::Renewed { at: at(140), before: Id128([3; 16]), now: Id128([9; 16]) },
        Record::TakenOver { at: at(150), from: name("van-11"), by: name("van-12") },
        Record::TimeCorrected { at: at(160), from: at(0), to: at(90), by_micros: 3_600_000_000 },
        Record::SegmentDeleted(deleted),
        Record::Rebuilt { at: at(210), segments: 1 },
        Record::CameraRemoved { at: at(220), camera },
        Record::SessionEnded { at: at(230), session: Id128([1; 16]) },
    ]
}

fn video() -> TrackConfig {
    TrackConfig::H264 { codec_data: vec![1, 66, 0, 30, 255, 225, 0, 0], width: 640, height: 480 }
}

fn sound() -> TrackConfig {
    TrackConfig::Aac { codec_data: vec![0x11, 0x90], rate: 48_000, channels: 2 }
}

/// A file of so many fragments of ten frames.
fn segment(tracks: &[TrackConfig], fragments: u64) -> Vec<u8> {
    let mut muxer = SegmentMuxer::new(tracks.to_vec(), SegmentHeader::V1(header()), 0).expect("tracks");
    let time = |number: u64| Mono::from_nanos(1_000_000_000 + number * 100_000_000);
    let mut file = Vec::new();
    for fragment in 0..fragments {
        for frame in 0..10 {
            let pts = time(fragment * 10 + frame);
            let payload = vec![7; 12];
            muxer.push(Sample { track: 0, pts, duration: None, keyframe: frame == 0, payload });
            if tracks.len() > 1 {
                let duration = Some(Duration::from_millis(100));
                muxer.push(Sample { track: 1, pts, duration, keyframe: true, payload: vec![9; 4] });
            }
        }
        for fragment in muxer.cut(Some(time(fragment * 10 + 10))) {
            file.extend_from_slice(&fragment.head);
            fragment.payloads.iter().for_each(|payload| file.extend_from_slice(payload));
        }
    }
    file
}
