"""A variant's run: a machine boots, its pins are watched from outside, steps are taken, a table says what came of them."""

from . import boards
from .checks import Table
from .machine import Machine
from .pins import Registers
from .steps import take


def run(title, arguments, watch, steps, boot):
    """The table of a machine that is started with `arguments(FOLDER)`, where FOLDER is for what the run leaves behind. `boot` are the
    seconds after which the board, and once more its shell, must be there; `watch(MACHINE)` begins to watch the pins, before the shell is
    there: they must be off by then. A step is a Step or a function of the machine, the pins and the table."""
    table = Table(title)
    folder = boards.CACHE / "runs" / title.split(":")[0]
    folder.mkdir(parents=True, exist_ok=True)
    with Machine(boards.EMULATOR, arguments(folder), folder) as machine:
        line = machine.wait_console("board ready", boot)
        pins = watch(machine)
        try:
            machine.wait_shell(boot)
            up = machine.guest_time()
            table.add("boot", "shell of the system", f"0 to {boot}", f"{up:.1f}", line.split("board ready: ")[-1], True, up)
            for step in steps:
                if callable(step):
                    step(machine, pins, table)
                else:
                    take(step, machine, pins, table)
        finally:
            pins.stop()
    return table


def registers(board, pins=boards.PINS):
    """Watches pins of a Raspberry Pi in its registers."""
    return lambda machine: Registers(machine.monitor, board, pins)
