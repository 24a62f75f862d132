"""The programs of the test, each in a folder of its own and on free ports: a door, a node_exporter, a Prometheus."""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from part import Part, free_port

# A camera: one picture eight times a second, another one while a file is there, and an end when a second file is there.
CAMERA = """
import os, sys, time
first, second, switch, away = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read(), sys.argv[3], sys.argv[4]
while not os.path.exists(away):
    sys.stdout.buffer.write(second if os.path.exists(switch) else first)
    sys.stdout.buffer.flush()
    time.sleep(0.125)
"""
# A door may have any name; its metrics can be read all the same.
NAME = 'no"r\\th\u00e9'


def get(address, timeout=10):
    """The body and the headers of a page."""
    with urllib.request.urlopen(address, timeout=timeout) as reply:
        return reply.read().decode(), reply.headers


def until(what, seconds=30):
    """Asks again and again until the answer is true; returns that, or the last one."""
    end = time.monotonic() + seconds
    while True:
        told = what()
        if told or time.monotonic() > end:
            return told
        time.sleep(0.2)


def empty(picture):
    """A JPEG picture as large as this one, which fades from dark to bright."""
    header = subprocess.run(["djpeg", "-pnm", picture], capture_output=True, check=True).stdout[:32].split()
    width, height = int(header[1]), int(header[2])
    rows = b"".join(bytes([40 + 180 * row // height] * 3 * width) for row in range(height))
    return subprocess.run(["cjpeg"], input=b"P6 %d %d 255\n" % (width, height) + rows, capture_output=True, check=True).stdout


class Door(Part):
    """A daemon with metrics, whose camera shows nobody until it is told to show a bare face."""

    def __init__(self, program, folder):
        self.port, self.file = free_port(), folder / "textfiles/maskwatch.prom"
        self.switch, self.away = folder / "bare", folder / "away"
        self.file.parent.mkdir()
        script, nobody, somebody = folder / "camera.py", folder / "nobody.jpg", Path("tests/fixtures/astronaut.jpg").resolve()
        script.write_text(CAMERA)
        nobody.write_bytes(empty(somebody))
        config = folder / "door.toml"
        config.write_text(
            f'[source]\nspec = "command: {sys.executable} {script} {nobody} {somebody} {self.switch} {self.away}"\n'
            "black_seconds = 0\nblind_seconds = 0\n"
            '[outputs]\nbackend = "simulated"\n'
            f'[metrics]\nfile = "{self.file}"\nevery_seconds = 1\nlisten = "127.0.0.1:{self.port}"\n'
        )
        runtime = folder / NAME
        runtime.mkdir()
        super().__init__(folder, "door", [program, "run", "--config", config], {"RUNTIME_DIRECTORY": str(runtime)})
        self.address = f"http://127.0.0.1:{self.port}/metrics"

    def answers(self):
        try:
            return get(self.address)
        except OSError:
            return None


class NodeExporter(Part):
    """Reads the files in a folder, and nothing else of this machine."""

    def __init__(self, folder, files):
        self.port = free_port()
        arguments = ["--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={files}"]
        arguments += [f"--web.listen-address=127.0.0.1:{self.port}"]
        super().__init__(folder, "node-exporter", ["prometheus-node-exporter", *arguments])


class Prometheus(Part):
    """Scrapes the door and the node_exporter every second, with our rules; what they wait for takes seconds instead of minutes."""

    def __init__(self, folder, door, exporter, rules):
        self.port = free_port()
        short = folder / "alerts.yml"
        short.write_text(re.sub(r"\bfor: \d+m\b", "for: 2s", Path(rules).read_text()))
        config = folder / "prometheus.yml"
        jobs = [
            {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            for name, port in (("maskwatch", door.port), ("node", exporter.port))
        ]
        every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        # JSON is YAML.
        config.write_text(json.dumps({"global": every, "rule_files": [str(short)], "scrape_configs": jobs}))
        arguments = [f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{self.port}"]
        super().__init__(folder, "prometheus", ["prometheus", *arguments])

    def ask(self, path, **values):
        """An answer of the API; None while it does not answer."""
        try:
            text = get(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(values)}")[0]
        except urllib.error.HTTPError as error:
            text = error.read().decode()
        except OSError:
            return None
        # While it starts, it says so in plain text.
        return json.loads(text) if text.startswith("{") else None

    def query(self, expression):
        """The labels and values of an expression; None where it is refused."""
        answer = self.ask("query", query=expression)
        if not answer or answer["status"] != "success":
            return None
        return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]

    def value(self, expression):
        """The value of an expression that has one."""
        told = self.query(expression)
        return told[0][1] if told and len(told) == 1 else None

    def is_firing(self, alert):
        return bool(self.query(f'ALERTS{{alertname="{alert}", alertstate="firing"}}'))
