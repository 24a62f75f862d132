"""QEMU's own machine with gpio-sim: pins in the kernel's memory, driven through the GPIO character device by the chip's label."""

from emulator import boards, session
from emulator.expect import Dark, Shows
from emulator.pins import Told
from emulator.steps import SLACK, Step, door

BOOT = 240
LABEL = "pinctrl-rp1"


def arguments(folder):
    system = boards.small_system(
        folder, "linux", [boards.CACHE / "modules"], available=("v4l2loopback", "gpio_sim"), scripts=("pins.sh",)
    )
    return boards.virtual("linux", system)


def make_pins(machine, pins, table):
    """The chip, and the loop in the guest that tells of its levels."""
    machine.shell(f"make_pins {LABEL}; watch_pins 2>/dev/console &")


def gpio_sim():
    """The label is that of a Pi 5's chip, which no emulator has: the daemon finds it by that."""
    return session.run(
        f"gpio-sim: QEMU's virt, a simulated chip with the label {LABEL}, levels read in the guest",
        arguments,
        lambda machine: Told(machine, ("red", "green", "amber", "buzzer")),
        [
            make_pins,
            *(step for step in door(0, 3) if not step.name.startswith(("frames", "nobody"))),
            Step("masked again: pass", "shows masked", Shows(("green",)), 10 + SLACK),
            Step("SIGKILL: the kernel lets go, the pull-down wins", "killed KILL", Dark(), 10),
            Step("the unit's ExecStopPost: off", "stopped_post", Dark(), SLACK),
            Step("started again: pass", "start --source /dev/video3", Shows(("green",)), 20 + SLACK),
            Step("SIGTERM: off", "killed TERM", Dark(), SLACK),
        ],
        BOOT,
    )
