//! The world's volumes: what the shell and its disks do, and what must hold of them.

use super::{CAMERAS, Sim, TOLERANCE};
use core::time::Duration;
use holdfast_core::effect::VolumeEffect;
use holdfast_core::event::{Fault, Past, Rule, VolumeEvent, VolumeFigures};
use holdfast_core::settings::{CameraIndex, VolumeKind};
use holdfast_core::time::{Mono, Span, Wall};

pub const KINDS: [VolumeKind; 4] = [VolumeKind::Path, VolumeKind::Disk, VolumeKind::Path, VolumeKind::Disk];
pub const VOLUMES: usize = KINDS.len();

const FAULTS: [Fault; 11] = [
    Fault::Io,
    Fault::NoSpace,
    Fault::Missing,
    Fault::Stuck,
    Fault::Again,
    Fault::ReadOnly,
    Fault::Damaged,
    Fault::Foreign,
    Fault::Duplicate,
    Fault::NotMounted,
    Fault::Other(5),
];

/// The pace of attempts to open.
const PACE: Duration = Duration::from_secs(2);

/// What the shell has of a volume.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Writer {
    None,
    /// Asked for; with a thread that hangs in the way, it can only be answered `Stuck`.
    Opening {
        hangs: bool,
    },
    Ready {
        since: Mono,
        stored: bool,
    },
    Closing {
        since: Mono,
    },
}

/// How far a person's wish to have it out has come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Out {
    No,
    Closing { since: Mono },
    Unmounting { since: Mono },
    Done,
}

#[derive(Debug)]
pub struct Disk {
    pub kind: VolumeKind,
    pub writer: Writer,
    /// The core was told that it is there.
    attached: bool,
    /// An abandoned writer hangs in the kernel.
    hanging: bool,
    out: Out,
    unmount_asked: bool,
    mount_asked: bool,
    /// What the unmount that was asked for last is for: a person who wants it out, or its remount.
    for_a_person: bool,
    mounted: bool,
    /// The core was told that it is unmounted, and has asked for nothing since that could change it.
    known_unmounted: bool,
    /// Nothing of it is open since then, and so long it may stay so.
    idle: Option<(Mono, Duration)>,
    /// It was ready in this session, so what its ledger says is of this session.
    known: bool,
    /// How often it was opened, closed, abandoned, unmounted, mounted again, and pulled.
    pub tally: [usize; 6],
}

impl Disk {
    pub fn new(kind: VolumeKind) -> Self {
        Disk {
            kind,
            writer: Writer::None,
            attached: kind == VolumeKind::Path,
            hanging: false,
            out: Out::No,
            unmount_asked: false,
            mount_asked: false,
            for_a_person: false,
            mounted: kind == VolumeKind::Path,
            known_unmounted: false,
            idle: None,
            known: false,
            tally: [0; 6],
        }
    }

    pub fn is_ready(&self) -> bool {
        matches!(self.writer, Writer::Ready { .. })
    }

    /// Whether footage may be routed to it: ready, or writing out what is left before it goes.
    pub fn may_be_routed_to(&self) -> bool {
        self.is_ready() || matches!(self.writer, Writer::Closing { .. })
    }

    /// Obeys a command, after making sure that it may be given now.
    pub fn command(&mut self, v: usize, effect: &VolumeEffect, now: Mono, stopped: bool, chance: bool) {
        match effect {
            VolumeEffect::Open => {
                assert_eq!(self.writer, Writer::None, "vol{v} opened twice");
                assert!(!stopped, "vol{v} opened after stop");
                assert!(self.attached, "vol{v} opened though nothing is there");
                assert!(!self.known_unmounted, "vol{v} opened though it is not mounted");
                match self.out {
                    Out::No => {}
                    Out::Closing { since } => {
                        assert!(
                            now.since(since) >= Duration::from_secs(30),
                            "vol{v} opened while it is ejected"
                        );
                    }
                    Out::Unmounting { since } => {
                        assert!(
                            now.since(since) >= Duration::from_secs(60),
                            "vol{v} opened while it is unmounted"
                        );
                    }
                    Out::Done => panic!("vol{v} opened by itself after it was ejected"),
                }
                // What the helper was asked for may still come.
                self.out = Out::No;
                self.idle = None;
                self.writer = Writer::Opening { hangs: self.hanging };
                self.tally[0] += 1;
            }
            VolumeEffect::Close => {
                assert!(
                    matches!(self.writer, Writer::Opening { .. } | Writer::Ready { .. }),
                    "vol{v}: nothing to close"
                );
                assert!(
                    stopped || matches!(self.out, Out::Closing { .. }),
                    "vol{v} closed though nobody wants it"
                );
                self.writer = Writer::Closing { since: now };
                self.tally[1] += 1;
            }
            VolumeEffect::Abandon => {
                assert_ne!(self.writer, Writer::None, "vol{v}: nobody to abandon");
                self.hanging |= chance;
                let late =
                    matches!(self.out, Out::Closing { since } if now.since(since) >= Duration::from_secs(30));
                if late {
                    // It could not be ejected, and goes on.
                    self.out = Out::No;
                }
                self.end(now, false);
                self.tally[2] += 1;
            }
            VolumeEffect::Unmount => {
                assert_eq!(self.kind, VolumeKind::Disk, "vol{v}: a path is not ours to unmount");
                assert_eq!(self.writer, Writer::None, "vol{v} unmounted under its writer");
                assert!(!stopped || self.unmount_asked, "vol{v} unmounted after stop");
                self.unmount_asked = true;
                self.mount_asked = false;
                self.for_a_person = self.out != Out::No;
                self.known_unmounted = false;
                self.tally[3] += 1;
                if self.out == Out::No {
                    self.idle = Some((now, Duration::from_secs(10) + PACE));
                } else {
                    // Asked anew when its mount came meanwhile, it is waited for no longer.
                    if !matches!(self.out, Out::Unmounting { .. }) {
                        self.out = Out::Unmounting { since: now };
                    }
                    self.idle = None;
                }
            }
            VolumeEffect::Mount => {
                assert!(
                    self.out == Out::No && self.writer == Writer::None && !stopped,
                    "vol{v} mounted in {self:?}"
                );
                self.mount_asked = true;
                self.tally[4] += 1;
                // Anew after ten minutes, if it does not come.
                self.idle = Some((now, Duration::from_secs(60 + 600)));
            }
            VolumeEffect::Status(_) | VolumeEffect::Forecast(_) => {}
        }
    }

    /// Its writer is gone; from now on the core owes attempts.
    fn end(&mut self, now: Mono, waits_for_occasion: bool) {
        let wait = match self.writer {
            Writer::Ready { since, stored } if !stored && now.since(since) < Duration::from_secs(30) => {
                Duration::from_secs(30)
            }
            Writer::None | Writer::Opening { .. } | Writer::Ready { .. } | Writer::Closing { .. } => PACE,
        };
        let was_opening = matches!(self.writer, Writer::Opening { .. });
        self.writer = Writer::None;
        if was_opening && self.known_unmounted && self.for_a_person && self.out == Out::No {
            // What a person wanted came late.
            self.out = Out::Done;
        }
        let waits_for_occasion = waits_for_occasion && !self.known_unmounted;
        self.idle = (!waits_for_occasion && self.attached && self.out == Out::No).then_some((now, wait));
    }
}

impl Sim {
    /// What must hold of every volume after every event.
    pub fn check_disks(&self) {
        for (v, disk) in self.disks.iter().enumerate() {
            if let (Some((since, wait)), None) = (disk.idle, self.stopped) {
                let idle = self.now.mono.since(since);
                assert!(idle <= wait, "vol{v} is not tried again: {idle:?} after {wait:?}, {disk:?}");
            }
        }
        for (i, route) in self.route.iter().enumerate() {
            let lost = route.is_some_and(|v| !self.disks[v].may_be_routed_to());
            assert!(!lost || self.stopped.is_some(), "cam{i} goes to a volume that takes nothing");
        }
    }

    pub fn step_volume(&mut self, v: usize) {
        match self.rng.u32(0..100) {
            0..72 => self.step_writer(v),
            72..88 => self.step_place(v),
            88..97 => self.tell_figures(v),
            97 => self.volume(v, VolumeEvent::Exhausted { wanted: 1_000_000, protected: 7 }),
            98 => self.volume(v, VolumeEvent::Deleted { rule: Rule::Space, segments: 1, bytes: 9 }),
            _ => {
                // Facts that fit no state, or change nothing.
                let odd =
                    [VolumeEvent::WentBack, VolumeEvent::Unmounted, VolumeEvent::Closed, VolumeEvent::Ready];
                let odd = odd[self.rng.usize(0..4)].clone();
                let disk = &self.disks[v];
                if disk.writer == Writer::None && !disk.unmount_asked {
                    self.volume(v, odd);
                }
            }
        }
    }

    pub fn step_writer(&mut self, v: usize) {
        let writer = self.disks[v].writer;
        match writer {
            Writer::None if self.disks[v].hanging && self.chance(5) => {
                self.disks[v].hanging = false;
                self.volume(v, VolumeEvent::Released);
            }
            Writer::None => {}
            Writer::Opening { hangs: true } => self.fault(v, Fault::Stuck),
            Writer::Opening { hangs: false } if !self.disks[v].mounted => self.fault(v, Fault::Missing),
            Writer::Opening { hangs: false } if self.chance(30) => {
                let fault = FAULTS[self.rng.usize(0..FAULTS.len())];
                self.fault(v, fault);
            }
            Writer::Opening { hangs: false } => {
                for i in 0..CAMERAS {
                    self.tell_history(i, v);
                }
                let disk = &mut self.disks[v];
                disk.known = true;
                // It cannot be unmounted any more.
                disk.unmount_asked = false;
                disk.writer = Writer::Ready { since: self.now.mono, stored: false };
                self.volume(v, VolumeEvent::Ready);
            }
            Writer::Ready { .. } if self.chance(2) => {
                let fault = FAULTS[self.rng.usize(0..FAULTS.len())];
                self.fault(v, fault);
            }
            Writer::Ready { .. } => self.store_if_routed(v),
            Writer::Closing { .. } if self.chance(20) => self.store_if_routed(v),
            Writer::Closing { .. } if self.chance(60) => {
                self.close(v);
                self.volume(v, VolumeEvent::Closed);
            }
            Writer::Closing { .. } if self.chance(10) => self.fault(v, Fault::Io),
            Writer::Closing { .. } => {}
        }
    }

    /// Its writer ends in good order. After a change of mind the core owes the next opening at once.
    fn close(&mut self, v: usize) {
        let disk = &mut self.disks[v];
        disk.end(self.now.mono, false);
        if disk.kind == VolumeKind::Path && disk.out != Out::No {
            disk.out = Out::Done;
        }
    }

    fn fault(&mut self, v: usize, fault: Fault) {
        let now = self.now.mono;
        let disk = &mut self.disks[v];
        let anew = matches!(fault, Fault::Foreign | Fault::Duplicate) && disk.kind == VolumeKind::Disk;
        disk.end(now, anew);
        if disk.out != Out::No {
            // It goes out all the same.
            if disk.kind == VolumeKind::Path {
                disk.out = Out::Done;
            }
        }
        self.volume(v, VolumeEvent::Faulted(fault));
    }

    /// Disks come and go, and people want things.
    fn step_place(&mut self, v: usize) {
        let now = self.now.mono;
        let disk = &mut self.disks[v];
        let asked = (disk.unmount_asked, disk.mount_asked);
        match self.rng.u32(0..10) {
            0..3 if asked.0 && matches!(disk.writer, Writer::None | Writer::Opening { .. }) => {
                disk.unmount_asked = false;
                (disk.mounted, disk.known_unmounted) = (false, true);
                if disk.writer == Writer::None {
                    // However late: it is out, or the core owes the mount at once.
                    disk.out = if disk.for_a_person { Out::Done } else { Out::No };
                    disk.idle = (!disk.for_a_person).then_some((now, Duration::ZERO));
                }
                self.volume(v, VolumeEvent::Unmounted);
            }
            3 if asked.0 && disk.mounted => {
                disk.unmount_asked = false;
                if matches!(disk.out, Out::Unmounting { .. }) {
                    disk.out = Out::No;
                    disk.idle = Some((now, PACE));
                }
                self.volume(v, VolumeEvent::KeptMounted);
            }
            0..3 if asked.1 && disk.writer == Writer::None => {
                disk.mount_asked = false;
                (disk.mounted, disk.known_unmounted) = (true, false);
                disk.idle = Some((now, Duration::ZERO));
                self.volume(v, VolumeEvent::Attached);
            }
            0..4 if !disk.attached => {
                disk.attached = true;
                (disk.mounted, disk.known_unmounted) = (true, false);
                disk.out = Out::No;
                if !disk.known {
                    for i in 0..CAMERAS {
                        self.told[i][v] = self.now.wall;
                    }
                }
                self.volume(v, VolumeEvent::Attached);
            }
            4 if !disk.attached => {
                disk.known = false;
                self.volume(v, VolumeEvent::Replaced);
            }
            // Told twice, or of a path.
            4 if disk.mounted => self.volume(v, VolumeEvent::Attached),
            4 => {}
            5..7 => self.detach(v),
            7 => self.eject(v),
            8 => {
                disk.for_a_person = false;
                if disk.out != Out::No && disk.attached {
                    // The core owes an opening or a mount, as soon as what is under way is over.
                    disk.out = Out::No;
                    if disk.unmount_asked {
                        disk.idle = Some((now, Duration::from_secs(60) + PACE));
                    }
                }
                self.volume(v, VolumeEvent::Use);
            }
            _ => {}
        }
    }

    fn detach(&mut self, v: usize) {
        let now = self.now.mono;
        let disk = &mut self.disks[v];
        let was_out = matches!(disk.out, Out::Unmounting { .. } | Out::Done);
        if disk.kind == VolumeKind::Disk {
            disk.attached = false;
            (disk.mounted, disk.known_unmounted) = (false, false);
            disk.tally[5] += 1;
            disk.idle = None;
            disk.unmount_asked = false;
            disk.mount_asked = false;
            disk.out = Out::No;
        } else if !was_out {
            // The core owes `Abandon` for a writer; without one, an attempt.
            if disk.writer == Writer::None {
                disk.idle = Some((now, PACE));
            }
            if matches!(disk.out, Out::Closing { .. }) {
                disk.out = Out::Done;
            }
        }
        self.volume(v, VolumeEvent::Detached);
        assert!(self.disks[v].writer == Writer::None, "vol{v} is gone, and its writer is waited for");
    }

    fn eject(&mut self, v: usize) {
        let now = self.now.mono;
        let disk = &mut self.disks[v];
        if disk.attached && disk.out == Out::No {
            disk.idle = None;
            match (disk.writer, disk.kind) {
                (Writer::None, VolumeKind::Path) => {
                    disk.out = Out::Done;
                }
                (Writer::None, VolumeKind::Disk) => {
                    disk.out = Out::Unmounting { since: now };
                    disk.mount_asked = false;
                }
                (Writer::Opening { .. } | Writer::Ready { .. }, _) => disk.out = Out::Closing { since: now },
                // A person who changed their mind twice.
                (Writer::Closing { since }, _) => disk.out = Out::Closing { since },
            }
        }
        self.volume(v, VolumeEvent::Eject);
    }

    fn tell_figures(&mut self, v: usize) {
        if !self.disks[v].is_ready() {
            return;
        }
        let busy = if self.chance(5) { self.rng.u64(0..40) } else { 0 };
        let slowest = if self.chance(10) { self.rng.u64(0..15) } else { 0 };
        let free = if self.chance(90) { Some(self.rng.u64(0..100_000_000)) } else { None };
        let figures = VolumeFigures {
            busy: Duration::from_secs(busy),
            slowest: Duration::from_secs(slowest),
            fill: self.rng.u8(0..=100),
            free,
            total: Some(1_000_000_000),
            footage: free.map(|free| free / 2),
        };
        self.volume(v, VolumeEvent::Figures(figures));
        assert!(busy < 30 || !self.disks[v].is_ready(), "vol{v} hangs for {busy} s and is waited for");
    }

    fn tell_history(&mut self, i: usize, v: usize) {
        let disk = &self.disks[v];
        let covered_until = if disk.known {
            // Now and then a disk lost a second of what it had called durable.
            let lost = if self.chance(20) { 1_000_000 } else { 0 };
            Wall(self.told[i][v].0 - lost)
        } else if self.chance(50) {
            Wall(self.now.wall.0 - self.rng.i64(1..1_000_000_000))
        } else {
            return;
        };
        self.told[i][v] = covered_until;
        let past = [Past::Stopped, Past::Crashed, Past::PowerLost][self.rng.usize(0..3)];
        self.volume(v, VolumeEvent::History { camera: CameraIndex(i as u8), covered_until, past });
    }

    fn store_if_routed(&mut self, v: usize) {
        let i = self.rng.usize(0..CAMERAS);
        if self.route[i] == Some(v) && self.is_up(i) {
            self.store(i, v);
        }
    }

    /// The writer stores what the ring holds, or, when frames were lost, a part of it.
    fn store(&mut self, i: usize, v: usize) {
        let lost = if self.chance(10) { self.rng.i64(0..400_000) } else { 0 };
        let span = Span::new(Wall(self.ring[i].0 + lost), self.now.wall);
        if span.is_empty() {
            return;
        }
        self.ring[i] = span.to;
        let hole = span.from.micros_since(self.told[i][v]);
        if hole > 0 {
            self.hole = Some((i, v, self.told[i][v], span.from));
            self.large_holes += usize::from(hole > TOLERANCE);
        }
        self.told[i][v] = self.told[i][v].max(span.to);
        if let Writer::Ready { since, .. } = self.disks[v].writer {
            self.disks[v].writer = Writer::Ready { since, stored: true };
        }
        self.stored[v] += 1;
        let camera = CameraIndex(i as u8);
        self.volume(v, VolumeEvent::Stored { camera, span, frames: 1, bytes: 1_000_000 });
    }
}
