# shellcheck shell=bash
# Sourced by run.sh beside it while the service runs in the container: whether the daemon in its sandbox reaches broker, browser,
# Prometheus and node_exporter's folder with the drop-in for it, and not without. The container has this machine's loopback; the broker
# runs outside of it. Nothing else of a network is needed. Then: a door that takes its name and broker from the boot partition.

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

# Many boards from one card: name and broker come from the boot partition.
provisioned=/etc/maskwatch/maskwatch.toml.d/50-door.toml
is_taken() { inside test -e $provisioned && inside test ! -e /boot/firmware/maskwatch-door.toml; }
hears_provisioned() { [ "$(mosquitto_sub -h 127.0.0.1 -p "$broker_port" -t maskwatch/from-the-card/availability -C 1 -W 1 2>/dev/null)" = online ]; }
check "taking names from the boot partition is for who enables it" not inside systemctl is-enabled maskwatch-provision
inside mkdir -p /boot/firmware
inside rm /etc/maskwatch/maskwatch.toml.d/listeners.toml
lists mqtt
inside systemctl start maskwatch-provision
check "without files on the boot partition nothing is changed" not inside test -e $provisioned
# As an editor of Windows writes it: a byte order mark, and lines that end in CR LF.
printf '\357\273\277[mqtt]\r\nbroker = "mqtt://127.0.0.1:%s"\r\ncredentials = "/etc/maskwatch/mqtt.toml"\r\ndoor = "from-the-card"\r\n' "$broker_port" |
    inside tee /boot/firmware/maskwatch-door.toml >/dev/null
printf 'user = "from-the-card"\r\npassword = "secret"\r\n' | inside tee /boot/firmware/maskwatch-mqtt.toml >/dev/null
check "name and broker are taken from the boot partition" inside systemctl start maskwatch-provision
check "and are gone from it" is_taken
check "the password is the door's to read, and nobody else's" same "$(inside stat -c '%a %U %G' /etc/maskwatch/mqtt.toml)" "640 root maskwatch"
inside systemctl restart maskwatch
check "the door tells the broker by its new name" soon hears_provisioned
printf '[mqtt]\ndoor = "a name with blanks"\n' | inside tee /boot/firmware/maskwatch-door.toml >/dev/null
check "a name that is refused is not taken" not inside systemctl start maskwatch-provision
check "the journal says why" within 'journalctl -u maskwatch-provision | grep -q "mqtt.door"'
inside systemctl reset-failed maskwatch-provision
check "and the file of before is back" inside grep -q from-the-card $provisioned
check "with its password" inside grep -q secret /etc/maskwatch/mqtt.toml
# The power fails between putting a file in place and checking it; the next start finds the same refused file.
inside sh -c "cp -p $provisioned $provisioned.before && cp /boot/firmware/maskwatch-door.toml $provisioned"
check "after a run that the power ended, a refused name is still not taken" not inside systemctl start maskwatch-provision
inside systemctl reset-failed maskwatch-provision
check "and the file from before that run is back" inside grep -q from-the-card $provisioned
check "nothing is left beside it" same "$(inside ls /etc/maskwatch/maskwatch.toml.d)" 50-door.toml
inside rm -r /boot/firmware

inside rm -rf /etc/maskwatch/maskwatch.toml.d /etc/maskwatch/mqtt.toml /etc/maskwatch/web.password /etc/systemd/system/maskwatch.service.d /var/lib/prometheus
inside systemctl daemon-reload
inside systemctl restart maskwatch
kill $broker
wait $broker || true
broker=
