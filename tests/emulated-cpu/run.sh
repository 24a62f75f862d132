#!/usr/bin/env bash
# Runs crates/kernels/tests/int8_kernels.rs on a processor with AVX-512 VNNI that Bochs emulates, in a small Linux: few machines
# have these instructions, and QEMU does not emulate them. Takes some six minutes of an idle core. What is built or downloaded goes
# to target/emulated-cpu.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:$HOME/.cargo/bin"
folder=target/emulated-cpu
triple=x86_64-unknown-linux-gnu
mkdir -p $folder

as_root=""
[ "$(id -u)" -eq 0 ] || as_root=sudo
missing=""
installed() { [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
for package in bochs isolinux syslinux-common xorriso python3; do
    installed $package || missing="$missing $package"
done
if [ -n "$missing" ]; then
    echo "Installing with apt:$missing (Bochs emulates the processor, ISOLINUX boots it, xorriso writes its CD)"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of packages
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi
if ! ls $folder/kernel/boot/vmlinuz-* >/dev/null 2>&1; then
    package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
    echo "Downloading $package for the emulated machine (27 MB)"
    (cd $folder && apt-get download -qq "$package")
    dpkg-deb --extract $folder/linux-image-*.deb $folder/kernel
fi

# Static programs: the machine has nothing but them and its kernel.
build() {
    RUSTFLAGS="-C target-feature=+crt-static" cargo "$@" --locked --manifest-path tests/emulated-cpu/Cargo.toml \
        --target $triple --target-dir $folder --message-format json-render-diagnostics |
        python3 -c 'import json, sys; print(*filter(None, (json.loads(line).get("executable") for line in sys.stdin)), sep="\n")'
}
init=$(build build --bin init)
tests=$(build test --no-run --test int8_kernels | tail -1)
install -s "$init" $folder/init
install -s "$tests" $folder/int8_kernels
python3 tests/emulated-cpu/emulate.py $folder/kernel/boot/vmlinuz-* $folder $folder/init $folder/int8_kernels
