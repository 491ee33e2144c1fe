//! The rules by which footage is deleted, as the ledger and the coverage report name them.

use core::fmt;
use serde::{Deserialize, Serialize};

/// Why a segment was deleted. Append variants only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rule {
    /// It was older than its camera's retention.
    Age,
    /// Less was free than cleaning keeps: the oldest of a camera that held more than its share.
    Space,
    /// The volume was full in spite of that: it was older than the emergency age.
    EmergencyAge,
    /// The volume was full, and nothing was older than the emergency age: the oldest of a camera that held more
    /// than its share.
    EmergencySpace,
}

impl Rule {
    /// A few words for a person, to follow "deleted: ".
    pub const fn text(self) -> &'static str {
        match self {
            Rule::Age => "older than the camera's retention",
            Rule::Space => "the oldest, to keep space free",
            Rule::EmergencyAge => "the volume was full, and it was older than the emergency age",
            Rule::EmergencySpace => "the volume was full, and it was the oldest",
        }
    }

    /// A short word for machines, stable over versions.
    pub const fn code(self) -> &'static str {
        match self {
            Rule::Age => "age",
            Rule::Space => "space",
            Rule::EmergencyAge => "emergency-age",
            Rule::EmergencySpace => "emergency-space",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
