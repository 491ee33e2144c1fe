//! What `holdfast run` shows to a person: a table that is redrawn in place on a terminal, plain lines
//! elsewhere.

mod table;

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use holdfast_core::effect::{CameraStatus, VolumeStatus};

use crate::host::journal;

/// How often plain lines are written.
const LINES_EVERY: Duration = Duration::from_secs(10);

/// How long the end waits for a terminal to take the last lines.
const FAREWELL: Duration = Duration::from_secs(1);

/// How it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A live table on a terminal, nothing where the log goes to the journal, plain lines elsewhere.
    #[default]
    Auto,
    /// A live table.
    Live,
    /// A line for each camera and volume, every ten seconds.
    Lines,
    /// Nothing.
    Off,
}

/// Everything that is shown, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// One line a camera.
    pub cameras: Vec<CameraLine>,
    /// One line a volume.
    pub volumes: Vec<VolumeLine>,
    /// Alarms whose condition holds, in words.
    pub alarms: Vec<String>,
    /// Since the recorder's start.
    pub seconds: f64,
}

/// A camera.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraLine {
    /// Its name.
    pub name: String,
    /// What it does.
    pub status: CameraStatus,
    /// Durable footage since the recorder's start.
    pub durable_seconds: f64,
    /// That, as a part of the time since the start: 0 to 1.
    pub coverage: f64,
    /// Durable bits in the last second.
    pub bits_per_second: u64,
    /// Durable frames in the last second.
    pub frames_per_second: u64,
    /// Bytes in its ring.
    pub held_bytes: u64,
}

/// A volume.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeLine {
    /// What a person calls it: its path, or of a disk its id and device.
    pub path: String,
    /// How it is.
    pub status: VolumeStatus,
    /// Bytes free and bytes in all; `None` while it is not open.
    pub space: Option<(u64, u64)>,
}

/// Where the picture goes: a thread of its own, since a terminal that is stopped (Ctrl-S) or a pipe that nobody
/// reads would hold up the loop. A picture that finds it busy is left out.
pub struct View {
    pictures: Option<(SyncSender<Picture>, JoinHandle<()>)>,
}

/// The thread's end.
struct Painter {
    way: Way,
}

enum Way {
    Off,
    Lines {
        written: Option<Instant>,
    },
    /// `height`: lines drawn last time, to be drawn over.
    Live {
        height: usize,
        colour: bool,
    },
}

impl View {
    /// Chooses the way: `Auto` looks at standard output.
    pub fn new(mode: Mode) -> Self {
        let mut painter = Painter::new(mode);
        if matches!(painter.way, Way::Off) {
            return View { pictures: None };
        }
        let (sender, receiver) = mpsc::sync_channel::<Picture>(1);
        let paint = move || {
            for picture in receiver {
                painter.show(&picture);
            }
            painter.finish();
        };
        match thread::Builder::new().name("view".into()).spawn(paint) {
            Ok(thread) => View { pictures: Some((sender, thread)) },
            Err(error) => {
                log::warn!("nothing will be shown, its thread cannot be started: {error}");
                journal::release_lines();
                View { pictures: None }
            }
        }
    }

    /// Shows the picture, if the one before is drawn.
    pub fn show(&self, picture: Picture) {
        if let Some((pictures, _)) = &self.pictures {
            // Full: the terminal is slow. Closed: it is gone. Neither is a reason to do anything.
            let _ = pictures.try_send(picture);
        }
    }

    /// Leaves the terminal as it should be, unless it does not take anything any more.
    pub fn finish(&mut self) {
        let Some((pictures, thread)) = self.pictures.take() else { return };
        drop(pictures);
        let end = Instant::now() + FAREWELL;
        while !thread.is_finished() && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Painter {
    fn new(mode: Mode) -> Self {
        let terminal = io::stdout().is_terminal();
        let live = || {
            // Log lines that go to the same terminal must not be drawn over: they are kept for us.
            journal::hold_lines();
            Way::Live { height: 0, colour: terminal && std::env::var_os("NO_COLOR").is_none() }
        };
        let way = match mode {
            Mode::Off => Way::Off,
            Mode::Lines => Way::Lines { written: None },
            Mode::Live => live(),
            Mode::Auto if terminal => live(),
            // In a journal the log tells what changes; the same picture every ten seconds would bury it.
            Mode::Auto if journal::is_connected() => Way::Off,
            Mode::Auto => Way::Lines { written: None },
        };
        Painter { way }
    }

    /// Shows the picture, if it is time. A terminal that went away is no reason to stop recording.
    fn show(&mut self, picture: &Picture) {
        let mut out = io::stdout().lock();
        let shown = match &mut self.way {
            Way::Off => Ok(()),
            Way::Lines { written } => {
                if written.is_some_and(|at| at.elapsed() < LINES_EVERY) {
                    return;
                }
                *written = Some(Instant::now());
                table::lines(picture).iter().try_for_each(|line| writeln!(out, "{line}"))
            }
            Way::Live { height, colour } => {
                let (columns, rows) = terminal_size();
                let lines = table::live(picture, *colour, columns, rows);
                let drawn = redraw(&mut out, *height, &journal::take_lines(), &lines);
                *height = lines.len();
                drawn
            }
        };
        if shown.and_then(|()| out.flush()).is_err() {
            self.way = Way::Off;
            journal::release_lines();
        }
    }

    /// Leaves the terminal as it should be.
    fn finish(&mut self) {
        if let Way::Live { .. } = self.way {
            for line in journal::take_lines() {
                eprintln!("{line}");
            }
            journal::release_lines();
        }
    }
}

/// Columns and rows of the terminal; the classical ones where it does not say.
fn terminal_size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        Ok(_) | Err(_) => (80, 24),
    }
}

/// Goes up over what was drawn, writes the log lines that came since, and the table below them.
fn redraw(out: &mut impl Write, height: usize, log: &[String], lines: &[String]) -> io::Result<()> {
    if height > 0 {
        write!(out, "\x1b[{height}A")?;
    }
    write!(out, "\r\x1b[J")?;
    for line in log.iter().chain(lines) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
