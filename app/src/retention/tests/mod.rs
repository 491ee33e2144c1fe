//! Cleaning on real directories, with the core's own cleaner, segments of the tests' small format, and a filesystem of
//! any size that is only counted.

mod cleaning;
mod full;
mod protection;
mod shelf;

use super::cleaning::{Cleaning, Moment, Retention, Site, Work};
use super::protection::Wish;
use super::shelf::Ages;
use crate::ledger::LedgerWriter;
use crate::ledger::tests::fake::{Fake, Place, START, at, header, name};
use crate::volumes::layout;
use holdfast_core::event::VolumeEvent;
use holdfast_core::retention::{Rules, Space, Threshold};
use holdfast_core::time::Mono;
use holdfast_wire::ids::{Id128, Name};
use holdfast_wire::ledger::{Record, SegmentDeleted};
use holdfast_wire::segment::SegmentHeaderV1;
use holdfast_wire::time::{Span, Wall};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Length of each segment's file: what a test frees by deleting one.
const LENGTH: u64 = 10_000;

/// Cleaning begins under a quarter of the filesystem and ends at half of it.
fn rules() -> Rules {
    Rules {
        start: Threshold { bytes: u64::MAX, per_mille: 250 },
        stop: Threshold { bytes: u64::MAX, per_mille: 500 },
        emergency_age: Duration::from_secs(7 * 86_400),
        age_every: Duration::from_secs(60),
    }
}

/// A volume that is cleaned.
struct World {
    place: Place,
    ledger: LedgerWriter,
    cleaning: Cleaning,
    /// Bytes of the filesystem that the cleaner is told of.
    total: u64,
    /// Seconds since the start.
    seconds: u64,
    heard: Vec<VolumeEvent>,
}

impl World {
    fn open(place: Place, total: u64) -> Self {
        Self::open_with(place, total, Retention { rules: rules(), ..Retention::default() }, &["a"])
    }

    fn open_with(place: Place, total: u64, retention: Retention, cameras: &[&str]) -> Self {
        drop(place.open());
        let (ledger, _) = LedgerWriter::open(place.root(), at(0)).unwrap();
        let cameras: Vec<Name> = cameras.iter().map(|camera| name(camera)).collect();
        let site = Site {
            root: place.root(),
            id: Id128([9; 16]),
            formerly: vec![Id128([8; 16])],
            cameras: &cameras,
            next_sequence: 1_000_000,
            check: &|| Ok(()),
        };
        let cleaning = Cleaning::open(site, retention, &ledger, Box::new(Fake), moment(0)).unwrap();
        World { place, ledger, cleaning, total, seconds: 0, heard: Vec::new() }
    }

    /// One with much room, whose cameras are kept for a day: all that the tests lay is older.
    fn aged(place: Place, cameras: &[&str]) -> Self {
        let day: Vec<_> = cameras.iter().map(|camera| (*camera, 1)).collect();
        let retention = Retention { rules: rules(), ages: ages(&day), ..Retention::default() };
        Self::open_with(place, 1 << 40, retention, cameras)
    }

    /// Turns over so many minutes, one each: the clock is believed after ten.
    fn minutes(&mut self, minutes: u64) {
        for _ in 0..minutes {
            self.seconds += 59;
            self.turn();
        }
    }

    fn root(&self) -> &Path {
        self.place.root()
    }

    /// Turns over so many seconds, one each.
    fn turns(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.seconds += 1;
        let used: u64 = segments(self.root()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        let space = Space { free: self.total.saturating_sub(used), total: self.total };
        let heard = &mut self.heard;
        let mut work =
            Work { ledger: &mut self.ledger, check: &|| Ok(()), tell: &mut |event| heard.push(event) };
        self.cleaning.turn(moment(self.seconds), || Some(space), &mut work).unwrap();
    }

    fn protect(&mut self, camera: Option<&str>, span: Span) -> u32 {
        let wish = Wish { camera: camera.map(name), span, note: "a test".try_into().unwrap() };
        self.cleaning.protect(wish, at(0), &mut self.ledger, &|| Ok(())).unwrap()
    }

    /// What the ledger says was deleted, in its order.
    fn deleted(&self) -> Vec<SegmentDeleted> {
        self.place
            .records()
            .into_iter()
            .filter_map(
                |record| if let Record::SegmentDeleted(deleted) = record { Some(deleted) } else { None },
            )
            .collect()
    }

    fn deleted_numbers(&self) -> Vec<u32> {
        self.deleted().iter().map(|deleted| deleted.sequence).collect()
    }

    /// The numbers of the segments that are there.
    fn there(&self) -> BTreeSet<u32> {
        let names = segments(self.root());
        names.iter().map(|path| layout::parse_segment(path).unwrap().sequence).collect()
    }
}

/// `seconds` after the start of the tests' time, by a clock that can be trusted.
fn moment(seconds: u64) -> Moment {
    let wall = Wall::from_secs(START + 100_000 + i64::try_from(seconds).unwrap());
    Moment { mono: Mono::from_nanos((1000 + seconds) * 1_000_000_000), wall, trusted: true }
}

/// All files that are named like segments.
fn segments(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let unlisted = crate::ledger::walk::segments(root, None, |name| {
        found.push(layout::segment(root, &name.camera, name.start, name.sequence));
    });
    assert!(unlisted.is_empty());
    found
}

/// Lays a segment of [`LENGTH`] bytes with footage of `seconds` seconds.
fn lay(place: &Place, header: &SegmentHeaderV1, seconds: i64) -> PathBuf {
    let from = header.start.micros_since(at(0)) / 1_000_000;
    let path = place.segment(header, &[(from, from + seconds)]);
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(LENGTH).unwrap();
    path
}

/// Segments of a minute of camera `a`, numbered from 1 on, beginning at these seconds.
fn lay_all(place: &Place, starts: impl IntoIterator<Item = i64>) {
    for (number, start) in (1..).zip(starts) {
        lay(place, &header("a", number, start, 1, 1), 60);
    }
}

fn ages(of: &[(&str, u64)]) -> Ages {
    let of =
        of.iter().map(|(camera, days)| (name(camera), Some(Duration::from_secs(days * 86_400)))).collect();
    Ages { of, others: None }
}
