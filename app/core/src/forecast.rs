//! What a volume will hold: from what comes in, what is free, and what lies on it.
//!
//! Words: the **rate** is what became durable in the last ten whole minutes, in bytes a second; a volume **holds** so much
//! time of footage once it is full and the oldest gives way; the **promise** is the longest retention that is
//! configured for a camera.
//!
//! Whole numbers only: what a person compares over months is not to depend on rounding modes.

use crate::effect::Forecast;
use crate::event::VolumeFigures;
use crate::retention::Threshold;
use crate::time::Mono;
use core::time::Duration;

/// A forecast is made anew this often, and nothing is forecast before: a fragment or two are no rate.
const MINUTE: Duration = Duration::from_secs(60);

/// Minutes that the rate is a mean of: longer than a scene with much movement, short enough to follow the evening.
const WINDOW: usize = 10;

/// Minutes with footage before the promise is judged. An hour: at the start cameras are still missing, and the first
/// minutes of a bright morning say little of a day.
const JUDGED: u32 = 60;

/// The promise is broken for so long before a person is told: twice the window, so that no scene shorter than the
/// window does it.
const BROKEN: Duration = Duration::from_secs(1200);

/// Longer than this, in seconds, is never: a hundred years.
const NEVER: u64 = 100 * 365 * 86_400;

/// What the forecast is measured against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    /// The longest retention of a camera.
    pub retention: Duration,
    /// Free space below which cleaning begins.
    pub cleaning_starts: Threshold,
}

/// The use of one volume.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// Bytes of whole minutes, the newest first.
    minutes: heapless::Deque<u64, WINDOW>,
    /// The minute under way, while the volume is ready.
    under_way: Option<Minute>,
    /// Minutes with footage in this session.
    with_footage: u32,
    /// The newest, while the volume is ready.
    figures: Option<VolumeFigures>,
    short: Short,
    /// Cleaning gave up until so many bytes are free.
    exhausted: Option<u64>,
    /// The rate that was told last.
    told: u64,
    owed: Option<Forecast>,
}

#[derive(Clone, Copy, Debug)]
struct Minute {
    since: Mono,
    bytes: u64,
}

/// Whether the promise can be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Short {
    #[default]
    Kept,
    /// Since then it looks as if not.
    Doubtful { since: Mono },
    /// It holds so much.
    Broken { holds: Duration },
}

impl Usage {
    /// Footage became durable.
    pub(crate) fn stored(&mut self, bytes: u64) {
        if let Some(minute) = &mut self.under_way {
            minute.bytes = minute.bytes.saturating_add(bytes);
        }
    }

    /// Figures of the filesystem came.
    pub(crate) fn figures(&mut self, figures: VolumeFigures) {
        self.figures = Some(figures);
        if let (Some(goal), Some(free)) = (self.exhausted, figures.free)
            && free >= goal
        {
            self.exhausted = None;
        }
    }

    /// Cleaning gave up, with so many bytes still to be freed.
    pub(crate) fn exhausted(&mut self, wanted: u64) {
        let free = self.figures.and_then(|figures| figures.free).unwrap_or(0);
        self.exhausted = Some(free.saturating_add(wanted.max(1)));
    }

    /// Cleaning deleted something.
    pub(crate) fn deleted(&mut self) {
        self.exhausted = None;
    }

    /// The volume is gone: what comes next may be another one.
    pub(crate) fn forget(&mut self) {
        *self = Usage::default();
    }

    /// Does what is due at `now`. `ready`: the volume takes footage or could.
    pub(crate) fn advance(&mut self, now: Mono, ready: bool, promise: &Promise) {
        if !ready {
            // The part of a minute before a fault is no minute.
            self.under_way = None;
            self.figures = None;
            return;
        }
        let minute = self.under_way.get_or_insert(Minute { since: now, bytes: 0 });
        if now.since(minute.since) < MINUTE {
            return;
        }
        let bytes = minute.bytes;
        *minute = Minute { since: now, bytes: 0 };
        if bytes > 0 {
            self.with_footage = self.with_footage.saturating_add(1);
        }
        if self.minutes.is_full() {
            self.minutes.pop_back();
        }
        // Room was just made.
        let _ = self.minutes.push_front(bytes);
        let forecast = self.forecast(promise);
        self.judge(now, &forecast);
        // That nothing comes in any more is told once.
        if forecast.rate > 0 || self.told > 0 {
            self.told = forecast.rate;
            self.owed = Some(forecast);
        }
    }

    /// When it wants to be called again at the latest.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.under_way.map(|minute| minute.since + MINUTE)
    }

    /// How much it holds, if that is less than promised.
    pub(crate) const fn short(&self) -> Option<Duration> {
        match self.short {
            Short::Broken { holds } => Some(holds),
            Short::Kept | Short::Doubtful { .. } => None,
        }
    }

    /// Whether cleaning gave up, and nothing has helped since.
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.exhausted.is_some()
    }

    /// Whether its filesystem does not tell what is free.
    pub(crate) fn is_space_unknown(&self) -> bool {
        self.figures.is_some_and(|figures| figures.free.is_none())
    }

    /// The next forecast, if one is due.
    pub(crate) fn poll_effect(&mut self) -> Option<Forecast> {
        self.owed.take()
    }

    fn forecast(&self, promise: &Promise) -> Forecast {
        let seconds = MINUTE.as_secs().saturating_mul(self.minutes.len() as u64);
        let bytes = self.minutes.iter().fold(0u64, |sum, minute| sum.saturating_add(*minute));
        let rate = bytes.checked_div(seconds).unwrap_or(0);
        let figures = self.figures.unwrap_or_default();
        let spare = figures
            .free
            .zip(figures.total)
            .map(|(free, total)| free.saturating_sub(bytes_of(promise.cleaning_starts, total)));
        let lasting =
            |bytes: u64| bytes.checked_div(rate).filter(|secs| *secs < NEVER).map(Duration::from_secs);
        Forecast {
            rate,
            until_full: spare.and_then(lasting),
            holds: spare
                .zip(figures.footage)
                .and_then(|(spare, footage)| lasting(spare.saturating_add(footage))),
            promised: promise.retention,
        }
    }

    fn judge(&mut self, now: Mono, forecast: &Forecast) {
        if self.with_footage < JUDGED {
            return;
        }
        // Unknown now: what was known stays said.
        let Some(holds) = forecast.holds else { return };
        let kept = forecast.promised;
        // A tenth more is asked for before it is believed again, or the evening and the morning would take turns.
        let kept_again = kept.saturating_add(kept / 10);
        self.short = match self.short {
            Short::Kept if holds < kept => Short::Doubtful { since: now },
            Short::Kept => Short::Kept,
            Short::Doubtful { .. } if holds >= kept => Short::Kept,
            Short::Doubtful { since } if now.since(since) >= BROKEN => Short::Broken { holds },
            Short::Doubtful { since } => Short::Doubtful { since },
            Short::Broken { .. } if holds >= kept_again => Short::Kept,
            Short::Broken { .. } => Short::Broken { holds },
        };
    }
}

/// A threshold in bytes, on a filesystem of so many.
fn bytes_of(threshold: Threshold, total: u64) -> u64 {
    let share = u128::from(total) * u128::from(threshold.per_mille) / 1000;
    threshold.bytes.min(u64::try_from(share).unwrap_or(u64::MAX))
}
