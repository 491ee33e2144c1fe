//! Walking the tree of a TOML file and collecting every problem on the way.
//!
//! Words: a **section** is a table with a title for messages; a **found** value still knows where it was
//! written. Nothing here stops at a problem: what cannot be read is `None`, and said.

use super::problem::{Problem, Severity};
use super::quantity::{
    DURATION_FORM, PERCENT_FORM, parse_duration, parse_percent, parse_size, show_duration, show_percent,
    show_size,
};
use super::source::Source;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and the byte offset it was written at.
#[derive(Clone, Copy, Debug)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// Where it begins.
    pub at: usize,
}

/// A table of the file.
pub struct Section<'t> {
    /// How messages name it: `[limits]`, `camera "entrance"`; for the whole file `the file`.
    pub title: String,
    /// Where it begins.
    pub at: usize,
    entries: &'t DeTable<'t>,
}

/// The walk over one file.
pub struct Walk<'t> {
    source: Source<'t>,
    problems: Vec<Problem>,
    /// Lines that are no TOML. What was made of them is not judged a second time.
    broken_lines: Vec<usize>,
}

impl<'t> Walk<'t> {
    /// Begins with what the TOML parser itself complained of.
    pub fn new(source: Source<'t>, syntax: &[toml::de::Error]) -> Self {
        let mut walk = Walk { source, problems: Vec::new(), broken_lines: Vec::new() };
        for error in syntax {
            // The parser names what it expected, never what it found.
            let what = format!("this is not TOML: {}", error.message());
            walk.error(error.span().map_or(0, |span| span.start), |problem| Problem { what, ..problem });
        }
        walk.broken_lines = walk.problems.iter().filter_map(|p| p.place.map(|place| place.line)).collect();
        walk
    }

    /// Whether the text was not all TOML: what seems to be missing may just not have been understood.
    pub fn is_broken(&self) -> bool {
        !self.broken_lines.is_empty()
    }

    /// Line of a byte offset, for messages that point at a second place.
    pub fn line(&self, at: usize) -> usize {
        self.source.place(at).line
    }

    /// Adds an error at a byte offset; `describe` fills in its texts.
    pub fn error(&mut self, at: usize, describe: impl FnOnce(Problem) -> Problem) {
        let place = self.source.place(at);
        if self.broken_lines.contains(&place.line) {
            return;
        }
        let bare = Problem::error(&self.source.file, String::new());
        let bare = Problem { place: Some(place), excerpt: self.source.excerpt(at), ..bare };
        self.problems.push(describe(bare));
    }

    /// Adds a warning at a byte offset.
    pub fn warning(&mut self, at: usize, describe: impl FnOnce(Problem) -> Problem) {
        self.error(at, |problem| Problem { severity: Severity::Warning, ..describe(problem) });
    }

    /// Adds an error about something that is not there.
    pub fn missing(&mut self, at: Option<usize>, what: String, hint: &str) {
        if self.is_broken() {
            return;
        }
        match at {
            Some(at) => self.error(at, |problem| Problem { what, ..problem }.hint(hint)),
            None => self.problems.push(Problem::error(&self.source.file, what).hint(hint)),
        }
    }

    /// Adds what was found in another file.
    pub fn adopt(&mut self, others: Vec<Problem>) {
        self.problems.extend(others);
    }

    /// Everything found, this file first and each in the order of its lines.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems;
        problems.sort_by_key(|problem| (problem.file != self.source.file, problem.place));
        problems
    }

    /// Takes a table as a section; keys that are not `known` are problems.
    pub fn section(
        &mut self,
        title: String,
        at: usize,
        entries: &'t DeTable<'t>,
        known: &[&str],
        special: impl Fn(&str) -> Option<&'static str>,
    ) -> Section<'t> {
        for key in entries.keys() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let what = match is_quotable(name) {
                true => format!("{title}: there is no key {name:?}"),
                false => format!("{title}: there is no such key"),
            };
            let near = || nearest(name, known).map(|near| format!("did you mean {near:?}?"));
            let hint = special(name).map(str::to_owned).or_else(near);
            self.error(key.span().start, |problem| {
                Problem { what, hint, ..problem }.allowed(known.join(", "))
            });
        }
        Section { title, at, entries }
    }

    /// The text under a key.
    pub fn text(&mut self, section: &Section<'t>, key: &str) -> Option<Found<&'t str>> {
        let found = section.find(key)?;
        match found.value {
            DeValue::String(text) => Some(Found { value: text, at: found.at }),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                self.wrong_type(section, key, found, "a text in quotes");
                None
            }
        }
    }

    /// The text under a key that has to be there.
    pub fn required(&mut self, section: &Section<'t>, key: &str, example: &str) -> Option<Found<&'t str>> {
        if section.find(key).is_none() {
            let what = format!("{}: {key} is missing", section.title);
            self.missing(Some(section.at), what, &format!("add {key} = {example:?}"));
        }
        self.text(section, key)
    }

    /// The truth value under a key, or the default.
    pub fn flag(&mut self, section: &Section<'t>, key: &str, default: bool) -> bool {
        let Some(found) = section.find(key) else { return default };
        match found.value {
            DeValue::Boolean(value) => *value,
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                self.wrong_type(section, key, found, "true or false, without quotes");
                default
            }
        }
    }

    /// One of several words, or the default.
    pub fn choice<T: Copy>(
        &mut self,
        section: &Section<'t>,
        key: &str,
        words: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(found) = self.text(section, key) else { return default };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == found.value) {
            return *value;
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = nearest(found.value, &names).map(|near| format!("did you mean {near:?}?"));
        let what = format!("{}: {key} is none of the words for it", section.title);
        self.error(found.at, |problem| Problem { what, hint, ..problem }.allowed(names.join(", ")));
        default
    }

    /// The duration under a key, within bounds, or the default.
    pub fn duration(
        &mut self,
        section: &Section<'t>,
        key: &str,
        bounds: RangeInclusive<Duration>,
        default: Duration,
    ) -> Found<Duration> {
        let read = Quantity { parse: parse_duration, show: show_duration, form: DURATION_FORM };
        self.quantity(section, key, bounds, read).unwrap_or(Found { value: default, at: section.at })
    }

    /// The size under a key, within bounds. `None` where it is not written or wrong. `form` says in a message
    /// how it is written.
    pub fn size(
        &mut self,
        section: &Section<'t>,
        key: &str,
        bounds: RangeInclusive<u64>,
        form: &'static str,
    ) -> Option<Found<u64>> {
        self.quantity(section, key, bounds, Quantity { parse: parse_size, show: show_size, form })
    }

    /// The percentage under a key, within bounds, or the default.
    pub fn percent(
        &mut self,
        section: &Section<'t>,
        key: &str,
        bounds: RangeInclusive<u8>,
        default: u8,
    ) -> u8 {
        let read = Quantity { parse: parse_percent, show: show_percent, form: PERCENT_FORM };
        self.quantity(section, key, bounds, read).map_or(default, |found| found.value)
    }

    /// The texts of a list under a key; none where it is not written.
    pub fn texts(&mut self, section: &Section<'t>, key: &str) -> Vec<Found<&'t str>> {
        const ALLOWED: &str = "a list of texts in quotes: [\"van-11\"]";
        let Some(found) = section.find(key) else { return Vec::new() };
        let DeValue::Array(items) = found.value else {
            self.wrong_type(section, key, found, ALLOWED);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            let at = item.span().start;
            match item.get_ref() {
                DeValue::String(text) => texts.push(Found { value: text.as_ref(), at }),
                DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)
                | DeValue::Table(_) => {
                    self.wrong_type(section, key, Found { value: item.get_ref(), at }, ALLOWED);
                }
            }
        }
        texts
    }

    fn quantity<T: PartialOrd + Copy>(
        &mut self,
        section: &Section<'t>,
        key: &str,
        bounds: RangeInclusive<T>,
        read: Quantity<T>,
    ) -> Option<Found<T>> {
        let found = section.find(key)?;
        let title = &section.title;
        let range = format!("{} to {}", (read.show)(*bounds.start()), (read.show)(*bounds.end()));
        let value = match found.value {
            DeValue::String(text) => (read.parse)(text),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        };
        match value {
            Some(value) if bounds.contains(&value) => Some(Found { value, at: found.at }),
            Some(value) => {
                let what = format!("{title}: {key} is {}, which is out of range", (read.show)(value));
                self.error(found.at, |problem| Problem { what, ..problem }.allowed(range));
                None
            }
            None => {
                let what = format!("{title}: {key} cannot be read");
                self.error(found.at, |problem| {
                    Problem { what, ..problem }.allowed(format!("{}; {range}", read.form))
                });
                None
            }
        }
    }

    /// The tables written as `[[key]]`. `None` if the key is not there or no list of tables.
    pub fn list(&mut self, section: &Section<'t>, key: &str) -> Option<Vec<Found<&'t DeTable<'t>>>> {
        let found = section.find(key)?;
        let allowed = format!("[[{key}]], once for each");
        let DeValue::Array(items) = found.value else {
            self.wrong_type(section, key, found, &allowed);
            return None;
        };
        let mut tables = Vec::new();
        for item in items.iter() {
            let at = item.span().start;
            match item.get_ref() {
                DeValue::Table(table) => tables.push(Found { value: table, at }),
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_) => {
                    self.wrong_type(section, key, Found { value: item.get_ref(), at }, &allowed);
                }
            }
        }
        Some(tables)
    }

    /// The table written as `[key]`.
    pub fn table(&mut self, section: &Section<'t>, key: &str) -> Option<Found<&'t DeTable<'t>>> {
        let found = section.find(key)?;
        match found.value {
            DeValue::Table(table) => Some(Found { value: table, at: found.at }),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                self.wrong_type(section, key, found, &format!("a section [{key}], once"));
                None
            }
        }
    }

    fn wrong_type(&mut self, section: &Section<'t>, key: &str, found: Found<&DeValue<'_>>, allowed: &str) {
        let is = match found.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let what = match section.title.is_empty() {
            true => format!("{key} is {is}"),
            false => format!("{}: {key} is {is}", section.title),
        };
        self.error(found.at, |problem| Problem { what, ..problem }.allowed(allowed));
    }
}

impl<'t> Section<'t> {
    /// The value under a key.
    pub fn find(&self, key: &str) -> Option<Found<&'t DeValue<'t>>> {
        self.entries
            .get(key)
            .map(|value: &Spanned<DeValue<'t>>| Found { value: value.get_ref(), at: value.span().start })
    }
}

/// How one kind of quantity is read and shown.
struct Quantity<T> {
    parse: fn(&str) -> Option<T>,
    show: fn(T) -> String,
    form: &'static str,
}

/// Whether a name from the file may stand in a message as it is.
pub fn is_quotable(name: &str) -> bool {
    name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// The word that was probably meant: the one fewest edits away, at most a third of its letters.
fn nearest<'w>(typed: &str, words: &[&'w str]) -> Option<&'w str> {
    let typed = typed.to_ascii_lowercase();
    let distances = words.iter().map(|word| (edit_distance(&typed, word), *word));
    distances.filter(|(distance, word)| *distance <= word.len().div_ceil(3)).min().map(|(_, word)| word)
}

/// How many single-letter edits or swaps of neighbours part two words.
fn edit_distance(a: &str, b: &str) -> usize {
    // Longer words are not typing slips of ours; the bound keeps a hostile file cheap.
    const LONGEST: usize = 40;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > LONGEST || b.len() > LONGEST {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swapped = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(swapped)
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant() {
        let words = ["id", "url", "credentials", "fallback", "transport", "audio"];
        let cases = [
            ("a letter missing", "trasport", Some("transport")),
            ("two neighbours swapped", "ulr", Some("url")),
            ("capitals", "URL", Some("url")),
            ("a singular", "credential", Some("credentials")),
            ("another word", "resolution", None),
            ("a very long one", "transporttransporttransporttransporttransport", None),
            ("nothing", "", None),
        ];
        for (name, typed, meant) in cases {
            assert_eq!(nearest(typed, &words), meant, "{name}");
        }
    }
}
