//! What an error of the filesystem means for a volume: the one table from errno to [`Fault`].

use holdfast_wire::cause::Fault;
use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};

/// Why something on a volume could not be done.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} {}: {}", path.display(), advice(*fault, detail))]
pub struct VolumeError {
    /// What it means for the volume.
    pub fault: Fault,
    /// What was tried, to stand behind "could not": "open", "sync the directory".
    pub operation: &'static str,
    /// On which file or directory.
    pub path: PathBuf,
    /// What more there is to say, if the fault's own words do not suffice.
    pub detail: String,
    /// What the system said.
    #[source]
    pub source: Option<io::Error>,
}

impl VolumeError {
    /// An error that the system told. The fault follows from its errno.
    pub fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let fault = fault_of(&source);
        VolumeError { fault, operation, path: path.to_owned(), detail: String::new(), source: Some(source) }
    }
    /// An error that Holdfast itself found.
    pub fn found(fault: Fault, operation: &'static str, path: &Path, detail: impl Into<String>) -> Self {
        VolumeError { fault, operation, path: path.to_owned(), detail: detail.into(), source: None }
    }
}

fn advice(fault: Fault, detail: &str) -> String {
    if detail.is_empty() { fault.to_string() } else { format!("{fault}: {detail}") }
}

/// The fault that an error of the system stands for.
pub fn fault_of(error: &io::Error) -> Fault {
    let Some(errno) = Errno::from_io_error(error) else {
        return match error.kind() {
            io::ErrorKind::NotFound => Fault::Missing,
            io::ErrorKind::TimedOut => Fault::Stuck,
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Fault::Damaged,
            // The kinds without an errno come from the standard library, not from the disk.
            _ => Fault::Other(0),
        };
    };
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::NODEV | Errno::NXIO => Fault::Missing,
        Errno::NOSPC => Fault::NoSpace,
        Errno::IO => Fault::Io,
        Errno::ROFS => Fault::ReadOnly,
        Errno::ACCESS | Errno::PERM => Fault::Denied,
        Errno::AGAIN => Fault::Again,
        Errno::DQUOT => Fault::Quota,
        Errno::STALE => Fault::Stale,
        Errno::TIMEDOUT => Fault::Stuck,
        // ext4 and xfs say this of a damaged filesystem.
        Errno::UCLEAN => Fault::Damaged,
        other => Fault::Other(other.raw_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_errno_has_its_fault() {
        for (errno, fault) in [
            (2, Fault::Missing),    // ENOENT
            (20, Fault::Missing),   // ENOTDIR
            (19, Fault::Missing),   // ENODEV
            (6, Fault::Missing),    // ENXIO
            (28, Fault::NoSpace),   // ENOSPC
            (5, Fault::Io),         // EIO
            (30, Fault::ReadOnly),  // EROFS
            (13, Fault::Denied),    // EACCES
            (1, Fault::Denied),     // EPERM
            (11, Fault::Again),     // EAGAIN
            (122, Fault::Quota),    // EDQUOT
            (116, Fault::Stale),    // ESTALE
            (110, Fault::Stuck),    // ETIMEDOUT
            (117, Fault::Damaged),  // EUCLEAN
            (27, Fault::Other(27)), // EFBIG
            (24, Fault::Other(24)), // EMFILE
        ] {
            assert_eq!(fault_of(&io::Error::from_raw_os_error(errno)), fault, "errno {errno}");
        }
    }

    #[test]
    fn an_error_without_errno_is_judged_by_its_kind() {
        assert_eq!(fault_of(&io::ErrorKind::NotFound.into()), Fault::Missing);
        assert_eq!(fault_of(&io::ErrorKind::UnexpectedEof.into()), Fault::Damaged);
        assert_eq!(fault_of(&io::ErrorKind::Other.into()), Fault::Other(0));
    }

    #[test]
    fn the_message_names_operation_object_and_fault_once() {
        let error = VolumeError::io("write", Path::new("/m/x"), io::Error::from_raw_os_error(28));
        assert_eq!(error.to_string(), "could not write /m/x: full");
        let error =
            VolumeError::found(Fault::Damaged, "read", Path::new("/m/x"), "run `holdfast ledger rebuild /m`");
        let text =
            "could not read /m/x: its marker or ledger cannot be read: run `holdfast ledger rebuild /m`";
        assert_eq!(error.to_string(), text);
    }
}
