//! Coverage as stories of ledgers, as a property of every ledger, and as the command.

mod command;
mod corrected;
mod deleted;
mod property;
mod stories;

use super::{Coverage, Fold, Window};
use crate::ledger::tests::fake::{at, name, opened, session, span};
use holdfast_wire::cause::Cause;
use holdfast_wire::ids::Id128;
use holdfast_wire::ledger::{Ending, Gap, Record, SegmentClosed};
use holdfast_wire::time::Wall;

/// A session `id` in boot `boot` from second `from`.
fn started(id: u8, boot: u8, from: i64) -> Record {
    Record::SessionStarted(session(id, boot, from))
}

fn ended(id: u8, seconds: i64) -> Record {
    Record::SessionEnded { at: at(seconds), session: Id128([id; 16]) }
}

fn configured(camera: &str, seconds: i64) -> Record {
    Record::CameraConfigured { at: at(seconds), camera: name(camera) }
}

fn open(camera: &str, sequence: u32, seconds: i64) -> Record {
    Record::SegmentOpened(opened(camera, sequence, seconds))
}

fn closed(camera: &str, sequence: u32, end: Wall) -> Record {
    let (camera, ending) = (name(camera), Ending::Cut);
    Record::SegmentClosed(SegmentClosed { sequence, camera, end, frames: 1, bytes: 1, ending })
}

/// A whole segment over these seconds.
fn segment(camera: &str, sequence: u32, from: i64, to: i64) -> [Record; 2] {
    [open(camera, sequence, from), closed(camera, sequence, at(to))]
}

/// The same, of the camera's fallback stream.
fn fallback(camera: &str, sequence: u32, from: i64, to: i64) -> [Record; 2] {
    let mut begun = opened(camera, sequence, from);
    begun.fallback = true;
    [Record::SegmentOpened(begun), closed(camera, sequence, at(to))]
}

fn gap(camera: &str, from: i64, to: i64, cause: Cause) -> Record {
    Record::Gap(Gap { camera: name(camera), span: span(from, to), cause })
}

fn gap_opened(camera: &str, from: i64, cause: Cause) -> Record {
    Record::GapOpened { from: at(from), camera: name(camera), cause }
}

fn fold(records: &[Record]) -> Fold {
    let mut fold = Fold::default();
    records.iter().for_each(|record| fold.take(record));
    fold
}

/// Camera `a` of these records, whole.
fn account(records: &[Record], window: Window) -> Coverage {
    let mut reports = fold(records).report(window);
    reports.retain(|report| report.camera == name("a"));
    reports.pop().unwrap()
}

/// Gaps as seconds and causes.
fn gaps(report: &Coverage) -> Vec<(i64, i64, Cause)> {
    let second = |wall: Wall| wall.micros_since(at(0)) / 1_000_000;
    report.gaps.iter().map(|gap| (second(gap.span.from), second(gap.span.to), gap.cause)).collect()
}
