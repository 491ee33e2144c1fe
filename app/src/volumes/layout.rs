//! The one place that knows where things lie on a volume.
//!
//! ```text
//! <root>/holdfast/volume                                       the marker
//! <root>/holdfast/ledger/<YYYY-MM>                             the ledger, a file for each month
//! <root>/holdfast/ledger/checkpoint                            what the ledger comes to, so that it is read quickly
//! <root>/holdfast/protected                                    what no rule may delete
//! <root>/holdfast/reserve                                      a little space for the worst moment
//! <root>/holdfast/<camera>/<YYYY-MM-DD>/<HH-MM-SS>Z-<n>.mp4    a segment; n is its sequence number
//! ```
//!
//! Every name is UTC: no hour is written twice when summer time ends. The sequence number keeps two
//! segments apart that a clock set backwards would give the same second. Names are plain ASCII without
//! colons, so that exFAT and vfat take them.

use holdfast_wire::ids::Name;
use holdfast_wire::time::Wall;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Component, Path, PathBuf};
use time::{Date, Month as CalendarMonth, OffsetDateTime, PrimitiveDateTime, Time};

/// The last second that a four-digit year can name. A clock beyond it, or before 1970, is broken: its
/// names are pinned to these ends, and the sequence number still keeps them apart.
const LAST_SECOND: i64 = 253_402_300_799;

/// The directory that holds all that Holdfast writes.
pub fn home(root: &Path) -> PathBuf {
    root.join("holdfast")
}

/// The marker that makes a filesystem a volume.
pub fn marker(root: &Path) -> PathBuf {
    home(root).join("volume")
}

/// The directory of the ledger.
pub fn ledger(root: &Path) -> PathBuf {
    home(root).join("ledger")
}

/// The file that sums up the ledger.
pub fn checkpoint(root: &Path) -> PathBuf {
    ledger(root).join("checkpoint")
}

/// The list of protected spans.
pub fn protected(root: &Path) -> PathBuf {
    home(root).join("protected")
}

/// The file that is given up when not a byte is free.
pub fn reserve(root: &Path) -> PathBuf {
    home(root).join("reserve")
}

/// The directory of a camera's segments.
pub fn camera(root: &Path, camera: &Name) -> PathBuf {
    home(root).join(camera.as_str())
}

/// The directory of a camera's segments that start on `day`.
pub fn day(root: &Path, name: &Name, day: Day) -> PathBuf {
    camera(root, name).join(day.to_string())
}

/// The file of a segment.
pub fn segment(root: &Path, camera: &Name, start: Wall, sequence: u32) -> PathBuf {
    let at = moment(start);
    let (hour, minute, second) = at.to_hms();
    day(root, camera, Day(at.date())).join(format!("{hour:02}-{minute:02}-{second:02}Z-{sequence}.mp4"))
}

/// What the path of a segment says. The exact start and all else is in the header inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentName {
    /// Whose directory it lies in.
    pub camera: Name,
    /// Its start, whole seconds.
    pub start: Wall,
    /// Its sequence number on the volume.
    pub sequence: u32,
}

/// Reads a segment's path back, by its last three parts. `None` for all that Holdfast did not name.
pub fn parse_segment(path: &Path) -> Option<SegmentName> {
    let mut parts = path.components().rev().map(|part| match part {
        Component::Normal(text) => text.to_str(),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
    });
    let (file, day, camera) = (parts.next()??, parts.next()??, parts.next()??);
    let (clock, sequence) = file.strip_suffix(".mp4")?.split_once("Z-")?;
    let [hour, minute, second] = numbers::<3>(clock, [2, 2, 2])?;
    let byte = |value: u32| u8::try_from(value).ok();
    let time = Time::from_hms(byte(hour)?, byte(minute)?, byte(second)?).ok()?;
    let start = PrimitiveDateTime::new(Day::parse(day)?.0, time).assume_utc().unix_timestamp();
    let sequence = plain(sequence)?;
    Some(SegmentName { camera: Name::new(camera).ok()?, start: Wall::from_secs(start), sequence })
}

/// A day of UTC, written `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The day that `at` lies in.
    pub fn of(at: Wall) -> Self {
        Day(moment(at).date())
    }
    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let [year, month, day] = numbers::<3>(text, [4, 2, 2])?;
        let month = CalendarMonth::try_from(u8::try_from(month).ok()?).ok()?;
        let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?);
        date.ok().map(Day)
    }
    /// Its first moment.
    pub fn start(self) -> Wall {
        Wall::from_secs(self.0.midnight().assume_utc().unix_timestamp())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

/// A month of UTC, written `YYYY-MM`: the name of a ledger file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Month {
    year: u32,
    month: u32,
}

impl Month {
    /// The month that `at` lies in.
    pub fn of(at: Wall) -> Self {
        let date = moment(at).date();
        let year = u32::try_from(date.year()).unwrap_or_default(); // 1970 to 9999, see `moment`
        Month { year, month: u32::from(u8::from(date.month())) }
    }
    /// Reads `YYYY-MM`.
    pub fn parse(text: &str) -> Option<Self> {
        let [year, month] = numbers::<2>(text, [4, 2])?;
        (1..=12).contains(&month).then_some(Month { year, month })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

fn moment(at: Wall) -> OffsetDateTime {
    let second = at.as_micros().div_euclid(1_000_000).clamp(0, LAST_SECOND);
    OffsetDateTime::from_unix_timestamp(second).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Numbers with exactly so many digits, parted by hyphens.
fn numbers<const N: usize>(text: &str, digits: [usize; N]) -> Option<[u32; N]> {
    let mut parts = text.split('-');
    let mut found = [0; N];
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && is_digits(part))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// A number as we write it: no sign, no leading zero. A copy named `...Z-007.mp4` is not ours.
fn plain(text: &str) -> Option<u32> {
    let ours = is_digits(text) && (text == "0" || !text.starts_with('0'));
    ours.then(|| text.parse().ok()).flatten()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn the_paths_of_a_volume() {
        let root = Path::new("/media/a");
        let at = Wall::from_secs(1_700_000_000) + std::time::Duration::from_micros(999_999);
        assert_eq!(marker(root), Path::new("/media/a/holdfast/volume"));
        assert_eq!(ledger(root), Path::new("/media/a/holdfast/ledger"));
        assert_eq!(Month::of(at).to_string(), "2023-11");
        let expected = "/media/a/holdfast/entrance/2023-11-14/22-13-20Z-17.mp4";
        assert_eq!(segment(root, &name("entrance"), at, 17), Path::new(expected));
    }

    #[test]
    fn a_clock_out_of_range_still_gives_a_path() {
        let root = Path::new("/m");
        let before = segment(root, &name("c"), Wall(i64::MIN), 1);
        assert_eq!(before, Path::new("/m/holdfast/c/1970-01-01/00-00-00Z-1.mp4"));
        let beyond = segment(root, &name("c"), Wall(i64::MAX), 2);
        assert_eq!(beyond, Path::new("/m/holdfast/c/9999-12-31/23-59-59Z-2.mp4"));
    }

    #[test]
    fn what_holdfast_did_not_name_is_not_a_segment() {
        for (case, path) in [
            ("another ending", "c/2023-11-14/22-13-20Z-1.mkv"),
            ("a temporary file", "c/2023-11-14/22-13-20Z-1.mp4.tmp"),
            ("no sequence", "c/2023-11-14/22-13-20Z.mp4"),
            ("a sequence with leading zeros", "c/2023-11-14/22-13-20Z-007.mp4"),
            ("a sequence over 32 bits", "c/2023-11-14/22-13-20Z-4294967296.mp4"),
            ("a signed sequence", "c/2023-11-14/22-13-20Z-+7.mp4"),
            ("an hour that does not exist", "c/2023-11-14/24-13-20Z-1.mp4"),
            ("a day that does not exist", "c/2023-02-29/22-13-20Z-1.mp4"),
            ("a short day", "c/2023-2-9/22-13-20Z-1.mp4"),
            ("a name that no camera can have", "C/2023-11-14/22-13-20Z-1.mp4"),
            ("Holdfast's own ledger", "ledger/2023-11-14/22-13-20Z-1.mp4"),
            ("too few parts", "22-13-20Z-1.mp4"),
            ("a way back up", "../2023-11-14/22-13-20Z-1.mp4"),
        ] {
            assert_eq!(parse_segment(Path::new(path)), None, "{case}");
        }
    }

    proptest! {
        #[test]
        fn a_path_read_back_gives_camera_second_and_sequence(
            camera in "[a-km-u][a-z0-9_-]{0,31}", second in 0..LAST_SECOND, sequence: u32,
        ) {
            let path = segment(Path::new("/x"), &name(&camera), Wall::from_secs(second), sequence);
            let expected = SegmentName { camera: name(&camera), start: Wall::from_secs(second), sequence };
            prop_assert_eq!(parse_segment(&path), Some(expected));
        }

        #[test]
        fn days_and_months_sort_as_time_does(a in 0..LAST_SECOND, b in 0..LAST_SECOND) {
            let (a, b) = (Wall::from_secs(a.min(b)), Wall::from_secs(a.max(b)));
            prop_assert!(Day::of(a) <= Day::of(b) && Month::of(a) <= Month::of(b));
            prop_assert_eq!(Day::parse(&Day::of(a).to_string()), Some(Day::of(a)));
            prop_assert_eq!(Month::parse(&Month::of(a).to_string()), Some(Month::of(a)));
        }
    }
}
