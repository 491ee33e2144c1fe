//! The log: systemd's journal with fields, or lines on stderr where there is no journal.
//!
//! Words: a **field** is a key and a value beside a message's text. Holdfast's own are `CAMERA`, `VOLUME`,
//! `SEGMENT`, `ALARM` and `MESSAGE_ID` ([`super::message_ids`]); `journalctl CAMERA=entrance` finds by them.
//!
//! ```
//! use holdfast::host::message_ids;
//! let camera = "entrance";
//! log::info!(CAMERA = camera, MESSAGE_ID = message_ids::CAMERA_RECORDING; "records again after 12 s");
//! ```
//!
//! On stderr that is `2026-11-22T10:00:00.123Z info entrance: records again after 12 s  CAMERA=entrance`:
//! all but the id, which is for programs.

use super::{clock, show};
use holdfast_core::time::Wall;
use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::env;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use systemd_journal_logger::{JournalLog, connected_to_journal};

/// The variable of the environment that sets how much is logged: error, warn, info or debug.
pub const LEVEL_VARIABLE: &str = "HOLDFAST_LOG";

/// What `journalctl -t` finds us by.
const IDENTIFIER: &str = "holdfast";

/// Sets the log up for the life of the process. To be called once, by `main`; a second call changes nothing.
pub fn init() {
    let wanted = env::var(LEVEL_VARIABLE).ok();
    let level = wanted.as_deref().map_or(Some(LevelFilter::Info), parse_level);
    let installed = match is_connected().then(JournalLog::empty) {
        Some(Ok(journal)) => journal.with_syslog_identifier(IDENTIFIER.to_owned()).install(),
        Some(Err(_)) | None => {
            log::set_boxed_logger(Box::new(Stderr { colour: wants_colour(&std::io::stderr()) }))
        }
    };
    if installed.is_ok() {
        log::set_max_level(level.unwrap_or(LevelFilter::Info));
    }
    if level.is_none() {
        log::warn!("{LEVEL_VARIABLE} is none of error, warn, info and debug; info is logged");
    }
}

/// Logs a message whose fields are only known at run time; elsewhere `log`'s macros are shorter.
pub fn write(level: Level, fields: &[(&str, String)], text: &str) {
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let arguments = format_args!("{text}");
    log::logger().log(
        &Record::builder().level(level).target(module_path!()).args(arguments).key_values(&pairs).build(),
    );
}

/// Whether this process logs to the journal.
pub fn is_connected() -> bool {
    connected_to_journal()
}

/// Most lines held for a live view between two redraws; more would scroll past unread anyway.
const MOST_HELD: usize = 1000;

/// Lines held while a live view owns the terminal; `None` while they go straight to stderr.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);

fn held() -> MutexGuard<'static, Option<Vec<String>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds the log's lines back, if they would go to a terminal, for a view that draws on it.
pub fn hold_lines() {
    if std::io::stderr().is_terminal() {
        *held() = Some(Vec::new());
    }
}

/// The lines held since this was asked last, without their line ends.
pub fn take_lines() -> Vec<String> {
    let lines = held().as_mut().map(std::mem::take).unwrap_or_default();
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Lets lines go straight to stderr again. What is still held is lost: take it first.
pub fn release_lines() {
    *held() = None;
}

/// Whether colours are wanted on a stream: it is a terminal that knows them, and `NO_COLOR` is not set.
pub fn wants_colour(stream: &impl IsTerminal) -> bool {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
    stream.is_terminal() && !no_color && !dumb
}

fn parse_level(text: &str) -> Option<LevelFilter> {
    match text {
        "error" => Some(LevelFilter::Error),
        "warn" | "warning" => Some(LevelFilter::Warn),
        "info" => Some(LevelFilter::Info),
        "debug" => Some(LevelFilter::Debug),
        _ => None,
    }
}

/// The log where there is no journal.
struct Stderr {
    colour: bool,
}

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }
    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format_line(clock::now().wall, record, self.colour);
            if let Some(held) = held().as_mut() {
                if held.len() < MOST_HELD {
                    held.push(line);
                }
                return;
            }
            // One write, so that lines of several threads do not mix; where stderr is gone nobody can be told.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }
    fn flush(&self) {}
}

/// One line with its line end.
fn format_line(now: Wall, record: &Record<'_>, colour: bool) -> String {
    let (level, style) = match record.level() {
        Level::Error => ("error", "\x1b[1;31m"),
        Level::Warn => ("warning", "\x1b[1;33m"),
        Level::Info => ("info", "\x1b[32m"),
        Level::Debug | Level::Trace => ("debug", "\x1b[2m"),
    };
    let (style, end) = if colour { (style, "\x1b[0m") } else { ("", "") };
    let mut fields = Fields::default();
    // Collecting into a string cannot fail; what a value's own Display refuses is left out.
    let _ = record.key_values().visit(&mut fields);
    let mut line = format!("{} {style}{level}{end} ", show::moment(now));
    if let Some(source) = fields.source {
        push_printable(&mut line, &source);
        line.push_str(": ");
    }
    push_printable(&mut line, &record.args().to_string());
    if !fields.text.is_empty() {
        line.push(' ');
        push_printable(&mut line, &fields.text);
    }
    line.push('\n');
    line
}

/// A message may hold what a camera sent: line ends would forge lines, escapes would steer the terminal.
fn push_printable(line: &mut String, text: &str) {
    for c in text.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
}

/// The fields of a message as text, and what it is about.
#[derive(Default)]
struct Fields {
    source: Option<String>,
    text: String,
}

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        match key.as_str() {
            "MESSAGE_ID" => return Ok(()),
            "CAMERA" => self.source = Some(value.to_string()),
            "VOLUME" if self.source.is_none() => self.source = Some(value.to_string()),
            _ => {}
        }
        write!(self.text, " {key}={value}").map_err(Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::kv::Value;

    type TextFields<'a> = &'a [(&'a str, &'a str)];

    fn line(level: Level, text: &str, fields: TextFields<'_>, colour: bool) -> String {
        let fields: Vec<(&str, Value<'_>)> =
            fields.iter().map(|(key, value)| (*key, Value::from(*value))).collect();
        let now = Wall::from_micros(1_795_341_600_123_456);
        format_line(
            now,
            &Record::builder().level(level).args(format_args!("{text}")).key_values(&fields).build(),
            colour,
        )
    }

    #[test]
    fn lines_on_stderr() {
        let cases: [(&str, Level, &str, TextFields<'_>, &str); 6] = [
            ("a bare message", Level::Info, "started", &[], "info started\n"),
            (
                "about a camera",
                Level::Warn,
                "no video",
                &[("CAMERA", "entrance"), ("MESSAGE_ID", "00"), ("VOLUME", "a1")],
                "warning entrance: no video  CAMERA=entrance VOLUME=a1\n",
            ),
            ("about a volume", Level::Error, "full", &[("VOLUME", "a1")], "error a1: full  VOLUME=a1\n"),
            ("about something else", Level::Debug, "x", &[("SEGMENT", "s.mp4")], "debug x  SEGMENT=s.mp4\n"),
            (
                "a text from outside with a line end and an escape",
                Level::Info,
                "codec a\nfake \u{1b}[2J",
                &[],
                "info codec a\\nfake \\u{1b}[2J\n",
            ),
            ("a field from outside", Level::Info, "x", &[("TRACK", "a\r\nb")], "info x  TRACK=a\\r\\nb\n"),
        ];
        for (name, level, text, fields, expected) in cases {
            assert_eq!(
                line(level, text, fields, false),
                format!("2026-11-22T10:00:00.123Z {expected}"),
                "{name}"
            );
        }
        let coloured = line(Level::Error, "x", &[], true);
        assert_eq!(coloured, "2026-11-22T10:00:00.123Z \u{1b}[1;31merror\u{1b}[0m x\n");
    }

    #[test]
    fn levels() {
        assert_eq!(parse_level("debug"), Some(LevelFilter::Debug));
        assert_eq!(parse_level("warn"), Some(LevelFilter::Warn));
        assert_eq!(parse_level("verbose"), None);
        assert_eq!(parse_level(""), None);
    }
}
