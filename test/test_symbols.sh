#!/bin/sh
# test_symbols.sh LIBRARY INCLUDE: what the shared library exports, as TAP.
set -u

library=$1
include=$2
failed=0

# check NUMBER NAME FAULTS: passes when there are none.
check() {
    if [ -z "$3" ]; then
        echo "ok $1 - $2"
        return
    fi
    echo "not ok $1 - $2"
    echo "$3" | sed 's/^/# /'
    failed=1
}

# The sanitizer has marks of its own for variables, and so has gcov.
exported=$(nm -D --defined-only "$library" | awk '{print $3}' |
    grep -v '^__odr_asan\|^__gcov\|^mangle_path' | sort -u)
# The name before the first parenthesis, or the end, behind each SIO_API.
declared=$(cat "$include"/socketio/*.h | tr '\n' ' ' |
    grep -o 'SIO_API[^(;]*[(;]' | grep -o 'sio_[a-z0-9_]* *[(;]$' |
    tr -d ' (;' | sort -u)
soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')

only_in() {
    left=$(mktemp)
    right=$(mktemp)
    echo "$1" >"$left"
    echo "$2" >"$right"
    comm -23 "$left" "$right"
    rm -f "$left" "$right"
}

echo "1..4"
check 1 "every exported name begins with sio_" \
    "$(echo "$exported" | grep -v '^sio_')"
check 2 "nothing is exported that the headers do not declare" \
    "$(only_in "$exported" "$declared")"
check 3 "everything the headers declare is exported" \
    "$(only_in "$declared" "$exported")"
check 4 "the soname is libsocketio.so.0" \
    "$([ "$soname" = libsocketio.so.0 ] || echo "it is '$soname'")"
exit $failed
