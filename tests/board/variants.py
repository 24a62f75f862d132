"""The variants of the emulated board: each boots a machine, takes its steps and returns its table."""

import card_variants
import quick_start_variant
import readme_variants
import virtual_variant
from emulator import boards, pwm, session
from emulator.expect import Blinks, Dark, Shows
from emulator.steps import SLACK, Step, door, driven

BOOT = 240


def released(machine, pins, table):
    """Says what the kernel makes of the lines of a process that is gone."""
    table.note(f"the kernel has set {4 - len(pins.outputs())} of the 4 lines to inputs (QEMU keeps their level, a pull-down would not)")


def initramfs_door(title, board, tree, kernel, steps, modules=("modules",), available=("v4l2loopback",), watch=None, pwm_pin=None, **packed):
    """A board without a disk, the daemon started as the unit starts it, its pins read from outside."""

    def arguments(folder):
        system = boards.small_system(folder, kernel, [boards.CACHE / name for name in modules], available=available, **packed)
        return boards.raspberry_pi(folder, board, tree, kernel, system, pwm=pwm_pin)

    return session.run(title, arguments, watch or session.registers(board), steps, BOOT)


def gpiocdev_killed():
    return [
        Step("SIGKILL: nobody switches off", "killed KILL; sleep 1", Shows(("green",)), 10),
        released,
        Step("ExecStopPost, the file broken since: off", "spoiled; stopped_post && mended", Dark(), SLACK),
    ]


def refused(machine, pins, table):
    """Pins that are not the daemon's to drive are refused, with the reason."""
    for name, command, reason in (
        ("rppal: a line that is not on the header", "shows_on 37", "header pin 37 is BCM 26"),
        ("rppal: a line that the kernel gave away", "beside 17 shows_on 17", 'is in use by "sysfs"'),
    ):
        status, output = machine.try_shell(command)
        said = reason if reason in output else output[-43:]
        table.add(name, f"refused: {reason}", "", "", said, status == 1 and said == reason, machine.guest_time())


def rppal(source):
    """The backend rppal through /dev/mem, as root, killed and stopped."""
    arguments = f"--backend rppal --source {source}"
    return [
        Step("rppal through /dev/mem: pass", f"start {arguments}", Shows(("green",)), 20 + SLACK),
        driven,
        Step("SIGKILL: nobody switches off", "killed KILL; sleep 1", Shows(("green",)), 10),
        Step("ExecStopPost, the file broken since: off", "spoiled; stopped_post && mended", Dark(), SLACK),
        driven,
        Step("again, with a full log that nobody reads: pass", f"start_unread {arguments}", Shows(("green",)), 20 + SLACK),
        Step("bare face: alert", "shows bare", Shows(("red",), but=("buzzer",)), 5 + SLACK),
        Step("SIGTERM: off", "killed TERM", Dark(), SLACK),
        driven,
        refused,
    ]


def quick():
    steps = door(0, 3)
    steps.insert(1, driven)
    masked = Step("masked again: pass", "shows masked", Shows(("green",)), 10 + SLACK)
    return initramfs_door(
        "raspi3b: kernel 6.1, camera by mmap, pins through gpiocdev then rppal, read over QMP",
        "raspi3b", "bcm2837-rpi-3-b.dtb", "linux", [*steps, masked, *gpiocdev_killed(), *rppal("/dev/video3")],
    )


def short_door():
    """The steps of a board that differs from another only in its pins and processor."""
    faults = [step for step in door(0, 3) if not step.name.startswith(("frames", "nobody"))]
    faults.insert(1, driven)
    masked = Step("masked again: pass", "shows masked", Shows(("green",)), 10 + SLACK)
    return [*faults, masked, *gpiocdev_killed()]


def zero_2_w():
    return initramfs_door(
        "zero-2-w: raspi3b with the Zero 2 W's device tree, kernel 6.1, gpiocdev",
        "raspi3b", "bcm2837-rpi-zero-2-w.dtb", "linux", short_door(),
    )


def raspi4b():
    return initramfs_door(
        "raspi4b: kernel 6.1, gpiocdev then rppal",
        "raspi4b", "bcm2711-rpi-4-b.dtb", "linux", [*short_door(), *rppal("/dev/video3")],
    )


def vivid():
    """A camera that fails on request: nothing of it ends the daemon, and the fault is shown for as long as there is one."""
    fault = Shows(("amber",))
    return initramfs_door(
        "vivid: raspi3b, kernel 6.12, the kernel's camera vivid with injected errors, gpiocdev",
        "raspi3b", "bcm2837-rpi-3-b.dtb", "linux-backports",
        [
            Step("no camera yet: fault", "start", Blinks("amber", 1.0), 20 + SLACK),
            driven,
            Step("camera comes, colour bars: idle", "plug_vivid", Dark(), 30 + SLACK),
            Step("it is disconnected: fault", "upset disconnect 1", fault, 10 + SLACK, first="sleep 12"),
            Step("it reconnects: idle", "", Dark(), 30 + SLACK),
            Step("a fatal error while streaming: fault", "upset inject_fatal_streaming_error 1", fault, 10 + SLACK, first="sleep 12"),
            Step("opened again: idle", "", Dark(), 30 + SLACK),
            Step("one frame with the error flag: no fault", "upset inject_v4l2_buf_flag_error 1", Dark(4), 10 + SLACK),
            Step("every frame dropped: fault", "upset percentage_of_dropped_buffers 100", Blinks("amber", 1.0), 10 + SLACK,
                 after=4.0, first="sleep 12"),
            Step("frames again: idle", "upset percentage_of_dropped_buffers 0", Dark(), 75 + SLACK),
            Step("SIGTERM: off", "killed TERM", Dark(), SLACK),
        ],
        modules=(), available=("vivid",),
    )


def hardware_pwm():
    """A passive buzzer on hardware PWM: its tone, and that it ends."""
    alert = Shows(("red", "buzzer"))
    return initramfs_door(
        "pwm: raspi3b, kernel 6.1, a passive buzzer on GPIO18 by hardware PWM, rppal, read in the registers of the PWM",
        "raspi3b", "bcm2837-rpi-3-b.dtb", "linux",
        [
            pwm.connected,
            Step("camera and bare face: alert, with a tone", "plug 0; shows bare; film 0; start", alert, 60 + SLACK,
                 first="mount -t debugfs debugfs /sys/kernel/debug; cat /board/pwm.toml >>/etc/maskwatch/maskwatch.toml"),
            pwm.sounds(1500),
            Step("SIGKILL: nobody silences it", "killed KILL; sleep 1", alert, 10),
            Step("the unit's ExecStopPost: silent", "stopped_post", Dark(), SLACK),
            Step("started again: alert, with a tone", "start", alert, 60 + SLACK),
            Step("the face is masked: pass, silent", "shows masked", Shows(("green",)), 10 + SLACK),
            Step("bare face: alert, with a tone", "shows bare", alert, 20 + SLACK),
            pwm.sounds(1500),
            Step("SIGTERM: silent", "killed TERM", Dark(), SLACK),
            pwm.connected,
        ],
        watch=pwm.watch, pwm_pin=(pwm.PIN, pwm.FUNCTION), loaded=("pwm_bcm2835",), scripts=("pwm.toml",),
    )


VARIANTS = {
    "quick": quick,
    "zero-2-w": zero_2_w,
    "raspi4b": raspi4b,
    "vivid": vivid,
    "pwm": hardware_pwm,
    "gpio-sim": virtual_variant.gpio_sim,
    **card_variants.VARIANTS,
    **readme_variants.VARIANTS,
    **quick_start_variant.VARIANTS,
}
