//! Coverage: for each camera the seconds that are durable, and every gap with its cause.
//!
//! **Owed** is the time over which a camera was configured. Each owed microsecond is either **durable**
//! or inside exactly one **gap**: `durable + gaps = owed`, always, since both come from one line of time
//! ([`paint`]). [`fold`] makes the account from records, [`command`] is `holdfast coverage`.

pub mod command;
pub mod fold;
pub mod paint;

pub use command::{CoverageArgs, CoverageError, run};
pub use fold::{Fold, Window};

use holdfast_wire::cause::Cause;
use holdfast_wire::ids::Name;
use holdfast_wire::time::Span;

/// The account of one camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Which camera.
    pub camera: Name,
    /// From when until when.
    pub span: Span,
    /// Microseconds of it that were owed: all, unless the camera was taken out of the configuration meanwhile.
    pub owed_micros: i64,
    /// Microseconds of it whose footage is durable.
    pub durable_micros: i64,
    /// The rest, in order.
    pub gaps: Vec<GapReport>,
}

/// One stretch of missing footage with one cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapReport {
    /// From when until when.
    pub span: Span,
    /// Why.
    pub cause: Cause,
}

impl Coverage {
    /// Microseconds that are missing.
    pub fn missing_micros(&self) -> i64 {
        self.gaps.iter().map(|gap| gap.span.micros()).sum()
    }

    /// Thousandths of a percent that are durable, cut: 100,000 only if nothing is missing. `None` if
    /// nothing was owed.
    pub fn millipercent(&self) -> Option<i64> {
        let owed = i128::from(self.owed_micros);
        let share = (i128::from(self.durable_micros) * 100_000).checked_div(owed)?;
        i64::try_from(share).ok()
    }
}

#[cfg(test)]
mod tests;
