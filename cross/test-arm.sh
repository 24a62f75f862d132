#!/usr/bin/env bash
# Runs tests on emulated Arm CPUs: cross/test-arm.sh [TEST…], names of maskwatch's tests, by default int8_networks and
# resampling. All tests of maskwatch-kernels run too, and the unit tests of maskwatch, its door and its vision, these only
# without MASKWATCH_ARM_BRIEF. Needs no board: qemu-user refuses instructions that the emulated CPU does not have, so a kernel
# with one of them ends with SIGILL, as it would on a board.
#
# The tests are built in the release profile: it is the code that ships, and `make cross` has most of it built already.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=cross/packages.sh
source cross/packages.sh

tests=("$@")
[ ${#tests[@]} -gt 0 ] || tests=(int8_networks resampling)
kernel_tests=(crates/kernels/tests/*.rs)
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

# build TARGET ARGUMENT…: prints the paths of the test programs (cargo builds the program maskwatch for some of them, too).
build() {
    cargo test --release --locked --no-run --target "$1" "${@:2}" --message-format=json-render-diagnostics |
        sed -n '/"test":true},"features"/s/.*"executable":"\([^"]*\)".*/\1/p'
}

for target in "${targets[@]}"; do
    mapfile -t programs < <(build "$target" --package maskwatch-kernels --lib --tests)
    # The library and each test; fewer programs are not a pass.
    expected=$((${#kernel_tests[@]} + 1))
    kernels=("${programs[@]}")
    # In brief, 32-bit Arm tests the kernels alone, and 64-bit Arm what computes: all else is the same program, and takes
    # minutes to link.
    libraries=(--package maskwatch --package maskwatch-door --package maskwatch-vision)
    if [ -z "${MASKWATCH_ARM_BRIEF:-}" ]; then
        mapfile -t -O ${#programs[@]} programs < <(build "$target" "${libraries[@]}" --lib "${tests[@]/#/--test=}")
        expected=$((expected + ${#tests[@]} + 3))
    elif [[ $target != armv7* ]]; then
        mapfile -t -O ${#programs[@]} programs < <(build "$target" "${libraries[@]}" "${tests[@]/#/--test=}")
        expected=$((expected + ${#tests[@]}))
    fi
    [ ${#programs[@]} -eq $expected ] || fail "cargo built ${#programs[@]} test programs, not $expected"
    case $target in
    aarch64*)
        if [ -n "${MASKWATCH_ARM_BRIEF:-}" ]; then
            # The kernels alone on a processor without dot products: the others have all of its instructions.
            run cortex-a53 "neon scalar" qemu-aarch64-static /usr/aarch64-linux-gnu "${kernels[@]}"
        else
            # What computes runs on each processor; the door's logic and the program are the same on all, and run on the last.
            mapfile -t computing < <(printf '%s\n' "${programs[@]}" | grep -vE '/maskwatch(_door)?-[0-9a-f]+$')
            [ ${#computing[@]} -eq $((expected - 2)) ] || fail "${#computing[@]} programs compute, not $((expected - 2))"
            for cpu in cortex-a53 cortex-a72; do
                run $cpu "neon scalar" qemu-aarch64-static /usr/aarch64-linux-gnu "${computing[@]}"
            done
        fi
        run cortex-a76 "neon-dot neon scalar" qemu-aarch64-static /usr/aarch64-linux-gnu "${programs[@]}"
        ;;
    armv7*)
        # NEON is optional in ARMv7: on a processor without it, only what compares kernels has nothing to do.
        mapfile -t choosing < <(printf '%s\n' "${kernels[@]}" | grep -v '/int8_kernels-')
        run cortex-a9,neon=off scalar qemu-arm-static /usr/arm-linux-gnueabihf "${choosing[@]}"
        [ -n "${MASKWATCH_ARM_BRIEF:-}" ] ||
            run max "neon scalar" qemu-arm-static /usr/arm-linux-gnueabihf "${kernels[@]}"
        run cortex-a7 "neon scalar" qemu-arm-static /usr/arm-linux-gnueabihf "${programs[@]}"
        ;;
    esac
done
echo "$passed passed, 0 failed"
