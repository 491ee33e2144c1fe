//! `holdfast check`: every problem of a configuration at once.

use super::args::Check;
use super::exit::Exit;
use super::output;
use crate::config::{self, Checked, Problem};
use serde::Serialize;
use std::io;
use std::path::Path;

/// Checks the file and prints what was found.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Check, credentials: Option<&Path>) -> io::Result<Exit> {
    let checked = config::load(&args.file, credentials);
    let file = args.file.display().to_string();
    let text = if args.json { as_json(&file, &checked)? } else { as_text(&file, &checked, output::colour()) };
    output::write(&text)?;
    Ok(if checked.config.is_some() { Exit::Done } else { Exit::Usage })
}

/// The problems and a last line that sums up.
pub fn as_text(file: &str, checked: &Checked, colour: bool) -> String {
    let mut text: String = checked.problems.iter().map(|problem| problem.render(colour) + "\n").collect();
    let count = |number: usize, noun: &str| match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    };
    let found = match (checked.errors(), checked.warnings()) {
        (0, 0) => String::new(),
        (0, warnings) => format!("; {}", count(warnings, "warning")),
        (errors, 0) => count(errors, "error"),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    };
    text += &match &checked.config {
        Some(config) => format!(
            "{file}: fine: {}, {}{found}\n",
            count(config.cameras.len(), "camera"),
            count(config.volumes.len(), "volume"),
        ),
        None => format!("{file}: {found}\n"),
    };
    text
}

fn as_json(file: &str, checked: &Checked) -> io::Result<String> {
    #[derive(Serialize)]
    struct Report<'a> {
        file: &'a str,
        errors: usize,
        warnings: usize,
        problems: &'a [Problem],
    }
    let report =
        Report { file, errors: checked.errors(), warnings: checked.warnings(), problems: &checked.problems };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}
