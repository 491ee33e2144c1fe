//! The watchdog is fed by the loop itself: a recorder whose cameras are all dead is alive, one whose loop stands still is
//! not, though all its other threads run on. The test stands in for systemd.

use holdfast_tests::recorder::{CameraEntry, Recorder, Transport};
use holdfast_tests::stage::{PATIENCE, Stage};
use holdfast_tests::wait_until;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// systemd's end of the notify socket.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    said: Vec<String>,
}

impl Manager {
    fn at(path: PathBuf) -> Manager {
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Manager { socket, path, said: Vec::new() }
    }
    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]);
            self.said.extend(text.lines().map(str::to_owned));
        }
    }
    fn count(&mut self, word: &str) -> usize {
        self.listen();
        self.said.iter().filter(|said| *said == word).count()
    }
    /// Whether so many more of these come.
    fn hears(&mut self, word: &str, more: usize) -> bool {
        let wanted = self.count(word) + more;
        wait_until(PATIENCE, || self.count(word) >= wanted)
    }
}

/// One thread that is stopped, and no other; it goes on when this is dropped. Used by the thread that made it alone: the kernel
/// wants it so.
struct Stopped(libc::pid_t);

impl Stopped {
    /// Stops the main thread of a child of ours.
    fn main_thread(recorder: &Recorder) -> io::Result<Stopped> {
        let thread = libc::pid_t::try_from(recorder.id()).map_err(io::Error::other)?;
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: of these requests neither reads nor writes memory of ours; a number names the thread.
        let done = unsafe { libc::ptrace(libc::PTRACE_SEIZE, thread, none, none) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        let stopped = Stopped(thread);
        // SAFETY: as above.
        if unsafe { libc::ptrace(libc::PTRACE_INTERRUPT, thread, none, none) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let mut status = 0;
        // SAFETY: it writes the status, which lives for the call. __WALL: whatever kind of child the thread is to us.
        if unsafe { libc::waitpid(thread, &mut status, libc::__WALL) } != thread {
            return Err(io::Error::last_os_error());
        }
        Ok(stopped)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: as above. It fails if the thread is gone, which is as good.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, none, none) };
    }
}

/// The states of all threads of a process but its main one, as in /proc: "R", "S", "t".
fn other_threads(process: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let others = tasks.filter(|task| task.file_name().to_str() != Some(&process.to_string()));
    let state = |stat: String| Some(stat.rsplit_once(')')?.1.split_ascii_whitespace().next()?.to_owned());
    others.filter_map(|task| state(std::fs::read_to_string(task.path().join("stat")).ok()?)).collect()
}

/// An address at which nobody listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn dead_cameras_do_not_stop_the_pings_and_a_dead_loop_does() {
    let stage = Stage::new().unwrap();
    let mut manager = Manager::at(stage.folder().join("notify"));
    let cameras = ["one", "two"].map(|id| CameraEntry {
        id: id.to_owned(),
        url: format!("rtsp://127.0.0.1:{}/main", closed_port()),
        login: None,
        transport: Transport::Tcp,
        audio: false,
        fallback: None,
    });
    let path = manager.path.to_str().unwrap().to_owned();
    let configuration = stage.configuration(cameras.to_vec());
    let recorder = stage.record_with(&configuration, &[("NOTIFY_SOCKET", &path)]).unwrap();

    assert!(manager.hears("READY=1", 1), "never ready; it had written:\n{}", recorder.log());
    assert!(manager.hears("WATCHDOG=1", 5), "{:?}; it had written:\n{}", manager.said, recorder.log());
    assert_eq!(manager.count("READY=1"), 1, "ready is said once: {:?}", manager.said);

    let stopped = match Stopped::main_thread(&recorder) {
        Ok(stopped) => stopped,
        // It keeps its memory from being read, so this takes CAP_SYS_PTRACE.
        Err(error) if std::env::var_os("HOLDFAST_NO_MOUNT").is_some() => {
            eprintln!("NOT TESTED: a dead loop, since HOLDFAST_NO_MOUNT is set, and: {error}");
            return;
        }
        Err(error) => {
            panic!("the main thread cannot be stopped: {error}; run it as root, or set HOLDFAST_NO_MOUNT=1")
        }
    };
    // What was said before it stopped.
    manager.listen();
    let before = manager.count("WATCHDOG=1");
    // Ten times as long as a ping takes to come. It is waited for something that must not happen.
    let silent = !wait_until(Duration::from_secs(10), || manager.count("WATCHDOG=1") > before);
    let threads = other_threads(recorder.id());
    assert!(silent, "its loop stands still, and somebody else says that it lives");
    assert!(!threads.is_empty() && threads.iter().all(|state| state != "t" && state != "T"), "{threads:?}");

    let since = Instant::now();
    drop(stopped);
    assert!(manager.hears("WATCHDOG=1", 2), "its loop goes on, and it is silent after {:?}", since.elapsed());
    assert_eq!(manager.count("STOPPING=1"), 0);
    stage.stop(recorder).unwrap();
    assert_eq!(manager.count("STOPPING=1"), 1, "{:?}", manager.said);
}
