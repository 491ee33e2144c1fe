//! What `holdfast` answers on its command line: `coverage`, read into numbers, and `ledger rebuild`.
//!
//! Its own arithmetic is checked whenever it is read: a [`CameraAnswer`] that does not add up is an error.

use crate::LabError;
use serde::Deserialize;
use std::path::Path;
use std::process::Command;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Moments are printed in milliseconds: two of them may be off by one together.
pub const ROUNDING_MICROS: i64 = 1_000;

/// How a command ended and what it said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// One gap, in microseconds of UTC.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// First missing moment.
    pub from: i64,
    /// First moment that is not.
    pub to: i64,
    /// The cause's code, as programs read it.
    pub cause: String,
    /// The cause in words.
    pub detail: String,
}

/// What is said of one camera.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraAnswer {
    /// Its id.
    pub camera: String,
    /// From when it is owed, microseconds of UTC.
    pub since: i64,
    /// Until when the answer reaches, microseconds of UTC.
    pub until: i64,
    /// Microseconds that are durable.
    pub durable: i64,
    /// Microseconds that are missing.
    pub missing: i64,
    /// Every gap, oldest first.
    pub gaps: Vec<Gap>,
}

impl CameraAnswer {
    /// The spans between the gaps.
    pub fn durable_spans(&self) -> Vec<(i64, i64)> {
        let starts = std::iter::once(self.since).chain(self.gaps.iter().map(|gap| gap.to));
        let ends = self.gaps.iter().map(|gap| gap.from).chain([self.until]);
        starts.zip(ends).filter(|(from, to)| from < to).collect()
    }

    /// Spans of missing footage with the causes in their order; neighbouring gaps are one span.
    pub fn holes(&self) -> Vec<Hole> {
        let mut holes: Vec<Hole> = Vec::new();
        for gap in &self.gaps {
            match holes.last_mut() {
                Some(last) if gap.from - last.to <= ROUNDING_MICROS => {
                    last.to = gap.to;
                    last.causes.push(gap.cause.clone());
                }
                _ => holes.push(Hole { from: gap.from, to: gap.to, causes: vec![gap.cause.clone()] }),
            }
        }
        holes
    }

    /// Why this cannot be true; `None` if it adds up.
    fn nonsense(&self) -> Option<String> {
        let CameraAnswer { camera, since, until, durable, missing, gaps } = self;
        let told: i64 = gaps.iter().map(|gap| gap.to - gap.from).sum();
        let rounded = ROUNDING_MICROS * (gaps.len() as i64 + 1);
        if (durable + missing - (until - since)).abs() > ROUNDING_MICROS {
            return Some(format!(
                "{camera}: {durable} durable and {missing} missing are not {since} to {until}"
            ));
        }
        if (told - missing).abs() > rounded {
            return Some(format!("{camera}: its gaps are {told} together, not the {missing} µs missing"));
        }
        let ordered = gaps.windows(2).all(|pair| pair[0].to <= pair[1].from);
        let inside = gaps.iter().all(|gap| *since <= gap.from && gap.from <= gap.to && gap.to <= *until);
        (!ordered || !inside).then(|| format!("{camera}: its gaps overlap or leave its span: {gaps:?}"))
    }
}

/// See [`CameraAnswer::holes`].
#[derive(Clone, Debug, PartialEq)]
pub struct Hole {
    /// First missing moment, microseconds of UTC.
    pub from: i64,
    /// First moment that is not.
    pub to: i64,
    /// Codes, in order of time.
    pub causes: Vec<String>,
}

/// The answer of `holdfast coverage --json`.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The command's exit code.
    pub code: Option<i32>,
    /// Each camera, by its id.
    pub cameras: Vec<CameraAnswer>,
    /// What could not be read.
    pub problems: Vec<String>,
}

impl Answer {
    /// What is said of this camera.
    pub fn camera(&self, name: &str) -> Option<&CameraAnswer> {
        self.cameras.iter().find(|answer| answer.camera == name)
    }
}

#[derive(Deserialize)]
struct Document {
    cameras: Vec<CameraEntry>,
    problems: Vec<String>,
}

#[derive(Deserialize)]
struct CameraEntry {
    camera: String,
    since: String,
    until: String,
    durable_seconds: f64,
    missing_seconds: f64,
    gaps: Vec<GapEntry>,
}

#[derive(Deserialize)]
struct GapEntry {
    from: String,
    to: String,
    cause: String,
    detail: String,
}

/// Runs `holdfast` with these arguments to its end.
pub fn said(binary: &Path, arguments: &[&str]) -> Result<Said, LabError> {
    let output = Command::new(binary).args(arguments).output();
    let output =
        output.map_err(|source| LabError::Io { doing: format!("starting {}", binary.display()), source })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) })
}

/// `holdfast coverage VOLUME --json`, with more arguments behind it.
///
/// # Errors
/// If there is no document, or one that does not add up.
pub fn coverage(binary: &Path, volume: &Path, more: &[&str]) -> Result<Answer, LabError> {
    let place = volume.display().to_string();
    let arguments: Vec<&str> =
        ["coverage", &place, "--json"].into_iter().chain(more.iter().copied()).collect();
    let said = said(binary, &arguments)?;
    let failed = |problem: String| LabError::Child { program: "holdfast coverage".to_owned(), problem };
    let document: Document = serde_json::from_str(&said.out)
        .map_err(|error| failed(format!("exit {:?}: {error}: {}", said.code, said.err.trim())))?;
    let cameras: Option<Vec<CameraAnswer>> = document.cameras.iter().map(read).collect();
    let cameras = cameras.ok_or_else(|| failed(format!("a moment is not RFC 3339: {}", said.out)))?;
    if let Some(nonsense) = cameras.iter().find_map(CameraAnswer::nonsense) {
        return Err(failed(nonsense));
    }
    Ok(Answer { code: said.code, cameras, problems: document.problems })
}

fn read(entry: &CameraEntry) -> Option<CameraAnswer> {
    let gap = |gap: &GapEntry| {
        let (from, to) = (moment(&gap.from)?, moment(&gap.to)?);
        Some(Gap { from, to, cause: gap.cause.clone(), detail: gap.detail.clone() })
    };
    Some(CameraAnswer {
        camera: entry.camera.clone(),
        since: moment(&entry.since)?,
        until: moment(&entry.until)?,
        durable: micros(entry.durable_seconds),
        missing: micros(entry.missing_seconds),
        gaps: entry.gaps.iter().map(gap).collect::<Option<_>>()?,
    })
}

fn moment(text: &str) -> Option<i64> {
    let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
    i64::try_from(nanos / 1_000).ok()
}

/// A moment as `--since` and `--until` take it.
pub fn rfc3339(micros: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
    time.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

/// A document's seconds are exact to the microsecond.
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(from: i64, to: i64, cause: &str) -> Gap {
        Gap { from, to, cause: cause.to_owned(), detail: String::new() }
    }

    fn answer(durable: i64, missing: i64, gaps: Vec<Gap>) -> CameraAnswer {
        CameraAnswer { camera: "a".to_owned(), since: 0, until: 10_000_000, durable, missing, gaps }
    }

    #[test]
    fn an_answer_that_does_not_add_up_is_found() {
        let gaps = || vec![gap(1_000_000, 3_000_000, "crashed"), gap(3_000_000, 4_000_000, "starting")];
        assert_eq!(answer(7_000_000, 3_000_000, gaps()).nonsense(), None);
        assert!(answer(7_100_000, 3_000_000, gaps()).nonsense().is_some(), "more than there is");
        assert!(answer(6_000_000, 4_000_000, gaps()).nonsense().is_some(), "a gap is not told");
        let doubled = vec![gap(1_000_000, 3_000_000, "crashed"), gap(2_000_000, 3_000_000, "crashed")];
        assert!(answer(7_000_000, 3_000_000, doubled).nonsense().is_some(), "told twice");
    }

    #[test]
    fn neighbouring_gaps_are_one_hole_and_the_rest_is_durable() {
        let gaps = vec![gap(1_000_000, 3_000_000, "crashed"), gap(3_000_000, 4_000_000, "starting")];
        let answer = answer(7_000_000, 3_000_000, gaps);
        let causes = vec!["crashed".to_owned(), "starting".to_owned()];
        assert_eq!(answer.holes(), [Hole { from: 1_000_000, to: 4_000_000, causes }]);
        assert_eq!(answer.durable_spans(), [(0, 1_000_000), (4_000_000, 10_000_000)]);
    }

    #[test]
    fn moments_are_read_as_they_are_written() {
        let at = 1_795_341_600_123_000;
        assert_eq!(moment(&rfc3339(at)), Some(at));
        assert_eq!(moment("2026-11-22T10:00:00.123Z"), Some(at));
    }
}
