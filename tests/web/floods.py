"""Floods of a server: connections that ask as fast as they can, and connections that never finish asking or greeting."""

import socket
import ssl
import threading
import time

# A connection that is only read slowly is left for another one after this many seconds.
STAYS = 0.5
# Requests that are written at once, so that far more are sent than anybody could answer.
AT_ONCE = 50


class Flood:
    """Threads that bother a port until they are stopped."""

    def __init__(self, port, requests=0, slow=0, connects=0, handshakes=0, path="/api/now"):
        self.get = f"GET {path} HTTP/1.1\r\nHost: door\r\n\r\n".encode()
        self.port, self.stopped, self.sent, self.lock = port, threading.Event(), 0, threading.Lock()
        workers = [self._requests] * requests + [self._slow] * slow + [self._connects] * connects
        workers += [self._handshakes] * handshakes
        self.threads = [threading.Thread(target=worker, daemon=True) for worker in workers]
        self.begun = time.monotonic()
        for thread in self.threads:
            thread.start()

    def stop(self):
        """Ends it; returns how many requests a second were sent."""
        self.stopped.set()
        lasted = time.monotonic() - self.begun
        for thread in self.threads:
            thread.join(20)
        return self.sent / lasted

    def _count(self, number):
        with self.lock:
            self.sent += number

    def _connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=2)
        connection.settimeout(1)
        return connection

    def _requests(self):
        while not self.stopped.is_set():
            try:
                with self._connect() as connection:
                    connection.setblocking(False)
                    # The rest of what did not fit goes first, or the requests would be garbage.
                    left, end = b"", time.monotonic() + STAYS
                    while not self.stopped.is_set() and time.monotonic() < end:
                        left = left or self.get * AT_ONCE
                        try:
                            written = connection.send(left)
                            self._count(written // len(self.get))
                            left = left[written:]
                        except BlockingIOError:
                            time.sleep(0.002)
                        try:
                            if not connection.recv(1 << 16):
                                break
                        except BlockingIOError:
                            pass
            except OSError:
                time.sleep(0.005)

    def _connects(self):
        while not self.stopped.is_set():
            try:
                with self._connect() as connection:
                    connection.sendall(self.get)
                    self._count(1)
                time.sleep(0.001)
            except OSError:
                pass

    def _handshakes(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        while not self.stopped.is_set():
            try:
                with self._connect() as connection, context.wrap_socket(connection):
                    self._count(1)
            except OSError:
                time.sleep(0.005)

    def _slow(self):
        while not self.stopped.is_set():
            try:
                with self._connect() as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: door\r\n")
                    while not self.stopped.wait(0.2):
                        connection.sendall(b"X: y\r\n")
            except OSError:
                time.sleep(0.01)
