//! How much memory is wanting: the kernel's pressure stall information (PSI).
//!
//! `some avg10` is the share of the last ten seconds in which something waited for memory to be found: pages
//! reclaimed, read back, compacted. It rises before anything fails.

use super::memory::{CGROUPS, parse_own_cgroup};
use std::fs;
use std::path::Path;

/// The share of the last ten seconds in which something of this service waited for memory, in thousandths. Of the service's own
/// cgroup where it has one (version 2), else of the machine. `None` where the kernel does not account for it (`psi=0`).
pub fn permille() -> Option<u16> {
    permille_under(Path::new("/"))
}

/// As [`permille`], with `/proc` and `/sys` under another root.
fn permille_under(root: &Path) -> Option<u16> {
    let text = |path: &Path| fs::read_to_string(root.join(path)).unwrap_or_default();
    let own = parse_own_cgroup(&text(Path::new("proc/self/cgroup")));
    let own = own.map(|own| Path::new(CGROUPS).join(own).join("memory.pressure"));
    let machine = Path::new("proc/pressure/memory").to_owned();
    own.into_iter().chain([machine]).find_map(|path| parse(&text(&path)))
}

/// Thousandths of `some avg10=12.34 ...`, which is in percent, cut.
fn parse(text: &str) -> Option<u16> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let percent = some.split_ascii_whitespace().find_map(|field| field.strip_prefix("avg10="))?;
    let (whole, part) = percent.split_once('.').unwrap_or((percent, "0"));
    let tenths = part.bytes().next().filter(u8::is_ascii_digit).map(|digit| u16::from(digit - b'0'))?;
    whole.parse::<u16>().ok()?.checked_mul(10)?.checked_add(tenths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes() {
        let cases = [
            (
                "none",
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=9.99 avg60=0 avg300=0 total=0",
                Some(0),
            ),
            ("some", "some avg10=12.39 avg60=1.00 avg300=0.50 total=123456\n", Some(123)),
            ("all the time", "some avg10=100.00 avg60=99.00 avg300=80.00 total=1\n", Some(1000)),
            ("full comes first", "full avg10=1.00\nsome avg10=2.50\n", Some(25)),
            ("without a point", "some avg10=7\n", Some(70)),
            ("nothing", "", None),
            ("no number", "some avg10=x.y\n", None),
            ("beyond any share", "some avg10=9999999.00\n", None),
            ("another kind", "some total=5\n", None),
        ];
        for (name, text, expected) in cases {
            assert_eq!(parse(text), expected, "{name}");
        }
    }

    #[test]
    fn the_services_own_comes_before_the_machines() {
        let line = |percent: &str| format!("some avg10={percent} avg60=0.00 avg300=0.00 total=0\n");
        let cases = [
            ("its own", Some("0::/system.slice/holdfast.service\n"), true, Some(50)),
            (
                "a kernel that does not account by cgroup",
                Some("0::/system.slice/holdfast.service\n"),
                false,
                Some(20),
            ),
            ("version 1 cgroups", Some("4:memory:/a\n"), true, Some(20)),
            ("no cgroups", None, true, Some(20)),
        ];
        for (name, own, has_file, expected) in cases {
            let root = tempfile::tempdir().expect("a directory");
            let put = |path: &str, content: &str| {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().expect("it has one")).expect("directories");
                fs::write(path, content).expect("a file");
            };
            put("proc/pressure/memory", &line("2.00"));
            if let Some(own) = own {
                put("proc/self/cgroup", own);
            }
            if has_file {
                put("sys/fs/cgroup/system.slice/holdfast.service/memory.pressure", &line("5.00"));
            }
            assert_eq!(permille_under(root.path()), expected, "{name}");
        }
        let empty = tempfile::tempdir().expect("a directory");
        assert_eq!(permille_under(empty.path()), None, "nothing is told");
    }

    #[test]
    fn this_machine_tells_a_share_or_nothing() {
        assert!(permille().is_none_or(|permille| permille <= 1000));
    }
}
