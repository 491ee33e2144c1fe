//! Lines that say what is to be so.

use super::{Reader, Subject, Wrong, duration, from_table};
use crate::script::{Act, Bound, CAMERA_STATES, Expectation, VOLUME_STATES, VolumeState};
use crate::words::{CAUSES, FAULTS, cause, list};
use core::time::Duration;
use holdfast_core::effect::Shed;

const EXPECT: &str = "CAMERA STATUS; VOLUME STATUS; footage to VOLUME; footage to nowhere; alarm ALARM; no alarm ALARM; \
    kept alarm ALARM; no alarms; N alarms; CAMERA misses nothing; CAMERA misses at most TIME [of CAUSE]; CAMERA misses at least TIME \
    [of CAUSE]; CAMERA tried at most N times [in the last TIME]; at most N attempts in any second; alive; memory gives up \
    nothing|depth|sound|fallbacks; clock trusted; clock not trusted; told WORDS; not told WORDS; finished. A status, an alarm, \
    footage, told and finished may end in: within TIME";

impl Reader {
    pub(super) fn expectation(&self, words: &[&str]) -> Result<Act, Wrong> {
        let (words, within) = match words {
            [words @ .., "within", length] => (words, Some(duration(length)?)),
            words => (words, None),
        };
        let expectation = self.expected(words)?;
        let waits = match &expectation {
            Expectation::Camera(..)
            | Expectation::Volume(..)
            | Expectation::Footage(_)
            | Expectation::Alarm(_)
            | Expectation::NoAlarm(_)
            | Expectation::Kept(_)
            | Expectation::Alarms(_)
            | Expectation::Shed(_)
            | Expectation::Clock(_)
            | Expectation::Told(_)
            | Expectation::Finished => true,
            Expectation::Misses(..)
            | Expectation::Tried(..)
            | Expectation::Rush(_)
            | Expectation::Alive
            | Expectation::NotTold(_) => false,
        };
        if within.is_some() && !waits {
            return Err(Wrong::new("this is not waited for", "after TIME, in a line before it"));
        }
        Ok(Act::Expect(expectation, within))
    }

    fn expected(&self, words: &[&str]) -> Result<Expectation, Wrong> {
        Ok(match words {
            ["footage", "to", "nowhere"] => Expectation::Footage(None),
            ["footage", "to", name] => match self.volume(name) {
                Some(volume) => Expectation::Footage(Some(volume)),
                None => return Err(Wrong::new(format!("\"{name}\" is no volume"), self.names())),
            },
            ["alarm", alarm @ ..] => Expectation::Alarm(self.alarm(alarm)?),
            ["no", "alarm", alarm @ ..] => Expectation::NoAlarm(self.alarm(alarm)?),
            ["kept", "alarm", alarm @ ..] => Expectation::Kept(self.alarm(alarm)?),
            ["no", "alarms"] => Expectation::Alarms(0),
            [count, "alarm" | "alarms"] => Expectation::Alarms(number(count)?),
            ["at", "most", count, "attempts", "in", "any", "second"] => Expectation::Rush(number(count)?),
            ["alive"] => Expectation::Alive,
            ["memory", "gives", "up", what] => Expectation::Shed(match *what {
                "nothing" => Shed::Nothing,
                "depth" => Shed::Depth,
                "sound" => Shed::Audio,
                "fallbacks" => Shed::Fallback,
                other => {
                    return Err(Wrong::new(
                        format!("\"{other}\" is not given up"),
                        "nothing, depth, sound, fallbacks",
                    ));
                }
            }),
            ["clock", "trusted"] => Expectation::Clock(true),
            ["clock", "not", "trusted"] => Expectation::Clock(false),
            ["told", rest @ ..] if !rest.is_empty() => Expectation::Told(rest.join(" ")),
            ["not", "told", rest @ ..] if !rest.is_empty() => Expectation::NotTold(rest.join(" ")),
            ["finished"] => Expectation::Finished,
            _ => return self.expected_of(words),
        })
    }

    fn expected_of(&self, words: &[&str]) -> Result<Expectation, Wrong> {
        let (subject, rest) = self.subject(words).map_err(|Wrong(what, names)| match what {
            what if what.ends_with("is not known") => Wrong(
                format!("\"expect {}\" is not understood", words.join(" ")),
                format!("{EXPECT}\n    names: {names}"),
            ),
            what => Wrong(what, names),
        })?;
        match subject {
            Subject::Cameras(_, true) => {
                Err(Wrong::new("a fallback stream has no status of its own", "CAMERA on its fallback"))
            }
            Subject::Cameras(cameras, false) => match rest.as_slice() {
                ["misses" | "miss", "nothing"] => Ok(Expectation::Misses(cameras, Bound::AtMost(0.0), None)),
                ["misses" | "miss", "at", bound @ ("most" | "least"), length, of @ ..] => {
                    let secs = duration(length)?.as_secs_f64();
                    let cause = match of {
                        [] => None,
                        ["of", words @ ..] => {
                            let said = words.join(" ");
                            Some(cause(&said).ok_or_else(|| {
                                let allowed = format!("{}, camera: FAILURE, volume: FAULT", list(&CAUSES));
                                Wrong::new(format!("\"{said}\" is no cause"), allowed)
                            })?)
                        }
                        _ => return Err(Wrong::new("misses what?", "at most TIME of CAUSE")),
                    };
                    Ok(Expectation::Misses(cameras, self::bound(bound, secs), cause))
                }
                ["tried", "at", bound @ ("most" | "least"), count, "times", last @ ..] => {
                    let window: Option<Duration> = match last {
                        [] => None,
                        ["in", "the", "last", length] => Some(duration(length)?),
                        _ => return Err(Wrong::new("tried when?", "in the last TIME")),
                    };
                    #[allow(clippy::cast_precision_loss)] // a count of attempts
                    let count = number(count)? as f64;
                    Ok(Expectation::Tried(cameras, self::bound(bound, count), window))
                }
                state => Ok(Expectation::Camera(
                    cameras,
                    from_table(&CAMERA_STATES, &state.join(" "), "status of a camera")?,
                )),
            },
            Subject::Volumes(volumes) => {
                let said = rest.join(" ");
                let state = match said.strip_prefix("faulted: ") {
                    Some(fault) => {
                        VolumeState::Faulted(Some(from_table(&FAULTS, fault, "fault of a volume")?))
                    }
                    None => from_table(&VOLUME_STATES, &said, "status of a volume")?,
                };
                Ok(Expectation::Volume(volumes, state))
            }
        }
    }
}

fn bound(word: &str, value: f64) -> Bound {
    if word == "least" { Bound::AtLeast(value) } else { Bound::AtMost(value) }
}

fn number(word: &str) -> Result<usize, Wrong> {
    word.parse().map_err(|_| Wrong::new(format!("\"{word}\" is no number"), "3, 25"))
}
