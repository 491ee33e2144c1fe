//! From the text of a story to [`Story`]: every problem at once, with its line, what is wrong and what is allowed.

mod acts;
mod cast;
mod expect;

use crate::script::{Cast, EPOCH, Step, Story};
use crate::{script::Act, time};
use core::fmt;
use core::time::Duration;
use holdfast_core::settings::ClockKind;
use std::collections::BTreeSet;

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its number, from 1; 0 for the story as a whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What is allowed.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.what)?;
        if self.allowed.is_empty() { Ok(()) } else { write!(f, "\n    allowed: {}", self.allowed) }
    }
}

/// What is wrong with a line, before its number is known.
pub(crate) struct Wrong(String, String);

impl Wrong {
    pub(crate) fn new(what: impl Into<String>, allowed: impl Into<String>) -> Self {
        Wrong(what.into(), allowed.into())
    }
}

/// Reads a story.
pub fn parse(text: &str) -> Result<Story, Vec<Problem>> {
    let mut reader = Reader {
        cast: Cast {
            cameras: Vec::new(),
            volumes: Vec::new(),
            clock: ClockKind::Kept,
            wall: EPOCH,
            ring: Duration::from_secs(30),
        },
        steps: Vec::new(),
        begun: false,
    };
    let mut title = Vec::new();
    let mut in_title = true;
    let mut problems = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let (said, comment) = match text.split_once('#') {
            Some((said, comment)) => (said.trim(), Some(comment.trim())),
            None => (text.trim(), None),
        };
        if let (true, true, Some(comment)) = (in_title, said.is_empty(), comment) {
            title.push(comment.to_owned());
        }
        in_title &= said.is_empty() && comment.is_some();
        if said.is_empty() {
            continue;
        }
        if let Err(Wrong(what, allowed)) = reader.take(line, said) {
            problems.push(Problem { line, what, allowed });
        }
    }
    if title.is_empty() {
        problems.insert(
            0,
            Problem {
                line: 1,
                what: "it has no title".into(),
                allowed: "a comment at the top that says what happens and where it was told".into(),
            },
        );
    }
    let expects = |step: &Step| matches!(step.act, Act::Expect(..));
    if problems.is_empty() && !reader.steps.iter().any(expects) {
        problems.push(Problem {
            line: text.lines().count(),
            what: "it expects nothing, so a careless bless could hide a loss".into(),
            allowed: "one line that begins with expect, at least".into(),
        });
    }
    if problems.is_empty() {
        Ok(Story { title, cast: reader.cast, steps: reader.steps })
    } else {
        Err(problems)
    }
}

/// Takes line after line.
struct Reader {
    cast: Cast,
    steps: Vec<Step>,
    /// The recorder was started: the cast is complete.
    begun: bool,
}

impl Reader {
    fn take(&mut self, line: usize, said: &str) -> Result<(), Wrong> {
        let words: Vec<&str> = said.split_whitespace().collect();
        if self.take_of_cast(&words)? {
            return match self.begun {
                false => Ok(()),
                true => Err(Wrong::new(
                    format!("\"{said}\" comes after the start"),
                    "who takes part stands before the first step",
                )),
            };
        }
        let act = self.act(said, &words)?;
        self.begun = true;
        self.steps.push(Step { line, text: said.to_owned(), act });
        Ok(())
    }

    fn camera(&self, name: &str) -> Option<usize> {
        self.cast.cameras.iter().position(|(known, _)| known == name)
    }

    fn volume(&self, name: &str) -> Option<usize> {
        self.cast.volumes.iter().position(|(known, _)| known == name)
    }

    fn names(&self) -> String {
        let cameras = self.cast.cameras.iter().map(|(name, _)| name);
        let volumes = self.cast.volumes.iter().map(|(name, _)| name);
        let names: Vec<_> = cameras.chain(volumes).map(String::as_str).collect();
        if names.is_empty() { "no names yet: say cameras NAME ... first".into() } else { names.join(", ") }
    }

    /// Those whom a line is about, and the rest of it.
    fn subject<'a>(&self, words: &[&'a str]) -> Result<(Subject, Vec<&'a str>), Wrong> {
        let (mut cameras, mut volumes) = (BTreeSet::new(), BTreeSet::new());
        let mut which = None;
        let mut used = 0;
        for word in words {
            let name = word.trim_end_matches(',');
            let (name, fallback) = match name.strip_suffix("'s") {
                Some(owner) => (owner, true),
                None => (name, false),
            };
            if let Some(camera) = self.camera(name) {
                cameras.insert(camera);
                which = which.or(fallback.then_some(()));
            } else if let Some(volume) = self.volume(name) {
                volumes.insert(volume);
            } else if name == "all" && used == 0 {
                match words.get(1).copied() {
                    Some("cameras") => cameras.extend(0..self.cast.cameras.len()),
                    Some("volumes") => volumes.extend(0..self.cast.volumes.len()),
                    Some(_) | None => {
                        return Err(Wrong::new("\"all\" of what?", "all cameras, all volumes"));
                    }
                }
            } else if name != "and" && !(used == 1 && words.first() == Some(&"all")) {
                break;
            }
            used += 1;
        }
        let mut rest: Vec<&str> = words.iter().skip(used).copied().collect();
        if which.is_some() {
            match rest.first() {
                Some(&"fallback") => {
                    rest.remove(0);
                }
                Some(_) | None => return Err(Wrong::new("of a camera's what?", "CAMERA's fallback")),
            }
        }
        match (cameras.is_empty(), volumes.is_empty()) {
            (false, true) => {
                let fallback = which.is_some();
                let without = |camera: &&usize| {
                    self.cast.cameras.get(**camera).is_none_or(|(_, settings)| settings.fallback.is_none())
                };
                if let (true, Some(camera)) = (fallback, cameras.iter().find(without)) {
                    let name = self.cast.cameras.get(*camera).map_or("", |(name, _)| name.as_str());
                    return Err(Wrong::new(
                        format!("{name} has no fallback stream"),
                        format!("say first: {name} has a fallback stream"),
                    ));
                }
                Ok((Subject::Cameras(cameras.into_iter().collect(), fallback), rest))
            }
            (true, false) => Ok((Subject::Volumes(volumes.into_iter().collect()), rest)),
            (false, false) => Err(Wrong::new("cameras and volumes in one line", "a line for each")),
            (true, true) => {
                let word = words.first().copied().unwrap_or_default();
                Err(Wrong::new(format!("\"{word}\" is not known"), self.names()))
            }
        }
    }
}

/// Whom a line is about.
enum Subject {
    /// Cameras, or their fallback streams.
    Cameras(Vec<usize>, bool),
    Volumes(Vec<usize>),
}

fn duration(word: &str) -> Result<Duration, Wrong> {
    time::duration(word).ok_or_else(|| {
        Wrong::new(format!("\"{word}\" is no length of time"), "500ms, 10s, 5m, 2h, 3d, 1:30, 1:02:03")
    })
}

fn from_table<T: Copy>(table: &[(&str, T)], word: &str, what: &str) -> Result<T, Wrong> {
    crate::words::find(table, word)
        .ok_or_else(|| Wrong::new(format!("\"{word}\" is no {what}"), crate::words::list(table)))
}
