//! The appliance's side of the volumes: whom an event concerns, and what the alarms and the forecasts hear of them.

use super::{Appliance, Life};
use crate::alarm::{AlarmKey, Detail};
use crate::effect::Entry;
use crate::event::{Health, VolumeEvent};
use crate::load::Duty;
use crate::settings::VolumeIndex;
use crate::time::Now;
use crate::volume::Volume;
use crate::watch::{self, Nothing};

impl Appliance {
    pub(super) fn take_of_volume(&mut self, now: Now, index: VolumeIndex, event: VolumeEvent) {
        let place = usize::from(index.0);
        let duty = self.duty(index);
        let (Some(volume), Some(usage)) = (self.volumes.get_mut(place), self.usages.get_mut(place)) else {
            return;
        };
        let anchor = self.clock.anchor();
        match event {
            VolumeEvent::Ready => {
                if let Some((mono, fault)) = volume.ready(now.mono) {
                    let entry = Entry::VolumeFaulted { at: anchor.wall_at(mono), fault };
                    self.recording.enter(index, entry);
                }
                if volume.is_ready() {
                    self.recording.volume_ready(index);
                }
            }
            VolumeEvent::History { camera, covered_until, past } => {
                let account = (index, camera);
                self.recording.history(account, covered_until, past, volume.fault(), now.wall);
            }
            VolumeEvent::Repaired { segments: _, segment_bytes, ledger_bytes } => {
                let bytes = Detail::Bytes(segment_bytes.saturating_add(ledger_bytes));
                self.alarms.occur(now, AlarmKey::VolumeRepaired(index), bytes);
            }
            VolumeEvent::Stored { camera, span, frames: _, bytes } => {
                if volume.is_writing() {
                    volume.stored();
                    usage.stored(bytes);
                    if let Some(camera) = self.cameras.get_mut(usize::from(camera.0)) {
                        camera.stored(now.mono, span, anchor);
                    }
                    self.recording.stored(now.mono, (index, camera), span, anchor);
                }
            }
            VolumeEvent::Faulted(fault) => volume.faulted(now.mono, fault),
            VolumeEvent::Closed => volume.closed(now.mono),
            VolumeEvent::Detached => {
                volume.detached(now.mono);
                if volume.is_absent() {
                    // Whatever was wrong with the disk went with it.
                    watch::health(now, index, Health::Good, &mut self.alarms);
                }
            }
            VolumeEvent::Figures(figures) => {
                let (was_ready, was_strained) = (volume.is_ready(), volume.is_strained());
                volume.figures(now.mono, &figures, duty);
                usage.figures(figures);
                if volume.is_strained() && !was_strained {
                    self.recording.volume_strained(index);
                }
                if let (true, false, Some(fault)) = (was_ready, volume.is_ready(), volume.fault()) {
                    self.recording.volume_given_up(index, fault);
                }
            }
            VolumeEvent::Deleted { rule: _, segments: _, bytes } => {
                volume.deleted(bytes);
                usage.deleted();
            }
            VolumeEvent::Exhausted { wanted, protected: _ } => {
                volume.exhausted(wanted);
                usage.exhausted(wanted);
            }
            VolumeEvent::LedgerEnds { at } => {
                self.clock.ledger_ends(at);
                self.look_at_clocks(now);
            }
            VolumeEvent::WentBack => {
                self.alarms.occur(now, AlarmKey::VolumeWentBack(index), Detail::None);
            }
            VolumeEvent::Unmounted => volume.unmounted(now.mono),
            VolumeEvent::KeptMounted => {
                if volume.kept_mounted(now.mono) {
                    self.alarms.occur(now, AlarmKey::KeptMounted(index), Detail::None);
                }
            }
            VolumeEvent::Health(health) => watch::health(now, index, health, &mut self.alarms),
            VolumeEvent::Attached
            | VolumeEvent::Replaced
            | VolumeEvent::Released
            | VolumeEvent::Eject
            | VolumeEvent::Use => {
                // The end has begun: nothing is opened or taken out any more.
                if self.life == Life::Running {
                    self.take_of_place(now, index, &event);
                }
            }
        }
    }

    /// What brings a volume in or takes it out.
    fn take_of_place(&mut self, now: Now, index: VolumeIndex, event: &VolumeEvent) {
        let Some(volume) = self.volumes.get_mut(usize::from(index.0)) else { return };
        match event {
            VolumeEvent::Attached => {
                if volume.is_absent() {
                    self.recording.volume_attached(index, now);
                }
                volume.attached(now.mono);
            }
            VolumeEvent::Replaced => {
                if volume.is_absent() {
                    self.recording.volume_replaced(index);
                }
            }
            VolumeEvent::Released => volume.released(now.mono),
            VolumeEvent::Eject => volume.eject(now.mono),
            VolumeEvent::Use => volume.reuse(now.mono),
            VolumeEvent::Ready
            | VolumeEvent::LedgerEnds { .. }
            | VolumeEvent::History { .. }
            | VolumeEvent::Repaired { .. }
            | VolumeEvent::Stored { .. }
            | VolumeEvent::Faulted(_)
            | VolumeEvent::Closed
            | VolumeEvent::Detached
            | VolumeEvent::Figures(_)
            | VolumeEvent::Deleted { .. }
            | VolumeEvent::Exhausted { .. }
            | VolumeEvent::WentBack
            | VolumeEvent::Unmounted
            | VolumeEvent::KeptMounted
            | VolumeEvent::Health(_) => {}
        }
    }

    /// What a volume is there for now.
    fn duty(&self, index: VolumeIndex) -> Duty {
        if self.recording.target() != Some(index) {
            return Duty::Reserve;
        }
        let able = |volume: &Volume| volume.is_ready() && !volume.is_barred();
        let backed = (0u8..).zip(&self.volumes).any(|(other, volume)| other != index.0 && able(volume));
        if backed { Duty::Backed } else { Duty::Alone }
    }

    pub(super) fn look_at_volumes(&mut self, now: Now) {
        let target = self.recording.target();
        for ((index, volume), usage) in (0u8..).zip(&mut self.volumes).zip(&mut self.usages) {
            if target.is_some_and(|target| target.0 != index) {
                volume.stand_by();
            }
            if volume.is_absent() || volume.is_ejected() {
                usage.forget();
            }
            usage.advance(now.mono, volume.is_ready(), &self.promise);
        }
        self.watch.volumes(now, &self.volumes, &self.usages, &mut self.alarms);
        if self.life == Life::Running {
            // One that opens and fails again and again does not record.
            let takes = |volume: &Volume| volume.is_ready() && volume.fault().is_none();
            let nothing = match self.volumes.iter().any(takes) {
                true => Nothing::Not,
                false if self.volumes.iter().any(|volume| volume.is_hopeful(now.mono)) => Nothing::Perhaps,
                false => Nothing::Surely,
            };
            self.watch.nothing_records(now, nothing, &mut self.alarms);
        }
        self.watch.untrusted(now, !self.clock.anchor().trusted, &mut self.alarms);
    }
}
