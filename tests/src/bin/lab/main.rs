//! `lab`: virtual cameras by hand, and the bodies of `make run` and `make bench`.
//!
//! Exit status: 0 if all went well, 1 if footage is missing, a target missed or something failed, 2 for wrong usage.

mod bench;
mod cameras;
mod run;

use clap::{Parser, Subcommand};
use holdfast_tests::LabError;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by SIGINT and SIGTERM.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Virtual RTSP cameras with numbered frames, and a recorder that is checked against them
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve virtual cameras on loopback until interrupted, and print their URLs
    Cameras {
        /// How many; the kinds of the profile are repeated
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
        count: u8,
        /// What kind of cameras
        #[arg(long, value_enum, default_value_t = cameras::Profile::Demo)]
        profile: cameras::Profile,
        /// The first camera's TCP port, the next one's is one higher; without it any free ports
        #[arg(long)]
        port_base: Option<u16>,
    },
    /// Encode the clips of every profile into the clip cache
    Clips,
    /// Measure Holdfast, ffmpeg and gst-launch side by side on the same six virtual cameras
    Bench(bench::Options),
    /// Record four virtual cameras, then compare what was recorded with what was sent
    Run {
        /// Stop after so many seconds; without it, run until interrupted
        #[arg(long)]
        seconds: Option<u64>,
        /// Where configuration and volume go; made if it is not there
        #[arg(long)]
        dir: PathBuf,
        /// The recorder's binary; without it HOLDFAST_BIN, or the one built beside this program
        #[arg(long)]
        holdfast: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome =
        holdfast_tests::init().and_then(|()| catch_signals()).and_then(|()| match arguments.command {
            Command::Cameras { count, profile, port_base } => {
                cameras::serve(profile, count, port_base).map(|()| true)
            }
            Command::Bench(options) => bench::run(options),
            Command::Clips => cameras::make_clips().map(|()| true),
            Command::Run { seconds, dir, holdfast } => run::run(seconds, &dir, holdfast),
        });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lab: {}", with_sources(&error));
            ExitCode::FAILURE
        }
    }
}

/// Whether the user wants this to end.
fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// SIGINT and SIGTERM only set [`INTERRUPTED`]: cameras and recorder are then ended in order.
fn catch_signals() -> Result<(), LabError> {
    let context = glib::MainContext::new();
    for signal in [INTERRUPT, TERMINATE] {
        let source = glib_unix::signal_source_new(signal, None, glib::Priority::HIGH, || {
            INTERRUPTED.store(true, Ordering::Relaxed);
            glib::ControlFlow::Continue
        });
        source.attach(Some(&context));
    }
    let watcher = std::thread::Builder::new().name("signals".to_owned());
    let failed = |source| LabError::Io { doing: "starting the signal thread".to_owned(), source };
    watcher.spawn(move || glib::MainLoop::new(Some(&context), false).run()).map_err(failed)?;
    Ok(())
}

const INTERRUPT: i32 = rustix::process::Signal::INT.as_raw();
const TERMINATE: i32 = rustix::process::Signal::TERM.as_raw();

/// An error and what caused it, in one line.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
