#!/usr/bin/env bash
# The daemon for Arm boards, built on this machine: cross/build.sh [TARGET…], by default for 64-bit Arm (Raspberry Pi 3 and later, Zero 2)
# and 32-bit ARMv7, both for glibc 2.31 or later, and as one static program for 64-bit Arm, for systems with another C library or none.
#
# Each program is then checked: what it needs of the system, its size, and that it finds and classifies the face of a picture on an
# emulated processor of the oldest kind. A table says what came out.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=cross/packages.sh
source cross/packages.sh

GLIBC=2.31            # of Raspberry Pi OS and Debian 11
LARGEST=12000000      # bytes; the int8 weights are 3 MB of them
LARGEST_STATIC=12500000 # with a C library in it
PICTURE=tests/fixtures/astronaut.jpg

targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf aarch64-unknown-linux-musl)
# MASKWATCH_FEATURES=none leaves out what talks to a network: MQTT and the web page.
features=()
[ "${MASKWATCH_FEATURES:-}" != none ] || features=(--no-default-features)
cross/prepare.sh "${targets[@]}"
# shellcheck source=/dev/null
source target/cross/environment

# needs PROGRAM: what it loads at start, in words; fails where that is more than a plain system has.
needs() {
    local program=$1 libraries newest
    libraries=$(readelf -dW "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort)
    newest=$(readelf -VW "$program" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1 | cut -d_ -f2 || true)
    if [ -z "$libraries" ]; then
        if [[ $(readelf -lW "$program") == *INTERP* ]]; then fail "$program names a dynamic loader although it needs no library"; fi
        echo "nothing (static)"
        return
    fi
    for library in $libraries; do
        case $library in
        libc.so.6 | libm.so.6 | libdl.so.2 | libpthread.so.0 | librt.so.1 | ld-linux-aarch64.so.1 | ld-linux-armhf.so.3) ;;
        *) fail "$program needs $library, which is no part of glibc" ;;
        esac
    done
    [ "$(printf '%s\n' "$newest" "$GLIBC" | sort -V | tail -n 1)" = "$GLIBC" ] ||
        fail "$program needs glibc $newest, but Raspberry Pi OS 11 has $GLIBC"
    echo "glibc $newest"
}

table=$(mktemp)
trap 'rm -f "$table"' EXIT
for target in "${targets[@]}"; do
    started=$SECONDS
    cargo build --release --locked --target "$target" "${features[@]}"
    program=target/$target/release/maskwatch
    case $target in *musl) [ "$(needs "$program")" = "nothing (static)" ] || fail "$program is not static" ;; esac
    needed=$(needs "$program")
    bytes=$(stat -c %s "$program")
    case $target in *musl) largest=$LARGEST_STATIC ;; *) largest=$LARGEST ;; esac
    [ "$bytes" -le "$largest" ] || fail "$program has $bytes bytes, more than the $largest that it may"
    # The variable holds a command with its options.
    runner=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_RUNNER
    read -ra runner <<<"${!runner}"
    version=$("${runner[@]}" "$program" --version) || fail "$program does not start under ${runner[*]}"
    verdict=$("${runner[@]}" "$program" detect --format jsonl $PICTURE) || fail "$program does not look at $PICTURE under ${runner[*]}"
    verdict=$(sed -n 's/.*"label":"\([a-z_]*\)","p_mask":\([0-9.]*\).*/\1, p(mask) \2/p' <<<"$verdict")
    [[ $verdict == no_mask,* ]] || fail "$program says '$verdict' of the bare face in $PICTURE"
    echo "$program|$bytes|$needed|$version|${runner[2]}: $verdict|$((SECONDS - started)) s" >>"$table"
done
echo
column -t -s '|' -N "program,bytes (stripped),needs,version,the bare face on,time" "$table"
