# shellcheck shell=sh
# Sourced in a guest whose pins are only simulated (gpio-sim): makes them and tells of their levels.

# make_pins LABEL: a GPIO chip with 32 lines.
make_pins() {
    insmod /modules/gpio_sim.ko
    mount -t configfs configfs /sys/kernel/config
    mkdir -p /sys/kernel/config/gpio-sim/board/bank
    echo 32 >/sys/kernel/config/gpio-sim/board/bank/num_lines
    echo "$1" >/sys/kernel/config/gpio-sim/board/bank/label
    echo 1 >/sys/kernel/config/gpio-sim/board/live
    echo /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio17
}

# watch_pins: prints "pins TIME RED GREEN AMBER BUZZER" on the console whenever a level has changed.
watch_pins() {
    pins=$(echo /sys/devices/platform/gpio-sim.*/gpiochip*)
    last=
    while read -r red <"$pins/sim_gpio17/value" && read -r green <"$pins/sim_gpio27/value" &&
        read -r amber <"$pins/sim_gpio22/value" && read -r buzzer <"$pins/sim_gpio23/value"; do
        read -r time _ </proc/uptime
        [ "$red $green $amber $buzzer" = "$last" ] || echo "pins $time $red $green $amber $buzzer" >/dev/console
        last="$red $green $amber $buzzer"
        sleep 0.02
    done
}
