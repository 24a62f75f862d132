#!/usr/bin/env bash
# Puts what the emulated boards are made of into target/board: tests/board/prepare.sh [VARIANT…]. QEMU 10, Debian's kernel for arm64 with
# the modules that it lacks, busybox, the daemon, the program that plays the camera; for the variants that need them also other
# kernels and a Debian with systemd. What is there is not fetched or built again. Exit code 77: no emulator for this machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:$HOME/.cargo/bin"
# shellcheck source=cross/packages.sh
source cross/packages.sh
board=$PWD/target/board
variants=("$@")
mkdir -p "$board"

command -v apt-get >/dev/null || {
    echo "skipped: QEMU and the board's kernel come as Debian packages, and this machine has no apt"
    exit 77
}
need python3 python3 "it drives the emulator"
need make make "it builds kernel modules"
need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu "it builds kernel modules for the board"
need /usr/aarch64-linux-gnu/lib/libc.so.6 libc6-arm64-cross "the C library of the board's first system"
need /usr/aarch64-linux-gnu/lib/libgcc_s.so.1 libgcc-s1-arm64-cross "a library of the board's first system"
need fdtput device-tree-compiler "it switches off what the emulated Pi 4 lacks in the device tree"
install_needed

wants() { # VARIANT…: whether one of them, or all, is asked for
    local variant
    for variant in "$@" all; do [[ " ${variants[*]} " == *" $variant "* ]] && return; done
    return 1
}

tests/board/qemu.sh
modules=()
if wants gpio-sim; then modules+=(gpio-sim); fi
if wants vivid; then modules+=(backports-kernel); fi
tests/board/modules.sh "${modules[@]}"

# The programs for the board: the daemon as it ships, and what plays the camera.
cross/prepare.sh aarch64-unknown-linux-gnu
# shellcheck source=/dev/null
source target/cross/environment
cargo build --release --locked --target aarch64-unknown-linux-gnu
cargo build --release --locked --target aarch64-unknown-linux-gnu --manifest-path tests/board/camera/Cargo.toml --target-dir "$board/camera"

if wants card card-rppal card-read-only card-pwm card-quick-start card-readme card-readme-manual; then tests/board/rootfs.sh; fi
if wants card card-rppal card-read-only card-pwm; then tests/board/card.sh; fi
