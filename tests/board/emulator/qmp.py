"""QEMU's monitor: enough of its protocol to read the machine's memory and to end it."""

import json
import socket
import threading
import time


class Monitor:
    """A connection to the monitor at a Unix socket, shared by threads."""

    def __init__(self, path, process, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.lock = threading.Lock()
        end = time.monotonic() + timeout
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"QEMU did not open its monitor ({error})") from error
                time.sleep(0.05)
        self.file = self.socket.makefile("rw", encoding="utf-8")
        self.file.readline()
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        with self.lock:
            self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self.file.flush()
            while True:
                line = self.file.readline()
                if not line:
                    raise ConnectionError("QEMU closed its monitor")
                answer = json.loads(line)
                if "error" in answer:
                    raise RuntimeError(f"QEMU refused {command}: {answer['error'].get('desc')}")
                if "return" in answer:
                    return answer["return"]

    def words(self, address, count):
        """32-bit words of physical memory: device registers are read as the processor would read them."""
        text = self.execute("human-monitor-command", **{"command-line": f"xp /{count}wx {address:#x}"})
        return [int(word, 16) for line in text.splitlines() for word in line.split(":", 1)[1].split()]
