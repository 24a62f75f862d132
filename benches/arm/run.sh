#!/usr/bin/env bash
# Measures the int8 networks for Arm without a board, in two ways that do not depend on this machine's speed:
#   1. instructions that one inference executes, under qemu-user, beside LiteRT's (XNNPACK) on the same network where `make bench-peers`
#      has exported it (or $MASKWATCH_TFLITE names such a file), and of the 32-bit program beside the 64-bit one's;
#   2. llvm-mca's estimate of the cycles that the kernels take on Cortex-A53, A72 and A76, and the milliseconds on boards.
# Neither knows caches and memory. Needs Debian 12: its qemu-user is the last with plugins. Downloads stay in target/arm-bench.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=cross/packages.sh
source cross/packages.sh
# shellcheck source=cross/apt.sh
source cross/apt.sh

LITERT=2.3.0
NUMPY=1.26.4
work=$PWD/target/arm-bench
target=aarch64-unknown-linux-gnu
target32=armv7-unknown-linux-gnueabihf
mkdir -p "$work"

cross/prepare.sh $target $target32
need gcc gcc "it compiles the plugin that counts instructions"
need qemu-aarch64 qemu-user "it executes the programs, with plugins"
need llvm-mca-19 llvm-19 "llvm-mca estimates cycles"
need python3 python3 "it sums up the estimates"
python3 -m pip --version >/dev/null 2>&1 || need /usr/lib/python3/dist-packages/pip python3-pip "it downloads LiteRT"
install_needed
# shellcheck source=/dev/null
source target/cross/environment

plugin=$work/instructions.so
gcc -O2 -Wall -shared -fPIC -o "$plugin" benches/arm/instructions.c

executable() { # TARGET BENCH: the bench's program; cargo names that of maskwatch, too
    cargo bench --locked --no-run --target "$1" --bench "$2" --message-format=json-render-diagnostics |
        sed -n '/"kind":\["bench"\]/s/.*"executable":"\([^"]*\)".*/\1/p'
}
kernels=$(executable $target arm_kernels)
inference=$(executable $target arm_inference)
inference32=$(executable $target32 arm_inference)

# An arm64 Debian's Python and LiteRT's wheel, unpacked and nothing more: no package is configured, and nothing runs as root.
litert_tree() {
    local tree=$work/tree apt=$work/apt package wheel
    [ ! -e "$work/litert-$LITERT" ] || return 0
    echo "fetching Python for arm64 (Debian) and LiteRT $LITERT (PyPI) into target/arm-bench"
    rm -rf "$tree" "$work/site" "$work/wheels"
    mkdir -p "$tree"
    apt_aside "$apt" arm64 bookworm apt-get install -y -qq --no-install-recommends --download-only python3.11 libstdc++6
    for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$tree"; done
    python3 -m pip download --quiet --no-deps --dest "$work/wheels" --only-binary=:all: --python-version 3.11 \
        --platform manylinux_2_27_aarch64 --platform manylinux2014_aarch64 "ai-edge-litert==$LITERT" "numpy==$NUMPY"
    for wheel in "$work"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$work/site"; done
    touch "$work/litert-$LITERT"
}

# The emulator shows the host's /proc/cpuinfo, which LiteRT does not survive: the tree has one of the emulated core's.
cpuinfo() { # CPU
    local part=0xd03 features="fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid" directory=$work/tree/sys/devices/system/cpu file
    [ "$1" = cortex-a72 ] && part=0xd08
    [ "$1" = cortex-a76 ] && part=0xd0b features+=" atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
    mkdir -p "$work/tree/proc" "$directory"
    printf '%s\t: %s\n' processor 0 Features "$features" "CPU implementer" 0x41 "CPU architecture" 8 "CPU variant" 0x0 \
        "CPU part" $part "CPU revision" 1 >"$work/tree/proc/cpuinfo"
    for file in possible present online kernel_max; do echo 0 >"$directory/$file"; done
}

# count EMULATOR CPU ROOT PROGRAM…: instructions of one inference in millions: from the difference of six and of one, start-up drops out.
count() {
    local emulator=$1 cpu=$2 root=$3 times results=()
    shift 3
    for times in 1 6; do
        results+=("$("$emulator" -cpu "$cpu" -L "$root" -plugin "$plugin" "$@" $times 2>&1 >/dev/null | sed -n 's/^instructions: //p')")
        [ -n "${results[-1]}" ] || fail "$* did not run on an emulated $cpu"
    done
    awk "BEGIN { printf \"%.1f\", (${results[1]} - ${results[0]}) / 5e6 }"
}

echo
echo "Instructions per inference, in millions, one thread (qemu-user $(qemu-aarch64 --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p'))"
models=${MASKWATCH_PEER_MODELS:-target/peers/models}
declare -A a53
printf '%-20s %-12s %12s %16s %8s\n' network core maskwatch "LiteRT $LITERT" ratio
for cpu in cortex-a76 cortex-a72 cortex-a53; do
    for network in classifier_224 classifier_128 detector_320x256; do
        ours=$(count qemu-aarch64 $cpu /usr/aarch64-linux-gnu "$inference" $network)
        theirs="-" ratio="-"
        model=$models/$network.int8.tflite
        if [ -e "$model" ]; then
            litert_tree
            cpuinfo $cpu
            export OPENBLAS_NUM_THREADS=1 PYTHONPATH=$work/site PYTHONDONTWRITEBYTECODE=1
            theirs=$(count qemu-aarch64 $cpu "$work/tree" "$work/tree/usr/bin/python3.11" benches/arm/litert.py "$model")
            unset PYTHONPATH
            ratio=$(awk "BEGIN { printf \"%.2f\", $theirs / $ours }")
        fi
        printf '%-20s %-12s %12s %16s %8s\n' $network $cpu "$ours" "$theirs" "$ratio"
        a53[$network]=$ours # the last processor
    done
done
[ -e "$models/classifier_224.int8.tflite" ] || echo "LiteRT skipped: $models/classifier_224.int8.tflite is not here; make bench-peers exports it"

echo
echo "The same of the 32-bit program, with NEON (Cortex-A7), and beside the 64-bit one's on a Cortex-A53"
printf '%-20s %12s %12s %12s\n' network ARMv7 A53 "ARMv7 / A53"
for network in classifier_224 classifier_128 detector_320x256; do
    ours=$(count qemu-arm cortex-a7 /usr/arm-linux-gnueabihf "$inference32" $network)
    ratio=$(awk "BEGIN { printf \"%.2f\", $ours / ${a53[$network]} }")
    printf '%-20s %12s %12s %12s\n' $network "$ours" "${a53[$network]}" "$ratio"
done

echo
qemu-aarch64 -cpu cortex-a76 -L /usr/aarch64-linux-gnu -plugin "$plugin,trace=$work/trace" "$kernels" >"$work/calls.tsv"
python3 benches/arm/estimate.py "$work/trace" "$work/calls.tsv" llvm-mc-19 llvm-mca-19
