//! What blocks, mounts and reports say together: pure, from what is there now and what was told before to what is to be
//! told.
//!
//! A mount **lives** while its device does. A device that is pulled takes its mount along, though the mount stays in the
//! kernel's table until somebody unmounts it; so the end of a mount's life is remembered until it has left the table.
//!
//! The witnesses may be heard in any order: a mount before the event that brought its device, or the removal of a disk
//! after the next one was mounted under its number. So each mount is noted with the **medium** that was in its device
//! when it was met (the kernel's `diskseq`, which only rises), and only what is told of that medium or of a later one ends
//! its life.

use super::super::facts::Surroundings;
use super::super::mounts::{DeviceNumber, Mount, MountTable};
use super::super::report::{DiskReport, Outcome};
use super::super::udev::{Block, BlockEvent};
use super::{DiskChange, VolumeMount};
use holdfast_core::disk::{Bus, DiskFacts, Filesystem, Mounted, Text, Unfit, Verdict};
use holdfast_core::event::{Fault, Label};
use holdfast_wire::ids::{Id128, VolumeId};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Everything that is there now.
pub(super) struct World<'a> {
    /// The folder below which the helper mounts volumes, each at its id.
    pub(super) volumes: &'a Path,
    /// All mounts.
    pub(super) table: &'a MountTable,
    /// What the system has to do with disks.
    pub(super) around: &'a Surroundings,
    /// What the helper said, each disk once.
    pub(super) reports: &'a [DiskReport],
    /// What udev's database and sysfs say of a device at this moment.
    pub(super) now: &'a dyn Fn(DeviceNumber) -> Option<Block>,
    /// When it is so, by a clock that nobody sets.
    pub(super) at: Duration,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Join {
    /// The blocks by name; `None` where nobody tells of them, so that nothing can be concluded from their absence.
    blocks: Option<BTreeMap<String, Block>>,
    lives: BTreeMap<Key, Life>,
    volumes: BTreeMap<VolumeId, Key>,
    notes: BTreeMap<String, Note>,
    /// Since when the helper owes its word on a disk that should be used, by its name.
    owed: BTreeMap<String, Owed>,
}

/// A mount, as far as it can be told from the next one that gets its number.
type Key = (u32, DeviceNumber);

#[derive(Debug)]
enum Life {
    /// Its device had this medium in it, if the kernel numbers them.
    Lives { medium: Option<u64> },
    /// Its device went, when the newest report on it was this one.
    Ended { report: Option<i64> },
}

/// A disk that waits for the helper: what it carries, since another content is owed another word, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owed {
    uuid: Text,
    since: Duration,
}

/// How long the helper may be silent on a disk that should be used. It says its word after the check of the filesystem, which takes
/// seconds where nothing is damaged; a disk that is being checked for minutes is not in use either, and that may be told.
const SILENCE: Duration = Duration::from_secs(60);

/// What a person was told of a disk that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    label: Label,
    why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    Left(Unfit),
    Failed { volume: Option<VolumeId>, fault: Fault, text: String },
}

impl Join {
    /// With the blocks that are there, if there is somebody who will tell of them.
    pub(super) fn new(blocks: Option<Vec<Block>>) -> Join {
        let by_name =
            |blocks: Vec<Block>| blocks.into_iter().map(|block| (block.name.clone(), block)).collect();
        Join { blocks: blocks.map(by_name), ..Join::default() }
    }

    /// Takes an event of a block. To be followed by [`Join::look`].
    pub(super) fn take(&mut self, event: BlockEvent, world: &World<'_>) {
        // A mount that nobody has seen yet could not end with its device.
        self.meet(world);
        let Some(blocks) = &mut self.blocks else { return };
        match event {
            BlockEvent::Came(block) | BlockEvent::Changed(block) => {
                // Its database is never older than udev's word, and the word may have waited.
                let now = (world.now)(block.number).filter(|now| now.name == block.name);
                blocks.insert(block.name.clone(), now.unwrap_or(block));
            }
            BlockEvent::Gone { name, number, sequence } => {
                // Where the next one is there under this number already, its own event is on its way.
                if (world.now)(number).and_then(|next| next.sequence) <= sequence {
                    blocks.remove(&name);
                }
                let report = stamp(world.reports, number);
                for (_, life) in self.lives.iter_mut().filter(|((_, device), _)| *device == number) {
                    match life {
                        Life::Lives { medium: Some(medium) }
                            if sequence.is_some_and(|gone| gone < *medium) => {}
                        Life::Lives { .. } => *life = Life::Ended { report },
                        Life::Ended { .. } => {}
                    }
                }
            }
        }
    }

    /// What is to be told: first what is gone, then what came, what is built in before what can be pulled.
    pub(super) fn look(&mut self, world: &World<'_>) -> Vec<DiskChange> {
        self.meet(world);
        let mut mounted: Vec<(VolumeId, Key, VolumeMount)> = mounts(world)
            .filter_map(|(id, mount)| Some((id, key(mount), self.living(id, mount, world)?)))
            .collect();
        mounted.sort_by(|a, b| order(a.2.bus, &a.2.name).cmp(&order(b.2.bus, &b.2.name)).then(a.0.cmp(&b.0)));
        let used: Vec<DeviceNumber> = mounted.iter().map(|(_, _, volume)| volume.device).collect();
        self.owed = self.owed_now(world, &used);
        let notes = self.notes_now(world, &used);

        let volumes: BTreeMap<VolumeId, Key> = mounted.iter().map(|(id, key, _)| (*id, *key)).collect();
        let gone = self.volumes.iter().filter(|(id, key)| volumes.get(id) != Some(key));
        let mut changes: Vec<DiskChange> = gone.map(|(id, _)| DiskChange::Gone { id: *id }).collect();
        for (name, note) in &self.notes {
            if notes.get(name) != Some(note) {
                changes.push(DiskChange::LeftGone { label: note.label.clone() });
            }
        }
        let came = mounted.into_iter().filter(|(id, key, _)| self.volumes.get(id) != Some(key));
        changes.extend(came.map(|(_, _, volume)| DiskChange::Mounted(volume)));
        let mut told: Vec<(&String, &Note)> =
            notes.iter().filter(|(name, note)| self.notes.get(*name) != Some(note)).collect();
        told.sort_by_key(|(name, _)| order(self.bus(name), name));
        changes.extend(told.into_iter().map(|(_, note)| note.change()));
        self.volumes = volumes;
        self.notes = notes;
        changes
    }

    /// Learns of new mounts, forgets those that have left the table, and ends the life of those whose medium changed.
    fn meet(&mut self, world: &World<'_>) {
        let mut before = std::mem::take(&mut self.lives);
        for (id, mount) in mounts(world) {
            let newest = self.block_of(mount.device).and_then(|block| block.sequence);
            let report = report_of(world.reports, mount.device);
            let life = match before.remove(&key(mount)) {
                None => Life::Lives { medium: self.look_at(mount.device, world) },
                Some(Life::Lives { medium: Some(met) }) if newest.is_some_and(|newest| newest > met) => {
                    Life::Ended { report: report.map(|report| report.at_micros) }
                }
                Some(Life::Lives { medium }) => Life::Lives { medium },
                // The kernel gave the number of a mount that went to the one that came: the helper says that it
                // mounted anew.
                Some(Life::Ended { report: before })
                    if report.is_some_and(|report| {
                        Some(report.at_micros) != before
                            && matches!(report.outcome, Outcome::Mounted { volume, .. } if volume == id)
                    }) =>
                {
                    Life::Lives { medium: self.look_at(mount.device, world) }
                }
                Some(Life::Ended { report }) => Life::Ended { report },
            };
            self.lives.insert(key(mount), life);
        }
    }

    /// Looks at the device of a new mount, for its medium: whoever mounted it knew what its event, which may still be on
    /// its way, will tell.
    fn look_at(&mut self, number: DeviceNumber, world: &World<'_>) -> Option<u64> {
        let now = (world.now)(number)?;
        let medium = now.sequence;
        if let Some(known) = self.blocks.as_mut().and_then(|blocks| blocks.get_mut(&now.name)) {
            *known = now;
        }
        medium
    }

    /// A mount of a volume, if it lives.
    fn living(&self, id: VolumeId, mount: &Mount, world: &World<'_>) -> Option<VolumeMount> {
        let Some(Life::Lives { .. }) = self.lives.get(&key(mount)) else { return None };
        let block = self.block_of(mount.device);
        // Filesystems without a device have none to lose, and without udev nobody tells of devices.
        if block.is_none() && self.blocks.is_some() && !mount.device.is_virtual() {
            return None;
        }
        let report = report_of(world.reports, mount.device);
        let name = block.map(|block| block.name.clone()).or_else(|| Some(report?.disk.clone()));
        let name = name.unwrap_or_else(|| mount.source.to_string_lossy().into_owned());
        let facts = block.map(|block| block.facts.clone()).unwrap_or_default();
        // As it would be called if it were left.
        let content = if facts.content.is_empty() { &mount.filesystem } else { facts.content.as_str() };
        Some(VolumeMount {
            id,
            path: mount.path.clone(),
            device: mount.device,
            label: label_of(&name, content, &facts.label),
            name,
            bus: facts.bus,
            filesystem: Filesystem::named(&mount.filesystem),
            uuid: facts.uuid,
        })
    }

    /// What a person is to know now of each disk that is not used.
    fn notes_now(&self, world: &World<'_>, used: &[DeviceNumber]) -> BTreeMap<String, Note> {
        let blocks = self.blocks.iter().flat_map(BTreeMap::values);
        let idle = blocks.filter(|block| block.settled && !used.contains(&block.number));
        let silent =
            |block: &Block| self.owed.get(&block.name).is_some_and(|owed| owed.since + SILENCE <= world.at);
        idle.filter_map(|block| Some((block.name.clone(), note(block, silent(block), world)?))).collect()
    }

    /// The disks that should be used and of which the helper has said nothing yet.
    fn owed_now(&self, world: &World<'_>, used: &[DeviceNumber]) -> BTreeMap<String, Owed> {
        let blocks = self.blocks.iter().flat_map(BTreeMap::values);
        let idle = blocks.filter(|block| block.settled && !used.contains(&block.number));
        let owed = idle.filter(|block| {
            let facts = facts_of(block, world);
            // One that nobody marked may have been passed over without a word, and what is in use has had its word.
            word_on(block, &facts, world).is_none()
                && facts.is_marked()
                && facts.verdict() == Verdict::Use
                && facts.mounted == Mounted::Nowhere
        });
        let named = owed.map(|block| {
            let uuid = block.facts.uuid.clone();
            let since = self.owed.get(&block.name).filter(|owed| owed.uuid == uuid).map(|owed| owed.since);
            (block.name.clone(), Owed { uuid, since: since.unwrap_or(world.at) })
        });
        named.collect()
    }

    /// When to look again though no witness says anything.
    pub(super) fn look_again_at(&self, now: Duration) -> Option<Duration> {
        let ends = self.owed.values().map(|owed| owed.since + SILENCE);
        ends.filter(|end| *end > now).min()
    }

    fn block_of(&self, number: DeviceNumber) -> Option<&Block> {
        self.blocks.as_ref()?.values().find(|block| block.number == number)
    }

    fn bus(&self, name: &str) -> Bus {
        self.blocks
            .as_ref()
            .and_then(|blocks| blocks.get(name))
            .map(|block| block.facts.bus)
            .unwrap_or_default()
    }
}

impl Note {
    fn change(&self) -> DiskChange {
        let label = self.label.clone();
        match &self.why {
            Why::Left(reason) => DiskChange::LeftAlone { label, reason: *reason },
            Why::Failed { volume, fault, text } => {
                DiskChange::Failed { label, volume: *volume, fault: *fault, text: text.clone() }
            }
        }
    }
}

/// The mounts of volumes: those whose name is an id.
fn mounts<'a>(world: &World<'a>) -> impl Iterator<Item = (VolumeId, &'a Mount)> {
    world.table.below(world.volumes).filter_map(|mount| {
        let name = mount.path.file_name()?.to_str()?;
        // As the helper writes it: 32 digits, no hyphens.
        Some((Id128::parse(name).filter(|id| id.to_string() == name)?, mount))
    })
}

fn key(mount: &Mount) -> Key {
    (mount.id, mount.device)
}

fn report_of(reports: &[DiskReport], number: DeviceNumber) -> Option<&DiskReport> {
    let number = number.to_string();
    reports.iter().find(|report| report.device_number == number)
}

fn stamp(reports: &[DiskReport], number: DeviceNumber) -> Option<i64> {
    report_of(reports, number).map(|report| report.at_micros)
}

fn facts_of(block: &Block, world: &World<'_>) -> DiskFacts {
    let whole = block.parent.as_deref().unwrap_or(&block.name);
    world.around.complete(block.facts.clone(), block.number, whole)
}

/// What the helper says of a disk, if it is about this content. A disk that was divided into partitions since is none any more.
fn word_on<'w>(block: &Block, facts: &DiskFacts, world: &World<'w>) -> Option<&'w DiskReport> {
    let is_of_it = |report: &&DiskReport| {
        report.disk == block.name && report.uuid == facts.uuid.as_str() && !facts.partitioned
    };
    report_of(world.reports, block.number).filter(is_of_it)
}

/// The helper's word counts; else the verdict on what can be known from outside, and that the helper is `silent` for too long.
fn note(block: &Block, silent: bool, world: &World<'_>) -> Option<Note> {
    let facts = facts_of(block, world);
    let label = label_of(&block.name, &facts.content, &facts.label);
    let report = word_on(block, &facts, world);
    let why = match report.map(|report| (&report.outcome, report)) {
        Some((Outcome::Mounted { .. } | Outcome::Unmounted { .. }, _)) => return None,
        Some((Outcome::LeftAlone { reason }, _)) => Why::Left(*reason),
        Some((Outcome::Refused { volume, fault }, report)) => {
            Why::Failed { volume: *volume, fault: *fault, text: report.text.clone() }
        }
        Some((Outcome::Failed { volume, fault }, report)) => {
            Why::Failed { volume: *volume, fault: *fault, text: report.text.clone() }
        }
        None if silent => Why::Failed { volume: None, fault: Fault::NotMounted, text: waits(&block.name) },
        None => Why::Left(left_alone(&facts)?),
    };
    Some(Note { label, why })
}

fn waits(name: &str) -> String {
    format!(
        "{name} is not used yet: the mount helper has not reported on it; it may be checking it, which can take minutes \
         (journalctl -u holdfast-volume@{name} -u holdfast-request). If it is not: holdfast volume mount {name}, as root"
    )
}

fn left_alone(facts: &DiskFacts) -> Option<Unfit> {
    match facts.verdict() {
        Verdict::LeaveAlone(reason) => Some(reason),
        // The helper is on its way to these; where it does not come, that is told in its time.
        Verdict::Use | Verdict::Look => None,
        Verdict::PassOver(_) => None,
    }
}

/// "sdb1 (NTFS, PHOTOS)".
fn label_of(name: &str, content: &str, label: &Text) -> Label {
    let title = match content {
        "" => "",
        "ntfs" => "NTFS",
        "crypto_LUKS" => "LUKS",
        "linux_raid_member" => "RAID",
        "LVM2_member" => "LVM",
        other => Filesystem::named(other).map_or(other, |filesystem| filesystem.properties().title),
    };
    let inside: Vec<&str> = [title, label.as_str()].into_iter().filter(|text| !text.is_empty()).collect();
    let text = if inside.is_empty() { name.to_owned() } else { format!("{name} ({})", inside.join(", ")) };
    let mut short = Label::new();
    for c in text.chars() {
        if short.push(c).is_err() {
            break;
        }
    }
    short
}

/// sda1 before sdb, sdb2 before sdb10, sdz before sdaa.
fn order(bus: Bus, name: &str) -> (Bus, usize, String) {
    (bus, name.len(), name.to_owned())
}

#[cfg(test)]
mod tests;
