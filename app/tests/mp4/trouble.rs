//! Streams as they should not be: stamps that stand still or run back, a track that stops. The file stays valid.

use crate::media::{self, Stream};
use crate::players::{ffprobe, numbers, quietly};
use holdfast::mp4::{Sample, scan};
use holdfast_core::time::Mono;
use std::io::Cursor;
use std::time::Duration;

/// Writes a segment and gives what ffprobe says of it; every frame of the video decodes.
fn segment(case: &str, streams: &[Stream], samples: Vec<Sample<Vec<u8>>>) -> serde_json::Value {
    let fragments = media::fill(&mut media::muxer(streams, 0), samples);
    let (bytes, _) = media::file(&fragments);
    let facts = scan(Cursor::new(&bytes), bytes.len() as u64).unwrap();
    assert_eq!(facts.torn_bytes, 0, "{case}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("segment.mp4");
    std::fs::write(&path, &bytes).unwrap();
    let arguments = [
        "-v",
        "error",
        "-count_frames",
        "-select_streams",
        "v",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "default=nw=1:nk=1",
        "FILE",
    ];
    let decoded = String::from_utf8(quietly("ffprobe", &arguments, &path)).unwrap();
    assert_eq!(decoded.trim(), facts.frames.to_string(), "{case}: frames that decode");
    let probed = ffprobe(&path);
    for at in 0..streams.len() {
        let dts = numbers(&probed, at, "dts");
        assert!(
            dts.windows(2).all(|pair| pair[0] < pair[1]),
            "{case}: decode times rise in track {at}: {dts:?}"
        );
    }
    probed
}

#[test]
fn stamps_that_stand_still_run_back_or_leap() {
    let at = |origin: Mono, millis: i64| {
        Mono::from_nanos(origin.as_nanos().saturating_add_signed(millis * 1_000_000))
    };
    // The time of frame `n` in milliseconds; the proper one is 40 n.
    type Stamps = fn(i64) -> i64;
    let cases: [(&str, Stamps); 5] = [
        ("frozen from the second second on", |n| 40 * n.min(25)),
        ("frozen from the beginning", |_| 0),
        ("each second one frame back", |n| 40 * n - 80 * (n % 25 / 24)),
        ("back by half a second", |n| 40 * n - if n >= 40 { 500 } else { 0 }),
        ("ahead by a minute and back", |n| 40 * n + if (40..60).contains(&n) { 60_000 } else { 0 }),
    ];
    for (case, time) in cases {
        let mut stream = media::h264(0);
        let origin = stream.samples[0].pts;
        for (n, sample) in stream.samples.iter_mut().enumerate() {
            sample.pts = at(origin, time(n as i64));
        }
        let samples = stream.samples.clone();
        let probed = segment(case, &[stream], samples);
        assert_eq!(numbers(&probed, 0, "dts").len(), 100, "{case}");
    }
}

#[test]
fn a_track_that_stops_or_never_begins() {
    let streams = [media::h264(0), media::aac()];
    let begin = streams[0].samples[0].pts;
    let whole = media::interleaved(&streams);
    let early = |sample: &Sample<Vec<u8>>| sample.pts.since(begin) < Duration::from_secs(1);
    for (case, keep) in [
        (
            "sound stops",
            Box::new(|sample: &Sample<_>| sample.track == 0 || early(sample))
                as Box<dyn Fn(&Sample<_>) -> bool>,
        ),
        ("sound never comes", Box::new(|sample: &Sample<_>| sample.track == 0)),
        ("the picture stops", Box::new(|sample: &Sample<_>| sample.track == 1 || early(sample))),
    ] {
        let samples: Vec<_> = whole.iter().filter(|sample| keep(sample)).cloned().collect();
        let count = |track| samples.iter().filter(|sample| sample.track == track).count();
        let expected = (count(0), count(1));
        let probed = segment(case, &streams, samples);
        let found = (numbers(&probed, 0, "dts").len(), numbers(&probed, 1, "dts").len());
        assert_eq!(found, expected, "{case}");
    }
}
