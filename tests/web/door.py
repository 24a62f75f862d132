"""A daemon with a web page, in a folder of its own: its camera shows a masked person until it is told to show a bare one."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

from part import Part, free_port

PASSWORD = "correct horse battery"
# A camera: pictures at a rate, the second one from the moment at which a file is there.
CAMERA = """
import os, sys, time
first, second, switch, rate = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read(), sys.argv[3], float(sys.argv[4])
while True:
    sys.stdout.buffer.write(second if os.path.exists(switch) else first)
    sys.stdout.buffer.flush()
    time.sleep(1 / rate)
"""
# A camera that gives raw frames of 640x480, each another one.
RAW = """
import sys, time
row = bytes((x * 5 + (x * x >> 3)) & 255 for x in range(640 * 3 + 512))
number = 0
while True:
    number += 1
    rows = (row[(y + number) % 512 :][: 640 * 3] for y in range(480))
    sys.stdout.buffer.write(b"".join(rows))
    sys.stdout.buffer.flush()
    time.sleep(0.1)
"""


class Door(Part):
    """Runs until it is ended."""

    def __init__(self, program, folder, web="", raw=False, tls=False):
        self.folder, self.port, self.tls = Path(folder), free_port(), tls
        self.folder.mkdir(parents=True)
        self.switch, self.socket_path, self.zones = self.folder / "bare", self.folder / "socket", self.folder / "zones.toml"
        fixtures = Path("tests/fixtures").resolve()
        script = self.folder / "camera.py"
        script.write_text(RAW if raw else CAMERA)
        arguments = "" if raw else f" {fixtures}/astronaut-masked.jpg {fixtures}/astronaut.jpg {self.switch} 8"
        form = "(rgb24 640x480)" if raw else ""
        password = self.folder / "password"
        told = subprocess.run([program, "config", "password", password], input=PASSWORD, text=True, capture_output=True)
        if told.returncode:
            sys.exit(f"error: no password: {told.stderr}")
        self.text = (
            f'[source]\nspec = "command{form}: {sys.executable} {script}{arguments}"\nblack_seconds = 0\nblind_seconds = 0\n'
            f'[outputs]\nbackend = "simulated"\n[socket]\npath = "{self.socket_path}"\n[counts]\npath = "{self.folder}/counts.json"\n'
            f'[clock]\ntrusted = "always"\n'
            f'[web]\nenabled = true\nlisten = "127.0.0.1:{self.port}"\npassword_file = "{password}"\nzones_file = "{self.zones}"\n'
            f'commands = ["silence", "pause", "resume", "test", "zones"]\n{web}'
        )
        if tls:
            self.text += f'certificate = "{self._certificate()}"\nkey = "{self.folder}/key.pem"\n'
        self.config = self.folder / "door.toml"
        self.config.write_text(self.text)
        super().__init__(self.folder, "door", [program, "run", "--config", self.config])
        self._wait()

    def _certificate(self):
        certificate = self.folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=door",
             "-keyout", self.folder / "key.pem", "-out", certificate],
            check=True, capture_output=True,
        )  # fmt: skip
        return certificate

    def _wait(self):
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        sys.exit(f"error: the daemon does not listen:\n{self.told()}")

    @property
    def address(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def events(self):
        """The lines of the local socket from now on; the first that come are what is so."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(str(self.socket_path))
        connection.sendall(b'{"command":"watch"}\n')
        for line in connection.makefile("rb"):
            yield json.loads(line)

    def until(self, kind, **wanted):
        """Waits for a line of this kind with these values."""
        for line in self.events():
            if line["type"] == kind and all(line.get(key) == value for key, value in wanted.items()):
                return line
        raise EOFError("the daemon has ended")

    def connect(self):
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def log_in(self, password=PASSWORD):
        """A session's headers, and the reply."""
        connection = self.connect()
        headers = {"Origin": self.address, "Content-Type": "application/json"}
        connection.request("POST", "/api/login", json.dumps({"password": password}), headers)
        reply = connection.getresponse()
        told = json.loads(reply.read())
        cookie = (reply.getheader("Set-Cookie") or "").split(";")[0]
        return {**headers, "Cookie": cookie, "X-CSRF-Token": told.get("csrf", "")}, reply

    def threads(self):
        """CPU seconds of each thread by its name."""
        tick, seconds = os.sysconf("SC_CLK_TCK"), {}
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
            fields = rest.split()
            seconds[name] = seconds.get(name, 0) + (int(fields[11]) + int(fields[12])) / tick
        return seconds
