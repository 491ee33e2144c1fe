//! A scene: virtual cameras, a volume in a folder of its own, and the recorder that lives there several times.
//!
//! Words: a **life** is the recorder from its start to its end; a **frame** here is a recorded one with the moments
//! that matter: when it was filmed (its mark) and when it is by its file.

use crate::camera::{CameraOptions, VirtualCamera};
use crate::command;
use crate::read;
use crate::recorder::{self, CameraEntry, Configuration, Output, Recorder};
use crate::report::{self, Report};
use crate::{LabError, wait_until};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Longest that anything is waited for which ought to happen in a second or two.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A recorded frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedFrame {
    /// Its number by its mark.
    pub number: u64,
    /// When it was filmed by its mark, microseconds of UTC.
    pub filmed: i64,
    /// When it is by its file, microseconds of UTC.
    pub at: i64,
    /// Which of the files it is in, counted from 0.
    pub file: usize,
}

/// See the module. Everything of it is gone when it is dropped.
#[derive(Debug)]
pub struct Scene {
    folder: TempDir,
    binary: PathBuf,
    configuration: PathBuf,
    /// The cameras, each of which can be made to fail.
    pub cameras: Vec<VirtualCamera>,
}

impl Scene {
    /// Starts the cameras and makes an empty volume.
    pub fn new(cameras: Vec<CameraOptions>, limits: &[(&'static str, &str)]) -> Result<Scene, LabError> {
        let made = tempfile::tempdir();
        let folder = made.map_err(|source| LabError::Io { doing: "making a folder".to_owned(), source })?;
        let volume = folder.path().join("volume");
        make_folder(&volume)?;
        Scene::on(folder, &volume, cameras, limits)
    }

    /// The same with a volume that is somewhere, or nowhere yet.
    pub fn on(
        folder: TempDir,
        volume: &Path,
        cameras: Vec<CameraOptions>,
        limits: &[(&'static str, &str)],
    ) -> Result<Scene, LabError> {
        Scene::configured(folder, volume, cameras, |configuration| {
            limits.iter().fold(configuration, |configured, (key, value)| configured.limit(key, value))
        })
    }

    /// The same, with more in its configuration than limits.
    pub fn configured(
        folder: TempDir,
        volume: &Path,
        cameras: Vec<CameraOptions>,
        configure: impl FnOnce(Configuration) -> Configuration,
    ) -> Result<Scene, LabError> {
        let cameras: Vec<VirtualCamera> =
            cameras.into_iter().map(VirtualCamera::start).collect::<Result<_, _>>()?;
        let entries = cameras.iter().map(CameraEntry::of).collect();
        let configuration = configure(Configuration::new(entries, volume)).write(folder.path())?;
        Ok(Scene { binary: recorder::binary()?, configuration, cameras, folder })
    }

    /// The folder that everything is in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The volume that [`Scene::new`] made.
    pub fn volume(&self) -> PathBuf {
        self.folder.path().join("volume")
    }

    /// The program under test.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Starts the recorder.
    pub fn start(&self) -> Result<Recorder, LabError> {
        Recorder::start(&self.binary, &self.configuration, Output::Kept)
    }

    /// The same, with a log that says everything.
    pub fn start_talkative(&self) -> Result<Recorder, LabError> {
        Recorder::start_with(&self.binary, &self.configuration, Output::Kept, &[("HOLDFAST_LOG", "debug")])
    }

    /// Everything that the recorder wrote in all its lives.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.configuration.with_file_name("recorder.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until the log says this behind its first `from` bytes.
    pub fn says(&self, from: usize, text: &str) -> bool {
        wait_until(PATIENCE, || self.log().get(from..).is_some_and(|log| log.contains(text)))
    }

    /// `holdfast coverage --json` of the volume.
    pub fn coverage(&self) -> Result<Report, LabError> {
        Report::ask(&self.binary, &self.volume(), &[])
    }

    /// Asks the running recorder: `holdfast ARGUMENTS --runtime DIR`. What it answers on standard output.
    ///
    /// # Errors
    /// If it refuses.
    pub fn ask(&self, arguments: &[&str]) -> Result<String, LabError> {
        // Where `Configuration::write` puts it.
        let runtime = self.folder.path().join("runtime").display().to_string();
        let arguments = [arguments, &["--runtime", &runtime]].concat();
        let said = command::said(&self.binary, &arguments)?;
        let program = || format!("holdfast {}", arguments.join(" "));
        match said.code {
            Some(0) => Ok(said.out),
            code => {
                Err(LabError::Child { program: program(), problem: format!("exit {code:?}: {}", said.err) })
            }
        }
    }

    /// Until when the running recorder says that each camera's footage is durable, microseconds of UTC, in the order of the
    /// cameras; `None` if it says that none is.
    pub fn durable_until(&self) -> Result<Vec<Option<i64>>, LabError> {
        let failed = |problem: String| LabError::Child { program: "holdfast status".to_owned(), problem };
        let status = self.ask(&["status", "--json"])?;
        let status: Value = serde_json::from_str(&status).map_err(|error| failed(error.to_string()))?;
        let told = status["cameras"].as_array().filter(|told| told.len() == self.cameras.len());
        let told = told.ok_or_else(|| failed(format!("not all cameras are in it: {status}")))?;
        Ok(told.iter().map(|camera| report::moment(&camera["durable_until"])).collect())
    }

    /// `holdfast ledger rebuild` of the volume.
    pub fn rebuild(&self) -> Result<command::Said, LabError> {
        command::said(&self.binary, &["ledger", "rebuild", &self.volume().display().to_string()])
    }

    /// Waits until coverage says that of every camera more is durable than it said in `before`, by so many seconds.
    pub fn records_on(&self, before: &Report, seconds: f64) -> bool {
        let durable = |answer: &Report, name: &str| answer.camera(name).map_or(0, |camera| camera.durable);
        wait_until(PATIENCE, || {
            self.coverage().is_ok_and(|now| {
                self.cameras.iter().all(|camera| {
                    let more = durable(&now, camera.name()) - durable(before, camera.name());
                    more as f64 / 1e6 >= seconds
                })
            })
        })
    }

    /// Waits until so many seconds of every camera are durable.
    pub fn records(&self, seconds: f64) -> bool {
        self.records_on(&Report::default(), seconds)
    }

    /// Every recorded frame of a camera, in the order of the files.
    ///
    /// # Errors
    /// If a file cannot be read to its end, or holds a frame without this camera's mark.
    pub fn frames(&self, camera: &VirtualCamera) -> Result<Vec<RecordedFrame>, LabError> {
        frames_on(&self.volume(), camera)
    }

    /// What ffprobe, ffmpeg and the lab's reader say against any file of any camera, by two at a time.
    pub fn unplayable(&self) -> Result<Vec<String>, LabError> {
        let mut files = Vec::new();
        for camera in &self.cameras {
            files.extend(read::segments(&self.volume(), camera.name())?);
        }
        let halves = files.split_at(files.len() / 2);
        let judged = std::thread::scope(|scope| {
            let other =
                scope.spawn(|| halves.0.iter().filter_map(|path| complaint(path)).collect::<Vec<_>>());
            let mut complaints: Vec<String> = halves.1.iter().filter_map(|path| complaint(path)).collect();
            complaints.extend(other.join().unwrap_or_else(|_| vec!["a judge panicked".to_owned()]));
            complaints
        });
        Ok(judged)
    }
}

/// See [`Scene::frames`].
pub fn frames_on(volume: &Path, camera: &VirtualCamera) -> Result<Vec<RecordedFrame>, LabError> {
    let mut frames = Vec::new();
    for (file, path) in read::segments(volume, camera.name())?.iter().enumerate() {
        let footage = read::read(path)?;
        let failed = |problem: String| LabError::Watch { url: path.display().to_string(), problem };
        if let Some(problem) = footage.problem {
            return Err(failed(problem));
        }
        let anchor = footage.anchor.ok_or_else(|| failed("does not say when it was recorded".to_owned()))?;
        for sample in &footage.video {
            let mark = sample.mark.filter(|mark| mark.camera == camera.tag());
            let mark = mark.ok_or_else(|| failed("a frame does not carry this camera's mark".to_owned()))?;
            let at = anchor + i64::try_from(sample.pts / 1_000).unwrap_or(i64::MAX);
            frames.push(RecordedFrame { number: mark.number, filmed: mark.wall_micros, at, file });
        }
    }
    Ok(frames)
}

/// Makes a folder that must not be there yet.
pub fn make_folder(path: &Path) -> Result<(), LabError> {
    std::fs::create_dir(path)
        .map_err(|source| LabError::Io { doing: format!("making {}", path.display()), source })
}

fn complaint(path: &Path) -> Option<String> {
    let said = read::ffprobe_ok(path).map(|_| ()).and_then(|()| read::plays(path));
    said.err().map(|error| format!("{}: {error}", path.display()))
}
