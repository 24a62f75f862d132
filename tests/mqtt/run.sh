#!/usr/bin/env bash
# The door and a real broker: tests/mqtt/run.sh starts mosquitto with TLS, passwords and an access list, and the daemon before a
# picture of a bare face. Installs mosquitto where it is missing, through apt. Takes some two minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:$HOME/.cargo/bin:/usr/sbin"
# shellcheck source=cross/packages.sh
source cross/packages.sh

need mosquitto mosquitto "the broker"
need mosquitto_sub mosquitto-clients "to read and write what the door does"
need openssl openssl "to make certificates"
need python3 python3 "the test is written in it"
need_module jsonschema python3-jsonschema "to check what Home Assistant is told"
need_module jinja2 python3-jinja2 "to read values as Home Assistant does"
install_needed
cargo build --locked --workspace --bin maskwatch
exec python3 -u tests/mqtt/run.py target/debug/maskwatch
