//! The lines of a golden file: what was done, when and why, in the order in which it happened.

use crate::script::AlarmName;
use crate::time;
use crate::words::{self, Subject};
use core::fmt::Write;
use holdfast_core::alarm::AlarmKey;
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_core::time::{Mono, Wall};

/// From so many cameras on that do the same they are not named one by one.
const MANY: usize = 3;

/// What things are called in a story.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) cameras: Vec<String>,
    pub(crate) volumes: Vec<String>,
    /// The day of the story: times of other days are told with their date.
    pub(crate) today: Wall,
    pub(crate) begin: Mono,
}

impl Names {
    pub(crate) fn camera(&self, camera: CameraIndex) -> &str {
        self.cameras.get(usize::from(camera.0)).map_or("?", String::as_str)
    }

    pub(crate) fn volume(&self, volume: VolumeIndex) -> &str {
        self.volumes.get(usize::from(volume.0)).map_or("?", String::as_str)
    }

    /// An alarm, as a story names it.
    pub(crate) fn alarm(&self, key: &AlarmKey) -> String {
        let (name, subject) = words::alarm(key);
        match subject {
            Subject::Camera(camera) => format!("{name} of {}", self.camera(CameraIndex(camera))),
            Subject::Volume(volume) => format!("{name} of {}", self.volume(VolumeIndex(volume))),
            Subject::Disk(disk) => format!("{name} of {disk}"),
            Subject::Device => name.to_owned(),
        }
    }

    /// Whether an alarm is the one that a story means.
    pub(crate) fn is(&self, key: &AlarmKey, name: &AlarmName) -> bool {
        let meant = match &name.of {
            Some(of) => format!("{} of {of}", name.name),
            None => name.name.to_owned(),
        };
        self.alarm(key) == meant
    }

    pub(crate) fn wall(&self, at: Wall) -> String {
        time::wall(at, self.today)
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) names: Names,
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    at: Mono,
    who: Vec<String>,
    text: String,
    /// How often the same one did the same again without doing anything else, and when last.
    again: Option<(u32, Mono)>,
}

impl Report {
    pub(crate) fn new(names: Names) -> Self {
        Report { names, lines: Vec::new() }
    }

    /// Somebody did something. Told of many at one moment, it is one line; so is what one does again and again.
    pub(crate) fn tell(&mut self, at: Mono, who: &str, text: String) {
        let same = self.lines.iter_mut().rev().take_while(|line| line.at == at && !line.who.is_empty());
        if let Some(line) =
            same.into_iter().find(|line| line.text == text && !line.who.iter().any(|w| w == who))
        {
            line.who.push(who.to_owned());
            return;
        }
        let last = self.lines.iter_mut().rev().find(|line| line.who.iter().any(|w| w == who));
        if let Some(line) = last.filter(|line| line.text == text && line.who.len() == 1) {
            line.again = Some((line.again.map_or(1, |(times, _)| times + 1), at));
            return;
        }
        self.lines.push(Line { at, who: vec![who.to_owned()], text, again: None });
    }

    /// The story says something.
    pub(crate) fn step(&mut self, at: Mono, text: &str) {
        self.lines.push(Line { at, who: Vec::new(), text: text.to_owned(), again: None });
    }

    /// The lines, as they are shown.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.lines.iter().map(|line| {
            let moment = |at: Mono| time::moment(at.since(self.names.begin));
            let at = moment(line.at);
            let again = match line.again {
                Some((times, last)) => format!(" (and {times} times more, until {})", moment(last)),
                None => String::new(),
            };
            match self.group(&line.who) {
                Some(who) => format!("{at:>9}    {who}: {}{again}", line.text),
                None => format!("{at:>9}  > {}", line.text),
            }
        })
    }

    /// Whether the recorder has told of something in these words.
    pub(crate) fn has_told(&self, words: &str) -> bool {
        let told = self.lines.iter().filter(|line| !line.who.is_empty());
        told.into_iter()
            .any(|line| line.who.iter().any(|who| format!("{who}: {}", line.text).contains(words)))
    }

    fn group(&self, who: &[String]) -> Option<String> {
        let all = self.names.cameras.len();
        let are_cameras = who.iter().all(|name| self.names.cameras.contains(name));
        match who {
            [] => None,
            who if are_cameras && who.len() >= MANY && who.len() == all => Some(format!("all {all} cameras")),
            who if are_cameras && who.len() > MANY => {
                let others: Vec<_> = self
                    .names
                    .cameras
                    .iter()
                    .filter(|name| !who.contains(name))
                    .map(String::as_str)
                    .collect();
                if others.len() < MANY {
                    return Some(format!("all cameras but {}", others.join(", ")));
                }
                Some(who.join(", "))
            }
            who => Some(who.join(", ")),
        }
    }

    /// The whole, with a heading.
    pub(crate) fn text(&self, title: &[String]) -> String {
        let mut text = String::new();
        for line in title {
            let _ = writeln!(text, "# {line}");
        }
        for line in self.lines() {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}
