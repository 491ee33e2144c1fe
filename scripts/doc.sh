#!/usr/bin/env bash
# The crates' documentation, into target/doc: doc.sh (make doc)
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

scripts/setup.sh doc
need_rust
cargo doc --locked --workspace --no-deps
say "open target/doc/holdfast/index.html"
