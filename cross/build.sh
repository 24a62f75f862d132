#!/usr/bin/env bash
# The daemon for Arm boards, built on this machine: cross/build.sh [TARGET…], by default for 64-bit Arm (Raspberry Pi 3 and later, Zero 2)
# and 32-bit ARMv7. The programs are stripped; their sizes are printed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=cross/packages.sh
source cross/packages.sh

targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf)
cross/prepare.sh "${targets[@]}"
# shellcheck source=/dev/null
source target/cross/environment

for target in "${targets[@]}"; do
    started=$SECONDS
    cargo build --release --locked --target "$target"
    program=target/$target/release/maskwatch
    case $target in
    aarch64*) emulator=(qemu-aarch64-static -cpu cortex-a53 -L /usr/aarch64-linux-gnu) ;;
    *) emulator=(qemu-arm-static -cpu cortex-a7 -L /usr/arm-linux-gnueabihf) ;;
    esac
    version=$("${emulator[@]}" "$program" --version) || fail "$program does not start under ${emulator[*]}"
    glibc=$(LC_ALL=C grep -aoE 'GLIBC_2\.[0-9]+' "$program" | sort -uV | tail -n 1)
    echo "$program: $(stat -c %s "$program") bytes stripped, needs ${glibc/_/ } or later, says \"$version\" ($((SECONDS - started)) s)"
done
