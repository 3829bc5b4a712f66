# shellcheck shell=bash
# ./dev test tls36: TLS with mbedTLS 3.6, of Debian 13, on a Debian that has
# 2.28.  Its packages are unpacked into a folder of the build: nothing is
# installed, and apt's own lists stay as they are.

DEBIAN13=$BUILD/debian13 # lists and packages; root/ is what was in these
TLS36_TESTS=(tls tls_clients tls_config tls_handshake server_tls)

# The Debian archive this machine installs from, as apt knows it.
debian_archive() {
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get update --print-uris |
        sed -n "s|^'\(.*\)/dists/$codename/InRelease'.*|\1|p" | head -n 1
}

# Why there is nothing to do; empty where there is.
why_no_tls36() {
    if pkg-config --exists 'mbedtls >= 3.6'; then
        echo "the other parts have mbedTLS 3.6 themselves"
    elif ! command -v apt-get >/dev/null || [ -z "$(debian_archive)" ]; then
        echo "this is not Debian 12"
    fi
}

# apt-get and apt-cache with lists and sources of their own.
apt13() {
    local program=$1
    shift
    timeout 300 "apt-$program" -q -o Dir::Etc::SourceList=/dev/null \
        -o Dir::Etc::SourceParts="$DEBIAN13/sources" \
        -o Dir::State::Lists="$DEBIAN13/lists" \
        -o Dir::State::Status=/dev/null -o Dir::Cache="$DEBIAN13/cache" \
        -o Acquire::Languages=none -o Acquire::http::Timeout=30 \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o APT::Update::Error-Mode=any "$@"
}

# Signed by Debian's keys, which come with the system's keyring.
fetch_debian13() {
    local packages
    rm -rf "$DEBIAN13"
    mkdir -p "$DEBIAN13"/{sources,lists/partial,cache/archives/partial,debs}
    cat >"$DEBIAN13/sources/debian.sources" <<TEXT
Types: deb
URIs: $(debian_archive)
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
TEXT
    apt13 get update || return
    packages=$(apt13 cache depends libmbedtls-dev |
        sed -n 's/.*Depends: \(libmbed.*\)/\1/p')
    # Names, each a word.
    # shellcheck disable=SC2086
    (cd "$DEBIAN13/debs" && apt13 get download libmbedtls-dev $packages)
}

# Leaves root/, with pkg-config files that lead into it, once all is there.
unpack_debian13() {
    local package made=$DEBIAN13/unpacked
    for package in "$DEBIAN13"/debs/*.deb; do
        dpkg-deb -x "$package" "$made" || return
    done
    find "$made" -name 'mbed*.pc' -exec \
        sed -i "s|^prefix=/usr|prefix=$DEBIAN13/root/usr|" {} +
    mv "$made" "$DEBIAN13/root"
}

build_tls36() {
    local config
    config=$(find "$DEBIAN13/root" -name pkgconfig) || return
    set_up "$BUILD/tls36" -Dbuildtype=debug -Doptimization=1 -Dwerror=true \
        -Db_sanitize=address,undefined -Dc_args=-fno-sanitize-recover=all \
        -Dexamples=false -Dpkg_config_path="$config" &&
        ninja -C "$BUILD/tls36" interop/testserver \
            "${TLS36_TESTS[@]/#/test/test_}" &&
        ldd "$BUILD/tls36/interop/testserver" | grep -F /debian13/root/
}

test_tls36() {
    local reason
    reason=$(why_no_tls36)
    if [ -z "$reason" ] && [ ! -d "$DEBIAN13/root" ] &&
        ! { quiet debian13 fetch_debian13 && quiet debian13 unpack_debian13; }; then
        reason="Debian 13's packages cannot be had"
    fi
    if [ -n "$reason" ]; then
        say "skipped: $reason"
        count 0 0 1
        return
    fi
    require tls36 build_tls36 || return
    unit_tests "$BUILD/tls36" tls36-unit "${TLS36_TESTS[@]}"
    require client prepare_client || return
    require npm npm_ci interop || return
    local -x SERVER=$BUILD/tls36/interop/testserver TLS13=1
    node_run tls36 600 "$(test_files './tls/*' './threads/tls*')"
}
