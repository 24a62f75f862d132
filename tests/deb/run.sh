#!/usr/bin/env bash
# Tests the Debian packages: lintian on those for arm64 and armhf; then the same package, built for amd64, is installed, upgraded, removed and
# purged in a container with a systemd of its own (systemd-nspawn, Debian 12), and once where no systemd runs. In between the daemon in its sandbox
# reaches a broker, a browser and Prometheus by the drop-ins (drop-ins.sh). Ends with a table.
#
# The container's system is made once by mmdebstrap and kept in target/test-deb; every run works on a copy.
# shellcheck disable=SC2016 # what stands in single quotes is for the container's shell
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=cross/packages.sh
source cross/packages.sh
export PATH=$PATH:/usr/sbin

work=$PWD/target/test-deb
root=$work/root
suite=bookworm
mkdir -p "$work"

need lintian lintian "it knows the rules for Debian packages"
need mmdebstrap mmdebstrap "it makes the container's system"
need systemd-nspawn systemd-container "it runs the container"
need nsenter util-linux "it runs commands in the container"
need mosquitto mosquitto "the broker that the daemon in the container reaches"
need mosquitto_sub mosquitto-clients "it hears what the broker was told"
need curl curl "it reads the page and the metrics"
need python3 python3 "it finds free ports"
install_needed

table=$(mktemp)
failures=0
nspawn=
broker=
finish() {
    rm -f "$table"
    [ -z "$broker" ] || kill "$broker" 2>/dev/null || true
    [ -n "$nspawn" ] || return 0
    as_root kill "$nspawn" 2>/dev/null || true
    wait "$nspawn" 2>/dev/null || true
}
trap finish EXIT

# check "WHAT IS EXPECTED" COMMAND…: a line of the table; what a command that fails printed is shown.
check() {
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok|$what" >>"$table"
    else
        echo "FAILED|$what" >>"$table"
        failures=$((failures + 1))
        echo "FAILED: $what"
        echo "  command: $*"
        [ -z "$output" ] || tail -n 15 <<<"$output" | sed 's/^/  /'
    fi
}
not() { ! "$@"; }

# The table, and the line that sums it up.
report() {
    echo
    column -t -s '|' "$table"
    echo
    echo "$(grep -c '^ok' "$table") passed, $failures failed"
    [ $failures -eq 0 ]
}

cross/deb.sh arm64 armhf amd64
package() { compgen -G "target/deb/maskwatch_*_$1.deb" | tail -n 1; } # ARCHITECTURE

for architecture in arm64 armhf; do
    # Closing a bug of Debian's tracker with the first upload is for Debian's own packages.
    check "lintian finds no error in the package for $architecture" \
        lintian --allow-root --fail-on error --suppress-tags initial-upload-closes-no-bugs "$(package $architecture)"
done

if [ ! -e "$work/$suite.tar" ]; then
    echo "making the container's system, Debian $suite"
    mirror=$(debian_mirror)
    as_root mmdebstrap --quiet --variant=minbase --include=systemd-sysv,udev,dbus,procps --aptopt='APT::Sandbox::User "root"' --dpkgopt=force-unsafe-io \
        $suite "$work/$suite.part.tar" "deb $mirror $suite main"
    as_root mv "$work/$suite.part.tar" "$work/$suite.tar"
fi
as_root rm -rf "$root"
as_root mkdir "$root"
as_root tar -x -C "$root" -f "$work/$suite.tar" --numeric-owner

if ! as_root systemd-nspawn -q -D "$root" --register=no --keep-unit /bin/true >"$work/nspawn.log" 2>&1; then
    echo "skipped: installing, upgrading, removing and purging: systemd-nspawn does not run here ($(tail -n 1 "$work/nspawn.log"))"
    report
    exit
fi

# The first package, and one that is newer in its number and in its default configuration.
first=$(package amd64)
as_root cp "$first" "$root/root/first.deb"
rm -rf "$work/newer"
dpkg-deb --raw-extract "$first" "$work/newer"
sed -i 's/^Version: .*/&+newer/' "$work/newer/DEBIAN/control"
echo "# A default that is new in this version." >>"$work/newer/etc/maskwatch/maskwatch.toml"
dpkg-deb --root-owner-group --build "$work/newer" "$work/newer.deb" >/dev/null
as_root cp "$work/newer.deb" "$root/root/newer.deb"

# What the container's system consists of, without what runs and logs.
files() {
    as_root find "$root" -xdev \( -path "$root/proc" -o -path "$root/sys" -o -path "$root/dev" -o -path "$root/run" -o -path "$root/tmp" \
        -o -path "$root/root" -o -path "$root/var/tmp" -o -path "$root/var/log" -o -path "$root/var/cache" -o -path "$root/var/lib/dpkg" \
        -o -path "$root/etc/*-" -o -path "$root/var/lib/systemd/timers" \) -prune -o -printf '/%P\n' | LC_ALL=C sort
}

as_root systemd-nspawn -q -D "$root" -b --register=no --keep-unit --console=pipe </dev/null >"$work/console.log" 2>&1 &
nspawn=$!
leader=
for _ in $(seq 100); do
    # sudo, where it is used, stands between this script and nspawn.
    leader=$(pgrep -P "$(pgrep -P $nspawn -x systemd-nspawn || echo $nspawn)" -x systemd || true)
    [ -z "$leader" ] || break
    sleep 0.2
done
[ -n "$leader" ] || fail "the container did not start systemd; its console is in $work/console.log"
inside() { as_root nsenter -t "$leader" -m -u -i -n -p -C "$@"; }
within() { inside timeout 60 sh -c "until $1; do sleep 0.2; done"; } # CONDITION: becomes true within a minute
within 'systemctl is-system-running --wait 2>/dev/null | grep -qE "running|degraded"' || fail "the container's systemd did not come up within a minute"

property() { inside systemctl show --value --property "$1" maskwatch; }
has() { as_root test -e "$root/$1"; }
same() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }

files >"$work/before"
check "the package installs" inside dpkg --install /root/first.deb
check "the service is enabled" inside systemctl is-enabled maskwatch
for file in /usr/bin/maskwatch /lib/systemd/system/maskwatch.service /lib/systemd/system/maskwatch@.service \
    /lib/systemd/system/maskwatch-provision.service /usr/share/maskwatch/provision /usr/lib/sysusers.d/maskwatch.conf /lib/udev/rules.d/60-maskwatch.rules \
    /etc/maskwatch/maskwatch.toml /usr/share/maskwatch/drop-ins/rpicam.conf /usr/share/man/man1/maskwatch.1.gz \
    /usr/share/man/man1/maskwatch-signal.1.gz /usr/share/bash-completion/completions/maskwatch \
    /usr/share/zsh/vendor-completions/_maskwatch /usr/share/fish/vendor_completions.d/maskwatch.fish \
    /usr/share/doc/maskwatch/copyright /usr/share/doc/maskwatch/changelog.Debian.gz; do
    check "$file is there" has $file
done
check "every file is as it was packed" inside dpkg --verify maskwatch
check "the default configuration is a conffile" \
    inside sh -c 'dpkg-query --show --showformat "\${Conffiles}\n" maskwatch | grep -q "^ /etc/maskwatch/maskwatch.toml"'
check "and valid" inside maskwatch run --check --config /etc/maskwatch/maskwatch.toml
for group in video gpio; do
    check "the user maskwatch is in the group $group" inside sh -c "id -nG maskwatch | tr ' ' '\n' | grep -x $group"
done
check "the unit is valid" inside systemd-analyze verify --man=no maskwatch.service
check "bash completes the subcommands" \
    inside bash -c '. /usr/share/bash-completion/completions/maskwatch; COMP_WORDS=(maskwatch si); COMP_CWORD=1; _maskwatch maskwatch si maskwatch; [ "${COMPREPLY[*]}" = signal ]'

# An administrator's edit: there are no pins in a container.
inside sed -i 's/^backend = .*/backend = "simulated"/' /etc/maskwatch/maskwatch.toml
check "without pins but told so, the service starts" inside systemctl restart maskwatch
check "it said by itself that it is ready (Type=notify)" same "$(property Type) $(property ActiveState) $(property SubState)" "notify active running"
check "without a camera it shows a fault" within 'systemctl show --value -p StatusText maskwatch | grep -qiE "fault|camera|/dev/video0"'
echo "status: $(property StatusText)"
process=$(property MainPID)
check "it runs as the user maskwatch" same "$(inside stat -c %U "/proc/$process")" maskwatch
check "its state folder is its own" same "$(inside stat -c '%U %a' /var/lib/maskwatch)" "maskwatch 750"
process=$(property MainPID)
check "a reload keeps the process" inside sh -c "systemctl reload maskwatch && [ \$(systemctl show --value -p MainPID maskwatch) = $process ]"
check "the pins that it drives are recorded" inside grep -q "^pin = 17" /run/maskwatch/driven-pins.toml
inside cp -a /etc/maskwatch/maskwatch.toml /root/good.toml
inside sh -c 'echo "votes = = 1" >>/etc/maskwatch/maskwatch.toml'
check "a reload with a mistake in the file fails" not inside systemctl reload maskwatch
inside systemctl kill --signal=HUP --kill-who=main maskwatch
check "what the daemon itself refuses is in its status" \
    within 'systemctl show --value -p StatusText maskwatch | grep -q "the last reload was refused: .*this is not TOML"'
inside systemctl kill --signal=KILL --kill-who=main maskwatch
check "killed, it is followed by off, whatever the file says" within '[ ! -e /run/maskwatch/driven-pins.toml ]'
inside mv /root/good.toml /etc/maskwatch/maskwatch.toml
check "with the file mended it starts again" inside systemctl restart maskwatch
# shellcheck source=tests/deb/drop-ins.sh
source tests/deb/drop-ins.sh
# A second door, with a configuration, a socket and counts of its own.
inside sh -c 'printf "[outputs]\nbackend = \"simulated\"\n" >/etc/maskwatch/north.toml'
check "a door of another name starts beside it" inside systemctl enable --now maskwatch@north
check "it has its own record of pins" inside test -e /run/maskwatch/north/driven-pins.toml
check "and its own socket" inside sh -c 'maskwatch ctl --door north state && maskwatch ctl --door maskwatch state'
check "of two doors one has to be named" inside sh -c 'maskwatch ctl state 2>&1 | grep -q "name one with --door"'
check "and its own state folder" same "$(inside stat -c '%U %a' /var/lib/maskwatch/north)" "maskwatch 750"
north() { inside systemctl show --value --property MainPID maskwatch@north; }
process_north=$(north)
inside mkdir /etc/maskwatch/north.toml.d
inside sh -c 'printf "[quiet.night]\nfrom = \"00:00\"\nto = \"24:00\"\n" >/etc/maskwatch/north.toml.d/quiet.toml'
check "a reload keeps its process" \
    inside sh -c "systemctl reload maskwatch@north && [ \$(systemctl show --value -p MainPID maskwatch@north) = $process_north ]"
check "its drop-in file counts" inside sh -c 'maskwatch config diff --config /etc/maskwatch/north.toml | grep -q "^from = .*north.toml.d/quiet.toml line 2"'
check "installing the same version again keeps the edit and the service" \
    inside sh -c 'dpkg --install /root/first.deb && grep -q simulated /etc/maskwatch/maskwatch.toml && systemctl is-active maskwatch'

# A configuration of the oldest version, edited, as somebody may still have it; and the copy that is made before a change.
sed 's/^backend = .*/backend = "simulated"/' tests/fixtures/oldest.toml | as_root tee "$root/etc/maskwatch/maskwatch.toml" >/dev/null
check "older keys are read, with a warning that names those of today" \
    inside sh -c 'maskwatch run --check 2>&1 | grep -q "decision.votes .*use evidence_seconds = 0.4" && systemctl restart maskwatch'
check "the configuration is copied before the change" inside sh -c 'maskwatch config backup /root/copies && ls /root/copies/maskwatch-*/maskwatch.toml'
inside cp /etc/maskwatch/maskwatch.toml /root/edited.toml

process=$(property MainPID)
process_north=$(north)
check "a newer version, with another default configuration, installs" inside dpkg --force-confold --install /root/newer.deb
check "the edited configuration is kept" inside cmp /root/edited.toml /etc/maskwatch/maskwatch.toml
check "the new default lies beside it" has /etc/maskwatch/maskwatch.toml.dpkg-dist
check "the service was restarted" not same "$(property MainPID)" "$process"
check "and is ready again" inside systemctl is-active maskwatch
check "the other door was restarted, too" not same "$(north)" "$process_north"
check "and is ready again, too" inside systemctl is-active maskwatch@north

# Going back: the configuration stays what it was edited to, and both versions read it.
process=$(property MainPID)
check "the version before installs again" inside dpkg --force-confold --install /root/first.deb
check "it is that version" same "$(inside dpkg-query --show --showformat '${Version}' maskwatch)" "$(dpkg-deb --field "$first" Version)"
check "the edited configuration is kept on the way back" inside cmp /root/edited.toml /etc/maskwatch/maskwatch.toml
check "the service was restarted on the way back" not same "$(property MainPID)" "$process"
check "both doors are ready again" inside systemctl is-active maskwatch maskwatch@north
check "the copy of before is a valid configuration" inside sh -c 'maskwatch run --check --config /root/copies/maskwatch-*/maskwatch.toml'

process=$(property MainPID)
process_north=$(north)
check "the package is removed" inside dpkg --remove maskwatch
check "the daemon is gone" not inside kill -0 "$process"
check "so is that of the other door, and its pins are off" \
    not inside sh -c "kill -0 $process_north || [ -e /run/maskwatch/north/driven-pins.toml ]"
check "the program is gone" not has /usr/bin/maskwatch
check "the unit is gone" not inside systemctl cat maskwatch
check "the configuration is still there" has /etc/maskwatch/maskwatch.toml
check "it is purged" inside dpkg --purge maskwatch
files >"$work/after"
check "nothing is left" diff "$work/before" "$work/after"
check "but the user" inside id maskwatch
check "no unit failed meanwhile" same "$(inside systemctl --failed --no-legend --plain)" ""

inside systemctl poweroff >/dev/null 2>&1 || true
wait $nspawn || true
nspawn=
no_systemd() { as_root systemd-nspawn -q -D "$root" --register=no --keep-unit "$@"; }
check "where no systemd runs, the package installs" no_systemd dpkg --install /root/first.deb
check "and the service is enabled for the next boot" as_root test -L "$root/etc/systemd/system/multi-user.target.wants/maskwatch.service"
check "is removed and purged" no_systemd dpkg --purge maskwatch
files >"$work/after"
check "and leaves nothing" diff "$work/before" "$work/after"
as_root rm -rf "$root"
report
