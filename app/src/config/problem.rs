//! A problem of the configuration, printed as a compiler prints one.
//!
//! Nothing secret is in a problem: its texts are made of keys, names and numbers, and the line it shows
//! has passed through `config::source`.

use serde::Serialize;
use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is recorded with this configuration.
    Error,
    /// It works, but not as well as it should.
    Warning,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// A line of the file as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, masked.
    pub text: String,
    /// Characters before the one to point at.
    pub caret: usize,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// The file, as it was named.
    pub file: String,
    /// Where in it; `None` where the whole file is meant.
    pub place: Option<Place>,
    /// What is wrong, with what.
    pub what: String,
    /// What would be right.
    pub allowed: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// The line, if it may be shown.
    pub excerpt: Option<Excerpt>,
}

impl Problem {
    /// An error about a whole file.
    pub(super) fn error(file: &str, what: impl Into<String>) -> Self {
        Problem {
            severity: Severity::Error,
            file: file.to_owned(),
            place: None,
            what: what.into(),
            allowed: None,
            hint: None,
            excerpt: None,
        }
    }

    /// Adds what would be right.
    pub(super) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    /// Adds what to do.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The problem over several lines, each with its line end; with ANSI colours if asked for.
    pub fn render(&self, colour: bool) -> String {
        let paint = |style: &'static str| if colour { style } else { "" };
        let (bold, end) = (paint("\x1b[1m"), paint("\x1b[0m"));
        let (tint, word) = match self.severity {
            Severity::Error => (paint("\x1b[1;31m"), "error"),
            Severity::Warning => (paint("\x1b[1;33m"), "warning"),
        };
        let mut text = format!("{bold}{}:{end} {tint}{word}{end}: {}\n", self.location(), self.what);
        if let (Some(place), Some(excerpt)) = (self.place, &self.excerpt) {
            let number = format!("{:>5}", place.line);
            let pad = " ".repeat(excerpt.caret);
            text += &format!("{number} | {}\n{:>5} | {pad}{tint}^{end}\n", excerpt.text, "");
        }
        for (label, line) in [("allowed", &self.allowed), ("hint", &self.hint)] {
            if let Some(line) = line {
                text += &format!("  {bold}{label}{end}: {line}\n");
            }
        }
        text
    }

    /// The problem in one line, for a log.
    pub fn one_line(&self) -> String {
        let mut text = format!("{}: {}", self.location(), self.what);
        for (label, part) in [("allowed", &self.allowed), ("hint", &self.hint)] {
            if let Some(part) = part {
                text += &format!("; {label}: {part}");
            }
        }
        text
    }

    fn location(&self) -> String {
        match self.place {
            Some(Place { line, column }) => format!("{}:{line}:{column}", self.file),
            None => self.file.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl Serialize for Problem {
    /// Flat, for `holdfast check --json`: the excerpt is for people and left out.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Problem", 7)?;
        fields.serialize_field("severity", &self.severity)?;
        fields.serialize_field("file", &self.file)?;
        fields.serialize_field("line", &self.place.map(|place| place.line))?;
        fields.serialize_field("column", &self.place.map(|place| place.column))?;
        fields.serialize_field("what", &self.what)?;
        fields.serialize_field("allowed", &self.allowed)?;
        fields.serialize_field("hint", &self.hint)?;
        fields.end()
    }
}
