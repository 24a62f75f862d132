#!/usr/bin/env python3
"""Runs variants of the emulated board: run.py [VARIANT…], by default "quick", or "all"; needs what tests/board/prepare.sh makes. Ends with
code 1 if a check failed."""

import signal
import sys
import time

from emulator.machine import GuestError
from variants import VARIANTS


def main(names):
    # Ended from outside, it ends its emulator too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if names == ["all"]:
        names = list(VARIANTS)
    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        sys.exit(f"error: there is no variant {' '.join(unknown)}; there are: {' '.join(VARIANTS)}")
    passed = failed = 0
    started = time.monotonic()
    for name in names or ["quick"]:
        try:
            table = VARIANTS[name]()
            passed, failed = passed + table.passed, failed + table.failed
        except GuestError as error:
            print(f"FAIL {name}: {error}", flush=True)
            failed += 1
    print(f"\nemulated boards, {time.monotonic() - started:.0f} s: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
