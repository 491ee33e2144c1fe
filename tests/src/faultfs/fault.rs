//! What can be wrong with a disk, as data: which calls, on which files, how often, and what becomes of them.

use rustix::io::Errno;
use std::path::Path;
use std::time::Duration;

/// What a program asks of the filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Find a name in a directory: every step of every path.
    Lookup,
    /// Facts of a file or directory (stat).
    Stat,
    /// Change of mode, owner, times or length (chmod, utimensat, ftruncate).
    Change,
    /// mkdir.
    MakeDirectory,
    /// rmdir.
    RemoveDirectory,
    /// unlink.
    Remove,
    /// rename; the path is the old one.
    Rename,
    /// open for reading alone.
    Open,
    /// open of a file that exists, for writing.
    OpenToWrite,
    /// open of a file that comes into being by that.
    Create,
    /// One read.
    Read,
    /// One write or writev, up to 1,000,000 bytes; a longer one is several.
    Write,
    /// fsync or fdatasync of a file.
    Sync,
    /// fsync of a directory.
    SyncDirectory,
    /// opendir and readdir.
    List,
    /// statfs, statvfs.
    Space,
}

impl Call {
    /// All of them.
    pub const ALL: [Call; 16] = [
        Call::Lookup,
        Call::Stat,
        Call::Change,
        Call::MakeDirectory,
        Call::RemoveDirectory,
        Call::Remove,
        Call::Rename,
        Call::Open,
        Call::OpenToWrite,
        Call::Create,
        Call::Read,
        Call::Write,
        Call::Sync,
        Call::SyncDirectory,
        Call::List,
        Call::Space,
    ];

    /// What a filesystem that became read-only refuses. Not the syncs: with nothing to write they succeed.
    pub const CHANGES: [Call; 8] = [
        Call::Change,
        Call::MakeDirectory,
        Call::RemoveDirectory,
        Call::Remove,
        Call::Rename,
        Call::OpenToWrite,
        Call::Create,
        Call::Write,
    ];

    /// What asks a disk to take data.
    pub const WRITES: [Call; 4] = [Call::Create, Call::MakeDirectory, Call::Write, Call::Sync];
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing is done, and this is answered.
    Fails(Errno),
    /// It is done, so much later.
    Slow(Duration),
    /// It waits until the fault ends, and is done then.
    Hangs,
    /// statfs says this; every other call is as ever.
    ClaimsSpace { free: u64, total: u64 },
}

/// Something that is wrong with a disk. Without more it is wrong with every call.
///
/// ```
/// # use holdfast_tests::faultfs::{Call, Fault};
/// # use rustix::io::Errno;
/// let torn_cable = Fault::fails(Errno::IO);
/// let tired_disk = Fault::slow(std::time::Duration::from_secs(5)).on(&[Call::Write]);
/// let once_in_the_ledger = Fault::fails(Errno::AGAIN).on(&[Call::Sync]).where_path_has("ledger").times(1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    calls: Vec<Call>,
    path: Option<String>,
    left: Option<u32>,
    pub(super) effect: Effect,
}

impl Fault {
    /// This error is answered, and nothing is done.
    pub fn fails(errno: Errno) -> Self {
        Fault::of(Effect::Fails(errno))
    }

    /// Each call takes so much longer. One that waits when the fault ends is done then.
    pub fn slow(delay: Duration) -> Self {
        Fault::of(Effect::Slow(delay))
    }

    /// Calls do not return until the fault ends; then they are done. Whoever is in one cannot be killed meanwhile, as
    /// with a disk that is stuck.
    pub fn hangs() -> Self {
        Fault::of(Effect::Hangs)
    }

    /// The filesystem became read-only.
    pub fn read_only() -> Self {
        Fault::fails(Errno::ROFS).on(&Call::CHANGES)
    }

    /// Pulled out: the device is gone, for every call.
    pub fn pulled() -> Self {
        Fault::fails(Errno::NODEV)
    }

    /// statfs claims these bytes, whatever is true.
    pub fn claims_space(free: u64, total: u64) -> Self {
        Fault::of(Effect::ClaimsSpace { free, total }).on(&[Call::Space])
    }

    /// On these calls alone.
    pub fn on(self, calls: &[Call]) -> Self {
        Fault { calls: calls.to_vec(), ..self }
    }

    /// On files and directories alone whose path, from the root of the filesystem, holds this text.
    pub fn where_path_has(self, text: &str) -> Self {
        Fault { path: Some(text.to_owned()), ..self }
    }

    /// On the next `count` such calls alone.
    pub fn times(self, count: u32) -> Self {
        Fault { left: Some(count), ..self }
    }

    fn of(effect: Effect) -> Self {
        Fault { calls: Call::ALL.to_vec(), path: None, left: None, effect }
    }

    /// Whether it befalls this call; if so, that counts as one time.
    pub(super) fn befalls(&mut self, call: Call, path: &Path) -> bool {
        let meant = self.calls.contains(&call)
            && self.path.as_ref().is_none_or(|text| path.to_string_lossy().contains(text.as_str()));
        if !meant || self.left == Some(0) {
            return false;
        }
        self.left = self.left.map(|left| left - 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_befalls_the_calls_and_paths_that_it_names_as_often_as_it_says() {
        let ledger = Path::new("holdfast/ledger/2026-11");
        let footage = Path::new("holdfast/yard/2026-11-22/10-00-00Z-1.mp4");
        let cases = [
            ("every call", Fault::fails(Errno::IO), Call::Stat, footage, [true, true]),
            ("another call", Fault::fails(Errno::IO).on(&[Call::Write]), Call::Sync, footage, [false; 2]),
            ("a path", Fault::hangs().where_path_has("ledger"), Call::Sync, ledger, [true; 2]),
            ("another path", Fault::hangs().where_path_has("ledger"), Call::Sync, footage, [false; 2]),
            ("once", Fault::fails(Errno::AGAIN).times(1), Call::Write, footage, [true, false]),
            ("read-only: a write", Fault::read_only(), Call::Write, footage, [true; 2]),
            ("read-only: a look", Fault::read_only(), Call::Open, footage, [false; 2]),
        ];
        for (name, mut fault, call, path, expected) in cases {
            assert_eq!([fault.befalls(call, path), fault.befalls(call, path)], expected, "{name}");
        }
    }
}
