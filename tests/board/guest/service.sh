# shellcheck shell=sh
# Sourced in a guest with systemd: what a test does to the service.

# killed SIGNAL: the daemon, and nothing else of the unit, gets a signal.
killed() {
    kill "-$1" "$(systemctl show --property MainPID --value maskwatch)"
}

# property NAME…: values of the service.
property() {
    for name; do systemctl show --property "$name" --value maskwatch; done | paste -s -d ' '
}

# drop_in NAME: adds a drop-in that the package brings, and restarts.
drop_in() {
    mkdir -p /etc/systemd/system/maskwatch.service.d
    cp "/usr/share/maskwatch/drop-ins/$1.conf" /etc/systemd/system/maskwatch.service.d/
    systemctl daemon-reload
    systemctl restart maskwatch
}

# backend NAME: how pins are driven from the next start on.
backend() {
    printf '\n[outputs]\nbackend = "%s"\n' "$1" >>/etc/maskwatch/maskwatch.toml
}
