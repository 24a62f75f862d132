"""A Raspberry Pi's pins, read from outside the machine: the registers of the BCM2835's GPIO block, by way of QEMU's monitor."""

import threading
import time

# Offsets in the block: function of each pin, and level of pins 0 to 31.
GPFSEL0 = 0x00
GPLEV0 = 0x34
OUTPUT = 1

# Where the block is in physical memory.
BASE = {"raspi3b": 0x3F20_0000, "raspi4b": 0xFE20_0000}


class Pins:
    """Samples the levels of some pins, {name: number}, in a thread; remembers every change with its time on the host."""

    PERIOD = 0.02

    def __init__(self, monitor, machine, numbers):
        self.monitor = monitor
        self.base = BASE[machine]
        self.numbers = numbers
        self.levels = {}
        self.changes = []
        self.error = None
        self.changed = threading.Condition()
        self.last_step = time.monotonic()
        self.stopped = threading.Event()
        self.sample()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join(5)

    def sample(self):
        (word,) = self.monitor.words(self.base + GPLEV0, 1)
        now = time.monotonic()
        levels = {name: word >> number & 1 for name, number in self.numbers.items()}
        with self.changed:
            for name, level in levels.items():
                if level != self.levels.get(name):
                    self.changes.append((now, name, level))
            self.levels = levels
            self.changed.notify_all()

    def _watch(self):
        while not self.stopped.wait(self.PERIOD):
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
            return self.error or all(self.levels[name] == level for name, level in wanted.items())

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

    def outputs(self):
        """The names of the pins whose function is output."""
        words = self.monitor.words(self.base + GPFSEL0, 4)
        return [
            name for name, number in self.numbers.items() if words[number // 10] >> number % 10 * 3 & 7 == OUTPUT
        ]

    def text(self):
        """The levels for people: names of the pins that are high."""
        return " ".join(name for name, level in self.levels.items() if level) or "all low"
