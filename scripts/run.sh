#!/usr/bin/env bash
# The main job on this machine: run.sh [--seconds N] [--dir DIR] (make run)
#
# Virtual cameras, the recorder and a volume, shown live. With --seconds it ends by itself with a coverage summary, and fails
# where footage is missing that should be there. Without, it runs until Ctrl-C.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

seconds=() dir=$TOP/run
while (($#)); do
    case $1 in
        --seconds)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "SECONDS is '${2:-}', which is no number of seconds." "for example: make run SECONDS=30"
            seconds=(--seconds "$2")
            ;;
        --dir)
            [[ -n ${2:-} ]] || die "DIR is empty." "for example: make run DIR=./run"
            dir=$2
            ;;
        *) die "run.sh knows no '$1'." "allowed: --seconds N, --dir DIR" ;;
    esac
    shift 2
done

scripts/setup.sh run
need_rust
step "build" cargo build --locked --release --package holdfast --bin holdfast --package holdfast-tests --bin lab
mkdir -p "$dir"
# exec: Ctrl-C and the exit status are the lab's own.
exec target/release/lab run "${seconds[@]}" --dir "$dir" --holdfast target/release/holdfast
