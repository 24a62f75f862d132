"""A program that a test starts and ends, with its log in a file; the tests of the page and of the metrics share it."""

import os
import signal
import socket
import subprocess


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Part:
    """A program that runs until it is ended."""

    def __init__(self, folder, name, arguments, environment=None):
        self.log_path = folder / f"{name}.log"
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments], stdout=self.log, stderr=self.log, env={**os.environ, **(environment or {})}
        )

    def told(self):
        return self.log_path.read_text(errors="replace")

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        return self.process.returncode
