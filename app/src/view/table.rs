//! The picture as text.

use std::ops::Range;

use holdfast_core::effect::{CameraStatus, VolumeStatus};

use super::{CameraLine, Picture, VolumeLine};
use crate::host::show;

const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// A line of the live table.
struct Row {
    text: String,
    /// Which characters have which tone.
    tone: Option<(Range<usize>, &'static str)>,
}

impl Row {
    fn plain(text: String) -> Self {
        Row { text, tone: None }
    }

    /// Cut to the terminal's width, with its tone if colours are wanted.
    fn shown(&self, columns: usize, colour: bool) -> String {
        let part = |from: usize, to: usize| -> String {
            self.text.chars().take(columns).skip(from).take(to.saturating_sub(from)).collect()
        };
        match self.tone.as_ref().filter(|_| colour) {
            Some((range, tone)) => {
                let (before, inside) = (part(0, range.start), part(range.start, range.end));
                format!("{before}{tone}{inside}{PLAIN}{}", part(range.end, usize::MAX))
            }
            None => part(0, usize::MAX),
        }
    }
}

/// Columns of the live table beside name and state, with the blanks before them.
const FIGURES: usize = 41;

/// The live table, for a terminal of so many columns and rows: a line that wraps, or a table that scrolls,
/// could not be drawn over.
pub(super) fn live(picture: &Picture, colour: bool, columns: usize, rows: usize) -> Vec<String> {
    let names = picture.cameras.iter().map(|camera| camera.name.chars().count());
    let name = names.max().unwrap_or(0).clamp(6, 32);
    let state = columns.saturating_sub(name + 1 + FIGURES).clamp(12, 44);
    let mut lines = vec![Row::plain(format!(
        "{:<name$} {:<state$} {:>9} {:>8} {:>7} {:>3} {:>9}",
        "camera", "state", "durable", "coverage", "kb/s", "fps", "held"
    ))];
    lines.extend(picture.cameras.iter().map(|camera| {
        let shown: String = status(camera.status).chars().take(state).collect();
        let tone = tone(camera.status).map(|tone| (name + 1..name + 1 + shown.chars().count(), tone));
        let text = format!(
            "{:<name$} {shown:<state$} {:>9} {:>7}% {:>7} {:>3} {:>9}",
            camera.name,
            clock(camera.durable_seconds),
            percent(camera.coverage),
            camera.bits_per_second / 1000,
            camera.frames_per_second,
            show::bytes(camera.held_bytes),
        );
        Row { text, tone }
    }));
    lines.extend(picture.volumes.iter().map(|line| Row::plain(volume(line))));
    lines.extend(
        picture.alarms.iter().map(|alarm| Row { text: format!("alarm {alarm}"), tone: Some((0..5, RED)) }),
    );
    // One row for what follows, one for the cursor.
    let most = rows.saturating_sub(2).max(1);
    if lines.len() > most {
        let hidden = lines.len() - (most - 1);
        lines.truncate(most - 1);
        lines.push(Row::plain(format!("... and {hidden} lines that do not fit on this terminal")));
    }
    lines.push(Row::plain(format!("running for {}; Ctrl-C ends in good order", clock(picture.seconds))));
    lines.iter().map(|line| line.shown(columns, colour)).collect()
}

/// The same as plain lines.
pub(super) fn lines(picture: &Picture) -> Vec<String> {
    let cameras = picture.cameras.iter().map(line);
    let alarms = picture.alarms.iter().map(|alarm| format!("alarm {alarm}"));
    cameras.chain(picture.volumes.iter().map(volume)).chain(alarms).collect()
}

fn line(camera: &CameraLine) -> String {
    format!(
        "camera {}: {}, durable {}, coverage {}%, {} kb/s, {} fps, held {}",
        camera.name,
        status(camera.status),
        clock(camera.durable_seconds),
        percent(camera.coverage),
        camera.bits_per_second / 1000,
        camera.frames_per_second,
        show::bytes(camera.held_bytes),
    )
}

fn volume(volume: &VolumeLine) -> String {
    let state = match volume.status {
        VolumeStatus::Absent => "not there".to_owned(),
        VolumeStatus::Opening => "opening".to_owned(),
        VolumeStatus::Ready => match volume.space {
            Some((free, total)) => format!("{} free of {}", show::bytes(free), show::bytes(total)),
            None => "in use".to_owned(),
        },
        VolumeStatus::Faulted { fault, .. } => fault.to_string(),
        VolumeStatus::Ejecting => "being closed".to_owned(),
        VolumeStatus::SafeToRemove => "safe to remove".to_owned(),
        VolumeStatus::Closed => "closed".to_owned(),
    };
    format!("volume {}: {state}", volume.path)
}

fn status(status: CameraStatus) -> String {
    match status {
        CameraStatus::Connecting => "connecting".into(),
        CameraStatus::Waiting => "connected, nothing durable yet".into(),
        CameraStatus::Recording => "recording".into(),
        CameraStatus::OnFallback { failure: Some(failure) } => format!("recording its fallback: {failure}"),
        CameraStatus::OnFallback { failure: None } => "recording its fallback".into(),
        CameraStatus::Holding => "receiving, no volume".into(),
        CameraStatus::BackingOff { failure, .. } => format!("{failure}"),
        CameraStatus::Stopped => "stopped".into(),
    }
}

fn tone(status: CameraStatus) -> Option<&'static str> {
    match status {
        CameraStatus::Recording => Some(GREEN),
        CameraStatus::Connecting | CameraStatus::Waiting | CameraStatus::OnFallback { .. } => Some(YELLOW),
        CameraStatus::Holding | CameraStatus::BackingOff { .. } => Some(RED),
        CameraStatus::Stopped => None,
    }
}

/// Never rounded up: what is not complete does not show as 100.0.
fn percent(part: f64) -> String {
    let tenths = (part.clamp(0.0, 1.0) * 1000.0).floor();
    format!("{:.1}", tenths / 10.0)
}

/// Hours, minutes and seconds, rounded down.
fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::event::{Failure, Fault};
    use holdfast_core::time::Mono;

    fn picture(status: CameraStatus, coverage: f64) -> Picture {
        Picture {
            cameras: vec![CameraLine {
                name: "entrance".into(),
                status,
                durable_seconds: 3725.9,
                coverage,
                bits_per_second: 4_000_000,
                frames_per_second: 30,
                held_bytes: 1536,
            }],
            volumes: vec![VolumeLine {
                path: "/media/a".into(),
                status: VolumeStatus::Ready,
                space: Some((5 << 30, 10 << 30)),
            }],
            alarms: vec![],
            seconds: 3726.0,
        }
    }

    #[test]
    fn a_line_says_everything_about_a_recording_camera() {
        assert_eq!(
            lines(&picture(CameraStatus::Recording, 0.99996)),
            [
                "camera entrance: recording, durable 1:02:05, coverage 99.9%, 4000 kb/s, 30 fps, held 1.5 KiB",
                "volume /media/a: 5.0 GiB free of 10.0 GiB",
            ]
        );
    }

    #[test]
    fn a_volume_that_is_not_in_use_says_why() {
        let said = |status| volume(&VolumeLine { path: "/media/a".into(), status, space: Some((1, 2)) });
        let faulted = VolumeStatus::Faulted { fault: Fault::ReadOnly, until: None };
        assert_eq!(said(faulted), "volume /media/a: read-only");
        assert_eq!(said(VolumeStatus::SafeToRemove), "volume /media/a: safe to remove");
    }

    #[test]
    fn coverage_shows_as_100_only_if_nothing_is_missing() {
        assert_eq!(percent(0.999_999), "99.9");
        assert_eq!(percent(1.0), "100.0");
        assert_eq!(percent(0.0), "0.0");
    }

    #[test]
    fn the_live_table_names_the_failure_and_colours_it_only_where_asked() {
        let status = CameraStatus::BackingOff { failure: Failure::Refused, until: Mono(0), failures: 3 };
        let plain = live(&picture(status, 0.5), false, 200, 50).join("\n");
        assert!(plain.contains("connection refused"), "{plain}");
        assert!(!plain.contains('\x1b'), "{plain}");
        assert!(live(&picture(status, 0.5), true, 200, 50).join("\n").contains(RED));
    }

    #[test]
    fn every_figure_fits_on_a_classical_terminal() {
        let lines = live(&picture(CameraStatus::Recording, 1.0), false, 80, 24);
        assert_eq!(
            lines[..2],
            [
                "camera   state                            durable coverage    kb/s fps      held",
                "entrance recording                        1:02:05   100.0%    4000  30   1.5 KiB",
            ]
        );
        let coloured = &live(&picture(CameraStatus::Recording, 1.0), true, 80, 24)[1];
        assert!(coloured.starts_with("entrance \x1b[32mrecording\x1b[0m "), "{coloured:?}");
    }

    #[test]
    fn the_live_table_fits_the_terminal_whatever_there_is_to_show() {
        let mut crowded = picture(CameraStatus::Recording, 1.0);
        crowded.cameras = vec![crowded.cameras[0].clone(); 32];
        crowded.alarms = vec!["camera with a long name does not record".into(); 40];
        for (columns, rows) in [(80, 24), (40, 10), (20, 3), (200, 100), (1, 1)] {
            let lines = live(&crowded, false, columns, rows);
            assert!(lines.len() < rows.max(3), "{} lines on {rows} rows", lines.len());
            assert!(lines.iter().all(|line| line.chars().count() <= columns), "{columns} columns");
        }
        let small = live(&crowded, false, 80, 10).join("\n");
        assert!(small.contains("... and 67 lines that do not fit"), "{small}");
    }
}
