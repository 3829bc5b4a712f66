# shellcheck shell=bash
# ./dev bench: builds the generator and the servers it is run against, then
# leaves the rest to bench/bench.py.

BENCH=$BUILD/bench
BENCH_FLOORS=(floor_tcp floor_ws floor_ws_batch floor_poll)
BENCH_PEERS=(node_ws node_uws bun_engine)    # with --quick none of them
BENCH_MORE_PEERS=(socketioxide go python)    # with --all these too

run_bench() {
    local peers=("${BENCH_PEERS[@]}") purposes=(node) args=() arg
    case " $* " in
        *" --table "* | *" --list "*) exec python3 bench/bench.py "$@" ;;
    esac
    for arg in "$@"; do
        case $arg in
            --quick) peers=() purposes=() ;;
            --all) peers+=("${BENCH_MORE_PEERS[@]}") ;;
            *) args+=("$arg") ;;
        esac
    done
    python3 bench/bench.py --list "${args[@]}" >/dev/null # are they good?
    need_packages build unit bench "${purposes[@]}"
    build_release interop/testserver
    [ -x "$BUILD/interop/testserver" ] ||
        die "build/ has no interop/testserver: meson configure build -Dtests=true"
    build_bench
    measure "${peers[@]}"
}

# measure PEER...: those of them that can be had; `args` is run_bench's.
measure() {
    local peer ready=() why=$BENCH/why
    for peer in "$@"; do
        if "prepare_$peer" >"$why"; then
            ready+=("$peer")
        else
            say "Without $peer: $(cat "$why")"
            args+=(--skip "$peer=$(cat "$why")")
        fi
    done
    python3 bench/bench.py "${args[@]}" \
        "${BENCH_FLOORS[@]}" libsocketio "${ready[@]}"
}

build_bench() {
    local floor
    mkdir -p "$BENCH"
    say "Building the generator and the floors in build/bench/"
    quiet bench-sioload bench_cc sioload bench/load/*.c
    for floor in ws tcp poll; do
        quiet "bench-floor_$floor" bench_cc "floor_$floor" \
            "bench/floors/floor_$floor.c" bench/floors/sha1.c -lev
    done
}

# bench_cc PROGRAM SOURCE...
bench_cc() {
    local program=$1
    shift
    "${CC:-gcc}" -std=gnu17 -O2 -Wall -Wextra -D_GNU_SOURCE \
        -o "$BENCH/$program" "$@"
}

# -- the others -------------------------------------------------------------
# prepare_PEER: makes it ready to start, or prints why that cannot be.

# try NAME COMMAND...: quiet, and prints the end of what it said if it fails.
try() {
    if ! quiet "bench-$1" "${@:2}" 2>/dev/null; then
        grep -v '^[[:space:]]*$' "$LOGS/bench-$1.log" | tail -n 1 | cut -c 1-200
        return 1
    fi
}

# has COMMAND: whether it is there.
has() {
    command -v "$1" >/dev/null || {
        echo "there is no $1"
        return 1
    }
}

prepare_node_ws() {
    has npm && try node_ws npm_ci bench/peers/node
}

# The package has a binary for each version of Node, and needs a libc.
prepare_node_uws() {
    has npm && try node_uws npm_ci bench/peers/uws &&
        try node_uws-load node -e \
            "require('./bench/peers/uws/node_modules/@trufflesuite/uws-js-unofficial')"
}

prepare_bun_engine() {
    has npm && try bun_engine npm_ci bench/peers/bun &&
        try bun_engine-run bun_itself --version
}

bun_itself() {
    local found
    for found in bench/peers/bun/node_modules/@oven/*/bin/bun; do
        "$found" "$@"
        return
    done
}

# Built beside its source, for cargo writes there.
prepare_socketioxide() {
    local at=$BENCH/socketioxide
    has cargo || return
    mkdir -p "$at"
    cp -R -u bench/peers/socketioxide/. "$at"
    try socketioxide cargo build --release --manifest-path "$at/Cargo.toml" &&
        cp "$at/target/release/peer" "$at/peer"
}

prepare_go() {
    has go && try go go build -C bench/peers/go -o "$BENCH/go/peer" .
}

prepare_python() {
    local venv=$BENCH/python list=bench/peers/python/requirements.txt
    has python3 || return
    if ! cmp -s "$list" "$venv/.installed"; then
        try python-venv python3 -m venv "$venv" &&
            try python "$venv/bin/pip" install -q -r "$list" &&
            cp "$list" "$venv/.installed"
    fi
}
