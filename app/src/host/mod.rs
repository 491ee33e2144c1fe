//! This machine: its journal, its clocks, its memory, its network, its identity, and who watches over the service.

pub mod allocator;
pub mod clock;
pub mod journal;
pub mod last_words;
pub mod memory;
pub mod message_ids;
pub mod network;
pub mod notify;
pub mod pressure;
pub mod show;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::io;

/// From now on a crash of this process leaves no core dump: it would hold the cameras' passwords. Processes
/// that it starts inherit that.
///
/// # Errors
/// The kernel refuses, which it does not for lowering a limit.
pub fn forbid_core_dumps() -> io::Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // A limit of zero does not stop a kernel that pipes dumps to a program (core_pattern with |): this does.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .and_then(|()| setrlimit(Resource::Core, none))
        .map_err(|error| io::Error::new(error.kind(), format!("cannot forbid core dumps: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getrlimit;

    #[test]
    fn no_core_dump_is_left_and_none_can_be_allowed_again() {
        forbid_core_dumps().expect("lowering a limit is allowed to everyone");
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }
}
