//! What the helper tells the recorder of a disk: `/run/holdfast/disks/<kernel name>.json`.
//!
//! One file for each disk that was looked at, replaced whole by each run of the helper and removed when its device goes. The
//! recorder may read it and nobody else has to: that it is JSON is for the person who looks why a disk is not used.

use holdfast_core::disk::Unfit;
use holdfast_wire::cause::Fault;
use holdfast_wire::ids::VolumeId;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of the reports, if nothing else is said.
pub const DISKS: &str = "/run/holdfast/disks";

/// Most bytes of a report that are read: they are a tenth of it.
const MAX_BYTES: u64 = 64 * 1024;

/// What became of a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskReport {
    /// Format version: 1.
    pub version: u32,
    /// The kernel's name: "sdb1".
    pub disk: String,
    /// Its number as the kernel writes it: "8:17".
    pub device_number: String,
    /// The kernel's count of media (`diskseq`): another number under the same name is another medium.
    pub sequence: Option<u64>,
    /// The filesystem as blkid names it; empty if none was recognised.
    pub filesystem: String,
    /// Its UUID as blkid prints it; empty if it has none.
    pub uuid: String,
    /// Its label; empty if it has none.
    pub label: String,
    /// Bytes.
    pub size: u64,
    /// How it is connected, as udev says: "usb", "ata"; empty if it does not.
    pub bus: String,
    /// What the maker calls it; empty if it is not known.
    pub model: String,
    /// Its serial number; empty if it is not known.
    pub serial: String,
    /// When, in microseconds since 1970 by the wall clock: two reports of one disk are told apart by it.
    pub at_micros: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// What the check of its filesystem found; `None` if it did not come to that.
    pub check: Option<Check>,
    /// The whole story in a sentence for a person, with what can be done. Empty if all is well.
    pub text: String,
}

/// What became of a disk. A reader that meets another one is older than the helper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is mounted.
    Mounted {
        /// Which volume it is.
        #[serde(with = "hex")]
        volume: VolumeId,
        /// Where.
        path: PathBuf,
        /// It had no marker and was adopted.
        adopted: bool,
    },
    /// It was unmounted on request, or by the service manager: it can be pulled.
    Unmounted {
        /// Which volume it is.
        #[serde(with = "hex")]
        volume: VolumeId,
    },
    /// It is none of ours.
    LeftAlone {
        /// Why.
        #[serde(with = "unfit")]
        reason: Unfit,
    },
    /// It is a volume, but not to be used as it is: another device's, a copy, a damaged one. Nothing but a person helps.
    Refused {
        /// Which volume it says it is, as far as that can be read.
        #[serde(with = "maybe_hex")]
        volume: Option<VolumeId>,
        /// Why.
        fault: Fault,
    },
    /// It should be used, and could not be mounted.
    Failed {
        /// Which volume it is, as far as that was read this time or the time before.
        #[serde(default, with = "maybe_hex")]
        volume: Option<VolumeId>,
        /// What the system said, as a fault.
        fault: Fault,
    },
}

/// What the check of a filesystem found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Nothing.
    Clean,
    /// Damage, which it mended.
    Mended,
    /// Damage that it could not mend.
    LeftDamaged,
    /// It did not end within its time.
    TimedOut,
    /// The program for it is not installed.
    NoProgram,
    /// The program could not do its work.
    Unchecked,
}

impl DiskReport {
    /// Reads a report.
    ///
    /// # Errors
    /// It is not there, or is no report that this version knows.
    pub fn read(path: &Path) -> io::Result<DiskReport> {
        read_json(path)
    }

    /// Reads the report of the disk with this kernel name below `directory`; `None` if there is none.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn of(directory: &Path, disk: &str) -> io::Result<Option<DiskReport>> {
        match Self::read(&path_of(directory, disk)) {
            Ok(report) => Ok(Some(report)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every report below `directory` that can be read, in the order of the kernel names.
    pub fn all(directory: &Path) -> Vec<DiskReport> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = entries.filter(|path| is_report(path)).collect();
        paths.sort();
        paths.iter().filter_map(|path| Self::read(path).ok()).collect()
    }

    /// Puts the report in place of the one before, in one step; the directory is made if it is not there.
    ///
    /// # Errors
    /// As the system says.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        write_json(&path_of(directory, &self.disk), self)
    }

    /// Removes the report of a disk that is gone. That there is none is no error.
    ///
    /// # Errors
    /// As the system says.
    pub fn remove(directory: &Path, disk: &str) -> io::Result<()> {
        match fs::remove_file(path_of(directory, disk)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether the disk is a volume that may not be used.
    pub fn is_refused(&self) -> bool {
        matches!(self.outcome, Outcome::Refused { .. })
    }

    /// Which volume the disk is, as far as it is known.
    pub fn volume(&self) -> Option<VolumeId> {
        match &self.outcome {
            Outcome::Mounted { volume, .. } | Outcome::Unmounted { volume } => Some(*volume),
            Outcome::Refused { volume, .. } | Outcome::Failed { volume, .. } => *volume,
            Outcome::LeftAlone { .. } => None,
        }
    }
}

/// Where the report of a disk lies.
pub fn path_of(directory: &Path, disk: &str) -> PathBuf {
    directory.join(format!("{disk}.json"))
}

/// Whether a file's name is one of a report: not of one that is being written.
pub fn is_report(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".json") && !name.starts_with('.')
}

pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<T> {
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(fs::File::open(path)?, MAX_BYTES), &mut text)?;
    let wrong = |error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} is no such report: {error}", path.display()))
    };
    serde_json::from_str(&text).map_err(wrong)
}

/// Writes beside, then renames: a reader meets the old one or the new one. Not synced: `/run` does not outlive a boot.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    fs::create_dir_all(directory)?;
    let temporary = directory.join(format!(".{name}.new"));
    fs::write(&temporary, serde_json::to_string_pretty(value)? + "\n")?;
    fs::rename(&temporary, path)
}

mod hex {
    use holdfast_wire::ids::{Id128, VolumeId};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(id: &VolumeId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VolumeId, D::Error> {
        let text = String::deserialize(deserializer)?;
        Id128::parse(&text).ok_or_else(|| D::Error::custom("a volume's id is 32 hexadecimal digits"))
    }
}

mod maybe_hex {
    use holdfast_wire::ids::VolumeId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Hex(#[serde(with = "super::hex")] VolumeId);

    pub fn serialize<S: Serializer>(id: &Option<VolumeId>, serializer: S) -> Result<S::Ok, S::Error> {
        id.map(Hex).serialize(serializer)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<VolumeId>, D::Error> {
        Ok(Option::<Hex>::deserialize(deserializer)?.map(|id| id.0))
    }
}

mod unfit {
    use super::Unfit;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn word(unfit: Unfit) -> &'static str {
        match unfit {
            Unfit::Blank => "blank",
            Unfit::Filesystem => "filesystem",
            Unfit::Encrypted => "encrypted",
            Unfit::Member => "member",
            Unfit::System => "system",
            Unfit::MountedElsewhere => "mounted_elsewhere",
            Unfit::TooSmall => "too_small",
            Unfit::ReadOnly => "read_only",
            Unfit::NotMarked => "not_marked",
            Unfit::NoPlace => "no_place",
        }
    }
    pub const ALL: [Unfit; 10] = [
        Unfit::Blank,
        Unfit::Filesystem,
        Unfit::Encrypted,
        Unfit::Member,
        Unfit::System,
        Unfit::MountedElsewhere,
        Unfit::TooSmall,
        Unfit::ReadOnly,
        Unfit::NotMarked,
        Unfit::NoPlace,
    ];

    pub fn serialize<S: Serializer>(unfit: &Unfit, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(word(*unfit))
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Unfit, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = ALL.into_iter().find(|unfit| word(*unfit) == text);
        found.ok_or_else(|| D::Error::custom("no such reason"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_wire::ids::Id128;
    use tempfile::tempdir;

    fn report(disk: &str, outcome: Outcome) -> DiskReport {
        DiskReport {
            version: 1,
            disk: disk.into(),
            device_number: "8:17".into(),
            sequence: Some(12),
            filesystem: "ext4".into(),
            uuid: "aa-1".into(),
            label: "HOLDFAST".into(),
            size: 64 << 30,
            bus: "usb".into(),
            model: "Stick".into(),
            serial: "0042".into(),
            at_micros: 1_700_000_000_000_000,
            outcome,
            check: Some(Check::Clean),
            text: String::new(),
        }
    }

    #[test]
    fn every_outcome_is_read_back_as_it_was_written() {
        let place = tempdir().unwrap();
        let directory = place.path().join("disks");
        let volume = Id128([0xAB; 16]);
        let mut outcomes = vec![
            Outcome::Mounted { volume, path: "/run/holdfast/volumes/ab".into(), adopted: true },
            Outcome::Unmounted { volume },
            Outcome::Refused { volume: Some(volume), fault: Fault::Foreign },
            Outcome::Refused { volume: None, fault: Fault::Damaged },
            Outcome::Failed { volume: None, fault: Fault::Other(71) },
            Outcome::Failed { volume: Some(volume), fault: Fault::Io },
        ];
        outcomes.extend(unfit::ALL.map(|reason| Outcome::LeftAlone { reason }));
        for outcome in outcomes {
            let written = report("sdb1", outcome);
            written.write(&directory).unwrap();
            assert_eq!(DiskReport::of(&directory, "sdb1").unwrap(), Some(written));
        }
        let names: Vec<_> =
            fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["sdb1.json"], "something else was left there");
    }

    #[test]
    fn ids_and_reasons_are_words_that_a_person_can_search_for() {
        let mounted = Outcome::Mounted { volume: Id128([0xAB; 16]), path: "/m".into(), adopted: false };
        let text = serde_json::to_string(&report("sdb1", mounted)).unwrap();
        assert!(
            text.contains(r#""mounted":{"volume":"abababababababababababababababab","path":"/m""#),
            "{text}"
        );
        let left = Outcome::LeftAlone { reason: Unfit::MountedElsewhere };
        let text = serde_json::to_string(&report("sdb1", left)).unwrap();
        assert!(text.contains(r#""left_alone":{"reason":"mounted_elsewhere"}"#), "{text}");
    }

    #[test]
    fn all_reports_come_in_order_and_what_is_none_is_passed_over() {
        let place = tempdir().unwrap();
        for disk in ["sdc1", "sda1", "sdb"] {
            report(disk, Outcome::LeftAlone { reason: Unfit::Blank }).write(place.path()).unwrap();
        }
        fs::write(place.path().join(".sdd.json.new"), "{").unwrap();
        fs::write(place.path().join("sde.json"), "{\"version\": 1").unwrap();
        let disks =
            || DiskReport::all(place.path()).into_iter().map(|report| report.disk).collect::<Vec<_>>();
        assert_eq!(disks(), ["sda1", "sdb", "sdc1"]);
        DiskReport::remove(place.path(), "sdb").unwrap();
        DiskReport::remove(place.path(), "sdb").unwrap();
        assert_eq!(disks(), ["sda1", "sdc1"]);
        assert_eq!(DiskReport::of(place.path(), "sdb").unwrap(), None);
        assert_eq!(DiskReport::all(&place.path().join("nowhere")), []);
        assert!(DiskReport::of(place.path(), "sde").is_err(), "a damaged one is not the same as none");
    }
}
