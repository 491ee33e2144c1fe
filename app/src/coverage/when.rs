//! Moments as people write and read them.

use crate::volumes::layout::Day;
use holdfast_wire::time::Wall;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What is allowed, for messages.
pub const ALLOWED: &str =
    "a moment (2026-11-22T10:00:00Z), a day of UTC (2026-11-22), or how long ago (90s, 30m, 2h, 7d)";

/// Reads a moment; `now` is what "ago" counts from.
pub fn parse(text: &str, now: Wall) -> Option<Wall> {
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return i64::try_from(moment.unix_timestamp_nanos().div_euclid(1000)).ok().map(Wall);
    }
    if let Some(day) = Day::parse(text) {
        return Some(day.start());
    }
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None, // any other character
    };
    let count = text.strip_suffix(unit).filter(|count| count.bytes().all(|byte| byte.is_ascii_digit()))?;
    let count: u32 = count.parse().ok()?;
    Some(now - Duration::from_secs(u64::from(count) * seconds))
}

/// RFC 3339 in UTC with milliseconds, cut, not rounded: `2026-11-22T10:00:00.123Z`.
pub fn format(at: Wall) -> String {
    let millis = at.as_micros().div_euclid(1000);
    let second = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000));
    let (hour, minute, second) = second.unwrap_or(OffsetDateTime::UNIX_EPOCH).to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}.{:03}Z", Day::of(at), millis.rem_euclid(1000))
}

/// A length as hours, minutes, seconds and milliseconds, cut: `26:00:01.500`.
pub fn length(micros: i64) -> String {
    let millis = micros / 1000;
    let seconds = millis / 1000;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours}:{minutes:02}:{rest:02}.{:03}", millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_that_people_write() {
        let now = Wall::from_secs(1_700_000_000);
        for (text, micros) in [
            ("2023-11-14T22:13:20Z", Some(1_700_000_000_000_000)),
            ("2023-11-14T22:13:20.000001Z", Some(1_700_000_000_000_001)),
            ("2023-11-15T00:13:20+02:00", Some(1_700_000_000_000_000)),
            ("2023-11-14", Some(1_699_920_000_000_000)),
            ("90s", Some(1_699_999_910_000_000)),
            ("30m", Some(1_699_998_200_000_000)),
            ("2h", Some(1_699_992_800_000_000)),
            ("7d", Some(1_699_395_200_000_000)),
            ("", None),
            ("h", None),
            ("-2h", None),
            ("2 h", None),
            ("2w", None),
            ("99999999999d", None),
            ("2023-11-31", None),
            ("2023-11-14T22:13:20", None),
            ("gestern", None),
        ] {
            assert_eq!(parse(text, now), micros.map(Wall), "{text:?}");
        }
    }

    #[test]
    fn moments_and_lengths_are_cut_to_milliseconds() {
        assert_eq!(format(Wall(1_700_000_000_123_999)), "2023-11-14T22:13:20.123Z");
        assert_eq!(format(Wall(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(length(93_601_500_999), "26:00:01.500");
        assert_eq!(length(0), "0:00:00.000");
    }
}
