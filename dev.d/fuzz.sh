# shellcheck shell=bash
# ./dev fuzz: targets, their corpora, and what came of them.

# Bytes of a file of a kept corpus, and of all together.
FUZZ_FILE_MAX=4096
FUZZ_KEPT_MAX=$((400 * 1024))

build_fuzz() {
    CC=clang CXX=clang++ compile "$BUILD/fuzz" -Dbuildtype=debugoptimized \
        -Dwerror=true -Dfuzz=true -Dtests=false -Dexamples=false \
        -Db_sanitize=address,undefined -Db_lundef=false \
        -Dc_args=-fno-sanitize-recover=all
}

fuzz_targets() {
    find fuzz -maxdepth 1 -name 'fuzz_*.c' | sed 's/.*fuzz_\(.*\)\.c/\1/' | sort
}

fuzz_program() {
    echo "$BUILD/fuzz/fuzz/fuzz_$1"
}

# fuzz_seeds TARGET: writes the inputs that a script makes, if there is one,
# and prints their folder.
fuzz_seeds() {
    local script=fuzz/seeds_$1.py folder=$BUILD/fuzz/seeds/$1
    if [ -f "$script" ]; then
        python3 "$script" "$folder" && echo "$folder"
    fi
}

# fuzz_options TARGET: of libFuzzer.  The whole server has so many features that
# weighing inputs by them takes longer than running them.
fuzz_options() {
    case $1 in
        server) echo -entropic=0 ;;
    esac
}

# fuzz_one TARGET SECONDS: starts from the kept corpus, from seeds, and from
# what earlier runs of this build found; that goes to build/fuzz/corpus/TARGET.
fuzz_one() {
    local found=$BUILD/fuzz/corpus/$1 kept=fuzz/corpus/$1 dict=fuzz/$1.dict
    local args=("$found") seeds option
    mkdir -p "$found" "$BUILD/fuzz/crashes"
    seeds=$(fuzz_seeds "$1") || return
    for option in $(fuzz_options "$1"); do
        args+=("$option")
    done
    [ ! -d "$kept" ] || args+=("$kept")
    [ -z "$seeds" ] || args+=("$seeds")
    [ ! -f "$dict" ] || args+=("-dict=$dict")
    "$(fuzz_program "$1")" "${args[@]}" -max_total_time="$2" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$BUILD/fuzz/crashes/$1-"
}

# fuzz_all SECONDS: all targets, as many at once as there are processors, each
# with a log.  Prints those that failed.
fuzz_all() {
    export -f fuzz_one fuzz_options fuzz_program fuzz_seeds
    export BUILD LOGS
    mkdir -p "$LOGS"
    # Expanded by that bash, not by this one.
    # shellcheck disable=SC2016
    fuzz_targets | xargs -P "$(nproc)" -I{} bash -c \
        'fuzz_one "$1" "$2" >"$LOGS/fuzz-$1.log" 2>&1 </dev/null || echo "$1"' \
        fuzz {} "$1" || true
}

# fuzz_stat TARGET NAME: one of the numbers at the end of the log, or 0.
fuzz_stat() {
    local number
    number=$(sed -n "s/^stat::$2: *//p" "$LOGS/fuzz-$1.log" | tail -n 1)
    echo "${number:-0}"
}

fuzz_edges() {
    local edges
    edges=$(grep -a -o ' cov: [0-9]*' "$LOGS/fuzz-$1.log" | tail -n 1)
    echo "${edges##* }"
}

fuzz_table() {
    local target
    printf '%-16s %12s %9s %8s %8s\n' target executions each-s edges new
    for target in $(fuzz_targets); do
        printf '%-16s %12s %9s %8s %8s\n' "$target" \
            "$(fuzz_stat "$target" number_of_executed_units)" \
            "$(fuzz_stat "$target" average_exec_per_sec)" \
            "$(fuzz_edges "$target")" \
            "$(fuzz_stat "$target" new_units_added)"
    done
}

# fuzz_has_run TARGET: it has come to run something.
fuzz_has_run() {
    [ "$(fuzz_stat "$1" number_of_executed_units)" -gt 0 ]
}

# fuzz_failures FAILED: names the targets that failed, or ran nothing, and shows
# the ends of their logs.
fuzz_failures() {
    local target
    for target in $(fuzz_targets); do
        if grep -qx -e "$target" <<<"$1"; then
            tail -n 100 "$LOGS/fuzz-$target.log" >&2
        elif ! fuzz_has_run "$target"; then
            say "fuzz_$target has run nothing"
        else
            continue
        fi
        echo "$target"
    done
}

# -- the command ------------------------------------------------------------

run_fuzz() {
    local minimise=false seconds failed
    if [ "${1:-}" = --minimise ]; then
        minimise=true
        shift
    fi
    if [[ ${1:-} =~ ^[0-9]+$ ]]; then
        set -- "" "$1"
    fi
    seconds=${2:-60}
    [ -z "${1:-}" ] || fuzz_targets | grep -qx -e "$1" || die "no such target: $1"
    need_packages build clang
    build_fuzz
    if $minimise; then
        fuzz_minimise "${1:-}"
    elif [ -n "${1:-}" ]; then
        fuzz_one "$1" "$seconds"
    else
        say "== $(fuzz_targets | wc -l) targets, $seconds s each"
        failed=$(fuzz_failures "$(fuzz_all "$seconds")")
        fuzz_table
        [ -z "$failed" ] || die "failed:" "$failed"
        echo "Nothing found"
    fi
}

# -- kept corpora -----------------------------------------------------------

is_hash() {
    [[ ${1##*/} =~ ^[0-9a-f]{40}$ ]]
}

# Files and bytes of a folder.
fuzz_size() {
    find "$1" -type f -printf '%s\n' 2>/dev/null |
        awk '{bytes += $1} END {printf "%d files, %d bytes", NR, bytes}'
}

# fuzz_minimise_one TARGET: makes its kept corpus the smallest inputs, kept or
# found, that cover each edge which any of them covers.  Those with a name of
# their own stay: they say what they are for.
fuzz_minimise_one() {
    local kept=fuzz/corpus/$1 new=$BUILD/fuzz/minimised/$1 seeds file
    local before
    before=$(fuzz_size "$kept")
    rm -rf "$new"
    mkdir -p "$new" "$kept" "$BUILD/fuzz/corpus/$1"
    seeds=$(fuzz_seeds "$1")
    for file in "$kept"/*; do
        [ ! -f "$file" ] || is_hash "$file" || cp "$file" "$new"
    done
    [ -z "$seeds" ] || cp "$seeds"/* "$new" # these are there anyway
    quiet "minimise-$1" "$(fuzz_program "$1")" -merge=1 -use_counters=0 \
        -max_len="$FUZZ_FILE_MAX" "$new" "$kept" "$BUILD/fuzz/corpus/$1"
    [ -z "$seeds" ] || (cd "$seeds" && printf '%s\0' *) |
        (cd "$new" && xargs -0 rm -f)
    rm -rf "$kept"
    mv "$new" "$kept"
    printf '%-16s %s -> %s\n' "$1" "$before" "$(fuzz_size "$kept")"
}

# Each file of the kept corpora is small, and so are all together.
fuzz_kept_is_small() {
    local bytes large
    bytes=$(find fuzz/corpus -type f -printf '%s\n' |
        awk '{bytes += $1} END {print bytes + 0}')
    large=$(find fuzz/corpus -type f -size "+${FUZZ_FILE_MAX}c")
    echo "kept: $bytes bytes of $FUZZ_KEPT_MAX" "${large:+, too large: $large}"
    [ -z "$large" ] && [ "$bytes" -le "$FUZZ_KEPT_MAX" ]
}

# fuzz_minimise [TARGET]
fuzz_minimise() {
    local target targets=${1:-$(fuzz_targets)}
    for target in $targets; do
        fuzz_minimise_one "$target"
    done
    fuzz_kept_is_small
}
