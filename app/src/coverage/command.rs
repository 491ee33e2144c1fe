//! `holdfast coverage VOLUME`: reads the ledger, and the segments that are still open; changes nothing.
//!
//! With `--json`, one object (stable; fields are only ever added):
//!
//! ```text
//! { "volume": "<id, 32 hex digits, or null>", "device": "<name or null>", "since": T, "until": T,
//!   "cameras": [ { "camera": "<id>", "since": T, "until": T, "durable_seconds": 59.5, "missing_seconds": 0.5,
//!                  "deleted_seconds": 0.0, "fallback_seconds": 0.0,
//!                  "percent": 99.166 (of durable and missing; or null: there is neither),
//!                  "gaps": [ { "from": T, "to": T, "seconds": 0.5, "cause": "<code>", "detail": "<words>" } ] } ],
//!   "problems": [ "<sentence>" ] }
//! ```
//!
//! Durable, missing and deleted seconds add up to what was owed; the gaps are those that are missing and those that a rule
//! deleted (`"cause": "deleted"`). What was deleted counts for nothing in the percentage. Fallback seconds are those of the
//! durable ones for which there is the camera's fallback stream alone.
//!
//! T is RFC 3339 in UTC with milliseconds, or null if there is no camera; seconds are exact to the
//! microsecond; the codes are those of [`Cause::code`](holdfast_wire::cause::Cause::code).

use super::Coverage;
use super::corrections::Corrections;
use super::fold::{Fold, Window};
use crate::host::show;
use crate::ledger::{Outcome, ScanError, SegmentScanner, read_all};
use crate::volumes::{VolumeError, is_in_use, layout, read_marker};
use holdfast_wire::cause::Fault;
use holdfast_wire::time::{Span, Wall};
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What the command was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverageArgs {
    /// The volume's root.
    pub volume: PathBuf,
    /// Only these cameras; all, if empty.
    pub cameras: Vec<String>,
    /// From when.
    pub since: Option<Wall>,
    /// Until when.
    pub until: Option<Wall>,
    /// JSON instead of a table.
    pub json: bool,
    /// Now.
    pub now: Wall,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CoverageError {
    /// The volume could not be read.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The span is empty.
    #[error("--since {since} is not before --until {until}")]
    Backwards {
        /// From when.
        since: String,
        /// Until when.
        until: String,
    },
    /// A camera that the ledger does not know.
    #[error("camera {camera:?} is not in this volume's ledger; it knows {known}")]
    UnknownCamera {
        /// The one asked for.
        camera: String,
        /// Those that there are.
        known: String,
    },
    /// The answer could not be written.
    #[error("could not write the answer")]
    Output(#[from] io::Error),
}

/// The command. [`Outcome::Incomplete`] if something of the ledger, or a segment that is still open, could
/// not be read; what, is in the answer.
pub fn run(
    args: &CoverageArgs,
    scanner: &dyn SegmentScanner,
    out: &mut dyn Write,
) -> Result<Outcome, CoverageError> {
    let answer = answer(args, scanner)?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &Document::of(&answer)).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        table(&answer, out)?;
    }
    Ok(if answer.problems.is_empty() { Outcome::Complete } else { Outcome::Incomplete })
}

/// What was found.
struct Answer {
    volume: Option<String>,
    device: Option<String>,
    cameras: Vec<Coverage>,
    problems: Vec<String>,
}

fn answer(args: &CoverageArgs, scanner: &dyn SegmentScanner) -> Result<Answer, CoverageError> {
    let root = args.volume.as_path();
    // Nobody owes the future.
    let (since, until) = (args.since, args.until.map(|until| until.min(args.now)));
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(CoverageError::Backwards { since: show::moment(since), until: show::moment(until) });
    }
    if !layout::home(root).is_dir() {
        let detail = "it holds no directory `holdfast`";
        return Err(VolumeError::found(Fault::Missing, "read the volume at", root, detail).into());
    }
    let mut problems = Vec::new();
    let volume = match read_marker(root) {
        Ok(marker) => marker.map(|marker| marker.now.id.to_string()),
        Err(error) => {
            problems.push(error.to_string());
            None
        }
    };
    let live = is_in_use(root).then_some(args.now);
    let fold = read(root, scanner, &mut problems)?;
    for camera in &args.cameras {
        if !fold.cameras().any(|known| known.as_str() == camera) {
            let known: Vec<&str> = fold.cameras().map(|known| known.as_str()).collect();
            let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
            return Err(CoverageError::UnknownCamera { camera: camera.clone(), known });
        }
    }
    let mut cameras = fold.report(Window { since, until, live });
    let is_wanted =
        |camera: &str| args.cameras.is_empty() || args.cameras.iter().any(|wanted| wanted == camera);
    cameras.retain(|report| is_wanted(report.camera.as_str()));
    Ok(Answer { volume, device: fold.device().map(ToString::to_string), cameras, problems })
}

fn read(root: &Path, scanner: &dyn SegmentScanner, problems: &mut Vec<String>) -> Result<Fold, VolumeError> {
    let (mut fold, mut corrections) = (Fold::default(), Corrections::default());
    read_all(root, |entry| match entry {
        Ok(record) => {
            corrections.note(&record);
            fold.take(&record);
        }
        Err(problem) => problems.push(problem.to_string()),
    })?;
    let anew = !corrections.is_empty();
    let mut corrector = corrections.apply();
    if anew {
        fold = Fold::default();
        // What cannot be read has been told.
        read_all(root, |entry| entry.into_iter().for_each(|record| fold.take(&corrector.correct(record))))?;
    }
    for opened in fold.open_segments() {
        let late = corrector.late(opened.sequence);
        // Its name has the time that it was made with.
        let path = layout::segment(root, &opened.camera, opened.start.later_by(-late), opened.sequence);
        match scanner.scan(&path) {
            Ok(mut facts) => {
                for stretch in &mut facts.stretches {
                    *stretch = Span::new(stretch.from.later_by(late), stretch.to.later_by(late));
                }
                fold.take_open(opened.sequence, &facts);
            }
            Err(ScanError::Nothing) => {} // it was opened a moment ago, or its recorder died then
            Err(error @ (ScanError::Unreadable(_) | ScanError::Io(_))) => {
                problems.push(format!("{}: {}; counted as empty", path.display(), error.full()));
            }
        }
    }
    for sequence in fold.orphans() {
        problems.push(format!(
            "segment {sequence}: the record of its opening is lost; counted as missing, \
             `holdfast ledger rebuild {}` enters it",
            root.display()
        ));
    }
    Ok(fold)
}

fn table(answer: &Answer, out: &mut dyn Write) -> io::Result<()> {
    let Answer { cameras, problems, .. } = answer;
    if cameras.is_empty() {
        writeln!(out, "no camera has been recorded to this volume")?;
    }
    let wide = cameras.iter().map(|report| report.camera.as_str().len()).max().unwrap_or(0).max(6);
    if !cameras.is_empty() {
        writeln!(
            out,
            "{:wide$}  {:>14}  {:>14}  {:>9}  {:>14}  AS OF",
            "CAMERA", "DURABLE", "MISSING", "COVERAGE", "DELETED"
        )?;
    }
    for report in cameras {
        let percent = report
            .millipercent()
            .map_or("-".to_owned(), |share| format!("{}.{:03} %", share / 1000, share % 1000));
        let durable = show::length(report.durable_micros);
        let missing = show::length(report.missing_micros());
        let deleted = match report.deleted_micros() {
            0 => "-".to_owned(),
            deleted => show::length(deleted),
        };
        let (camera, until) = (report.camera.as_str(), show::moment(report.span.to));
        writeln!(out, "{camera:wide$}  {durable:>14}  {missing:>14}  {percent:>9}  {deleted:>14}  {until}")?;
    }
    for (at, report) in cameras.iter().filter(|report| report.fallback_micros > 0).enumerate() {
        let (camera, fallback) = (report.camera.as_str(), show::length(report.fallback_micros));
        let before = if at == 0 { "\n" } else { "" };
        writeln!(out, "{before}{camera}: {fallback} of what is durable are of its fallback stream")?;
    }
    for report in cameras.iter().filter(|report| !report.gaps.is_empty()) {
        let Coverage { camera, span, gaps, .. } = report;
        let (since, until) = (show::moment(span.from), show::moment(span.to));
        writeln!(out, "\n{camera}: missing between {since} and {until}")?;
        for gap in gaps {
            let (from, to) = (show::moment(gap.span.from), show::moment(gap.span.to));
            writeln!(out, "  {from}  {to}  {:>13}  {}", show::length(gap.span.micros()), gap.cause)?;
        }
    }
    if !problems.is_empty() {
        writeln!(out, "\nnot all could be read:")?;
    }
    problems.iter().try_for_each(|problem| writeln!(out, "  {problem}"))
}

/// The JSON document; see the top of this file.
#[derive(Serialize)]
struct Document<'a> {
    volume: Option<&'a str>,
    device: Option<&'a str>,
    since: Option<String>,
    until: Option<String>,
    cameras: Vec<CameraEntry<'a>>,
    problems: &'a [String],
}

#[derive(Serialize)]
struct CameraEntry<'a> {
    camera: &'a str,
    since: String,
    until: String,
    durable_seconds: f64,
    missing_seconds: f64,
    deleted_seconds: f64,
    fallback_seconds: f64,
    percent: Option<f64>,
    gaps: Vec<GapEntry>,
}

#[derive(Serialize)]
struct GapEntry {
    from: String,
    to: String,
    seconds: f64,
    cause: &'static str,
    detail: String,
}

impl<'a> Document<'a> {
    fn of(answer: &'a Answer) -> Self {
        let spans = || answer.cameras.iter().map(|report| report.span);
        Document {
            volume: answer.volume.as_deref(),
            device: answer.device.as_deref(),
            since: spans().map(|span| span.from).min().map(show::moment),
            until: spans().map(|span| span.to).max().map(show::moment),
            cameras: answer.cameras.iter().map(CameraEntry::of).collect(),
            problems: &answer.problems,
        }
    }
}

impl<'a> CameraEntry<'a> {
    fn of(report: &'a Coverage) -> Self {
        CameraEntry {
            camera: report.camera.as_str(),
            since: show::moment(report.span.from),
            until: show::moment(report.span.to),
            durable_seconds: seconds(report.durable_micros),
            missing_seconds: seconds(report.missing_micros()),
            deleted_seconds: seconds(report.deleted_micros()),
            fallback_seconds: seconds(report.fallback_micros),
            percent: report.millipercent().map(|share| share as f64 / 1000.0),
            gaps: report
                .gaps
                .iter()
                .map(|gap| GapEntry {
                    from: show::moment(gap.span.from),
                    to: show::moment(gap.span.to),
                    seconds: seconds(gap.span.micros()),
                    cause: gap.cause.code(),
                    detail: gap.cause.to_string(),
                })
                .collect(),
        }
    }
}

/// Exact for any span under 285 years: a double holds 53 bits.
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1_000_000.0
}
