#!/usr/bin/env python3
"""Traces the daemon through an alert with its default configuration: every system call that opens a socket or a file.
Nothing may listen but the local socket, nothing may be sent, and no picture may be written. Then a daemon with a hook that
opens a connection is traced, which has to be found: else the trace sees nothing.

Usage: tests/service/trace.py [PROGRAM], by default the release build. Needs strace and ss; without them it says so."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds until an alert
# A file that is opened for writing, and is no file of the daemon's.
HARMLESS = re.compile(r"^/(dev/null|proc/self/|proc/\d+/)")
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"P6\n")


def traced(program, folder, more=""):
    """Runs the daemon until it has raised an alert. Returns what it did: its lines of strace, what listened, its log."""
    picture = ROOT / "tests/fixtures/astronaut.jpg"
    text = (ROOT / "systemd/maskwatch.toml").read_text()
    source = f"spec = \"command: while sleep 0.1; do cat '{picture}'; done\""
    changed = text.replace('spec = "/dev/video0"', source, 1)
    assert changed != text, "the default configuration names no /dev/video0"
    config = folder / "maskwatch.toml"
    config.write_text(changed + more)
    environment = {"PATH": os.environ["PATH"], "RUST_LOG": "info"}
    for name in ("RUNTIME", "STATE"):
        (folder / name).mkdir()
        environment[f"{name}_DIRECTORY"] = str(folder / name)
    trace, log = folder / "trace", folder / "log"
    calls = "trace=network,open,openat,openat2,creat,memfd_create"
    with open(log, "wb") as errors:
        command = ["strace", "-f", "-qq", "-y", "-s", "256", "-e", calls, "-o", trace]
        command += [program, "run", "--dry-run", "--config", config]
        process = subprocess.Popen(command, env=environment, stderr=errors)
        end = time.monotonic() + PATIENCE
        while b"alert for person" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                sys.exit(f"error: no alert; the daemon said:\n{log.read_text()}")
            time.sleep(0.1)
        time.sleep(1)  # hooks, and what else an alert may bring
        daemon = int(subprocess.check_output(["pgrep", "-P", str(process.pid)]).split()[0])
        listening = subprocess.check_output(["ss", "-H", "-l", "-p", "-a"], text=True, stderr=subprocess.DEVNULL)
        listening = [line for line in listening.splitlines() if f"pid={daemon}," in line]
        os.kill(daemon, signal.SIGTERM)
        if process.wait(timeout=PATIENCE) != 0:
            sys.exit(f"error: the daemon ended with {process.returncode}; it said:\n{log.read_text()}")
    return trace.read_text().splitlines(), listening


def findings(lines, listening, folder):
    """What should not have happened, each in one sentence."""
    found = []
    own = (str(folder / "RUNTIME"), str(folder / "STATE"))
    for line in lines:
        line = re.sub(r"^\d+\s+", "", line)
        if " resumed>" in line.split("(")[0]:
            continue
        family = re.match(r"socket(?:pair)?\((\w+)", line)
        if family and family[1] != "AF_UNIX":
            found.append(f"a socket beyond the board: {line}")
        if re.match(r"(connect|sendto|sendmsg|sendmmsg)\(", line) and re.search(r"AF_INET|AF_NETLINK|AF_PACKET", line):
            found.append(f"something is sent: {line}")
        bound = re.match(r'bind\(.*sun_path=@?"([^"]*)"', line)
        if bound and bound[1] != str(folder / "RUNTIME/maskwatch.sock"):
            found.append(f"another socket listens: {line}")
        # With -y, the folder that a path is relative to stands behind its number.
        opened = re.match(r'(?:openat2?\([^<,]*(?:<([^>]*)>)?, |open\(|creat\()"([^"]*)"', line)
        path = os.path.join(opened[1] or "", opened[2]) if opened else ""
        writes = re.search(r"O_WRONLY|O_RDWR|O_CREAT", line) or line.startswith("creat(")
        if opened and writes and not path.startswith(own) and not HARMLESS.match(path):
            found.append(f"a file is written: {line}")
        if line.startswith("memfd_create("):
            found.append(f"memory is shared: {line}")
    for line in listening:
        if "maskwatch.sock" not in line and " LISTEN " in f" {line} ":
            found.append(f"something listens: {line}")
    for file in (path for name in own for path in Path(name).rglob("*") if path.is_file()):
        if any(magic in file.read_bytes() for magic in PICTURES):
            found.append(f"a picture was written: {file}")
    return found


def main():
    for tool in ("strace", "ss", "pgrep"):
        if not shutil.which(tool):
            print(f"skipped: {tool} is not here (apt-get install strace iproute2 procps)")
            return
    program = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/maskwatch").resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines, listening = traced(program, folder)
        found = findings(lines, listening, folder)
        sockets = sum("socket(AF_UNIX" in line for line in lines)
        print(f"through an alert: {len(lines)} calls that open something, {sockets} sockets, all local")
        print(f"listening: {len([line for line in listening if 'LISTEN' in line])}, the local socket")
        print("\n".join(found))
    hook = "\n[[hook]]\non = \"alert\"\nrun = [\"bash\", \"-c\", \"exec 3<>/dev/udp/127.0.0.1/9; echo x >&3\"]\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines, listening = traced(program, folder, hook)
        if not any("beyond the board" in finding for finding in findings(lines, listening, folder)):
            found.append("error: a hook that sends something was not seen")
        else:
            print("a hook that sends something is seen by the trace")
    if found:
        sys.exit("error: the default configuration does what it must not; see above")
    print("nothing listens but the local socket, nothing is sent, no picture is written")


if __name__ == "__main__":
    main()
