//! What the configuration says of storage: `[[volume]]`, `[storage]`, `[retention]`.

use super::problem::Problem;
use super::quantity::{SIZE_FORM, show_duration, show_size};
use super::sections::too_many;
use super::walk::{Found, Section, Walk};
use super::{PlaceKind, RetentionConfig, Share, StorageConfig, VolumeConfig, limits as bounds};
use holdfast_core::settings::MAX_VOLUMES;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;

/// How long footage is kept where nothing else is said: the default of the design.
pub const KEEP: Duration = Duration::from_secs(30 * 86_400);

/// Where the mount helper and the recorder meet where nothing else is said.
pub const RUNTIME: &str = "/run/holdfast";

/// Every `[[volume]]`: a mount point by `path`, or a plain directory by `directory`.
pub fn volumes<'t>(walk: &mut Walk<'t>, file: &Section<'t>) -> Vec<VolumeConfig> {
    let tables = walk.list(file, "volume").unwrap_or_default();
    too_many(walk, &tables, MAX_VOLUMES, "volume");
    let mut volumes = Vec::new();
    let mut lines: Vec<usize> = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let Some((volume, at)) = volume(walk, index, table) else { continue };
        let same = |(earlier, _): &(&VolumeConfig, &usize)| earlier.path == volume.path;
        if let Some((_, line)) = volumes.iter().zip(&lines).find(same) {
            let what = format!("volume {}: the path is taken by the volume in line {line}", index + 1);
            walk.error(at, |problem| Problem { what, ..problem });
        } else {
            lines.push(walk.line(at));
            volumes.push(volume);
        }
    }
    volumes
}

fn volume<'t>(
    walk: &mut Walk<'t>,
    index: usize,
    table: Found<&'t DeTable<'t>>,
) -> Option<(VolumeConfig, usize)> {
    let title = format!("volume {}", index + 1);
    let section = walk.section(title, table.at, table.value, &["path", "directory"], |_| None);
    let title = &section.title;
    let (key, kind) = match (section.find("path"), section.find("directory")) {
        (Some(_), Some(directory)) => {
            let what = format!("{title}: it has a path and a directory");
            walk.error(directory.at, |problem| {
                Problem { what, ..problem }.allowed("path for a disk that is mounted there, or directory")
            });
            return None;
        }
        (_, None) => ("path", PlaceKind::MountPoint),
        (None, Some(_)) => ("directory", PlaceKind::Directory),
    };
    let text = walk.required(&section, key, "/media/holdfast")?;
    let path: PathBuf = Path::new(text.value).components().collect();
    if let Some(why) = unfit(text.value, &path) {
        let what = format!("{title}: {key} {why}");
        let allowed = match kind {
            PlaceKind::MountPoint => "where a disk is mounted: /media/holdfast",
            PlaceKind::Directory => "a directory: /srv/holdfast",
        };
        walk.error(text.at, |problem| Problem { what, ..problem }.allowed(allowed));
        return None;
    }
    Some((VolumeConfig { path, kind }, text.at))
}

/// Why a path cannot be a volume. `clean`: without `.` and double slashes.
pub(crate) fn unfit(text: &str, clean: &Path) -> Option<&'static str> {
    if text.chars().any(char::is_control) {
        return Some("holds a control character");
    }
    if !clean.is_absolute() {
        return Some("is not absolute: it would depend on where the service was started");
    }
    if clean.components().any(|part| part == Component::ParentDir) {
        return Some("goes through ..");
    }
    match clean.components().nth(1) {
        None => Some("is the root of the system, which recordings would fill"),
        Some(first) if first.as_os_str() == "dev" => Some("is a device, not where it is mounted"),
        Some(first) if first.as_os_str() == "proc" || first.as_os_str() == "sys" => {
            Some("belongs to the kernel, and keeps nothing")
        }
        Some(_) => None,
    }
}

/// `[storage]`. `named`: whether the configuration names volumes itself.
pub fn storage<'t>(walk: &mut Walk<'t>, file: &Section<'t>, named: bool) -> StorageConfig {
    let mut storage = StorageConfig { disks: !named, runtime: PathBuf::from(RUNTIME) };
    if let Some(found) = walk.table(file, "storage") {
        let section =
            walk.section("[storage]".to_owned(), found.at, found.value, &["disks", "runtime"], |_| None);
        storage.disks = walk.flag(&section, "disks", storage.disks);
        if let Some(text) = walk.text(&section, "runtime") {
            let path: PathBuf = Path::new(text.value).components().collect();
            match unfit(text.value, &path) {
                Some(why) => {
                    let what = format!("[storage]: runtime {why}");
                    walk.error(text.at, |problem| {
                        Problem { what, ..problem }.allowed("a directory: /run/holdfast")
                    });
                }
                None => storage.runtime = path,
            }
        }
    }
    if !storage.disks && !named {
        let hint =
            "add [[volume]] with path = \"/media/holdfast\", or let disks be found: [storage] disks = true";
        walk.missing(
            None,
            "there is no [[volume]], and disks are not looked for: nothing could be kept".to_owned(),
            hint,
        );
    }
    storage
}

/// `[retention]`.
pub fn retention<'t>(walk: &mut Walk<'t>, file: &Section<'t>) -> RetentionConfig {
    const KEYS: [&str; 6] =
        ["keep", "emergency_keep", "clean_below", "clean_below_share", "clean_until", "clean_until_share"];
    let default = RetentionConfig::default();
    let Some(found) = walk.table(file, "retention") else { return default };
    let section = walk.section("[retention]".to_owned(), found.at, found.value, &KEYS, |key| match key {
        "days" | "age" => Some("write keep = \"30d\""),
        _ => None,
    });
    let keep = walk.duration(&section, "keep", bounds::KEEP, default.keep);
    let emergency =
        walk.duration(&section, "emergency_keep", bounds::KEEP, default.emergency.min(keep.value));
    if emergency.value > keep.value {
        let what =
            format!("[retention]: emergency_keep is {}, longer than keep", show_duration(emergency.value));
        let allowed = format!("at most {}", show_duration(keep.value));
        walk.error(emergency.at, |problem| Problem { what, ..problem }.allowed(allowed));
    }
    let mut share = |key, bytes_key, default: Share| Share {
        bytes: walk
            .size(&section, bytes_key, bounds::CLEAN, SIZE_FORM)
            .map_or(default.bytes, |found| found.value),
        percent: walk.percent(&section, key, bounds::CLEAN_SHARE, default.percent),
    };
    let below = share("clean_below_share", "clean_below", default.clean_below);
    let until = share("clean_until_share", "clean_until", default.clean_until);
    if until.bytes < below.bytes || until.percent < below.percent {
        let what = format!(
            "[retention]: cleaning would end at {} or {} %, before it begins at {} or {} %",
            show_size(until.bytes),
            until.percent,
            show_size(below.bytes),
            below.percent
        );
        walk.error(section.at, |problem| {
            Problem { what, ..problem }
                .allowed("clean_until and its share at least as large as clean_below and its share")
        });
    }
    RetentionConfig { keep: keep.value, emergency: emergency.value, clean_below: below, clean_until: until }
}
