//! Why the recorder ended, told to its next start, where it could not be written to any ledger: memory ran out, or it was
//! killed.
//!
//! Words: a **note** is a file in the directory of the control socket. [`arm`] begins it with the session's id; a **word**
//! after that is a [`Cause`], and the first one counts. It is written by the process itself as memory runs out
//! ([`out_of_memory`]), or by `holdfast last-words`, which systemd runs when the service has ended (`ExecStopPost=`) and knows more of a
//! process that was killed than it could ever say. [`take`] reads it once. A note is about the session whose id
//! it carries, and is to be believed of no other.

use crate::cli::exit::Exit;
use crate::control;
use crate::host::memory::{CGROUPS, parse_own_cgroup};
use holdfast_wire::ids::{Id128, SessionId};
use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The note's name in the directory of the control socket.
const FILE: &str = "last-words";

/// Longer than any note: what is longer is none of ours.
const MOST: u64 = 4096;

/// Only who runs the recorder has to read it.
const MODE: u32 = 0o600;

/// What the last session could not write down itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastWords {
    /// Whose end it is.
    pub session: SessionId,
    /// Why it ended.
    pub cause: Cause,
}

/// Why a recorder ended that did not stop in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An allocation failed, or the kernel killed it since memory was short.
    OutOfMemory,
    /// Its loop stood still, and systemd's watchdog ended it.
    Watchdog,
    /// It did not stop in time and was killed.
    TooSlow,
    /// A signal ended it: a crash, or somebody's kill.
    Killed,
    /// It gave up by itself, with an error.
    Failed,
}

impl Cause {
    /// Every cause.
    const ALL: [Cause; 5] =
        [Cause::OutOfMemory, Cause::Watchdog, Cause::TooSlow, Cause::Killed, Cause::Failed];

    /// How it stands in the note.
    const fn word(self) -> &'static str {
        match self {
            Cause::OutOfMemory => OUT_OF_MEMORY,
            Cause::Watchdog => "watchdog",
            Cause::TooSlow => "too-slow",
            Cause::Killed => "killed",
            Cause::Failed => "failed",
        }
    }

    /// A few words for a person, to follow "the recorder".
    pub const fn text(self) -> &'static str {
        match self {
            Cause::OutOfMemory => "ran out of memory",
            Cause::Watchdog => "stood still and was ended by systemd's watchdog",
            Cause::TooSlow => "did not stop in time and was killed",
            Cause::Killed => "was killed or crashed",
            Cause::Failed => "ended with an error",
        }
    }

    /// What systemd's variables say of an end: `None` for a good one. `killed_by_kernel`: its cgroup counts a process that
    /// was killed for want of memory.
    fn of(end: &End, killed_by_kernel: bool) -> Option<Cause> {
        let out_of_memory = Exit::OutOfMemory.code().to_string();
        match (end.result.as_str(), end.status.as_str()) {
            ("success", _) => None,
            ("oom-kill", _) => Some(Cause::OutOfMemory),
            ("exit-code", status) if status == out_of_memory => Some(Cause::OutOfMemory),
            // systemd may hear of the signal before it hears why the kernel sent it.
            ("signal", "KILL") if killed_by_kernel => Some(Cause::OutOfMemory),
            ("watchdog", _) => Some(Cause::Watchdog),
            ("timeout", _) => Some(Cause::TooSlow),
            ("signal" | "core-dump", _) => Some(Cause::Killed),
            // exit-code, protocol, resources, and what a later systemd may say.
            _ => Some(Cause::Failed),
        }
    }
}

const OUT_OF_MEMORY: &str = "out-of-memory";
const OUT_OF_MEMORY_LINE: &str = "out-of-memory\n";

/// Where the note is kept by a recorder with this runtime directory.
pub fn path(runtime: &Path) -> PathBuf {
    runtime.join(control::DIRECTORY).join(FILE)
}

/// The open note of this process.
static NOTE: OnceLock<OwnedFd> = OnceLock::new();

/// Begins the note of this session, over an older one: [`take`] that first. From now on an allocation that fails leaves
/// its word there.
///
/// # Errors
/// The directory cannot be made or written to, or this process has begun a note already.
pub fn arm(path: &Path, session: SessionId) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    // A new file, so that nothing is followed and nobody else has it open.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().append(true).create_new(true).mode(MODE).open(path)?;
    // On a tmpfs this takes the page into which the word has to fit when there is none to be had.
    writeln!(file, "{session}")?;
    NOTE.set(file.into()).map_err(|_| io::ErrorKind::AlreadyExists.into())
}

/// The note of the session before, if it has a word. It is gone after that.
pub fn take(path: &Path) -> Option<LastWords> {
    let text = read(path);
    // It may not be there; if it cannot be removed, its session is another one's by the next start.
    let _ = fs::remove_file(path);
    parse(&text.ok()?)
}

/// Memory has run out: leaves the word and ends the process at once, as [`Exit::OutOfMemory`]. Allocates nothing and takes no lock,
/// so it may be called wherever an allocation failed.
pub fn out_of_memory() -> ! {
    if let Some(note) = NOTE.get() {
        write_all(note.as_fd(), OUT_OF_MEMORY_LINE.as_bytes());
    }
    write_all(
        rustix::stdio::stderr(),
        b"error: memory has run out: the recorder ends, and may be started again\n",
    );
    // SAFETY: it takes a number and does not return; nothing of this process runs after it.
    unsafe { libc::_exit(i32::from(Exit::OutOfMemory.code())) }
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) {
    while let Ok(written @ 1..) = rustix::io::retry_on_intr(|| rustix::io::write(to, bytes)) {
        bytes = bytes.get(written..).unwrap_or_default();
    }
}

/// How systemd says that a service ended (`systemd.exec(5)`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// `SERVICE_RESULT`: "success", "signal", "watchdog", "oom-kill" and others.
    pub result: String,
    /// `EXIT_STATUS`: a number, or the name of a signal.
    pub status: String,
}

impl End {
    /// As the environment says; `None` if systemd did not run this after a service.
    pub fn from_environment() -> Option<End> {
        let text = |name| env::var(name).ok();
        Some(End { result: text("SERVICE_RESULT")?, status: text("EXIT_STATUS").unwrap_or_default() })
    }
}

/// Adds what systemd says of the end to the note; after a good end the note goes, or a start that fails later would speak in
/// it. Where there is no note, no session had begun, and nothing is done.
///
/// # Errors
/// The note cannot be written or removed.
pub fn leave(path: &Path, end: &End) -> io::Result<()> {
    leave_under(Path::new("/"), path, end)
}

/// As [`leave`], with `/proc` and `/sys` under another root.
fn leave_under(root: &Path, path: &Path, end: &End) -> io::Result<()> {
    let left = match Cause::of(end, killed_by_kernel(root)) {
        None => fs::remove_file(path),
        Some(cause) => {
            OpenOptions::new().append(true).open(path).and_then(|mut note| writeln!(note, "{}", cause.word()))
        }
    };
    match left {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        left => left,
    }
}

/// Whether the kernel killed a process of this service for want of memory (`memory.events` of its cgroup).
fn killed_by_kernel(root: &Path) -> bool {
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let Some(own) = parse_own_cgroup(&text(root.join("proc/self/cgroup"))) else { return false };
    let events = text(root.join(CGROUPS).join(own).join("memory.events"));
    let killed = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
    killed.and_then(|count| count.trim().parse::<u64>().ok()).is_some_and(|count| count > 0)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MOST).read_to_string(&mut text)?;
    Ok(text)
}

fn parse(text: &str) -> Option<LastWords> {
    let mut lines = text.lines();
    let session = Id128::parse(lines.next()?)?;
    let word = lines.next()?;
    let cause = Cause::ALL.into_iter().find(|cause| cause.word() == word)?;
    Some(LastWords { session, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = Id128([7; 16]);
    const HEAD: &str = "07070707070707070707070707070707\n";

    fn end(result: &str, status: &str) -> End {
        End { result: result.to_owned(), status: status.to_owned() }
    }

    #[test]
    fn what_systemd_says_of_an_end() {
        let cases = [
            ("in good order", end("success", "0"), false, None),
            ("SIGTERM, in good order", end("success", "TERM"), true, None),
            ("the kernel was out of memory", end("oom-kill", "KILL"), false, Some(Cause::OutOfMemory)),
            (
                "the same, and systemd heard of the signal first",
                end("signal", "KILL"),
                true,
                Some(Cause::OutOfMemory),
            ),
            (
                "an allocation failed, and no word was written",
                end("exit-code", "4"),
                false,
                Some(Cause::OutOfMemory),
            ),
            ("somebody's kill", end("signal", "KILL"), false, Some(Cause::Killed)),
            (
                "a crash while another process was killed for memory",
                end("signal", "SEGV"),
                true,
                Some(Cause::Killed),
            ),
            ("a panic", end("core-dump", "ABRT"), false, Some(Cause::Killed)),
            ("the watchdog", end("watchdog", "ABRT"), false, Some(Cause::Watchdog)),
            ("it hung while it stopped", end("timeout", "KILL"), false, Some(Cause::TooSlow)),
            ("an error", end("exit-code", "1"), false, Some(Cause::Failed)),
            ("a result of a later systemd", end("something-new", ""), false, Some(Cause::Failed)),
        ];
        for (name, end, killed, expected) in cases {
            assert_eq!(Cause::of(&end, killed), expected, "{name}");
        }
    }

    #[test]
    fn notes() {
        let note = |cause| Some(LastWords { session: SESSION, cause });
        let cases = [
            ("a session and a word", "out-of-memory\n", note(Cause::OutOfMemory)),
            ("a session that said nothing", "", None),
            ("the first word counts", "out-of-memory\nfailed\n", note(Cause::OutOfMemory)),
            ("a word that nobody knows", "bored\n", None),
            ("half a word", "out-of-mem", None),
        ];
        for (name, words, expected) in cases {
            assert_eq!(parse(&format!("{HEAD}{words}")), expected, "{name}");
        }
        assert_eq!(parse("out-of-memory\n"), None, "no session");
        assert_eq!(parse(""), None, "nothing at all");
        for cause in Cause::ALL {
            assert_eq!(parse(&format!("{HEAD}{}\n", cause.word())), note(cause), "{cause:?}");
        }
        assert_eq!(OUT_OF_MEMORY_LINE.trim_end(), OUT_OF_MEMORY);
    }

    #[test]
    fn a_note_is_begun_once_added_to_by_systemd_and_taken_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = path(folder.path());
        leave(&path, &end("watchdog", "ABRT")).expect("no note is no error");
        assert_eq!(take(&path), None, "nobody had begun one");

        arm(&path, SESSION).expect("a note");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), HEAD);
        leave(&path, &end("watchdog", "ABRT")).expect("written");
        leave(&path, &end("exit-code", "2")).expect("written: a start that failed");
        assert_eq!(take(&path), Some(LastWords { session: SESSION, cause: Cause::Watchdog }));
        assert_eq!(take(&path), None, "it was taken");

        fs::write(&path, HEAD).expect("a note");
        leave(&path, &end("success", "0")).expect("removed");
        leave(&path, &end("exit-code", "2")).expect("there is none");
        assert_eq!(take(&path), None, "it ended well, and a later start that failed is none of its business");
        leave(&path, &end("success", "0")).expect("there is none");
        assert_eq!(
            arm(&path, SESSION).map_err(|error| error.kind()),
            Err(io::ErrorKind::AlreadyExists),
            "one process has one session"
        );
    }

    #[test]
    fn the_kernels_account_of_the_service_is_read() {
        let root = tempfile::tempdir().expect("a folder");
        let put = |path: &str, content: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("directories");
            fs::write(path, content).expect("a file");
        };
        assert!(!killed_by_kernel(root.path()), "nothing is told");
        put("proc/self/cgroup", "0::/system.slice/holdfast.service\n");
        put(
            "sys/fs/cgroup/system.slice/holdfast.service/memory.events",
            "low 0\nhigh 9\noom 3\noom_kill 0\n",
        );
        assert!(!killed_by_kernel(root.path()), "short, but nobody was killed");
        put(
            "sys/fs/cgroup/system.slice/holdfast.service/memory.events",
            "oom 3\noom_kill 1\noom_group_kill 0\n",
        );
        assert!(killed_by_kernel(root.path()));

        put("note", HEAD);
        let note = root.path().join("note");
        leave_under(root.path(), &note, &end("signal", "KILL")).expect("written");
        assert_eq!(take(&note), Some(LastWords { session: SESSION, cause: Cause::OutOfMemory }));
    }
}
