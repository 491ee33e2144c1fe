//! The contenders: how each is told to record the same cameras, and its processes while they run.

use crate::LabError;
use crate::camera::VirtualCamera;
use crate::recorder::{CameraEntry, Configuration, Transport};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a contender may take to finish its files.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// One way of recording all cameras.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contender {
    /// `holdfast run`, with its defaults.
    Holdfast,
    /// An `ffmpeg -c copy -f segment` for each camera.
    Ffmpeg,
    /// One plain `gst-launch-1.0` pipeline with a fragmented `mp4mux` for each camera.
    GstLaunch,
}

impl Contender {
    /// All, in the order of the table.
    pub const ALL: [Contender; 3] = [Contender::Holdfast, Contender::Ffmpeg, Contender::GstLaunch];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Contender::Holdfast => "holdfast",
            Contender::Ffmpeg => "ffmpeg",
            Contender::GstLaunch => "gst-launch",
        }
    }

    /// The processes to start: for Holdfast one with a configuration, which is written into `folder`.
    fn commands(
        self,
        holdfast: &Path,
        cameras: &[VirtualCamera],
        folder: &Path,
    ) -> Result<Vec<Command>, LabError> {
        match self {
            Contender::Holdfast => {
                let entry = |camera| CameraEntry { transport: Transport::Tcp, ..CameraEntry::of(camera) };
                let entries = cameras.iter().map(entry).collect();
                let volume = folder.join("volume");
                std::fs::create_dir_all(&volume).map_err(|source| LabError::Io {
                    doing: format!("making {}", volume.display()),
                    source,
                })?;
                let configuration = Configuration::new(entries, &volume).write(folder)?;
                let mut command = Command::new(holdfast);
                command.args(["run", "--view", "lines", "--config"]).arg(configuration);
                Ok(vec![command])
            }
            Contender::Ffmpeg => Ok(cameras.iter().map(|camera| ffmpeg(camera, folder)).collect()),
            Contender::GstLaunch => Ok(vec![gst_launch(cameras, folder)]),
        }
    }

    /// The signal that makes it finish its files.
    fn stop_signal(self) -> Signal {
        match self {
            Contender::Holdfast => Signal::TERM,
            Contender::Ffmpeg | Contender::GstLaunch => Signal::INT,
        }
    }

    /// Every file that it made of a camera, the oldest first.
    pub fn files(self, folder: &Path, camera: &str) -> Result<Vec<PathBuf>, LabError> {
        if self == Contender::Holdfast {
            return crate::read::segments(&folder.join("volume"), camera);
        }
        let failed = |source| LabError::Io { doing: format!("listing {}", folder.display()), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".mp4") && name.starts_with(&format!("{camera}.")) {
                files.push(entry.path());
            }
        }
        files.sort();
        Ok(files)
    }
}

fn ffmpeg(camera: &VirtualCamera, folder: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-hide_banner", "-loglevel", "warning", "-rtsp_transport", "tcp", "-i"])
        .arg(camera.url())
        .args(["-c", "copy", "-f", "segment", "-segment_time", "60", "-reset_timestamps", "1"])
        .arg(folder.join(format!("{}.%03d.mp4", camera.name())));
    command
}

fn gst_launch(cameras: &[VirtualCamera], folder: &Path) -> Command {
    let mut command = Command::new("gst-launch-1.0");
    // -e: SIGINT becomes an end of stream, so that the last fragment is written too.
    command.arg("-e");
    for camera in cameras {
        let file = folder.join(format!("{}.000.mp4", camera.name()));
        command
            .args(["rtspsrc", &format!("location={}", camera.url()), "protocols=tcp", "latency=0", "!"])
            .args(["rtph264depay", "!", "h264parse", "!"])
            .args(["mp4mux", "fragment-duration=1000", "fragment-mode=dash-or-mss", "!", "filesink"])
            .arg(format!("location={}", file.display()));
    }
    command
}

/// A contender at work. Killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    contender: Contender,
    children: Vec<Child>,
    log: PathBuf,
}

impl Running {
    /// Starts its processes; their files and what they say go into `folder`.
    pub fn start(
        contender: Contender,
        holdfast: &Path,
        cameras: &[VirtualCamera],
        folder: &Path,
    ) -> Result<Running, LabError> {
        let log = folder.join(format!("{}.log", contender.name()));
        let failed = |source| LabError::Io { doing: format!("opening {}", log.display()), source };
        let output = OpenOptions::new().create(true).append(true).open(&log).map_err(failed)?;
        let commands = contender.commands(holdfast, cameras, folder)?;
        let mut running = Running { contender, children: Vec::new(), log: log.clone() };
        for mut command in commands {
            command.stdin(Stdio::null());
            command.stdout(output.try_clone().map_err(failed)?).stderr(output.try_clone().map_err(failed)?);
            let program = command.get_program().to_string_lossy().into_owned();
            let failed = |source| LabError::Io { doing: format!("starting {program} (make setup)"), source };
            running.children.push(command.spawn().map_err(failed)?);
        }
        Ok(running)
    }

    /// Its processes.
    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    /// How one of its processes ended, if one has: it was to run on.
    pub fn ended(&mut self) -> Option<String> {
        self.children.iter_mut().find_map(|child| child.try_wait().ok().flatten()).map(|status| {
            let said = self.log();
            let last: Vec<&str> = said.lines().rev().take(3).collect();
            format!(
                "it ended by itself ({status}): {}",
                last.into_iter().rev().collect::<Vec<_>>().join(" / ")
            )
        })
    }

    /// What its processes have said.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Has it finish its files. False if it had to be killed.
    pub fn stop(mut self) -> bool {
        let signal = self.contender.stop_signal();
        self.children.iter_mut().for_each(|child| tell(child, signal));
        let mut left = self.children.len();
        crate::wait_until(STOP_DEADLINE, || {
            // An error means that there is no such child any more.
            left = self
                .children
                .iter_mut()
                .filter_map(|child| child.try_wait().ok())
                .filter(Option::is_none)
                .count();
            left == 0
        });
        left == 0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.children {
            tell(child, Signal::KILL);
            let _ = child.wait();
        }
    }
}

fn tell(child: &mut Child, signal: Signal) {
    if matches!(child.try_wait(), Ok(None))
        && let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
    {
        // It fails only if the process has just ended, which is what was wanted.
        let _ = kill_process(pid, signal);
    }
}
