//! The memory given to this service, and what of it the rings may hold.
//!
//! Words: a **cgroup** is the kernel's account of a service (version 2, as systemd sets it up); its limits
//! hold for everything below it, so the least of the whole chain up to the root counts.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// What part of its memory the service gives to the rings, in percent. The rest is for the program, for
/// GStreamer's own buffers and for the page cache that the kernel books to the service while it writes.
pub const RING_PERCENT: u64 = 40;

/// What is assumed where the system tells nothing, in bytes: the smallest board that is supported.
pub const FALLBACK_MEMORY: u64 = 512 << 20;

/// Where the hierarchy of cgroups is mounted, below the root.
pub(super) const CGROUPS: &str = "sys/fs/cgroup";

/// How much the rings may hold, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingPlan {
    /// All rings together: never more than [`RING_PERCENT`] of the memory.
    pub total: u64,
    /// Each camera's ring.
    pub per_camera: u64,
}

impl RingPlan {
    /// Shares the rings' part of `memory` bytes evenly among `cameras`, none above `ring_bytes`.
    pub fn new(memory: u64, cameras: usize, ring_bytes: u64) -> Self {
        let rings = memory / 100 * RING_PERCENT;
        let cameras = (cameras as u64).max(1);
        let per_camera = (rings / cameras).min(ring_bytes);
        RingPlan { total: per_camera.saturating_mul(cameras), per_camera }
    }
}

/// Bytes of memory given to this service: the least of the machine's memory and what the cgroups that it
/// is in allow (`memory.max`, and `memory.high`, above which the kernel slows it down).
pub fn given_to_service() -> u64 {
    given_under(Path::new("/"))
}

/// As [`given_to_service`], with `/proc` and `/sys` under another root.
fn given_under(root: &Path) -> u64 {
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let machine = parse_meminfo(&text(root.join("proc/meminfo")));
    let own = parse_own_cgroup(&text(root.join("proc/self/cgroup")));
    let cgroups = root.join(CGROUPS);
    let limits = own.iter().flat_map(|own| own.ancestors()).flat_map(|group| {
        ["memory.max", "memory.high"].map(|name| parse_limit(&text(cgroups.join(group).join(name))))
    });
    limits.flatten().chain(machine).min().unwrap_or(FALLBACK_MEMORY)
}

/// `MemTotal` in bytes.
fn parse_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The service's own cgroup, relative to the root of the hierarchy: the line `0::/...` of version 2. A
/// path with `..` lies outside of what a container can see, and is not followed.
pub(super) fn parse_own_cgroup(text: &str) -> Option<PathBuf> {
    let path = Path::new(text.lines().find_map(|line| line.strip_prefix("0::/"))?);
    path.components().all(|part| matches!(part, Component::Normal(_))).then(|| path.to_owned())
}

/// A limit in bytes; `max` is none.
fn parse_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn shares_of_the_rings() {
        let cases = [
            ("plenty: the ring's own bound", 8192 * MIB, 6, 64 * MIB, (384 * MIB, 64 * MIB)),
            ("scarce: an even share of 40 %", 100 * MIB, 4, 64 * MIB, (41_943_040, 10_485_760)),
            ("no camera: as for one", 100 * MIB, 0, 64 * MIB, (41_943_040, 41_943_040)),
            ("no memory", 0, 4, 64 * MIB, (0, 0)),
            ("all there is", u64::MAX, 32, u64::MAX, (7_378_697_629_483_820_640, 230_584_300_921_369_395)),
        ];
        for (name, memory, cameras, ring_bytes, (total, per_camera)) in cases {
            let plan = RingPlan::new(memory, cameras, ring_bytes);
            assert_eq!(plan, RingPlan { total, per_camera }, "{name}");
            assert!(plan.total <= memory / 100 * RING_PERCENT, "{name}: the cap holds");
        }
    }

    /// A system as files: (path, content).
    type Files = &'static [(&'static str, &'static str)];

    #[test]
    fn the_least_limit_counts() {
        const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        1048576 kB\nMemFree: 5 kB\n");
        const OWN: (&str, &str) = ("proc/self/cgroup", "0::/system.slice/holdfast.service\n");
        const SERVICE: &str = "sys/fs/cgroup/system.slice/holdfast.service/memory.max";
        let cases: [(&str, Files, u64); 9] = [
            ("no limit: the machine's memory", &[MEMINFO, OWN, (SERVICE, "max\n")], 1024 * MIB),
            ("the service's own limit", &[MEMINFO, OWN, (SERVICE, "268435456\n")], 256 * MIB),
            (
                "a tighter limit of the slice above",
                &[
                    MEMINFO,
                    OWN,
                    (SERVICE, "268435456\n"),
                    ("sys/fs/cgroup/system.slice/memory.max", "134217728\n"),
                ],
                128 * MIB,
            ),
            (
                "memory.high is lower",
                &[
                    MEMINFO,
                    OWN,
                    (SERVICE, "268435456\n"),
                    ("sys/fs/cgroup/system.slice/holdfast.service/memory.high", "67108864\n"),
                ],
                64 * MIB,
            ),
            ("a limit above the machine's memory", &[MEMINFO, OWN, (SERVICE, "9999999999999\n")], 1024 * MIB),
            (
                "a container: its cgroup is the root",
                &[MEMINFO, ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "268435456\n")],
                256 * MIB,
            ),
            ("version 1 cgroups", &[MEMINFO, ("proc/self/cgroup", "4:memory:/a\n")], 1024 * MIB),
            (
                "a cgroup outside of what can be seen",
                &[MEMINFO, ("proc/self/cgroup", "0::/../x\n"), ("sys/fs/x/memory.max", "1\n")],
                1024 * MIB,
            ),
            ("nothing is told", &[], FALLBACK_MEMORY),
        ];
        for (name, files, expected) in cases {
            let root = tempfile::tempdir().expect("a directory");
            for (path, content) in files {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().expect("it has one")).expect("directories");
                fs::write(path, content).expect("a file");
            }
            assert_eq!(given_under(root.path()), expected, "{name}");
        }
    }

    #[test]
    fn this_machine_tells_something_plausible() {
        let given = given_to_service();
        assert!((16 * MIB..1 << 50).contains(&given), "{given} bytes");
    }
}
