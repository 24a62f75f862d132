# shellcheck shell=sh
# Sourced in a guest without systemd: does with the daemon what the unit tells systemd to do.

# unit KEY: the value of a line of the unit.
unit() {
    sed -n "s/^$1=//p" /board/maskwatch.service
}

# The folder that systemd makes for the service.
RUNTIME_DIRECTORY=/run/$(unit RuntimeDirectory)
export RUNTIME_DIRECTORY
mkdir -p "$RUNTIME_DIRECTORY"

# start [ARGUMENT…]: runs the unit's ExecStart, with more arguments.
start() {
    # shellcheck disable=SC2046 # a command line
    sh -c 'echo $$ >/run/maskwatch.pid; exec "$@"' sh $(unit ExecStart) "$@" >/dev/console 2>&1 &
}

# start_unread [ARGUMENT…]: the same, but what the daemon says goes into a pipe that is full and that nobody reads.
start_unread() {
    [ -p /run/unread ] || mkfifo /run/unread
    # shellcheck disable=SC2217 # it has the pipe open and reads nothing
    sleep 100000 </run/unread &
    cat /dev/zero >/run/unread &
    filler=$!
    sleep 2
    kill "$filler"
    # shellcheck disable=SC2046 # a command line
    sh -c 'echo $$ >/run/maskwatch.pid; exec "$@"' sh $(unit ExecStart) "$@" >/run/unread 2>&1 &
}

# killed SIGNAL: the daemon is ended by a signal; only then this returns.
killed() {
    pid=$(cat /run/maskwatch.pid)
    kill "-$1" "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

# stopped_post [ARGUMENT…]: the unit's ExecStopPost.
stopped_post() {
    $(unit ExecStopPost) "$@"
}

# spoiled: the configuration gets another pin and a typo, and nobody has told the daemon.
spoiled() {
    cp /etc/maskwatch/maskwatch.toml /run/good.toml
    printf '[outputs.green]\npin = 5\n[decision\n' >>/etc/maskwatch/maskwatch.toml
}

# mended: the configuration is as it was.
mended() {
    cp /run/good.toml /etc/maskwatch/maskwatch.toml
}

# line PIN: the kernel's own number of a pin of the header.
line() {
    for chip in /sys/class/gpio/gpiochip*; do
        case $(cat "$chip/label") in
            pinctrl-*) echo $(($(cat "$chip/base") + $1)) && return ;;
        esac
    done
    return 1
}

# beside PIN COMMAND…: runs a command while the kernel has given the pin to somebody else.
beside() {
    line "$1" >/sys/class/gpio/export || return 77
    given=$1
    shift
    "$@" 2>&1
    status=$?
    line "$given" >/sys/class/gpio/unexport
    return $status
}

# shows_on PIN: red is lit on a pin through rppal.
shows_on() {
    printf '[outputs.red]\npin = %s\n' "$1" >/run/pin.toml
    maskwatch signal alert --for 1 --backend rppal --config /run/pin.toml 2>&1
}
