"""A mosquitto with TLS, passwords and an access list, and those who watch it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

DOORS = {"north": "a door's password", "watcher": "a watcher's password"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, seconds=30):
    """Waits until the condition gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def program(name):
    return shutil.which(name) or f"/usr/sbin/{name}"


def certificates(folder):
    """An authority, a certificate of the broker, one of the door, and another authority that signed nothing."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=folder, capture_output=True)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for authority in ("ca", "other"):
        openssl("req", "-x509", *new_key, "-keyout", f"{authority}.key", "-out", f"{authority}.pem", "-days", "2", "-subj",
                f"/CN={authority} of a test", "-addext", "basicConstraints=critical,CA:TRUE")
    for name, names in (("broker", "DNS:localhost,IP:127.0.0.1"), ("door", "DNS:north")):
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "names", "-out", f"{name}.pem")


class Broker:
    """The broker; it keeps retained messages and sessions over a restart."""

    def __init__(self, folder):
        self.folder, self.process = folder, None
        self.port, self.mutual_port = free_port(), free_port()
        certificates(folder)
        passwords = folder / "passwords"
        passwords.touch()
        for user, password in DOORS.items():
            subprocess.run(["mosquitto_passwd", "-b", passwords, user, password], check=True, capture_output=True)
        (folder / "access").write_text(
            "user north\npattern readwrite maskwatch/%u/#\ntopic write homeassistant/#\ntopic read homeassistant/status\n"
            "user watcher\ntopic readwrite #\n")
        user = f"user {os.environ.get('USER', 'root')}\n" if os.getuid() == 0 else ""
        tls = f"cafile {folder}/ca.pem\ncertfile {folder}/broker.pem\nkeyfile {folder}/broker.key\n"
        (folder / "mosquitto.conf").write_text(
            f"{user}allow_anonymous false\npassword_file {passwords}\nacl_file {folder}/access\nper_listener_settings false\n"
            f"persistence true\npersistence_location {folder}/\nautosave_on_changes true\nautosave_interval 1\n"
            f"max_queued_messages 100000\nlog_dest file {folder}/mosquitto.log\n"
            f"listener {self.port} 127.0.0.1\n{tls}"
            f"listener {self.mutual_port} 127.0.0.1\n{tls}require_certificate true\n")

    def start(self):
        self.process = subprocess.Popen([program("mosquitto"), "-c", self.folder / "mosquitto.conf"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"mosquitto ended: {(self.folder / 'mosquitto.log').read_text()[-500:]}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for("mosquitto listens", answers)

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def options(self):
        return ["-h", "127.0.0.1", "-p", str(self.port), "--cafile", str(self.folder / "ca.pem"),
                "-u", "watcher", "-P", DOORS["watcher"]]

    def publish(self, topic, payload, *more):
        """Publishes text, or an empty message for None."""
        text = ["-n"] if payload is None else ["-s"]
        subprocess.run(["mosquitto_pub", *self.options(), "-q", "1", "-t", topic, *text, *more],
                       input=(payload or "").encode(), check=True)

    def retained(self, topic, seconds=5):
        """The message that the broker keeps for those who come later; None without one."""
        command = ["mosquitto_sub", *self.options(), "-t", topic, "-C", "1", "-W", str(seconds), "--retained-only"]
        answer = subprocess.run(command, capture_output=True, text=True)
        return answer.stdout.rstrip("\n") or None


class Watcher:
    """Reads all messages; the broker keeps them for it while it is away."""

    def __init__(self, broker):
        self.broker, self.messages, self.process = broker, [], None
        self.start()

    def start(self):
        command = ["mosquitto_sub", *self.broker.options(), "-t", "#", "-q", "1", "-c", "-i", "watcher", "-F", "%j"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()

    def _read(self, lines):
        for line in lines:
            message = json.loads(line)
            message["heard"] = time.monotonic()
            self.messages.append(message)

    def of(self, topic, since=0):
        """What was said on a topic, from the message `since` on."""
        return [message for message in self.messages[since:] if message["topic"].endswith(topic)]

    def events(self, since=0):
        return [json.loads(message["payload"]) for message in self.of("/event", since)]

    def stop(self):
        self.process.kill()
        self.process.wait()
