#!/usr/bin/env bash
# Runs the fuzz targets of tests/fuzz over their corpus: fuzz.sh [--seconds N] [--target NAME] [--keep] (make fuzz)
#
# Each target runs for N seconds (600), one after the other. What libFuzzer finds on its way stays in target/fuzz/corpus; a finding
# lies in target/fuzz/findings, with the command that repeats it, and fails the task.
# --keep: afterwards the corpus that is kept (tests/fuzz/corpus) is made anew: the seeds, which are made of real values, and as little of
# the rest as reaches the same code, in small files.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# What is kept of a target, at most: it is replayed with every `make test`.
MOST_FILES=50
MOST_BYTES=$((200 * 1024))

FUZZ=tests/fuzz
KEPT=$FUZZ/corpus
GROUND=target/fuzz

seconds=600 wanted='' keep=''
while (($#)); do
    case $1 in
        --seconds) seconds=${2:?} && shift ;;
        --target) wanted=${2:?} && shift ;;
        --keep) keep=1 ;;
        *) die "fuzz.sh knows no $1" "allowed: --seconds N, --target NAME, --keep" ;;
    esac
    shift
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "SECONDS is '$seconds'." "a whole number of seconds above 0 is wanted."

targets() { sed -n 's|^path = "fuzz_targets/\(.*\)\.rs"$|\1|p' "$FUZZ/Cargo.toml"; }

# The stable toolchain does: coverage is asked for by plain code generation options, and no sanitizer is used, which would need a nightly
# one. What they find in C and unsafe code is not in these parts; arithmetic that overflows and assertions are checked.
cargo_fuzz() { PATH=${CARGO_FUZZ%/*}:$PATH cargo fuzz "$@"; }

build() { cargo_fuzz build --fuzz-dir "$FUZZ" --sanitizer none --features fuzz --target-dir "$GROUND" "$1"; }

program() { find "$GROUND" -path "*/release/$1" -type f -perm -u+x | head -n1; }

make_seeds() {
    cargo run --quiet --locked --manifest-path "$FUZZ/Cargo.toml" --target-dir "$GROUND" --example seeds "$1"
}

fuzz() {
    local target=$1 found=$GROUND/findings status=0
    mkdir -p "$GROUND/corpus/$target" "$GROUND/seeds/$target" "$KEPT/$target" "$found"
    "$(program "$target")" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$found/$target-" \
        -print_final_stats=1 "$GROUND/corpus/$target" "$KEPT/$target" "$GROUND/seeds/$target" >"$GROUND/$target.log" 2>&1 || status=$?
    grep -E '^stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' "$GROUND/$target.log" || true
    ((status == 0)) || die "$target failed (exit $status):" "$(grep -A2 'panicked at\|^SUMMARY' "$GROUND/$target.log" | head -n 8)" \
        "the whole story: $GROUND/$target.log; again: $(program "$target") $found/$target-*"
}

# The smallest corpus that reaches the same code, the shortest files first as long as there is room. What libFuzzer did not name, by 40
# hexadecimal digits, always stays: seeds, and findings that a person put there.
keep_corpus() {
    local target=$1 merged file size files=0 bytes=0
    merged=$(mktemp -d)
    rm -f "$KEPT/$target"/seed-*
    cp "$GROUND/seeds/$target"/seed-* "$KEPT/$target/"
    "$(program "$target")" -merge=1 "$merged" "$KEPT/$target" "$GROUND/corpus/$target" >"$GROUND/$target.merge.log" 2>&1
    find "$KEPT/$target" -type f -regextype posix-extended -regex '.*/[0-9a-f]{40}' -delete
    while read -r size; do
        files=$((files + 1)) bytes=$((bytes + size))
    done < <(find "$KEPT/$target" -type f -printf '%s\n')
    while read -r size file; do
        ((files < MOST_FILES && bytes + size <= MOST_BYTES)) || continue
        cp "$file" "$KEPT/$target/"
        files=$((files + 1)) bytes=$((bytes + size))
    done < <(find "$merged" -type f -printf '%s %p\n' | sort -n)
    rm -rf "$merged"
    say "$target: $files files, $bytes bytes are kept"
}

scripts/setup.sh fuzz
need_rust
[[ -z $wanted ]] || targets | grep -qxF -- "$wanted" || die "there is no fuzz target '$wanted'." "there are: $(targets | tr '\n' ' ')"
for target in ${wanted:-$(targets)}; do
    step "build $target" build "$target"
done
step "seeds" make_seeds "$GROUND/seeds"
for target in ${wanted:-$(targets)}; do
    step "fuzz $target, $seconds s" fuzz "$target"
    [[ -z $keep ]] || step "keep what $target has found" keep_corpus "$target"
done
all_passed "make fuzz"
