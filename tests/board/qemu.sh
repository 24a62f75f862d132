#!/usr/bin/env bash
# target/board/qemu-system-aarch64: an emulator that knows the Raspberry Pis up to the 4 (QEMU 9 or later). The one that is installed
# if it does, else Debian's from bookworm-backports, unpacked aside with the libraries that this system lacks. Exit code 77: there is none.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=cross/packages.sh
source cross/packages.sh
board=$PWD/target/board
# shellcheck source=tests/board/apt.sh
source tests/board/apt.sh
emulator=$board/qemu-system-aarch64

knows_the_boards() { [[ $'\n'$("$1" -machine help 2>/dev/null) == *$'\n'"raspi4b "* ]]; }

[ -x "$emulator" ] && knows_the_boards "$emulator" && exit
if command -v qemu-system-aarch64 >/dev/null && knows_the_boards qemu-system-aarch64; then
    printf '#!/bin/sh\nexec qemu-system-aarch64 "$@"\n' >"$emulator"
    chmod +x "$emulator"
    exit
fi

# What apt would install newly; what it would upgrade (qemu-user, for one) is of no use here.
packages=$(own_apt apt-get install --simulate --no-install-recommends --target-release bookworm-backports qemu-system-arm 2>/dev/null |
    awk '$1 == "Inst" && $3 !~ /^\[/ {gsub(/[()]/, ""); print $2 "=" $3}')
[ -n "$packages" ] || packages="qemu-system-arm/bookworm-backports qemu-system-common/bookworm-backports qemu-system-data/bookworm-backports"
rm -rf "$board/qemu"
# shellcheck disable=SC2086 # a list
unpack qemu "QEMU with the boards raspi3b and raspi4b" $packages
cat >"$emulator" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH=$board/qemu/usr/lib/$(uname -m)-linux-gnu:$board/qemu/lib/$(uname -m)-linux-gnu \\
    exec $board/qemu/usr/bin/qemu-system-aarch64 "\$@"
WRAPPER
chmod +x "$emulator"
knows_the_boards "$emulator" || {
    echo "skipped: QEMU from bookworm-backports does not start on this system: $("$emulator" -version 2>&1 | tail -n 1)"
    exit 77
}
