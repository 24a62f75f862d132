# shellcheck shell=bash
# Sourced after cross/packages.sh: packages of other Debian releases and other processors, fetched by apt with sources, lists and a cache
# of its own in a folder. The system's sources and packages stay as they are; nothing is installed.

# apt_aside FOLDER "ARCHITECTURE…" "SUITE…" COMMAND…: runs apt-get or apt-cache so, on the mirror that the system uses. Lists are fetched
# where there are none yet, and anew after a day: a mirror keeps only what its lists name. What this system has installed counts where
# the first architecture is its own.
apt_aside() {
    local folder=$1 architectures=$2 suites=$3 status=$1/status separator='"; "' mirror suite
    shift 3
    mirror=$(debian_mirror) || exit 1
    [ "${architectures%% *}" != "$(dpkg --print-architecture)" ] || status=/var/lib/dpkg/status
    mkdir -p "$folder"/{lists/partial,cache/archives/partial}
    : >"$folder/status"
    for suite in $suites; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
    done >"$folder/sources.list"
    cat >"$folder/apt.conf" <<CONF
Dir::State "$folder";
Dir::State::lists "$folder/lists";
Dir::State::status "$status";
Dir::Cache "$folder/cache";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Sandbox::User "root";
APT::Architecture "${architectures%% *}";
APT::Architectures { "${architectures// /$separator}"; };
CONF
    if ! cmp -s "$folder/sources.list" "$folder/fetched" || [ -n "$(find "$folder/fetched" -mmin +1440)" ]; then
        APT_CONFIG=$folder/apt.conf apt-get update -qq >&2 || fail "apt cannot fetch the lists of $suites from $mirror; try again with a network"
        cp "$folder/sources.list" "$folder/fetched"
    fi
    APT_CONFIG=$folder/apt.conf "$@"
}
