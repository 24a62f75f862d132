#!/usr/bin/env bash
# The web page in a headless Chromium, driven through its debugging pipe: tests/web/run.sh. Logs in, presses buttons, draws a zone, takes
# screenshots (target/test-web), asks axe-core what is wrong for screen readers, and floods the page while a bare person comes to the door.
# Ends with a table. PROGRAM=… tests another program than the debug one. Takes two minutes once that is built.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=cross/packages.sh
source cross/packages.sh

axe="axe-core@4.10.3" # from the npm registry, for this test only
need chromium chromium "it shows the page"
need python3 python3 "it drives the browser"
need npm npm "it fetches axe-core, which checks what screen readers get"
need openssl openssl "it makes a certificate for this test"
install_needed

work=$PWD/target/test-web
mkdir -p "$work"
if [ ! -e "$work/$axe/package/axe.min.js" ]; then
    mkdir -p "$work/$axe"
    (cd "$work/$axe" && npm pack --silent "$axe" >/dev/null && tar xzf ./*.tgz)
fi
program=${PROGRAM:-}
if [ -z "$program" ]; then
    cargo build --locked --workspace --bin maskwatch
    program=target/debug/maskwatch
fi
export PYTHONDONTWRITEBYTECODE=1
exec python3 tests/web/run.py "$(realpath "$program")" "$work" "$work/$axe/package/axe.min.js"
