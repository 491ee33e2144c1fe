#!/usr/bin/env bash
# Holdfast, ffmpeg and gst-launch side by side: bench.sh [LAB BENCH OPTION...] (make bench)
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

scripts/setup.sh bench
need_rust
step "build" cargo build --locked --release --package holdfast --bin holdfast --package holdfast-tests --bin lab
exec target/release/lab bench --holdfast target/release/holdfast "$@"
