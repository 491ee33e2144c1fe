# What every script here shares: a place to stand, words for the reader, and the toolchain.
# Sourced, never run. Bash, as found on Debian 12 and later.
# shellcheck shell=bash disable=SC2034 # what is set here is read by those who source it

set -euo pipefail
# A failure inside $(...) is a failure.
shopt -s inherit_errexit

# The checkout's own folder; every script works from there, wherever it was called from.
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$TOP"

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }

# die MESSAGE...: says what happened, to what, and what to do; one argument a line.
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    (($# == 0)) || printf '       %s\n' "$@" >&2
    exit 1
}

# step HEADING COMMAND...: runs one step of a task under a heading, and says how long it took.
# A failing step ends the script: the last line of the output names it. A step that could not be made ends with UNDONE: it does not
# fail the task, and never counts as passed: its heading is kept for `all_passed`.
UNDONE=75
undone=()
step() {
    local heading=$1 started=$EPOCHSECONDS status=0
    shift
    printf '\n== %s\n' "$heading"
    # `set -e` is off inside `if` and `||`, also within functions called there; a subshell of its own keeps it on.
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    if ((status == UNDONE)); then
        undone+=("$heading")
        printf '== %s: NOT DONE, see above\n' "$heading"
        return
    fi
    if ((status != 0)); then
        printf '== %s: FAILED after %s s (exit %s)\n' "$heading" "$((EPOCHSECONDS - started))" "$status" >&2
        exit "$status"
    fi
    printf '== %s: ok, %s s\n' "$heading" "$((EPOCHSECONDS - started))"
}

# all_passed TASK: the last line of a task that got to its end.
all_passed() {
    local heading
    printf '\n'
    for heading in "${undone[@]}"; do warn "$1: NOT DONE: $heading"; done
    if ((${#undone[@]})); then say "$1: all else passed"; else say "$1: all passed"; fi
}

# as_root COMMAND...: with sudo when we are not root already.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo: $*" "run make as root, or install sudo."
    fi
}

# os NAME: a value of os-release (ID, VERSION_ID, VERSION_CODENAME); empty where it is not said.
os() { sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" /etc/os-release; }

# The oldest Rust that the workspace accepts. Cargo.toml is the only place that says it.
minimum_rust() { sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' "$TOP/Cargo.toml"; }

# version_at_least HAVE WANT: compares as Debian and Rust number them.
version_at_least() { dpkg --compare-versions "$1" ge "$2"; }

# rust_is_usable: cargo and rustc on PATH, both new enough.
rust_is_usable() {
    local tool have minimum
    minimum=$(minimum_rust)
    for tool in cargo rustc; do
        have=$("$tool" --version 2>/dev/null | awk '{ print $2 }') || return 1
        if [[ -z $have ]] || ! version_at_least "$have" "$minimum"; then return 1; fi
    done
}

# use_rust: leaves a usable toolchain first on PATH, or returns 1. A person's own (rustup) goes before Debian's, unless it is too old.
use_rust() {
    if rust_is_usable; then return; fi
    PATH=/usr/bin:$PATH
    export PATH
    rust_is_usable
}

# need_rust: for scripts that run after setup.sh, which has made it true.
need_rust() {
    use_rust || die "no cargo and rustc of $(minimum_rust) or later." "run: make setup"
}

# Tools that no Debian package brings live here, keyed by their version, and outlive `make clean`.
TOOLS=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/holdfast/tools

# cargo-deny and cargo-fuzz: their versions, and where setup.sh puts them. The release of the system is in the path since a program built on a
# newer one does not start on an older one that shares the home folder (glibc).
CARGO_DENY_VERSION=0.20.2
CARGO_DENY=$TOOLS/cargo-deny-$CARGO_DENY_VERSION-$(os ID)$(os VERSION_ID)/bin/cargo-deny
CARGO_FUZZ_VERSION=0.13.2
CARGO_FUZZ=$TOOLS/cargo-fuzz-$CARGO_FUZZ_VERSION-$(os ID)$(os VERSION_ID)/bin/cargo-fuzz
