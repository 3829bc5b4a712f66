# shellcheck shell=bash
# What has to be installed, by what it is for.

packages_for() {
    case $1 in
        build)
            echo gcc g++ libc6-dev meson ninja-build pkg-config python3 \
                libev-dev libmbedtls-dev zlib1g-dev libjansson-dev \
                libsqlite3-dev
            ;;
        client) node_packages && echo brotli ;;
        node) node_packages ;;
        tls) echo openssl sslscan ;;
        interop) echo slowhttptest ;;
        bench) echo util-linux ;;
        unit) echo libcmocka-dev binutils ;;
        clang) echo clang llvm libclang-rt-dev ;;
        browser) echo chromium fonts-dejavu-core ;;
        coverage) echo gcovr ;;
        lint) echo clang clang-tidy cppcheck shellcheck ;;
        format) echo clang-format ;;
        valgrind) echo valgrind ;;
    esac
}

# Nothing where Node is here already, from wherever.
node_packages() {
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q \
        -o DPkg::Lock::Timeout=300 "$@"
}

# need_packages PURPOSE...: installs what is missing for these.
need_packages() {
    local purpose package missing=()
    if ! command -v dpkg-query >/dev/null; then
        return 0 # not Debian: meson and the compilers say what is missing
    fi
    for purpose in "$@"; do
        for package in $(packages_for "$purpose"); do
            is_installed "$package" || missing+=("$package")
        done
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return 0
    fi
    say "Installing with apt-get: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        # Asks for the password here, not hidden in a log.
        sudo -v || die "Installing packages needs root or sudo"
    fi
    if ! quiet apt-update apt update ||
        ! quiet apt-install apt install --no-install-recommends "${missing[@]}"; then
        die "Cannot go on without: ${missing[*]}"
    fi
}

# npm_ci FOLDER: installs what its lock file says, unless that is done.
npm_ci() {
    local stamp=$1/node_modules/.lock-installed
    if cmp -s "$1/package-lock.json" "$stamp"; then
        return 0
    fi
    say "Installing with npm in $1/"
    quiet "npm-${1//\//-}" npm ci --prefix "$1" --no-audit --no-fund --ignore-scripts &&
        cp "$1/package-lock.json" "$stamp"
}
