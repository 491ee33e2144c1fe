//! What the recorder asks of the helper: empty files below `requests/`, named `unmount-<volume id>` and `mount-<volume id>`.
//!
//! The recorder may write there and nowhere else below `/run/holdfast`; systemd starts the helper as long as the directory
//! is not empty (`holdfast-request.path`). So nothing but names is read, each is removed whatever comes of it, and
//! the answer stands in the disk's report and in the table of mounts.

use super::{Helper, mount, unmount};
use crate::volumes::VolumeError;
use crate::volumes::report::DiskReport;
use holdfast_wire::ids::{Id128, VolumeId};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Request {
    /// Unmount this volume, if nobody uses it any more.
    Unmount(VolumeId),
    /// Check the disk that this volume was on last, and mount it again.
    Mount(VolumeId),
}

impl Request {
    /// The name of its file.
    pub fn file_name(self) -> String {
        match self {
            Request::Unmount(volume) => format!("unmount-{volume}"),
            Request::Mount(volume) => format!("mount-{volume}"),
        }
    }

    /// Reads a file's name.
    pub fn parse(name: &str) -> Option<Request> {
        let id = |text: &str| Id128::parse(text).filter(|id| id.to_string() == text);
        match name.split_once('-')? {
            ("unmount", text) => id(text).map(Request::Unmount),
            ("mount", text) => id(text).map(Request::Mount),
            _ => None,
        }
    }

    /// Leaves the request below `directory`, for the helper to find.
    ///
    /// # Errors
    /// As the system says.
    pub fn leave(self, directory: &Path) -> io::Result<()> {
        fs::File::create(directory.join(self.file_name())).map(drop)
    }
}

/// Does what is asked by the files that are there, unmounting before mounting. Gives what failed.
pub fn run(helper: &Helper) -> Vec<VolumeError> {
    let directory = helper.requests();
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![VolumeError::io("list", &directory, error)],
    };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let mut failed = Vec::new();
    let mut requests = Vec::new();
    for path in paths {
        let request = path.file_name().and_then(|name| name.to_str()).and_then(Request::parse);
        // First: a request that cannot be removed would be done again for ever. A link is removed itself, not what it names.
        let removed = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
        match (removed, request) {
            (Ok(()), Some(request)) => requests.push(request),
            (Ok(()), None) => log::warn!("{} was no request and is removed", path.display()),
            (Err(error), _) => failed.push(VolumeError::io("remove the request", &path, error)),
        }
    }
    requests.sort();
    failed.extend(requests.into_iter().filter_map(|request| answer(helper, request).err()));
    failed
}

fn answer(helper: &Helper, request: Request) -> Result<(), VolumeError> {
    match request {
        Request::Unmount(volume) => {
            unmount::run(helper, &volume.to_string(), unmount::Manner::LetGo).map(drop)
        }
        Request::Mount(volume) => {
            let reports = DiskReport::all(&helper.reports());
            // Of two disks with one id the one that was mounted or unmounted is meant, not the copy that was refused.
            let on = |refused: bool| {
                let mut ones = reports.iter().filter(|report| report.volume() == Some(volume));
                ones.find(|report| report.is_refused() == refused)
            };
            match on(false).or_else(|| on(true)) {
                Some(report) => {
                    let ran = mount::run(helper, &report.disk, mount::Purpose::Plugged)?;
                    // Its report says so too; this is for the journal.
                    if let mount::Ran::Reported(told) = ran
                        && !told.text.is_empty()
                    {
                        log::warn!("{}", told.text);
                    }
                    Ok(())
                }
                None => {
                    let detail = "no disk that is there is known to carry it";
                    Err(super::wrong("mount", &helper.path_of(volume), detail))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_known_by_their_names_alone() {
        let id = Id128([0xAB; 16]);
        for request in [Request::Unmount(id), Request::Mount(id)] {
            assert_eq!(Request::parse(&request.file_name()), Some(request));
        }
        let hex = id.to_string();
        for name in [
            format!("unmount-{hex}0"),
            format!("unmount-{}", &hex[1..]),
            format!("unmount-{}", hex.to_uppercase()),
            format!("unmount-{}-{}", &hex[..16], &hex[16..]),
            format!("remove-{hex}"),
            format!("unmount-../{hex}"),
            "unmount-".to_owned(),
            hex.clone(),
        ] {
            assert_eq!(Request::parse(&name), None, "{name}");
        }
    }
}
