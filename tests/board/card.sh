#!/usr/bin/env bash
# An SD card with Debian and systemd for the emulated board, in target/board: tests/board/card.sh [plain].
#   card.img        with maskwatch's package for arm64, installed as a user would: dpkg runs its scripts. The configuration is that of
#                   tests/board/guest, the unit is untouched. MASKWATCH_PACKAGE names a package that was made before.
#   card-plain.img  with `plain`: without maskwatch. The user pi, who may use sudo, has in his home $MASKWATCH_PACKAGE, if that is set, and
#                   of the source's folder what is installed without the package.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=cross/packages.sh
source cross/packages.sh
board=$PWD/target/board
package=${MASKWATCH_PACKAGE:-}
name=card
[ "${1:-}" != plain ] || name=card-plain
root=$board/$name

put() { as_root install -D -m "$1" "$2" "$root/$3"; } # MODE FILE PATH

# The system, and what the tests need in it beside maskwatch.
as_root rm -rf "$root"
mkdir -p "$root"
as_root tar -x -C "$root" -f "$board/rootfs.tar"
put 755 tests/board/guest/shell board/shell
for file in camera.sh service.sh maskwatch.toml pwm.toml; do put 644 tests/board/guest/$file board/$file; done
put 644 tests/fixtures/astronaut.jpg board/pictures/bare.jpg
put 644 tests/fixtures/astronaut-masked.jpg board/pictures/masked.jpg
put 755 "$board/camera/aarch64-unknown-linux-gnu/release/board-camera" usr/bin/board-camera
put 755 tests/board/guest/rpicam-vid usr/local/bin/rpicam-vid
for file in "$board"/modules/*.ko; do put 644 "$file" "modules/${file##*/}"; done
put 644 tests/board/guest/board-shell.service etc/systemd/system/board-shell.service
as_root ln -sf ../board-shell.service "$root/etc/systemd/system/multi-user.target.wants/board-shell.service"
for unit in serial-getty@ttyAMA0.service serial-getty@ttyS1.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer e2scrub_reap.service; do
    as_root ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# Which system this is does not matter; that it is said saves a first boot.
echo 0123456789abcdef0123456789abcdef | as_root tee "$root/etc/machine-id" >/dev/null

if [ $name = card ]; then
    if [ -z "$package" ]; then
        cross/deb.sh arm64
        package=$(find target/deb -maxdepth 1 -name 'maskwatch_*_arm64.deb' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
    fi
    [ -e "$package" ] || fail "there is no package \"$package\"; MASKWATCH_PACKAGE names one, without it cross/deb.sh makes one"
    echo "installing $package on the SD card"
    put 644 "$package" tmp/maskwatch.deb
    as_root chroot "$root" dpkg --install /tmp/maskwatch.deb >"$board/card.log" 2>&1 || fail "dpkg does not install $package; see $board/card.log"
    as_root rm "$root/tmp/maskwatch.deb"
    put 644 tests/board/guest/maskwatch.toml etc/maskwatch/maskwatch.toml
else
    as_root chroot "$root" useradd --create-home --shell /bin/bash pi
    echo "pi ALL=(ALL) NOPASSWD: ALL" | as_root tee "$root/etc/sudoers.d/pi" >/dev/null
    echo board | as_root tee "$root/etc/hostname" >/dev/null
    echo "127.0.0.1 localhost board" | as_root tee "$root/etc/hosts" >/dev/null
    [ -z "$package" ] || put 644 "$package" "home/pi/${package##*/}"
    for file in systemd/*.*; do put 644 "$file" "home/pi/maskwatch/$file"; done
    put 755 target/aarch64-unknown-linux-gnu/release/maskwatch home/pi/maskwatch/target/release/maskwatch
    as_root chroot "$root" chown -R pi: /home/pi
fi
rm -f "$board/$name.img"
# The emulated card wants a size that is a power of two.
as_root mke2fs -q -t ext4 -d "$root" "$board/$name.part.img" 1G >"$board/$name.log"
as_root rm -rf "$root"
mv "$board/$name.part.img" "$board/$name.img"
