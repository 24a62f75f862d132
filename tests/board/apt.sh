# shellcheck shell=bash
# Sourced: Debian packages of other releases and other processors, unpacked aside. apt's lists and cache for them are its own,
# so that the system's sources and packages stay as they are. Expects $board, the folder for everything, and `fail`.

apt_folder=${board:?}/apt

# The Debian mirror that this system's apt uses.
mirror() {
    # shellcheck disable=SC2016 # apt's own placeholders
    apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        awk '$2 == "Debian" && $3 == "main" && $1 !~ /security/ {print $1; exit}'
}

# apt with its own state and the two releases that the board is made from: bookworm (kernel 6.1) with its backports (QEMU 10,
# kernel 6.12).
own_apt() {
    if [ ! -e "$apt_folder/ready" ]; then
        local uri suite architecture
        uri=$(mirror)
        [ -n "$uri" ] || uri=$(awk '$1 == "deb" && /debian/ {for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) {print $i; exit}}' \
            /etc/apt/sources.list 2>/dev/null || true)
        [ -n "$uri" ] || fail "apt's sources (/etc/apt) name no Debian mirror to fetch the emulated board's packages from"
        architecture=$(dpkg --print-architecture)
        mkdir -p "$apt_folder"/{lists/partial,cache/archives/partial}
        for suite in bookworm bookworm-backports; do
            echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main"
        done >"$apt_folder/sources.list"
        cat >"$apt_folder/apt.conf" <<CONF
Dir::State "$apt_folder";
Dir::State::lists "$apt_folder/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$apt_folder/cache";
Dir::Etc::sourcelist "$apt_folder/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Sandbox::User "root";
APT::Architectures { "$architecture"; "arm64"; };
CONF
        APT_CONFIG=$apt_folder/apt.conf apt-get update -qq >&2 ||
            fail "apt cannot fetch the lists of bookworm and bookworm-backports from $uri; try again with a network"
        touch "$apt_folder/ready"
    fi
    APT_CONFIG=$apt_folder/apt.conf "$@"
}

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
