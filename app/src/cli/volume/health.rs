//! `holdfast volume health`: asks disks, leaves a report of each, says what changed.

use super::Health;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::host::clock;
use crate::volumes::facts;
use crate::volumes::health::{self, Asked, HealthReport};
use crate::volumes::report::{DiskReport, Outcome};
use holdfast_core::event::Health as Verdict;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Asks each disk once, however many volumes lie on it.
pub fn run(args: &Health) -> Result<Exit, Box<dyn Error>> {
    let directory = args.meeting.runtime.join("health");
    let disks = match args.devices.is_empty() {
        true => volumes(&args.meeting.runtime.join("disks")),
        false => args.devices.iter().map(|device| Path::new("/dev").join(device)).collect(),
    };
    if args.devices.is_empty() {
        forget_others(&directory, &disks);
    }
    let mut answers: BTreeMap<PathBuf, Asked> = BTreeMap::new();
    let mut text = String::new();
    for disk in disks {
        let name = disk.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let whole = whole_of(&disk).map_err(|error| format!("{}: {error}", disk.display()))?;
        let asked = answers.entry(whole.clone()).or_insert_with(|| health::ask(&whole));
        // A report that cannot be read is as good as none: it is written anew.
        let before = HealthReport::read(&directory, &name).ok().flatten();
        let Some(report) = HealthReport::of(&name, asked, clock::now().wall.as_micros()) else {
            text += &format!("{name} sleeps and was not woken\n");
            continue;
        };
        // This runs every hour: only what is new is worth a line in the journal.
        if before.is_none_or(|before| before.text != report.text) {
            match report.health {
                Some(Verdict::Failing) => log::error!("{}", report.text),
                Some(Verdict::Worn) => log::warn!("{}", report.text),
                Some(Verdict::Good) | None => log::info!("{}", report.text),
            }
        }
        report.write(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        text += &format!("{}\n", report.text);
    }
    output::write(&text)?;
    Ok(Exit::Done)
}

/// The disks that volumes are on, or were until they were unmounted.
fn volumes(reports: &Path) -> Vec<PathBuf> {
    let is_volume = |report: &DiskReport| match report.outcome {
        Outcome::Mounted { .. } | Outcome::Unmounted { .. } => true,
        Outcome::LeftAlone { .. } | Outcome::Refused { .. } | Outcome::Failed { .. } => false,
    };
    let ones = DiskReport::all(reports).into_iter().filter(is_volume);
    ones.map(|report| Path::new("/dev").join(report.disk)).filter(|path| path.exists()).collect()
}

/// Removes what was said of disks that are gone.
fn forget_others(directory: &Path, disks: &[PathBuf]) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_there = disks.iter().any(|disk| disk.file_name() == path.file_stem());
        if !is_there && let Err(error) = fs::remove_file(&path) {
            log::warn!("{} is of a disk that is gone and cannot be removed: {error}", path.display());
        }
    }
}

/// The whole disk that a partition is a part of: that is what has a SMART.
fn whole_of(node: &Path) -> std::io::Result<PathBuf> {
    let number = fs::metadata(node)?.rdev();
    let device = udev::Device::from_devnum(udev::DeviceType::Block, number)?;
    let whole = facts::whole_of(&device);
    Ok(whole.as_ref().and_then(udev::Device::devnode).unwrap_or(node).to_owned())
}
