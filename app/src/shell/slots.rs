//! Disks that come and go, and the slots that they take.
//!
//! A volume that comes back takes the slot that it had, under whatever device name: so nothing has to be told anew. Another
//! one takes a slot that was never used, else the one whose disk has been gone for longest.

use std::collections::BTreeMap;
use std::path::Path;

use holdfast_core::disk::{Filesystem, Unfit};
use holdfast_core::event::{Event, Label, VolumeEvent};
use holdfast_core::settings::VolumeIndex;
use holdfast_wire::ids::VolumeId;

use super::say;
use super::volumes::{Kind, Volumes};
use crate::control::LeftAlone;
use crate::volumes::Place;
use crate::volumes::disks::{DiskChange, VolumeMount};
use crate::volumes::health::HealthReport;
use crate::volumes::helper::requests::Request as HelperRequest;

/// Disks that are there and not used: what a person calls them, and why.
#[derive(Debug, Default)]
pub(super) struct Bystanders {
    disks: BTreeMap<Label, String>,
    /// Volumes for which no slot was free.
    without_place: Vec<VolumeMount>,
}

impl Bystanders {
    /// For a person who asks.
    pub fn list(&self) -> Vec<LeftAlone> {
        let one =
            |(disk, reason): (&Label, &String)| LeftAlone { disk: disk.to_string(), reason: reason.clone() };
        self.disks.iter().map(one).collect()
    }
}

/// A volume that had found no slot is gone.
fn left_without_place(id: VolumeId, bystanders: &mut Bystanders) -> Vec<Event> {
    let Some(place) = bystanders.without_place.iter().position(|mount| mount.id == id) else {
        return Vec::new();
    };
    let disk = bystanders.without_place.remove(place).label;
    bystanders.disks.remove(&disk);
    vec![Event::DiskGone { disk }]
}

/// A disk in a slot, as the helper told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    pub id: VolumeId,
    /// What the kernel calls it.
    pub device: String,
    /// Its filesystem; `None` if it is none that Holdfast knows.
    pub kind: Option<Filesystem>,
    pub presence: Presence,
}

/// Whether a disk is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Mounted,
    /// Its unmounting was asked for; when its mount goes, that is no loss. Not `mounted`: it was still being mounted.
    Leaving {
        mounted: bool,
    },
    /// It was unmounted as asked, and is still plugged in, as far as is known.
    Unmounted,
    /// Its mounting was asked for.
    Returning,
    Gone,
}

impl Volumes {
    /// What a change of the disks means for the core.
    pub fn disk_changed(&mut self, change: DiskChange, bystanders: &mut Bystanders) -> Vec<Event> {
        match change {
            DiskChange::Mounted(mount) => self.mounted(mount, bystanders),
            DiskChange::Gone { id } => {
                let mut events = left_without_place(id, bystanders);
                events.extend(self.gone(id));
                // Its slot is free now for one that waited.
                let waiting = std::mem::take(&mut bystanders.without_place);
                for mount in waiting {
                    if self.free_slot().is_some() {
                        bystanders.disks.remove(&mount.label);
                        events.push(Event::DiskGone { disk: mount.label.clone() });
                        events.extend(self.mounted(mount, bystanders));
                    } else {
                        bystanders.without_place.push(mount);
                    }
                }
                events
            }
            DiskChange::LeftAlone { label, reason } => {
                bystanders.disks.insert(label.clone(), say::unfit(reason).to_owned());
                vec![Event::DiskLeftAlone { disk: label, reason }]
            }
            DiskChange::Failed { label, volume, fault, text } => {
                if let Some(kept) = volume.and_then(|id| self.failed(id, &label)) {
                    return vec![kept];
                }
                let reason = if text.is_empty() { fault.to_string() } else { text };
                bystanders.disks.insert(label.clone(), reason);
                vec![Event::DiskFailed { disk: label, fault }]
            }
            DiskChange::LeftGone { label } => {
                bystanders.disks.remove(&label);
                vec![Event::DiskGone { disk: label }]
            }
        }
    }

    fn mounted(&mut self, mount: VolumeMount, bystanders: &mut Bystanders) -> Vec<Event> {
        let mut events = Vec::new();
        let known = self.slot_of(mount.id);
        let Some(volume) = known.or_else(|| self.free_slot()) else {
            let disk = mount.label.clone();
            bystanders.disks.insert(disk.clone(), say::unfit(Unfit::NoPlace).to_owned());
            bystanders.without_place.retain(|waiting| waiting.id != mount.id);
            bystanders.without_place.push(mount);
            return vec![Event::DiskLeftAlone { disk, reason: Unfit::NoPlace }];
        };
        let VolumeMount { id, path, name, filesystem, .. } = mount;
        let Some(part) = self.parts.get_mut(usize::from(volume.0)) else { return Vec::new() };
        match part.disk.as_ref().map(|disk| (known.is_some(), disk.presence)) {
            None => {}
            // Another disk was here before.
            Some((false, _)) => {
                part.forget();
                events.push(VolumeEvent::Replaced);
            }
            // Mounted over itself, or seen twice: it is what it was.
            Some((true, Presence::Mounted | Presence::Leaving { mounted: true })) => return Vec::new(),
            // The helper may have answered both in either order: the core asks it again.
            Some((true, Presence::Leaving { mounted: false })) => {
                if let Some(disk) = part.disk.as_mut() {
                    disk.presence = Presence::Leaving { mounted: true };
                }
                part.place = Some(Place::Disk { path, id });
                part.begin_epoch();
                return vec![Event::Volume(volume, VolumeEvent::Attached)];
            }
            // It was pulled meanwhile, or a person mounted it again: either way its time as an ejected one is over.
            Some((true, Presence::Unmounted)) => events.push(VolumeEvent::Detached),
            Some((true, Presence::Returning | Presence::Gone)) => {}
        }
        part.disk = Some(Disk { id, device: name, kind: filesystem, presence: Presence::Mounted });
        part.place = Some(Place::Disk { path, id });
        part.begin_epoch();
        self.touch(volume);
        events.push(VolumeEvent::Attached);
        events.into_iter().map(|event| Event::Volume(volume, event)).collect()
    }

    /// The helper could not do what it was asked to do with the disk of a slot. The event, if it is to stay for now.
    fn failed(&mut self, id: VolumeId, label: &Label) -> Option<Event> {
        let volume = self.slot_of(id)?;
        let disk = self.parts.get_mut(usize::from(volume.0))?.disk.as_mut()?;
        // Another one that says it is the same volume is no word about this one.
        if label.split(' ').next() != Some(disk.device.as_str()) {
            return None;
        }
        let (presence, event) = match disk.presence {
            Presence::Leaving { mounted: true } => (Presence::Mounted, Some(VolumeEvent::KeptMounted)),
            Presence::Leaving { mounted: false } => (Presence::Unmounted, Some(VolumeEvent::Unmounted)),
            // It could not be mounted, and nobody works on it any more. The person is told why.
            Presence::Returning => (Presence::Unmounted, None),
            Presence::Mounted | Presence::Unmounted | Presence::Gone => return None,
        };
        disk.presence = presence;
        event.map(|event| Event::Volume(volume, event))
    }

    fn gone(&mut self, id: VolumeId) -> Vec<Event> {
        let Some(volume) = self.slot_of(id) else { return Vec::new() };
        self.touch(volume);
        let Some(part) = self.parts.get_mut(usize::from(volume.0)) else { return Vec::new() };
        let Some(disk) = part.disk.as_mut() else { return Vec::new() };
        let (presence, event) = match disk.presence {
            Presence::Leaving { .. } => (Presence::Unmounted, VolumeEvent::Unmounted),
            Presence::Mounted | Presence::Unmounted | Presence::Returning => {
                // What SMART says is told anew when it returns.
                part.health = None;
                (Presence::Gone, VolumeEvent::Detached)
            }
            Presence::Gone => return Vec::new(),
        };
        disk.presence = presence;
        vec![Event::Volume(volume, event)]
    }

    fn slot_of(&self, id: VolumeId) -> Option<VolumeIndex> {
        let has = |disk: &Disk| disk.id == id;
        (0u8..)
            .zip(&self.parts)
            .find(|(_, part)| part.disk.as_ref().is_some_and(has))
            .map(|(index, _)| VolumeIndex(index))
    }

    /// A slot for a disk that was not here before.
    fn free_slot(&self) -> Option<VolumeIndex> {
        let slots = (0u8..).zip(&self.parts).filter(|(_, part)| part.kind == Kind::Disk);
        let free =
            slots.filter(|(_, part)| part.disk.as_ref().is_none_or(|disk| disk.presence == Presence::Gone));
        // Never used slots first, in their order: disks found at the start are preferred in the order they were found.
        free.min_by_key(|(index, part)| (part.touched(), *index)).map(|(index, _)| VolumeIndex(index))
    }

    /// Leaves a request for the privileged helper, whose path unit watches for it.
    pub fn ask_helper(&mut self, volume: VolumeIndex, ask: fn(VolumeId) -> HelperRequest) {
        let Some(part) = self.parts.get_mut(usize::from(volume.0)) else { return };
        let Some(disk) = part.disk.as_mut() else { return };
        let request = ask(disk.id);
        disk.presence = match (request, disk.presence) {
            // There is nothing to unmount, so no mount will go.
            (HelperRequest::Unmount(_), Presence::Unmounted) => {
                return self.report(volume, VolumeEvent::Unmounted);
            }
            (HelperRequest::Unmount(_), Presence::Returning | Presence::Leaving { mounted: false }) => {
                Presence::Leaving { mounted: false }
            }
            (
                HelperRequest::Unmount(_),
                Presence::Mounted | Presence::Leaving { mounted: true } | Presence::Gone,
            ) => Presence::Leaving { mounted: true },
            (HelperRequest::Mount(_), _) => Presence::Returning,
        };
        let directory = self.runtime.join("requests");
        if let Err(error) = request.leave(&directory) {
            let (what, device) = match request {
                HelperRequest::Unmount(_) => ("unmount", disk.device.clone()),
                HelperRequest::Mount(_) => ("mount", disk.device.clone()),
            };
            log::error!(VOLUME = part.name().as_str();
                "the mount helper cannot be asked to {what} it ({}: {error}); as root: holdfast volume {what} {device}",
                directory.display());
        }
    }

    /// Disks that were unmounted as asked and have been pulled since: no mount tells of it any more.
    pub fn pulled(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for (index, part) in (0u8..).zip(&mut self.parts) {
            let Some(disk) = part.disk.as_mut() else { continue };
            let away = match disk.presence {
                Presence::Unmounted | Presence::Returning | Presence::Leaving { mounted: false } => true,
                Presence::Mounted | Presence::Leaving { mounted: true } | Presence::Gone => false,
            };
            if away && !Path::new("/sys/class/block").join(&disk.device).exists() {
                disk.presence = Presence::Gone;
                part.health = None;
                events.push(Event::Volume(VolumeIndex(index), VolumeEvent::Detached));
            }
        }
        events
    }

    /// What SMART says of the disks that are there, as far as it changed since it was read last.
    pub fn health(&mut self) -> Vec<Event> {
        let directory = self.runtime.join("health");
        let mut events = Vec::new();
        for (index, part) in (0u8..).zip(&self.parts) {
            let Some(disk) = part.disk.as_ref().filter(|disk| disk.presence == Presence::Mounted) else {
                continue;
            };
            let told = match HealthReport::read(&directory, &disk.device) {
                Ok(report) => report.and_then(|report| report.health),
                Err(error) => {
                    log::debug!(VOLUME = part.name().as_str(); "its health report cannot be read: {error}");
                    None
                }
            };
            if let Some(health) = told.filter(|health| part.health != Some(*health)) {
                events.push(Event::Volume(VolumeIndex(index), VolumeEvent::Health(health)));
            }
        }
        events
    }
}
