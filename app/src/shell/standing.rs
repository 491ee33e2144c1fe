//! Alarms whose condition holds: for the table on the terminal, and for `holdfast status`.
//!
//! Kept by what they are about, and put into words when somebody asks: a disk is called otherwise when it comes back under
//! another name, and the alarm is the same.

use holdfast_core::alarm::{AlarmNotice, AlarmState};

use super::cameras::Cameras;
use super::say;
use super::volumes::Volumes;
use crate::control::Alarm;

/// The alarms that stand. Bounded by what the core knows of at once.
#[derive(Debug, Default)]
pub(super) struct Standing(Vec<AlarmNotice>);

impl Standing {
    /// An alarm changed.
    pub fn note(&mut self, notice: &AlarmNotice) {
        self.0.retain(|standing| standing.key != notice.key);
        match notice.state {
            AlarmState::Unacknowledged | AlarmState::Acknowledged => self.0.push(notice.clone()),
            AlarmState::ReturnedUnacknowledged | AlarmState::Normal => {}
        }
    }

    /// As programs are told of them, the worst first.
    pub fn list(&self, cameras: &Cameras, volumes: &Volumes) -> Vec<Alarm> {
        let mut alarms: Vec<_> = self.0.iter().map(|notice| say::alarm(notice, cameras, volumes)).collect();
        alarms.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.text.cmp(&b.text)));
        alarms
    }

    /// Each in a line, in the same order.
    pub fn words(&self, cameras: &Cameras, volumes: &Volumes) -> Vec<String> {
        self.list(cameras, volumes).into_iter().map(|alarm| alarm.text).collect()
    }
}
