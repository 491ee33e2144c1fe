//! Lines that do something.

use super::{Reader, Subject, Wrong, duration, from_table};
use crate::script::{Act, AlarmName, Cure, End, StreamAct, VolumeAct, Which};
use crate::time;
use crate::words::{ALARMS, About, FAILURES, FAULTS, HEALTHS, UNFIT, list};
use holdfast_core::settings::{Transport, VolumeKind};

const LINES: &str = "start; recorder stops; recorder crashes; recorder runs out of memory; power is cut; after TIME; at TIME; \
    CAMERA ...; CAMERA's fallback ...; VOLUME ...; eject VOLUME; use VOLUME; acknowledge ALARM; carrier is lost; carrier is back; \
    memory pressure N%; clock steps +TIME; time source answers; time source sets the clock by +TIME; \
    disk NAME is left alone: WHY; disk NAME is gone; expect ...";

const STREAM: &str = "works; fails: FAILURE (once); is away: FAILURE (until it works); goes silent; stalls; sends sound only; \
    sends no keyframes; sends no sound; sends a damaged picture [until resumed|rebuilt|reconnected]; \
    gets nothing onto the disk [until resumed|rebuilt|reconnected]; sends frozen timestamps; sends leaping timestamps; \
    sends timestamps that run back; changes its format; sends a track that is not recorded; refuses tcp; refuses udp; does not let go";

const VOLUME: &str = "works; fails: FAULT (until it works); fails once: FAULT; fails until mounted again: FAULT; hangs; takes N%; is pulled; is plugged in; \
    is exchanged for an empty one; is torn; is used by another program; is used by nobody else; says it is good|worn|failing; \
    is cleaned of N MB; has nothing to delete";

/// The first word of what several do, as one does it.
const ONE_DOES: [(&str, &str); 14] = [
    ("work", "works"),
    ("fail:", "fails:"),
    ("fail", "fails"),
    ("are", "is"),
    ("go", "goes"),
    ("stall", "stalls"),
    ("send", "sends"),
    ("get", "gets"),
    ("change", "changes"),
    ("refuse", "refuses"),
    ("do", "does"),
    ("hang", "hangs"),
    ("take", "takes"),
    ("say", "says"),
];

impl Reader {
    pub(super) fn act(&self, said: &str, words: &[&str]) -> Result<Act, Wrong> {
        Ok(match words {
            ["start"] => Act::Start,
            ["recorder", "stops"] => Act::Stop,
            ["recorder", "crashes"] => Act::End(End::Crash),
            ["recorder", "runs", "out", "of", "memory"] => Act::End(End::OutOfMemory),
            ["power", "is", "cut"] => Act::End(End::PowerCut),
            ["after", length] => Act::After(duration(length)?),
            ["at", moment] => Act::At(duration(moment)?),
            ["eject", names @ ..] => Act::Volume(self.volumes(names)?, VolumeAct::Eject),
            ["use", names @ ..] => Act::Volume(self.volumes(names)?, VolumeAct::Use),
            ["acknowledge", alarm @ ..] => Act::Acknowledge(self.alarm(alarm)?),
            ["carrier", "is", "lost"] => Act::Carrier(false),
            ["carrier", "is", "back"] => Act::Carrier(true),
            ["memory", "pressure", share] => {
                let share = share.strip_suffix('%').and_then(|share| share.parse::<u16>().ok());
                let share = share.filter(|share| *share <= 100);
                Act::Pressure(share.ok_or_else(|| Wrong::new("no share of time", "0% to 100%"))? * 10)
            }
            ["clock", "steps", by] => Act::ClockSteps(step(by)?),
            ["time", "source", "answers"] => Act::Synchronised(0),
            ["time", "source", "sets", "the", "clock", "by", by] => Act::Synchronised(step(by)?),
            ["disk", name, "is", "left", "alone:", why @ ..] => {
                Act::Stranger((*name).to_owned(), from_table(&UNFIT, &why.join(" "), "reason")?)
            }
            ["disk", name, "is", "gone"] => Act::StrangerGoes((*name).to_owned()),
            ["expect", rest @ ..] => return self.expectation(rest),
            _ => return self.of_subject(said, words),
        })
    }

    fn of_subject(&self, said: &str, words: &[&str]) -> Result<Act, Wrong> {
        let (subject, mut rest) = self.subject(words).map_err(|Wrong(what, names)| match what {
            what if what.ends_with("is not known") => {
                Wrong(format!("\"{said}\" is not understood"), format!("{LINES}\n    names: {names}"))
            }
            what => Wrong(what, names),
        })?;
        if let Some(first) = rest.first_mut() {
            *first = crate::words::find(&ONE_DOES, first).unwrap_or(first);
        }
        match subject {
            Subject::Cameras(cameras, fallback) => {
                let act = stream_act(&rest)?;
                Ok(Act::Stream(cameras, if fallback { Which::Fallback } else { whole(act) }, act))
            }
            Subject::Volumes(volumes) => {
                let act = volume_act(&rest)?;
                let disks_only = matches!(act, VolumeAct::Exchanged | VolumeAct::Busy(_));
                let mut path = volumes.iter().filter_map(|volume| self.cast.volumes.get(*volume));
                if let Some((name, _)) = path.find(|(_, kind)| disks_only && *kind == VolumeKind::Path) {
                    return Err(Wrong::new(
                        format!("{name} is a path, no disk"),
                        "say disks NAME before the start",
                    ));
                }
                Ok(Act::Volume(volumes, act))
            }
        }
    }

    fn volumes(&self, names: &[&str]) -> Result<Vec<usize>, Wrong> {
        match self.subject(names)? {
            (Subject::Volumes(volumes), rest) if rest.is_empty() => Ok(volumes),
            _ => Err(Wrong::new("of which volume?", self.names())),
        }
    }

    pub(super) fn alarm(&self, words: &[&str]) -> Result<AlarmName, Wrong> {
        let (name, of) = match words {
            [name] => (name, None),
            [name, "of", of] => (name, Some((*of).to_owned())),
            _ => return Err(Wrong::new("which alarm?", "NAME or NAME of CAMERA, VOLUME or DISK")),
        };
        let Some((name, about)) = ALARMS.iter().find(|(known, _)| known == name) else {
            return Err(Wrong::new(format!("\"{name}\" is no alarm"), list(&ALARMS)));
        };
        let fits = match (about, &of) {
            (About::Camera, Some(of)) => self.camera(of).is_some(),
            (About::Volume, Some(of)) => self.volume(of).is_some(),
            (About::Disk, Some(_)) | (About::Device, None) => true,
            (About::Camera | About::Volume | About::Disk, None) | (About::Device, Some(_)) => false,
        };
        let allowed = match about {
            About::Camera => format!("{name} of CAMERA"),
            About::Volume => format!("{name} of VOLUME"),
            About::Disk => format!("{name} of DISK"),
            About::Device => (*name).to_owned(),
        };
        if fits { Ok(AlarmName { name, of }) } else { Err(Wrong::new(format!("{name} of what?"), allowed)) }
    }
}

/// Whether it concerns both streams of a camera: what happens to its plug, its power and its password does.
fn whole(act: StreamAct) -> Which {
    match act {
        StreamAct::Works
        | StreamAct::Away(_)
        | StreamAct::Silent
        | StreamAct::Refuses(_)
        | StreamAct::Clings => Which::Both,
        StreamAct::Fails(_)
        | StreamAct::Stalls
        | StreamAct::SoundOnly
        | StreamAct::NoKeyframes
        | StreamAct::Damaged(_)
        | StreamAct::Jams(_)
        | StreamAct::Frozen
        | StreamAct::Leaps
        | StreamAct::RunsBack
        | StreamAct::Changes
        | StreamAct::NoSound
        | StreamAct::OddTrack => Which::Main,
    }
}

fn stream_act(words: &[&str]) -> Result<StreamAct, Wrong> {
    let failure = |words: &[&str]| from_table(&FAILURES, &words.join(" "), "failure of a camera");
    Ok(match words {
        ["works"] => StreamAct::Works,
        ["fails:", what @ ..] => StreamAct::Fails(failure(what)?),
        ["is", "away:", what @ ..] => StreamAct::Away(failure(what)?),
        ["goes", "silent"] => StreamAct::Silent,
        ["stalls"] => StreamAct::Stalls,
        ["sends", "sound", "only"] => StreamAct::SoundOnly,
        ["sends", "no", "keyframes"] => StreamAct::NoKeyframes,
        ["sends", "no", "sound"] => StreamAct::NoSound,
        ["sends", "a", "damaged", "picture", cure @ ..] => StreamAct::Damaged(until(cure)?),
        ["gets", "nothing", "onto", "the", "disk", cure @ ..] => StreamAct::Jams(until(cure)?),
        ["sends", "frozen", "timestamps"] => StreamAct::Frozen,
        ["sends", "leaping", "timestamps"] => StreamAct::Leaps,
        ["sends", "timestamps", "that", "run", "back"] => StreamAct::RunsBack,
        ["changes", "its" | "their", "format"] => StreamAct::Changes,
        ["sends", "a", "track", "that", "is", "not", "recorded"] => StreamAct::OddTrack,
        ["refuses", "tcp"] => StreamAct::Refuses(Transport::Tcp),
        ["refuses", "udp"] => StreamAct::Refuses(Transport::Udp),
        ["does", "not", "let", "go"] => StreamAct::Clings,
        words => {
            let said = words.join(" ");
            return Err(Wrong::new(format!("a camera does not \"{said}\""), STREAM));
        }
    })
}

fn until(words: &[&str]) -> Result<Cure, Wrong> {
    Ok(match words {
        [] => Cure::Never,
        ["until", "resumed"] => Cure::Resume,
        ["until", "rebuilt"] => Cure::Rebuild,
        ["until", "reconnected"] => Cure::Reconnect,
        words => {
            let said = words.join(" ");
            return Err(Wrong::new(
                format!("\"{said}\" ends no trouble"),
                "until resumed, until rebuilt, until reconnected",
            ));
        }
    })
}

fn volume_act(words: &[&str]) -> Result<VolumeAct, Wrong> {
    let fault = |words: &[&str]| from_table(&FAULTS, &words.join(" "), "fault of a volume");
    Ok(match words {
        ["works"] => VolumeAct::Works,
        ["fails", "until", "mounted", "again:", what @ ..] => VolumeAct::FailsUntilMounted(fault(what)?),
        ["fails:", what @ ..] => VolumeAct::Fails(fault(what)?),
        ["fails", "once:", what @ ..] => VolumeAct::FailsOnce(fault(what)?),
        ["hangs"] => VolumeAct::Hangs,
        ["takes", share] => {
            let share = share.strip_suffix('%').and_then(|share| share.parse::<u32>().ok());
            VolumeAct::Takes(
                share
                    .filter(|share| *share <= 1000)
                    .ok_or_else(|| Wrong::new("no share of what comes", "0% to 1000%"))?,
            )
        }
        ["is", "pulled"] => VolumeAct::Pulled,
        ["is", "plugged", "in"] => VolumeAct::Plugged,
        ["is", "exchanged", "for", "an", "empty", "one"] => VolumeAct::Exchanged,
        ["is", "torn"] => VolumeAct::Torn,
        ["is", "used", "by", "another", "program"] => VolumeAct::Busy(true),
        ["is", "used", "by", "nobody", "else"] => VolumeAct::Busy(false),
        ["says", "it", "is", health] => VolumeAct::Says(from_table(&HEALTHS, health, "health")?),
        ["is", "cleaned", "of", amount, "MB"] => VolumeAct::Cleaned(
            amount
                .parse::<u64>()
                .map(|amount| amount * 1_000_000)
                .map_err(|_| Wrong::new(format!("\"{amount}\" is no number"), "500 MB"))?,
        ),
        ["has", "nothing", "to", "delete"] => VolumeAct::Exhausted,
        words => {
            let said = words.join(" ");
            return Err(Wrong::new(format!("a volume does not \"{said}\""), VOLUME));
        }
    })
}

fn step(word: &str) -> Result<i64, Wrong> {
    time::step(word).ok_or_else(|| Wrong::new(format!("\"{word}\" is no step of a clock"), "+2h, -90s"))
}
