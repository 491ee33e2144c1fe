//! What is mounted where: the kernel's table, read and watched. Facts only; nothing is mounted here.
//!
//! Words: the **table** is `/proc/self/mountinfo`, as this process sees it; a mount's **device** is what `st_dev` says of
//! the files in it. The kernel wakes whoever polls the table for `POLLPRI` at each change.

use super::source::Source;
use glib::IOCondition;
use holdfast_core::disk::Filesystem;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

const TABLE: &str = "/proc/self/mountinfo";

/// A device as the kernel numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber {
    /// Its driver; 0 for a filesystem that is on no block device (tmpfs, FUSE, Btrfs).
    pub major: u32,
    /// Which of the driver's.
    pub minor: u32,
}

impl DeviceNumber {
    /// From `st_dev` or `st_rdev`.
    pub fn of(number: u64) -> DeviceNumber {
        DeviceNumber { major: rustix::fs::major(number), minor: rustix::fs::minor(number) }
    }
    /// Whether no block device stands behind it.
    pub fn is_virtual(self) -> bool {
        self.major == 0
    }
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its number. The kernel gives the number of a mount that has gone to the next one.
    pub id: u32,
    /// The number of the mount that it lies on.
    pub parent: u32,
    /// The device of the files in it.
    pub device: DeviceNumber,
    /// Which folder of the filesystem is shown: `/`, or another for a bind mount.
    pub root: PathBuf,
    /// Where.
    pub path: PathBuf,
    /// Nothing can be written through it: the mount or the filesystem is read-only.
    pub read_only: bool,
    /// The filesystem's type: "ext4", "fuse.sshfs".
    pub filesystem: String,
    /// What was mounted, as whoever did it named it: "/dev/sdb1", "none".
    pub source: PathBuf,
}

/// All mounts, in the kernel's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountTable {
    mounts: Vec<Mount>,
}

/// Which filesystem `path` lies on, mounted there or further up; `None` if it is none that Holdfast knows. The path is taken
/// as it is written: to resolve a link could hang on a dead disk.
pub fn filesystem_of(path: &Path) -> Option<Filesystem> {
    Filesystem::named(&MountTable::read().ok()?.holding(path)?.filesystem)
}

impl MountTable {
    /// Reads the table of this process.
    pub fn read() -> io::Result<MountTable> {
        Self::read_from(&File::open(TABLE)?)
    }

    /// Reads a table. Lines that are none of mountinfo's form are passed over.
    pub fn parse(bytes: &[u8]) -> MountTable {
        MountTable { mounts: bytes.split(|byte| *byte == b'\n').filter_map(mount).collect() }
    }

    /// Every mount, those too that lie hidden under others.
    pub fn all(&self) -> &[Mount] {
        &self.mounts
    }

    /// What shows at `path`, if something is mounted just there: the topmost of the mounts that were stacked.
    pub fn at(&self, path: &Path) -> Option<&Mount> {
        let stack = || self.mounts.iter().filter(move |mount| mount.path == path);
        stack().find(|mount| stack().all(|other| other.parent != mount.id || other.id == mount.id))
    }

    /// The mount that a path lies on, found as the kernel finds it: from the root down, at each step what is mounted on the
    /// mount that was reached. So what lies hidden under another mount is never it. `path` is absolute and without links.
    pub fn holding(&self, path: &Path) -> Option<&Mount> {
        let mut reached = self.at(Path::new("/"))?;
        let mut folders: Vec<&Path> = path.ancestors().collect();
        folders.reverse();
        for folder in folders {
            let on = |below: &Mount| {
                let on =
                    |mount: &&Mount| mount.parent == below.id && mount.id != below.id && mount.path == folder;
                self.mounts.iter().find(on)
            };
            // As often as mounts were stacked; the bound is for a table that was read while it changed.
            for _ in 0..self.mounts.len() {
                let Some(next) = on(reached) else { break };
                reached = next;
            }
        }
        Some(reached)
    }

    /// What shows directly below `folder`, by name: `folder/<name>`.
    pub fn below<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = &'a Mount> {
        let inside = self.mounts.iter().filter(move |mount| mount.path.parent() == Some(folder));
        inside.filter(|mount| self.at(&mount.path).is_some_and(|top| top.id == mount.id))
    }

    fn read_from(mut file: &File) -> io::Result<MountTable> {
        // The kernel gives a whole table only to one who reads from its start.
        io::Seek::rewind(&mut file)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self::parse(&bytes))
    }
}

/// Calls `changed` from the glib loop with the whole table whenever something was mounted or unmounted, until the watch
/// is dropped. What changed before this call is in the table it returns.
pub fn watch(mut changed: impl FnMut(MountTable) + 'static) -> io::Result<(MountWatch, MountTable)> {
    let file = File::open(TABLE)?;
    let table = MountTable::read_from(&file)?;
    let source = Source::on(file, IOCondition::PRI | IOCondition::ERR, move |file| {
        match MountTable::read_from(file) {
            Ok(table) => changed(table),
            // Out of memory: the next change brings the next chance.
            Err(error) => log::warn!("{TABLE} could not be read, so what was mounted is not known: {error}"),
        }
    });
    Ok((MountWatch { _source: source }, table))
}

/// A watch of the table of mounts; it ends when this is dropped.
#[derive(Debug)]
pub struct MountWatch {
    _source: Source,
}

/// One line: `36 35 98:0 /root /path rw,noatime master:1 - ext3 /dev/root rw,errors=continue`; between the options and
/// the hyphen stands any number of fields.
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut next = || fields.next();
    let id = text(next()?)?.parse().ok()?;
    let parent = text(next()?)?.parse().ok()?;
    let (major, minor) = text(next()?)?.split_once(':')?;
    let device = DeviceNumber { major: major.parse().ok()?, minor: minor.parse().ok()? };
    let root = path(next()?);
    let at = path(next()?);
    let options = text(next()?)?;
    while next()? != b"-" {}
    let filesystem = path(next()?).to_str()?.to_owned();
    let source = path(next()?);
    let inner = next().and_then(text).unwrap_or_default();
    let read_only = [options, inner].iter().any(|list| list.split(',').any(|option| option == "ro"));
    Some(Mount { id, parent, device, root, path: at, read_only, filesystem, source })
}

fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok()
}

/// A field in which the kernel wrote blanks, tabs, line ends, hashes and backslashes as `\` and three octal digits.
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = |digits: &[u8]| {
            digits.iter().try_fold(0u32, |value, digit| Some(value * 8 + char::from(*digit).to_digit(8)?))
        };
        let escaped = (*first == b'\\').then(|| after.get(..3)).flatten().and_then(octal);
        match escaped.and_then(|value| u8::try_from(value).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &[u8] = br"21 27 0:19 / /proc rw,relatime shared:13 - proc proc rw
27 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw,errors=remount-ro
40 27 0:38 / /run rw,nosuid - tmpfs tmpfs rw,size=1g
51 40 8:17 / /run/holdfast/volumes/aa rw,nosuid,nodev,noexec,noatime shared:30 master:2 - exfat /dev/sdb1 rw,umask=077
52 40 8:33 / /run/holdfast/volumes/bb ro,nosuid - ext4 /dev/sdc1 rw
53 40 8:49 / /run/holdfast/volumes/cc rw,nosuid - ext4 /dev/sdd1 ro
54 27 8:2 /mnt/me/my\040films /media/two\011words\134here rw - ext4 /dev/sda2 rw
55 27 0:50 / /mnt/remote rw,nosuid - fuse.sshfs me@host:/a\040b rw,user_id=0
56 27 0:51 / /mnt/bare rw - tmpfs  rw
not a line of mountinfo
57 27 8:x / /broken rw - ext4 /dev/sdz rw
";

    #[test]
    fn each_field_is_read_and_what_is_no_line_is_passed_over() {
        let table = MountTable::parse(LINES);
        let ids: Vec<u32> = table.all().iter().map(|mount| mount.id).collect();
        assert_eq!(ids, [21, 27, 40, 51, 52, 53, 54, 55, 56]);
        let disk = table.at(Path::new("/run/holdfast/volumes/aa")).unwrap();
        let expected = Mount {
            id: 51,
            parent: 40,
            device: DeviceNumber { major: 8, minor: 17 },
            root: "/".into(),
            path: "/run/holdfast/volumes/aa".into(),
            read_only: false,
            filesystem: "exfat".into(),
            source: "/dev/sdb1".into(),
        };
        assert_eq!(disk, &expected);
    }

    #[test]
    fn blanks_tabs_and_backslashes_in_paths_are_read_back() {
        let table = MountTable::parse(LINES);
        let bind = table.at(Path::new("/media/two\twords\\here")).expect("the path is not what was mounted");
        assert_eq!(bind.root, Path::new("/mnt/me/my films"));
        for (told, meant) in [
            (r"\040", " "),
            (r"a\040", "a "),
            (r"\04", r"\04"),
            (r"\089", r"\089"),
            (r"\777", r"\777"),
            (r"\", r"\"),
        ] {
            assert_eq!(path(told.as_bytes()), Path::new(meant), "{told:?}");
        }
    }

    #[test]
    fn a_fuse_mount_has_no_block_device_and_keeps_its_full_name() {
        let table = MountTable::parse(LINES);
        let remote = table.at(Path::new("/mnt/remote")).unwrap();
        assert!(remote.device.is_virtual());
        assert_eq!(
            (remote.filesystem.as_str(), remote.source.as_path()),
            ("fuse.sshfs", Path::new("me@host:/a b"))
        );
    }

    #[test]
    fn a_mount_is_read_only_by_its_own_option_or_by_that_of_its_filesystem() {
        let table = MountTable::parse(LINES);
        let ours: Vec<(u32, bool)> = table
            .below(Path::new("/run/holdfast/volumes"))
            .map(|mount| (mount.id, mount.read_only))
            .collect();
        assert_eq!(ours, [(51, false), (52, true), (53, true)]);
    }

    #[test]
    fn of_stacked_mounts_the_topmost_shows_in_whatever_order_the_kernel_lists_them() {
        let lower = "60 40 8:1 / /m/x rw - ext4 /dev/sda1 rw\n";
        let upper = "59 60 8:17 / /m/x rw - ext4 /dev/sdb1 rw\n";
        for lines in [format!("{lower}{upper}"), format!("{upper}{lower}")] {
            let table = MountTable::parse(lines.as_bytes());
            assert_eq!(table.at(Path::new("/m/x")).map(|mount| mount.id), Some(59), "{lines}");
            let shown: Vec<u32> = table.below(Path::new("/m")).map(|mount| mount.id).collect();
            assert_eq!(shown, [59], "{lines}");
        }
    }

    #[test]
    fn a_path_lies_on_the_nearest_mount_above_it_that_is_not_hidden() {
        let table = MountTable::parse(
            b"1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /m/stick rw - vfat b rw\n3 2 8:3 / /m/stick/deep rw - xfs c rw\n\
              5 4 8:5 / /m/two rw - btrfs e rw\n4 1 8:4 / /m/two rw - exfat d rw\n\
              6 1 8:6 / /n/inner rw - vfat f rw\n7 1 8:7 / /n rw - xfs g rw\n",
        );
        for (path, expected) in [
            ("/m/stick", "vfat"),
            ("/m/stick/videos/cameras", "vfat"),
            ("/m/stick/deep/down", "xfs"),
            ("/m/sticky", "ext4"),
            ("/m", "ext4"),
            ("/", "ext4"),
            // Two were mounted at the same place.
            ("/m/two/videos", "btrfs"),
            // This one was mounted first, and another over the folder above it.
            ("/n/inner/videos", "xfs"),
        ] {
            assert_eq!(
                table.holding(Path::new(path)).map(|mount| &*mount.filesystem),
                Some(expected),
                "{path}"
            );
        }
    }

    #[test]
    fn only_what_lies_directly_below_a_folder_is_found_there() {
        let table = MountTable::parse(
            b"1 0 8:1 / /m rw - ext4 a rw\n2 1 8:2 / /m/a rw - ext4 b rw\n3 2 8:3 / /m/a/b rw - ext4 c rw\n4 1 8:4 / /mm rw - ext4 d rw\n",
        );
        let shown: Vec<u32> = table.below(Path::new("/m")).map(|mount| mount.id).collect();
        assert_eq!(shown, [2]);
    }

    #[test]
    fn the_table_of_this_process_has_its_root_with_the_device_that_stat_says() {
        use std::os::unix::fs::MetadataExt;
        let table = MountTable::read().unwrap();
        let root = table.at(Path::new("/")).expect("nothing is mounted at /");
        assert_eq!(root.device, DeviceNumber::of(std::fs::metadata("/").unwrap().dev()));
    }
}
