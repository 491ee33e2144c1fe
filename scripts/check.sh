#!/usr/bin/env bash
# Everything that can be said about the tree without running it: check.sh (make check)
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

deny() { "$CARGO_DENY" --locked --color never "$@"; }

# Known holes are in a database that is fetched by git (a mirror: git config url.MIRROR.insteadOf https://github.com/RustSec).
# A machine that cannot reach it uses the copy it has, and without one says so aloud: a check that was not made is not a check that passed.
advisories() {
    local fetched database age
    if fetched=$(timeout 120 "$CARGO_DENY" --locked --color never fetch db 2>&1); then
        deny check --hide-inclusion-graph advisories
        return
    fi
    fetched=$(grep -m1 '^fatal:' <<<"$fetched" || head -n1 <<<"$fetched")
    database=$(find "${CARGO_HOME:-${HOME:-/root}/.cargo}/advisory-dbs" -mindepth 1 -maxdepth 1 -type d -name 'advisory-db-*' 2>/dev/null | head -n1 || true)
    if [[ -n $database ]] && age=$(git -C "$database" log -1 --format=%cs 2>/dev/null); then
        warn "the RustSec database could not be fetched (${fetched:-time-out}); checked against the copy of $age"
        deny --offline check --hide-inclusion-graph advisories
    else
        warn "ADVISORIES WERE NOT CHECKED: the RustSec database could not be fetched (${fetched:-time-out})"
        return "$UNDONE"
    fi
}

shell_scripts() { git ls-files -z 'scripts/*.sh' .ci/run | xargs -0 shellcheck --external-sources; }

documentation() { RUSTDOCFLAGS=-Dwarnings cargo doc --quiet --locked --workspace --no-deps; }

scripts/setup.sh check
need_rust
step "format" cargo fmt --all --check
step "the tree's own rules" scripts/rules.sh
step "each rule can be broken" scripts/rules-test.sh
step "shell scripts" shell_scripts
step "clippy, warnings are errors" cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
step "documentation" documentation
step "licences, sources and versions of dependencies" deny check --hide-inclusion-graph bans licenses sources
step "known holes in dependencies" advisories
all_passed "make check"
