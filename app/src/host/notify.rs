//! What systemd is told of the service: that it is ready, that its loop lives, that it stops, and how it is.
//!
//! Words: the **notify socket** is the datagram socket that systemd names in `NOTIFY_SOCKET` (`sd_notify(3)`), a path, or a
//! name in the kernel's abstract namespace (`@...`). Where none is named nothing happens.
//!
//! Nothing here waits: a manager that does not read makes the loop no slower. What it did not take is told again with the
//! next [`alive`], so that it cannot miss that the service is ready.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The variable of the environment that names the socket.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// All that the recorder needs to record is set up.
pub fn ready() {
    told(Notifier::ready);
}

/// The loop goes round. systemd kills a service that does not say so for `WatchdogSec=`.
pub fn alive() {
    told(Notifier::alive);
}

/// The recorder was asked to stop, and closes everything.
pub fn stopping() {
    told(|notifier| notifier.send("STOPPING=1"));
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    // A line end would begin another assignment.
    told(|notifier| notifier.send(&format!("STATUS={}", text.replace(['\n', '\r'], " "))));
}

fn told(tell: impl FnOnce(&Notifier) -> io::Result<()>) {
    static NOTIFIER: OnceLock<Option<Notifier>> = OnceLock::new();
    static COMPLAINED: AtomicBool = AtomicBool::new(false);
    let complain = |error: io::Error| {
        // Once: the next one comes within a second and says the same.
        if !COMPLAINED.swap(true, Ordering::Relaxed) {
            log::warn!("systemd cannot be told how the recorder is ({VARIABLE}): {error}");
        }
    };
    let notifier = NOTIFIER.get_or_init(|| {
        let name = env::var_os(VARIABLE).filter(|name| !name.is_empty())?;
        Notifier::new(&name).map_err(complain).ok()
    });
    if let Some(Err(error)) = notifier.as_ref().map(tell) {
        complain(error);
    }
}

/// The way to the service manager.
#[derive(Debug)]
struct Notifier {
    socket: UnixDatagram,
    manager: SocketAddr,
    /// That it is ready was not taken yet.
    owed: AtomicBool,
}

impl Notifier {
    fn new(name: &OsStr) -> io::Result<Notifier> {
        let manager = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Notifier { socket, manager, owed: AtomicBool::new(false) })
    }

    fn ready(&self) -> io::Result<()> {
        self.owed.store(true, Ordering::Relaxed);
        self.send("READY=1")?;
        self.owed.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn alive(&self) -> io::Result<()> {
        match self.owed.load(Ordering::Relaxed) {
            true => {
                self.send("READY=1\nWATCHDOG=1")?;
                self.owed.store(false, Ordering::Relaxed);
                Ok(())
            }
            false => self.send("WATCHDOG=1"),
        }
    }

    /// Addressed anew each time: a manager that was started again has another socket under the same name.
    fn send(&self, words: &str) -> io::Result<()> {
        self.socket.send_to_addr(words.as_bytes(), &self.manager).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn said(manager: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 256];
        manager.set_nonblocking(true).expect("a socket of ours");
        let next =
            || manager.recv(&mut buffer).ok().map(|length| String::from_utf8_lossy(&buffer[..length]).into());
        std::iter::from_fn(next).collect()
    }

    fn speak(notifier: &Notifier) {
        notifier.ready().expect("taken");
        notifier.alive().expect("taken");
        notifier.send("STOPPING=1").expect("taken");
    }

    #[test]
    fn what_is_said_arrives_at_a_path_and_at_an_abstract_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let at_path = UnixDatagram::bind(&path).expect("a socket");
        speak(&Notifier::new(path.as_os_str()).expect("a notifier"));
        assert_eq!(said(&at_path), ["READY=1", "WATCHDOG=1", "STOPPING=1"], "a path");

        let name = format!("holdfast-test-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let abstracted = UnixDatagram::bind_addr(&address).expect("a socket");
        speak(&Notifier::new(OsStr::new(&format!("@{name}"))).expect("a notifier"));
        assert_eq!(said(&abstracted), ["READY=1", "WATCHDOG=1", "STOPPING=1"], "an abstract name");
    }

    #[test]
    fn a_manager_that_does_not_read_stops_nobody_and_still_hears_that_we_are_ready() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket");
        let notifier = Notifier::new(path.as_os_str()).expect("a notifier");
        // As many as the kernel queues (net.unix.max_dgram_qlen), and a few that it refuses.
        while notifier.alive().is_ok() {}
        assert_eq!(notifier.ready().map_err(|error| error.kind()), Err(io::ErrorKind::WouldBlock));
        said(&manager);
        notifier.alive().expect("there is room again");
        notifier.alive().expect("there is room again");
        assert_eq!(said(&manager), ["READY=1\nWATCHDOG=1", "WATCHDOG=1"]);
    }

    #[test]
    fn a_manager_that_is_gone_and_comes_back_is_told_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        drop(UnixDatagram::bind(&path).expect("a socket"));
        let notifier = Notifier::new(path.as_os_str()).expect("a notifier");
        assert!(notifier.alive().is_err(), "nobody is there");
        std::fs::remove_file(&path).expect("it was left behind");
        let manager = UnixDatagram::bind(&path).expect("a socket");
        notifier.alive().expect("somebody is there");
        assert_eq!(said(&manager), ["WATCHDOG=1"]);
    }

    #[test]
    fn names_that_no_socket_can_have_are_refused() {
        assert!(Notifier::new(Path::new(&format!("/{}", "x".repeat(200))).as_os_str()).is_err());
    }
}
