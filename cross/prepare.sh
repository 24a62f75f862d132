#!/usr/bin/env bash
# Makes this machine (Debian or a relative of it, x86-64) build for Arm: cross/prepare.sh [TARGET…], of aarch64-unknown-linux-gnu
# and armv7-unknown-linux-gnueabihf, by default both.
#
# Installs cross compilers and C libraries, qemu-user to run what is built, and the standard library for each target: through
# rustup, and where that has none, built from Debian's rust-src of exactly rustc's version (a minute per target; then under
# target/cross, the toolchain itself stays as it is). Afterwards `source target/cross/environment` and `cargo build --target TARGET`.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:$HOME/.cargo/bin"
# shellcheck source=cross/packages.sh
source cross/packages.sh

targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf)
cross=$PWD/target/cross
version=$(rustc --version | cut -d' ' -f2)
toolchain=$cross/rust-$version
mkdir -p "$cross"

cross/install-build-dependencies.sh
for target in "${targets[@]}"; do
    case $target in
    aarch64-unknown-linux-gnu)
        need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu "it links programs for 64-bit Arm"
        need /usr/aarch64-linux-gnu/include/stdio.h libc6-dev-arm64-cross "the C library of 64-bit Arm"
        need qemu-aarch64-static qemu-user-static "it runs programs for Arm"
        ;;
    armv7-unknown-linux-gnueabihf)
        need arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf "it links programs for 32-bit Arm"
        need /usr/arm-linux-gnueabihf/include/stdio.h libc6-dev-armhf-cross "the C library of 32-bit Arm"
        need qemu-arm-static qemu-user-static "it runs programs for Arm"
        ;;
    *) fail "unknown target $target" ;;
    esac
done
install_needed

has_std() { # RUSTC TARGET
    local directory
    directory=$("$1" --print target-libdir --target "$2")
    compgen -G "$directory/libstd-*.rlib" >/dev/null
}

# Debian's rust-src of exactly this version, from trixie-backports, with lists and cache of its own: the system's sources stay as
# they are. Prints the folder with the sources.
fetch_sources() {
    local apt=$cross/rust-src sources=$cross/rust-src/usr/src/rustc-$version mirror package
    if [ ! -e "$sources/library/sysroot/Cargo.toml" ]; then
        mirror=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
        [ -n "$mirror" ] || mirror=$(awk '$1 == "deb" && /debian/ {for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) {print $i; exit}}' \
            /etc/apt/sources.list 2>/dev/null || true)
        [ -n "$mirror" ] || fail "no Debian mirror in apt's sources, and rustup has no standard library for this target"
        mkdir -p "$apt"/{lists/partial,cache/archives/partial}
        : >"$apt/status"
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg arch=amd64] $mirror trixie-backports main" >"$apt/sources.list"
        cat >"$apt/apt.conf" <<CONF
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
CONF
        APT_CONFIG=$apt/apt.conf apt-get update -qq >&2
        package=$(APT_CONFIG=$apt/apt.conf apt-cache madison rust-src | awk -v v="$version" 'index($3, v "+") == 1 {print $3; exit}')
        [ -n "$package" ] || fail "Debian has no rust-src $version, only: $(APT_CONFIG=$apt/apt.conf apt-cache madison rust-src |
            awk '{print $3}' | xargs); run: rustup target add"
        (cd "$apt" && APT_CONFIG=$apt/apt.conf apt-get download -qq "rust-src=$package" >&2)
        dpkg-deb --fsys-tarfile "$apt"/rust-src_*.deb | tar -x -C "$apt" "./usr/src/rustc-$version/library"
    fi
    echo "$sources"
}

# Builds the standard library of a target into a copy of the toolchain.
build_std() {
    local target=$1 sources linker libraries
    sources=$(fetch_sources)
    if [ ! -e "$toolchain/bin/rustc" ]; then
        cp -al "$(rustc --print sysroot)" "$toolchain" 2>/dev/null || cp -a "$(rustc --print sysroot)" "$toolchain"
    fi
    linker=${target%-unknown-*}-linux-gnu-gcc
    [ "$target" = armv7-unknown-linux-gnueabihf ] && linker=arm-linux-gnueabihf-gcc
    # What the release builds of Rust itself set; RUSTC_BOOTSTRAP lets the stable compiler build its own library.
    (
        cd "$sources/library"
        export "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_LINKER=$linker"
        unset CARGO_BUILD_BUILD_DIR CARGO_TARGET_DIR
        PATH=$toolchain/bin:$PATH RUSTC_BOOTSTRAP=1 __CARGO_DEFAULT_LIB_METADATA=stablestd \
            RUSTFLAGS="-Cembed-bitcode=yes -Zforce-unstable-if-unmarked -Cdebuginfo=0" \
            cargo build --quiet --release --target "$target" --manifest-path sysroot/Cargo.toml \
            --features "panic-unwind backtrace" --target-dir "$cross/std"
    )
    libraries=$toolchain/lib/rustlib/$target/lib
    mkdir -p "$libraries"
    cp "$cross/std/$target/release/deps/"*.rlib "$libraries/"
}

path=
for target in "${targets[@]}"; do
    if [ -z "${MASKWATCH_STD_FROM_SOURCE:-}" ]; then
        has_std rustc "$target" && continue
        echo "adding the standard library of $target with rustup"
        if command -v rustup >/dev/null && timeout 300 rustup target add "$target" >"$cross/rustup.log" 2>&1 && has_std rustc "$target"; then
            continue
        fi
        echo "rustup has none here ($(tail -n 1 "$cross/rustup.log" 2>/dev/null || echo "no rustup")); building it from Debian's rust-src $version"
    fi
    [ -e "$toolchain/bin/rustc" ] && has_std "$toolchain/bin/rustc" "$target" || build_std "$target"
    has_std "$toolchain/bin/rustc" "$target" || fail "the standard library of $target was built but rustc does not find it"
    path=$toolchain/bin:
done
# Where one target's library is only in the copy of the toolchain, all are built with that copy.
if [ -n "$path" ]; then
    for target in "${targets[@]}"; do
        has_std "$toolchain/bin/rustc" "$target" || build_std "$target"
    done
fi

cat >"$cross/environment" <<ENVIRONMENT
export PATH="$path\$PATH:$HOME/.cargo/bin"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=arm-linux-gnueabihf-gcc
ENVIRONMENT
echo "ready: rustc $version for ${targets[*]}"
