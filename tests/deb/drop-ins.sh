# shellcheck shell=bash
# Sourced by run.sh beside it while the service runs in the container: whether the daemon in its sandbox reaches broker, browser,
# Prometheus and node_exporter's folder with the drop-in for it, and not without. The container has this machine's loopback; the broker
# runs outside of it. Nothing else of a network is needed.

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
broker_port=$(free_port)
page_port=$(free_port)
metrics_port=$(free_port)
textfile=/var/lib/prometheus/node-exporter/maskwatch.prom

cat >"$work/mosquitto.conf" <<EOF
listener $broker_port 127.0.0.1
allow_anonymous true
EOF
mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 &
broker=$!

hears_door() { [ "$(mosquitto_sub -h 127.0.0.1 -p "$broker_port" -t maskwatch/sandboxed/availability -C 1 -W 1 2>/dev/null)" = online ]; }
page_answers() { [[ $(curl -sf --max-time 2 "http://127.0.0.1:$page_port/") == *"<html"* ]]; }
metrics_answer() { [[ $(curl -sf --max-time 2 "http://127.0.0.1:$metrics_port/metrics") == *maskwatch_build_info* ]]; }
textfile_is_there() { inside grep -q '^maskwatch_build_info' "$textfile"; }
# soon CONDITION: becomes true within 20 seconds.
soon() {
    local _
    for _ in $(seq 40); do
        "$1" && return
        sleep 0.5
    done
    return 1
}
# lists NAME…: these drop-ins, and no others.
lists() {
    inside rm -rf /etc/systemd/system/maskwatch.service.d
    inside mkdir /etc/systemd/system/maskwatch.service.d
    local name
    for name; do inside cp "/usr/share/maskwatch/drop-ins/$name.conf" /etc/systemd/system/maskwatch.service.d/; done
    inside systemctl daemon-reload
    inside systemctl restart maskwatch
}

inside mkdir -p /etc/maskwatch/maskwatch.toml.d
inside tee /etc/maskwatch/maskwatch.toml.d/listeners.toml >/dev/null <<EOF
[mqtt]
broker = "mqtt://127.0.0.1:$broker_port"
door = "sandboxed"
[web]
enabled = true
listen = "127.0.0.1:$page_port"
password_file = "/etc/maskwatch/web.password"
[metrics]
listen = "127.0.0.1:$metrics_port"
file = "$textfile"
every_seconds = 1
EOF
check "a password of the page is set" inside sh -c 'echo "correct horse battery" | maskwatch config password /etc/maskwatch/web.password'
check "without drop-ins the service runs, whatever it cannot reach" lists
sleep 5
for nobody in hears_door page_answers metrics_answer textfile_is_there; do
    check "without drop-ins: not $nobody" not $nobody
done
check "it warns of the folder" inside sh -c 'journalctl -u maskwatch | grep -q "metrics.file: there is no folder"'
check "nor with metrics-file.conf, while there is no node_exporter: the service runs" lists metrics-file
# As node_exporter's package makes it.
inside mkdir -p "$(dirname $textfile)"
for pair in mqtt:hears_door web:page_answers metrics:metrics_answer metrics-file:textfile_is_there; do
    check "with $(cut -d: -f1 <<<"$pair").conf the service runs" lists "${pair%%:*}"
    check "with $(cut -d: -f1 <<<"$pair").conf: ${pair##*:}" soon "${pair##*:}"
    inside systemctl is-active maskwatch >/dev/null || inside journalctl -u maskwatch -n 20
done
check "node_exporter's user may read the file" inside sh -c "[ \$(stat -c %a $textfile) = 644 ]"
check "with all four the service runs" lists mqtt web metrics metrics-file
for somebody in hears_door page_answers metrics_answer textfile_is_there; do
    check "with all four: $somebody" soon $somebody
done

inside rm -rf /etc/maskwatch/maskwatch.toml.d /etc/maskwatch/web.password /etc/systemd/system/maskwatch.service.d /var/lib/prometheus
inside systemctl daemon-reload
inside systemctl restart maskwatch
kill $broker
wait $broker || true
broker=
