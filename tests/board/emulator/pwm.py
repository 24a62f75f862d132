"""A passive buzzer on a Raspberry Pi's PWM channel 0, read in the registers of the PWM block from outside the machine."""

from .boards import PINS
from .device_tree import PWM_REGISTERS
from .pins import Registers

# Words of the block: what each channel does, and channel 0's period and duty in cycles of the PWM's clock.
CONTROL, PERIOD, DUTY = 0, 4, 5
ENABLED = 1

PIN = 18
# Alternative 5 of pin 18 is PWM channel 0: by its number in a device tree and in the registers.
FUNCTION = 2


class Buzzer(Registers):
    """The board's other pins, and as "buzzer" whether the channel makes a tone."""

    def __init__(self, monitor, machine):
        super().__init__(monitor, machine, {name: number for name, number in PINS.items() if name != "buzzer"})

    def read(self):
        words = self.monitor.words(PWM_REGISTERS, DUTY + 1)
        return super().read() | {"buzzer": int(words[CONTROL] & ENABLED and 0 < words[DUTY] < words[PERIOD])}

    def tone(self):
        """The channel's period and duty."""
        words = self.monitor.words(PWM_REGISTERS, DUTY + 1)
        return words[PERIOD], words[DUTY]


def watch(machine):
    return Buzzer(machine.monitor, "raspi3b")


def connected(machine, pins, table):
    """The pin must be the channel's, not an output."""
    function = pins.function(PIN)
    table.add(f"GPIO{PIN} is connected to PWM channel 0", f"function {FUNCTION}", "", "", f"function {function}", function == FUNCTION,
              machine.guest_time())


def sounds(frequency):
    """A check of the tone that is set, by the clock that the guest's kernel gives the block."""

    def check(machine, pins, table):
        clock = int(machine.shell("cat /sys/kernel/debug/clk/pwm/clk_rate"))
        period, duty = pins.tone()
        wanted = round(clock / frequency)
        table.add("the tone", f"{frequency} Hz, half of the time high", "", "",
                  f"{duty} of {period} cycles at {clock / 1e6:g} MHz: {clock / max(period, 1):.1f} Hz",
                  abs(period - wanted) <= 1 and abs(2 * duty - period) <= 2, machine.guest_time())

    return check
