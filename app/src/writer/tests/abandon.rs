//! Writers that hang in the kernel, on FIFOs: opening one waits for whoever opens its other end.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use super::*;

const HUNG: Duration = Duration::from_millis(100);

fn make_fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
}

/// Every file below a directory with what is in it; FIFOs by their name alone.
fn everything(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        if kind.is_dir() {
            found.extend(everything(&path));
        }
        let bytes = if kind.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.push((path, bytes));
    }
    found.sort_unstable();
    found
}

fn hangs(lab: &Lab) {
    until("it hangs", || lab.writer.figures().busy >= HUNG);
    assert!(!lab.writer.has_ended());
}

/// Writes `content` for whoever reads the FIFO, as often as it is read, until the writer's thread has ended.
fn serve(fifo: &Path, content: &[u8], lab: &Lab) {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    until("it wakes up and ends", || {
        // Nobody reads it at this moment, perhaps; a reader that is gone again needs nothing.
        if let Ok(mut file) = OpenOptions::new().write(true).custom_flags(flags).open(fifo) {
            let _ = file.write_all(content);
        }
        lab.writer.has_ended()
    });
}

fn ends_silently(lab: &Lab) {
    let said = lab.heard.recv_timeout(DEADLINE).expect("its thread ends");
    assert!(matches!(said, Report::Ended), "{said:?}");
    assert!(lab.writer.has_ended());
    assert!(lab.heard.recv_timeout(DEADLINE).is_err(), "once, and nothing after it");
}

#[test]
fn an_opening_that_hangs_is_seen_and_leaves_no_trace_when_it_wakes_up_abandoned() {
    let root = tempfile::tempdir().unwrap();
    Lab::open(root.path()).close();
    let marker = root.path().join("holdfast/volume");
    let content = fs::read(&marker).unwrap();
    fs::remove_file(&marker).unwrap();
    make_fifo(&marker);
    let lab = Lab::start(job(root.path()));
    hangs(&lab);
    let before = everything(root.path());
    lab.writer.abandon();
    serve(&marker, &content, &lab);
    ends_silently(&lab);
    assert_eq!(everything(root.path()), before, "not even its session is in the ledger");
}

#[test]
fn a_writer_that_hangs_in_use_costs_no_footage_and_writes_nothing_more_when_it_wakes_up_abandoned() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (place.path().join("first"), place.path().join("second"));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    let mut lab = Lab::open(&first);
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 5, &avc(320));
    lab.durable(4);
    // Its identity is looked at in each turn, and cannot be read any more.
    let marker = first.join("holdfast/volume");
    let content = fs::read(&marker).unwrap();
    fs::remove_file(&marker).unwrap();
    make_fifo(&marker);
    hangs(&lab);
    film(&feed, 5, 20, &avc(320));
    let before = everything(&first);
    lab.writer.abandon();

    let mut other = Lab::open(&second);
    other.writer.take(YARD, &ring);
    other.durable(19);
    assert!(!lab.writer.has_ended(), "it hangs still");

    serve(&marker, &content, &lab);
    // What it had said before it was abandoned is heard first.
    let mut said = lab.heard.recv_timeout(DEADLINE).expect("its thread ends");
    while let Report::Event(Event::Volume(_, VolumeEvent::Stored { span, .. })) = said {
        lab.stored.push(span);
        said = lab.heard.recv_timeout(DEADLINE).expect("its thread ends");
    }
    assert!(matches!(said, Report::Ended), "{said:?}");
    assert!(lab.heard.recv_timeout(DEADLINE).is_err(), "once, and nothing after it");
    assert_eq!(everything(&first), before, "not a byte was written");

    let stored = other.close();
    let from = stored.iter().map(|span| span.from).min().unwrap();
    let told = lab.stored.iter().map(|span| span.to).max().unwrap();
    assert!(from <= told, "nothing is missing between {told:?} and {from:?}");
    assert_eq!(stored.iter().map(|span| span.to).max(), Some(Wall::from_secs(WALL + 20)));
}
