//! What the writers of one place complain of: once, however often it is tried again.
//!
//! A dead disk is tried every two seconds, for a month perhaps: the log is to say so once, and again when something
//! else is wrong with it, or when it had worked in between.

use std::sync::{Arc, Mutex, PoisonError};

use crate::volumes::VolumeError;

/// The complaint of one place that stands. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Complaints(Arc<Mutex<Option<String>>>);

impl Complaints {
    /// Writes down why a volume failed, if that is not what was said last.
    pub(super) fn say(&self, volume: &str, error: &VolumeError) {
        let text = error.to_string();
        if self.is_new(&text) {
            log::error!(VOLUME = volume; "{text}");
        } else {
            log::debug!(VOLUME = volume; "still: {text}");
        }
    }

    /// It works: what is wrong with it next is news.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn is_new(&self, text: &str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = said.as_deref() != Some(text);
        if is_new {
            *said = Some(text.to_owned());
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_complaint_is_news_only_after_another_or_after_it_worked() {
        let complaints = Complaints::default();
        let heard: Vec<bool> = ["a", "a", "b", "a", "a"].iter().map(|text| complaints.is_new(text)).collect();
        assert_eq!(heard, [true, false, true, true, false]);
        complaints.clone().forget();
        assert!(complaints.is_new("a"));
    }
}
