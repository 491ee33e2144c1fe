#!/usr/bin/env bash
# New worlds of the simulation, a month each: soak.sh [--seconds N] (make soak)
#
# Ends with 1 where something was broken; the seed is added to tests/sim/seeds, which `make test` replays.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

seconds=600
while (($#)); do
    case $1 in
        --seconds)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "seconds is '${2:-}', which is no number of them." "for example: make soak SECONDS=600"
            seconds=$2
            ;;
        *) die "soak.sh knows no '$1'." "allowed: --seconds N" ;;
    esac
    shift 2
done

scripts/setup.sh test
need_rust
step "build" cargo build --locked --profile soak --package holdfast-sim --bin soak
exec target/soak/soak --seconds "$seconds" --seeds tests/sim/seeds
