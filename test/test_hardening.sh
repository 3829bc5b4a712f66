#!/bin/sh
# test_hardening.sh LIBRARY PROGRAM: how the two are linked and what guards their
# memory, as TAP.  Of a build with an optimizer and without sanitizers.
set -u

library=$1
program=$2
number=0
failed=0

# check NAME FAULT: passes when there is none.
check() {
    number=$((number + 1))
    if [ -z "$2" ]; then
        echo "ok $number - $1"
        return
    fi
    echo "not ok $number - $1"
    echo "$2" | sed 's/^/# /'
    failed=1
}

# shows FILE PATTERN OPTION...: a fault unless readelf shows a line like it.
shows() {
    file=$1
    pattern=$2
    shift 2
    readelf -W "$@" "$file" | grep -Eq -e "$pattern" ||
        echo "readelf $* $file: no $pattern"
}

# lacks FILE PATTERN OPTION...: a fault for each line like it.
lacks() {
    file=$1
    pattern=$2
    shift 2
    readelf -W "$@" "$file" | grep -E -e "$pattern"
}

echo "1..14"
for file in "$library" "$program"; do
    name=$(basename "$file")
    check "$name: code runs at any address" "$(shows "$file" 'Type: +DYN' -h)"
    check "$name: code is not written to" "$(lacks "$file" TEXTREL -d)"
    check "$name: tables of the linker become read-only" \
        "$(shows "$file" '^ *GNU_RELRO' -l)"
    check "$name: functions are bound at the start, so that all of them do" \
        "$(shows "$file" '\(FLAGS_1\).* NOW' -d)"
    check "$name: the stack is not executable" \
        "$(shows "$file" '^ *GNU_STACK.* RW +0x' -l)"
    check "$name: stack frames have canaries" \
        "$(shows "$file" ' UND +__stack_chk_fail' --dyn-syms)"
    check "$name: libc checks sizes" \
        "$(shows "$file" ' UND +__(mem[a-z]+|[a-z]*printf)_chk' --dyn-syms)"
done
exit $failed
