#!/usr/bin/env bash
# The metrics against the real Prometheus: tests/metrics/run.sh. promtool reads them, a Prometheus with our alert rules scrapes the
# daemon and a node_exporter with its file, and is asked for what happened; every expression of the dashboard is asked, too. Ends with
# a table. PROGRAM=… tests another program than the debug one. Takes a minute once that is built.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=cross/packages.sh
source cross/packages.sh

need prometheus prometheus "it scrapes the metrics (the test starts its own; Debian's service beside it is not needed)"
need prometheus-node-exporter prometheus-node-exporter "it reads the file with metrics (the test starts its own)"
need cjpeg libjpeg-turbo-progs "it makes a picture with nobody in it"
need python3 python3 "it runs this test"
install_needed

program=${PROGRAM:-}
if [ -z "$program" ]; then
    cargo build --locked --workspace --bin maskwatch
    program=target/debug/maskwatch
fi
exec python3 tests/metrics/run.py "$(realpath "$program")"
