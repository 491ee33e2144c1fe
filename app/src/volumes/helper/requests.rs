//! What is asked of the helper: empty files below `requests/`. The recorder leaves `unmount-<volume id>` and
//! `mount-<volume id>`; udev's rule makes `look-<kernel name>` for a disk that changed while it was plugged in.
//!
//! The recorder may write there and nowhere else below `/run/holdfast`; systemd starts the helper as long as the directory
//! is not empty (`holdfast-request.path`). So nothing but names is read, and the answer stands in the disk's report and in the
//! table of mounts.
//!
//! Each request is answered beside the others: a disk whose check takes minutes makes no eject of another one late. Only what
//! is about one volume is done one after the other.
//!
//! A request is **taken** while it is being answered: its file is renamed, so that the same request can be left again
//! meanwhile, and removed with the answer. What a run that was killed had taken is found by the next one and done **again**,
//! once: what ends its helper twice (no memory for a check) is not tried for ever.

use super::{Helper, mount, unmount};
use crate::volumes::VolumeError;
use crate::volumes::report::{Check, DiskReport, Outcome};
use holdfast_wire::ids::{Id128, VolumeId};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often the directory is looked at while a request is being answered. A person who ejects a disk does not notice it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Most unmounts, and most mounts, at one time: twice the volumes that a device can have. Whoever asks for more waits.
const MOST_AT_ONCE: usize = 16;

/// Most bytes of a kernel name: its own limit is 31.
const MAX_NAME: usize = 31;

const TAKEN: &str = "taken-";
const AGAIN: &str = "again-";

/// A request of the recorder.
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

/// What a file asks for. In this order: what is unmounted first may be mounted anew.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Of(Request),
    /// Look at this disk: its content changed, says udev.
    Look(String),
}

impl Asked {
    fn parse(name: &str) -> Option<Asked> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        match name.strip_prefix("look-") {
            Some(disk) if disk.is_empty() || disk.len() > MAX_NAME || !disk.chars().all(is_plain) => None,
            Some(disk) => Some(Asked::Look(disk.to_owned())),
            None => Request::parse(name).map(Asked::Of),
        }
    }

    fn is_unmount(&self) -> bool {
        matches!(self, Asked::Of(Request::Unmount(_)))
    }

    /// Whether the two must not be done at once.
    fn is_about_the_same_as(&self, other: &Asked) -> bool {
        match (self, other) {
            (Asked::Of(one), Asked::Of(other)) => {
                let (Request::Unmount(one) | Request::Mount(one)) = one;
                let (Request::Unmount(other) | Request::Mount(other)) = other;
                one == other
            }
            // A disk has a lock of its own; but two looks would each wait for it.
            (Asked::Look(one), Asked::Look(other)) => one == other,
            (Asked::Of(_), Asked::Look(_)) | (Asked::Look(_), Asked::Of(_)) => false,
        }
    }
}

/// A request with its file.
struct Open {
    asked: Asked,
    path: PathBuf,
}

/// A request that is being answered.
struct Running {
    open: Open,
    answer: JoinHandle<Result<(), VolumeError>>,
}

/// Does what is asked by the files that are there and by those that come meanwhile. Says what fails, each when it does; how
/// many did.
pub fn run(helper: &Helper) -> usize {
    let directory = helper.requests();
    let mut failed = 0;
    let mut say = |outcome: Result<(), VolumeError>| {
        if let Err(error) = outcome {
            failed += 1;
            log::error!("{}", super::words::sentence(&error));
        }
    };
    // Another run's requests are its own.
    let _lock = match helper.lock("requests") {
        Ok(lock) => lock,
        Err(error) => {
            say(Err(error));
            return failed;
        }
    };
    let mut left = left_by_another_run(&directory);
    let mut running: Vec<Running> = Vec::new();
    loop {
        let mut waiting = std::mem::take(&mut left);
        match fresh(&directory) {
            Ok(found) => waiting.extend(found),
            Err(error) => say(Err(error)),
        }
        waiting.sort_by(|one, other| one.asked.cmp(&other.asked));
        for open in waiting {
            let is_unmount = open.asked.is_unmount();
            let busy = running.iter().filter(|other| other.open.asked.is_unmount() == is_unmount).count();
            let is_again = is_again(&open.path);
            let in_the_way = |other: &Running| other.open.asked.is_about_the_same_as(&open.asked);
            if busy >= MOST_AT_ONCE || running.iter().any(in_the_way) {
                // The others are found in the directory the next time.
                left.extend(is_again.then_some(open));
                continue;
            }
            let taken = if is_again { Ok(open) } else { take(open, TAKEN) };
            match taken.and_then(|open| start(helper, open)) {
                Ok(started) => running.push(started),
                Err(error) => say(Err(error)),
            }
        }
        let (ended, others) = running.into_iter().partition(|one: &Running| one.answer.is_finished());
        running = others;
        let ended: Vec<Running> = ended;
        if ended.is_empty() && running.is_empty() && left.is_empty() {
            return failed;
        }
        for Running { open, answer } in ended {
            // Whatever came of it: a request that stays would be done again for ever.
            say(remove(&open.path));
            match answer.join() {
                Ok(outcome) => say(outcome),
                Err(_) => say(Err(super::wrong("answer", &open.path, "the helper has an error of its own"))),
            }
        }
        if !running.is_empty() {
            // Two things are waited for, an answer and a request, and std knows no wait for both.
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// The requests that nobody has taken yet. What is no request is removed.
fn fresh(directory: &Path) -> Result<Vec<Open>, VolumeError> {
    let mut found = Vec::new();
    for (name, path) in entries(directory)? {
        if name.starts_with(TAKEN) || name.starts_with(AGAIN) {
            continue;
        }
        match Asked::parse(&name) {
            Some(asked) => found.push(Open { asked, path }),
            None => {
                log::warn!("{} was no request and is removed", path.display());
                remove(&path)?;
            }
        }
    }
    Ok(found)
}

/// What a run that was killed had taken: to be done once again, with its file renamed so that there is no third time.
fn left_by_another_run(directory: &Path) -> Vec<Open> {
    let mut left = Vec::new();
    for (name, path) in entries(directory).unwrap_or_default() {
        let taken = name.strip_prefix(TAKEN).and_then(Asked::parse);
        let outcome = match taken {
            Some(asked) => take(Open { asked, path }, AGAIN).map(|open| left.push(open)),
            None if name.starts_with(TAKEN) => remove(&path),
            None if name.starts_with(AGAIN) => {
                log::error!(
                    "{} ended the helper twice and is given up; what became of the disk is in the journal of the kernel",
                    path.display()
                );
                remove(&path)
            }
            None => Ok(()),
        };
        if let Err(error) = outcome {
            log::error!("{}", super::words::sentence(&error));
        }
    }
    left
}

fn entries(directory: &Path) -> Result<Vec<(String, PathBuf)>, VolumeError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(VolumeError::io("list", directory, error)),
    };
    let named =
        entries.flatten().map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    Ok(named.collect())
}

fn is_again(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(AGAIN))
}

/// Renames its file. A link is renamed itself, not what it names.
fn take(open: Open, prefix: &str) -> Result<Open, VolumeError> {
    let Open { asked, path } = open;
    let name = match &asked {
        Asked::Of(request) => request.file_name(),
        Asked::Look(disk) => format!("look-{disk}"),
    };
    let to = path.with_file_name(format!("{prefix}{name}"));
    fs::rename(&path, &to).map_err(|error| VolumeError::io("take the request", &path, error))?;
    Ok(Open { asked, path: to })
}

/// A link is removed itself, not what it names. udev's rule makes directories: mkdir follows no link that waits for root there.
fn remove(path: &Path) -> Result<(), VolumeError> {
    let removed = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
    removed.map_err(|error| VolumeError::io("remove the request", path, error))
}

fn start(helper: &Helper, open: Open) -> Result<Running, VolumeError> {
    let (helper, asked) = (helper.anew()?, open.asked.clone());
    let spawned = thread::Builder::new().spawn(move || answer(&helper, &asked));
    let answer = spawned.map_err(|error| VolumeError::io("start to answer", &open.path, error))?;
    Ok(Running { open, answer })
}

fn answer(helper: &Helper, asked: &Asked) -> Result<(), VolumeError> {
    match asked {
        Asked::Of(Request::Unmount(volume)) => {
            unmount::run(helper, &volume.to_string(), unmount::Manner::LetGo).map(drop)
        }
        Asked::Of(Request::Mount(volume)) => match disk_of(DiskReport::all(&helper.reports()), *volume) {
            Some(disk) => {
                tell(&mount::run(helper, &disk, mount::Purpose::Plugged)?);
                Ok(())
            }
            None => {
                let detail = "no disk that is there is known to carry it";
                Err(super::wrong("mount", &helper.path_of(*volume), detail))
            }
        },
        Asked::Look(disk) => {
            mount::look_again(helper, disk)?.iter().for_each(tell);
            Ok(())
        }
    }
}

/// The disk that a volume is on. Of two with one id the one that was in use is meant, not the copy that was refused.
fn disk_of(reports: Vec<DiskReport>, volume: VolumeId) -> Option<String> {
    let ones = reports.into_iter().filter(|report| report.volume() == Some(volume));
    let best = ones.min_by_key(|report| match report.outcome {
        Outcome::Mounted { .. } | Outcome::Unmounted { .. } => 0,
        Outcome::Failed { .. } => 1,
        Outcome::Refused { .. } | Outcome::LeftAlone { .. } => 2,
    });
    best.map(|report| report.disk)
}

/// Its report says so too; this is for the journal.
fn tell(ran: &mount::Ran) {
    let report = match ran {
        mount::Ran::PassedOver(text) => return log::debug!("{text}"),
        mount::Ran::Reported(report) if report.text.is_empty() => return,
        mount::Ran::Reported(report) => report,
    };
    let level = match report.outcome {
        Outcome::Mounted { .. } if report.check == Some(Check::Mended) => log::Level::Warn,
        Outcome::Mounted { .. } | Outcome::Unmounted { .. } | Outcome::LeftAlone { .. } => log::Level::Info,
        Outcome::Refused { .. } | Outcome::Failed { .. } => log::Level::Error,
    };
    log::log!(level, "{}", report.text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_known_by_their_names_alone() {
        let id = Id128([0xAB; 16]);
        for request in [Request::Unmount(id), Request::Mount(id)] {
            assert_eq!(Asked::parse(&request.file_name()), Some(Asked::Of(request)));
        }
        for disk in ["sdb1", "mmcblk0p1", "dm-0"] {
            assert_eq!(Asked::parse(&format!("look-{disk}")), Some(Asked::Look(disk.to_owned())));
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
            "look-".to_owned(),
            "look-..".to_owned(),
            "look-sdb1.json".to_owned(),
            format!("look-{}", "a".repeat(32)),
        ] {
            assert_eq!(Asked::parse(&name), None, "{name}");
        }
    }

    #[test]
    fn what_a_killed_run_had_taken_is_done_once_again_and_not_for_ever() {
        let place = tempfile::tempdir().unwrap();
        let names = || {
            let mut names: Vec<String> =
                entries(place.path()).unwrap().into_iter().map(|(name, _)| name).collect();
            names.sort();
            names
        };
        let volume = Id128([1; 16]);
        Request::Mount(volume).leave(place.path()).unwrap();
        fs::create_dir(place.path().join("look-sdb1")).unwrap();
        fs::write(place.path().join("nonsense"), "").unwrap();
        let mut found = fresh(place.path()).unwrap();
        found.sort_by(|one, other| one.asked.cmp(&other.asked));
        let asked: Vec<&Asked> = found.iter().map(|open| &open.asked).collect();
        assert_eq!(asked, [&Asked::Of(Request::Mount(volume)), &Asked::Look("sdb1".to_owned())]);
        for open in found {
            take(open, TAKEN).unwrap();
        }
        assert!(fresh(place.path()).unwrap().is_empty(), "it is being answered");
        // The same is asked again meanwhile.
        fs::create_dir(place.path().join("look-sdb1")).unwrap();
        assert_eq!(fresh(place.path()).unwrap().len(), 1);

        assert_eq!(left_by_another_run(place.path()).len(), 2);
        assert_eq!(
            names(),
            ["again-look-sdb1".to_owned(), format!("again-mount-{volume}"), "look-sdb1".to_owned()]
        );
        assert!(left_by_another_run(place.path()).is_empty(), "a third time");
        assert_eq!(names(), ["look-sdb1"]);
    }

    #[test]
    fn only_what_is_about_one_volume_waits_for_each_other_and_unmounts_are_first() {
        let (one, other) = (Id128([1; 16]), Id128([2; 16]));
        let of = Asked::Of;
        let look = |disk: &str| Asked::Look(disk.to_owned());
        for (first, second, waits) in [
            (of(Request::Mount(one)), of(Request::Unmount(one)), true),
            (of(Request::Mount(one)), of(Request::Unmount(other)), false),
            (look("sdb1"), look("sdb1"), true),
            (look("sdb1"), look("sdc1"), false),
            (look("sdb1"), of(Request::Unmount(one)), false),
        ] {
            assert_eq!(first.is_about_the_same_as(&second), waits, "{first:?}, {second:?}");
            assert_eq!(second.is_about_the_same_as(&first), waits, "{second:?}, {first:?}");
        }
        let mut all = [look("sda"), of(Request::Mount(one)), of(Request::Unmount(other))];
        all.sort();
        assert!(all[0].is_unmount());
    }
}
