"""Variants with an SD card: Debian with systemd, and maskwatch from its package, as a user has it."""

from emulator import boards, pwm, session
from emulator.expect import Blinks, Dark, Shows
from emulator.steps import SLACK, Step, door, driven

BOOT = 1200
WATCHDOG = 180
CONFIG = "/etc/maskwatch/maskwatch.toml"

MASKED = Step("masked: pass", "shows masked", Shows(("green",)), 10 + SLACK)
# The daemon comes back RestartSec later, the camera's first frames with it.
BACK = Step("started again by systemd: pass", "", Shows(("green",)), 60 + SLACK)


def service(name, wanted, *properties):
    """A check of what systemd says of the service."""

    def check(machine, pins, table):
        seen = machine.shell(f"property {' '.join(properties)}")
        table.add(name, wanted, "", "", seen, seen == wanted, machine.guest_time())

    return check


def on_card(title, steps, append="", image="card.img", watch=session.registers("raspi3b"), pwm_pin=None):
    def arguments(folder):
        system = boards.card_system(folder, "linux", ("pwm_bcm2835",) if pwm_pin else ())
        board = boards.raspberry_pi(
            folder, "raspi3b", "bcm2837-rpi-3-b.dtb", "linux", system, f"systemd.journald.forward_to_console=1 {append}", pwm_pin,
        )
        return [*board, *boards.card(image)]

    return session.run(title, arguments, watch, steps, BOOT)


def active(machine, pins, table):
    """Type=notify: the unit is active once configuration, networks and pins are up."""
    state = machine.try_shell("for i in $(seq 120); do systemctl is-active -q maskwatch && break; sleep 1; done; property ActiveState SubState User",
                              timeout=300)[1]
    table.add("the unit runs", "active running maskwatch", "", "", state, state == "active running maskwatch",
              machine.guest_time())


def card():
    """The unmodified unit through gpiocdev: started at boot before the camera, killed, stopped, reloaded."""
    steps = [step for step in door(0, 3)[1:] if not step.name.startswith(("frames", "nobody"))]
    return on_card(
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
    return on_card(
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
    return on_card(
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


def card_pwm():
    """A passive buzzer on hardware PWM, with the drop-ins for it and for rppal."""
    alert = Shows(("red", "buzzer"))
    return on_card(
        "card-pwm: the same with a passive buzzer on GPIO18 by hardware PWM, drop-ins pwm.conf and dev-mem.conf, rppal",
        [
            active,
            pwm.connected,
            Step("camera and masked face: pass", "shows masked; plug 0; film 0", Shows(("green",)), 60 + SLACK),
            Step("the buzzer is by PWM from now on: pass", f"cat /board/pwm.toml >>{CONFIG}; drop_in pwm dev-mem", Shows(("green",)), 60 + SLACK),
            pwm.connected,
            Step("bare face: alert, with a tone", "shows bare", alert, 10 + SLACK),
            pwm.sounds(1500),
            Step("SIGKILL: silent by ExecStopPost", "killed KILL", Dark(), 10 + SLACK),
            Step("started again by systemd: alert, with a tone", "", alert, 60 + SLACK),
            Step("the face is masked: pass, silent", "shows masked", Shows(("green",)), 10 + SLACK),
            Step("bare face: alert, with a tone", "shows bare", alert, 20 + SLACK),
            pwm.sounds(1500),
            Step("systemctl stop: silent", "systemctl stop maskwatch", Dark(), SLACK),
            pwm.connected,
        ],
        watch=pwm.watch, pwm_pin=(pwm.PIN, pwm.FUNCTION),
    )


VARIANTS = {"card": card, "card-rppal": card_rppal, "card-read-only": card_read_only, "card-pwm": card_pwm}
