//! One place for a volume: its disks, its writer, the mount helper; and which commands may be given when.
//!
//! Words: a **medium** is what carries a ledger, whatever place it is in; **out** is how far a person's wish to have it out
//! has come; it is **idle** while nothing of it is open, and may be so for a while only.

use crate::agenda::{At, secs};
use crate::book::Book;
use crate::shelf::Shelf;
use crate::trace::{Traces, earlier};
use core::time::Duration;
use holdfast_core::effect::VolumeEffect;
use holdfast_core::event::{Cause, Fault, Health, Past};
use holdfast_core::retention::{Cleaner, Rules};
use holdfast_core::settings::VolumeKind;
use holdfast_core::time::Wall;

/// The pace of attempts to open.
const PACE: Duration = secs(2);

/// So long a volume that opens and fails in use again and again may wait.
const LONGEST_CYCLE: Duration = secs(30);

/// What is wrong with a place or its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// It cannot be opened, and fails in use, so.
    Fails(Fault),
    /// Calls to it do not return.
    Hangs,
    /// It takes footage more slowly than it comes.
    Slow,
    /// Its filesystem does not tell its figures.
    Blind,
    /// What SMART says.
    Sick(u8),
    /// Somebody else has files open on it.
    Busy,
}

/// The shell's writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// None.
    None,
    /// Asked for. With a thread that hangs in the way it can only be answered `Stuck`.
    Opening,
    /// It takes footage.
    Ready {
        /// Since when.
        since: At,
        /// Something became durable.
        stored: bool,
    },
    /// It writes out what is left.
    Closing,
}

/// How far a person's wish has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Out {
    /// Nobody wants it out.
    No,
    /// It is being closed since then.
    Closing(At),
    /// It is being unmounted since then.
    Unmounting(At),
    /// It is out.
    Done,
}

/// See the module.
#[derive(Debug)]
pub struct Medium {
    /// What its ledger must have been told, by camera.
    pub books: Vec<Book>,
    /// Its segments.
    pub shelf: Shelf,
    /// It was opened before.
    pub used: bool,
    /// How the session that wrote it last ended; of this session while `None`.
    pub past: Option<Past>,
    /// Steps of the clock that its ledger tells of.
    pub steps: Vec<(Wall, i64)>,
    /// The clock was set where its ledger could not tell of it: ages of its footage are no certainty.
    pub doubtful: bool,
    /// The end of its ledger by a trusted clock.
    pub ends: Option<Wall>,
    /// Something may be torn.
    pub torn: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Place {
    /// A path, or a slot.
    pub kind: VolumeKind,
    /// The disks that come to it.
    pub media: Vec<Medium>,
    /// The one that is, or was last, in it.
    pub medium: usize,
    /// It is plugged in.
    pub plugged: bool,
    /// The core was told that it is there.
    pub attached: bool,
    /// What is wrong.
    pub flaws: Vec<(u32, Flaw)>,
    /// The writer.
    pub writer: Writer,
    /// Its cleaner, while it is open.
    pub cleaner: Cleaner,
    /// Of the writer, for what is planned of it.
    pub life: u32,
    /// An abandoned writer hangs.
    pub hanging: bool,
    /// How far a person's wish has come.
    pub out: Out,
    /// The helper was asked to.
    pub unmount_asked: bool,
    /// The helper was asked to.
    pub mount_asked: bool,
    /// Of the helper.
    pub errand: u32,
    for_a_person: bool,
    /// When its writer was told to close last.
    closing: At,
    /// When it was told to open last.
    pub opening: At,
    /// It is mounted.
    pub mounted: bool,
    /// The core knows that it is not mounted.
    pub known_unmounted: bool,
    /// Nothing of it is open since then, and so long it may stay so.
    pub idle: Option<(At, Duration)>,
    /// It was ready in this session.
    pub known: bool,
    /// A call to the disk is under way since then.
    pub busy: Option<At>,
    /// Why it took no footage, and when.
    pub causes: Traces,
    /// The newest fault that the core was told of or must have seen, until it proved itself.
    pub trouble: Option<(Fault, At)>,
    /// Since when it is ready and well.
    pub well: Option<At>,
    /// Since when it is out.
    pub ejected: Option<At>,
    /// What SMART said last.
    pub health: Health,
    /// When it said so.
    pub diagnosed: At,
    /// When its troubles with slowness ended.
    pub strained: Option<At>,
    /// Since when its figures have not been told.
    pub blind: Option<At>,
    /// When footage became durable on it last.
    pub proven: Option<At>,
    /// Which fault it has was the core's to say, since then.
    pub doubt: Option<At>,
}

impl Place {
    /// A place with these disks; the first one is in it.
    pub fn new(kind: VolumeKind, media: Vec<Medium>) -> Self {
        let path = kind == VolumeKind::Path;
        Place {
            kind,
            media,
            medium: 0,
            plugged: true,
            attached: path,
            flaws: Vec::new(),
            writer: Writer::None,
            cleaner: Cleaner::new(Rules::DEFAULT),
            life: 0,
            hanging: false,
            out: Out::No,
            unmount_asked: false,
            mount_asked: false,
            errand: 0,
            for_a_person: false,
            closing: At::default(),
            opening: At::default(),
            mounted: path,
            known_unmounted: false,
            idle: None,
            known: false,
            busy: None,
            causes: Traces::default(),
            trouble: None,
            well: None,
            ejected: None,
            health: Health::Good,
            diagnosed: At::default(),
            strained: None,
            blind: None,
            doubt: None,
            proven: None,
        }
    }

    /// The disk in it.
    pub fn disk(&mut self) -> &mut Medium {
        &mut self.media[self.medium]
    }

    /// Whether it takes footage.
    pub const fn is_ready(&self) -> bool {
        matches!(self.writer, Writer::Ready { .. })
    }

    /// Whether footage may go to it: ready, or writing out what is left.
    pub const fn may_take(&self) -> bool {
        matches!(self.writer, Writer::Ready { .. } | Writer::Closing)
    }

    /// The core is told of this fault. `was_ready`: of one that had taken footage, or could have.
    pub fn fails_with(&mut self, fault: Fault, was_ready: bool, at: At) {
        // What the rings held by then is not stored either.
        self.causes.of(Cause::Volume(fault)).begin(earlier(at, secs(30)));
        if self.out == Out::No && !self.known_unmounted {
            let same = self.trouble.filter(|(before, _)| *before == fault && !was_ready);
            let since = same.map_or(at, |(_, since)| since);
            self.trouble = Some((fault, since));
        } else {
            self.doubt = Some(at);
        }
    }

    /// Footage became durable on it.
    pub fn proves(&mut self, at: At) {
        if let Writer::Ready { since, .. } = self.writer {
            self.writer = Writer::Ready { since, stored: true };
            self.trouble = None;
            self.doubt = None;
            self.proven = Some(at);
            self.causes.end(at);
        }
    }

    /// Whether it has that flaw.
    pub fn has(&self, what: impl Fn(Flaw) -> bool) -> bool {
        self.flaws.iter().any(|(_, flaw)| what(*flaw))
    }

    /// How it fails, if it does.
    pub fn fails(&self) -> Option<Fault> {
        if !self.plugged || !self.mounted {
            return Some(Fault::Missing);
        }
        self.flaws.iter().find_map(|(_, flaw)| match flaw {
            Flaw::Fails(fault) => Some(*fault),
            Flaw::Hangs | Flaw::Slow | Flaw::Blind | Flaw::Sick(_) | Flaw::Busy => None,
        })
    }

    /// Obeys a command, or says why it must not be given now.
    pub fn command(&mut self, effect: &VolumeEffect, now: At, stopped: bool) -> Result<(), String> {
        let wrong = |holds: bool, text: &str| if holds { Ok(()) } else { Err(text.to_owned()) };
        match effect {
            VolumeEffect::Open => {
                wrong(self.writer == Writer::None, "opened twice")?;
                wrong(!stopped, "opened after stop")?;
                wrong(self.attached, "opened though nothing is there")?;
                wrong(!self.known_unmounted, "opened though it is not mounted")?;
                match self.out {
                    Out::No => {}
                    Out::Closing(since) => {
                        wrong(now.since(since) >= secs(30), "opened while it is being ejected")?;
                    }
                    Out::Unmounting(since) => {
                        wrong(now.since(since) >= secs(60), "opened while it is being unmounted")?;
                        // Since the helper has not answered, that is what is wrong with it by now.
                        (self.trouble, self.doubt) = (None, Some(now));
                    }
                    Out::Done => wrong(false, "opened by itself after it was ejected")?,
                }
                self.out = Out::No;
                self.ejected = None;
                self.idle = None;
                self.writer = Writer::Opening;
                self.life += 1;
            }
            VolumeEffect::Close => {
                let open = matches!(self.writer, Writer::Opening | Writer::Ready { .. });
                wrong(open, "nothing to close")?;
                wrong(stopped || matches!(self.out, Out::Closing(_)), "closed though nobody wants it")?;
                self.writer = Writer::Closing;
                self.closing = now;
                // Whether it had proved itself the core knows.
                (self.well, self.trouble, self.doubt) = (None, None, Some(now));
                self.life += 1;
            }
            VolumeEffect::Abandon => {
                wrong(self.writer != Writer::None, "nobody to abandon")?;
                self.hanging |= self.has(|flaw| flaw == Flaw::Hangs);
                if matches!(self.out, Out::Closing(since) if now.since(since) >= secs(30)) {
                    self.out = Out::No;
                }
                self.end(now, false);
            }
            VolumeEffect::Unmount => {
                wrong(self.kind == VolumeKind::Disk, "a path is not ours to unmount")?;
                wrong(self.writer == Writer::None, "unmounted under its writer")?;
                wrong(!stopped || self.unmount_asked, "unmounted after stop")?;
                self.unmount_asked = true;
                self.mount_asked = false;
                self.errand += 1;
                self.for_a_person = self.out != Out::No;
                self.known_unmounted = false;
                if self.out == Out::No {
                    self.idle = Some((now, secs(10) + PACE));
                } else {
                    if !matches!(self.out, Out::Unmounting(_)) {
                        self.out = Out::Unmounting(now);
                    }
                    self.idle = None;
                }
            }
            VolumeEffect::Mount => {
                let free = self.out == Out::No && self.writer == Writer::None && !stopped;
                wrong(free, "mounted while it is in use, ejected or after stop")?;
                self.mount_asked = true;
                self.errand += 1;
                self.idle = Some((now, secs(60 + 600)));
            }
            VolumeEffect::Status(_) | VolumeEffect::Forecast(_) => {}
        }
        Ok(())
    }

    /// The writer is gone. From now on the core owes attempts, unless it may wait for an occasion.
    pub fn end(&mut self, now: At, waits_for_occasion: bool) {
        let wait = match self.writer {
            Writer::Ready { since, stored } if !stored && now.since(since) < LONGEST_CYCLE => LONGEST_CYCLE,
            Writer::None | Writer::Opening | Writer::Ready { .. } | Writer::Closing => PACE,
        };
        let was_opening = self.writer == Writer::Opening;
        self.writer = Writer::None;
        self.life += 1;
        self.busy = None;
        self.well = None;
        if was_opening && self.known_unmounted && self.for_a_person && self.out == Out::No {
            self.goes_out(now);
        }
        let waits = waits_for_occasion && !self.known_unmounted;
        self.idle = (!waits && self.attached && self.out == Out::No).then_some((now, wait));
    }

    /// What a person wanted is done.
    pub fn goes_out(&mut self, now: At) {
        self.out = Out::Done;
        self.ejected = Some(now);
        self.trouble = None;
        self.idle = None;
    }

    /// The writer has let go of it, and it was to go out: a path is out then.
    pub fn let_go(&mut self, now: At) {
        self.end(now, false);
        if self.kind == VolumeKind::Path && self.out != Out::No {
            self.goes_out(now);
        }
    }

    /// The helper's unmount is done. Gives nothing to do for the world, but the core knows.
    pub fn unmounted(&mut self, now: At) {
        self.unmount_asked = false;
        (self.mounted, self.known_unmounted) = (false, true);
        if self.writer == Writer::None {
            if self.for_a_person {
                self.goes_out(now);
            } else {
                self.out = Out::No;
                self.idle = Some((now, Duration::ZERO));
            }
        }
    }

    /// The helper could not unmount it.
    pub fn kept_mounted(&mut self, now: At) {
        self.unmount_asked = false;
        if matches!(self.out, Out::Unmounting(_)) {
            self.out = Out::No;
            self.idle = Some((now, PACE));
        } else if self.writer == Writer::None && self.out == Out::No {
            self.idle = Some((now, PACE));
        }
    }

    /// The helper has mounted it, or it came.
    pub fn comes(&mut self, now: At) {
        self.mount_asked = false;
        if !self.attached {
            self.attached = true;
            self.out = Out::No;
            self.ejected = None;
        }
        (self.mounted, self.known_unmounted) = (true, false);
        if self.writer == Writer::None && self.out == Out::No && !self.unmount_asked {
            self.idle = Some((now, Duration::ZERO));
        }
    }

    /// Its device is gone.
    pub fn goes(&mut self, now: At) {
        let was_out = matches!(self.out, Out::Unmounting(_) | Out::Done);
        if self.kind == VolumeKind::Disk {
            self.attached = false;
            (self.mounted, self.known_unmounted) = (false, false);
            self.idle = None;
            (self.unmount_asked, self.mount_asked) = (false, false);
            self.errand += 1;
            self.out = Out::No;
            self.ejected = None;
        } else if !was_out {
            if self.writer == Writer::None {
                self.idle = Some((now, PACE));
            }
            if matches!(self.out, Out::Closing(_)) {
                self.goes_out(now);
            }
        }
    }

    /// A person wants it out.
    pub fn eject(&mut self, now: At) {
        if !self.attached || self.out != Out::No {
            return;
        }
        self.idle = None;
        self.out = match (self.writer, self.kind) {
            (Writer::None, VolumeKind::Path) => return self.goes_out(now),
            (Writer::None, VolumeKind::Disk) => {
                self.mount_asked = false;
                Out::Unmounting(now)
            }
            (Writer::Opening | Writer::Ready { .. }, _) => Out::Closing(now),
            // They changed their mind twice: it is waited for since the first time.
            (Writer::Closing, _) => Out::Closing(self.closing),
        };
    }

    /// A person wants it to be used.
    pub fn reuse(&mut self, now: At) {
        self.for_a_person = false;
        if self.out != Out::No && self.attached {
            self.out = Out::No;
            self.ejected = None;
            self.idle = match (self.unmount_asked, self.writer) {
                (true, _) => Some((now, secs(60) + PACE)),
                (false, Writer::None) => Some((now, PACE)),
                (false, Writer::Opening | Writer::Ready { .. } | Writer::Closing) => self.idle,
            };
        }
    }

    /// The recorder died or ended. `power`: and the machine with it.
    pub fn dies(&mut self, now: At, past: Past) {
        if self.known && self.writer != Writer::None && past != Past::Stopped {
            self.disk().torn = true;
        }
        for medium in &mut self.media {
            if medium.past.is_none() {
                medium.past = Some(past);
            }
        }
        self.writer = Writer::None;
        self.life += 1;
        self.errand += 1;
        self.hanging = false;
        (self.out, self.ejected) = (Out::No, None);
        (self.unmount_asked, self.mount_asked, self.for_a_person) = (false, false, false);
        self.known_unmounted = false;
        self.idle = None;
        self.known = false;
        self.busy = None;
        (self.trouble, self.doubt, self.proven, self.blind) = (None, None, None, None);
        self.well = None;
        self.health = Health::Good;
        self.diagnosed = now;
        self.attached = self.kind == VolumeKind::Path;
        self.mounted = self.kind == VolumeKind::Path && self.plugged;
    }
}
