#!/usr/bin/env bash
# maskwatch on emulated Raspberry Pis: tests/board/run.sh [VARIANT…], by default "quick"; "all" is every variant (see variants.py). The
# shipped arm64 binary runs on Debian's kernel in QEMU; its camera is fed with pictures, the levels of its pins are read from outside.
# MASKWATCH_SLACK (45) are the seconds that each step may take longer than on a real board: more for a machine that is busy.
set -euo pipefail
cd "$(dirname "$0")/../.."

variants=("$@")
[ ${#variants[@]} -gt 0 ] || variants=(quick)
status=0
tests/board/prepare.sh "${variants[@]}" || status=$?
# Said by then: there is no emulator for this machine.
[ $status -ne 77 ] || exit 0
[ $status -eq 0 ] || exit $status
exec python3 tests/board/run.py "${variants[@]}"
