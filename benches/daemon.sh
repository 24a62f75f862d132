#!/usr/bin/env bash
# Memory and CPU share of `maskwatch run` with nobody at the door: 640x480 frames, 10 a second, played by a shell command
# as a camera would give them, for SECONDS_EACH (30) seconds per format after 5 seconds of warming up. Reads /proc alone.
# Arguments are given to the daemon, say a --config FILE; by default its built-in configuration is used.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${SECONDS_EACH:-30}
frames=target/daemon-frames
mkdir -p "$frames"
cargo build --release --locked --quiet
cargo bench --locked --quiet --bench frame -- --write "$frames"

ticks=$(getconf CLK_TCK)
daemon=
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true' EXIT

# Ticks that a process has had the CPU, in user space and in the kernel; its name, in parentheses, may hold spaces.
used() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }

echo "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1), $(nproc) cores; nobody at the door, 10 frames/s"
printf '%-22s %9s %12s %12s %8s %12s\n' source 'frames/s' 'peak RSS MB' 'now RSS MB' threads 'CPU share %'
for format in 'yuyv422 640x480' 'mjpeg'; do
    file="$frames/${format%% *}"
    # A byte for each frame that was played, since a busy machine may play fewer than ten a second.
    played="$frames/played"
    : >"$played"
    target/release/maskwatch run --dry-run "$@" \
        --source "command($format): while cat $file; do printf . >>$played; sleep 0.098; done" 2>"$frames/log" &
    daemon=$!
    sleep 5
    if ! grep -q 'gives frames' "$frames/log"; then
        cat "$frames/log" >&2
        exit 1
    fi
    before=$(used $daemon) first=$(stat -c %s "$played")
    sleep "$seconds"
    after=$(used $daemon) last=$(stat -c %s "$played")
    status=/proc/$daemon/status
    awk -v name="$format" -v rate="$(awk "BEGIN { print ($last - $first) / $seconds }")" \
        -v share="$(awk "BEGIN { print 100 * ($after - $before) / $ticks / $seconds }")" '
        /^VmHWM/ { peak = $2 / 1024 } /^VmRSS/ { now = $2 / 1024 } /^Threads/ { threads = $2 }
        END { printf "%-22s %9.1f %12.1f %12.1f %8d %12.1f\n", name, rate, peak, now, threads, share }' "$status"
    kill $daemon
    wait $daemon || true
    daemon=
done
