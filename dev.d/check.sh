# shellcheck shell=bash
# Fuzzing, coverage, valgrind, format.

LAYERS=(base engineio transport socketio)
C_FOLDERS=(include "${LAYERS[@]}" examples interop test fuzz bench)

c_files() {
    local folder
    for folder in "$@"; do
        [ ! -d "$folder" ] || find "$folder" -name node_modules -prune -o \
            \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) -print
    done | sort
}

# -- fuzz -------------------------------------------------------------------

build_fuzz() {
    CC=clang CXX=clang++ compile "$BUILD/fuzz" -Dbuildtype=debugoptimized \
        -Dwerror=true -Dfuzz=true -Dtests=false -Dexamples=false \
        -Db_sanitize=address,undefined -Db_lundef=false \
        -Dc_args=-fno-sanitize-recover=all
}

fuzz_targets() {
    find fuzz -maxdepth 1 -name 'fuzz_*.c' | sed 's/.*fuzz_\(.*\)\.c/\1/' | sort
}

# fuzz_one TARGET SECONDS: starts from the kept corpus and from what earlier
# runs of this build found; that goes to build/fuzz/corpus/TARGET.
fuzz_one() {
    local found=$BUILD/fuzz/corpus/$1 kept=fuzz/corpus/$1 dict=fuzz/$1.dict
    local args=("$found")
    mkdir -p "$found" "$BUILD/fuzz/crashes"
    [ ! -d "$kept" ] || args+=("$kept")
    [ ! -f "$dict" ] || args+=("-dict=$dict")
    "$BUILD/fuzz/fuzz/fuzz_$1" "${args[@]}" -max_total_time="$2" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$BUILD/fuzz/crashes/$1-"
}

run_fuzz() {
    local target seconds=${2:-60}
    if [[ ${1:-} =~ ^[0-9]+$ ]]; then
        seconds=$1
        shift
    fi
    need_packages build clang
    build_fuzz
    if [ $# -gt 0 ]; then
        fuzz_targets | grep -qx -e "$1" || die "no such target: $1"
        fuzz_one "$1" "$seconds"
        return
    fi
    for target in $(fuzz_targets); do
        say "== $target, $seconds s"
        quiet "fuzz-$target" fuzz_one "$target" "$seconds"
    done
    echo "Nothing found"
}

# -- coverage ---------------------------------------------------------------

run_coverage() {
    need_packages build unit coverage client tls
    say "Building with counters in build/coverage"
    # Threads share the counters.
    compile "$BUILD/coverage" -Dbuildtype=debug -Db_coverage=true \
        -Dc_args=-fprofile-update=atomic
    find "$BUILD/coverage" -name '*.gcda' -delete
    say "Running unit and interop tests"
    quiet coverage-unit meson test -C "$BUILD/coverage" --no-rebuild --suite unit ||
        true # what fails is for ./dev test to say
    prepare_client
    npm_ci interop
    npm_ci interop/versions
    local files
    files=$(test_files './raw/*' './client/*' './versions/*' './tls/*' './threads/*')
    (
        cd interop
        # Each file is a word.
        # shellcheck disable=SC2086
        TESTSERVER=$BUILD/coverage/interop/testserver CLIENT_DIR=$CLIENT \
            quiet coverage-interop timeout 600 node --test \
            $files
    ) || true
    gcovr --root . --object-directory "$BUILD/coverage" \
        --filter '(base|engineio|transport|socketio)/' \
        --exclude-unreachable-branches --print-summary
}

# -- valgrind ---------------------------------------------------------------

# What the sanitizers do not look for is a branch on memory that was not set.
# Which tests are left out, and why, is in meson.build.
run_valgrind() {
    need_packages build unit valgrind
    say "Building for valgrind in build/valgrind"
    # It takes libc's checked memmove() for memcpy().
    compile "$BUILD/valgrind" -Dbuildtype=debugoptimized \
        -Dc_args=-U_FORTIFY_SOURCE
    quiet valgrind meson test -C "$BUILD/valgrind" --no-rebuild \
        --setup valgrind --print-errorlogs
    grep -E '^(Ok|Fail|Timeout):' "$LOGS/valgrind.log"
}

# -- format -----------------------------------------------------------------

run_format() {
    need_packages format
    c_files "${C_FOLDERS[@]}" | xargs clang-format -i
}
