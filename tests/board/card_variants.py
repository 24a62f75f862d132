"""Variants with an SD card: Debian with systemd, and maskwatch from its package, as a user has it."""

from emulator import boards
from emulator.checks import Table
from emulator.expect import Blinks, Dark, Shows
from emulator.machine import Machine
from emulator.pins import Registers
from emulator.steps import SLACK, Step, door, take

BOOT = 1200
WATCHDOG = 180

MASKED = Step("masked: pass", "shows masked", Shows(("green",)), 10 + SLACK)
# The daemon comes back RestartSec later, the camera's first frames with it.
BACK = Step("started again by systemd: pass", "", Shows(("green",)), 60 + SLACK)


def service(name, wanted, *properties):
    """A check of what systemd says of the service."""

    def check(machine, pins, table):
        seen = machine.shell(f"property {' '.join(properties)}")
        table.add(name, wanted, "", "", seen, seen == wanted, machine.guest_time())

    return check


def driven(machine, pins, table):
    """All four pins must be driven, not floating inputs."""
    count = len(pins.outputs())
    table.add("the pins are driven", "4 pins are outputs", "", "", f"{count} are", count == 4, machine.guest_time())


def run(title, steps, append=""):
    table = Table(title)
    folder = boards.CACHE / "runs" / title.split(":")[0]
    folder.mkdir(parents=True, exist_ok=True)
    system = boards.card_system(folder, "linux")
    arguments = boards.raspberry_pi(
        folder, "raspi3b", "bcm2837-rpi-3-b.dtb", "linux", system, f"systemd.journald.forward_to_console=1 {append}"
    )
    with Machine(boards.EMULATOR, [*arguments, *boards.card()], folder) as machine:
        line = machine.wait_console("board ready", BOOT)
        # Before systemd is up the pins can be watched already: they must be off.
        pins = Registers(machine.monitor, "raspi3b", boards.PINS)
        try:
            machine.wait_shell(BOOT)
            up = machine.guest_time()
            table.add("boot", "shell of the system", f"0 to {BOOT}", f"{up:.1f}", line.removeprefix("board ready: "), True, up)
            for step in steps:
                if callable(step):
                    step(machine, pins, table)
                else:
                    take(step, machine, pins, table)
        finally:
            pins.stop()
    return table


def active(machine, pins, table):
    """Type=notify: the unit is active once configuration, networks and pins are up."""
    state = machine.try_shell("for i in $(seq 120); do systemctl is-active -q maskwatch && break; sleep 1; done; property ActiveState SubState User",
                              timeout=300)[1]
    table.add("the unit, enabled by the package", "active running maskwatch", "", "", state, state == "active running maskwatch",
              machine.guest_time())


def card():
    """The unmodified unit through gpiocdev: started at boot before the camera, killed, stopped, reloaded."""
    steps = [step for step in door(0, 3)[1:] if not step.name.startswith(("frames", "nobody"))]
    return run(
        "card: raspi3b from an SD card, Debian 12 with systemd, the package, gpiocdev",
        [
            active,
            Step("no camera at boot: fault", "true", Blinks("amber", 1.0), 20 + SLACK),
            driven,
            *steps,
            # A daemon that starts anew knows the camera only by its first number.
            Step("back as /dev/video0, masked: pass", "shows masked; plug 0; film 0", Shows(("green",)), 30 + SLACK,
                 first="sleep 12; stop_film; unplug"),
            Step("SIGKILL: off by ExecStopPost", "killed KILL", Dark(), 10 + SLACK),
            BACK,
            Step("SIGSTOP: the watchdog ends it, off", "killed STOP", Dark(), WATCHDOG + 20 + SLACK),
            BACK,
            Step("systemctl stop: off", "systemctl stop maskwatch", Dark(), SLACK),
            service("stopped", "inactive success", "ActiveState", "Result"),
        ],
    )


def card_rppal():
    """The drop-in for rppal through /dev/mem."""
    return run(
        "card-rppal: the same with the drop-in dev-mem.conf and rppal",
        [
            active,
            Step("camera and masked face: pass", "shows masked; plug 0; film 0", Shows(("green",)), 60 + SLACK),
            Step("rppal by the drop-in: pass", "backend rppal; drop_in dev-mem", Shows(("green",)), 60 + SLACK),
            driven,
            Step("SIGKILL: off by ExecStopPost", "killed KILL", Dark(), 10 + SLACK),
            driven,
            BACK,
            Step("SIGSTOP: the watchdog ends it, off", "killed STOP", Dark(), WATCHDOG + 20 + SLACK),
            driven,
        ],
    )


def card_read_only():
    """Nothing on the card can be written."""
    return run(
        "card-read-only: the same with the root mounted read-only",
        [
            active,
            Step("camera and bare face: alert", "shows bare; plug 0; film 0", Shows(("red",), but=("buzzer",)), 60 + SLACK),
            MASKED,
            Step("SIGKILL: off by ExecStopPost", "killed KILL", Dark(), 10 + SLACK),
            BACK,
        ],
        "board.read-only",
    )


VARIANTS = {"card": card, "card-rppal": card_rppal, "card-read-only": card_read_only}
