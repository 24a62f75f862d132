"""The device trees of Debian's kernel, less what the emulated boards lack."""

import re
import shutil
import subprocess
from pathlib import Path

# The Bluetooth chip would take the first serial port, which the tests' shell uses.
BLUETOOTH = "/soc/serial@7e201000/bluetooth"
# QEMU's raspi4b has no graphics, no USB, no I2C and no PWM: their drivers would wait for ever, or break.
NOT_IN_RASPI4B = re.compile(r"@7ef|hvs|pixelvalve|i2c|pwm|vec|dsi|csi|usb|hdmi|firewire")

# QEMU has no model of the PWM block: reads there give 0, and writes are lost. Its registers are put where memory is, the last page of what
# belongs to the graphics processor: there they keep what the kernel's driver writes, and the monitor reads it.
PWM_REGISTERS = 0x3EFF_F000
PWM_BUS = 0x7D00_0000


def prepare(kernel, name, output, pwm=None):
    """Writes the tree `name` of an unpacked kernel package, fitted to the emulator, to `output`; `pwm` is a pin for PWM channel 0, as
    `dtoverlay=pwm,pin=18,func=2` names it on a Raspberry Pi: (18, 2)."""
    source = next(Path(kernel).glob(f"usr/lib/linux-image-*/broadcom/{name}"), None)
    if source is None:
        raise SystemExit(f"error: the kernel package in {kernel} has no device tree {name}")
    shutil.copy(source, output)
    subprocess.run(["fdtput", "-r", output, BLUETOOTH], check=True)
    if name.startswith("bcm2711"):
        nodes = subprocess.run(["fdtget", "-l", output, "/soc"], check=True, capture_output=True, text=True)
        for node in filter(NOT_IN_RASPI4B.search, nodes.stdout.split()):
            subprocess.run(["fdtput", "-t", "s", output, f"/soc/{node}", "status", "disabled"], check=True)
    if pwm:
        for node, name, *values in [
            ("/soc", "ranges", 0x7E00_0000, 0x3F00_0000, 0x100_0000, 0x4000_0000, 0x4000_0000, 0x1000, PWM_BUS, PWM_REGISTERS, 0x1000),
            ("/soc/pwm@7e20c000", "reg", PWM_BUS, 0x28),
            ("/soc/gpio@7e200000/pwm0_gpio40", "brcm,pins", pwm[0]),
            ("/soc/gpio@7e200000/pwm0_gpio40", "brcm,function", pwm[1]),
        ]:
            subprocess.run(["fdtput", "-t", "x", output, node, name, *(f"{value:x}" for value in values)], check=True)
    return output
