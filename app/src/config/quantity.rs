//! Durations ("60s", "500ms") and sizes ("64MiB") as the configuration writes them.
//!
//! Always with a unit and always whole: a bare `60` leaves the reader to guess.

use std::time::Duration;

/// How a duration is to be written.
pub const DURATION_FORM: &str = "a whole number with its unit ms, s, m, h or d, as in \"60s\"";

/// How a size is to be written.
pub const SIZE_FORM: &str = "a whole number with its unit KiB, MiB or GiB, as in \"64MiB\"";

/// How the memory of the service is to be written.
pub const MEMORY_FORM: &str = "\"auto\", or a whole number with its unit KiB, MiB or GiB, as in \"512MiB\"";

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZE_UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Reads a duration. `None` if it is not in `DURATION_FORM` or longer than 2^64 ms.
pub fn parse_duration(text: &str) -> Option<Duration> {
    parse(text, &DURATION_UNITS).map(Duration::from_millis)
}

/// Reads a size in bytes. `None` if it is not in `SIZE_FORM` or larger than 2^64 bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    parse(text, &SIZE_UNITS)
}

/// How a percentage is to be written.
pub const PERCENT_FORM: &str = "a whole number with %, as in \"5%\"";

/// Reads a percentage. `None` if it is not in `PERCENT_FORM` or over 255.
pub fn parse_percent(text: &str) -> Option<u8> {
    parse(text, &[("%", 1)]).and_then(|percent| u8::try_from(percent).ok())
}

/// The percentage, as [`parse_percent`] reads it.
pub fn show_percent(percent: u8) -> String {
    format!("{percent}%")
}

/// The duration in its largest whole unit, as [`parse_duration`] reads it. Parts of a millisecond are left out.
pub fn show_duration(duration: Duration) -> String {
    show(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &DURATION_UNITS, "ms")
}

/// The size in its largest whole unit, as [`parse_size`] reads it; plain bytes if it is no whole KiB.
pub fn show_size(bytes: u64) -> String {
    show(bytes, &SIZE_UNITS, " bytes")
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn show(value: u64, units: &[(&str, u64)], smallest: &str) -> String {
    match units.iter().rev().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor)) {
        Some((name, factor)) => format!("{}{name}", value / factor),
        None => format!("{value}{smallest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        let cases = [
            ("seconds", "60s", Some(60_000)),
            ("milliseconds", "500ms", Some(500)),
            ("minutes", "10m", Some(600_000)),
            ("hours", "1h", Some(3_600_000)),
            ("one space before the unit", "1 s", Some(1_000)),
            ("no unit", "60", None),
            ("no number", "s", None),
            ("a fraction", "0.5s", None),
            ("a negative one", "-1s", None),
            ("days", "30d", Some(2_592_000_000)),
            ("an unknown unit", "1w", None),
            ("something after it", "1s!", None),
            ("too large for any clock", "18446744073709551615h", None),
            ("nothing", "", None),
        ];
        for (name, text, millis) in cases {
            assert_eq!(parse_duration(text), millis.map(Duration::from_millis), "{name}");
        }
    }

    #[test]
    fn sizes() {
        let cases = [
            ("mebibytes", "64MiB", Some(64 << 20)),
            ("kibibytes with a space", "4 KiB", Some(4096)),
            ("gibibytes", "2GiB", Some(2 << 30)),
            ("a unit of ten, which disk makers mean otherwise", "64MB", None),
            ("no unit", "64", None),
            ("too large", "99999999999GiB", None),
        ];
        for (name, text, bytes) in cases {
            assert_eq!(parse_size(text), bytes, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_back(millis in 0u64..1 << 40, kib in 1u64..1 << 30) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
            prop_assert_eq!(parse_size(&show_size(kib << 10)), Some(kib << 10));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in any::<String>()) {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
