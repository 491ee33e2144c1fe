//! The program under test, as a child process: configured, started, stopped, killed, asked what it covers.
//!
//! Passwords go into a secrets file that only the owner may read; the command line has a path alone.

use crate::LabError;
use crate::camera::{Auth, VirtualCamera};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

pub use crate::binary::binary;

/// Which transport the recorder is told to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// It chooses.
    #[default]
    Auto,
    /// Interleaved in the RTSP connection.
    Tcp,
    /// UDP, unicast.
    Udp,
}

impl Transport {
    fn word(self) -> &'static str {
        match self {
            Transport::Auto => "auto",
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }
}

/// One camera of a configuration.
#[derive(Clone, Debug)]
pub struct CameraEntry {
    /// Its id.
    pub id: String,
    /// Its URL, without user and password.
    pub url: String,
    /// User and password; they go to the secrets file.
    pub login: Option<(String, String)>,
    /// How to reach it.
    pub transport: Transport,
    /// Whether its sound is to be recorded.
    pub audio: bool,
    /// URL of its second stream, if it has one.
    pub fallback: Option<String>,
}

impl CameraEntry {
    /// The entry that fits a virtual camera.
    pub fn of(camera: &VirtualCamera) -> Self {
        let login = match camera.auth() {
            Auth::None => None,
            Auth::Basic { user, password } | Auth::Digest { user, password } => {
                Some((user.clone(), password.clone()))
            }
        };
        CameraEntry {
            id: camera.name().to_owned(),
            url: camera.url(),
            login,
            transport: Transport::Auto,
            audio: true,
            fallback: camera.sub().map(VirtualCamera::url),
        }
    }

    /// The same, by way of another address: a proxy's.
    pub fn by_way_of(self, url: &str) -> Self {
        CameraEntry { url: url.to_owned(), ..self }
    }
}

/// A recorder's configuration. Times and sizes are as its file takes them: `"60s"`, `"64MiB"`.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The device's name.
    pub device: String,
    /// Its cameras.
    pub cameras: Vec<CameraEntry>,
    /// Folders, the preferred one first. Must exist. None: disks are found.
    pub volumes: Vec<PathBuf>,
    /// Keys of `[limits]` with their values; what is not named keeps its default.
    pub limits: Vec<(&'static str, String)>,
    /// The same of `[retention]`.
    pub retention: Vec<(&'static str, String)>,
}

impl Configuration {
    /// These cameras on this volume, all limits at their defaults.
    pub fn new(cameras: Vec<CameraEntry>, volume: &Path) -> Self {
        Configuration {
            device: "lab".to_owned(),
            cameras,
            volumes: vec![volume.to_owned()],
            limits: Vec::new(),
            retention: Vec::new(),
        }
    }

    /// With this key of `[limits]`.
    pub fn limit(mut self, key: &'static str, value: &str) -> Self {
        self.limits.push((key, value.to_owned()));
        self
    }

    /// With this key of `[retention]`.
    pub fn retention(mut self, key: &'static str, value: &str) -> Self {
        self.retention.push((key, value.to_owned()));
        self
    }

    /// Writes `holdfast.toml`, and `secrets.toml` where a camera needs one, into `folder`. The path of the first.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, LabError> {
        let path = folder.join("holdfast.toml");
        let secrets = folder.join("secrets.toml");
        let passwords = self.secrets();
        if !passwords.is_empty() {
            write_file(&secrets, &passwords, 0o600)?;
        }
        let runtime = folder.join("runtime");
        let made = fs::create_dir_all(&runtime);
        made.map_err(|source| LabError::Io { doing: format!("making {}", runtime.display()), source })?;
        let text = self.toml(&runtime, (!passwords.is_empty()).then_some(&secrets));
        write_file(&path, &text, 0o644)?;
        Ok(path)
    }

    fn toml(&self, runtime: &Path, secrets: Option<&PathBuf>) -> String {
        let mut text = format!("[device]\nname = {}\n", quoted(&self.device));
        for camera in &self.cameras {
            text.push_str("\n[[camera]]\n");
            put(&mut text, "id", &quoted(&camera.id));
            put(&mut text, "url", &quoted(&camera.url));
            if camera.login.is_some() {
                put(&mut text, "credentials", &quoted(&camera.id));
            }
            put(&mut text, "transport", &quoted(camera.transport.word()));
            put(&mut text, "audio", &camera.audio.to_string());
            if let Some(fallback) = &camera.fallback {
                put(&mut text, "fallback", &quoted(fallback));
            }
        }
        for volume in &self.volumes {
            text.push_str("\n[[volume]]\n");
            put(&mut text, "directory", &quoted(&volume.display().to_string()));
        }
        text.push_str("\n[storage]\n");
        put(&mut text, "runtime", &quoted(&runtime.display().to_string()));
        for (section, keys) in [("limits", &self.limits), ("retention", &self.retention)] {
            if !keys.is_empty() {
                text.push_str(&format!("\n[{section}]\n"));
                keys.iter().for_each(|(key, value)| put(&mut text, key, &quoted(value)));
            }
        }
        if let Some(secrets) = secrets {
            text.push_str("\n[secrets]\n");
            put(&mut text, "file", &quoted(&secrets.display().to_string()));
        }
        text
    }

    fn secrets(&self) -> String {
        let mut text = String::new();
        for camera in &self.cameras {
            if let Some((user, password)) = &camera.login {
                text.push_str(&format!("[{}]\n", camera.id));
                put(&mut text, "user", &quoted(user));
                put(&mut text, "password", &quoted(password));
            }
        }
        text
    }
}

/// What becomes of the recorder's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Kept in a file, to be read with [`Recorder::log`].
    Kept,
    /// Goes where this program's own goes, so that a live view shows.
    Inherited,
}

/// A running recorder. Killed when it is dropped.
#[derive(Debug)]
pub struct Recorder {
    child: Child,
    log: Option<PathBuf>,
}

impl Recorder {
    /// Starts `holdfast run --config FILE`. Kept output goes to `recorder.log` beside the configuration and is
    /// added to what an earlier run left there.
    pub fn start(binary: &Path, configuration: &Path, output: Output) -> Result<Recorder, LabError> {
        Recorder::start_with(binary, configuration, output, &[])
    }

    /// The same, with these variables in its environment.
    pub fn start_with(
        binary: &Path,
        configuration: &Path,
        output: Output,
        environment: &[(&str, &str)],
    ) -> Result<Recorder, LabError> {
        let mut command = Command::new(binary);
        command.envs(environment.iter().copied());
        Recorder::spawn(command, configuration, output)
    }

    /// The same as an ordinary user, who is in no group but the one of this number. `home`: a directory of that user.
    pub fn start_as(
        user: u32,
        home: &Path,
        binary: &Path,
        configuration: &Path,
    ) -> Result<Recorder, LabError> {
        let mut command = Command::new(binary);
        command.uid(user).gid(user).env("HOME", home).env("XDG_CACHE_HOME", home);
        Recorder::spawn(command, configuration, Output::Kept)
    }

    fn spawn(mut command: Command, configuration: &Path, output: Output) -> Result<Recorder, LabError> {
        command.arg("run").arg("--config").arg(configuration).stdin(Stdio::null());
        let log = match output {
            Output::Inherited => None,
            Output::Kept => {
                let path = configuration.with_file_name("recorder.log");
                let opened = OpenOptions::new().create(true).append(true).open(&path);
                let failed = |source| LabError::Io { doing: format!("opening {}", path.display()), source };
                let file = opened.map_err(failed)?;
                command.stdout(file.try_clone().map_err(failed)?).stderr(file);
                Some(path)
            }
        };
        let program = command.get_program().to_owned();
        let failed =
            |source| LabError::Io { doing: format!("starting {}", Path::new(&program).display()), source };
        let child = command.spawn().map_err(failed)?;
        Ok(Recorder { child, log })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far, over all runs with this configuration.
    pub fn log(&self) -> String {
        self.log
            .as_deref()
            .map(|path| std::fs::read(path).unwrap_or_default())
            .map_or_else(String::new, |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        // An error means that there is no such child any more: it was waited for already.
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to stop (SIGTERM), without waiting.
    pub fn ask_to_stop(&mut self) {
        self.signal(Signal::TERM);
    }

    /// SIGTERM, then waits. How it ended.
    ///
    /// # Errors
    /// If it does not end within `deadline`: it is killed then, and its output is in the error.
    pub fn stop(mut self, deadline: Duration) -> Result<ExitStatus, LabError> {
        self.ask_to_stop();
        self.wait(deadline)
    }

    /// Waits until it ends. How it did.
    ///
    /// # Errors
    /// If it does not end within `deadline`: it is killed then, and its output is in the error.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus, LabError> {
        let mut status = None;
        crate::wait_until(deadline, || {
            status = self.ended();
            status.is_some()
        });
        status.ok_or_else(|| LabError::Child {
            program: "holdfast".to_owned(),
            problem: format!("did not end within {deadline:?}; it had written:\n{}", self.log()),
        })
    }

    /// SIGKILL: no chance to finish anything, as in a crash.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        // Killed for certain; only the process table has to be tidied.
        let _ = self.child.wait();
    }

    fn signal(&mut self, signal: Signal) {
        if self.ended().is_none()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            // It fails only if the process has just ended, which is what was wanted.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

fn put(text: &mut String, key: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{key} = {value}");
}

/// A TOML basic string. JSON's escapes are a subset of TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn write_file(path: &Path, text: &str, mode: u32) -> Result<(), LabError> {
    let failed = |source| LabError::Io { doing: format!("writing {}", path.display()), source };
    // The mode counts only at creation: an old file may be readable by others.
    if path.exists() {
        std::fs::remove_file(path).map_err(failed)?;
    }
    let mut file: File =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn entry(login: Option<(&str, &str)>) -> CameraEntry {
        CameraEntry {
            id: "entrance".to_owned(),
            url: "rtsp://127.0.0.1:8554/main".to_owned(),
            login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
            transport: Transport::Tcp,
            audio: true,
            fallback: None,
        }
    }

    #[test]
    fn the_configuration_has_all_but_the_password_which_only_its_owner_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let configuration =
            Configuration::new(vec![entry(Some(("admin", "se\"cret\\")))], Path::new("/media/disk"));
        let configuration = configuration.limit("segment", "10s").retention("keep", "2d");
        let path = configuration.write(folder.path()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let secrets = folder.path().join("secrets.toml");
        let expected = format!(
            "[device]\nname = \"lab\"\n\n[[camera]]\nid = \"entrance\"\nurl = \"rtsp://127.0.0.1:8554/main\"\n\
             credentials = \"entrance\"\ntransport = \"tcp\"\naudio = true\n\n[[volume]]\ndirectory = \"/media/disk\"\n\n\
             [storage]\nruntime = \"{}\"\n\n[limits]\nsegment = \"10s\"\n\n[retention]\nkeep = \"2d\"\n\n\
             [secrets]\nfile = \"{}\"\n",
            folder.path().join("runtime").display(),
            secrets.display()
        );
        assert_eq!(text, expected);
        let kept = std::fs::read_to_string(&secrets).unwrap();
        assert_eq!(kept, "[entrance]\nuser = \"admin\"\npassword = \"se\\\"cret\\\\\"\n");
        assert_eq!(std::fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn no_secrets_file_is_made_where_no_camera_needs_one() {
        let folder = tempfile::tempdir().unwrap();
        let path =
            Configuration::new(vec![entry(None)], Path::new("/media/disk")).write(folder.path()).unwrap();
        assert!(!std::fs::read_to_string(path).unwrap().contains("secrets"));
        assert!(!folder.path().join("secrets.toml").exists());
    }

    /// A stand-in for the recorder: a shell script that is called as it would be.
    fn script(folder: &Path, body: &str) -> PathBuf {
        let path = folder.join("stand-in");
        write_file(&path, &format!("#!/bin/sh\n{body}\n"), 0o755).unwrap();
        path
    }

    #[test]
    fn a_recorder_is_started_with_its_configuration_asked_to_stop_and_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(
            folder.path(),
            "trap 'echo stopping >&2; exit 3' TERM; echo \"$@\"; while :; do sleep 0.05; done",
        );
        let recorder = Recorder::start(&program, &folder.path().join("holdfast.toml"), Output::Kept).unwrap();
        let expected = format!("run --config {}\n", folder.path().join("holdfast.toml").display());
        assert!(
            crate::wait_until(Duration::from_secs(10), || recorder.log() == expected),
            "{}",
            recorder.log()
        );
        assert_eq!(recorder.stop(Duration::from_secs(10)).unwrap().code(), Some(3));
        assert_eq!(
            std::fs::read_to_string(folder.path().join("recorder.log")).unwrap(),
            format!("{expected}stopping\n")
        );
    }

    #[test]
    fn a_recorder_that_will_not_stop_is_an_error_with_its_output_and_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path(), "trap 'echo no' TERM; echo ready; while :; do sleep 0.05; done");
        let mut recorder =
            Recorder::start(&program, &folder.path().join("holdfast.toml"), Output::Kept).unwrap();
        assert!(crate::wait_until(Duration::from_secs(10), || recorder.log() == "ready\n"));
        recorder.ask_to_stop();
        assert!(crate::wait_until(Duration::from_secs(10), || recorder.log().contains("no")));
        let error = recorder.wait(Duration::from_millis(100)).unwrap_err().to_string();
        assert!(error.contains("did not end") && error.contains("no"), "{error}");
        let id = recorder.id();
        drop(recorder);
        assert!(!Path::new(&format!("/proc/{id}")).exists(), "it lives on");
    }
}
