#!/usr/bin/env bash
# Times maskwatch beside other runtimes on the same networks and prints the table of the README. Arguments go to run.py
# (--rounds, --slice, --stage classifier:224, --threads 1, --json FILE).
#
# Everything that is downloaded goes to target/peers (3 GB, most of it TensorFlow, which writes the TFLite file). The pictures
# that the 8-bit networks are calibrated on come from $MASKWATCH_SHARED (default ../shared); without it the bundled ones serve.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:$HOME/.cargo/bin" PYTHONDONTWRITEBYTECODE=1

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "Installing python3-venv with apt: the other runtimes are Python packages"
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
fi
[ -x target/peers/venv/bin/python ] || python3 -m venv target/peers/venv
if ! cmp -s benches/peers/requirements.txt target/peers/installed.txt; then
    echo "Installing the other runtimes into target/peers/venv: OpenVINO, LiteRT, ONNX Runtime, ncnn, and TensorFlow as a converter"
    target/peers/venv/bin/pip install --quiet --requirement benches/peers/requirements.txt
    cp benches/peers/requirements.txt target/peers/installed.txt
fi
cargo build --release --locked --quiet
echo "Building the crates tract and rten (minutes, the first time)"
cargo build --release --locked --quiet --manifest-path benches/peers/rust/Cargo.toml --target-dir target/peers/rust
target/peers/venv/bin/python benches/peers/export.py >target/peers/export.log 2>&1 || { tail -20 target/peers/export.log >&2; exit 1; }
grep -i calibrating target/peers/export.log || true
target/peers/venv/bin/python benches/peers/run.py --maskwatch target/release/maskwatch --rust target/peers/rust/release/peers "$@"
