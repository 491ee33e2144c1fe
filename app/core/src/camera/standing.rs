//! What others see of a camera: as long as that stays the same, nobody but the camera itself has to look at an event of it.

use super::{Absence, Away, Camera, Handover};
use crate::effect::Stream;
use crate::event::Failure;
use crate::link::{Link, Phase};

/// See the module.
#[derive(Debug)]
pub(crate) struct Standing {
    main: Face,
    fallback: Option<Face>,
    recorded: Stream,
    handover: Option<Handover>,
    away: Option<Away>,
    absence: Option<Absence>,
    records: bool,
    trouble: Option<Failure>,
    silent: bool,
    flaps: bool,
}

/// The same of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Face {
    phase: Phase,
    live: bool,
    owes: bool,
}

impl Camera {
    /// See [`Standing`].
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            main: Face::of(&self.main),
            fallback: self.fallback.as_ref().map(Face::of),
            recorded: self.recorded,
            handover: self.handover,
            away: self.away,
            absence: self.absence,
            records: self.progress.is_some(),
            trouble: self.trouble(),
            silent: self.is_silent(),
            flaps: self.flaps(),
        }
    }

    /// Whether it stands as it did. Asked after most events: so nothing is put together only to be compared.
    pub(crate) fn stands_as(&self, before: &Standing) -> bool {
        let Standing { main, fallback, recorded, handover, away, absence, records, trouble, silent, flaps } =
            before;
        let same_fallback = match (&self.fallback, fallback) {
            (Some(link), Some(face)) => Face::of(link) == *face,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        Face::of(&self.main) == *main
            && same_fallback
            && self.recorded == *recorded
            && self.handover == *handover
            && self.away == *away
            && self.absence == *absence
            && self.progress.is_some() == *records
            && self.trouble() == *trouble
            && self.is_silent() == *silent
            && self.flaps() == *flaps
    }
}

impl Face {
    const fn of(link: &Link) -> Self {
        Face { phase: link.phase(), live: link.live_since().is_some(), owes: link.owes() }
    }
}
