# shellcheck shell=bash
# Sourced: Debian packages for the board, unpacked aside. Expects $board, the folder for everything, and cross/packages.sh.
# shellcheck source=cross/apt.sh
source cross/apt.sh

# apt with the two releases that the board is made from: bookworm (kernel 6.1) with its backports (QEMU 10, kernel 6.12).
own_apt() { apt_aside "${board:?}/apt" "$(dpkg --print-architecture) arm64" "bookworm bookworm-backports" "$@"; }

# unpack FOLDER REASON PACKAGE…: the packages' files in $board/FOLDER. A package may be written NAME:ARCHITECTURE, NAME=VERSION
# or NAME/RELEASE. What is there already stays.
unpack() {
    local folder=$board/$1 reason=$2 package
    shift 2
    [ ! -e "$folder/complete" ] || return 0
    echo "fetching $*: $reason"
    rm -rf "$folder"
    mkdir -p "$folder/packages"
    (cd "$folder/packages" && own_apt apt-get download -qq "$@" >&2) || fail "apt cannot download $*"
    for package in "$folder"/packages/*.deb; do
        dpkg-deb --extract "$package" "$folder"
    done
    rm -r "$folder/packages"
    touch "$folder/complete"
}
