#!/bin/sh
# Installs what `cargo build` needs beside Rust, and only what is missing: a C linker, libclang (the v4l crate reads the
# kernel's camera header with it) and that header. Through apt on Debian, Ubuntu and Raspberry Pi OS, with sudo where not
# root; elsewhere it says what to install.
set -eu

missing=""
need() { missing="$missing $1"; echo "maskwatch needs $1: $2"; }

command -v cargo >/dev/null 2>&1 || [ -x "$HOME/.cargo/bin/cargo" ] || {
    echo "error: cargo is not here; install Rust from https://rustup.rs and run this again" >&2
    exit 1
}
command -v cc >/dev/null 2>&1 || need gcc "Rust links programs with it"
[ -e /usr/include/linux/videodev2.h ] && [ -e /usr/include/stdio.h ] || need libc6-dev "it has the kernel's camera header linux/videodev2.h"
# `ls` of several patterns fails when one of them matches nothing, so each is looked at by itself.
has_libclang() {
    [ -z "${LIBCLANG_PATH:-}" ] || return 0
    # libclang-cpp.so is another library.
    for folder in /usr/lib /usr/lib64 /usr/lib/*-linux-* /usr/lib/llvm-*/lib; do
        for library in "$folder"/libclang.so* "$folder"/libclang-[0-9]*.so*; do
            [ ! -e "$library" ] || return 0
        done
    done
    return 1
}
has_libclang || need libclang-dev "the v4l crate reads that header with it"

[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "error: this machine has no apt; install the equivalents of:$missing" >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "error: as root, run: apt-get install$missing" >&2; exit 1; }
    as_root=sudo
fi
echo "Installing with apt:$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
