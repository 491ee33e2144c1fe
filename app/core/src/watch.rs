//! Which conditions the alarms hear of: looks at the machines after each event, and passes changes on.

use crate::alarm::{AlarmKey, Alarms, Detail};
use crate::camera::{Camera, Condition};
use crate::event::{Failure, Fault, Health};
use crate::forecast::Usage;
use crate::network::Network;
use crate::set::CameraSet;
use crate::settings::{CameraIndex, MAX_CAMERAS, MAX_VOLUMES, VolumeIndex};
use crate::time::Now;
use crate::volume::Volume;
use core::time::Duration;
use heapless::Vec;

/// The conditions that the alarms know, so that only changes reach them.
#[derive(Debug)]
pub(crate) struct Watch {
    cameras: Vec<View, MAX_CAMERAS>,
    network: CameraSet,
    volumes: Vec<Sight, MAX_VOLUMES>,
    nothing_records: bool,
    untrusted: bool,
}

/// Whether nothing records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    /// A volume takes footage.
    Not,
    /// None does, but one may soon.
    Perhaps,
    /// None does, and none is about to.
    Surely,
}

/// A camera as the alarms know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct View {
    condition: Condition,
    trouble: Option<Failure>,
    flaps: bool,
    silent: bool,
}

impl Default for View {
    fn default() -> Self {
        View { condition: Condition::Well, trouble: None, flaps: false, silent: false }
    }
}

/// A volume as the alarms know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sight {
    fault: Option<Fault>,
    slow: bool,
    exhausted: bool,
    short: Option<Duration>,
    space_unknown: bool,
    ejected: bool,
}

impl Watch {
    /// Nothing seen yet, of this many cameras and volumes.
    pub(crate) fn new(cameras: usize, volumes: usize) -> Self {
        Watch {
            cameras: (0..cameras).map(|_| View::default()).collect(),
            network: CameraSet::default(),
            volumes: (0..volumes).map(|_| Sight::default()).collect(),
            nothing_records: false,
            untrusted: false,
        }
    }

    /// Looks at the camera at this place. `members`: those whose loss is the network's.
    pub(crate) fn camera(
        &mut self,
        now: Now,
        (place, camera): (usize, &Camera),
        members: CameraSet,
        alarms: &mut Alarms,
    ) {
        let (Ok(index), Some(shown)) = (u8::try_from(place), self.cameras.get_mut(place)) else { return };
        let condition = match camera.condition() {
            Condition::Lost(_) | Condition::OnFallback(_) if members.holds(place) => Condition::Well,
            condition => condition,
        };
        let (trouble, flaps, silent) = (camera.trouble(), camera.flaps(), camera.is_silent());
        let view = View { condition, trouble, flaps, silent };
        if *shown != view {
            shown.tell(now, CameraIndex(index), &view, alarms);
            *shown = view;
        }
    }

    /// Whether it is the network.
    pub(crate) fn network(&mut self, now: Now, network: &Network, alarms: &mut Alarms) {
        let members = network.members();
        if members == self.network {
            return;
        }
        self.network = members;
        match u8::try_from(members.count()) {
            Ok(0) | Err(_) => alarms.clear(now.mono, &AlarmKey::Network),
            Ok(cameras) => {
                let detail = Detail::Network { cameras, carrier: network.has_carrier() };
                alarms.raise(now, AlarmKey::Network, detail);
            }
        }
    }

    /// Looks at the volumes.
    pub(crate) fn volumes(&mut self, now: Now, volumes: &[Volume], usages: &[Usage], alarms: &mut Alarms) {
        for (((index, volume), usage), shown) in (0u8..).zip(volumes).zip(usages).zip(&mut self.volumes) {
            let sight = Sight {
                fault: volume.fault(),
                slow: volume.is_strained(),
                exhausted: usage.is_exhausted(),
                short: usage.short(),
                space_unknown: usage.is_space_unknown(),
                ejected: volume.is_ejected(),
            };
            if *shown != sight {
                shown.tell(now, VolumeIndex(index), &sight, alarms);
                *shown = sight;
            }
        }
    }

    /// Whether nothing records at all. A hope that comes while it is so, such as a disk that is tried once more, ends nothing.
    pub(crate) fn nothing_records(&mut self, now: Now, nothing: Nothing, alarms: &mut Alarms) {
        let nothing = match nothing {
            Nothing::Not => false,
            Nothing::Perhaps => self.nothing_records,
            Nothing::Surely => true,
        };
        if nothing != self.nothing_records {
            self.nothing_records = nothing;
            alarms.set(now, AlarmKey::NothingRecords, nothing);
        }
    }

    /// Whether the wall clock is not to be trusted.
    pub(crate) fn untrusted(&mut self, now: Now, untrusted: bool, alarms: &mut Alarms) {
        if untrusted != self.untrusted {
            self.untrusted = untrusted;
            alarms.set(now, AlarmKey::ClockUntrusted, untrusted);
        }
    }
}

impl View {
    fn tell(&self, now: Now, index: CameraIndex, seen: &View, alarms: &mut Alarms) {
        let key = |condition| match condition {
            Condition::Well => None,
            Condition::OnFallback(_) => Some(AlarmKey::CameraFallback(index)),
            Condition::Lost(_) => Some(AlarmKey::CameraLost(index)),
            Condition::Refused(_) => Some(AlarmKey::CameraAccess(index)),
        };
        if let Some(before) =
            key(self.condition).filter(|before| Some(before) != key(seen.condition).as_ref())
        {
            alarms.clear(now.mono, &before);
        }
        if let Some(key) = key(seen.condition).filter(|_| self.condition != seen.condition) {
            alarms.raise(now, key, seen.condition.detail());
        }
        let trouble =
            |trouble: Option<Failure>| trouble.map(|trouble| AlarmKey::CameraTrouble(index, trouble));
        if self.trouble != seen.trouble {
            if let Some(before) = trouble(self.trouble) {
                alarms.clear(now.mono, &before);
            }
            if let (Some(key), Some(failure)) = (trouble(seen.trouble), seen.trouble) {
                alarms.raise(now, key, Detail::Camera(failure));
            }
        }
        for (key, before, holds) in [
            (AlarmKey::CameraFlapping(index), self.flaps, seen.flaps),
            (AlarmKey::SoundLost(index), self.silent, seen.silent),
        ] {
            if before != holds {
                alarms.set(now, key, holds);
            }
        }
    }
}

impl Sight {
    fn tell(&self, now: Now, index: VolumeIndex, seen: &Sight, alarms: &mut Alarms) {
        let key = |fault: Option<Fault>| fault.map(|fault| AlarmKey::fault(index, fault));
        if let Some(before) = key(self.fault).filter(|before| Some(before) != key(seen.fault).as_ref()) {
            alarms.clear(now.mono, &before);
        }
        if let Some(fault) = seen.fault.filter(|fault| self.fault != Some(*fault)) {
            alarms.raise(now, AlarmKey::fault(index, fault), Detail::Volume(fault));
        }
        match seen.short {
            Some(holds) => {
                alarms.raise(now, AlarmKey::RetentionShort(index), Detail::Seconds(holds.as_secs()))
            }
            None => alarms.clear(now.mono, &AlarmKey::RetentionShort(index)),
        }
        for (key, before, holds) in [
            (AlarmKey::VolumeSlow(index), self.slow, seen.slow),
            (AlarmKey::VolumeExhausted(index), self.exhausted, seen.exhausted),
            (AlarmKey::SpaceUnknown(index), self.space_unknown, seen.space_unknown),
            (AlarmKey::SafeToRemove(index), self.ejected, seen.ejected),
        ] {
            if before != holds {
                alarms.set(now, key, holds);
            }
        }
    }
}

/// What SMART says of a disk: the worse alarm takes the place of the other.
pub(crate) fn health(now: Now, index: VolumeIndex, health: Health, alarms: &mut Alarms) {
    for known in [Health::Worn, Health::Failing] {
        alarms.set(now, AlarmKey::VolumeHealth(index, known), known == health);
    }
}

impl Condition {
    const fn detail(self) -> Detail {
        match self {
            Condition::Well | Condition::Lost(None) | Condition::OnFallback(None) => Detail::None,
            Condition::Lost(Some(failure))
            | Condition::OnFallback(Some(failure))
            | Condition::Refused(failure) => Detail::Camera(failure),
        }
    }
}
