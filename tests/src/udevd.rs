//! The real systemd-udevd for a test's own world (see [`crate::loops::world`]), and a stand-in for systemd that starts what
//! its events ask for.
//!
//! udevd runs with Debian's rules for block devices and those of the test, and looks only into loop devices whose images
//! lie in the world's folder. Its database is that of the world's own `/run/udev`, its events reach the world's own
//! network alone. systemd itself cannot run here: it does on the emulated board.

use crate::loops::run;
use crate::{LabError, lock, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where Debian keeps udevd and its rules.
const DAEMON: &str = "/lib/systemd/systemd-udevd";
const RULES: &str = "/usr/lib/udev/rules.d";

/// Of Debian's rules, those that look into block devices and those that say what is no device yet.
const STANDARD: [&str; 3] = ["60-block.rules", "60-persistent-storage.rules", "99-systemd.rules"];

const PATIENCE: Duration = Duration::from_secs(30);

/// How often a directory is looked at, where systemd has inotify.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running udevd, killed when it is dropped.
#[derive(Debug)]
pub struct Udevd {
    child: Child,
    log: PathBuf,
}

impl Udevd {
    /// Starts it with these rules beside the standard ones: name of a rules file, and its text. `folder` is the world's.
    ///
    /// # Errors
    /// If it is not installed (package udev), or does not come up.
    pub fn start(folder: &Path, rules: &[(&str, &str)]) -> Result<Udevd, LabError> {
        let log = folder.join("udevd.log");
        let make = |chosen: &Path| -> std::io::Result<()> {
            fs::create_dir_all(chosen)?;
            for name in STANDARD {
                fs::copy(Path::new(RULES).join(name), chosen.join(name))?;
            }
            // Other tests' disks are not to be opened by us: it would keep them busy.
            let ours = format!(
                "SUBSYSTEM==\"block\", ATTRS{{loop/backing_file}}!=\"{}/*\", \
                 ENV{{UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG}}=\"1\"\n",
                folder.display()
            );
            fs::write(chosen.join("00-world.rules"), ours)?;
            rules.iter().try_for_each(|(name, text)| fs::write(chosen.join(name), text))
        };
        let chosen = PathBuf::from("/run/holdfast-rules");
        make(&chosen).map_err(|source| LabError::Io {
            doing: format!("choosing from the rules in {RULES}"),
            source,
        })?;
        run("mount", ["--bind".as_ref(), chosen.as_os_str(), RULES.as_ref()])?;
        let child = fs::File::create(&log).and_then(|file| {
            let errors = file.try_clone()?;
            Command::new(DAEMON).arg("--debug").stdin(Stdio::null()).stdout(file).stderr(errors).spawn()
        });
        let child = child
            .map_err(|source| LabError::Io { doing: format!("starting {DAEMON} (make setup)"), source })?;
        let udevd = Udevd { child, log };
        // It answers once it listens to the kernel; what came before is told by nobody.
        if wait_until(PATIENCE, || run("udevadm", ["control", "--ping"]).is_ok()) {
            return Ok(udevd);
        }
        Err(LabError::Child {
            program: DAEMON.to_owned(),
            problem: format!("does not come up:\n{}", udevd.log()),
        })
    }

    /// Waits until all events that the kernel told before this call have been worked off.
    pub fn settle(&self) -> Result<(), LabError> {
        run("udevadm", ["settle".to_owned(), format!("--timeout={}", PATIENCE.as_secs())])
    }

    /// What it said: every rule that it applied.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Udevd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the stand-in for systemd does for the unit of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Its ExecStart: the device came.
    Start,
    /// Its ExecStop: the device, to which it is bound, is gone.
    Stop,
}

/// A stand-in for systemd: of each device with the tag `systemd`, the templates that its `SYSTEMD_WANTS` names are
/// started once when it comes, and stopped when it goes. A unit that failed to start is not started again for a
/// change of its device, just as with systemd.
#[derive(Debug)]
pub struct Systemd {
    monitor: Child,
    reader: Option<JoinHandle<()>>,
    done: Arc<Mutex<Vec<String>>>,
}

impl Systemd {
    /// Starts it. `command` gives for a unit's template ("holdfast-volume@"), its instance (the device's kernel name) and a job the
    /// command to run, or `None` for units that do not matter.
    pub fn start(
        command: impl Fn(&str, &str, Job) -> Option<Command> + Send + 'static,
    ) -> Result<Systemd, LabError> {
        let failed =
            |source| LabError::Io { doing: "starting udevadm monitor (make setup)".to_owned(), source };
        let mut monitor = Command::new("udevadm")
            .args(["monitor", "--udev", "--property", "--subsystem-match=block"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut output = BufReader::new(monitor.stdout.take().expect("it was piped just now"));
        // Its first words come once it listens.
        let mut greeting = String::new();
        while !greeting.contains("UDEV - ") {
            if output.read_line(&mut greeting).map_err(failed)? == 0 {
                return Err(LabError::Child { program: "udevadm monitor".to_owned(), problem: greeting });
            }
        }
        let done = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&done);
        let reader = std::thread::spawn(move || serve(output, &command, &log));
        Ok(Systemd { monitor, reader: Some(reader), done })
    }

    /// What it has run, in order: "start holdfast-volume@sdb1: exit status: 0".
    pub fn done(&self) -> Vec<String> {
        lock(&self.done).clone()
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// A stand-in for a path unit of systemd with `DirectoryNotEmpty=`: runs a command as long as something lies in a directory,
/// until this is dropped.
#[derive(Debug)]
pub struct PathUnit {
    ends: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl PathUnit {
    /// Starts it.
    pub fn start(directory: &Path, command: impl Fn() -> Command + Send + 'static) -> PathUnit {
        let ends = Arc::new(AtomicBool::new(false));
        let (ended, directory) = (Arc::clone(&ends), directory.to_owned());
        let watcher = std::thread::spawn(move || {
            let something = || fs::read_dir(&directory).is_ok_and(|mut entries| entries.next().is_some());
            while !ended.load(Ordering::Relaxed) {
                if something() {
                    // What it has to say stands in the disk's report.
                    let _ = command().stdin(Stdio::null()).stdout(Stdio::null()).status();
                } else {
                    std::thread::sleep(LOOK_EVERY);
                }
            }
        });
        PathUnit { ends, watcher: Some(watcher) }
    }
}

impl Drop for PathUnit {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

fn serve(output: impl Read, command: &dyn Fn(&str, &str, Job) -> Option<Command>, log: &Mutex<Vec<String>>) {
    let run = |template: &str, instance: &str, job: Job| {
        let Some(mut command) = command(template, instance, job) else { return };
        let word = match job {
            Job::Start => "start",
            Job::Stop => "stop",
        };
        let ended = match command.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => output.status.to_string(),
            Ok(output) => format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()),
            Err(error) => error.to_string(),
        };
        lock(log).push(format!("{word} {template}{instance}: {ended}"));
    };
    let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
    let mut event: Vec<String> = Vec::new();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if !line.is_empty() {
            event.push(line);
            continue;
        }
        let event = std::mem::take(&mut event);
        let told = |key: &str| event.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let Some(name) = told("DEVPATH").and_then(|path| path.rsplit('/').next()) else { continue };
        let tagged = told("CURRENT_TAGS").is_some_and(|tags| tags.split(':').any(|tag| tag == "systemd"));
        let there = told("ACTION") != Some("remove") && told("SYSTEMD_READY") != Some("0") && tagged;
        if there {
            for unit in told("SYSTEMD_WANTS").unwrap_or_default().split_whitespace() {
                let Some((template, instance)) = unit.trim_end_matches(".service").split_once('@') else {
                    continue;
                };
                let unit = (format!("{template}@"), instance.to_owned());
                if wanted.insert(unit.clone()) {
                    run(&unit.0, &unit.1, Job::Start);
                }
            }
        } else {
            let (gone, left) = wanted.into_iter().partition(|(_, instance)| instance == name);
            wanted = left;
            let gone: BTreeSet<(String, String)> = gone;
            gone.iter().for_each(|(template, instance)| run(template, instance, Job::Stop));
        }
    }
}
