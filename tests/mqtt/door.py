"""The daemon before a camera that shows a bare face, an empty room, or nothing, as files say."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

from picture import grey, size

ROOT = Path(__file__).resolve().parents[2]


class Door:
    """The daemon `program`, with its files in `folder`."""

    def __init__(self, program, folder, broker):
        self.program, self.folder, self.broker = program, folder, broker
        self.process = self.listener = None
        self.heard = []
        for name in ("run", "state"):
            (folder / name).mkdir(parents=True)
        self.log = folder / "log"
        self.log.touch()

    def start(self, address, more=""):
        """Starts it with the broker at `address`, and more keys of [mqtt]."""
        picture, hidden, room = ROOT / "tests/fixtures/astronaut.jpg", self.folder / "hidden", self.folder / "room"
        (self.folder / "empty.jpg").write_bytes(grey(*size(picture.read_bytes())))
        camera = (f"while sleep 0.1; do test -e '{hidden}' || if test -e '{room}'; then cat '{self.folder}/empty.jpg'; "
                  f"else cat '{picture}'; fi; done")
        (self.folder / "maskwatch.toml").write_text(
            f"[source]\nspec = \"command: {camera}\"\ntimeout_seconds = 0.5\nfrozen_seconds = 0\n"
            f"[clock]\ntrusted = \"always\"\n[decision]\nre_arm_seconds = 0.5\nlinger_seconds = 0.3\nhold_seconds = 0.5\n"
            f"[mqtt]\nbroker = \"{address}\"\nstats_seconds = 5\n{more}")
        environment = {"PATH": os.environ["PATH"], "RUST_LOG": "info", "RUNTIME_DIRECTORY": str(self.folder / "run"),
                       "STATE_DIRECTORY": str(self.folder / "state")}
        with open(self.log, "ab") as errors:
            self.process = subprocess.Popen(
                [self.program, "run", "--dry-run", "--config", self.folder / "maskwatch.toml"], env=environment, stderr=errors)

    def watch(self):
        """Hears at the local socket what happens: what the broker has to hear, too."""
        self.heard = heard = []
        self.listener = subprocess.Popen(
            [self.program, "watch", "--socket", self.folder / "run/maskwatch.sock", "--format", "jsonl"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

        def read(lines):
            for line in lines:
                message = json.loads(line)
                if message["type"] in ("alert", "verdict", "fault", "recovered"):
                    heard.append(message)

        threading.Thread(target=read, args=(self.listener.stdout,), daemon=True).start()

    def hide(self, hidden):
        """Lets the camera fail, or see the face again."""
        path = self.folder / "hidden"
        path.touch() if hidden else path.unlink(missing_ok=True)

    def leave(self, gone):
        """Lets the person leave the room, or come back."""
        path = self.folder / "room"
        path.touch() if gone else path.unlink(missing_ok=True)

    def text(self):
        return self.log.read_text()

    def order(self, *arguments):
        """Gives an order at the local socket."""
        command = [self.program, "ctl", "--socket", self.folder / "run/maskwatch.sock", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)
        if self.listener:
            self.listener.kill()
            self.listener.wait()
        self.process = self.listener = None
