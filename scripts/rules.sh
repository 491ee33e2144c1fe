#!/usr/bin/env bash
# The rules of this tree that no compiler and no linter knows: rules.sh (part of make check)
#
# Each rule is a function that prints its breaches, one a line, and nothing where it is kept. All are shown at once.
# shellcheck disable=SC2317 # the rules are called by their names, at the end
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

git rev-parse --is-inside-work-tree >/dev/null 2>&1 \
    || die "$TOP is no git checkout that this user may read, and the rules speak of tracked files." "work in a clone; as another user: git config --global --add safe.directory '$TOP'"

# Files longer than this are read from top to bottom by nobody: first a warning, then a breach.
LONG=500
TOO_LONG=600

code_files() { git ls-files '*.rs' '*.sh' '*.py' '*.js' '*.html' '*.css' '*.bb' '*.bbclass'; }

rule_decisions_have_unique_numbers() {
    local path number
    git ls-files 'app/docs/decisions/*.md' | while read -r path; do
        [[ ${path##*/} == README.md || ${path##*/} =~ ^[0-9]{4}-[a-z0-9-]+\.md$ ]] \
            || say "$path: a decision record is called NNNN-words-in-lower-case.md"
    done
    git ls-files 'app/docs/decisions/*.md' | sed -n 's|.*/\([0-9]\{4\}\)-.*|\1|p' | sort | uniq -d | while read -r number; do
        say "app/docs/decisions/$number-*: two records carry this number; give the younger one the next free number"
    done
}

# The compiler forbids files, clocks, threads and the heap in these crates as long as these three things hold.
rule_core_wire_and_board_stay_no_std() {
    local crate path built
    for crate in app/core app/wire board; do
        grep -qxF '#![no_std]' "$crate/src/lib.rs" \
            || say "$crate/src/lib.rs: no line '#![no_std]': without it the compiler no longer keeps files, clocks and the heap out of this crate"
        git ls-files "$crate/src/*.rs" | while read -r path; do
            [[ -f $path ]] || continue
            # Tests may use std: what follows #[cfg(test)] is theirs, the next item, or from `mod NAME {` on the rest of the file.
            awk -v path="$path" '
                /^[ \t]*\/\// { next }
                test && /mod .*\{/ { exit }
                test { test = 0; next }
                /#\[cfg\(test\)\]/ { test = 1; next }
                /extern crate (std|alloc)/ {
                    print path ":" NR ": " $0 " <- files, clocks and the heap belong into app/src; tests may, under #[cfg(test)]"
                }' "$path"
        done
        # A dependency built with its std or alloc feature brings the heap in by the back door, and breaks a build for bare metal.
        built=$(features "$crate" 2>&1) || say "$crate/Cargo.toml: cargo tree cannot read it: $built"
        grep -E '[[,](std|alloc|use-std|use-alloc)[],]' <<<"$built" | sort -u \
            | sed "s|^|$crate/Cargo.toml: a dependency is built with std or alloc: |; s|\$| <- take it with default-features = false|" || true
    done
}

# features FOLDER: each dependency of a crate with the features that it is built with; procedural macros run on the host and do not count.
features() { cargo tree --locked --manifest-path "$1/Cargo.toml" --edges normal,no-proc-macro --prefix none --format '{p} [{f}]'; }

rule_files_stay_short() {
    local path lines
    code_files | while read -r path; do
        [[ -f $path ]] || continue
        lines=$(wc -l <"$path")
        if ((lines > TOO_LONG)); then
            say "$path: $lines lines, over $TOO_LONG; split it by what its parts are for"
        elif ((lines > LONG)); then
            warn "$path: $lines lines, over $LONG; think of splitting it"
        fi
    done
}

# A path of one person's machine means nothing on another one, and tells where the work was done.
rule_no_paths_of_one_machine() {
    local home=${HOME:-/nonexistent} own
    own=$(printf '%s' "$TOP" | sed 's/[][\.*^$+?(){}|]/\\&/g')
    home=$(printf '%s' "$home" | sed 's/[][\.*^$+?(){}|]/\\&/g')
    git grep -nIE "(^|[^A-Za-z0-9._/-])($own|$home/[A-Za-z0-9._-]|/home/[a-z][a-z0-9_-]*/|/Users/[A-Za-z])" -- . ':!scripts/rules.sh' \
        | cut -c1-160 | sed 's/$/ <- a path of one machine; say it relative to the tree/' || true
}

# A link of a document to a file that is not there.
rule_links_of_documents_lead_somewhere() {
    local path target
    git ls-files '*.md' | while read -r path; do
        [[ -f $path ]] || continue
        { grep -oE '\]\([^)# ]+' "$path" || true; } | cut -c3- | while read -r target; do
            [[ $target == *:* || -e $(dirname "$path")/$target ]] || say "$path: links to $target, which is not there"
        done
    done
}

broken=0
for rule in $(compgen -A function rule_); do
    breaches=$("$rule")
    words=${rule#rule_}
    if [[ -n $breaches ]]; then
        printf 'broken: %s\n' "${words//_/ }"
        printf '    %s\n' "${breaches//$'\n'/$'\n    '}"
        broken=1
    else
        printf 'kept:   %s\n' "${words//_/ }"
    fi
done
exit "$broken"
