//! Alarms whose condition holds: for the table on the terminal, and for `holdfast status`.
//!
//! Kept by what they are about, and put into words when somebody asks: a disk is called otherwise when it comes back under
//! another name, and the alarm is the same.

use holdfast_core::alarm::{AlarmNotice, AlarmState};

use super::cameras::Cameras;
use super::say;
use super::volumes::Volumes;

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

    /// Each in a line, the worst first.
    pub fn words(&self, cameras: &Cameras, volumes: &Volumes) -> Vec<String> {
        let line = |notice: &AlarmNotice| (notice.severity, say::alarm_line(notice, cameras, volumes));
        let mut lines: Vec<_> = self.0.iter().map(line).collect();
        lines.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        lines.into_iter().map(|(_, line)| line).collect()
    }
}
