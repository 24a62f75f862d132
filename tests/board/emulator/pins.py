"""The levels of a board's pins over time: read from outside the machine, or, for pins that are only simulated, told by the guest."""

import re
import threading
import time

# Offsets in the BCM2835's GPIO block: function of each pin, and level of pins 0 to 31.
GPFSEL0 = 0x00
GPLEV0 = 0x34
OUTPUT = 1

# Where the block is in physical memory.
BASE = {"raspi3b": 0x3F20_0000, "raspi4b": 0xFE20_0000}


class Levels:
    """What some pins, by name, have shown: every change with its time on the host's clock."""

    def __init__(self):
        self.levels = {}
        self.changes = []
        self.error = None
        self.changed = threading.Condition()
        self.stopped = threading.Event()
        self.last_step = time.monotonic()
        self.thread = None

    def watch(self):
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join(5)

    def sample(self):
        """Reads the pins and notes what changed."""
        raise NotImplementedError

    def note(self, now, levels):
        with self.changed:
            for name, level in levels.items():
                if level != self.levels.get(name):
                    self.changes.append((now, name, level))
            self.levels = levels
            self.changed.notify_all()

    def _watch(self):
        while not self.stopped.is_set():
            try:
                self.sample()
            except (OSError, RuntimeError, ValueError) as error:
                with self.changed:
                    self.error = error
                    self.changed.notify_all()
                return

    def wait(self, wanted, timeout):
        """Waits until the pins in `wanted`, {name: level}, have these levels: the host's time then, or None."""

        def fits():
            return self.error or all(self.levels.get(name) == level for name, level in wanted.items())

        with self.changed:
            if not self.changed.wait_for(fits, timeout) or self.error:
                return None
            changed = [at for at, name, level in self.changes if name in wanted and level == wanted[name]]
            return max(changed, default=time.monotonic())

    def between(self, begin, end=float("inf")):
        """The changes in a stretch of the host's time."""
        with self.changed:
            return [change for change in self.changes if begin <= change[0] < end]

    def rises(self, name, begin, end=float("inf")):
        """When a pin went high."""
        return [at for at, pin, level in self.between(begin, end) if pin == name and level == 1]

    def text(self):
        """The levels for people: names of the pins that are high."""
        return " ".join(name for name, level in self.levels.items() if level) or "all low"


class Registers(Levels):
    """Pins {name: number} of a Raspberry Pi, sampled in its GPIO registers by way of QEMU's monitor."""

    PERIOD = 0.02

    def __init__(self, monitor, machine, numbers):
        super().__init__()
        self.monitor = monitor
        self.base = BASE[machine]
        self.numbers = numbers
        self.sample()
        self.watch()

    def sample(self):
        self.note(time.monotonic(), self.read())
        self.stopped.wait(self.PERIOD)

    def read(self):
        (word,) = self.monitor.words(self.base + GPLEV0, 1)
        return {name: word >> number & 1 for name, number in self.numbers.items()}

    def function(self, number):
        """The function of a pin as the registers have it: 0 is input, 1 output, 4 to 7 and 3 and 2 alternatives 0 to 5."""
        return self.monitor.words(self.base + GPFSEL0, 4)[number // 10] >> number % 10 * 3 & 7

    def outputs(self):
        """The names of the pins whose function is output."""
        return [name for name, number in self.numbers.items() if self.function(number) == OUTPUT]


class Told(Levels):
    """Pins that a loop in the guest tells of on the console, whenever one changes (`watch_pins` in guest/pins.sh)."""

    LINE = re.compile(r"^pins ([\d.]+) ([01 ]+)$")

    def __init__(self, machine, names):
        super().__init__()
        self.machine = machine
        self.names = names
        self.read = 0
        self.levels = dict.fromkeys(names, 0)
        self.watch()

    def sample(self):
        console = self.machine.console
        with console.changed:
            console.changed.wait_for(lambda: len(console.lines) > self.read, 0.5)
            lines, self.read = console.lines[self.read :], len(console.lines)
        for line in lines:
            found = self.LINE.match(line)
            if found:
                levels = dict(zip(self.names, map(int, found[2].split())))
                self.note(float(found[1]) + self.machine.lag, levels)
