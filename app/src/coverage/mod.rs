//! Coverage: for each camera the seconds that are durable, and every gap with its cause.
//!
//! **Owed** is the time over which a camera was configured. Each owed microsecond is either **durable**
//! or inside exactly one **gap**: `durable + gaps = owed`, always, since both come from one line of time
//! ([`paint`]). A gap is **deleted** if a rule of retention made it, else it is **missing**: an operator is to tell what
//! was lost from what was let go. [`fold`] makes the account from records, [`corrections`] puts the times of a wrong clock
//! right before, [`command`] is `holdfast coverage`.

pub mod command;
pub mod corrections;
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
    /// Microseconds of those for which there is the camera's fallback stream alone.
    pub fallback_micros: i64,
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
    /// Microseconds that are missing, without those that were deleted.
    pub fn missing_micros(&self) -> i64 {
        sum(self.gaps.iter().filter(|gap| !gap.is_deleted()))
    }

    /// Microseconds that were recorded and then deleted by a rule.
    pub fn deleted_micros(&self) -> i64 {
        sum(self.gaps.iter().filter(|gap| gap.is_deleted()))
    }

    /// Thousandths of a percent of what should still be there (owed, without what was deleted) that are durable, cut: 100,000
    /// only if nothing is missing. `None` if nothing should be there.
    pub fn millipercent(&self) -> Option<i64> {
        let owed = i128::from(self.owed_micros) - i128::from(self.deleted_micros());
        let share = (i128::from(self.durable_micros) * 100_000).checked_div(owed)?;
        i64::try_from(share).ok()
    }
}

/// Times beyond every calendar, as damage may bring them, add up to no more than there is.
fn sum<'a>(gaps: impl Iterator<Item = &'a GapReport>) -> i64 {
    gaps.fold(0, |sum, gap| sum.saturating_add(gap.span.micros()))
}

impl GapReport {
    /// Whether a rule of retention made it.
    pub fn is_deleted(&self) -> bool {
        matches!(self.cause, Cause::Deleted(_))
    }
}

#[cfg(test)]
mod tests;
