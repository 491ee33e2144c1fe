//! Spans and moments of a story, as they are written and shown.

use core::time::Duration;
use holdfast_core::time::Wall;

/// A second, in microseconds.
pub const SECOND: i64 = 1_000_000;

const DAY: i64 = 86_400;

/// "10s", "1.5s", "500ms", "2m", "1h", "1:30", "1:02:03".
pub fn duration(text: &str) -> Option<Duration> {
    if text.contains(':') {
        let parts: Option<Vec<f64>> = text.split(':').map(number).collect();
        let secs = match parts?.as_slice() {
            [minutes, seconds] if *seconds < 60.0 => minutes * 60.0 + seconds,
            [hours, minutes, seconds] if *minutes < 60.0 && *seconds < 60.0 => {
                (hours * 60.0 + minutes) * 60.0 + seconds
            }
            _ => return None,
        };
        return Some(Duration::from_secs_f64(secs));
    }
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (amount, unit) = text.split_at(unit);
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number(amount)? * factor))
}

/// A number without sign, of a size that makes sense for time.
fn number(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|number| plain && *number < 1e7)
}

/// "+2h", "-90s" in microseconds.
pub fn step(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    Some(sign * i64::try_from(duration(rest)?.as_micros()).ok()?)
}

/// A moment of a story: "12.0", "1:30.0", "1:02:03.0".
pub fn moment(since: Duration) -> String {
    let tenths = (since.as_millis() + 50) / 100;
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}.{tenth}"),
        (0, _) => format!("{minutes}:{rest:02}.{tenth}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}.{tenth}"),
    }
}

/// A length of time: "12.3 s", "5:00.0".
pub fn length(micros: i64) -> String {
    let text = moment(Duration::from_micros(micros.max(0).unsigned_abs()));
    if text.contains(':') { text } else { format!("{text} s") }
}

/// A wall time to a tenth, with its date where that is not `today`.
pub fn wall(at: Wall, today: Wall) -> String {
    let tenths = (at.0 + SECOND / 20).div_euclid(SECOND / 10);
    let (seconds, tenth) = (tenths.div_euclid(10), tenths.rem_euclid(10));
    let (day, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let clock = format!("{:02}:{:02}:{:02}.{tenth}", second / 3600, second / 60 % 60, second % 60);
    if day == today.0.div_euclid(SECOND * DAY) { clock } else { format!("{} {clock}", date(day)) }
}

/// "2026-10-25 00:59:30", in UTC.
pub fn calendar(day: &str, clock: &str) -> Option<Wall> {
    let parts: Vec<i64> = day.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [year, month @ 1..=12, date @ 1..=31] = parts[..] else { return None };
    // Days since 1970-01-01 by the Gregorian rule, years beginning in March.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let days =
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + date - 1 - 719_468;
    let since = duration(clock)?;
    Some(Wall::from_secs(days * DAY) + since)
}

fn date(day: i64) -> String {
    let days = day + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{}-{month:02}-{date:02}", era * 400 + year_of_era + later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_and_shown() {
        for text in ["1970-01-01 00:00:00.0", "2026-10-25 00:59:30.5", "2028-02-29 23:59:59.9"] {
            let (day, clock) = text.split_once(' ').expect("a date");
            assert_eq!(wall(calendar(day, clock).expect("a date"), Wall(i64::MAX)), text);
        }
    }

    #[test]
    fn spans_are_read() {
        for (text, millis) in [("10s", 10_000), ("1.5s", 1500), ("1:30", 90_000), ("1:00:00", 3_600_000)] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["10", "s", "-5s", "1:99", "1e3s", "5 s", ""] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
