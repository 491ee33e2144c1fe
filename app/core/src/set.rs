//! A set of cameras, a bit each: what the machines keep about some of them, and pass about.

use crate::settings::MAX_CAMERAS;

/// See the module. What is no place of a camera is in no set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CameraSet(u32);

const _: () = assert!(MAX_CAMERAS <= 32, "a set of cameras has 32 bits");

impl CameraSet {
    /// None.
    pub(crate) const NONE: Self = CameraSet(0);

    /// Every one that there may be.
    pub(crate) const ALL: Self = CameraSet(u32::MAX);

    /// This one too.
    pub(crate) const fn with(self, place: usize) -> Self {
        CameraSet(self.0 | bit(place))
    }

    /// All but this one.
    pub(crate) const fn without(self, place: usize) -> Self {
        CameraSet(self.0 & !bit(place))
    }

    /// Those of both.
    pub(crate) const fn or(self, other: Self) -> Self {
        CameraSet(self.0 | other.0)
    }

    /// Those that are in both.
    pub(crate) const fn and(self, other: Self) -> Self {
        CameraSet(self.0 & other.0)
    }

    /// Whether the camera at this place is one.
    pub(crate) const fn holds(self, place: usize) -> bool {
        self.0 & bit(place) != 0
    }

    /// How many.
    pub(crate) const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// The places of those that are among the first `cameras`, in order.
    pub(crate) fn places(self, cameras: usize) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let place = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (place < cameras.min(MAX_CAMERAS)).then_some(place)
        })
    }
}

const fn bit(place: usize) -> u32 {
    if place < MAX_CAMERAS { 1 << place } else { 0 }
}
