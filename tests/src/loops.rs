//! Disks made of files: images, loop devices that come and go, filesystems on them, mounts; and a world of its own for the
//! test that plays with them.
//!
//! A **world** is a process with mounts, a network and processes of its own, an empty `/run` and an empty `/dev/disk`:
//! what a test mounts there nobody else sees, an udevd in it hears no other and disturbs none, and nothing outlives it.
//! The kernel's list of block devices is everybody's: other tests' loops are seen there too.
//!
//! A loop device is **pulled** for real (its kernel object goes) while nothing has it mounted or open. What is in use the
//! kernel does not let go of: then only udev is told that it went ([`Pulled`] says which it was).

use crate::{LabError, wait_until};
use rustix::io::Errno;
use rustix::ioctl::{IntegerSetter, Opcode, ioctl};
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What names the folder of a world to the process in it.
const WORLD: &str = "HOLDFAST_WORLD";

/// How the folders of worlds are called; the process that owns one follows.
const PREFIX: &str = "holdfast-world-";

/// Loop devices below this number are left to the machine and to people.
const FIRST: u32 = 64;

/// How long the kernel or udevd may take to let go of a device, on a machine that builds something beside it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the calling test again in a world of its own. `Some(folder)` inside: go on, with this empty folder. `None` outside,
/// after the test has passed inside: return. To be called first, with the name of the test as cargo knows it:
///
/// ```no_run
/// # fn a_disk_comes() {
/// let Some(folder) = holdfast_tests::loops::world("a_disk_comes") else { return };
/// # }
/// ```
///
/// # Panics
/// If the test failed inside, or no world can be made: that takes root. Where `HOLDFAST_NO_MOUNT` is set the test is
/// left out instead, and says so.
pub fn world(test: &str) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(WORLD) {
        enter().unwrap_or_else(|error| panic!("the world of {test} could not be furnished: {error}"));
        return Some(PathBuf::from(folder));
    }
    if std::env::var_os("HOLDFAST_NO_MOUNT").is_some() {
        eprintln!("NOT TESTED: {test}, since HOLDFAST_NO_MOUNT is set");
        return None;
    }
    assert!(
        rustix::process::geteuid().is_root(),
        "{test} mounts filesystems: run it as root, or set HOLDFAST_NO_MOUNT=1 to leave it out on purpose"
    );
    sweep_dead_worlds();
    let owner = format!("{PREFIX}{}-", std::process::id());
    let folder = tempfile::Builder::new().prefix(&owner).tempdir().expect("a folder for a world");
    let _sweeper = Sweeper(folder.path());
    let output = Command::new("unshare")
        .args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--propagation",
            "private",
        ])
        .arg(std::env::current_exe().expect("the test knows its own program"))
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(WORLD, folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("unshare (package util-linux) can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} failed in its world: {}", output.status);
    assert!(said.contains("1 passed"), "no test is called {test}: nothing ran in its world");
    None
}

fn enter() -> Result<(), LabError> {
    let mount = |at: &str| {
        fs::create_dir_all(at).and_then(|()| {
            rustix::mount::mount("holdfast-world", at, "tmpfs", MountFlags::empty(), None)
                .map_err(io::Error::from)
        })
    };
    // An empty folder stays behind in /dev, where the machine has no udevd that made it: it is the kernel's own tmpfs.
    for at in ["/run", "/dev/disk"] {
        mount(at).map_err(|source| LabError::Io { doing: format!("mounting an empty {at}"), source })?;
    }
    run("ip", ["link", "set", "lo", "up"])
}

/// Takes away what a world left behind: its processes and mounts are gone by then, its loop devices are not.
struct Sweeper<'a>(&'a Path);

impl Drop for Sweeper<'_> {
    fn drop(&mut self) {
        for number in numbers() {
            if backing(number).is_some_and(|file| file.starts_with(self.0)) {
                drop(Loop { number, image: PathBuf::new() });
            }
        }
    }
}

/// Takes away the loop devices of worlds whose owner was killed before it could.
fn sweep_dead_worlds() {
    for number in numbers() {
        let Some(file) = backing(number) else { continue };
        let owner = file.iter().find_map(|name| name.to_str()?.strip_prefix(PREFIX)?.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            drop(Loop { number, image: PathBuf::new() });
        }
    }
}

/// A file that is to be a disk: `bytes` long, without a block of its own yet.
pub fn image(path: &Path, bytes: u64) -> Result<(), LabError> {
    let failed = |source| LabError::Io { doing: format!("making the image {}", path.display()), source };
    File::create(path).and_then(|file| file.set_len(bytes)).map_err(failed)
}

/// Puts a filesystem on an image or a device: `kind` as in `mkfs.<kind>`, or "swap".
///
/// # Errors
/// Mostly that the program for it is not installed.
pub fn format(target: &Path, kind: &str, label: &str) -> Result<(), LabError> {
    let label_option = match kind {
        "vfat" => "-n",
        "f2fs" => "-l",
        _ => "-L",
    };
    let quiet: &[&str] = if kind == "ext4" { &["-q"] } else { &[] };
    let program = if kind == "swap" { "mkswap".to_owned() } else { format!("mkfs.{kind}") };
    let label = [label_option, label];
    let arguments = quiet.iter().chain(&label).map(OsStr::new);
    run(&program, arguments.chain([target.as_os_str()]))
}

/// How a loop device went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// The kernel removed it, as it does a disk whose cable was pulled.
    Really,
    /// It is in use: udev was told that it is removed, and the kernel lets go of the file when the last user does.
    InName,
}

/// A loop device, taken away when it is dropped.
#[derive(Debug)]
pub struct Loop {
    number: u32,
    image: PathBuf,
}

impl Loop {
    /// Attaches an image to a loop device that was not there before, so that the kernel adds one. One that was pulled in
    /// name keeps its number, so the next one has another.
    pub fn attach(image: &Path) -> Result<Loop, LabError> {
        let mut number = FIRST;
        loop {
            match control(Control::Add, number) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(LabError::Io { doing: format!("adding loop{number}"), source }),
            }
        }
        let device = Loop { number, image: image.to_owned() };
        run("losetup", [device.node().as_os_str(), image.as_os_str()])?;
        Ok(device)
    }

    /// The kernel's name of it.
    pub fn name(&self) -> String {
        format!("loop{}", self.number)
    }
    /// Its device file.
    pub fn node(&self) -> PathBuf {
        PathBuf::from(format!("/dev/loop{}", self.number))
    }
    /// The image behind it.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// Makes a partition of all but its first MiB, and gives its name. No table is written: not every kernel reads those.
    pub fn partition(&self) -> Result<String, LabError> {
        const SECTOR: u64 = 512;
        const FIRST_SECTOR: u64 = 2048;
        let bytes = fs::metadata(&self.image).map(|facts| facts.len());
        let bytes = bytes.map_err(|source| LabError::Io {
            doing: format!("looking at {}", self.image.display()),
            source,
        })?;
        let sectors = (bytes / SECTOR).saturating_sub(FIRST_SECTOR);
        let numbers = ["1".to_owned(), FIRST_SECTOR.to_string(), sectors.to_string()];
        run("addpart", [self.node().into_os_string()].into_iter().chain(numbers.map(Into::into)))?;
        Ok(format!("{}p1", self.name()))
    }

    /// Has the kernel tell an event of it that did not happen: "add", "change", "remove".
    pub fn tell(&self, action: &str) -> Result<(), LabError> {
        let path = format!("/sys/block/loop{}/uevent", self.number);
        fs::write(&path, action)
            .map_err(|source| LabError::Io { doing: format!("writing {action} to {path}"), source })
    }

    /// Pulls it. What is really gone is forgotten; what is in use still has to be dropped, after its last user.
    pub fn pull(self) -> Result<(Pulled, Option<Loop>), LabError> {
        if !is_mounted(self.number) && self.remove() {
            std::mem::forget(self);
            return Ok((Pulled::Really, None));
        }
        Ok((Pulled::InName, Some(self.pull_in_name()?)))
    }

    /// Pulls it in name, whether it is in use or not. It still has to be dropped, after its last user.
    pub fn pull_in_name(self) -> Result<Loop, LabError> {
        self.tell("remove")?;
        run("losetup", [OsStr::new("-d"), self.node().as_os_str()])?;
        Ok(self)
    }

    /// Detaches the file and removes the device. Whether it is gone.
    fn remove(&self) -> bool {
        // While udevd looks into it, it is busy: the kernel detaches it later, and removes it later still.
        wait_until(PATIENCE, || {
            if backing(self.number).is_some() {
                let _ = Command::new("losetup").arg("-d").arg(self.node()).stderr(Stdio::null()).status();
            }
            match control(Control::Remove, self.number) {
                Ok(()) => true,
                Err(error) => Errno::from_io_error(&error) == Some(Errno::NODEV),
            }
        })
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let lazily = |path: PathBuf| {
            let _ = rustix::mount::unmount(&path, UnmountFlags::DETACH);
        };
        mounts_of(self.number).into_iter().for_each(lazily);
        if !self.remove() {
            eprintln!(
                "loop{} could not be removed: losetup -d {} does it later",
                self.number,
                self.node().display()
            );
        }
    }
}

/// A mount, lazily unmounted when it is dropped.
#[derive(Debug)]
pub struct Mounted(PathBuf);

impl Mounted {
    /// Mounts `what` at `at`, which is made if it is not there; `options` as for `mount -o`.
    pub fn at(what: &Path, at: &Path, options: &str) -> Result<Mounted, LabError> {
        let failed = |source| LabError::Io { doing: format!("making {}", at.display()), source };
        fs::create_dir_all(at).map_err(failed)?;
        run("mount", [OsStr::new("-o"), OsStr::new(options), what.as_os_str(), at.as_os_str()])?;
        Ok(Mounted(at.to_owned()))
    }
    /// Where.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Somebody else may have unmounted it: that is what some tests are about.
        let _ = rustix::mount::unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// Runs a command to its end.
///
/// # Errors
/// With all that it said, if it could not be started or did not succeed.
pub fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Result<(), LabError> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output
        .map_err(|source| LabError::Io { doing: format!("starting {program} (make setup)"), source })?;
    if output.status.success() {
        return Ok(());
    }
    let problem = format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    Err(LabError::Child { program: program.to_owned(), problem })
}

/// The numbers of all loop devices.
fn numbers() -> Vec<u32> {
    let entries = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.strip_prefix("loop")?.parse().ok()).collect()
}

/// The file behind a loop device.
fn backing(number: u32) -> Option<PathBuf> {
    let text = fs::read_to_string(format!("/sys/block/loop{number}/loop/backing_file")).ok()?;
    Some(PathBuf::from(text.trim_end().trim_end_matches(" (deleted)")))
}

/// Where a loop device or its partitions are mounted in this world.
fn mounts_of(number: u32) -> Vec<PathBuf> {
    let (whole, part) = (format!("/dev/loop{number}"), format!("/dev/loop{number}p"));
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let lines = table.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (source, path) = (fields.next()?, fields.next()?);
        (source == whole || source.starts_with(&part)).then(|| PathBuf::from(path))
    });
    lines.collect()
}

fn is_mounted(number: u32) -> bool {
    !mounts_of(number).is_empty()
}

#[derive(Clone, Copy)]
enum Control {
    Add,
    Remove,
}

/// Adds or removes a loop device by its number; util-linux cannot.
fn control(what: Control, number: u32) -> io::Result<()> {
    /// LOOP_CTL_ADD, LOOP_CTL_REMOVE of linux/loop.h.
    const ADD: Opcode = 0x4C80;
    const REMOVE: Opcode = 0x4C81;
    let control = OpenOptions::new().read(true).write(true).open("/dev/loop-control")?;
    let number = number as usize;
    // SAFETY: both take the number itself as their argument and neither reads nor writes memory of ours.
    let done = unsafe {
        match what {
            Control::Add => ioctl(&control, IntegerSetter::<ADD>::new_usize(number)),
            Control::Remove => ioctl(&control, IntegerSetter::<REMOVE>::new_usize(number)),
        }
    };
    done.map_err(io::Error::from)
}
