#!/usr/bin/env python3
"""Tests the web page: run.py PROGRAM FOLDER AXE; run.sh calls it. Ends with a table."""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from chrome import Chrome
from door import PASSWORD, Door
from floods import Flood

SHOTS = {"phone-light": (390, 844, True, False), "desk-dark": (1280, 900, False, True)}
# An alert under a flood may be so much later than without one, in seconds.
LATER = 2.0
FLOOD_RATE = 10_000
# What one viewer may take, as a share of a core, of an optimised program.
VIEWER_SHARE = 0.1
VIEWED = 10  # seconds


class Table:
    """What was checked, and how it ended."""

    def __init__(self):
        self.lines, self.failed = [], 0

    def check(self, what, fine, more=""):
        self.failed += not fine
        line = f"{'ok' if fine else 'FAILED':7} {what}{f': {more}' if more else ''}"
        self.lines.append(line)
        print(line, flush=True)

    def end(self):
        print(f"{len(self.lines) - self.failed} passed, {self.failed} failed")
        return self.failed != 0


def serious(browser, axe):
    """What axe-core finds that is serious or worse."""
    browser.run(axe.read_text() + "; 0")
    told = browser.run("axe.run(document).then((r) => r.violations.map((v) => [v.impact, v.id, v.nodes.map((n) => n.target.join(' ')).join(', ')]))")
    return [f"{rule} at {where}" for impact, rule, where in told if impact in ("serious", "critical")]


def log_in(browser, table, axe):
    browser.until("!document.querySelector('#login').hidden")
    table.check("axe-core finds nothing serious in the login", not (found := serious(browser, axe)), "; ".join(found))
    browser.press("#password")
    browser.type("wrong password")
    browser.key("Enter", 13, "\r")
    said = browser.until("document.querySelector('#login-problem').textContent.replace('…', '')")
    table.check("a wrong password is refused", "not the password" in said, said)
    browser.run("document.querySelector('#password').value = ''; document.querySelector('#password').focus()")
    browser.type(PASSWORD)
    browser.press("#login button")
    browser.until("!document.querySelector('#shown').hidden && document.querySelector('#state-name').textContent")
    cookies = browser.call("Network.getCookies")["cookies"]
    fine = len(cookies) == 1 and cookies[0]["httpOnly"] and cookies[0]["sameSite"] == "Strict"
    table.check("the session has the only cookie, HttpOnly and SameSite=Strict", fine, cookies[0]["name"])


def orders(browser, table):
    outcome = "document.querySelector('#order-outcome').textContent"
    mode = "document.querySelector('#state-mode').textContent"
    for button, said, is_so in [
        ("silence", "silent for 5 min", f"{mode}.includes('uzzers silent')"),
        ("unsilence", "sound again", f"!{mode}.includes('silent')"),
        ("pause", "paused for 10 min", f"{mode}.includes('aused for')"),
        ("resume", "pause is over", f"!{mode}.includes('aused')"),
        ("test", "show alert", "document.querySelector('#state').dataset.state === 'alert'"),
    ]:
        browser.press(f"#{button}")
        try:
            browser.until(f"{outcome}.includes({json.dumps(said)})")
            browser.until(is_so)
            table.check(f"the button {button} does what it says", True)
        except TimeoutError:
            table.check(f"the button {button} does what it says", False, f"{browser.run(outcome)} {browser.run(mode)}")


def zones(browser, table, door):
    browser.press("#look")
    size = browser.until("(() => { const p = document.querySelector('#picture'); return !p.hidden && p.naturalWidth; })()", patience=40)
    table.check("the camera's picture is shown", size == 512, f"{size} pixels wide, {browser.run('document.querySelector(`#view-note`).textContent')}")
    browser.drag("#frame", (0.1, 0.1), (0.9, 0.95))
    drawn = browser.run("document.querySelector('#zone-points').value")
    table.check("a zone is drawn with the mouse", drawn == "10 10, 90 10, 90 95, 10 95", drawn)
    browser.press("#zone-form button[type=submit]")
    # By keyboard alone: from field to field.
    browser.run("document.querySelector('#zone-name').focus(); document.querySelector('#zone-name').select()")
    browser.type("street")
    browser.key("Tab", 9)
    browser.run("document.activeElement.value = 'ignore'")
    browser.key("Tab", 9)
    browser.type("0 0, 20 0, 20 8, 0 8")
    browser.key("Enter", 13, "\r")
    browser.run("document.querySelector('#zones-save').focus()")
    browser.key(" ", 32, " ")
    said = browser.until("(() => { const t = document.querySelector('#zones-outcome').textContent; return !t.startsWith('Not saved') && t; })()")
    written = door.zones.read_text() if door.zones.exists() else ""
    table.check("zones are saved, the second typed by keyboard", "[zones.entrance]" in written and "[zones.street]" in written, said)
    for _ in range(100):
        if "configuration was reloaded" in door.told():
            break
        time.sleep(0.1)
    browser.call("Page.reload")
    browser.until("document.querySelectorAll('#map polygon').length === 2")
    table.check("the daemon has read them, and the page shows them anew", "configuration was reloaded" in door.told())


def page(program, folder, work, axe, table):
    door = Door(program, folder / "page", "preview = true\n")
    browser = None
    try:
        counts = {"people": 41, "masked": 29, "incorrect": 3, "unmasked": 7, "unsure": 2, "alerts": 7, "faults": 1}
        days = {f"2026-11-{day:02}": {key: count * (day % 5 + 1) for key, count in counts.items()} for day in range(17, 31)}
        (door.folder / "counts.json").write_text(json.dumps({"format": 1, "hours": {}, "days": days, "undated": {}}))
        browser = Chrome(folder / "chromium")
        browser.look_like(*SHOTS["desk-dark"])
        browser.open(f"{door.address}/")
        log_in(browser, table, axe)
        expected = browser.problems[:]
        browser.problems.clear()
        # The only errors until now: no session, and a wrong password.
        fine = all("401" in problem or "403" in problem for problem in expected)
        table.check("nothing else went wrong until then", fine, "; ".join(expected) if not fine else "")
        browser.until("document.querySelector('#state-name').textContent === 'pass'", patience=60)
        table.check("the state is shown, with a masked person at the door", True)
        browser.until("document.querySelectorAll('#chart rect').length > 20")
        table.check("counts are drawn as a chart", True)
        rows = browser.run("document.querySelectorAll('#health dt').length")
        events = browser.until("document.querySelectorAll('#events li').length")
        table.check("health and events are shown", rows >= 7 and events >= 1, f"{rows} figures, {events} events")
        orders(browser, table)
        zones(browser, table, door)
        browser.press("#look")
        browser.until("!document.querySelector('#picture').hidden && document.querySelector('#picture').naturalWidth > 0")
        for name, (width, height, phone, dark) in SHOTS.items():
            browser.look_like(width, height, phone, dark)
            time.sleep(1)
            browser.save(work / f"{name}.png")
            wide = browser.run("document.documentElement.scrollWidth")
            table.check(f"{name}: nothing is wider than the screen", wide <= width, f"{wide} of {width} pixels")
            table.check(f"{name}: axe-core finds nothing serious", not (found := serious(browser, axe)), "; ".join(found))
        table.check("no script failed and no policy was broken", not browser.problems, "; ".join(browser.problems))
        foreign = [address for address in browser.addresses if not address.startswith((door.address, "blob:", "data:", "about:"))]
        table.check("nobody else was asked for anything", not foreign, f"{len(browser.addresses)} addresses {' '.join(foreign)}")
        browser.press("#logout")
        browser.until("!document.querySelector('#login').hidden")
        table.check("after logging out nothing is shown", browser.run("document.querySelector('#shown').hidden"))
    finally:
        if browser:
            browser.close()
        door.end()


def over_tls(program, folder, table):
    door = Door(program, folder / "tls", tls=True)
    try:
        headers, reply = door.log_in()
        cookie = reply.getheader("Set-Cookie") or ""
        table.check("over HTTPS the cookie is Secure", cookie.startswith("__Host-maskwatch=") and "; Secure" in cookie, cookie.partition("=")[0])
        tried = [door.log_in("wrong password")[1].status for _ in range(8)]
        table.check("guessing is slow", tried.count(403) <= 5 and 429 in tried, f"{tried}")
        connection = door.connect()
        connection.request("GET", "/api/now", headers=headers)
        table.check("and a session goes on meanwhile", connection.getresponse().status == 200)
    finally:
        door.end()


def alert_time(program, folder, name, **flood):
    """Seconds from the first bare frame to the alert, and the requests a second that were sent meanwhile."""
    door = Door(program, folder / name, tls="handshakes" in flood)
    try:
        door.until("look", state="pass")
        attack = Flood(door.port, **flood) if flood else None
        time.sleep(3)
        before, begun = door.threads(), time.monotonic()
        bare = begun
        door.switch.touch()
        door.until("alert")
        took = time.monotonic() - bare
        if attack:
            time.sleep(2)
        rate = attack.stop() if attack else 0
        spent = door.threads().get("web-clients", 0) - before.get("web-clients", 0)
        return took, rate, spent / (time.monotonic() - begun)
    finally:
        door.end()


def floods(program, folder, table):
    calm = statistics.median(alert_time(program, folder, f"calm-{number}")[0] for number in range(2))
    table.check("a bare person is alerted", calm < 10, f"after {calm:.2f} s")
    for name, least, flood in [
        ("10,000 requests a second", FLOOD_RATE, {"requests": 6}),
        ("new connections", 0, {"connects": 4}),
        ("TLS handshakes", 0, {"handshakes": 4}),
        ("slow loris, 200 connections", 0, {"slow": 200}),
    ]:
        took, rate, share = alert_time(program, folder, f"flood-{len(table.lines)}", **flood)
        fine = took <= calm + LATER and rate >= least
        table.check(f"{name}: the alert is in time", fine, f"after {took:.2f} s; {rate:,.0f} a second sent, the page's thread took {share:.1%} of a core")


def viewer(program, folder, table):
    door = Door(program, folder / "viewer", "preview = true\n", raw=True)
    try:
        headers, _ = door.log_in()
        time.sleep(5)

        def spent(look):
            before, begun, shown, connection, number = door.threads(), time.monotonic(), 0, door.connect(), "0"
            while time.monotonic() < begun + VIEWED:
                if not look:
                    time.sleep(0.5)
                    continue
                connection.request("GET", f"/api/preview?after={number}", headers=headers)
                reply = connection.getresponse()
                size = len(reply.read())
                shown += reply.status == 200 and size > 1000
                number = reply.getheader("X-Frame") or number
            lasted, after = time.monotonic() - begun, door.threads()
            return {name: (after[name] - before.get(name, 0)) / lasted for name in after}, shown / lasted

        without, _ = spent(False)
        looking, rate = spent(True)
        own, idle = looking.get("web-clients", 0), without.get("web-clients", 0)
        table.check("without a viewer nothing is encoded", idle < 0.01, f"the page's thread took {idle:.1%} of a core")
        # A busy machine looks at fewer frames; then there are fewer pictures.
        table.check("a viewer gets at most two pictures a second", 0.2 <= rate <= 2.2, f"{rate:.1f} a second at 640x480")
        full = own / max(rate, 0.01) * 2
        most = VIEWER_SHARE * (4 if "/debug/" in program else 1)
        more = "" if most == VIEWER_SHARE else f"; at most {most:.0%} of a debug program"
        table.check("a viewer takes little", full <= most, f"{full:.1%} of a core at two pictures a second, {own:.1%} as measured{more}")
    finally:
        door.end()


def main():
    program, work, axe = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    folder, table = Path(tempfile.mkdtemp(prefix="maskwatch-web-")), Table()
    os.environ["LC_ALL"] = "C.UTF-8"
    try:
        page(program, folder, work, axe, table)
        over_tls(program, folder, table)
        floods(program, folder, table)
        viewer(program, folder, table)
    except (TimeoutError, EOFError, RuntimeError, OSError) as error:
        table.check("the test came to its end", False, str(error))
        for log in folder.glob("*/door.log"):
            print(f"-- {log}\n{log.read_text()[-2000:]}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"screenshots: {work}/*.png")
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
