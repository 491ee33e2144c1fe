#!/usr/bin/env bash
# Installs what a task needs: setup.sh [run|test|check|bench|doc|fuzz|clean-root|all]
#
# Asks dpkg first: where all is there it takes no root, no network and no time.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# For which tasks | package | why. "all" is every task that compiles; a task may stand in several rows.
packages() {
    cat <<'TABLE'
all              gcc                              links what rustc makes
all              libc6-dev                        the C library to link against
all              pkg-config                       finds the C libraries for the build scripts
all              libgstreamer1.0-dev              GStreamer's core, for the recorder and the lab
all              libgstreamer-plugins-base1.0-dev GStreamer's app library, for the recorder and the lab
all              libgstrtspserver-1.0-dev         the lab's virtual cameras are RTSP servers
all              libudev-dev                      block events: disks that come and go
all              ca-certificates                  crates come over https
run,test,bench   gstreamer1.0-plugins-base        app, typefind, videotestsrc, audiotestsrc, Opus
run,test,bench   gstreamer1.0-plugins-good        rtspsrc, RTP payloaders and jitterbuffer, isomp4
run,test,bench   gstreamer1.0-plugins-bad         h264parse, h265parse, x265enc
run,test,bench   gstreamer1.0-plugins-ugly        x264enc: the virtual cameras' H.264
run,test,bench   gstreamer1.0-libav               avenc_aac: the virtual cameras' AAC
run,test,bench   ffmpeg                           ffprobe is the player that the files are judged by; ffmpeg is the bench's rival
test             udev                             systemd-udevd and its database: the tests' disks come and go as real ones do
test             e2fsprogs                        mkfs.ext4, e2fsck: the tests' filesystems
test             exfatprogs                       mkfs.exfat, fsck.exfat: what the check before mounting runs
test             f2fs-tools                       mkfs.f2fs, fsck.f2fs: the same
test             dosfstools                       mkfs.vfat, fsck.vfat: the same
test             smartmontools                    smartctl: the health of disks
test             mount                            losetup, mount, umount
test             iproute2                         ip: the loopback of a test's own network
bench            gstreamer1.0-tools               gst-launch-1.0: the bench's plain pipeline
bench            strace                           counts the recorder's syncs, after its window
check            shellcheck                       the linter of these scripts
check            git                              the checks read the list of tracked files
fuzz             g++                              builds libFuzzer, which its crate brings as C++
clean-root       mmdebstrap                       makes the empty Debian
clean-root       git                              bundles the commit that is tried there
TABLE
}

# Debian's own Rust: the -web packages follow the browsers' needs and are years ahead of the plain ones (1.96 on Debian 12 and 13,
# from the security suite). Taken only where no good enough cargo is on PATH: they may not stand beside Debian's `rustup` package.
rust_packages() {
    cat <<'TABLE'
all              rustc-web                        the compiler
all              cargo-web                        the build tool
check            rust-web-clippy                  the linter
check            rustfmt-web                      the formatter
TABLE
}

# for_task TASK: of a table on standard input, the packages of one task.
for_task() {
    awk -v task="$1" '
        { n = split($1, tasks, ",") }
        task == "all" { print $2; next }
        { for (i = 1; i <= n; i++) if (tasks[i] == task || (tasks[i] == "all" && task != "clean-root")) { print $2; next } }
    ' | sort -u
}

# missing PACKAGE...: those that dpkg does not call installed.
missing() {
    local installed package
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || true)
    for package in "$@"; do
        grep -qxF -- "$package" <<<"$installed" || say "$package"
    done
}

# candidate PACKAGE: the version that apt would install; empty where it knows none.
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -vxF '(none)' || true; }

# unobtainable PACKAGE...: those that apt cannot bring, or for Rust's only too old.
unobtainable() {
    local package version
    for package in "$@"; do
        version=$(candidate "$package")
        case $package in
            rustc-web | cargo-web)
                if [[ -z $version ]] || ! version_at_least "$version" "$(minimum_rust)"; then say "$package"; fi
                ;;
            *) [[ -n $version ]] || say "$package" ;;
        esac
    done
}

update_lists() {
    say "reading the package lists"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q=2 -o DPkg::Lock::Timeout=300 update \
        || die "apt-get update failed: its messages are above." "look at the network and at /etc/apt/sources.list, then run make again."
}

install() {
    # --no-remove: no task of ours is worth a package that the person chose (an older rustc, say).
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q=2 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        install --yes --no-install-recommends --no-remove "$@"
}

install_packages() {
    local -a wanted lacking absent
    mapfile -t wanted < <("$@")
    mapfile -t lacking < <(missing "${wanted[@]}")
    ((${#lacking[@]})) || return 0
    say "to be installed: ${lacking[*]}"
    ((EUID == 0)) || command -v sudo >/dev/null \
        || die "packages are missing, we are not root, and there is no sudo." "as root: apt-get install ${lacking[*]}"
    command -v apt-get >/dev/null || die "no apt-get here, so these cannot be installed: ${lacking[*]}" "install them (or what your system calls them) by hand."

    mapfile -t absent < <(unobtainable "${lacking[@]}")
    if ((${#absent[@]})); then
        update_lists
        mapfile -t absent < <(unobtainable "${lacking[@]}")
    fi
    if ((${#absent[@]})); then
        if grep -q '^\(rustc\|cargo\)-web$' <<<"$(printf '%s\n' "${absent[@]}")"; then
            die "apt knows no Rust of $(minimum_rust) or later: ${absent[*]}" \
                "it comes from Debian's security suite. If that is not among apt's sources, add this line to /etc/apt/sources.list and run make again:" \
                "    deb http://security.debian.org/debian-security $(os VERSION_CODENAME)-security main" \
                "If it is, the network is at fault. Or put a cargo and rustc of $(minimum_rust) or later on PATH."
        fi
        die "apt knows no such package: ${absent[*]}" \
            "Debian 12 and 13 have them all in main: look at apt's messages above, at the network and at /etc/apt/sources.list."
    fi
    # Lists that are days old name files that are gone: once more with fresh ones before giving up.
    install "${lacking[@]}" || {
        update_lists
        install "${lacking[@]}"
    } || die "apt could not install: ${lacking[*]}" "its messages are above. A package that stands in the way is not removed: remove it, or put what it brings on PATH."
}

wanted_packages() { packages | for_task "$1"; }
wanted_rust() { rust_packages | for_task "$1"; }

set_up_rust() {
    use_rust || {
        install_packages wanted_rust "$1"
        use_rust || die "cargo and rustc are installed, yet not of $(minimum_rust) or later: $(command -v cargo || say 'no cargo') says $(cargo --version 2>&1 || true)" \
            "look at PATH: $PATH"
    }
    case $1 in check | all) set_up_linters "$1" ;; esac
}

linters_work() { cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1; }

set_up_linters() {
    if linters_work; then return; fi
    case $(command -v cargo) in
        /usr/bin/cargo) install_packages wanted_rust "$1" ;;
        *) die "the toolchain on PATH ($(command -v cargo)) has no clippy or no rustfmt." "with rustup: rustup component add clippy rustfmt" ;;
    esac
    linters_work || die "clippy and rustfmt are installed, yet cargo does not find them: $(command -v cargo)" "look at PATH: $PATH"
}

# These are in no Debian release: built once for each version, in minutes. Optimising would double those minutes and win seconds.
set_up_cargo_deny() { set_up_tool cargo-deny "$CARGO_DENY_VERSION" "$CARGO_DENY"; }
set_up_cargo_fuzz() { set_up_tool cargo-fuzz "$CARGO_FUZZ_VERSION" "$CARGO_FUZZ"; }

# set_up_tool CRATE VERSION PROGRAM: builds the crate, unless the program is there.
set_up_tool() {
    local crate=$1 version=$2 program=$3 home=${3%/bin/*} scratch
    [[ -x $program ]] && return
    say "building $crate $version into $home"
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now is meant
    trap "rm -rf '$scratch'" EXIT
    CARGO_TARGET_DIR=$scratch CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
        cargo install --quiet --locked --no-track --version "$version" --root "$scratch/root" "$crate" \
        || die "$crate $version could not be built: cargo's messages are above." "it comes from crates.io: look at the network, then run make again."
    # Moved when it is whole, so that an interrupted build never looks like an installed tool.
    mkdir -p "$(dirname "$program")"
    install_whole "$scratch/root/bin/${program##*/}" "$program"
    rm -rf "$scratch"
}

install_whole() { cp "$1" "$2.new" && mv "$2.new" "$2"; }

main() {
    local task=${1:-all}
    case $task in
        run | test | check | bench | doc | fuzz | clean-root | all) ;;
        *) die "setup.sh knows no task '$task'." "allowed: run, test, check, bench, doc, fuzz, clean-root, all" ;;
    esac
    command -v dpkg-query >/dev/null || die "no dpkg here: this set-up knows Debian 12 and later only." "install by hand what the table in scripts/setup.sh names."
    install_packages wanted_packages "$task"
    case $task in clean-root) return ;; esac
    set_up_rust "$task"
    case $task in check | all) set_up_cargo_deny ;; esac
    case $task in fuzz | all) set_up_cargo_fuzz ;; esac
}

main "$@"
