//! What the kernel counts for a process: time, memory, calls that write. Read from `/proc`, so that measuring
//! costs the measured nothing.

use crate::LabError;
use std::collections::BTreeMap;

/// What a process has used since its start; of several processes, the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time of all threads, user and system, in the kernel's ticks.
    pub ticks: u64,
    /// Most resident memory it ever had, in bytes (`VmHWM`). In a sum, pages that processes share count for each.
    pub peak_rss: u64,
    /// Resident memory now, in bytes, where a page shared by n processes counts for an n-th in each (`Pss`).
    pub pss: u64,
    /// Calls of `write` and its like, on files, pipes and event descriptors alike (`syscw`). Data sent to sockets by
    /// `send` are not in it.
    pub write_calls: u64,
    /// Bytes handed to those calls (`wchar`).
    pub written: u64,
    /// Bytes that went, or will go, to a disk on its account (`write_bytes`).
    pub disk_bytes: u64,
    /// Threads now.
    pub threads: u64,
    /// How often its threads were put on a processor after waiting (`voluntary_ctxt_switches`), in the threads alive.
    pub wake_ups: u64,
}

impl Usage {
    /// Of all these processes.
    pub fn of(pids: &[u32]) -> Result<Usage, LabError> {
        let mut sum = Usage::default();
        for pid in pids {
            let one = Usage::of_one(*pid)?;
            sum.ticks += one.ticks;
            sum.peak_rss += one.peak_rss;
            sum.pss += one.pss;
            sum.write_calls += one.write_calls;
            sum.written += one.written;
            sum.disk_bytes += one.disk_bytes;
            sum.threads += one.threads;
            sum.wake_ups += one.wake_ups;
        }
        Ok(sum)
    }

    fn of_one(pid: u32) -> Result<Usage, LabError> {
        let base = format!("/proc/{pid}");
        let status = fields(&text(&format!("{base}/status"))?);
        let io = fields(&text(&format!("{base}/io"))?);
        let kilobytes = |table: &Fields, key: &str| number(&base, table, key).map(|value| value * 1024);
        Ok(Usage {
            ticks: ticks(&text(&format!("{base}/stat"))?).ok_or_else(|| strange(&format!("{base}/stat")))?,
            peak_rss: kilobytes(&status, "VmHWM")?,
            pss: kilobytes(&fields(&text(&format!("{base}/smaps_rollup"))?), "Pss")?,
            write_calls: number(&base, &io, "syscw")?,
            written: number(&base, &io, "wchar")?,
            disk_bytes: number(&base, &io, "write_bytes")?,
            threads: number(&base, &status, "Threads")?,
            wake_ups: wake_ups(&base)?,
        })
    }
}

/// The kernel's ticks in a second: the unit of [`Usage::ticks`].
pub fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

type Fields = BTreeMap<String, String>;

fn text(path: &str) -> Result<String, LabError> {
    std::fs::read_to_string(path).map_err(|source| LabError::Io { doing: format!("reading {path}"), source })
}

/// Lines of the form `Key:  value kB`: the first word of the value.
fn fields(text: &str) -> Fields {
    let line = |line: &str| {
        let (key, value) = line.split_once(':')?;
        Some((key.to_owned(), value.split_whitespace().next()?.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

fn number(base: &str, fields: &Fields, key: &str) -> Result<u64, LabError> {
    let found = fields.get(key).and_then(|value| value.parse().ok());
    found.ok_or_else(|| strange(&format!("{key} of {base}")))
}

fn strange(what: &str) -> LabError {
    let source = std::io::Error::from(std::io::ErrorKind::InvalidData);
    LabError::Io { doing: format!("understanding {what}"), source }
}

/// `utime` and `stime`, fields 14 and 15 of `/proc/PID/stat`; the second field, the name, may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut numbers = behind_name.split_whitespace().skip(11);
    let mut next = || numbers.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// A thread that ends between the list and the look is left out.
fn wake_ups(base: &str) -> Result<u64, LabError> {
    let folder = format!("{base}/task");
    let threads = std::fs::read_dir(&folder)
        .map_err(|source| LabError::Io { doing: format!("listing {folder}"), source })?;
    let mut sum = 0;
    for thread in threads.flatten() {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        sum += number(base, &fields(&status), "voluntary_ctxt_switches").unwrap_or(0);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn the_ticks_are_found_behind_any_name() {
        let cases = [
            ("plain", "7 (holdfast) S 1 7 7 0 -1 4194560 100 0 3 0 40 2 0 0 20 0 28 0", Some(42)),
            (
                "a name with spaces and brackets",
                "7 (a ) b (c) S 1 7 7 0 -1 4194560 100 0 3 0 5 6 0 0 20",
                Some(11),
            ),
            ("cut short", "7 (holdfast) S 1 7", None),
            ("empty", "", None),
        ];
        for (name, stat, expected) in cases {
            assert_eq!(ticks(stat), expected, "{name}");
        }
    }

    #[test]
    fn what_a_process_uses_is_seen() {
        let own = [std::process::id()];
        let before = Usage::of(&own).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        for _ in 0..100 {
            file.write_all(&[7; 4096]).unwrap();
        }
        let burnt = (0..40_000_000u64).fold(0, |sum, at| std::hint::black_box(sum ^ at));
        std::hint::black_box(burnt);
        let after = Usage::of(&own).unwrap();
        assert!(after.write_calls >= before.write_calls + 100, "{before:?} {after:?}");
        assert!(after.written >= before.written + 409_600, "{before:?} {after:?}");
        assert!(after.ticks > before.ticks, "{before:?} {after:?}");
        assert!(after.peak_rss >= 1 << 20 && after.pss > 0 && after.threads > 0, "{after:?}");
        let doubled = Usage::of(&[own[0], own[0]]).unwrap();
        assert!(doubled.write_calls >= 2 * after.write_calls, "{doubled:?} is no sum of {after:?}");
    }

    #[test]
    fn a_process_that_is_gone_is_an_error_that_names_it() {
        let error = Usage::of(&[u32::MAX]).unwrap_err().to_string();
        assert!(error.contains("/proc/4294967295/"), "{error}");
    }
}
