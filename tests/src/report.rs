//! What `holdfast coverage --json` says, as types, and whether it adds up.
//!
//! Words: what is **owed** is the span of a camera's report; each moment of it is either durable or in a gap.

use crate::{LabError, command};
use serde_json::Value;
use std::path::Path;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Moments are shown in whole milliseconds, cut; lengths in microseconds.
pub const SHOWN_TO_MICROS: i64 = 1000;

/// One camera's report. Times are microseconds of UTC since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraReport {
    /// Its id.
    pub camera: String,
    /// Start of what is owed.
    pub since: i64,
    /// End of what is owed.
    pub until: i64,
    /// Microseconds of footage.
    pub durable: i64,
    /// Microseconds without.
    pub missing: i64,
    /// Microseconds that were recorded and then deleted by a rule.
    pub deleted: i64,
    /// The share, in thousandths of a percent.
    pub millipercent: i64,
    /// In order of time.
    pub gaps: Vec<Gap>,
}

/// A span without footage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Microseconds of UTC since 1970.
    pub from: i64,
    /// The same.
    pub to: i64,
    /// Its length, in microseconds.
    pub micros: i64,
    /// The cause's stable word.
    pub cause: String,
    /// The cause in full.
    pub detail: String,
}

/// A span without footage: neighbouring gaps as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// First missing moment, microseconds of UTC.
    pub from: i64,
    /// First moment that is not.
    pub to: i64,
    /// The causes' stable words, in order of time.
    pub causes: Vec<String>,
}

/// The whole answer.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The command's exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The volume's id: 32 hexadecimal digits.
    pub volume: String,
    /// By camera.
    pub cameras: Vec<CameraReport>,
    /// What could not be read.
    pub problems: Vec<String>,
}

impl Report {
    /// `holdfast coverage VOLUME --json`, with more arguments behind it.
    ///
    /// # Errors
    /// If there is no document, or one that does not add up.
    pub fn ask(binary: &Path, volume: &Path, more: &[&str]) -> Result<Report, LabError> {
        let place = volume.display().to_string();
        let arguments: Vec<&str> =
            ["coverage", &place, "--json"].into_iter().chain(more.iter().copied()).collect();
        let said = command::said(binary, &arguments)?;
        let failed = |problem: String| LabError::Child { program: "holdfast coverage".to_owned(), problem };
        let json = serde_json::from_str(&said.out)
            .map_err(|error| failed(format!("exit {:?}: {error}: {}", said.code, said.err.trim())))?;
        let report = Report { code: said.code, ..Report::of(&json)? };
        let faults: Vec<String> = report.cameras.iter().flat_map(CameraReport::faults).collect();
        if faults.is_empty() { Ok(report) } else { Err(failed(faults.join("; "))) }
    }

    /// Reads the JSON document.
    pub fn of(json: &Value) -> Result<Report, LabError> {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let cameras = list(&json["cameras"]).iter().map(CameraReport::of).collect::<Option<Vec<_>>>();
        let cameras = cameras.ok_or_else(|| LabError::Child {
            program: "holdfast coverage".to_owned(),
            problem: format!("its JSON lacks something: {json}"),
        })?;
        let problems = list(&json["problems"]).iter().map(Value::to_string).collect();
        Ok(Report { code: None, volume: text(&json["volume"]).unwrap_or_default(), cameras, problems })
    }

    /// The report of one camera.
    pub fn camera(&self, name: &str) -> Option<&CameraReport> {
        self.cameras.iter().find(|report| report.camera == name)
    }
}

impl CameraReport {
    fn of(json: &Value) -> Option<CameraReport> {
        let gap = |gap: &Value| {
            Some(Gap {
                from: moment(&gap["from"])?,
                to: moment(&gap["to"])?,
                micros: micros(&gap["seconds"])?,
                cause: text(&gap["cause"])?,
                detail: text(&gap["detail"])?,
            })
        };
        Some(CameraReport {
            camera: text(&json["camera"])?,
            since: moment(&json["since"])?,
            until: moment(&json["until"])?,
            durable: micros(&json["durable_seconds"])?,
            missing: micros(&json["missing_seconds"])?,
            deleted: micros(&json["deleted_seconds"])?,
            millipercent: (json["percent"].as_f64()? * 1000.0).round() as i64,
            gaps: json["gaps"].as_array()?.iter().map(gap).collect::<Option<_>>()?,
        })
    }

    /// Whether every owed moment is in it once: durable or in one gap, and the share is that of the two. What is
    /// wrong with it, one sentence each.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let name = &self.camera;
        let in_gaps: i64 = self.gaps.iter().map(|gap| gap.micros).sum();
        let of_rules = self.gaps.iter().filter(|gap| gap.cause == "deleted");
        let deleted: i64 = of_rules.map(|gap| gap.micros).sum();
        if (in_gaps - deleted, deleted) != (self.missing, self.deleted) {
            let (missing, told) = (self.missing, self.deleted);
            faults.push(format!(
                "{name}: its gaps are {in_gaps} µs, {deleted} µs of it by rules; its missing time is {missing} µs, its \
                 deleted time {told} µs"
            ));
        }
        let owed = self.until - self.since;
        if (self.durable + in_gaps - owed).abs() > SHOWN_TO_MICROS {
            let sum = self.durable + in_gaps;
            faults.push(format!("{name}: durable and gaps are {sum} µs of {owed} µs that are owed"));
        }
        let exact = (self.durable + self.missing).max(1);
        if self.millipercent != self.durable.saturating_mul(100_000) / exact {
            faults.push(format!(
                "{name}: {} µs of {exact} µs are not {} thousandths of a percent",
                self.durable, self.millipercent
            ));
        }
        let mut at = self.since;
        for gap in &self.gaps {
            if gap.from < at || gap.to < gap.from || gap.to > self.until {
                faults.push(format!("{name}: this gap overlaps or lies outside: {gap:?}"));
            }
            at = gap.to;
        }
        faults
    }

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
                Some(last) if gap.from - last.to <= SHOWN_TO_MICROS => {
                    last.to = gap.to;
                    last.causes.push(gap.cause.clone());
                }
                Some(_) | None => {
                    holes.push(Hole { from: gap.from, to: gap.to, causes: vec![gap.cause.clone()] });
                }
            }
        }
        holes
    }

    /// Its gaps' causes, in order, in full.
    pub fn causes(&self) -> Vec<&str> {
        self.gaps.iter().map(|gap| gap.detail.as_str()).collect()
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn micros(value: &Value) -> Option<i64> {
    value.as_f64().map(|seconds| (seconds * 1e6).round() as i64)
}

/// A moment as `holdfast` writes it in JSON, in microseconds of UTC.
pub fn moment(value: &Value) -> Option<i64> {
    let at = OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(durable: f64, missing: f64, percent: f64, gaps: Value) -> CameraReport {
        let json = json!({ "volume": "00", "problems": [], "cameras": [{
            "camera": "yard", "since": "2026-11-22T10:00:00.000Z", "until": "2026-11-22T10:00:10.000Z",
            "durable_seconds": durable, "missing_seconds": missing, "deleted_seconds": 0.0, "percent": percent, "gaps": gaps }] });
        Report::of(&json).unwrap().camera("yard").unwrap().clone()
    }

    fn gap(from: u32, to: u32) -> Value {
        json!({ "from": format!("2026-11-22T10:00:0{from}.000Z"), "to": format!("2026-11-22T10:00:0{to}.000Z"),
            "seconds": to - from, "cause": "lost", "detail": "frames lost on the way" })
    }

    #[test]
    fn a_report_that_does_not_add_up_is_found_out() {
        let cases = [
            ("all is well", document(7.0, 3.0, 70.0, json!([gap(1, 2), gap(4, 6)])), 0),
            ("a gap is not told", document(7.0, 3.0, 70.0, json!([gap(1, 2)])), 2),
            ("too much is durable", document(7.5, 3.0, 71.428, json!([gap(1, 2), gap(4, 6)])), 1),
            ("the share is rounded up", document(7.0, 3.0, 70.001, json!([gap(1, 2), gap(4, 6)])), 1),
            ("gaps overlap", document(6.0, 4.0, 60.0, json!([gap(1, 3), gap(2, 4)])), 1),
        ];
        for (name, report, expected) in cases {
            assert_eq!(report.faults().len(), expected, "{name}: {:?}", report.faults());
        }
    }

    #[test]
    fn neighbouring_gaps_are_one_hole_and_the_rest_is_durable() {
        let report = document(7.0, 3.0, 70.0, json!([gap(1, 3), gap(3, 4)]));
        let (since, second) = (report.since, 1_000_000);
        let causes = vec!["lost".to_owned(), "lost".to_owned()];
        assert_eq!(report.holes(), [Hole { from: since + second, to: since + 4 * second, causes }]);
        let durable = [(since, since + second), (since + 4 * second, since + 10 * second)];
        assert_eq!(report.durable_spans(), durable);
    }
}
