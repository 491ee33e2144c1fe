//! A place to mount disks in, and the helper's commands there.

use holdfast_tests::binary::binary;
use holdfast_tests::loops::{Loop, Mounted, format, image, run};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The recorder's user and group, as far as these tests go.
pub const USER: u32 = 1234;
pub const GROUP: u32 = 1235;

/// Above the smallest that is used (64 MiB).
pub const SIZE: u64 = 80 << 20;

/// A place to mount in, and this device's configuration.
pub struct Bench {
    pub folder: PathBuf,
}

/// What the helper answered.
pub struct Answer {
    pub code: Option<i32>,
    pub said: String,
}

impl Bench {
    pub fn new(folder: PathBuf) -> Bench {
        // The recorder's user has to come through.
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let bench = Bench { folder };
        bench.call("van-12");
        bench
    }

    /// Gives the device this name.
    pub fn call(&self, device: &str) {
        fs::write(self.folder.join("holdfast.toml"), format!("[device]\nname = \"{device}\"\n")).unwrap();
    }

    pub fn run_folder(&self) -> PathBuf {
        self.folder.join("run")
    }

    pub fn path_of(&self, volume: &str) -> PathBuf {
        self.run_folder().join("volumes").join(volume)
    }

    pub fn helper(&self, arguments: &[&str]) -> Answer {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        Answer { code: status.code(), said }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary().unwrap());
        command.arg("volume").args(arguments).env_remove("JOURNAL_STREAM");
        command.arg("--runtime").arg(self.run_folder());
        if arguments[0] != "health" {
            command.arg("--config").arg(self.folder.join("holdfast.toml"));
            command.arg("--owner").arg(format!("{USER}:{GROUP}"));
        }
        command
    }

    /// `holdfast volume mount`, as udev and systemd would have it.
    pub fn plug(&self, device: &Loop) -> Answer {
        self.helper(&["mount", device.node().to_str().unwrap()])
    }

    /// Plugs it in and expects it to be mounted. Gives the volume's id.
    pub fn mounts(&self, device: &Loop) -> String {
        let answer = self.plug(device);
        assert_eq!(answer.code, Some(0), "{}", answer.said);
        let report = self.report(device).unwrap_or_else(|| panic!("no report: {}", answer.said));
        let volume = report["outcome"]["mounted"]["volume"].as_str();
        volume.unwrap_or_else(|| panic!("not mounted: {report:#}")).to_owned()
    }

    /// What the report of a disk says.
    pub fn report(&self, device: &Loop) -> Option<Value> {
        let path = self.run_folder().join("disks").join(device.name() + ".json");
        fs::read(path).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap())
    }

    pub fn outcome(&self, device: &Loop) -> Value {
        self.report(device).map_or(Value::Null, |report| report["outcome"].clone())
    }

    pub fn image(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A new disk with an ext4 of this label.
    pub fn disk(&self, name: &str, label: &str) -> Loop {
        let path = self.image(name);
        image(&path, SIZE).unwrap();
        format(&path, "ext4", label).unwrap();
        Loop::attach(&path).unwrap()
    }

    /// Mounts a disk by hand to change what lies on it.
    pub fn by_hand(&self, device: &Loop, change: impl FnOnce(&Path)) {
        let at = Mounted::at(&device.node(), &self.folder.join("by-hand"), "rw").unwrap();
        change(at.path());
        run("umount", [at.path()]).unwrap();
    }

    pub fn is_unmounted(&self) -> bool {
        mounts_below(&self.run_folder()).is_empty()
            && fs::read_dir(self.run_folder().join("volumes")).map_or(0, Iterator::count) == 0
    }
}

/// A line of mountinfo for each mount below a folder.
pub fn mounts_below(folder: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let below = |line: &&str| line.split(' ').nth(4).is_some_and(|path| Path::new(path).starts_with(folder));
    table.lines().filter(below).map(str::to_owned).collect()
}

/// Whether the recorder's user can make a file there.
pub fn recorder_can_write(path: &Path) -> bool {
    let mut command = Command::new("touch");
    command.arg(path).uid(USER).gid(GROUP).stderr(std::process::Stdio::null());
    command.status().unwrap().success()
}

pub fn copy(from: &Path, to: &Path) {
    run("cp", [Path::new("--sparse=always"), from, to]).unwrap();
}
