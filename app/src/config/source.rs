//! The text of a configuration file: places in it, and lines of it that may be shown.
//!
//! A line is shown by an allow list, not by hunting for passwords in it: a mistyped file can hold one
//! anywhere (`password = "..."` in a camera, a URL torn in two by a missing quote). Shown are section
//! headers, keys that cannot hold a secret with a plain value, and URLs that could be read, masked. Of
//! every other line the key at most.

use super::problem::{Excerpt, Place};
use super::secret::MASK;
use super::url::RtspUrl;

/// Keys whose values are names, numbers and paths.
const OPEN_KEYS: [&str; 14] = [
    "audio",
    "file",
    "fragment",
    "id",
    "memory",
    "name",
    "path",
    "ring",
    "ring_bytes",
    "segment",
    "stall",
    "transport",
    "credentials",
    "device",
];

/// Keys whose values are URLs.
const URL_KEYS: [&str; 2] = ["url", "fallback"];

/// A file's name and text.
pub struct Source<'t> {
    /// The file, as it was named.
    pub file: String,
    text: &'t str,
    /// Whether lines of it may be shown at all: not those of a file of secrets.
    shows_lines: bool,
}

impl<'t> Source<'t> {
    /// A configuration file: its lines may be shown, masked.
    pub fn of_configuration(file: &str, text: &'t str) -> Self {
        Source { file: file.to_owned(), text, shows_lines: true }
    }
    /// A file of secrets: none of its lines is ever shown.
    pub fn of_secrets(file: &str, text: &'t str) -> Self {
        Source { file: file.to_owned(), text, shows_lines: false }
    }

    /// Line and column of a byte offset; an offset past the end is the end.
    pub fn place(&self, offset: usize) -> Place {
        let (before, _) = self.text.split_at(self.boundary(offset));
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    /// The line at a byte offset, if it may be shown, pointing at the offset.
    pub fn excerpt(&self, offset: usize) -> Option<Excerpt> {
        if !self.shows_lines {
            return None;
        }
        let place = self.place(offset);
        let line = self.text.split('\n').nth(place.line - 1)?;
        let (text, verbatim) = shown(line.trim_end())?;
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Some(Excerpt { caret: (place.column - 1).min(verbatim), text })
    }

    /// The nearest character boundary at or before an offset.
    fn boundary(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// What of a line may be shown, and how many of its first characters are as they were written.
fn shown(line: &str) -> Option<(String, usize)> {
    let trimmed = line.trim();
    if trimmed.starts_with('[') {
        let is_header = trimmed.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '[' | ']' | '_'));
        return is_header.then(|| (line.to_owned(), line.chars().count()));
    }
    let (before, after) = line.split_once('=')?;
    let (key, value) = (before.trim(), after.trim());
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.is_empty() || !key.chars().all(is_bare) {
        return None;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '"' | '_' | '-' | '.' | '/' | ' ');
    if OPEN_KEYS.contains(&key) && value.chars().all(is_plain) {
        return Some((line.to_owned(), line.chars().count()));
    }
    let verbatim = before.chars().count() + 2;
    let url = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).map(RtspUrl::parse);
    let value = match url {
        Some(Ok(url)) if URL_KEYS.contains(&key) => format!("\"{url}\""),
        Some(Ok(_) | Err(_)) | None => MASK.to_owned(),
    };
    Some((format!("{before}= {value}"), verbatim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let source = Source::of_configuration("f", "ä = 1\nbc\n");
        let places: Vec<_> = [0, 1, 2, 5, 6, 7, 8, 9, 99].map(|at| source.place(at)).into();
        let expected: Vec<_> = [(1, 1), (1, 1), (1, 2), (1, 5), (1, 6), (2, 1), (2, 2), (2, 3), (3, 1)]
            .map(|(line, column)| Place { line, column })
            .into();
        assert_eq!(places, expected, "an offset inside a character is the character's");
    }

    #[test]
    fn what_of_a_line_is_shown() {
        let cases = [
            ("a header", "[[camera]]", Some("[[camera]]")),
            ("a header with more behind it", "[[camera]] password = \"canary\"", None),
            ("an open key", "  id = \"front door\"", Some("  id = \"front door\"")),
            ("an open key with a comment", "id = \"x\" # canary", Some("id = ***")),
            ("an open key with a second pair", "id = \"x\", password = \"canary\"", Some("id = ***")),
            ("user and password as a reference", "credentials = \"a:canary\"", Some("credentials = ***")),
            ("a URL", "url = \"rtsp://cam/x\"", Some("url = \"rtsp://cam/x\"")),
            ("a URL with a password", "url=\"rtsp://a:canary@cam/x\"", Some("url= \"rtsp://***@cam/x\"")),
            (
                "a URL with one in its query",
                "url = \"rtsp://c/?pwd=canary\"",
                Some("url = \"rtsp://c/?pwd=***\""),
            ),
            ("a URL that cannot be read", "url = \"rtsp://a:can/ary@cam\"", Some("url = ***")),
            ("a URL without its last quote", "url = \"rtsp://a:canary@cam", Some("url = ***")),
            ("a URL under another key", "adress = \"rtsp://cam/x\"", Some("adress = ***")),
            ("a password where none belongs", "password = \"canary\"", Some("password = ***")),
            ("the second half of a torn line", "canary@cam/x\"", None),
            ("a torn line with a query", "canary@cam/x?a=b\"", None),
            ("a comment", "# canary", None),
        ];
        for (name, line, expected) in cases {
            let shown = shown(line).map(|(text, _)| text);
            assert_eq!(shown.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn the_caret_stays_on_what_is_shown() {
        let text = "url = \"rtsp://a:canary@cam/x\"\nid = \"A\"";
        let source = Source::of_configuration("f", text);
        let caret = |offset| source.excerpt(offset).map(|excerpt| excerpt.caret);
        assert_eq!(caret(0), Some(0), "at the key");
        assert_eq!(caret(20), Some(6), "inside the masked value: at its start");
        assert_eq!(caret(text.len() - 2), Some(6), "a line that is shown as it is");
        assert_eq!(Source::of_secrets("f", text).excerpt(0), None, "a file of secrets shows nothing");
    }
}
