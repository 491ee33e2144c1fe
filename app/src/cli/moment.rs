//! Moments as a person types them: `2026-11-22T10:00:00Z`, `2026-11-22`, or `90m` for 90 minutes ago.

use crate::config::parse_duration;
use holdfast_core::time::Wall;
use std::time::Duration;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime};

/// A moment that may depend on when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// This one.
    At(Wall),
    /// So long before now.
    Ago(Duration),
}

impl Moment {
    /// The moment itself.
    pub fn resolve(self, now: Wall) -> Wall {
        match self {
            Moment::At(wall) => wall,
            Moment::Ago(duration) => now - duration,
        }
    }

    /// Reads RFC 3339 (any offset), date and time in UTC with or without seconds, a date (its midnight in
    /// UTC), or a duration before now.
    pub fn parse(text: &str) -> Result<Self, String> {
        const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
        const MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]");
        const SECOND: &[BorrowedFormatItem<'_>] =
            format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        if let Some(duration) = parse_duration(text) {
            return Ok(Moment::Ago(duration));
        }
        let joined = text.replacen(' ', "T", 1);
        let bare = joined.strip_suffix('Z').unwrap_or(&joined);
        OffsetDateTime::parse(&joined, &Rfc3339)
            .or_else(|_| PrimitiveDateTime::parse(bare, SECOND).map(PrimitiveDateTime::assume_utc))
            .or_else(|_| PrimitiveDateTime::parse(bare, MINUTE).map(PrimitiveDateTime::assume_utc))
            .or_else(|_| Date::parse(bare, DATE).map(|date| date.midnight().assume_utc()))
            .ok()
            .and_then(|time| i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000)).ok())
            .map(|micros| Moment::At(Wall::from_micros(micros)))
            .ok_or_else(|| {
                "is no moment; write 2026-11-22T10:00:00Z, 2026-11-22 (UTC), or 90m for 90 minutes ago"
                    .to_owned()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_as_people_type_them() {
        const TEN: i64 = 1_795_341_600; // 2026-11-22T10:00:00Z
        let cases = [
            ("UTC", "2026-11-22T10:00:00Z", Some(TEN)),
            ("another offset", "2026-11-22T11:00:00+01:00", Some(TEN)),
            ("no zone is UTC", "2026-11-22T10:00:00", Some(TEN)),
            ("no seconds", "2026-11-22T10:00", Some(TEN)),
            ("a space between", "2026-11-22 10:00", Some(TEN)),
            ("a date", "2026-11-22", Some(TEN - 36_000)),
            ("ago", "90m", Some(TEN + 100 - 5_400)),
            ("before 1970", "1969-12-31T23:59:59Z", Some(-1)),
            ("a day that is not", "2026-02-30", None),
            ("a word", "yesterday", None),
            ("nothing", "", None),
        ];
        for (name, text, seconds) in cases {
            let moment = Moment::parse(text).ok().map(|moment| moment.resolve(Wall::from_secs(TEN + 100)));
            assert_eq!(moment, seconds.map(Wall::from_secs), "{name}");
        }
    }

    #[test]
    fn fractions_are_kept_to_the_microsecond() {
        let moment = Moment::parse("1970-01-01T00:00:01.2345678Z");
        assert_eq!(moment, Ok(Moment::At(Wall::from_micros(1_234_567))));
    }
}
