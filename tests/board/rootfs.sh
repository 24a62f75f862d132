#!/usr/bin/env bash
# target/board/rootfs.tar: Debian bookworm for arm64 with systemd, as Raspberry Pi OS is made of it, for the variants with an SD card.
# mmdebstrap runs the packages' own scripts with qemu-user, which the kernel must know as the interpreter of arm64 programs
# (binfmt_misc); on a machine with systemd it does, elsewhere it is registered here.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=cross/packages.sh
source cross/packages.sh
board=$PWD/target/board

# Made anew when what goes into it has changed.
[ ! "$board/rootfs.tar" -nt "${BASH_SOURCE[0]}" ] || exit 0
need mmdebstrap mmdebstrap "it makes a Debian for the board's SD card"
need arch-test arch-test "mmdebstrap asks it whether arm64 programs run"
need qemu-aarch64-static qemu-user-static "it runs the scripts of arm64 packages"
need mke2fs e2fsprogs "it makes the SD card's file system"
install_needed

binfmt=/proc/sys/fs/binfmt_misc
[ -e $binfmt/register ] || as_root mount -t binfmt_misc binfmt_misc $binfmt ||
    fail "this kernel runs no programs of other processors (binfmt_misc cannot be mounted at $binfmt)"
if ! compgen -G "$binfmt/qemu-aarch64*" >/dev/null; then
    echo "registering qemu-user for arm64 programs with the kernel"
    # magic and mask of an arm64 ELF file; F: opened now, so that it works in a folder that lacks it.
    as_root sh -c "printf '%s' ':qemu-aarch64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:$(command -v qemu-aarch64-static):F' >$binfmt/register"
fi
uri=$(debian_mirror)
echo "making a Debian for the SD card (some minutes)"
as_root mmdebstrap --quiet --mode=root --architectures=arm64 --variant=minbase --include=systemd-sysv,udev,kmod,procps,v4l-utils,dbus,sudo \
    --aptopt='APT::Sandbox::User "root"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$board/rootfs.part.tar" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri bookworm main" >"$board/rootfs.log" 2>&1 ||
    fail "mmdebstrap failed; see $board/rootfs.log"
mv "$board/rootfs.part.tar" "$board/rootfs.tar"
