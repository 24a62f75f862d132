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

# drop_in NAME…: adds drop-ins that the package brings, and restarts.
drop_in() {
    mkdir -p /etc/systemd/system/maskwatch.service.d
    for name; do cp "/usr/share/maskwatch/drop-ins/$name.conf" /etc/systemd/system/maskwatch.service.d/; done
    systemctl daemon-reload
    systemctl restart maskwatch
}

# backend NAME: how pins are driven from the next start on.
backend() {
    printf '\n[outputs]\nbackend = "%s"\n' "$1" >>/etc/maskwatch/maskwatch.toml
}

# user FOLDER COMMAND: types a command as the board's user, who may use sudo, in a folder below his home.
user() {
    runuser --login pi --command "cd $1 && $2"
}
