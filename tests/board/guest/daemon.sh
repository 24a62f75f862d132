# shellcheck shell=sh
# Sourced in a guest without systemd: does with the daemon what the unit tells systemd to do.

# unit KEY: the value of a line of the unit.
unit() {
    sed -n "s/^$1=//p" /board/maskwatch.service
}

# start [ARGUMENT…]: runs the unit's ExecStart, with more arguments.
start() {
    # shellcheck disable=SC2046 # a command line
    sh -c 'echo $$ >/run/maskwatch.pid; exec "$@"' sh $(unit ExecStart) "$@" >/dev/console 2>&1 &
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
