#!/usr/bin/env bash
# Debian packages: cross/deb.sh [arm64|armhf|amd64…], by default arm64 and armhf (Raspberry Pi OS and Debian 11 and later). They come
# to lie in target/deb. MASKWATCH_REVISION (1) is the package's own number behind maskwatch's version; MASKWATCH_MAINTAINER
# ("NAME <MAIL>") is whoever answers for it.
#
# Packed by debhelper, which is Debian's own tool, is installed in seconds, and writes the scripts that enable, start and stop a service as
# Debian wants them; cargo-deb would be compiled for minutes first and knows neither sysusers nor udev.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:$HOME/.cargo/bin"
# shellcheck source=cross/packages.sh
source cross/packages.sh

revision=${MASKWATCH_REVISION:-1}
architectures=("$@")
[ ${#architectures[@]} -gt 0 ] || architectures=(arm64 armhf)
targets=()
for architecture in "${architectures[@]}"; do
    case $architecture in
    arm64) targets+=(aarch64-unknown-linux-gnu) ;;
    armhf) targets+=(armv7-unknown-linux-gnueabihf) ;;
    amd64) ;;
    *) fail "no package is made for $architecture; known are arm64, armhf and amd64" ;;
    esac
done

cross/install-build-dependencies.sh
need dh debhelper "it makes Debian packages"
need dpkg-buildpackage dpkg-dev "it makes Debian packages"
install_needed

out=target/deb
mkdir -p $out
if [ ${#targets[@]} -gt 0 ]; then
    cross/build.sh "${targets[@]}"
    # shellcheck source=/dev/null
    source target/cross/environment
fi
if [[ " ${architectures[*]} " == *" amd64 "* ]]; then
    cargo build --release --locked
fi
# Manual pages and completions are written by an example of the package. It is built as for tests: to link it as the program is
# takes minutes, and its answers are the same.
rm -rf $out/pages
cargo build --quiet --locked --workspace --example manual
target/debug/examples/manual $out/pages

# The C library of the program at hand, as in needed by what it was linked with.
depends() {
    local newest
    newest=$(readelf -VW "$1" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1 | cut -d_ -f2)
    if [[ $(readelf -dW "$1") == *libgcc_s* ]]; then echo "libc6 (>= $newest), libgcc-s1"; else echo "libc6 (>= $newest)"; fi
}

maintainer=${MASKWATCH_MAINTAINER:-$(sed -n 's/^Maintainer: //p' cross/debian/control)}
made=()
for architecture in "${architectures[@]}"; do
    case $architecture in
    arm64) target=aarch64-unknown-linux-gnu program=target/$target/release/maskwatch ;;
    armhf) target=armv7-unknown-linux-gnueabihf program=target/$target/release/maskwatch ;;
    amd64) target=x86_64-unknown-linux-gnu program=target/release/maskwatch ;;
    esac
    tree=$out/$architecture
    rm -rf "$tree"
    mkdir -p "$tree"
    cp -r cross/debian "$tree/debian"
    sed -i "s/^Maintainer: .*/Maintainer: $maintainer/" "$tree/debian/control"
    cp "$program" systemd/maskwatch.toml CHANGELOG.md "$tree/"
    cp -r systemd/drop-ins systemd/hooks systemd/provision $out/pages/manual $out/pages/completions "$tree/"
    cp systemd/maskwatch.service systemd/maskwatch@.service "$tree/debian/"
    cp systemd/maskwatch-provision.service "$tree/debian/maskwatch.maskwatch-provision.service"
    install -D -m 644 systemd/maskwatch.sysusers "$tree/sysusers.d/maskwatch.conf"
    cp systemd/60-maskwatch.rules "$tree/debian/maskwatch.udev"
    depends "$program" >"$tree/depends"
    cross/copyright.py "$target" >"$tree/debian/copyright"
    cross/changelog.py "$revision" "$maintainer" >"$tree/debian/changelog"
    # -d: what a native build would need is not wanted here. The compiler that dpkg looks for is not used.
    (cd "$tree" && dpkg-buildpackage --host-arch "$architecture" --build=binary --no-check-builddeps --unsigned-changes --no-pre-clean \
        >../"$architecture.log" 2>&1) || { tail -n 20 "$out/$architecture.log"; fail "debhelper did not make the package; its output is in $out/$architecture.log"; }
    package=$(echo $out/maskwatch_*-"${revision}_$architecture.deb")
    [ -e "$package" ] || fail "there is no $package although debhelper made it"
    made+=("$package")
done

echo
for package in "${made[@]}"; do
    echo "$package: $(stat -c %s "$package") bytes, needs $(dpkg-deb --field "$package" Depends)"
done
