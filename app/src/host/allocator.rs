//! The allocator of the program: the system's, and an end of the process where that has nothing left.
//!
//! Rust's own way, a message and an abort, looks like a bug from outside. This one ends with an exit status of its own and leaves
//! a word for the next start ([`last_words`]). GLib, in whose memory most of what GStreamer does lies, aborts by itself;
//! [`watch_others`] does the same for it.

use super::last_words;
use glib::LogLevels;
use rustix::io::Errno;
use std::alloc::{GlobalAlloc, Layout, System};

/// A request above this is no sign that memory is short, since nothing in the recorder needs so much at once (a ring's GOP is
/// a chain of frames): it comes from damaged data, or from a bug. It fails as without this module, so
/// that `try_reserve` works.
pub const LARGEST: usize = 256 << 20;

/// To be the program's `#[global_allocator]`.
#[derive(Debug, Default)]
pub struct Allocator;

// SAFETY: all is done by `System`, which keeps the contract; a null that it gives is handed on or not returned at all.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about `layout` are handed on.
        given(unsafe { System.alloc(layout) }, layout.size())
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        given(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above; `pointer` came from `System` too.
        given(unsafe { System.realloc(pointer, layout, size) }, size)
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn given(pointer: *mut u8, size: usize) -> *mut u8 {
    if pointer.is_null() && size <= LARGEST {
        last_words::out_of_memory();
    }
    pointer
}

/// From now on what fails for want of memory elsewhere ends the process in the same way: in GLib, and where the standard library
/// panics since the system gave it none (for the stack of a new thread, for one).
///
/// Both are told by errno, which the call that failed left, and not by anybody's words. `g_malloc` calls `g_error`, which ends in
/// SIGTRAP once its handlers have run. Where even its message finds no memory GLib 2.74 calls itself until its stack is full:
/// that is a crash by SIGSEGV, and the next start is told of a crash.
pub fn watch_others() {
    glib::log_set_handler(Some("GLib"), LogLevels::LEVEL_ERROR, true, true, |domain, level, message| {
        if is_out_of_memory() {
            last_words::out_of_memory();
        }
        glib::log_default_handler(domain, level, Some(message));
    });
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let out_of_memory = is_out_of_memory();
        // The word of a bug whose errno is an old one is to be seen all the same.
        others(panic);
        if out_of_memory {
            last_words::out_of_memory();
        }
    }));
}

/// Whether the last call of this thread that failed did so for want of memory.
fn is_out_of_memory() -> bool {
    Errno::from_io_error(&std::io::Error::last_os_error()) == Some(Errno::NOMEM)
}
