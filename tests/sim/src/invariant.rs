//! What must hold, and what is told when it does not.

use crate::agenda::At;
use core::fmt;

/// One thing that must hold in every world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// The core does not panic (a debug build also panics on overflow and where ledger entries could be lost).
    NoPanic,
    /// No more effects than `MAX_EFFECTS`, timeouts in the future and within a second, nothing after the end.
    DriveContract,
    /// `Alive` comes at least each 2 s and at most once a second, whatever cameras and disks do.
    Alive,
    /// Never two connections of one stream at once; what is told of a link fits its state.
    OneLink,
    /// While the recorder runs, no camera is left without an attempt for longer than its slowest pace.
    NeverGivenUp,
    /// A password that was refused is not tried again faster than its slow pace.
    SlowRefusals,
    /// Not more attempts in any second, over all streams, than the budget.
    NoStorm,
    /// Not more sessions being set up at once at one host than it is given.
    HostLimit,
    /// What is stored and what is told as missing tile each camera's time line on each volume.
    Tiles,
    /// A gap's cause was true within the gap, by the world's own knowledge.
    TrueCause,
    /// Nothing is deleted that is open, protected, younger than its rule says, or out of order.
    Deletion,
    /// An alarm stands while its condition holds.
    AlarmRaised,
    /// An alarm is over when its condition is.
    AlarmCleared,
    /// Under a common cause a camera's own alarm is not raised.
    Suppressed,
    /// The fallback stream is recorded only while the main one is away, and disturbs no volume.
    Fallback,
    /// Memory is shed in order and back, and main video never.
    Memory,
    /// Never two writers on one place, nothing is opened that is not there, was ejected or is unmounted.
    Place,
    /// What time can mend is tried again at its pace.
    PlaceRetried,
    /// Footage is routed to volumes that take it, and to one while there is one.
    Routing,
    /// Stop ends in good order, in time.
    Stops,
    /// What rests decides nothing: a core that looks at everything after each event decides the same.
    Rest,
    /// When all troubles are over, everything records again within bounds, and no alarm stands.
    Health,
}

/// A broken invariant.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When.
    pub at: At,
    /// How.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}: {}", self.invariant, Moment(self.at), self.text)
    }
}

/// A moment as days and time: "3d 04:05:06.789".
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub At);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.0 / 1_000_000;
        let secs = millis / 1000;
        let (days, hours, minutes) = (secs / 86_400, secs / 3600 % 24, secs / 60 % 60);
        write!(f, "{days}d {hours:02}:{minutes:02}:{:02}.{:03}", secs % 60, millis % 1000)
    }
}
