#!/usr/bin/env bash
# Runs tests on emulated Arm CPUs: cross/test-arm.sh [TEST…], names of integration tests, by default those of the int8 networks; the
# library's own tests always. Needs no board: qemu-user refuses what the CPU that it plays does not have, so a kernel with an
# instruction too many dies of SIGILL here as it would there.
#
# The tests are built in the release profile: it is the code that ships, and `make cross` has most of it built already.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=cross/packages.sh
source cross/packages.sh

tests=("$@")
[ ${#tests[@]} -gt 0 ] || tests=(int8_kernels int8_chosen int8_networks)
# MASKWATCH_ARM_TARGETS names the targets where not both are wanted.
read -ra targets <<<"${MASKWATCH_ARM_TARGETS:-aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf}"
cross/prepare.sh "${targets[@]}"
# shellcheck source=/dev/null
source target/cross/environment

# qemu-user answers ENOSYS to ioctl numbers that it does not know, before any driver sees them.
skip=(--skip source::v4l2::device)
passed=0

# run CPU "KERNELS EXPECTED" EMULATOR ROOT PROGRAM…
run() {
    local cpu=$1 kernels=$2 emulator=$3 root=$4 program log=target/cross/test.log
    shift 4
    for program in "$@"; do
        printf '== %s on %s\n' "$(basename "$program" | sed 's/-[0-9a-f]*$//')" "$cpu"
        if ! MASKWATCH_EXPECT_KERNELS=$kernels "$emulator" -cpu "$cpu" -L "$root" "$program" "${skip[@]}" >"$log" 2>&1; then
            cat "$log"
            grep -q '^test result' "$log" || echo "killed: does it use an instruction that a $cpu does not have?"
            fail "$(basename "$program") failed on an emulated $cpu"
        fi
        grep '^test result' "$log"
        passed=$((passed + $(sed -n 's/^test result: ok. \([0-9]*\) passed.*/\1/p' "$log")))
    done
}

for target in "${targets[@]}"; do
    arguments=(--lib)
    for test in "${tests[@]}"; do arguments+=(--test "$test"); done
    mapfile -t programs < <(cargo test --release --locked --no-run --target "$target" "${arguments[@]}" \
        --message-format=json-render-diagnostics | sed -n '/"test":true},"features"/s/.*"executable":"\([^"]*\)".*/\1/p')
    # The library and each test (cargo builds the program for these, too); nothing less is a pass.
    [ ${#programs[@]} -eq $((${#tests[@]} + 1)) ] || fail "cargo built ${#programs[@]} test programs, not $((${#tests[@]} + 1))"
    case $target in
    aarch64*)
        for cpu in cortex-a53 cortex-a72; do
            run $cpu "neon scalar" qemu-aarch64-static /usr/aarch64-linux-gnu "${programs[@]}"
        done
        run cortex-a76 "neon-dot neon scalar" qemu-aarch64-static /usr/aarch64-linux-gnu "${programs[@]}"
        ;;
    armv7*) run cortex-a7 scalar qemu-arm-static /usr/arm-linux-gnueabihf "${programs[@]}" ;;
    esac
done
echo "$passed passed, 0 failed"
