//! What a proxy is told to do to its connections.

use crate::script::Script;
use std::time::Duration;

/// What becomes of who connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// He is connected to the camera.
    #[default]
    Open,
    /// Nobody listens: he is refused.
    Closed,
    /// He is not even refused: the kernel drops his SYN, as a host does that is unplugged.
    Deaf,
    /// He is accepted, and nothing is ever answered.
    Blackhole,
    /// He is accepted, and reset at once.
    Resets,
    /// He is accepted, and hung up on at once.
    Closes,
    /// He is accepted, and told at once that nothing will come; he may speak on.
    HalfCloses,
}

/// What lasts until it is told otherwise. Default: nothing is done to anybody.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// New connections.
    pub door: Door,
    /// Nothing more is taken from the camera; the connection stays.
    pub stalled_down: bool,
    /// What the camera sends is lost; the connection stays.
    pub lost_down: bool,
    /// Nothing more is taken from the client; the connection stays.
    pub stalled_up: bool,
    /// Each byte comes so much later, both ways.
    pub delay: Duration,
    /// Bytes a second towards the client, at most.
    pub rate: Option<u64>,
    /// So many of each thousand bytes of RTP payload towards the client are overwritten.
    pub corrupt_per_mille: u32,
    /// So many of each thousand RTP packets towards the client are left out.
    pub lost_per_mille: u32,
    /// Each connection ends after so many bytes towards the client.
    pub cut_after: Option<u64>,
    /// The camera says goodbye (RTCP BYE) as soon as it has sent anything, and sends no more.
    pub goodbye: bool,
    /// What is answered in the camera's place.
    pub script: Script,
}
