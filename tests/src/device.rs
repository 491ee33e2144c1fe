//! A whole device in a world of its own (see [`crate::loops::world`]): the real udevd with the real rules, stand-ins for the
//! units that systemd would run, the real helper as root, and the recorder as an ordinary user who may write only where
//! `app/system/tmpfiles.conf` lets it.

use crate::camera::VirtualCamera;
use crate::command::{self, Said};
use crate::recorder::{self, CameraEntry, Configuration, Recorder};
use crate::udevd::{Job, PathUnit, Systemd, Udevd};
use crate::{LabError, boxes, loops, read, scene, wait_until};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The recorder's user and group: of no account.
pub const USER: u32 = 61_234;

const RULES: (&str, &str) = ("90-holdfast.rules", include_str!("../../app/system/90-holdfast.rules"));

/// The directories of `app/system/tmpfiles.conf` with their modes, and whether they are the recorder's. `control` is its
/// service's own (`RuntimeDirectory=`).
const RUNTIME: [(&str, u32, bool); 7] = [
    ("", 0o755, false),
    ("volumes", 0o755, false),
    ("disks", 0o755, false),
    ("health", 0o755, false),
    ("locks", 0o700, false),
    ("requests", 0o755, true),
    ("control", 0o750, true),
];

/// How long the recorder may take to finish, on a machine that builds something beside it.
const STOPPING: Duration = Duration::from_secs(60);

/// See the module. Declare it after its disks: it has to end before them.
#[derive(Debug)]
pub struct Device {
    // Dropped in this order: the recorder before what serves it.
    recorder: Option<Recorder>,
    _requests: PathUnit,
    systemd: Systemd,
    udevd: Udevd,
    folder: PathBuf,
    helper: Helper,
}

/// Everything that a command of the helper is told.
#[derive(Clone, Debug)]
struct Helper {
    binary: PathBuf,
    configuration: PathBuf,
    runtime: PathBuf,
}

impl Helper {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("volume").args(arguments).env_remove("JOURNAL_STREAM");
        command.arg("--owner").arg(format!("{USER}:{USER}"));
        command.arg("--config").arg(&self.configuration).arg("--runtime").arg(&self.runtime);
        command
    }
}

impl Device {
    /// A device called `name` with these cameras and keys of `[limits]`, without a disk; its recorder is not started.
    /// `folder` is the world's.
    pub fn new(
        folder: &Path,
        name: &str,
        cameras: &[VirtualCamera],
        limits: &[(&'static str, &str)],
    ) -> Result<Device, LabError> {
        let entries = cameras.iter().map(CameraEntry::of).collect();
        let mut configuration =
            Configuration { device: name.to_owned(), ..Configuration::new(entries, folder) };
        configuration.volumes.clear();
        let configuration =
            limits.iter().fold(configuration, |configured, (key, value)| configured.limit(key, value));
        let configuration = configuration.write(folder)?;
        let runtime = folder.join("runtime");
        let home = folder.join("home");
        let failed = |source| LabError::Io { doing: format!("furnishing {}", folder.display()), source };
        furnish(folder, &runtime, &home).map_err(failed)?;
        // Where cargo builds, an ordinary user may not come through.
        let binary = folder.join("holdfast");
        File::create(&binary).map_err(failed)?;
        loops::run("mount", [Path::new("--bind"), &recorder::binary()?, &binary])?;
        let helper = Helper { binary, configuration, runtime };

        let (name, text) = RULES;
        let rules = text.replace("/run/holdfast/", &format!("{}/", helper.runtime.display()));
        let udevd = Udevd::start(folder, &[(name, &rules)])?;
        let of_disks = helper.clone();
        // As holdfast-volume@.service has it.
        let systemd = Systemd::start(move |template, instance, job| {
            let node = format!("/dev/{instance}");
            match (template, job) {
                ("holdfast-volume@", Job::Start) => Some(of_disks.command(&["mount", &node])),
                ("holdfast-volume@", Job::Stop) => Some(of_disks.command(&["unmount", "--lazy", instance])),
                _ => None,
            }
        })?;
        let of_requests = helper.clone();
        let requests = PathUnit::start(&helper.runtime.join("requests"), move || {
            of_requests.command(&["unmount", "--requested"])
        });
        Ok(Device { recorder: None, _requests: requests, systemd, udevd, folder: folder.to_owned(), helper })
    }

    /// Starts the recorder.
    pub fn start(&mut self) -> Result<(), LabError> {
        let Helper { binary, configuration, .. } = &self.helper;
        self.recorder = Some(Recorder::start_as(USER, &self.folder.join("home"), binary, configuration)?);
        Ok(())
    }

    /// Stops the recorder in good order.
    ///
    /// # Errors
    /// If it does not end in time, or not well.
    pub fn stop(&mut self) -> Result<(), LabError> {
        let Some(recorder) = self.recorder.take() else { return Ok(()) };
        let status = recorder.stop(STOPPING)?;
        if status.success() {
            return Ok(());
        }
        let problem = format!("ended with {status}; it had written:\n{}", self.log());
        Err(LabError::Child { program: "holdfast".to_owned(), problem })
    }

    /// SIGKILL to the recorder.
    pub fn kill(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.kill();
        }
    }

    /// Where volumes are mounted.
    pub fn volumes(&self) -> PathBuf {
        self.helper.runtime.join("volumes")
    }

    /// The volumes that are mounted now, by their ids: kernel's table of mounts, one entry for each mount.
    pub fn mounted(&self) -> Vec<String> {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let below = table.lines().filter_map(|line| {
            Path::new(line.split(' ').nth(4)?).strip_prefix(self.volumes()).ok()?.to_str().map(str::to_owned)
        });
        below.collect()
    }

    /// The mount points of volumes, whether something is mounted there or not.
    pub fn mount_points(&self) -> Vec<String> {
        let entries = fs::read_dir(self.volumes()).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// Runs a command that asks the recorder, as root: `["volume", "list"]`.
    pub fn ask(&self, arguments: &[&str]) -> Result<Said, LabError> {
        let runtime = self.helper.runtime.to_string_lossy().into_owned();
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--runtime", &runtime]).collect();
        command::said(&self.helper.binary, &arguments)
    }

    /// Runs `holdfast volume adopt` and its sisters, as root.
    pub fn help(&self, arguments: &[&str]) -> Result<Said, LabError> {
        let mut command = self.helper.command(arguments);
        let output = command.output().map_err(|source| LabError::Io {
            doing: format!("starting {}", self.helper.binary.display()),
            source,
        })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) })
    }

    /// What `holdfast status --json` says; null while it does not answer.
    pub fn status(&self) -> Value {
        let said = self.ask(&["status", "--json"]);
        said.ok().and_then(|said| serde_json::from_str(&said.out).ok()).unwrap_or(Value::Null)
    }

    /// Everything that the recorder wrote, in all its lives.
    pub fn log(&self) -> String {
        let log = fs::read(self.helper.configuration.with_file_name("recorder.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// What to print when something went wrong: what systemd's stand-in ran, what the recorder said.
    pub fn story(&self) -> String {
        format!("units:\n{}\nrecorder:\n{}", self.systemd.done().join("\n"), self.log())
    }

    /// The units that were run so far, as [`Systemd::done`] has them.
    pub fn units(&self) -> Vec<String> {
        self.systemd.done()
    }

    /// Waits until udevd has worked off what the kernel told.
    pub fn settle(&self) -> Result<(), LabError> {
        self.udevd.settle()
    }

    /// The files of all cameras on a volume.
    pub fn footage(&self, volume: &str, cameras: &[VirtualCamera]) -> BTreeSet<PathBuf> {
        let root = self.volumes().join(volume);
        cameras.iter().flat_map(|camera| read::segments(&root, camera.name()).unwrap_or_default()).collect()
    }

    /// Waits until, of each camera, a file of `volume` that is not in `known` holds a fragment. Whether that came to be.
    pub fn records_anew(
        &self,
        volume: &str,
        cameras: &[VirtualCamera],
        known: &BTreeSet<PathBuf>,
        patience: Duration,
    ) -> bool {
        let root = self.volumes().join(volume);
        let has_more = |camera: &VirtualCamera| {
            let files = read::segments(&root, camera.name()).unwrap_or_default();
            let mut fresh = files.iter().filter(|path| !known.contains(*path));
            fresh.any(|path| boxes::anchors(path).is_ok_and(|found| !found.is_empty()))
        };
        wait_until(patience, || cameras.iter().all(has_more))
    }

    /// Every file that the recorder's user has anywhere but on a volume, with its size in bytes: on the world's `/run`, and
    /// in its folder, where the disks' images are root's.
    pub fn footprint(&self) -> BTreeMap<PathBuf, u64> {
        let mut found = BTreeMap::new();
        let mounted: Vec<PathBuf> = self.mounted().iter().map(|volume| self.volumes().join(volume)).collect();
        for root in [self.folder.as_path(), Path::new("/run")] {
            walk(root, &mounted, &mut found);
        }
        found
    }
}

/// Makes what is there before anything of Holdfast's runs.
fn furnish(folder: &Path, runtime: &Path, home: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    let directories = RUNTIME.map(|(name, mode, own)| (runtime.join(name), mode, own));
    for (path, mode, own) in directories.into_iter().chain([(home.to_owned(), 0o700, true)]) {
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        if own {
            chown(&path, Some(USER), Some(USER))?;
        }
    }
    Ok(())
}

fn walk(folder: &Path, without: &[PathBuf], found: &mut BTreeMap<PathBuf, u64>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(facts) = fs::symlink_metadata(&path) else { continue };
        if without.contains(&path) {
            continue;
        }
        if facts.is_dir() {
            walk(&path, without, found);
        } else if facts.uid() == USER {
            found.insert(path, facts.len());
        }
    }
}

/// The numbers of all recorded frames of a camera on these volumes, sorted, each once.
pub fn frame_numbers(volumes: &[PathBuf], camera: &VirtualCamera) -> Result<Vec<u64>, LabError> {
    let mut numbers = BTreeSet::new();
    for volume in volumes {
        numbers.extend(scene::frames_on(volume, camera)?.iter().map(|frame| frame.number));
    }
    Ok(numbers.into_iter().collect())
}
