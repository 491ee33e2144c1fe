//! Randomness as an input: one generator, seeded once from the settings.
//!
//! It spreads retries, so that cameras that failed together do not come back together. It guards no
//! secret. The same seed gives the same run, which is how a failing simulation is played again.

use core::time::Duration;

/// The injected generator (wyrand, of the `fastrand` crate, built without its `std`).
#[derive(Clone, Debug)]
pub(crate) struct Rng(fastrand::Rng);

impl Rng {
    /// A generator whose whole sequence follows from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Rng(fastrand::Rng::with_seed(seed))
    }

    /// A duration from zero to `bound`, both included, each nanosecond as likely as another.
    pub(crate) fn up_to(&mut self, bound: Duration) -> Duration {
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.0.u64(0..=nanos))
    }
}
