#!/usr/bin/env bash
# New worlds of the simulation, a month each: soak.sh [--seconds N] [--most-seconds N] (make soak)
#
# Ends with 1 where something was broken, or a month took more CPU time than it may; the seed of what broke is added to
# tests/sim/seeds, which `make test` replays.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

seconds=600
# What a month may take on a core of its own of a machine of today. Where others use the core's cache too it takes half as long again.
most=20
while (($#)); do
    case $1 in
        --seconds)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "seconds is '${2:-}', which is no number of them." "for example: make soak SECONDS=600"
            seconds=$2
            ;;
        --most-seconds)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "most-seconds is '${2:-}', which is no number of them." "for example: make soak MOST_SECONDS=40"
            most=$2
            ;;
        *) die "soak.sh knows no '$1'." "allowed: --seconds N, --most-seconds N" ;;
    esac
    shift 2
done

scripts/setup.sh test
need_rust
step "build" cargo build --locked --profile soak --package holdfast-sim --bin soak
exec target/soak/soak --seconds "$seconds" --most-seconds "$most" --seeds tests/sim/seeds
