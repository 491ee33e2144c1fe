//! A stage: a folder of its own with a volume, a configuration and the recorder's log, and what end-to-end tests
//! ask of them.

use crate::camera::VirtualCamera;
use crate::read::{self, Footage};
use crate::recorder::{self, CameraEntry, Configuration, Output, Recorder};
use crate::report::Report;
use crate::{LabError, verify, wait_until, wall_micros};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How long the recorder may take to finish after SIGTERM, on a machine that builds something beside it.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// How long anything on a stage may take that takes a second on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub struct Stage {
    folder: TempDir,
    binary: PathBuf,
}

impl Stage {
    /// An empty volume, and the recorder that stands in the build's folder.
    pub fn new() -> Result<Stage, LabError> {
        let binary = recorder::binary()?;
        let failed = |source| LabError::Io { doing: "making a folder for a stage".to_owned(), source };
        let folder = tempfile::Builder::new().prefix("holdfast-stage-").tempdir().map_err(failed)?;
        let mut stage = Stage { folder, binary };
        stage.keep_if_asked();
        std::fs::create_dir(stage.volume()).map_err(failed)?;
        Ok(stage)
    }

    /// Leaves its folder on the disk, for a person to look at, where `HOLDFAST_KEEP_STAGE` is set.
    fn keep_if_asked(&mut self) {
        if std::env::var_os("HOLDFAST_KEEP_STAGE").is_some() {
            self.folder.disable_cleanup(true);
        }
    }

    /// Where configuration, secrets and log lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the footage goes.
    pub fn volume(&self) -> PathBuf {
        self.folder.path().join("volume")
    }

    /// The program under test.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// A configuration of these cameras with files of 10 s, the shortest.
    pub fn configuration(&self, cameras: Vec<CameraEntry>) -> Configuration {
        Configuration::new(cameras, &self.volume()).limit("segment", "10s")
    }

    /// Starts the recorder; its output is kept.
    pub fn record(&self, configuration: &Configuration) -> Result<Recorder, LabError> {
        self.record_with(configuration, &[])
    }

    /// The same, with these variables in its environment.
    pub fn record_with(
        &self,
        configuration: &Configuration,
        environment: &[(&str, &str)],
    ) -> Result<Recorder, LabError> {
        let path = configuration.write(self.folder())?;
        Recorder::start_with(&self.binary, &path, Output::Kept, environment)
    }

    /// Stops the recorder in good order. The moment just before, in microseconds of UTC.
    ///
    /// # Errors
    /// If it does not end in time, or not well.
    pub fn stop(&self, mut recorder: Recorder) -> Result<i64, LabError> {
        let stop = wall_micros();
        recorder.ask_to_stop();
        let status = recorder.wait(STOP_DEADLINE)?;
        if status.success() {
            return Ok(stop);
        }
        let problem = format!("ended with {status}; it had written:\n{}", recorder.log());
        Err(LabError::Child { program: "holdfast".to_owned(), problem })
    }

    /// What the volume says of itself.
    pub fn report(&self) -> Result<Report, LabError> {
        Report::ask(&self.binary, &self.volume(), &[])
    }

    /// A camera's files with what they hold, oldest first.
    pub fn footage(&self, camera: &str) -> Result<Vec<(PathBuf, Footage)>, LabError> {
        let files = read::segments(&self.volume(), camera)?;
        files.into_iter().map(|path| read::read(&path).map(|footage| (path, footage))).collect()
    }

    /// Whether every frame that was sent until `stop` is there, and every file plays and says whose it is. One
    /// sentence for each thing that is wrong.
    pub fn judge(&self, camera: &VirtualCamera, stop: i64) -> Result<Vec<String>, LabError> {
        let mut findings = verify::camera_against_volume(camera, &self.volume(), stop)?.findings;
        let volume = self.report()?.volume;
        for path in read::segments(&self.volume(), camera.name())? {
            findings.extend(read::plays(&path).err().map(|error| format!("{}: {error}", path.display())));
            match read::ffprobe_ok(&path) {
                Ok(probe) => {
                    let tags = &probe["format"]["tags"];
                    let says =
                        |tag: &str, what: &str| tags[tag].as_str().is_some_and(|text| text.contains(what));
                    if volume.len() != 32 || !says("title", camera.name()) || !says("comment", &volume) {
                        findings.push(format!("{} does not say whose it is: {tags}", path.display()));
                    }
                }
                Err(error) => findings.push(format!("{}: {error}", path.display())),
            }
        }
        Ok(findings.into_iter().map(|finding| format!("{}: {finding}", camera.name())).collect())
    }
}

/// Waits until a camera has sent this many frames to whoever watches it.
///
/// # Errors
/// If it has not within `deadline`.
pub fn wait_for_frames(camera: &VirtualCamera, count: usize, deadline: Duration) -> Result<(), LabError> {
    if wait_until(deadline, || camera.frames_sent() >= count) {
        return Ok(());
    }
    let problem = format!("fetched {} frames of {count} within {deadline:?}", camera.frames_sent());
    Err(LabError::Child { program: camera.name().to_owned(), problem })
}

/// Lines of a log that hold all of these words.
pub fn lines<'log>(log: &'log str, words: &[&str]) -> Vec<&'log str> {
    log.lines().filter(|line| words.iter().all(|word| line.contains(word))).collect()
}
