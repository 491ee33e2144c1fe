//! `holdfast run` on a terminal: the table is drawn and redrawn in place, no line of the log is lost beside it, Ctrl-C
//! ends it in good order, and the terminal is left as it was.

use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::recorder::CameraEntry;
use holdfast_tests::stage::{PATIENCE, Stage, wait_for_frames};
use holdfast_tests::wait_until;
use std::io::Write as _;
use std::process::{Command, Stdio};

const CTRL_C: &[u8] = &[3];

#[test]
fn on_a_terminal_a_table_is_drawn_no_log_line_is_lost_and_ctrl_c_leaves_the_terminal_sane() {
    let stage = Stage::new().unwrap();
    let small = ClipSpec::small(VideoCodec::H264);
    let camera = VirtualCamera::start(CameraOptions::new("entrance", 1, small)).unwrap();
    let configuration = stage.configuration(vec![CameraEntry::of(&camera)]).write(stage.folder()).unwrap();
    let typescript = stage.folder().join("typescript");
    // (The quotes inside words: script writes the command itself into its file.)
    // script(1) gives it a terminal of its own, and what is typed on our side of the pipe is typed there. The shell
    // outlives Ctrl-C to look at the terminal afterwards.
    let session = format!(
        "trap : INT; stty -a; echo BEFORE''HAND; {} run --config {}; echo STATUS $?; stty -a; echo AFTER''WARDS",
        stage.binary().display(),
        configuration.display()
    );
    let mut terminal = Command::new("script")
        .args(["--quiet", "--flush", "--command", &session])
        .arg(&typescript)
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("script(1), of the package bsdutils");
    let mut keyboard = terminal.stdin.take().unwrap();
    let seen = || String::from_utf8_lossy(&std::fs::read(&typescript).unwrap_or_default()).into_owned();
    wait_for_frames(&camera, 50, PATIENCE).unwrap();
    // Green, since this is a terminal that knows colours.
    let drawn = || seen().matches("Ctrl-C ends").count() >= 4 && seen().contains("\x1b[32mrecording");
    assert!(wait_until(PATIENCE, drawn), "{}", seen());
    keyboard.write_all(CTRL_C).unwrap();
    assert!(wait_until(PATIENCE, || seen().contains("AFTERWARDS")), "{}", seen());
    drop(keyboard);
    terminal.wait().unwrap();

    let text = seen();
    assert!(text.contains("STATUS 0"), "{text}");
    // What a person sees: every redraw goes up over the last table and clears it.
    let tables = text.matches("durable coverage").count();
    assert_eq!(text.matches("\x1b[J").count(), tables, "{text}");
    let heights: Vec<&str> =
        text.split("\x1b[").skip(1).filter_map(|rest| Some(rest.split_once('A')?.0)).collect();
    let moves = heights.iter().filter(|height| height.parse::<u32>().is_ok()).count();
    assert_eq!(moves, tables - 1, "redraws that do not go up over the table before: {text}");
    for line in [
        "Holdfast 0.1.0 starts as lab",
        "entrance: connecting over TCP",
        "entrance: recording",
        "closed, all is synced",
        "Holdfast has stopped",
    ] {
        assert_eq!(text.matches(line).count(), 1, "{line:?} is not there once:\n{text}");
    }
    let after_the_last_table = text.rsplit("Ctrl-C ends in good order").next().unwrap();
    assert!(after_the_last_table.contains("Holdfast has stopped"), "drawn over:\n{text}");
    assert!(!after_the_last_table.contains("\x1b[?25l"), "the cursor is left hidden");
    let (before, rest) = text.split_once("BEFOREHAND").unwrap();
    let settings = |of: &str| of[of.rfind("speed").unwrap()..].trim().to_owned();
    let after = rest.split_once("STATUS 0").unwrap().1.split_once("AFTERWARDS").unwrap().0;
    assert_eq!(settings(before), settings(after), "the terminal's settings were changed");
}
