#!/usr/bin/env bash
# The board's kernels, and the modules that Debian's arm64 kernels lack, built for them: tests/board/modules.sh [WITH…] makes in target/board
#   linux         kernel 6.1 with its modules and device trees, all of one version with the headers, from bookworm
#   modules       v4l2loopback.ko, the camera that a program writes into; with gpio-sim also gpio-sim.ko, pins in memory
#   linux-backports  with backports-kernel: kernel 6.12 from bookworm-backports; and v4l-utils for the controls of its vivid
#   busybox       the shell and tools of a system without a disk
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=cross/packages.sh
source cross/packages.sh
board=$PWD/target/board
# shellcheck source=tests/board/apt.sh
source tests/board/apt.sh

# The kernel package that a package without a version in its name stands for.
newest() { own_apt apt-cache depends "$1" | awk '$1 == "Depends:" && $2 ~ /^linux-(image|headers)-[0-9]/ {print $2; exit}'; }

if [ ! -e "$board/linux/complete" ] || [ ! -e "$board/headers/complete" ]; then
    image=$(newest linux-image-arm64:arm64/bookworm)
    [ -n "$image" ] || fail "bookworm names no kernel for arm64"
    headers=${image/linux-image-/linux-headers-}
    headers=${headers%:arm64}
    unpack linux "Debian's kernel for the board" "${headers/linux-headers-/linux-image-}:arm64"
    unpack headers "to build modules for that kernel" "$headers:arm64" "${headers%-arm64}-common" \
        "linux-kbuild-$(cut -d- -f3 <<<"$headers" | cut -d. -f1,2)" v4l2loopback-dkms/bookworm
fi
if [[ " $* " == *" backports-kernel "* ]]; then
    if [ ! -e "$board/linux-backports/complete" ]; then
        image=$(own_apt apt-cache show linux-image-arm64:arm64/bookworm-backports |
            sed -n 's/^Depends: .*\(linux-image-[^ ,]*-arm64\)\( .*\)\?$/\1/p' | head -n 1)
        [ -n "$image" ] || fail "bookworm-backports names no kernel for arm64"
        unpack linux-backports "a newer kernel for the board" "$image:arm64"
    fi
    unpack v4l-utils "it sets the controls of the emulated camera" v4l-utils:arm64 libv4l-0:arm64 libv4lconvert0:arm64 \
        libjpeg62-turbo:arm64 libstdc++6:arm64 libudev1:arm64
fi
unpack busybox "the tools of the board's first system" busybox-static:arm64
kernel=$(basename "$board"/linux/lib/modules/*)
tree=$board/headers/usr/src/linux-headers-$kernel
# The headers' Makefile includes the common part from where the package would be installed.
echo "include $board/headers/usr/src/linux-headers-${kernel%-arm64}-common/Makefile" >"$tree/Makefile"

# build_module NAME SOURCE…: NAME.ko of SOURCE for the board's kernel.
build_module() {
    local name=$1 folder=$board/modules/$1
    shift
    [ ! -e "$board/modules/$name.ko" ] || return 0
    echo "building $name.ko for $kernel"
    mkdir -p "$folder"
    cp "$@" "$folder/"
    echo "obj-m := $name.o" >"$folder/Makefile"
    make -s -C "$tree" M="$folder" ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- modules >"$folder/build.log" 2>&1 ||
        fail "$name.ko does not build for $kernel; see $folder/build.log"
    cp "$folder/$name.ko" "$board/modules/"
}

# v4l2loopback 0.12 counts only those as writers who stream: behind one who used write(), as the board's camera does, its device
# would take no other.
loopback=$(echo "$board"/headers/usr/src/v4l2loopback-*/v4l2loopback.c)
if ! grep -q 'private_data)->type = WRITER' "$loopback"; then
    sed -i '/^static ssize_t v4l2_loopback_write/,/^}/ s|^\tdev->ready_for_output = 0;|&\n\tfh_to_opener(file->private_data)->type = WRITER;|' "$loopback"
    grep -q 'private_data)->type = WRITER' "$loopback" || fail "$loopback is another version than 0.12; mend tests/board/modules.sh"
fi
build_module v4l2loopback "$board"/headers/usr/src/v4l2loopback-*/v4l2loopback*

# gpio-sim, pins in memory, is part of the kernel but left out of Debian's; so is the interrupt simulator that it needs, which becomes
# part of the module. Its one function that modules may not call is replaced by what that does.
if [[ " $* " == *" gpio-sim "* ]] && [ ! -e "$board/modules/gpio-sim.ko" ]; then
    unpack source "the kernel's source, for gpio-sim" "linux-source-$(cut -d. -f1,2 <<<"$kernel")"
    sources=$board/modules/sources
    mkdir -p "$sources"
    tar -xJf "$board"/source/usr/src/linux-source-*.tar.xz -C "$sources" --strip-components 3 --wildcards \
        '*/drivers/gpio/gpio-sim.c' '*/drivers/gpio/gpiolib.h' '*/kernel/irq/irq_sim.c'
    sed -i 's/irq_to_desc(\([a-z]*\))/irq_data_to_desc(irq_get_irq_data(\1))/' "$sources/irq_sim.c"
    cat "$sources/irq_sim.c" >>"$sources/gpio-sim.c"
    build_module gpio-sim "$sources/gpio-sim.c" "$sources/gpiolib.h"
    rm -rf "$board/source" "$sources"
fi
