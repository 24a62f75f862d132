"""A headless Chromium, driven through its debugging pipe (--remote-debugging-pipe): JSON with a NUL behind each message."""

import base64
import json
import os
import select
import subprocess
import time

PATIENCE = 20  # seconds for an answer or a condition


class Chrome:
    """A browser with one page. What goes wrong in the page, and where it sends requests, is noted."""

    def __init__(self, folder):
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]
        arguments += ["--disable-background-networking", "--ignore-certificate-errors", "--remote-debugging-pipe", f"--user-data-dir={folder}"]
        start = f'exec chromium "$@" 3<&{theirs_in} 4>&{theirs_out}'
        with open(f"{folder}.log", "wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", start, "chromium", *arguments, "about:blank"], pass_fds=(theirs_in, theirs_out), stdout=log, stderr=log
            )
        os.close(theirs_in)
        os.close(theirs_out)
        self.reader, self.writer, self.bytes, self.number, self.session = ours_in, ours_out, b"", 0, None
        self.problems, self.addresses = [], set()
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.reader)
        os.close(self.writer)

    def call(self, method, **parameters):
        """Calls a method of the protocol and returns its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 3 * PATIENCE
        while True:
            answer = self._receive(end)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _receive(self, end):
        while b"\0" not in self.bytes:
            if not select.select([self.reader], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            more = os.read(self.reader, 1 << 20)
            if not more:
                raise EOFError("the browser has ended")
            self.bytes += more
        message, self.bytes = self.bytes.split(b"\0", 1)
        message = json.loads(message)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method, told):
        if method == "Runtime.exceptionThrown":
            self.problems.append(told["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.problems.append(told["entry"]["text"] + " " + told["entry"].get("url", ""))
        elif method == "Network.requestWillBeSent":
            self.addresses.add(told["request"]["url"])

    def run(self, script):
        """The value of a script in the page; waits for a promise."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script[:80]}: {result['exceptionDetails'].get('exception', {}).get('description')}")
        return result["result"].get("value")

    def until(self, script, what=None, patience=PATIENCE):
        """Waits until a script gives something true, and returns that."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            value = self.run(script)
            if value:
                return value
            time.sleep(0.05)
        raise TimeoutError(what or f"never: {script}")

    def open(self, address):
        self.call("Page.navigate", url=address)
        self.until(f"location.href.startsWith({json.dumps(address)}) && document.readyState === 'complete'")

    def look_like(self, width, height, phone=False, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def press(self, selector):
        """Clicks in the middle of an element."""
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        self.mouse("mousePressed", place)
        self.mouse("mouseReleased", place)

    def mouse(self, kind, place):
        button = "none" if kind == "mouseMoved" else "left"
        buttons = 0 if kind == "mouseReleased" else 1
        self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button=button, buttons=buttons, clickCount=1)

    def drag(self, selector, start, end):
        """Draws over an element, from one share of its width and height to another."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()"
        )
        places = [[box[0] + x * box[2], box[1] + y * box[3]] for x, y in (start, end)]
        self.mouse("mousePressed", places[0])
        self.mouse("mouseMoved", [sum(pair) / 2 for pair in zip(*places, strict=True)])
        self.mouse("mouseMoved", places[1])
        self.mouse("mouseReleased", places[1])

    def key(self, name, code, text=""):
        """Presses a key; `text` is what it types."""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, windowsVirtualKeyCode=code, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=code)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def save(self, path):
        """A screenshot of the whole page."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(told["data"]))
