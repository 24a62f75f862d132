# shellcheck shell=sh
# Sourced in the guest: the camera that the steps of a test switch on and off.

# plug NUMBER: a camera appears as /dev/videoNUMBER; nobody writes into it yet.
plug() {
    if [ -e /modules/v4l2loopback.ko ]; then
        insmod /modules/v4l2loopback.ko video_nr="$1" card_label="Board-camera" exclusive_caps=1
    else
        modprobe v4l2loopback video_nr="$1" card_label="Board-camera" exclusive_caps=1
    fi
}

# unplug: the camera's device goes; possible as soon as nobody has it open.
unplug() {
    attempts=0
    until rmmod v4l2loopback 2>/dev/null; do
        attempts=$((attempts + 1))
        [ $attempts -lt 300 ] || return 1
        sleep 0.2
    done
}

# shows NAME: from now on the camera shows bare, masked or nobody. In one step: without a picture in between, the film would end.
shows() {
    ln -sfn "/board/pictures/$1.jpg" /run/picture.new
    mv /run/picture.new /run/picture
}

# film NUMBER [yuyv|mjpeg]: frames begin to come from /dev/videoNUMBER.
film() {
    board-camera "/dev/video$1" "${2:-yuyv}" /run/picture >/run/camera.log 2>&1 &
    echo $! >/run/camera.pid
    sleep 0.5
    grep -q writing /run/camera.log || sleep 1
    grep writing /run/camera.log || { cat /run/camera.log; return 1; }
}

# stop_film: frames stop coming; the device stays.
stop_film() {
    kill "$(cat /run/camera.pid)"
}

# plug_vivid: the kernel's own emulated camera appears as /dev/video0; it films colour bars, and fails on request.
plug_vivid() {
    insmod /modules/vivid.ko node_types=0x1 num_inputs=1 input_types=0 vid_cap_nr=0
}

# upset CONTROL VALUE: sets one of its controls.
upset() {
    v4l2-ctl --device /dev/video0 --set-ctrl "$1=$2"
}
