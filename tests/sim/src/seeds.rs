//! The file of kept seeds: worlds in which something was broken once. They are run always.
//!
//! One world a line: seed, hours of troubles, cameras; behind a `#`, what was broken.

use crate::agenda::secs;
use crate::world::Plan;

/// What cannot be read in a file of seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotASeed {
    /// Which line, from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
}

/// The worlds in a file.
pub fn read(text: &str) -> Result<Vec<Plan>, NotASeed> {
    let worlds = text.lines().enumerate().filter_map(|(index, line)| {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        if words.is_empty() {
            return None;
        }
        let number = |place: usize| words.get(place).and_then(|word| word.parse::<u64>().ok());
        let plan = match (number(0), number(1), number(2), words.len()) {
            (Some(seed), Some(hours), Some(cameras @ 1..=32), 3) => {
                Ok(Plan { seed, span: secs(hours * 3600), cameras: cameras as usize })
            }
            _ => Err(NotASeed { line: index + 1, text: line.to_owned() }),
        };
        Some(plan)
    });
    worlds.collect()
}

/// A world as a line.
pub fn line(plan: &Plan, why: &str) -> String {
    let hours = plan.span.as_secs().div_ceil(3600);
    format!("{} {} {} # {}", plan.seed, hours, plan.cameras, why.replace('\n', " "))
}
