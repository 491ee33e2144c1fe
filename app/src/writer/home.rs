//! Making files and directories on a volume, by way of its own directory held open.
//!
//! Whatever is mounted over the volume's path, or under it, while a call is under way: what is made here is made on
//! the filesystem that was opened, or not at all. (That it is still the one that a person sees at the path is for
//! [`crate::volumes::Volume::check`] to find out.)

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::io::{Errno, retry_on_intr};

use super::pulse::Pulse;
use crate::volumes::{VolumeError, layout};

/// `holdfast/` on a volume, held open. Paths are given whole, as a person knows them.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    directory: File,
}

impl Home {
    /// Opens the one at `root`.
    pub fn open(root: &Path, pulse: &Pulse) -> Result<Self, VolumeError> {
        let path = layout::home(root);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = call(pulse, || rustix::fs::open(&path, flags, Mode::empty()));
        let directory = opened.map_err(|error| VolumeError::io("open", &path, error))?;
        Ok(Home { path, directory: directory.into() })
    }

    /// Makes a file for appending. Fails rather than touch one that is there already.
    pub fn create_file(&self, path: &Path, pulse: &Pulse) -> Result<File, VolumeError> {
        let flags = OFlags::WRONLY
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC;
        let made =
            call(pulse, || openat(&self.directory, self.below(path)?, flags, Mode::from_raw_mode(0o666)));
        made.map(File::from).map_err(|error| VolumeError::io("create", path, error))
    }

    /// Makes a directory; whether it was not there. One whose parent is missing is not made, and was not there.
    pub fn make_directory(&self, path: &Path, pulse: &Pulse) -> Result<bool, VolumeError> {
        let mode = Mode::from_raw_mode(0o777);
        let made = call(pulse, || match mkdirat(&self.directory, self.below(path)?, mode) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(errno),
        });
        made.map_err(|error| VolumeError::io("create", path, error))
    }

    /// Makes the directories from `holdfast/` down to `path`, and syncs the parent of each, also of those that were
    /// there: one that was made just before a fault may not be durable yet.
    pub fn make_directories(&self, path: &Path, pulse: &Pulse) -> Result<(), VolumeError> {
        if path == self.path {
            return Ok(());
        }
        let parent = path.parent().unwrap_or(&self.path);
        self.make_directories(parent, pulse)?;
        self.make_directory(path, pulse)?;
        self.sync_directory(parent, pulse)
    }

    /// Makes what was made, renamed or removed in a directory durable.
    pub fn sync_directory(&self, path: &Path, pulse: &Pulse) -> Result<(), VolumeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = call(pulse, || openat(&self.directory, self.below(path)?, flags, Mode::empty()));
        let directory = opened.map(File::from).map_err(|error| VolumeError::io("open", path, error))?;
        let synced = pulse.during(|| directory.sync_all());
        pulse.watch(|| drop(directory));
        synced.map_err(|error| VolumeError::io("sync the directory", path, error))
    }

    /// Bytes free to an ordinary user, and bytes in all.
    pub fn space(&self, pulse: &Pulse) -> io::Result<(u64, u64)> {
        let facts = call(pulse, || rustix::fs::fstatvfs(&self.directory))?;
        let bytes = |blocks: u64| blocks.saturating_mul(facts.f_frsize);
        Ok((bytes(facts.f_bavail), bytes(facts.f_blocks)))
    }

    /// The path from here. What does not lie below is not ours to make.
    fn below<'a>(&self, path: &'a Path) -> rustix::io::Result<&'a Path> {
        match path.strip_prefix(&self.path) {
            Ok(below) if below.as_os_str().is_empty() => Ok(Path::new(".")),
            Ok(below) => Ok(below),
            Err(_) => Err(Errno::INVAL),
        }
    }
}

/// A call of the system; one that a signal interrupted is made again.
fn call<T>(pulse: &Pulse, call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    pulse.during(|| retry_on_intr(call).map_err(io::Error::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::event::Fault;
    use std::fs;

    #[test]
    fn what_is_made_goes_to_the_volume_that_was_opened_and_never_to_what_took_its_place() {
        let place = tempfile::tempdir().unwrap();
        let (root, gone) = (place.path().join("disk"), place.path().join("gone"));
        let day = layout::home(&root).join("yard/2026-11-23");
        fs::create_dir_all(layout::home(&root)).unwrap();
        let pulse = Pulse::new();
        let home = Home::open(&root, &pulse).unwrap();
        fs::rename(&root, &gone).unwrap();
        fs::create_dir_all(&day).unwrap();
        home.make_directories(&day, &pulse).unwrap();
        home.create_file(&day.join("a"), &pulse).unwrap();
        home.sync_directory(&day, &pulse).unwrap();
        assert!(gone.join("holdfast/yard/2026-11-23/a").is_file());
        assert_eq!(fs::read_dir(&day).unwrap().count(), 0);
    }

    #[test]
    fn what_is_there_is_not_touched_and_what_lies_elsewhere_is_not_made() {
        let root = tempfile::tempdir().unwrap();
        let home = layout::home(root.path());
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("a"), "hers").unwrap();
        std::os::unix::fs::symlink(root.path().join("elsewhere"), home.join("link")).unwrap();
        let pulse = Pulse::new();
        let ours = Home::open(root.path(), &pulse).unwrap();
        let fault = |path: &Path| ours.create_file(path, &pulse).unwrap_err().fault;
        assert_eq!(fault(&home.join("a")), Fault::Other(Errno::EXIST.raw_os_error()));
        assert_eq!(fault(&home.join("link")), Fault::Other(Errno::EXIST.raw_os_error()));
        assert_eq!(fault(&root.path().join("b")), Fault::Other(Errno::INVAL.raw_os_error()));
        assert_eq!(fs::read_to_string(home.join("a")).unwrap(), "hers");
        assert!(!root.path().join("b").exists() && !root.path().join("elsewhere").exists());
    }

    #[test]
    fn a_directory_is_told_as_made_or_as_there() {
        let root = tempfile::tempdir().unwrap();
        let home = layout::home(root.path());
        fs::create_dir_all(&home).unwrap();
        let pulse = Pulse::new();
        let ours = Home::open(root.path(), &pulse).unwrap();
        let was_missing = |path: &str| ours.make_directory(&home.join(path), &pulse).unwrap();
        assert!(was_missing("yard/2026-11-23"), "its parent is missing");
        assert!(was_missing("yard"));
        assert!(!was_missing("yard"));
    }
}
