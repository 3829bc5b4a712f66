# shellcheck shell=bash
# ./dev test: parts that count what passed and failed, and print what failed.

PASSED=0 FAILED=0 SKIPPED=0
TEST_PARTS=(unit clang consumer interop versions tls tls36 threads browser fuzz docs)
FUZZ_SECONDS=${FUZZ_SECONDS:-5} # each target, within ./dev test
RESULT_FILES=()                 # files with the results of single tests

# Undefined behaviour and leaks end a program with an error.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:halt_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:exitcode=66:second_deadlock_stack=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}

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
    mkdir -p "$LOGS"
    for part in "$@"; do
        say "== $part"
        "test_$part" || true # it has counted
        say "   $PASSED passed, $FAILED failed, $((SECONDS - start)) s so far"
    done
    [ "$SKIPPED" -eq 0 ] || say "$SKIPPED skipped"
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

# All at once, so that apt-get runs once.
need_for_tests() {
    local purposes=(build unit)
    case " $* " in
        *" clang "* | *" consumer "* | *" fuzz "*) purposes+=(clang) ;;
    esac
    case " $* " in
        *" interop "* | *" versions "* | *" tls "* | *" tls36 "* | *" threads "* | \
            *" browser "*)
            purposes+=(client)
            ;;
        *" docs "*) purposes+=(node) ;;
    esac
    case " $* " in
        *" browser "*) purposes+=(browser) ;;
    esac
    case " $* " in
        *" interop "*) purposes+=(interop) ;;
    esac
    case " $* " in
        *" tls "* | *" tls36 "* | *" threads "* | *" browser "*)
            purposes+=(tls)
            ;;
    esac
    need_packages "${purposes[@]}"
}

# Programs in which threads meet.
TSAN_PROGRAMS=(drain frame inbox namespaces server server_again server_listen slow_readers threads)

# -- the builds -------------------------------------------------------------

# gcc, with sanitizers that end the program.
build_asan() {
    compile "$BUILD/asan" -Dbuildtype=debug -Doptimization=1 -Dwerror=true \
        -Db_sanitize=address,undefined -Dc_args=-fno-sanitize-recover=all
}

# Only what threads run through.
build_tsan() {
    set_up "$BUILD/tsan" -Dbuildtype=debug -Doptimization=1 -Dwerror=true \
        -Db_sanitize=thread -Db_lundef=false &&
        quiet build-tsan ninja -C "$BUILD/tsan" interop/testserver \
            "${TSAN_PROGRAMS[@]/#/test/test_}"
}

build_clang() {
    CC=clang CXX=clang++ compile "$BUILD/clang" -Dbuildtype=release \
        -Dwerror=true -Dprefix="$BUILD/stage" -Dlibdir=lib
}

# -- the parts --------------------------------------------------------------

# unit_tests FOLDER NAME [TEST...]: runs all, or these, in this build and counts
# each case; what they say goes to NAME.tap among the logs.
unit_tests() {
    local folder=$1 name=$2 log=$1/meson-logs/testlog.json
    local tap=$LOGS/$2.tap result passed failed skipped
    shift 2
    rm -f "$log"
    quiet "$name" meson test -C "$folder" --suite unit --no-rebuild "$@" \
        2>/dev/null || true
    result=$(python3 dev.d/count_unit.py "$log" "$tap") || result="0 1 0"
    read -r passed failed skipped <<<"$result"
    count "$passed" "$failed" "$skipped"
}

test_unit() {
    require asan build_asan || return
    unit_tests "$BUILD/asan" unit
    RESULT_FILES+=("$LOGS/unit.tap")
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
    attempt consumer-hardening test/test_hardening.sh \
        "$BUILD/stage/lib/libsocketio.so" "$BUILD/clang/interop/testserver"
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
    node_tests interop 600 "$(test_files './raw/*' './client/*')"
}

test_tls() {
    node_tests tls 600 "$(test_files './tls/*')"
}

# Several loops, with the sanitizer of memory and then with that of threads.
test_threads() {
    local program
    node_tests threads 300 "$(test_files './threads/*')"
    require tsan build_tsan || return
    for program in "${TSAN_PROGRAMS[@]}"; do
        attempt "tsan-$program" timeout 300 "$BUILD/tsan/test/test_$program" || true
    done
    # Ten thousand clients race no more than two thousand, but take minutes.
    local -x SERVER=$BUILD/tsan/interop/testserver SANITIZED=1 MANY_CLIENTS=2000
    node_run threads-tsan 600 "$(test_files './threads/*')"
}

# Official clients of many versions, all those that people still have.
test_versions() {
    node_tests versions 300 "$(test_files './versions/*')"
}

# A browser has enough to do with itself.
test_browser() {
    local -x AT_ONCE=1
    node_tests browser 600 "$(test_files './browser/*')"
}

# test_files PATTERN...: the tests in interop/ whose path is like one of these.
test_files() {
    local pattern
    for pattern in "$@"; do
        (cd interop && find . -name node_modules -prune -o \
            -path "$pattern" -name '*.test.mjs' -print)
    done | sort
}

# node_tests NAME SECONDS FILES: runs files of interop/ against the sanitized
# build.
node_tests() {
    require asan build_asan || return
    require client prepare_client || return
    require npm npm_ci interop || return
    require npm-versions npm_ci interop/versions || return
    node_run "$@"
    RESULT_FILES+=("$LOGS/$1.jsonl")
}

# node_run NAME SECONDS FILES: runs these with Node and counts their tests; as
# many files at once as there are processors, as they wait much of the time.
node_run() {
    local results=$LOGS/$1.jsonl log=$LOGS/$1.log result passed failed skipped
    # Each file is a word.
    # shellcheck disable=SC2086
    (
        cd interop
        export TESTSERVER=${SERVER:-$BUILD/asan/interop/testserver}
        export CHAT=$BUILD/asan/examples/chat/chat
        export CLIENT_DIR=$CLIENT
        export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
        timeout "$2" node --test --test-concurrency="${AT_ONCE:-$(nproc)}" \
            --test-reporter=./support/reporter.mjs \
            --test-reporter-destination="$results" --test-reporter=spec \
            --test-reporter-destination="$log" $3 >"$log.out" 2>&1 </dev/null
    ) || true
    result=$(python3 dev.d/count_node.py "$results" "$log") || result="0 1 0"
    read -r passed failed skipped <<<"$result"
    count "$passed" "$failed" "$skipped"
}

test_fuzz() {
    local target failed
    require fuzz-build build_fuzz || return
    failed=$(fuzz_failures "$(fuzz_all "$FUZZ_SECONDS")")
    for target in $(fuzz_targets); do
        if grep -qx -e "$target" <<<"$failed"; then
            say "FAILED: fuzz-$target"
            count 0 1
        else
            count 1 0
        fi
    done
    # Those written by hand get where they say that they do.
    attempt fuzz-kept fuzz_kept_is_small || true
    attempt fuzz-seeds python3 fuzz/seeds_server.py --check \
        "$(fuzz_program server)"
}

# What docs/features.md calls works has passed, in the parts that just ran;
# without these, a test of that name exists.
test_docs() {
    local -x RESULTS=
    if [[ " ${RESULT_FILES[*]} " == *interop* ]]; then
        RESULTS=$(IFS=: && echo "${RESULT_FILES[*]}")
    fi
    node_run docs 60 features.test.mjs
}
