# shellcheck shell=bash
# ./dev test: parts that count what passed and failed, and print what failed.

PASSED=0 FAILED=0 SKIPPED=0
TEST_PARTS=(unit clang consumer interop browser fuzz)
FUZZ_SECONDS=${FUZZ_SECONDS:-5} # each target, within ./dev test

# count PASSED FAILED [SKIPPED]
count() {
    PASSED=$((PASSED + $1))
    FAILED=$((FAILED + $2))
    SKIPPED=$((SKIPPED + ${3:-0}))
}

# attempt NAME COMMAND...: a single test, quiet unless it fails.
attempt() {
    if quiet "$@"; then
        count 1 0
    else
        say "FAILED: $1"
        count 0 1
        return 1
    fi
}

# require NAME COMMAND: what tests stand on; counts only when it fails.
require() {
    if ! quiet "$@"; then
        say "FAILED: $1"
        count 0 1
        return 1
    fi
}

run_tests() {
    local part start=$SECONDS
    for part in "$@"; do
        [[ " ${TEST_PARTS[*]} " == *" $part "* ]] ||
            die "no such part: $part (there are: ${TEST_PARTS[*]})"
    done
    [ $# -gt 0 ] || set -- "${TEST_PARTS[@]}"
    need_for_tests "$@"
    for part in "$@"; do
        say "== $part"
        "test_$part" || true # it has counted
        say "   $PASSED passed, $FAILED failed, $((SECONDS - start)) s so far"
    done
    if [ "$SKIPPED" -gt 0 ]; then
        echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    else
        echo "$PASSED passed, $FAILED failed"
    fi
    [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

# All at once, so that apt-get runs once.
need_for_tests() {
    local purposes=(build unit)
    case " $* " in
        *" clang "* | *" consumer "* | *" fuzz "*) purposes+=(clang) ;;
    esac
    case " $* " in
        *" interop "* | *" browser "*) purposes+=(client) ;;
    esac
    case " $* " in
        *" browser "*) purposes+=(browser) ;;
    esac
    need_packages "${purposes[@]}"
}

# -- the builds -------------------------------------------------------------

# gcc, with sanitizers that end the program.
build_asan() {
    compile "$BUILD/asan" -Dbuildtype=debug -Doptimization=1 -Dwerror=true \
        -Db_sanitize=address,undefined -Dc_args=-fno-sanitize-recover=all
}

build_clang() {
    CC=clang CXX=clang++ compile "$BUILD/clang" -Dbuildtype=release \
        -Dwerror=true -Dprefix="$BUILD/stage" -Dlibdir=lib
}

# -- the parts --------------------------------------------------------------

# unit_tests FOLDER: runs them in this build and counts each case.
unit_tests() {
    local result passed failed skipped
    meson test -C "$1" --suite unit --no-rebuild --quiet >/dev/null 2>&1 || true
    result=$(python3 dev.d/count_unit.py "$1/meson-logs/testlog.json") ||
        result="0 1 0"
    read -r passed failed skipped <<<"$result"
    count "$passed" "$failed" "$skipped"
}

test_unit() {
    require asan build_asan && unit_tests "$BUILD/asan"
}

# Everything as clang releases it; its run of the unit tests counts as one.
test_clang() {
    attempt clang build_clang &&
        attempt unit-clang meson test -C "$BUILD/clang" --no-rebuild \
            --suite unit --print-errorlogs
}

# A program of a user, built with what was installed and pkg-config alone.
test_consumer() {
    local out=$BUILD/stage/consumer
    local -x PKG_CONFIG_PATH=$BUILD/stage/lib/pkgconfig
    local -x LD_LIBRARY_PATH=$BUILD/stage/lib
    require clang build_clang &&
        require install meson install -C "$BUILD/clang" --no-rebuild || return
    attempt consumer-c consume "gcc -std=c11" "" "$out-c"
    attempt consumer-cc consume "g++ -x c++ -std=c++17" "" "$out-cc"
    attempt consumer-static consume "gcc -std=c11 -static-libgcc" \
        "-Wl,-Bstatic -lsocketio -Wl,-Bdynamic" "$out-static"
}

# consume COMPILER LIBRARY PROGRAM: builds and runs test/consumer.c.
consume() {
    local flags
    flags=$(pkg-config --cflags --libs ${2:+--static} socketio) || return
    [ -z "$2" ] || flags=${flags/-lsocketio/$2}
    # Words of a command line, all three.
    # shellcheck disable=SC2086
    $1 -Wall -Wextra -Werror -Wpedantic test/consumer.c $flags -o "$3" &&
        timeout 20 "$3"
}

test_interop() {
    node_tests interop "$(test_files -not -path '*/browser/*')"
}

test_browser() {
    node_tests browser "$(test_files -path '*/browser/*')"
}

test_files() {
    (cd interop && find . -name node_modules -prune -o -name '*.test.mjs' "$@" \
        -print | sort)
}

# node_tests NAME FILES: runs files of interop/ against the sanitized build.
node_tests() {
    local tap=$LOGS/$1.tap log=$LOGS/$1.log result passed failed skipped
    require asan build_asan || return
    require client prepare_client || return
    require npm npm_ci interop || return
    # Each file is a word.
    # shellcheck disable=SC2086
    (
        cd interop
        export TESTSERVER=$BUILD/asan/interop/testserver
        export CHAT=$BUILD/asan/examples/chat/chat
        export CLIENT_DIR=$CLIENT
        export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
        export UBSAN_OPTIONS=print_stacktrace=1
        timeout 600 node --test \
            --test-reporter=tap --test-reporter-destination="$tap" \
            --test-reporter=spec --test-reporter-destination="$log" \
            $2
    ) || true
    result=$(python3 dev.d/count_node.py "$tap" "$log") || result="0 1 0"
    read -r passed failed skipped <<<"$result"
    count "$passed" "$failed" "$skipped"
}

test_fuzz() {
    local target
    require fuzz-build build_fuzz || return
    for target in $(fuzz_targets); do
        attempt "fuzz-$target" fuzz_one "$target" "$FUZZ_SECONDS" || true
    done
}
