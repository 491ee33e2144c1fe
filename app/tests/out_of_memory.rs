//! An allocation that fails: the process ends with a status of its own, and the next start is told why, once.
//!
//! Each test runs this very program again as a child, with so little address space that a megabyte is too much.

use holdfast::cli::exit::Exit;
use holdfast::host::allocator::{Allocator, LARGEST, watch_others};
use holdfast::host::last_words::{self, Cause, LastWords};
use holdfast_wire::ids::{Id128, SessionId};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const SESSION: SessionId = Id128([0xab; 16]);

/// What names the note to the child.
const CHILD: &str = "HOLDFAST_TEST_NOTE";

/// What is too much for the child, and below what counts as nonsense.
const TOO_MUCH: usize = LARGEST / 2;

/// In the child: begins a note, and takes what memory there is. `None` in the parent.
fn child() -> Option<PathBuf> {
    let note = PathBuf::from(std::env::var_os(CHILD)?);
    last_words::arm(&note, SESSION).expect("a note");
    let limit = Rlimit { current: Some(used() + (1 << 20)), maximum: None };
    setrlimit(Resource::As, limit).expect("lowering a limit is allowed to everyone");
    Some(note)
}

/// Bytes of address space that this process uses.
fn used() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("proc is mounted");
    let pages: u64 = pages.split(' ').next().and_then(|text| text.parse().ok()).expect("a number of pages");
    pages * rustix::param::page_size() as u64
}

/// Runs a test of this program again as a child with this note.
fn run_child(test: &str, note: &Path) -> Output {
    let program = std::env::current_exe().expect("the test knows its own program");
    let mut command = Command::new(program);
    command.args(["--exact", test, "--nocapture", "--test-threads", "1"]).env(CHILD, note);
    command.output().expect("the child can be started")
}

fn ends_and_tells(test: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let note = last_words::path(folder.path());
    let output = run_child(test, &note);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(Exit::OutOfMemory.code())), "{}: {said}", output.status);
    assert!(said.contains("memory has run out"), "{said}");
    let expected = LastWords { session: SESSION, cause: Cause::OutOfMemory };
    assert_eq!(last_words::take(&note), Some(expected));
    assert_eq!(last_words::take(&note), None, "it was taken");
}

#[test]
fn an_allocation_of_ours_fails() {
    if child().is_some() {
        std::hint::black_box(vec![1_u8; TOO_MUCH]);
        return;
    }
    ends_and_tells("an_allocation_of_ours_fails");
}

#[test]
fn a_vector_grows_beyond_what_there_is() {
    if child().is_some() {
        let mut list = vec![0_u64];
        while list.len() < TOO_MUCH {
            list.extend_from_within(..);
        }
        return;
    }
    ends_and_tells("a_vector_grows_beyond_what_there_is");
}

#[test]
fn an_allocation_of_glibs_fails() {
    if child().is_some() {
        watch_others();
        // SAFETY: it takes a number, and what it returns is not looked at.
        std::hint::black_box(unsafe { glib::ffi::g_malloc(TOO_MUCH) });
        return;
    }
    ends_and_tells("an_allocation_of_glibs_fails");
}

#[test]
fn the_system_gives_nothing_and_somebody_panics_for_it() {
    if child().is_some() {
        watch_others();
        // As the standard library does where it finds no memory for the stack of a thread.
        let mut list: Vec<u8> = Vec::new();
        list.try_reserve(LARGEST + 1).expect("no memory");
        return;
    }
    ends_and_tells("the_system_gives_nothing_and_somebody_panics_for_it");
}

#[test]
fn a_request_that_makes_no_sense_ends_nobody() {
    if child().is_some() {
        let mut list: Vec<u8> = Vec::new();
        assert!(list.try_reserve(LARGEST + 1).is_err());
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let note = last_words::path(folder.path());
    let output = run_child("a_request_that_makes_no_sense_ends_nobody", &note);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(last_words::take(&note), None);
}
