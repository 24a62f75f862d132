#!/usr/bin/env bash
# Changes the code of the door's logic in one place at a time and runs the tests: a change that no test notices is a hole
# in them. tests/mutants.sh [K/N] [FILE…]: part K of N, from 0, of all files of .cargo/mutants.toml or of these. Hours in
# all, so it is no part of CI; a part that was stopped goes on where it was. It works on a copy of the last commit in
# target/mutants. What may survive is listed in .cargo/mutants.toml, with reasons.
#
# Each pass has more tests than the one before, and only what has survived comes to the next: most changes are noticed by
# the quick tests beside the code.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:$HOME/.cargo/bin"
export CARGO_INCREMENTAL=1 CARGO_PROFILE_TEST_OPT_LEVEL=0 CARGO_PROFILE_TEST_DEBUG=0 CARGO_PROFILE_DEV_DEBUG=0

part=${1:-0/1}
files=()
for file in "${@:2}"; do files+=(--re "^$file"); done
results=$PWD/target/mutants/part-${part/\//-of-}
if [ $# -gt 1 ]; then results+=-$(echo "${@:2}" | cksum | cut -d ' ' -f 1); fi
tree=$PWD/target/mutants/tree
if ! command -v cargo-mutants >/dev/null; then
    echo "installing cargo-mutants, which changes the code and runs the tests"
    cargo install --locked cargo-mutants
fi
if [ -e "$tree/.git" ]; then
    git -C "$tree" checkout --quiet --force --detach "$(git rev-parse HEAD)"
else
    git worktree prune
    git worktree add --quiet --detach "$tree" HEAD
fi
cd "$tree"

status=0
# pass PACKAGE NAME CASES TEST…: what has survived of a package's mutants so far against these of its tests; properties
# are tried with so many cases.
pass() {
    local package=$1 name=$2 cases=$3 output=$results/$1 outcome=0
    mkdir -p "$output"
    if [ -e "$output/$name.done" ]; then return; fi
    PROPTEST_CASES=$cases cargo mutants --package "$package" "${files[@]}" --in-place --iterate --no-shuffle \
        --shard "$part" --output "$output" -- "${@:4}" || outcome=$?
    # 2: some have survived. 3: some took too long, and count as noticed.
    case $outcome in 0 | 2 | 3) touch "$output/$name.done" ;; *) exit "$outcome" ;; esac
    if [ -e "$output/mutants.out/missed.txt" ]; then cp "$output/mutants.out/missed.txt" "$output/survivors.txt"; fi
}

pass maskwatch-door quick 16 --lib
pass maskwatch-door whole 256 --lib
pass maskwatch quick 16 --lib
pass maskwatch loop 16 --test integration -- door_ service
pass maskwatch whole 256 --lib --test integration
for survivors in "$results"/*/survivors.txt; do
    # Without any there is no such file.
    if [ -s "$survivors" ]; then
        status=2
        cat "$survivors"
    fi
done
exit $status
