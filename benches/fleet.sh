#!/usr/bin/env bash
# Many doors and one mosquitto: benches/fleet.sh [MINUTES] plays 500 doors without encryption and 50 over TLS, kills the broker in the
# middle of each for ten seconds, and prints a table. Installs mosquitto where it is missing, through apt.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:$HOME/.cargo/bin:/usr/sbin"
# shellcheck source=cross/packages.sh
source cross/packages.sh
minutes=${1:-5}

need mosquitto mosquitto "the broker"
need openssl openssl "to make certificates"
install_needed
cargo build --release --locked --package maskwatch-lab
# Each door has some ten files open.
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"

folder=$(mktemp -d)
broker=""
finish() {
    [ -z "$broker" ] || kill -9 "$broker" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
chmod 755 "$folder"
# An authority, and a broker's certificate that it has signed.
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
openssl req -x509 "${new_key[@]}" -keyout "$folder/ca.key" -out "$folder/ca.pem" -days 2 -subj "/CN=fleet" \
    -addext "basicConstraints=critical,CA:TRUE" 2>/dev/null
openssl req "${new_key[@]}" -keyout "$folder/key.pem" -out "$folder/broker.csr" -subj "/CN=localhost" 2>/dev/null
echo "subjectAltName=DNS:localhost,IP:127.0.0.1" >"$folder/names"
openssl x509 -req -in "$folder/broker.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -CAcreateserial -days 2 \
    -extfile "$folder/names" -out "$folder/broker.pem" 2>/dev/null
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start "LISTENER'S MORE LINES": a broker that keeps what is for clients that are away, over its own end too.
start() {
    {
        [ "$(id -u)" -ne 0 ] || echo "user root"
        echo "allow_anonymous true"
        echo "persistence true"
        echo "persistence_location $folder/"
        echo "autosave_interval 2"
        echo "max_queued_messages 0"
        echo "max_inflight_messages 200"
        echo "log_dest file $folder/mosquitto.log"
        echo "listener $port 127.0.0.1"
        printf '%b' "$1"
    } >"$folder/mosquitto.conf"
    mosquitto -c "$folder/mosquitto.conf" &
    broker=$!
}

# play DOORS SCHEME "LINES": a broker, the doors, and ten seconds without the broker in the middle.
play() {
    echo
    echo "## $1 doors, $2://, $minutes minutes, 6 alerts a minute and door; the broker is stopped for 10 s in the middle"
    port=$(free_port)
    rm -f "$folder/mosquitto.db"
    start "$3"
    sleep 1
    (
        sleep "$(python3 -c "print(30 * $minutes + 5)")"
        kill -TERM "$broker"
        sleep 10
        start "$3"
        echo "$broker" >"$folder/broker"
        wait
    ) &
    local outage=$!
    target/release/maskwatch-lab fleet --doors "$1" --minutes "$minutes" --broker "$2://127.0.0.1:$port" "${@:4}" ||
        failed=1
    kill -9 "$(cat "$folder/broker")" "$outage" 2>/dev/null || true
    wait 2>/dev/null || true
    broker=""
}

failed=0
sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1
play 500 mqtt ""
play 50 mqtts "certfile $folder/broker.pem\nkeyfile $folder/key.pem\n" --ca "$folder/ca.pem"
exit $failed
