#!/usr/bin/env bash
# Changes the code of the door's logic in one place at a time and runs the tests: a change that no test notices is a hole
# in them. tests/mutants.sh [K/N]: part K of N, from 0. A part that was stopped goes on where it was; hours in all. It
# works on a copy of the last commit in target/mutants. What may survive is listed in .cargo/mutants.toml, with reasons.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:$HOME/.cargo/bin" CARGO_INCREMENTAL=1 CARGO_PROFILE_TEST_OPT_LEVEL=0

part=${1:-0/1}
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
# mutants PACKAGE TEST…: the mutants of a package against these of its tests.
mutants() {
    cargo mutants --package "$1" --in-place --iterate --no-shuffle --shard "$part" \
        --output "../$1-part-${part/\//-of-}" -- "${@:2}"
}

# Both run to their end; survivors of the first do not hide those of the second.
status=0
mutants maskwatch-door --lib || status=$?
mutants maskwatch --lib --test integration || status=$?
exit $status
