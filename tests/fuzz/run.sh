#!/usr/bin/env bash
# Fuzzes each parser of foreign bytes for SECONDS (default 30): tests/fuzz/run.sh [SECONDS] [TARGET...]
# Needs a nightly toolchain, for the sanitizer and the coverage that leads the fuzzer, and cargo-fuzz; both are installed by
# their user, since they are large. Inputs found so far are kept in target/fuzz/corpus and used again.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-30}
targets=("${@:2}")
if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then
    echo "error: $seconds is no number of seconds; call $0 [SECONDS] [TARGET...]" >&2
    exit 1
fi

toolchain=nightly
# by_chance WHY: the same parsers on changed inputs, without coverage: what the stable toolchain can do.
by_chance() {
    echo "no fuzzing by coverage: $1; more changes by chance than in the tests instead"
    # The whole workspace, so that nothing is built with other features than for the tests.
    MASKWATCH_FUZZ_FACTOR=${MASKWATCH_FUZZ_FACTOR:-5} cargo test --locked --workspace --test lab fuzz_twin
    exit
}
if ! cargo "+$toolchain" --version >/dev/null 2>&1; then
    by_chance "it needs a nightly toolchain (rustup toolchain install nightly)"
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    by_chance "cargo-fuzz is not installed (cargo install --locked cargo-fuzz)"
fi
if [[ ${#targets[@]} -eq 0 ]]; then
    mapfile -t targets < <(cd tests/fuzz/targets && printf '%s\n' *.rs | sed 's/\.rs$//')
fi

folder=$PWD/target/fuzz
corpus=$folder/corpus
mkdir -p "$corpus"
fuzz() { cargo "+$toolchain" fuzz "$1" --fuzz-dir tests/fuzz --target-dir "$folder/build" "${@:2}"; }
fuzz build
host=$(rustc "+$toolchain" -vV | sed -n 's/^host: //p')
"$folder/build/$host/release/write-seeds" "$corpus"
for target in "${targets[@]}"; do
    echo "== $target"
    mkdir -p "$corpus/$target" "$folder/artifacts/$target"
    # A frame of the most pixels that are allowed takes 192 MiB, beside the sanitizer's own.
    fuzz run "$target" "$corpus/$target" -- \
        "-max_total_time=$seconds" -max_len=4194304 -rss_limit_mb=3072 -timeout=20 -print_final_stats=1 \
        "-artifact_prefix=$folder/artifacts/$target/"
done
