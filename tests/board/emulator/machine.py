"""A running QEMU: its monitor, the console's log, and a shell in the guest that commands are sent to."""

import re
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from .qmp import Monitor

ANSWER = re.compile(r"^<answer (\d+) status (\d+) at ([\d.]+)>$")


class GuestError(Exception):
    """The guest does not do what it is told; the text says what and what the console said last."""


class Machine:
    """Starts QEMU with `arguments` and two serial ports: the first is a shell (guest/shell), the second the console."""

    def __init__(self, emulator, arguments, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        # The path of a Unix socket must be short.
        self.sockets = tempfile.TemporaryDirectory(prefix="board")
        console, shell, monitor = (f"{self.sockets.name}/{name}" for name in ("console", "shell", "monitor"))
        command = [
            "nice", "-n", "3", str(emulator), *map(str, arguments), "-display", "none", "-no-reboot", "-nic", "none",
            "-chardev", f"socket,id=console,path={console},server=on,wait=off,logfile={self.folder}/console.log",
            "-chardev", f"socket,id=shell,path={shell},server=on,wait=off,logfile={self.folder}/shell.log",
            "-serial", "chardev:shell", "-serial", "chardev:console",
            "-qmp", f"unix:{monitor},server=on,wait=off",
        ]
        (self.folder / "command").write_text(" ".join(command) + "\n")
        self.started = time.monotonic()
        with (self.folder / "qemu.log").open("w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.monitor = Monitor(monitor, self.process)
            self.console = Reader(console)
            self.port = Reader(shell)
        except (OSError, RuntimeError) as error:
            self.end()
            raise GuestError(f"{error}; see {self.folder}/qemu.log") from error
        self.asked = 0
        self.lag = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.sockets.cleanup()

    def wait_console(self, pattern, timeout):
        """Waits for a line of the console."""
        found = self.console.wait(re.compile(pattern), timeout, self.check_alive)
        if found is None:
            raise GuestError(f"the console did not say \"{pattern}\" within {timeout} s; {self.last_words()}")
        return found

    def check_alive(self):
        if self.process.poll() is not None:
            raise GuestError(f"QEMU ended with code {self.process.returncode}; see {self.folder}/qemu.log")
        if self.console.has(re.compile("Kernel panic|Oops")):
            raise GuestError(f"the guest's kernel broke; see {self.folder}/console.log")

    def last_words(self):
        lines = self.console.lines[-3:]
        return f"the last of it: {' | '.join(lines)} (all: {self.folder}/console.log)"

    def wait_shell(self, timeout):
        """Waits until the guest's shell is there."""
        self._answer(0, "the shell", timeout)

    def try_shell(self, command, timeout=60):
        """Runs a command in the guest: (exit status, output)."""
        self.asked += 1
        self.port.send(f"{self.asked} {command}\n")
        return self._answer(self.asked, f'"{command}"', timeout)

    def _answer(self, number, what, timeout):
        end = time.monotonic() + timeout
        output = []
        while True:
            line = self.port.next_line(min(end - time.monotonic(), 5))
            if line is None:
                self.check_alive()
                if time.monotonic() < end:
                    continue
                raise GuestError(f"{what} did not answer within {timeout} s; {self.last_words()}")
            answer = ANSWER.match(line)
            if answer and int(answer[1]) == number:
                lag = time.monotonic() - float(answer[3])
                # The least lag seen is the one without delay on the way.
                self.lag = lag if self.lag is None else min(self.lag, lag)
                return int(answer[2]), "\n".join(output).strip("\n")
            if not answer:
                output.append(line)

    def shell(self, command, timeout=60):
        """Runs a command in the guest that must not fail, and gives its output."""
        status, output = self.try_shell(command, timeout)
        if status:
            raise GuestError(f"\"{command}\" failed in the guest with {status}: {output}")
        return output

    def guest_time(self, host=None):
        """The guest's uptime at a moment of the host's monotonic clock: the emulated clock runs at the host's pace."""
        return (time.monotonic() if host is None else host) - self.lag


class Reader:
    """The lines that come from a serial port, collected by a thread of its own."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = []
        self.read = 0
        self.changed = threading.Condition()
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        rest = b""
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            with self.changed:
                self.lines += [line.decode(errors="replace").strip("\r") for line in lines]
                self.changed.notify_all()

    def send(self, text):
        self.socket.sendall(text.encode())

    def has(self, pattern):
        with self.changed:
            return any(pattern.search(line) for line in self.lines)

    def next_line(self, timeout):
        with self.changed:
            if not self.changed.wait_for(lambda: self.read < len(self.lines), max(timeout, 0)):
                return None
            self.read += 1
            return self.lines[self.read - 1]

    def wait(self, pattern, timeout, check):
        end = time.monotonic() + timeout
        at = 0
        while time.monotonic() < end:
            with self.changed:
                for line in self.lines[at:]:
                    if pattern.search(line):
                        return line
                at = len(self.lines)
                self.changed.wait(1)
            check()
        return None
