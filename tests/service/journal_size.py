#!/usr/bin/env python3
"""How many bytes a message of the daemon takes in the journal: journal_size.py, for docs/journal.md.

Messages as a service's are, with all fields that journald adds to them, are written into journal files by systemd's own
systemd-journal-remote. A file grows by whole steps and begins with tables, so the sizes of two files are compared.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WRITER = "/lib/systemd/systemd-journal-remote"
# Two files with so many messages.
FEW, MANY = 50_000, 250_000
# What is logged of somebody with a mask.
MESSAGES = ("person #{} is masked", "door: pass (was idle)", "door: idle (was pass)")
# 2026-01-01, in microseconds; one message a second.
START, STEP = 1_767_225_600_000_000, 1_000_000
COMMON = f"""PRIORITY=6
SYSLOG_FACILITY=3
SYSLOG_IDENTIFIER=maskwatch
_TRANSPORT=stdout
_STREAM_ID={"a" * 32}
_PID=612
_UID=995
_GID=993
_COMM=maskwatch
_EXE=/usr/bin/maskwatch
_CMDLINE=/usr/bin/maskwatch run --config /etc/maskwatch/maskwatch.toml
_CAP_EFFECTIVE=0
_SYSTEMD_CGROUP=/system.slice/maskwatch.service
_SYSTEMD_UNIT=maskwatch.service
_SYSTEMD_SLICE=system.slice
_SYSTEMD_INVOCATION_ID={"b" * 32}
_MACHINE_ID={"c" * 32}
_HOSTNAME=raspberrypi
_RUNTIME_SCOPE=system
_BOOT_ID={"d" * 32}
"""


def size(messages):
    """Bytes of the journal with so many messages."""
    with tempfile.TemporaryDirectory() as folder:
        command = [WRITER, "--output", str(Path(folder, "door.journal")), "-"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as writer:
            for number in range(messages):
                text = MESSAGES[number % len(MESSAGES)].format(number // len(MESSAGES))
                writer.stdin.write(
                    f"__REALTIME_TIMESTAMP={START + number * STEP}\n__MONOTONIC_TIMESTAMP={number * STEP + 1}\n{COMMON}MESSAGE={text}\n\n"
                )
            writer.stdin.close()
        if writer.returncode:
            sys.exit(f"error: {WRITER} ended with {writer.returncode}")
        return sum(path.stat().st_size for path in Path(folder).iterdir())


def main():
    if not shutil.which(WRITER):
        sys.exit(f"error: there is no {WRITER} (apt-get install systemd-journal-remote)")
    few, many = size(FEW), size(MANY)
    version = subprocess.run(["systemctl", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    print(f"{version}: {(many - few) / (MANY - FEW):.0f} bytes a message ({FEW}: {few} bytes, {MANY}: {many} bytes)")


if __name__ == "__main__":
    main()
