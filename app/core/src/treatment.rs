//! What is done about each fault of a volume: one table, [`treatment`].
//!
//! Words: the **pace** is the wait between two attempts to open; the **first** wait is that of a volume that had
//! proved itself before it failed; to **remount** is to have a disk unmounted, checked and mounted again.
//!
//! An attempt to open is cheap and local, and nothing is written by one that fails, so every volume that time can
//! mend is tried each 2 s for ever: within the 3 s of the promise. Only one that opens and then fails in use waits
//! longer each time (`volume/retry.rs`), since each such cycle leaves files behind.

use crate::alarm::{Latch, Severity};
use crate::event::Fault;
use core::time::Duration;

/// Between attempts to open. With the opening itself, a mended volume records within 3 s.
pub(crate) const PACE: Duration = Duration::from_secs(2);

/// A fault that may be over when it is seen is answered after this: longer than a burst of interrupts takes, short
/// against the second of footage that is written at once.
const AT_ONCE: Duration = Duration::from_millis(250);

/// Long enough for two attempts: a fault that is over by then was not worth a person's attention.
pub(crate) const PASSING: Duration = Duration::from_secs(3);

/// How a fault is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Treatment {
    /// The wait before the first attempt after the volume had proved itself.
    pub first: Duration,
    /// What the attempts after that wait for.
    pub again: Again,
    /// Whether a disk (not a path) is remounted.
    pub remount: Remount,
    /// Severity of its alarm.
    pub severity: Severity,
    /// On-delay of its alarm.
    pub on: Duration,
    /// Whether its alarm stays until a person acknowledged it.
    pub latch: Latch,
}

/// What brings the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Time, at [`PACE`].
    Paced,
    /// Time does not change what this disk is: only that it comes anew, or a person's wish. A path is tried at the
    /// pace all the same, since nobody tells when something else is mounted there.
    Anew,
}

/// Whether a fault is worth a remount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remount {
    /// It would change nothing.
    Never,
    /// Once the fault has lasted for so long.
    After(Duration),
}

/// The treatment of each fault.
pub(crate) const fn treatment(fault: Fault) -> Treatment {
    use Again::{Anew, Paced};
    use Latch::{Latched, Open};
    use Remount::{After, Never};
    use Severity::{Critical, High, Medium};
    const NOW: Duration = Duration::ZERO;
    const TEN: Duration = Duration::from_secs(10);
    const MINUTE: Duration = Duration::from_secs(60);
    let (first, again, remount, severity, on, latch) = match fault {
        // A cable, a bad sector, a disk that dies. f2fs that has lost its checkpoint answers so to everything until it
        // is mounted anew. A disk that did it once will do it again: not forgotten.
        Fault::Io => (PACE, Paced, After(MINUTE), Critical, NOW, Latched),
        // The kernel turns a filesystem read-only when it finds it damaged: only a check and a new mount mend that.
        Fault::ReadOnly => (PACE, Paced, After(NOW), Critical, NOW, Latched),
        // Somebody changed owner or mode: over when it is changed back, and then nothing is left to know.
        Fault::Denied => (PACE, Paced, Never, Critical, NOW, Open),
        // Once is nothing, and is answered at once; lasting, the storage is overloaded.
        Fault::Again => (AT_ONCE, Paced, Never, High, PASSING, Open),
        // The writer cleans before it writes, so the next attempt may succeed at once. Lasting, cleaning could not help.
        Fault::NoSpace | Fault::Quota => (AT_ONCE, Paced, Never, Critical, PASSING, Latched),
        // The server or the mount was renewed under us: a new handle is good at once.
        Fault::Stale => (AT_ONCE, Paced, Never, High, PASSING, Open),
        // Pulled, or not there at start. A disk whose mount got lost while it is there is mounted anew.
        Fault::Missing => (PACE, Paced, After(TEN), Critical, NOW, Latched),
        Fault::NotMounted => (PACE, Paced, After(TEN), Critical, NOW, Latched),
        // The shell answers `Open` with it as long as the abandoned writer hangs; its end is told besides.
        Fault::Stuck => (PACE, Paced, Never, Critical, NOW, Latched),
        // Another took over, or the rings overflow: the disk is worn or not made for this.
        Fault::TooSlow => (PACE, Paced, Never, High, NOW, Latched),
        // Something else is mounted there, and what we recorded before is not.
        Fault::WrongIdentity => (PACE, Paced, Never, Critical, NOW, Latched),
        // The recorder before us that still ends looks the same for some seconds.
        Fault::InUse => (PACE, Paced, Never, High, TEN, Open),
        // ext4 says so of a damaged filesystem too (EUCLEAN), which a check mends.
        Fault::Damaged => (PACE, Paced, After(NOW), Critical, NOW, Latched),
        // Not ours to use until a person says so; nothing of ours is lost.
        Fault::Foreign | Fault::Duplicate | Fault::Copied => (PACE, Anew, Never, Medium, NOW, Open),
        Fault::Other(_) => (PACE, Paced, Never, Critical, NOW, Latched),
    };
    Treatment { first, again, remount, severity, on, latch }
}
