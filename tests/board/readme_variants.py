"""README's chapter "Install", followed word by word: every command that it shows is taken from README itself and run, on the PC or on a
board with an SD card, as the user who may use sudo. What the text asks of a reader beside the commands, such as to change a
configuration, and what has to come of each command, is told here."""

import os
import re
import shlex
import subprocess
import time
from dataclasses import dataclass

from card_variants import CONFIG, active, on_card, service
from emulator.boards import REPOSITORY
from emulator.expect import Beeps, Blinks, Dark, Held, Shows
from emulator.machine import GuestError
from emulator.steps import SLACK, Step, driven, take
from readme import install_chapter

# Seconds that a line may take on the emulated board: apt takes the longest.
LINE = 900
AMBER = Step("no camera: fault", "", Blinks("amber", 1.0), 120 + SLACK)
GREEN = Step("a masked face: pass", "", Shows(("green",)), 60 + SLACK)


@dataclass
class Line:
    """What is known of a command of README that starts so. `before`, a command for the guest's root, is what the text around it asks
    for; `says` must be found in what it prints; `steps` follow. A line with a reason in `skipped` is run nowhere."""

    starts: str
    before: str = ""
    says: str = ""
    steps: tuple = ()
    skipped: str = ""


def status_text(pattern):
    """A check of the service's status line."""

    def check(machine, pins, table):
        seen = machine.shell("property StatusText")
        table.add("the status line", pattern, "", "", seen, re.search(pattern, seen) is not None, machine.guest_time())

    return check


def allowed(*devices):
    """A check of the devices that the service may use."""

    def check(machine, pins, table):
        seen = machine.shell("property DeviceAllow")
        here = [device for device in devices if device in seen]
        table.add("the drop-in's devices", " and ".join(devices), "", "", " and ".join(here), here == list(devices), machine.guest_time())

    return check


def mistake(machine, pins, table):
    """A reload with a mistake in the configuration, again by README's command: logged with its line, and the door goes on."""
    machine.shell(f"cp {CONFIG} /run/right.toml; echo 'nonsense = 1' >>{CONFIG}")
    machine.shell("systemctl reload maskwatch", timeout=120)
    number = machine.shell(f"wc -l <{CONFIG}")
    wanted = f"the configuration stays as it was: .*{CONFIG} line {number}: "
    # The journal may be a moment behind.
    logged = machine.try_shell(f"for i in $(seq 60); do journalctl -u maskwatch -o cat | grep '{wanted}' && break; sleep 1; done", timeout=300)[1]
    machine.shell(f"cp /run/right.toml {CONFIG}")
    table.add("a mistake in it is logged", f"stays as it was, line {number}", "", "", logged, bool(logged), machine.guest_time())
    pins.last_step = time.monotonic()
    take(Step("and the old configuration stays", "", Shows(("green",)), 10 + SLACK), machine, pins, table)


def package_lines(source):
    """The lines for a board with the package; `source` is README's block of TOML for a CSI camera."""
    return [
        Line("sudo apt install ./", steps=(active, AMBER, driven)),
        Line("systemctl status maskwatch", says=r'(?s)Active: active \(running\).*Status: "fault: .*/dev/video0'),
        Line(
            "sudo systemctl reload maskwatch",
            before=f"shows masked; plug 0; film 0; cp /board/maskwatch.toml {CONFIG}",
            steps=(GREEN, status_text("^door pass; watching camera /dev/video0"), mistake),
        ),
        Line("sudo systemctl stop maskwatch", steps=(Step("all off", "", Dark(), SLACK),)),
        Line(
            "sudo maskwatch signal alert --for 5",
            says="showing alert for 5 s",
            steps=(
                Step("it lights what an alert lights", "", Held("red", 5.0), LINE),
                Step("and beeps", "", Beeps("buzzer", 3), LINE),
                Step("then all is off", "", Dark(), SLACK),
            ),
        ),
        Line("sudo systemctl start maskwatch", steps=(GREEN,)),
        Line(
            "sudo install -D -m 644 /usr/share/maskwatch/drop-ins/rpicam.conf",
            before=f"stop_film; printf '%s\\n' {shlex.quote(source)} | sed -i '/^\\[source\\]/r /dev/stdin' {CONFIG}",
        ),
        Line(
            "sudo systemctl daemon-reload && sudo systemctl restart maskwatch",
            steps=(
                GREEN,
                status_text(r"^door pass; watching csi\b"),
                Step("the pipe's picture changes: alert", "shows bare", Shows(("red",), but=("buzzer",)), 10 + SLACK),
                allowed("char-media rw", "char-dma_heap rw"),
            ),
        ),
    ]


MANUAL_LINES = [
    Line("cargo build", skipped="a compiler would run for hours on an emulated board; target/release has the cross-compiled program"),
    Line(
        "sudo systemctl daemon-reload && sudo systemctl enable --now maskwatch",
        steps=(
            active,
            AMBER,
            driven,
            service("it starts at boot", "enabled", "UnitFileState"),
            Step("camera and masked face: pass",
                 f"shows masked; plug 0; film 0; cp /board/maskwatch.toml {CONFIG}; systemctl reload maskwatch", Shows(("green",)), 60 + SLACK),
        ),
    ),
]


def followed(blocks, lines, folder):
    """The steps of a board whose user types the commands of `blocks` in a folder; `lines` are what is known of them."""
    unused = list(lines)
    steps = []
    for block in blocks:
        if block.language != "sh":
            steps.append(note(f"not a command: {block.lines[-1]}"))
            continue
        for text in block.lines:
            known = next((line for line in lines if text.startswith(line.starts)), None)
            if known in unused:
                unused.remove(known)
            if known and known.skipped:
                steps.append(note(f"skipped: {text}: {known.skipped}"))
            else:
                steps.append(typed(folder, text, known or Line(text)))
                steps += known.steps if known else ()
    if unused:
        raise GuestError(f'README\'s chapter "Install" has no command "{unused[0].starts}" any more')
    return steps


def note(text):
    return lambda machine, pins, table: table.note(text)


def typed(folder, text, line):
    """Types a command on the board: it must end without an error."""

    def step(machine, pins, table):
        if line.before:
            machine.shell(line.before, timeout=LINE)
        pins.last_step = time.monotonic()
        status, output = machine.try_shell(f"user {shlex.quote(folder)} {shlex.quote(text)}", timeout=LINE)
        good = status == 0 and re.search(line.says, output) is not None
        came = f"{time.monotonic() - pins.last_step:.1f}"
        seen = "as expected" if good else f"status {status}: {output.replace(chr(10), ' | ')}"
        table.add(f"$ {text}", "no error" + (f", says {line.says}" if line.says else ""), f"0 to {LINE}", came, seen, good, machine.guest_time())

    return step


def on_the_pc(text):
    """Runs the command that makes the package, here: (the package for the board, the step that tells of it)."""
    command, _, promised = text.partition("#")
    package = re.search(r"\S+_arm64\.deb", promised)
    if package is None:
        raise GuestError(f'README does not say which package "{command.strip()}" makes for arm64')
    print(f"running on this machine: {command.strip()}", flush=True)
    started = time.time()
    status = subprocess.run(command, shell=True, cwd=REPOSITORY, stdout=subprocess.DEVNULL).returncode
    took = time.time() - started
    package = REPOSITORY / package[0]
    if status or not package.exists() or package.stat().st_mtime < started:
        raise GuestError(f'"{command.strip()}" ended with {status}, and README promises {package}')

    def step(machine, pins, table):
        table.add(f"$ {command.strip()} (on the PC)", f"makes {package.name}", "", f"{took:.0f}", "it is there", True)

    return package, step


def plain_card(package=""):
    """An SD card without maskwatch; the package, if any, and the source's folder lie in the user's home."""
    command = [REPOSITORY / "tests/board/card.sh", "plain"]
    if subprocess.run(command, env=os.environ | {"MASKWATCH_PACKAGE": str(package)}).returncode:
        raise GuestError("tests/board/card.sh made no SD card; see what it said above")
    return "card-plain.img"


def readme():
    """The chapter up to the package's last line, on a board that had no maskwatch before."""
    first, *blocks = install_chapter()[0]
    package, made = on_the_pc(first.lines[0])
    (source,) = (block for block in blocks if block.language == "toml")
    if len(first.lines) != 1 or source.lines[0] != "[source]":
        raise GuestError('README\'s chapter "Install" does not begin with one command for the PC, or its TOML is no longer of [source]')
    lines = package_lines("\n".join(source.lines[1:]))
    return on_card(
        "card-readme: README's chapter Install as it stands, on an SD card without maskwatch",
        [made, *followed(blocks, lines, ".")], image=plain_card(package),
    )


def readme_manual():
    """The rest of the chapter, on such a board again."""
    return on_card(
        "card-readme-manual: README's chapter Install, without the package, on an SD card without maskwatch",
        followed(install_chapter()[1], MANUAL_LINES, "maskwatch"), image=plain_card(),
    )


VARIANTS = {"card-readme": readme, "card-readme-manual": readme_manual}
