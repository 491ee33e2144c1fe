//! The budget of connection attempts: which link that is due may connect now.
//!
//! Thirty cameras behind one switch fall due in one blow when it comes back. Attempts are spread over all links, so that
//! neither a network that has just come up nor this machine is flooded; and per host, so that an encoder with sixteen
//! channels is not asked for sixteen sessions in one moment, of which it would refuse most.

use crate::time::Mono;
use core::time::Duration;
use heapless::Deque;

/// Most attempts in any second, over all links: 32 cameras are connected within 9 s, and a camera that is alone never
/// waits. Connections that find out why an attempt got none are among them: what a second holds on the wire is what counts.
const MOST: usize = 4;

/// The second, and a quarter for what lies between this decision and the first packet: on two busy cores some attempts are
/// made 0.2 s late.
const WINDOW: Duration = Duration::from_millis(1250);

/// Most sessions that are being set up or taken down on one host at a time: the least that cameras allow.
pub(crate) const MOST_PER_HOST: usize = 2;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Dial {
    recent: Deque<Mono, MOST>,
}

impl Dial {
    /// When the next attempt may be made, if not now.
    pub(crate) fn free_at(&self, now: Mono) -> Option<Mono> {
        let free = *self.recent.front().filter(|_| self.recent.is_full())? + WINDOW;
        (free > now).then_some(free)
    }

    /// An attempt is made.
    pub(crate) fn note(&mut self, now: Mono) {
        if self.recent.is_full() {
            self.recent.pop_front();
        }
        // There is room: it was made just now.
        let _ = self.recent.push_back(now);
    }
}
