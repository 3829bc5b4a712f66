# shellcheck shell=bash
# Coverage, valgrind, format.

LAYERS=(base engineio transport socketio)
C_FOLDERS=(include "${LAYERS[@]}" examples interop test fuzz bench)

c_files() {
    local folder
    for folder in "$@"; do
        [ ! -d "$folder" ] || find "$folder" -name node_modules -prune -o \
            \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) -print
    done | sort
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
