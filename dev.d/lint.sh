# shellcheck shell=bash
# ./dev lint: what can be found without running anything.

# Beyond the warnings of every build (meson.build).  Left out as they warn of
# what is right: -Wlogical-op (EAGAIN and EWOULDBLOCK are one number here),
# -Wnull-dereference (does not know that a list with a count has a first),
# -Wcast-qual (SIO_OWNER), -Wbad-function-cast (tagged pointers), -Wswitch-enum
# (a default is wanted where most are treated alike); by gcc, which compiles
# the tests too, -Wwrite-strings (tests give literals as user data) and
# -Wformat=2 (their helpers pass formats on).
GCC_STRICT=(-Walloca -Wcast-align=strict -Wduplicated-branches
    -Wduplicated-cond -Winit-self -Wjump-misses-init
    -Wnested-externs -Wold-style-definition -Wpointer-arith -Wredundant-decls
    -Wundef -Wvla)
CLANG_STRICT=(-Wassign-enum -Wcast-align -Wcomma -Wextra-semi -Wformat=2
    -Wloop-analysis -Wmissing-variable-declarations -Wold-style-definition
    -Wover-aligned -Wpointer-arith -Wredundant-decls -Wshift-sign-overflow
    -Wundef -Wunreachable-code-aggressive -Wunused-macros -Wvla
    -Wwrite-strings)

# gcc's analyzer, of release 12, follows neither reference counts nor lists
# within their members, nor that what is counted is there; clang's, within
# clang-tidy, does better at these.
ANALYZER=(-fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-null-argument
    -Wno-analyzer-null-dereference -Wno-analyzer-use-after-free)

lint_format() {
    c_files "${C_FOLDERS[@]}" | xargs clang-format --dry-run --Werror
}

# With the warnings of clang, as findings of clang-diagnostic-*.
lint_tidy() {
    # It wants to know how files are compiled, not to compile them.
    CC=clang CXX=clang++ set_up "$BUILD/lint" -Dbuildtype=debug \
        -Dc_args="${CLANG_STRICT[*]}" || return
    c_files "${LAYERS[@]}" examples interop | grep '\.c$' |
        xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$BUILD/lint" \
            2>"$LOGS/clang-tidy.err"
}

lint_cppcheck() {
    cppcheck --quiet --std=c11 --enable=warning,performance,portability \
        --inline-suppr --error-exitcode=1 \
        -I . -I include -j "$(nproc)" "${LAYERS[@]}" examples interop \
        -i interop/node_modules -i interop/versions/node_modules
}

# All there is, tests too, at -O3: its passes see more than those of -O1.
lint_gcc() {
    CC=gcc CXX=g++ compile "$BUILD/strict" -Dbuildtype=release -Dwerror=true \
        -Dc_args="${GCC_STRICT[*]}"
}

lint_analyzer() {
    c_files "${LAYERS[@]}" | grep '\.c$' | xargs -P "$(nproc)" -I{} \
        gcc -std=c17 -O1 -S -o /dev/null -Werror "${ANALYZER[@]}" \
        -D_GNU_SOURCE -DSIO_CLIENT_DIR='"/"' -DSIO_VERSION='"0"' \
        -I. -Iinclude {}
}

lint_shellcheck() {
    shellcheck -x dev .ci/run dev.d/*.sh test/*.sh
}

# run_lint [PART...]
run_lint() {
    local part failed=0
    [ $# -gt 0 ] || set -- format shellcheck cppcheck analyzer gcc tidy
    need_packages build unit lint format
    mkdir -p "$LOGS"
    for part in "$@"; do
        declare -F "lint_$part" >/dev/null || die "no such part: $part"
        say "== $part"
        "lint_$part" || failed=1
    done
    return $failed
}
