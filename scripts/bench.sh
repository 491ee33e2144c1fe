#!/usr/bin/env bash
# Holdfast, ffmpeg and gst-launch side by side: bench.sh [--seconds N] [--rounds N] (make bench)
#
# Seven minutes with the defaults: three contenders, two rounds, windows of 60 s. Ends with 1 where a target is missed.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

options=()
while (($#)); do
    case $1 in
        --seconds | --rounds)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "${1#--} is '${2:-}', which is no number of them." "for example: make bench SECONDS=60 ROUNDS=2"
            options+=("$1" "$2")
            ;;
        *) die "bench.sh knows no '$1'." "allowed: --seconds N, --rounds N" ;;
    esac
    shift 2
done

scripts/setup.sh bench
need_rust
step "build" cargo build --locked --release --package holdfast --bin holdfast --package holdfast-tests --bin lab
# exec: Ctrl-C and the exit status are the lab's own.
exec target/release/lab bench --holdfast target/release/holdfast "${options[@]}"
