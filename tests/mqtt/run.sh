#!/usr/bin/env bash
# The door and a real broker: tests/mqtt/run.sh starts mosquitto with TLS, passwords and an access list, and the daemon before a
# picture of a bare face. Installs mosquitto where it is missing, through apt. Takes some two minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:$HOME/.cargo/bin"

missing=""
need() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || { missing="$missing $2"; echo "this test needs $2: $3"; }; }
need mosquitto mosquitto "the broker"
need mosquitto_sub mosquitto-clients "to read and write what the door does"
need openssl openssl "to make certificates"
need python3 python3 "the test is written in it"
python3 -c 'import jsonschema' 2>/dev/null || { missing="$missing python3-jsonschema"; echo "this test needs python3-jsonschema: to check what Home Assistant is told"; }
python3 -c 'import jinja2' 2>/dev/null || { missing="$missing python3-jinja2"; echo "this test needs python3-jinja2: to read values as Home Assistant does"; }
if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || { echo "error: this machine has no apt; install the equivalents of:$missing" >&2; exit 1; }
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    $as_root apt-get update -qq
    # The package starts a broker of its own; it is not wanted here.
    # shellcheck disable=SC2086 # a list of packages
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing
fi
cargo build --locked --workspace --bin maskwatch
exec python3 -u tests/mqtt/run.py target/debug/maskwatch
