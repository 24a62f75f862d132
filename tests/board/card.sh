#!/usr/bin/env bash
# target/board/card.img: an SD card with Debian, systemd and maskwatch's package for arm64, installed as a user would: dpkg runs its
# scripts. The configuration is that of tests/board/guest, the unit is untouched. MASKWATCH_PACKAGE names a package that was made before.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=cross/packages.sh
source cross/packages.sh
board=$PWD/target/board

package=${MASKWATCH_PACKAGE:-}
if [ -z "$package" ]; then
    cross/deb.sh arm64
    package=$(find target/deb -maxdepth 1 -name 'maskwatch_*_arm64.deb' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
fi
[ -e "$package" ] || fail "there is no package \"$package\"; MASKWATCH_PACKAGE names one, without it cross/deb.sh makes one"

root=$board/card
echo "installing $package on the SD card"
as_root rm -rf "$root"
mkdir -p "$root"
as_root tar -x -C "$root" -f "$board/rootfs.tar"
as_root cp "$package" "$root/tmp/maskwatch.deb"
as_root chroot "$root" dpkg --install /tmp/maskwatch.deb >"$board/card.log" 2>&1 || fail "dpkg does not install $package; see $board/card.log"
as_root rm "$root/tmp/maskwatch.deb"
as_root cp tests/board/guest/maskwatch.toml "$root/etc/maskwatch/maskwatch.toml"
as_root install -D -t "$root/board" tests/board/guest/shell
as_root install -D -m 644 -t "$root/board" tests/board/guest/camera.sh tests/board/guest/service.sh
as_root install -D -m 644 tests/fixtures/astronaut.jpg "$root/board/pictures/bare.jpg"
as_root install -D -m 644 tests/fixtures/astronaut-masked.jpg "$root/board/pictures/masked.jpg"
as_root install -D -t "$root/usr/bin" "$board/camera/aarch64-unknown-linux-gnu/release/board-camera"
as_root install -D -m 644 -t "$root/modules" "$board"/modules/*.ko
as_root install -D -m 644 -t "$root/etc/systemd/system" tests/board/guest/board-shell.service
as_root ln -sf ../board-shell.service "$root/etc/systemd/system/multi-user.target.wants/board-shell.service"
for unit in serial-getty@ttyAMA0.service serial-getty@ttyS1.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer e2scrub_reap.service; do
    as_root ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# Which system this is does not matter; that it is said saves a first boot.
echo 0123456789abcdef0123456789abcdef | as_root tee "$root/etc/machine-id" >/dev/null
rm -f "$board/card.img"
# The emulated card wants a size that is a power of two.
as_root mke2fs -q -t ext4 -d "$root" "$board/card.part.img" 1G
as_root rm -rf "$root"
mv "$board/card.part.img" "$board/card.img"
