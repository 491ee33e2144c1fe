#!/usr/bin/env bash
# Every test of the workspace: test.sh (make test)
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

scripts/setup.sh test
need_rust
# The programs first: the end-to-end tests start `holdfast` and `lab` from target/debug, and cargo builds no other crate's programs for a test.
step "build" cargo build --locked --workspace --bins
step "tests" cargo test --locked --workspace --no-fail-fast
all_passed "make test"
