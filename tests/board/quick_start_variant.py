"""docs/quick-start.md, followed from the installed package to the first person: its commands are taken from the page. Where it asks
questions (`setup`) or wants an editor, the answers are given as options. Then what an owner does next: doctor, a hook, counts."""

import base64
import os
import re
import shlex
import time
from pathlib import Path

from card_variants import CONFIG, active, on_card
from emulator.boards import REPOSITORY
from emulator.expect import Beeps, Blinks, Dark, Shows
from emulator.machine import GuestError
from emulator.steps import SLACK, Step, driven
from readme import FENCED
from readme_variants import LINE, Line, on_the_pc, plain_card, status_text, typed

PAGE = REPOSITORY / "docs/quick-start.md"
# Where the service may write; nothing else of the system.
HOOK_RAN = "/var/lib/maskwatch/hook-ran"
MORE = f"""[clock]
trusted = "always"
[[hook]]
on = "alert"
run = ["/bin/sh", "-c", "cat >{HOOK_RAN}"]
timeout_seconds = 60
"""
# On one line: that is what the guest's shell takes.
CODED = base64.b64encode(MORE.encode()).decode()


def commands():
    """The page's commands on the board, in order."""
    return [line for language, text in FENCED.findall(PAGE.read_text()) if language == "sh" for line in text.splitlines()]


def command(starts):
    """The page's command that starts so; a page without it is not the one that this test follows."""
    found = [line for line in commands() if line.startswith(starts)]
    if not found:
        raise GuestError(f'docs/quick-start.md has no command "{starts}" any more')
    return found[0].split(" #")[0].strip()


def printed(name, text, wanted, within=LINE):
    """A check that a command, typed by the user, comes to print `wanted` and ends well."""

    def check(machine, pins, table):
        began, seen = time.monotonic(), ""
        while time.monotonic() - began < within:
            status, seen = machine.try_shell(f"user . {shlex.quote(text)}", timeout=LINE)
            if status == 0 and re.search(wanted, seen):
                break
            time.sleep(2)
        good = status == 0 and re.search(wanted, seen) is not None
        table.add(name, f"says {wanted}", f"0 to {within}", f"{time.monotonic() - began:.1f}", seen.replace("\n", " | "), good, machine.guest_time())

    return check


def quick_start():
    setup = command("sudo maskwatch setup") + " --yes --source camera --output red=17 --enable"
    lamps = command("for state in")
    install = command("sudo apt install ./")
    if made := os.environ.get("MASKWATCH_PACKAGE"):
        package = Path(made).resolve()
    else:
        package, _ = on_the_pc(f"{command('make deb')} # target/deb/{install.split('/')[-1]}")
    return on_card(
        "card-quick-start: docs/quick-start.md on an SD card without maskwatch, setup by its options, then doctor, hook and stats",
        [
            typed(".", install, Line("")),
            active,
            Step("no camera: fault", "", Blinks("amber", 1.0), 120 + SLACK),
            driven,
            typed(".", command("sudo systemctl stop maskwatch"),
                  Line("", before=f"shows nobody; plug 0; film 0; cp /board/maskwatch.toml {CONFIG}")),
            Step("stopped: all off", "", Dark(), SLACK),
            typed(".", setup, Line("", says=r"(?s)ok +camera .*source\.spec: .* becomes \"camera\".*maskwatch runs")),
            status_text("^door idle; watching camera"),
            typed(".", command("systemctl status maskwatch"), Line("", says="door idle; watching camera")),
            typed(".", lamps, Line("")),
            Step("the lamp test has ended: idle", "", Dark(), 60 + SLACK),
            typed(".", f"echo {CODED} | base64 -d | sudo install -D -m 644 /dev/stdin {CONFIG}.d/owner.toml", Line("")),
            typed(".", command("sudo systemctl reload maskwatch"), Line("")),
            printed("doctor finds no error", command("sudo maskwatch doctor"), r"(?s)ok +pins .*the door works|all is well"),
            Step("bare face: alert", "shows bare", Shows(("red",), but=("buzzer",)), 10 + SLACK),
            Step("and the buzzer beeps three times", "", Beeps("buzzer", 3), 10 + SLACK),
            printed("the hook has run", f"sudo cat {HOOK_RAN}", '"event":"alert"', 120),
            printed("why says what was seen", command("sudo maskwatch why"), r"person #\d+:"),
            Step("the face is masked: pass", "shows masked", Shows(("green",)), 10 + SLACK),
            Step("nobody there: idle", "shows nobody", Dark(), 20 + SLACK),
            printed("stats has counted the alert", command("sudo maskwatch stats") + " --format csv", r"\n\d{4}-\d\d-\d\d,(\d+,){5}[1-9]\d*,\d+", 240),
        ],
        image=plain_card(package),
    )


VARIANTS = {"card-quick-start": quick_start}
