"""QEMU's own machine with gpio-sim: pins in the kernel's memory, driven through the GPIO character device by the chip's label."""

from emulator import boards
from emulator.checks import Table
from emulator.expect import Dark, Shows
from emulator.machine import Machine
from emulator.pins import Told
from emulator.steps import SLACK, Step, door, take

BOOT = 240
LABEL = "pinctrl-rp1"


def gpio_sim():
    """The label is that of a Pi 5's chip, which no emulator has: the daemon finds it by that."""
    table = Table(f"gpio-sim: QEMU's virt, a simulated chip with the label {LABEL}, levels read in the guest")
    folder = boards.CACHE / "runs/gpio-sim"
    folder.mkdir(parents=True, exist_ok=True)
    system = boards.small_system(
        folder, "linux", [boards.CACHE / "modules"], available=("v4l2loopback", "gpio_sim"), scripts=("pins.sh",)
    )
    steps = [step for step in door(0, 3) if not step.name.startswith(("frames", "nobody"))]
    with Machine(boards.EMULATOR, boards.virtual("linux", system), folder) as machine:
        line = machine.wait_console("board ready", BOOT)
        machine.wait_shell(60)
        up = machine.guest_time()
        table.add("boot", "board ready", f"0 to {BOOT}", f"{up:.1f}", line.removeprefix("board ready: "), True, up)
        machine.shell(f"make_pins {LABEL}; watch_pins 2>/dev/console &")
        pins = Told(machine, ("red", "green", "amber", "buzzer"))
        try:
            for step in [
                *steps,
                Step("masked again: pass", "shows masked", Shows(("green",)), 10 + SLACK),
                Step("SIGKILL: the kernel lets go, the pull-down wins", "killed KILL", Dark(), 10),
                Step("the unit's ExecStopPost: off", "stopped_post", Dark(), SLACK),
                Step("started again: pass", "start --source /dev/video3", Shows(("green",)), 20 + SLACK),
                Step("SIGTERM: off", "killed TERM", Dark(), SLACK),
            ]:
                take(step, machine, pins, table)
        finally:
            pins.stop()
    return table
