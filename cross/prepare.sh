#!/usr/bin/env bash
# Makes this machine (Debian or a relative of it, x86-64) build for Arm: cross/prepare.sh [TARGET…], of aarch64-unknown-linux-gnu,
# armv7-unknown-linux-gnueabihf and aarch64-unknown-linux-musl, by default the first two.
#
# Installs the headers of the Arm C libraries, qemu-user to run what is built, zig as the linker (in target/cross), and the standard
# library for each target: through rustup, and where that has none, built from Debian's rust-src of exactly rustc's version (a minute
# per target; under target/cross, the toolchain itself stays as it is). Afterwards `source target/cross/environment` and
# `cargo build --target TARGET`.
#
# Why zig: it carries the symbols of every glibc, so a program can be linked for one older than this machine's, and musl as well. Debian's cross
# compilers link for their own glibc only (2.36), and a sysroot of the older Debian leaves its mirrors with that Debian's end.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:$HOME/.cargo/bin"
# shellcheck source=cross/packages.sh
source cross/packages.sh
# shellcheck source=cross/apt.sh
source cross/apt.sh

GLIBC=2.31 # of Raspberry Pi OS and Debian 11, the oldest that the programs shall run on
ZIG=0.15.2
CARGO_ZIGBUILD=0.24.1

targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf)
cross=$PWD/target/cross
version=$(rustc --version | cut -d' ' -f2)
toolchain=$cross/rust-$version
mkdir -p "$cross"

cross/install-build-dependencies.sh
for target in "${targets[@]}"; do
    case $target in
    aarch64-unknown-linux-gnu | aarch64-unknown-linux-musl)
        need /usr/aarch64-linux-gnu/include/linux/videodev2.h linux-libc-dev-arm64-cross "the kernel's camera header for 64-bit Arm"
        need /usr/aarch64-linux-gnu/include/stdio.h libc6-dev-arm64-cross "the C library of 64-bit Arm, its headers and what starts programs"
        need qemu-aarch64-static qemu-user-static "it runs programs for Arm"
        ;;
    armv7-unknown-linux-gnueabihf)
        need /usr/arm-linux-gnueabihf/include/linux/videodev2.h linux-libc-dev-armhf-cross "the kernel's camera header for 32-bit Arm"
        need /usr/arm-linux-gnueabihf/include/stdio.h libc6-dev-armhf-cross "the C library of 32-bit Arm, its headers and what starts programs"
        need qemu-arm-static qemu-user-static "it runs programs for Arm"
        ;;
    *) fail "unknown target $target; known are aarch64-unknown-linux-gnu, aarch64-unknown-linux-musl and armv7-unknown-linux-gnueabihf" ;;
    esac
done
need readelf binutils "it tells which C library a program needs"
python3 -c 'import ensurepip, venv' 2>/dev/null || need /usr/share/doc/python3-venv/copyright python3-venv "zig comes as a Python package"
install_needed

# zig, which links, and cargo-zigbuild, whose wrapper of it understands the options that rustc gives to a linker.
zig=$cross/zig-$ZIG-$CARGO_ZIGBUILD
if [ ! -e "$zig/complete" ]; then
    echo "getting zig $ZIG and cargo-zigbuild $CARGO_ZIGBUILD from PyPI into $zig"
    rm -rf "$zig"
    python3 -m venv "$zig"
    "$zig/bin/pip" install --quiet --disable-pip-version-check "ziglang==$ZIG" "cargo-zigbuild==$CARGO_ZIGBUILD" ||
        fail "PyPI does not give ziglang $ZIG and cargo-zigbuild $CARGO_ZIGBUILD; see the message above"
    touch "$zig/complete"
fi

# describe_target TARGET [FLAG…]: writes the linker of a target, and prints the lines for target/cross/environment, with flags for rustc.
describe_target() {
    local target=$1 triple processor headers runner name
    local flags=("${@:2}")
    case $target in
    aarch64-unknown-linux-gnu) triple=aarch64-linux-gnu.$GLIBC processor=generic headers=/usr/aarch64-linux-gnu ;;
    aarch64-unknown-linux-musl) triple=aarch64-linux-musl processor=generic headers=/usr/aarch64-linux-gnu ;;
    armv7-unknown-linux-gnueabihf) triple=arm-linux-gnueabihf.$GLIBC processor=generic+v7a+vfp3-d32+thumb2-neon headers=/usr/arm-linux-gnueabihf ;;
    esac
    case $target in
    aarch64*) runner="qemu-aarch64-static -cpu cortex-a53 -L /usr/aarch64-linux-gnu" ;;
    armv7*) runner="qemu-arm-static -cpu cortex-a7 -L /usr/arm-linux-gnueabihf" ;;
    esac
    cat >"$cross/link-$target" <<LINKER
#!/bin/sh
export ZIG_GLOBAL_CACHE_DIR='$cross/zig-cache' CARGO_ZIGBUILD_CACHE_DIR='$cross/zig-cache/cargo-zigbuild'
PATH='$zig/bin':\$PATH exec '$zig/bin/cargo-zigbuild' zig cc -- -target $triple -mcpu=$processor "\$@"
LINKER
    cat >"$cross/ar-$target" <<ARCHIVER
#!/bin/sh
export ZIG_GLOBAL_CACHE_DIR='$cross/zig-cache'
exec '$zig/bin/python' -m ziglang ar "\$@"
ARCHIVER
    chmod +x "$cross/link-$target" "$cross/ar-$target"
    name=$(tr a-z- A-Z_ <<<"$target")
    echo "export CARGO_TARGET_${name}_LINKER='$cross/link-$target'"
    echo "export CARGO_TARGET_${name}_RUNNER='$runner'"
    # What is in C, such as the cryptography of TLS, is compiled by zig, too.
    echo "export CC_${target//-/_}='$cross/link-$target' AR_${target//-/_}='$cross/ar-$target'"
    # With zig comes a musl of its own; rustc's start files beside it would be one too many.
    [[ $target != *-musl ]] || flags+=(-Clink-self-contained=no)
    [ ${#flags[@]} -eq 0 ] || echo "export CARGO_TARGET_${name}_RUSTFLAGS='${flags[*]}'"
    echo "export BINDGEN_EXTRA_CLANG_ARGS_${target//-/_}='-isystem $headers/include'"
}
lines=$(for target in "${targets[@]}"; do describe_target "$target"; done)

has_std() { # RUSTC TARGET
    local directory
    directory=$("$1" --print target-libdir --target "$2")
    compgen -G "$directory/libstd-*.rlib" >/dev/null
}

# Debian's rust-src of exactly this version, from trixie-backports. Prints the folder with the sources.
fetch_sources() {
    local folder=$cross/rust-src sources=$cross/rust-src/usr/src/rustc-$version versions package
    if [ ! -e "$sources/library/sysroot/Cargo.toml" ]; then
        versions=$(apt_aside "$folder" "$(dpkg --print-architecture)" trixie-backports apt-cache madison rust-src | awk '{print $3}')
        package=$(awk -v v="$version" 'index($1, v "+") == 1 {print; exit}' <<<"$versions")
        [ -n "$package" ] || fail "Debian has no rust-src $version, only: $(xargs <<<"$versions"); run: rustup target add"
        (cd "$folder" && apt_aside "$folder" "$(dpkg --print-architecture)" trixie-backports apt-get download -qq "rust-src=$package" >&2)
        dpkg-deb --fsys-tarfile "$folder"/rust-src_*.deb | tar -x -C "$folder" "./usr/src/rustc-$version/library"
    fi
    echo "$sources"
}

# Builds the standard library of a target into a copy of the toolchain.
build_std() {
    local target=$1 sources libraries
    sources=$(fetch_sources)
    if [ ! -e "$toolchain/bin/rustc" ]; then
        cp -al "$(rustc --print sysroot)" "$toolchain" 2>/dev/null || cp -a "$(rustc --print sysroot)" "$toolchain"
    fi
    # What the release builds of Rust itself set; RUSTC_BOOTSTRAP lets the stable compiler build its own library.
    (
        cd "$sources/library"
        eval "$lines"
        unset CARGO_BUILD_BUILD_DIR CARGO_TARGET_DIR "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_RUSTFLAGS"
        PATH=$toolchain/bin:$PATH RUSTC_BOOTSTRAP=1 __CARGO_DEFAULT_LIB_METADATA=stablestd \
            RUSTFLAGS="-Cembed-bitcode=yes -Zforce-unstable-if-unmarked -Cdebuginfo=0" \
            cargo build --quiet --release --target "$target" --manifest-path sysroot/Cargo.toml \
            --features "panic-unwind backtrace" --target-dir "$cross/std"
    )
    libraries=$toolchain/lib/rustlib/$target/lib
    # What came with the toolchain would be found beside the new library, and the toolchain's own files are hard links: replaced, not written to.
    rm -rf "$libraries"
    mkdir -p "$libraries"
    cp "$cross/std/$target/release/deps/"*.rlib "$libraries/"
    touch "$libraries/from-source"
}

path=
for target in "${targets[@]}"; do
    built=$toolchain/lib/rustlib/$target/lib/from-source
    if [ -z "${MASKWATCH_STD_FROM_SOURCE:-}" ]; then
        has_std rustc "$target" && continue
        # What had to be built once is not asked for again.
        if [ ! -e "$built" ]; then
            echo "adding the standard library of $target with rustup"
            if command -v rustup >/dev/null && timeout 300 rustup target add "$target" >"$cross/rustup.log" 2>&1 && has_std rustc "$target"; then
                continue
            fi
            echo "rustup has none here ($(tail -n 1 "$cross/rustup.log" 2>/dev/null || echo "no rustup")); building it from Debian's rust-src $version"
        fi
    fi
    [ -e "$built" ] || build_std "$target"
    has_std "$toolchain/bin/rustc" "$target" || fail "the standard library of $target was built but rustc does not find it"
    path=$toolchain/bin:
done
# Where one target's library is only in the copy of the toolchain, all are built with that copy.
if [ -n "$path" ]; then
    for target in "${targets[@]}"; do
        has_std "$toolchain/bin/rustc" "$target" || build_std "$target"
    done
    # Cargo takes what was built with rustup's library for fit, which rustc then refuses: with another flag it is built anew.
    lines=$(for target in "${targets[@]}"; do describe_target "$target" --cfg=std_from_source; done)
fi

{
    echo "export PATH=\"$path\$PATH:\$HOME/.cargo/bin\""
    echo "$lines"
} >"$cross/environment"
echo "ready: rustc $version and zig $ZIG for ${targets[*]}"
