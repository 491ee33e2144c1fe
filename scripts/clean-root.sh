#!/usr/bin/env bash
# The proof that a clone is enough: clean-root.sh [SUITE] [TARGET...] (make clean-root)
#
# Makes an empty Debian (mmdebstrap, minbase, with git, make and ca-certificates), clones HEAD into it and runs each TARGET there
# as `make TARGET`, as root, with this machine's network. A target may carry variables: "run SECONDS=30".
# KEEP=1 leaves the folder for a look. Needs root, and about 6 GB under TMPDIR (default /var/tmp).
#
# The root gets nothing of this machine but the way out: apt's and cargo's network settings, proxies and trusted certificates, as found.
# shellcheck disable=SC2317 # `step` and the traps call functions by their names
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# Where the clone lies in the root. (In two parts: whole, it would be a path of that machine, which the tree's rules forbid.)
SOURCES=/src
CLONE=$SOURCES/holdfast

# Environment variables that say how to reach a registry or whom to trust; all others stay outside.
PASSED='^((http|https|no|all)_proxy|(HTTP|HTTPS|NO|ALL)_PROXY|CARGO_(HTTP|NET|REGISTRY|REGISTRIES|SOURCE)_.*|CI|TERM)$'

# Runs inside the namespaces of its own: mounts, then each target. Mounts and processes end with it, however it ends.
inside() {
    local root=$1 target started status failed=0
    local -a environment results=()
    shift
    # A mount of its own, as every system's root is: tests read the table of mounts, and make mounts private.
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mapfile -t environment < <(compgen -e | grep -E "$PASSED" | grep -v '^CARGO_.*_TOKEN$' | while read -r name; do say "$name=${!name}"; done)
    for target in "$@"; do
        printf '\n######## make %s, in an empty Debian\n' "$target"
        started=$EPOCHSECONDS status=passed
        # shellcheck disable=SC2086 # a target may carry variables, so it is split into words
        chroot "$root" env -i "${environment[@]}" HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            make --no-print-directory -C "$CLONE" $target </dev/null || { status="FAILED ($?)" failed=1; }
        results+=("make $target: $status, $((EPOCHSECONDS - started)) s")
    done
    printf '\n######## in an empty %s\n' "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' "$root/etc/os-release")"
    printf '%s\n' "${results[@]}"
    return "$failed"
}

# apt's way out, for mmdebstrap and for the root: proxies and what the machine's clock makes necessary.
network_settings_of_apt() { apt-config dump --format '%F "%v";%n' Acquire | grep -E '^Acquire::(https?::|Check-Date|Check-Valid-Until|Max-FutureTime)' || true; }

# The sections of a cargo configuration that say where crates come from, without those that change what is built.
network_settings_of_cargo() {
    local file
    for file in "${CARGO_HOME:-${HOME:-/root}/.cargo}"/config{.toml,}; do
        [[ -f $file ]] || continue
        awk '/^\[/ { wanted = /^\[(source|registries|registry|http|net)[].]/ } wanted' "$file"
        return
    done
}

pass_the_way_out() {
    local root=$1 certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt} settings
    cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
    cp "$WORK/apt.conf" "$root/etc/apt/apt.conf.d/90way-out"
    if [[ -f $certificates ]]; then cp "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"; fi
    settings=$(network_settings_of_cargo)
    if [[ -n $settings ]]; then
        mkdir -p "$root/root/.cargo"
        printf '%s\n' "$settings" >"$root/root/.cargo/config.toml"
    fi
}

# By a bundle, so that git in the root reads files of its own user only; one commit deep is all that make needs.
clone_head() {
    local root=$1 dirty
    dirty=$(git status --porcelain | wc -l)
    ((dirty == 0)) || warn "$dirty changed or new files are not committed, so they are not part of this proof"
    git bundle create --quiet "$root/head.bundle" HEAD
    chroot "$root" git clone --quiet /head.bundle "$CLONE"
    rm "$root/head.bundle"
}

prepare() {
    pass_the_way_out "$1"
    clone_head "$1"
}

# Only ever the folder made below. One file system: should a mount have stayed after all, what is behind it is not touched.
clean_up() {
    if [[ -n ${KEEP:-} ]]; then
        say "kept: $WORK"
    else
        rm -rf --one-file-system "$WORK"
    fi
}

if [[ ${1:-} == --inside ]]; then
    shift
    inside "$@"
    exit
fi

suite=${1:-bookworm}
shift || true
(($#)) || set -- check test
((EUID == 0)) || die "this needs root: it mounts and changes its root." "run: sudo make clean-root"

scripts/setup.sh clean-root
WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/holdfast-clean-root.XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT TERM
root=$WORK/root

network_settings_of_apt >"$WORK/apt.conf"
step "an empty Debian ($suite)" mmdebstrap --quiet --mode=root --variant=minbase --include=git,make,ca-certificates \
    --aptopt="$WORK/apt.conf" "$suite" "$root"
step "the way out, and a clone of $(git rev-parse --short HEAD)" prepare "$root"
# Beside us and not before us, so that a signal is acted on at once: with `unshare` go its processes and its mounts.
unshare --mount --pid --fork --kill-child --propagation private "$0" --inside "$root" "$@" &
child=$!
# KILL, since `unshare` waits through all other signals; its child, the first process of the namespace, is told to die with it.
trap 'kill -KILL "$child"; wait "$child" || true; exit 130' INT TERM
status=0
wait "$child" || status=$?
exit "$status"
