//! Moments, lengths and sizes as people read them: in the log, in reports, in JSON.

use holdfast_wire::time::Wall;
use time::OffsetDateTime;
use time::macros::format_description;

/// RFC 3339 in UTC with milliseconds, cut, not rounded: `2026-11-22T10:00:00.123Z`. Plain seconds since
/// 1970 where a clock is beyond any calendar.
pub fn moment(at: Wall) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_micros()) * 1_000)
        .ok()
        .and_then(|time| time.format(&format).ok())
        .unwrap_or_else(|| format!("@{}", at.as_micros() / 1_000_000))
}

/// A length as hours, minutes, seconds and milliseconds, cut: `26:00:01.500`.
pub fn length(micros: i64) -> String {
    let millis = micros / 1000;
    let seconds = millis / 1000;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours}:{minutes:02}:{rest:02}.{:03}", millis % 1000)
}

/// Bytes in the largest unit that leaves a whole number before the point: `1.5 KiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_lengths_are_cut_to_milliseconds() {
        assert_eq!(moment(Wall(1_700_000_000_123_999)), "2023-11-14T22:13:20.123Z");
        assert_eq!(moment(Wall(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(length(93_601_500_999), "26:00:01.500");
        assert_eq!(length(0), "0:00:00.000");
    }

    #[test]
    fn times_beyond_the_calendar_are_still_shown() {
        assert_eq!(moment(Wall::from_micros(i64::MAX)), "@9223372036854");
    }
}
