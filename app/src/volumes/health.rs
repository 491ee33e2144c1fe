//! x
/// x
pub const HEALTH: &str = "/run/holdfast/health";
