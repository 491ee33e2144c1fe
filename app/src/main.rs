//! The binary `holdfast`: see [`holdfast::cli`].

use holdfast::host::allocator::Allocator;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    holdfast::cli::main().into()
}
