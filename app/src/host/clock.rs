//! The clocks of this machine, its boot, and randomness from its kernel.
//!
//! Only the shell's loop and the log read a clock; everything else is told the time.

use holdfast_core::settings::ClockKind;
use holdfast_core::time::{Mono, Now, Wall};
use holdfast_wire::ids::{BootId, Id128};
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How far apart the two clocks may be read: above what two calls take, far below what the core calls a
/// step (100 ms).
const PAIR: Duration = Duration::from_millis(1);

/// Reads the monotonic clock, for a thread that waits for disks: a moment that it was told would be old by the time it
/// is used. The machine's is [`mono`]; a simulation moves one of its own.
pub type Clock = Arc<dyn Fn() -> Mono + Send + Sync>;

/// The machine's monotonic clock, as [`now`] reads it.
pub fn mono() -> Mono {
    mono_of(clock_gettime(ClockId::Monotonic))
}

/// Both clocks, read one right after the other.
///
/// The monotonic one is `CLOCK_MONOTONIC`, which GStreamer's system clock is too: media is timed by it.
/// A thread that loses the processor between the two would see a clock that stepped: it reads again,
/// a few times on a machine so busy that it happens again.
pub fn now() -> Now {
    let mut mono = self::mono();
    let mut wall = wall_of(clock_gettime(ClockId::Realtime));
    for _ in 0..3 {
        let after = self::mono();
        if after.since(mono) < PAIR {
            break;
        }
        mono = after;
        wall = wall_of(clock_gettime(ClockId::Realtime));
    }
    Now { mono, wall }
}

/// Whether the clock follows a time source, be it timesyncd, chrony or ntpd: the kernel says so, or timesyncd does.
///
/// timesyncd's word is for where the kernel cannot be asked or forgets: it believes in a clock for nine hours after the
/// last answer of a server, and timesyncd's file stands until the machine goes down. A clock that was set right in this boot
/// drifts some seconds a day, which is nearer than one that never was.
pub fn synchronised() -> bool {
    kernel_is_synchronised() || timesyncd_was_synchronised(Path::new("/"))
}

/// Whether the kernel says that its clock follows a time source.
///
/// Judged by the largest error that the kernel believes in: it grows by 0.5 ms a second without a source and stands at 16 s
/// when there is none; all three programs lower it with each answer that they take (timesyncd to 0). The flag `STA_UNSYNC` is not
/// asked, since it is also set to keep the kernel from writing the hardware clock.
fn kernel_is_synchronised() -> bool {
    const NO_SOURCE_MICROS: i64 = 16_000_000;
    // SAFETY: `timex` is a plain structure of integers; all zero is a valid one, and mode 0 reads only.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a structure that lives and is not shared during the call.
    let answer = unsafe { libc::adjtimex(&mut state) };
    #[allow(clippy::useless_conversion)] // it is 32 bits wide on 32-bit ARM
    let error_micros = i64::from(state.maxerror);
    answer >= 0 && error_micros < NO_SOURCE_MICROS
}

/// Whether timesyncd has set the clock from a server in this boot: it touches a file then. `root` is where `/run` is.
fn timesyncd_was_synchronised(root: &Path) -> bool {
    root.join("run/systemd/timesync/synchronized").exists()
}

/// How this machine comes to its wall time. `Fetched` where timesyncd asks a server for it and no battery clock had set it
/// at the boot: then it is, until a server answers, the time of the last shutdown.
pub fn kind() -> ClockKind {
    kind_under(Path::new("/"))
}

/// As [`kind`], with `/run` and `/sys` under another root.
fn kind_under(root: &Path) -> ClockKind {
    let clocks = std::fs::read_dir(root.join("sys/class/rtc")).into_iter().flatten().flatten();
    let mut set_by = clocks.map(|clock| std::fs::read_to_string(clock.path().join("hctosys")));
    let has_battery = set_by.any(|set| set.is_ok_and(|text| text.trim() == "1"));
    match !has_battery && root.join("run/systemd/timesync").exists() {
        true => ClockKind::Fetched,
        false => ClockKind::Kept,
    }
}

/// The kernel's id of this boot.
///
/// # Errors
/// `/proc` is not mounted or holds no such id.
pub fn boot_id() -> io::Result<BootId> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let text = std::fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display())))?;
    Id128::parse(&text).ok_or_else(|| io::Error::other(format!("{} holds no id", path.display())))
}

/// 128 random bits: a session's or a volume's identity.
///
/// # Errors
/// The kernel gives no random bytes.
pub fn random_id() -> io::Result<Id128> {
    random_bytes().map(Id128)
}

/// The start of the core's random generator.
///
/// # Errors
/// The kernel gives no random bytes.
pub fn seed() -> io::Result<u64> {
    random_bytes().map(u64::from_le_bytes)
}

fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    // Up to 256 bytes come whole; the call may only be interrupted while the kernel still gathers entropy.
    let given = rustix::io::retry_on_intr(|| getrandom(&mut bytes[..], GetRandomFlags::empty()))?;
    match given == N {
        true => Ok(bytes),
        false => Err(io::Error::other("the kernel gave too few random bytes")),
    }
}

fn mono_of(time: Timespec) -> Mono {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Mono::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

fn wall_of(time: Timespec) -> Wall {
    // Nanoseconds count up from the second also before 1970, so rounding down is right for both.
    let micros = time.tv_nsec / 1_000;
    Wall::from_micros(Wall::from_secs(time.tv_sec).as_micros().saturating_add(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_machine_comes_to_its_time() {
        const TIMESYNC: &str = "run/systemd/timesync/x";
        const RTC: &str = "sys/class/rtc/rtc0/hctosys";
        type Files = &'static [(&'static str, &'static str)];
        let cases: [(&str, Files, ClockKind); 4] = [
            ("nothing is known", &[], ClockKind::Kept),
            ("a server is asked, and no battery kept it", &[(TIMESYNC, "")], ClockKind::Fetched),
            ("a battery clock set it at the boot", &[(TIMESYNC, ""), (RTC, "1\n")], ClockKind::Kept),
            ("a battery clock that did not", &[(TIMESYNC, ""), (RTC, "0\n")], ClockKind::Fetched),
        ];
        for (name, files, expected) in cases {
            let root = tempfile::tempdir().expect("a directory");
            for (path, content) in files {
                let path = root.path().join(path);
                std::fs::create_dir_all(path.parent().expect("it has one")).expect("directories");
                std::fs::write(path, content).expect("a file");
            }
            assert_eq!(kind_under(root.path()), expected, "{name}");
        }
    }

    #[test]
    fn timespecs_become_moments() {
        let at = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
        assert_eq!(mono_of(at(3, 7)), Mono::from_nanos(3_000_000_007));
        assert_eq!(wall_of(at(3, 7_999)), Wall::from_micros(3_000_007));
        assert_eq!(wall_of(at(-1, 999_999_999)), Wall::from_micros(-1), "just before 1970");
        assert_eq!(mono_of(at(-1, 0)), Mono::from_nanos(0), "the monotonic clock knows no before");
    }

    #[test]
    fn both_clocks_run_forward_and_agree_with_the_standard_library() {
        let before = std::time::SystemTime::now();
        let (first, second) = (now(), now());
        let after = std::time::SystemTime::now();
        assert!(second.mono >= first.mono);
        let micros = |time: std::time::SystemTime| {
            time.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_micros() as i64
        };
        assert!((micros(before)..=micros(after)).contains(&first.wall.as_micros()));
    }

    #[test]
    fn both_clocks_are_read_at_one_moment() {
        for _ in 0..1000 {
            let (first, second) = (now(), now());
            let mono = i64::try_from(second.mono.since(first.mono).as_micros()).expect("a moment");
            let apart = (second.wall.micros_since(first.wall) - mono).abs();
            assert!(apart < 30_000, "the clocks went apart by {apart} µs between two readings");
        }
    }

    #[test]
    fn timesyncds_file_is_looked_for() {
        let root = tempfile::tempdir().expect("a directory");
        assert!(!timesyncd_was_synchronised(root.path()));
        let folder = root.path().join("run/systemd/timesync");
        std::fs::create_dir_all(&folder).expect("directories");
        assert!(!timesyncd_was_synchronised(root.path()), "timesyncd runs, and no server has answered");
        std::fs::write(folder.join("synchronized"), "").expect("a file");
        assert!(timesyncd_was_synchronised(root.path()));
    }

    #[test]
    fn identities() {
        assert_eq!(boot_id().expect("proc is mounted"), boot_id().expect("proc is mounted"));
        assert_ne!(random_id().expect("random"), random_id().expect("random"));
        assert_ne!(seed().expect("random"), seed().expect("random"));
    }
}
