//! A block device by its name, with all that can be known of it without looking inside.

use super::fsck::output_of;
use super::wrong;
use crate::volumes::VolumeError;
use crate::volumes::facts::{self, Surroundings};
use crate::volumes::mounts::{DeviceNumber, MountTable};
use crate::volumes::report::DiskReport;
use holdfast_core::disk::{DiskFacts, Usage};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use udev::Device;

/// How long blkid may take: it reads a few blocks, and a disk that does not give them is no disk to record on.
const DEADLINE: Duration = Duration::from_secs(30);

/// A disk, as far as it is known from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The kernel's name: "sdb1".
    pub name: String,
    /// Its node: "/dev/sdb1".
    pub node: PathBuf,
    /// Its number.
    pub number: DeviceNumber,
    /// The kernel's count of media: another number under the same name is another medium. Linux 5.15 and later.
    pub sequence: Option<u64>,
    /// What a verdict is reached from.
    pub facts: DiskFacts,
    /// How it is connected, in udev's word.
    pub bus: String,
    /// What the maker calls it.
    pub model: String,
    /// Its serial number.
    pub serial: String,
}

impl Disk {
    /// The disk that a person or udev names: a path to its node, or the kernel's name.
    ///
    /// # Errors
    /// It is not there, or is no block device.
    pub fn find(
        named: &str,
        table: &MountTable,
        is_volume: impl Fn(&Path) -> bool,
    ) -> Result<Disk, VolumeError> {
        let node = Path::new("/dev").join(named); // an absolute path replaces it
        let node = node.canonicalize().map_err(|error| VolumeError::io("find", &node, error))?;
        let found = fs::metadata(&node).map_err(|error| VolumeError::io("look at", &node, error))?;
        if !found.file_type().is_block_device() {
            return Err(wrong("use", &node, "it is no block device; give one like /dev/sdb1"));
        }
        let number = DeviceNumber::of(found.rdev());
        let device = Device::from_devnum(udev::DeviceType::Block, found.rdev())
            .map_err(|error| VolumeError::io("ask the kernel about", &node, error))?;
        let whole = facts::whole_of(&device);
        let whole = whole.as_ref().unwrap_or(&device);
        let mut facts = facts::of(&device);
        // Without udevd, or before it came to what was put there a moment ago (formatted, or a card in its reader), its database
        // knows nothing.
        if facts.content.is_empty() {
            match blkid(&node) {
                Ok(said) => complete(&mut facts, &said),
                Err(error) => log::warn!("blkid cannot say what is on {}: {error}", node.display()),
            }
        }
        let whole_name = whole.sysname().to_string_lossy().into_owned();
        let facts = Surroundings::of(table, is_volume).complete(facts, number, &whole_name);
        let told = |names: &[&str]| {
            let mut values = names.iter().filter_map(|name| facts::property(&device, name));
            values.find(|value| !value.is_empty()).unwrap_or_default().to_owned()
        };
        let attribute = |name: &str| {
            let value = whole.attribute_value(name).map(|value| value.to_string_lossy().trim().to_owned());
            value.unwrap_or_default()
        };
        let or = |told: String, name: &str| if told.is_empty() { attribute(name) } else { told };
        Ok(Disk {
            name: device.sysname().to_string_lossy().into_owned(),
            number,
            sequence: attribute("diskseq").parse().ok(),
            bus: told(&["ID_BUS"]),
            model: or(told(&["ID_MODEL"]), "device/model"),
            serial: or(told(&["ID_SERIAL_SHORT", "ID_SERIAL"]), "device/serial"),
            facts,
            node,
        })
    }
}

impl Disk {
    /// Whether it carries what it carried when this was reported.
    pub fn is_as_in(&self, report: &DiskReport) -> bool {
        let DiskReport { sequence, filesystem, uuid, label, size, .. } = report;
        let Disk { facts, .. } = self;
        (*sequence, *size) == (self.sequence, facts.size)
            && [filesystem.as_str(), uuid, label]
                == [facts.content.as_str(), facts.uuid.as_str(), facts.label.as_str()]
    }
}

/// What blkid reads from the device itself: the same words as udev's, since udev has them from it.
fn blkid(node: &Path) -> io::Result<HashMap<String, String>> {
    let mut command = Command::new("blkid");
    command.args(["-p", "-o", "udev"]).arg(node);
    let (code, output) = output_of(command, DEADLINE)?;
    match code {
        Some(0) => Ok(parse(&String::from_utf8_lossy(&output))),
        Some(2) => Ok(HashMap::new()), // nothing that it knows
        // Signatures of two: whoever wrote the second did not wipe the first. Not ours to guess.
        Some(8) => Ok(HashMap::from([("ID_FS_TYPE".to_owned(), "ambiguous".to_owned())])),
        code => Err(io::Error::other(format!("it ended with {code:?}"))),
    }
}

fn parse(output: &str) -> HashMap<String, String> {
    let pairs = output.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn complete(facts: &mut DiskFacts, said: &HashMap<String, String>) {
    let told = |name: &str| said.get(name).map(String::as_str).unwrap_or_default();
    facts.content = facts::cut(told("ID_FS_TYPE"));
    facts.label = facts::cut(told("ID_FS_LABEL"));
    facts.uuid = facts::cut(told("ID_FS_UUID"));
    facts.usage = match told("ID_FS_USAGE") {
        "filesystem" => Usage::Filesystem,
        "crypto" => Usage::Crypto,
        "raid" => Usage::Raid,
        "other" => Usage::Other,
        _ => Usage::Untold,
    };
    facts.boot_partition |= facts::BOOT_PARTITIONS.contains(&told("ID_PART_ENTRY_TYPE"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_blkid_says_becomes_facts() {
        let said = parse(
            "ID_FS_LABEL=HOLDFAST\nID_FS_LABEL_ENC=HOLDFAST\nID_FS_UUID=1a2b\nID_FS_TYPE=ext4\n\
             ID_FS_USAGE=filesystem\nID_PART_ENTRY_TYPE=0xef\n",
        );
        let mut facts = DiskFacts::default();
        complete(&mut facts, &said);
        let words = (facts.content.as_str(), facts.label.as_str(), facts.uuid.as_str());
        assert_eq!(words, ("ext4", "HOLDFAST", "1a2b"));
        assert_eq!((facts.usage, facts.boot_partition), (Usage::Filesystem, true));
    }

    #[test]
    fn what_is_no_block_device_is_said() {
        let table = MountTable::default();
        for (named, words) in [
            ("/dev/null", "is no block device"),
            ("holdfast-nowhere", "could not find /dev/holdfast-nowhere"),
        ] {
            let said = Disk::find(named, &table, |_| false).unwrap_err().to_string();
            assert!(said.contains(words), "{named}: {said}");
        }
    }
}
