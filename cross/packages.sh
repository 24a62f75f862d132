# shellcheck shell=bash
# Sourced by the scripts beside it: installs Debian packages, only those that are missing, and says what for.

missing=()

# need FILE PACKAGE REASON: PACKAGE is wanted where FILE (a path, or a command) is not here.
need() {
    if [[ $1 == /* ]]; then [[ -e $1 ]] && return; else command -v "$1" >/dev/null && return; fi
    missing+=("$2")
    echo "needed: $2: $3"
}

# need_module MODULE PACKAGE REASON: the same for a module of Python.
need_module() {
    python3 -c "import $1" 2>/dev/null && return
    missing+=("$2")
    echo "needed: $2: $3"
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "not root, and no sudo here to run: $*"
    fi
}

install_needed() {
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "this machine has no apt; install the equivalents of: ${missing[*]}"
    as_root apt-get update -qq
    # Packages start services of their own; none of them is wanted here.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    missing=()
}

# The Debian mirror that apt is configured with: as apt names it where it has lists, else as its sources name it.
debian_mirror() {
    local mirror
    # shellcheck disable=SC2016 # apt's own placeholders
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        awk '!found && $2 == "Debian" && $3 == "main" && $1 !~ /security/ {print $1; found = 1}' || true)
    [ -n "$mirror" ] || mirror=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
    [ -n "$mirror" ] || mirror=$(awk '$1 == "deb" && /debian/ {for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) {print $i; exit}}' \
        /etc/apt/sources.list 2>/dev/null || true)
    [ -n "$mirror" ] || fail "no Debian mirror in /etc/apt/sources.list or /etc/apt/sources.list.d/debian.sources; add one"
    echo "$mirror"
}

fail() {
    echo "error: $*" >&2
    exit 1
}
