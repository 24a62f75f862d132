#!/usr/bin/env bash
# The unit with each of its drop-ins: no complaint of systemd's own checker, and an exposure (systemd-analyze security, 0 best, 10 worst)
# below what was promised. Then the user and groups that the package makes, in an empty root.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v systemd-analyze >/dev/null || { echo "skipped: systemd-analyze is not here (apt-get install systemd)"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
# Keys that are younger than this systemd, which passes over them.
younger='^$'
[ "$version" -ge 254 ] || younger="Unknown key '(RestartSteps|RestartMaxDelaySec)'"

# check DROP-IN EXPOSURE: the most that systemd-analyze may print, times ten; without a drop-in where that is "".
check() {
    local name=${1:-none} most=$2 unit=$folder/$1/maskwatch.service complaints exposure
    mkdir -p "$unit.d"
    # The program need not be installed for this.
    sed 's#/usr/bin/maskwatch#/bin/true#' systemd/maskwatch.service >"$unit"
    [ -z "$1" ] || cp "systemd/drop-ins/$1.conf" "$unit.d/"
    complaints=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep -F maskwatch | grep -vE "$younger" || true)
    [ -z "$complaints" ] || { echo "$complaints" >&2; failed=1; }
    exposure=$(systemd-analyze security --no-pager --offline=true --threshold="$most" "$unit" 2>&1) || failed=1
    # Its last line also tells whether drop-ins were looked at: that of the network scores more than none.
    exposure=$(sed -n 's/.*exposure level for maskwatch.service: \([0-9.]*\).*/\1/p' <<<"$exposure")
    [ -n "$exposure" ] || { echo "error: systemd-analyze gave no exposure for drop-in $name" >&2; failed=1; }
    printf '%-10s exposure %s, at most %s\n' "$name" "${exposure:-?}" "$(sed 's/.$/.&/; s/^\./0./' <<<"$most")"
}

echo "unit with drop-in:"
check "" 8
check rpicam 8
check pwm 8
check sound 8
check network 16
check web 16
check mqtt 16
check dev-mem 16
check metrics-file 8
check metrics 16

# The unit of a door among several is the same but for its name, so what is said of the one holds for the other.
if ! diff <(sed -e '1s/^/# One of several doors on a board: maskwatch@NAME.service reads \/etc\/maskwatch\/NAME.toml. See docs\/several-doors.md. But for its\n# name this is maskwatch.service; tests\/service\/check.sh compares the two.\n/' \
    -e 's/^\(Description=Watches the entrance\)/\1 %i/; s#/etc/maskwatch/maskwatch.toml#/etc/maskwatch/%i.toml#; s#^\(Runtime\|State\)Directory=maskwatch$#&/%i#' \
    -e 's#/\(var/lib\)/maskwatch, its home, in which#/\1/maskwatch/NAME, in which#; s#/run/maskwatch, with#/run/maskwatch/NAME, with#' systemd/maskwatch.service) \
    systemd/maskwatch@.service; then
    echo "error: systemd/maskwatch@.service is not systemd/maskwatch.service with a name" >&2
    failed=1
fi
sed 's#/usr/bin/maskwatch#/bin/true#' systemd/maskwatch@.service >"$folder/maskwatch@north.service"
complaints=$(systemd-analyze verify --man=no "$folder/maskwatch@north.service" 2>&1 | grep -F maskwatch | grep -vE "$younger" || true)
if [ -n "$complaints" ]; then
    echo "$complaints" >&2
    failed=1
else
    echo "unit of a door among several: the same but for its name"
fi

# Each drop-in is scored above.
for file in systemd/drop-ins/*.conf; do
    [ -d "$folder/$(basename "$file" .conf)" ] || { echo "error: $file is not checked by this script" >&2; failed=1; }
done

# Each directive is explained: the line above it is a comment, or another directive under the same one.
awk '/^$/ {explained = 0} /^#/ {explained = 1} /^[A-Za-z]+=/ && !explained {print FILENAME ":" FNR ": " $0 " has no reason above it"; bad = 1}
    END {exit bad}' <(sed '/^\[Unit\]/,/^Documentation/d; /^\[Install\]/,$d; /^\[Service\]/d' systemd/maskwatch.service) systemd/drop-ins/*.conf || failed=1

if command -v systemd-sysusers >/dev/null; then
    mkdir -p "$folder/root/etc"
    systemd-sysusers --root="$folder/root" "$PWD/systemd/maskwatch.sysusers" >/dev/null 2>&1
    for group in gpio video; do
        grep -q "^$group:.*:maskwatch$" "$folder/root/etc/group" || { echo "error: maskwatch is not in the group $group" >&2; failed=1; }
    done
    grep -q '^maskwatch:.*:/var/lib/maskwatch:/usr/sbin/nologin$' "$folder/root/etc/passwd" ||
        { echo "error: systemd-sysusers made no user maskwatch as it should be" >&2; failed=1; }
    echo "user maskwatch in groups gpio and video: made by systemd-sysusers"
fi
[ $failed -eq 0 ] && echo "1 passed, 0 failed"
exit $failed
