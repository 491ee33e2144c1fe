//! Which volume takes the footage, and the account of what is missing where.
//!
//! Words: the **target** is the volume that takes the footage of all cameras now; a volume is **preferred** over
//! those after it in the settings.
//!
//! Routing: the first ready volume in order, one that is barred (was full, was too slow) after all others. When the target
//! fails, the next ready one takes over at once; a preferred one that comes back has to be ready for 30 s first, or a loose plug
//! would cut footage to pieces. A target that is ejected keeps the footage until it is closed, unless another one is ready.
//!
//! Accounts: one for each camera and volume (see [`crate::account`]), since a disk has to tell the truth by itself when
//! it is taken elsewhere. Why footage is missing on a volume is, in this order: it goes to another volume; the
//! camera gives none; the volume failed; the ring dropped it; frames were lost.

use crate::account::Account;
use crate::camera::Camera;
use crate::clock::mono_at;
use crate::effect::{Effect, Entry};
use crate::event::{Cause, Fault, Past};
use crate::set::CameraSet;
use crate::settings::{CameraIndex, MAX_CAMERAS, MAX_VOLUMES, VolumeIndex};
use crate::time::{Anchor, Mono, Now, Span, Wall};
use crate::volume::{PROVEN, Volume};
use crate::waits::Waits;
use heapless::{Deque, Vec};

/// Most entries that wait to be polled. One event makes four gaps at most (a fragment closes one hole of one
/// camera), or one entry of a volume's fault; with it may come a clock step, one entry for each volume.
pub(crate) const MAX_ENTRIES: usize = 16;
const _: () = assert!(crate::account::MAX_POINTS + MAX_VOLUMES < MAX_ENTRIES);

/// See the module.
#[derive(Debug)]
pub(crate) struct Recording {
    waits: Waits,
    target: Option<VolumeIndex>,
    cameras: Vec<Books, MAX_CAMERAS>,
    volumes: Vec<Known, MAX_VOLUMES>,
    /// The cameras of which a ledger may have to be told something.
    fresh: CameraSet,
    /// The target that the shell was told of, for every camera.
    told: Option<VolumeIndex>,
    entries: Deque<(VolumeIndex, Entry), MAX_ENTRIES>,
}

/// The accounts of one camera.
#[derive(Debug)]
struct Books {
    /// The target that the shell was told of.
    told: Option<VolumeIndex>,
    /// The target, once it holds footage of this camera.
    delivering: Option<VolumeIndex>,
    accounts: Vec<Account, MAX_VOLUMES>,
}

/// What is known of a volume.
#[derive(Debug)]
struct Known {
    acquaintance: Acquaintance,
    /// Corrections of time that its ledger has not been told of.
    corrections: Deque<(Span, i64), MAX_CORRECTIONS>,
}

/// Most corrections that wait for a volume to be ready: the time becomes known once, and a clock that is set by hand
/// before takes two or three attempts. The oldest make room for newer ones.
const MAX_CORRECTIONS: usize = 4;

/// Whether a volume was ready in this session: then what its ledger says is not of another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acquaintance {
    New,
    Known,
}

impl Recording {
    /// Accounts that begin at `now`, for this many cameras and volumes.
    pub(crate) fn new(now: Now, (cameras, volumes): (usize, usize), waits: Waits) -> Self {
        let books = || Books {
            told: None,
            delivering: None,
            accounts: (0..volumes).map(|_| Account::new(now.mono, now.wall, waits)).collect(),
        };
        Recording {
            waits,
            target: None,
            fresh: CameraSet::ALL,
            told: None,
            cameras: (0..cameras).map(|_| books()).collect(),
            volumes: (0..volumes)
                .map(|_| Known { acquaintance: Acquaintance::New, corrections: Deque::new() })
                .collect(),
            entries: Deque::new(),
        }
    }

    /// How long footage may be on its way.
    pub(crate) const fn waits(&self) -> Waits {
        self.waits
    }

    /// The volume that takes footage now.
    pub(crate) const fn target(&self) -> Option<VolumeIndex> {
        self.target
    }

    /// What the ledger of a volume says of a camera: of another session, or, when the volume is opened again
    /// after `fault` or in good order, of this one.
    pub(crate) fn history(
        &mut self,
        (volume, camera): (VolumeIndex, CameraIndex),
        until: Wall,
        past: Past,
        fault: Option<Fault>,
        now: Wall,
    ) {
        let known = self.volumes.get(usize::from(volume.0)).map(|known| known.acquaintance);
        let Some(account) = self.account(camera, volume) else { return };
        match (known, fault) {
            (Some(Acquaintance::New), _) => account.remember(
                until,
                match past {
                    Past::Stopped => Cause::Stopped,
                    Past::Crashed => Cause::Crashed,
                    Past::PowerLost => Cause::PowerLost,
                    Past::OutOfMemory => Cause::OutOfMemory,
                },
            ),
            (Some(Acquaintance::Known), Some(fault)) => account.correct(until.min(now), Cause::Volume(fault)),
            // It left in good order, and came back with less: nobody knows why.
            (Some(Acquaintance::Known), None) => account.correct(until.min(now), Cause::Unknown),
            (None, _) => {}
        }
    }

    /// A volume takes footage.
    pub(crate) fn volume_ready(&mut self, volume: VolumeIndex) {
        if let Some(known) = self.volumes.get_mut(usize::from(volume.0)) {
            known.acquaintance = Acquaintance::Known;
        }
        // What had to wait for it.
        self.fresh = CameraSet::ALL;
    }

    /// A disk came to this place: unless one was known there before, what is owed to it begins now.
    pub(crate) fn volume_attached(&mut self, volume: VolumeIndex, now: Now) {
        let known = self.volumes.get(usize::from(volume.0));
        if known.is_none_or(|known| known.acquaintance != Acquaintance::New) {
            return;
        }
        let waits = self.waits;
        for account in self.accounts_of(volume) {
            *account = Account::new(now.mono, now.wall, waits);
        }
    }

    /// What comes to this place next is another volume.
    pub(crate) fn volume_replaced(&mut self, volume: VolumeIndex) {
        if let Some(known) = self.volumes.get_mut(usize::from(volume.0)) {
            *known = Known { acquaintance: Acquaintance::New, corrections: Deque::new() };
        }
    }

    /// A volume is seen to be too slow: what rings before it dropped until then, small ones perhaps in the seconds that
    /// seeing it takes, was dropped for that.
    pub(crate) fn volume_strained(&mut self, volume: VolumeIndex) {
        self.recast(volume, Cause::RingOverflow, Fault::TooSlow);
    }

    /// A volume is waited for no longer, for this fault: what had been laid to its rings, and, if it does not answer at
    /// all, to its being slow, was that.
    pub(crate) fn volume_given_up(&mut self, volume: VolumeIndex, fault: Fault) {
        self.recast(volume, Cause::RingOverflow, fault);
        if fault == Fault::Stuck {
            self.recast(volume, Cause::Volume(Fault::TooSlow), fault);
        }
    }

    fn recast(&mut self, volume: VolumeIndex, before: Cause, fault: Fault) {
        self.accounts_of(volume).for_each(|account| account.recast(before, fault));
    }

    /// Footage became durable on a volume.
    pub(crate) fn stored(
        &mut self,
        now: Mono,
        (volume, camera): (VolumeIndex, CameraIndex),
        span: Span,
        anchor: &Anchor,
    ) {
        let is_target = self.target == Some(volume);
        let Some(books) = self.cameras.get_mut(usize::from(camera.0)) else { return };
        let Some(account) = books.accounts.get_mut(usize::from(volume.0)) else { return };
        let entries = &mut self.entries;
        account.stored(now, span, anchor, |span, cause| {
            // Room for one event's entries is proven at `MAX_ENTRIES`.
            let _ = entries.push_back((volume, Entry::Gap { camera, span, cause }));
        });
        if account.has_news() {
            self.fresh = self.fresh.with(usize::from(camera.0));
        }
        if is_target && books.delivering != Some(volume) {
            books.delivering = Some(volume);
            self.fresh = self.fresh.with(usize::from(camera.0));
            let since = mono_at(anchor, span.from);
            for (index, other) in books.accounts.iter_mut().enumerate() {
                if index != usize::from(volume.0) {
                    other.stand(since, Some(Cause::OnAnotherVolume));
                }
            }
        }
    }

    /// The ring dropped footage of a camera. Where a lasting cause was known by then, that one is why it was full; else what
    /// keeps the target from emptying it, or, while there is none, each volume from being that.
    pub(crate) fn dropped(
        &mut self,
        now: Mono,
        camera: CameraIndex,
        span: Span,
        volumes: &[Volume],
        anchor: &Anchor,
    ) {
        let target = self.target.map(|target| usize::from(target.0));
        let Some(books) = self.cameras.get_mut(usize::from(camera.0)) else { return };
        self.fresh = self.fresh.with(usize::from(camera.0));
        for (index, (account, volume)) in books.accounts.iter_mut().zip(volumes).enumerate() {
            let cause = match target {
                Some(target) if target == index => volume.hindrance(now).map(Cause::Volume),
                // A volume that the footage just left lacks it too, and may be the next to take it, though not for its own fault.
                Some(_) => None,
                None => volume.cause(),
            };
            let since = mono_at(anchor, span.from);
            account.dropped(since, cause.unwrap_or(Cause::RingOverflow), target == Some(index));
        }
    }

    /// The wall clock was set by this many microseconds.
    pub(crate) fn clock_set(&mut self, now: Mono, by: i64) {
        let accounts = self.cameras.iter_mut().flat_map(|books| &mut books.accounts);
        accounts.for_each(|account| account.clock_set(now, by));
    }

    /// What was recorded in the times `known`, while the clock was not trusted, happened so much later: the ledger of every
    /// volume that was in use in this session is to say so.
    pub(crate) fn time_corrected(&mut self, now: Mono, known: Span, by: i64) {
        self.fresh = CameraSet::ALL;
        let accounts = self.cameras.iter_mut().flat_map(|books| &mut books.accounts);
        accounts.for_each(|account| account.time_corrected(now, known, by));
        for volume in &mut self.volumes {
            if volume.acquaintance == Acquaintance::Known {
                if volume.corrections.is_full() {
                    volume.corrections.pop_front();
                }
                // There is room: it was made just now.
                let _ = volume.corrections.push_back((known, by));
            }
        }
    }

    /// Puts an entry of the volume itself into its ledger.
    pub(crate) fn enter(&mut self, volume: VolumeIndex, entry: Entry) {
        // Room for one event's entries is proven at `MAX_ENTRIES`.
        let _ = self.entries.push_back((volume, entry));
    }

    /// Chooses the target; true if the one before can take no more.
    pub(crate) fn choose(&mut self, now: Mono, volumes: &[Volume]) -> bool {
        let is = |index: VolumeIndex, what: fn(&Volume) -> bool| {
            volumes.get(usize::from(index.0)).is_some_and(what)
        };
        let ready = |proven: bool| {
            let ready = (0u8..).zip(volumes).filter(|(_, volume)| {
                volume.ready_since().is_some_and(|since| !proven || now.since(since) >= PROVEN)
            });
            ready.map(|(index, _)| VolumeIndex(index)).min_by_key(|index| rank(*index, volumes))
        };
        let current = self.target.filter(|target| is(*target, Volume::is_ready));
        let leaving = self.target.filter(|target| is(*target, Volume::is_leaving));
        let target = match current {
            Some(current) => {
                let better = |index: &VolumeIndex| rank(*index, volumes) < rank(current, volumes);
                ready(true).filter(better).or(Some(current))
            }
            None => ready(false).or(leaving),
        };
        let lost = self.target.is_some() && current.is_none() && (leaving.is_none() || target != leaving);
        if target != self.target {
            self.target = target;
            for books in &mut self.cameras {
                books.delivering = None;
                books.accounts.iter_mut().for_each(Account::left);
            }
        }
        lost
    }

    /// When a preferred volume will have proved itself.
    pub(crate) fn deadline(&self, volumes: &[Volume]) -> Option<Mono> {
        let target = self.target?;
        let better = (0u8..)
            .zip(volumes)
            .filter(|(index, _)| rank(VolumeIndex(*index), volumes) < rank(target, volumes));
        better.filter_map(|(_, volume)| volume.ready_since()).map(|since| since + PROVEN).min()
    }

    /// Brings the standing causes of the accounts of the camera at this place up to date.
    pub(crate) fn follow(&mut self, now: Mono, (place, camera): (usize, &Camera), volumes: &[Volume]) {
        if let Some(books) = self.cameras.get_mut(place) {
            let absence = camera.absence();
            for ((index, account), volume) in (0u8..).zip(&mut books.accounts).zip(volumes) {
                if !volume.is_ready() {
                    // What its ledger was told may not have reached it.
                    account.tell_again();
                }
                let elsewhere = books.delivering.is_some_and(|delivering| delivering.0 != index);
                let stays = account.standing() == Some(Cause::OnAnotherVolume);
                let (since, cause) = match (absence, volume.cause()) {
                    // A camera that is away for a while takes no place in the account of a volume that it is not recorded to; one
                    // that is away when that account begins gives nothing to any.
                    _ if elsewhere && (stays || absence.is_none()) => (now, Some(Cause::OnAnotherVolume)),
                    (Some(absence), _) => (absence.since, Some(absence.cause)),
                    (None, cause) => (now, cause),
                };
                if account.standing() != cause {
                    self.fresh = self.fresh.with(place);
                }
                account.stand(since, cause);
            }
        }
    }

    /// The volume that holds footage of the camera at this place by now, if it is the target.
    pub(crate) fn delivering(&self, place: usize) -> Option<VolumeIndex> {
        self.cameras.get(place).and_then(|books| books.delivering)
    }

    /// Whether entries wait to be polled.
    pub(crate) fn has_entries(&self) -> bool {
        !self.entries.is_empty()
    }

    /// The next entry for a ledger. A volume in reserve is told too why it holds nothing: it may be read, or
    /// never be used again, before footage closes the gap.
    pub(crate) fn poll_entry(&mut self, volumes: &[Volume], anchor: &Anchor) -> Option<Effect> {
        // Corrections first: what comes after them is in the right time.
        for ((index, known), volume) in (0u8..).zip(&mut self.volumes).zip(volumes) {
            let correction = if volume.is_ready() { known.corrections.pop_front() } else { None };
            if let Some((Span { from, to }, by_micros)) = correction {
                let entry = Entry::TimeCorrected { from, to, by_micros };
                return Some(Effect::Account(VolumeIndex(index), entry));
            }
        }
        if let Some((volume, entry)) = self.entries.pop_front() {
            return Some(Effect::Account(volume, entry));
        }
        self.fresh.places(self.cameras.len()).find_map(|place| self.poll_account(place, volumes, anchor))
    }

    /// The next entry that the camera at this place alone has brought.
    pub(crate) fn poll_entry_of(
        &mut self,
        place: usize,
        volumes: &[Volume],
        anchor: &Anchor,
    ) -> Option<Effect> {
        if let Some((volume, entry)) = self.entries.pop_front() {
            return Some(Effect::Account(volume, entry));
        }
        self.poll_account(place, volumes, anchor)
    }

    fn poll_account(&mut self, place: usize, volumes: &[Volume], anchor: &Anchor) -> Option<Effect> {
        let camera = CameraIndex(u8::try_from(place).ok()?);
        if !self.fresh.holds(place) {
            return None;
        }
        let books = self.cameras.get_mut(place)?;
        for ((index, account), volume) in (0u8..).zip(&mut books.accounts).zip(volumes) {
            if !volume.is_ready() {
                continue;
            }
            if let Some((span, cause)) = account.poll_late() {
                return Some(Effect::Account(VolumeIndex(index), Entry::Gap { camera, span, cause }));
            }
            if let Some((from, cause)) = account.poll_opened(anchor) {
                return Some(Effect::Account(VolumeIndex(index), Entry::GapOpened { camera, from, cause }));
            }
        }
        self.fresh = self.fresh.without(place);
        None
    }

    /// The next camera whose route the shell does not know.
    pub(crate) fn poll_route(&mut self) -> Option<Effect> {
        let to = self.target;
        if self.told == to {
            return None;
        }
        let untold = (0u8..).zip(&mut self.cameras).find(|(_, books)| books.told != to);
        let Some((index, books)) = untold else {
            self.told = to;
            return None;
        };
        books.told = to;
        Some(Effect::Route { camera: CameraIndex(index), to })
    }

    /// An account that is about to change.
    fn account(&mut self, camera: CameraIndex, volume: VolumeIndex) -> Option<&mut Account> {
        let books = self.cameras.get_mut(usize::from(camera.0))?;
        self.fresh = self.fresh.with(usize::from(camera.0));
        books.accounts.get_mut(usize::from(volume.0))
    }

    /// Those of one volume, about to change.
    fn accounts_of(&mut self, volume: VolumeIndex) -> impl Iterator<Item = &mut Account> {
        self.fresh = CameraSet::ALL;
        self.cameras.iter_mut().filter_map(move |books| books.accounts.get_mut(usize::from(volume.0)))
    }
}

/// The order in which volumes are preferred.
fn rank(index: VolumeIndex, volumes: &[Volume]) -> (bool, VolumeIndex) {
    (volumes.get(usize::from(index.0)).is_none_or(Volume::is_barred), index)
}
