#!/usr/bin/env bash
# All tests of the workspace. They are compiled together. Then the unit tests run beside the integration tests, since many
# of the latter wait for a clock or another process most of the time; what the unit tests print comes behind.
set -euo pipefail
cd "$(dirname "$0")/.."

cores=$(nproc)
# What is compiled once need not be prepared for a quicker second time; that takes a quarter of it. Who has compiled so already
# keeps it, since cargo would compile all anew.
if [ -z "$(ls -A "${CARGO_TARGET_DIR:-target}/debug/incremental" 2>/dev/null)" ]; then export CARGO_INCREMENTAL=0; fi
cargo test --locked --workspace --no-run

log=$PWD/target/unit-tests.log
status=0
RUST_TEST_THREADS=$cores cargo test --locked --workspace --lib --bins --no-fail-fast >"$log" 2>&1 &
unit=$!
RUST_TEST_THREADS=$((2 * cores)) cargo test --locked --workspace --test '*' --no-fail-fast || status=$?
wait "$unit" || status=$?
cat "$log"
cargo test --locked --workspace --doc --no-fail-fast || status=$?
[ "$status" -eq 0 ] || echo "error: some tests failed; see above" >&2
exit "$status"
