#!/usr/bin/env bash
# That each rule of rules.sh can be broken: rules-test.sh (part of make check)
#
# In a scratch clone, one breach after another: the rule named has to tell of it, by these words.
# shellcheck disable=SC2317 # `breach` calls functions by their names
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
here=$TOP
git clone --quiet --no-hardlinks "$TOP" "$scratch/clone"
# The rules and the tree as they are now, committed or not.
git diff --binary HEAD | git -C "$scratch/clone" apply --allow-empty
cd "$scratch/clone"
git add --all
git -c user.name=rules -c user.email=rules@invalid commit --quiet --allow-empty --message "the tree as it is"

failed=0

# breach CASE RULE WORDS COMMAND...: after COMMAND the rule is broken, in these words; then all is put back.
breach() {
    local case=$1 rule=$2 words=$3 output
    shift 3
    "$@"
    git add --all
    output=$(scripts/rules.sh 2>&1) && output+=' (exit 0)'
    if grep -qF "broken: $rule" <<<"$output" && grep -qF -- "$words" <<<"$output" && [[ $output != *'(exit 0)' ]]; then
        say "ok: $case"
    else
        printf 'NOT SEEN: %s\n%s\n' "$case" "$output" >&2
        failed=1
    fi
    git reset --quiet --hard
}

put() { mkdir -p "$(dirname "$1")" && printf '%b' "$2" >"$1"; }
append() { printf '%b' "$2" >>"$1"; }
no_std=$'core wire and board stay no std'

scripts/rules.sh >"$scratch/output" 2>&1 || die "the tree as it is breaks a rule, so the rules cannot be tried:" "$(<"$scratch/output")"

breach "two decisions with one number" "decisions have unique numbers" "0001-*: two records carry this number" \
    put app/docs/decisions/0001-another.md '# another\n'
breach "a decision without a number" "decisions have unique numbers" "called NNNN-words" put app/docs/decisions/another.md '# another\n'
breach "no_std is gone from the core" "$no_std" "app/core/src/lib.rs: no line '#![no_std]'" sed -i '/^#!\[no_std\]$/d' app/core/src/lib.rs
breach "the wire takes the heap" "$no_std" "app/wire/src/heap.rs:2: extern crate alloc;" put app/wire/src/heap.rs '//! Heap.\nextern crate alloc;\n'
breach "std comes back behind a test's attribute" "$no_std" "app/core/src/late.rs:3: extern crate std;" \
    put app/core/src/late.rs '#[cfg(test)]\nuse x;\nextern crate std;\n'
breach "a dependency of the core brings std" "$no_std" "built with std or alloc: serde" \
    sed -i 's/^serde.workspace = true/serde = { workspace = true, features = ["std"] }/' app/wire/Cargo.toml
breach "a file far too long" "files stay short" "long.rs: 601 lines" put app/src/long.rs "$(printf '//\\n%.0s' {1..601})"
breach "a home folder in a document" "no paths of one machine" "CHANGELOG.md" append CHANGELOG.md "see /hom""e/someone/notes\n"
breach "a link to nowhere" "links of documents lead somewhere" "links to nowhere.md" append CHANGELOG.md '[gone](nowhere.md)\n'

cd "$here"
exit "$failed"
