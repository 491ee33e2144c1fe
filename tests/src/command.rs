//! `holdfast` as a command that ends: what it said and how it ended.

use crate::LabError;
use std::path::Path;
use std::process::Command;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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

/// Runs `holdfast` with these arguments to its end.
pub fn said(binary: &Path, arguments: &[&str]) -> Result<Said, LabError> {
    let output = Command::new(binary).args(arguments).output();
    let output =
        output.map_err(|source| LabError::Io { doing: format!("starting {}", binary.display()), source })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) })
}

/// A moment as `--since` and `--until` take it.
pub fn rfc3339(micros: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
    time.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}
