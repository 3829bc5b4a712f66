"""count_unit.py TESTLOG TAP: reads meson's testlog.json, prints "PASSED FAILED
SKIPPED" and, on stderr, the output of each program that failed.  What programs
said goes to TAP.

A program that speaks TAP counts by its cases, another one by its end.
"""

import json
import re
import sys

CASE = re.compile(r"^\s*(not )?ok\b([^\n]*)", re.MULTILINE)


def count(program):
    passed = failed = skipped = 0
    for match in CASE.finditer(program.get("stdout", "")):
        if re.search(r"#\s*skip", match[2], re.IGNORECASE):
            skipped += 1
        elif match[1]:
            failed += 1
        else:
            passed += 1
    is_good = program["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
    if not passed + failed + skipped:
        return (1, 0, 0) if is_good else (0, 1, 0)
    if not is_good and not failed:
        failed = 1  # it crashed, leaked or ended too early
    return passed, failed, skipped


def main():
    totals = [0, 0, 0]
    with (
        open(sys.argv[1], encoding="utf-8") as log,
        open(sys.argv[2], "w", encoding="utf-8") as tap,
    ):
        for line in log:
            program = json.loads(line)
            counts = count(program)
            print(f"# {program['name']}", file=tap)
            print(program.get("stdout", ""), file=tap)
            totals = [a + b for a, b in zip(totals, counts)]
            if counts[1]:
                print(f"FAILED: {program['name']}", file=sys.stderr)
                print(program.get("stdout", ""), file=sys.stderr)
                print(program.get("stderr", ""), file=sys.stderr)
    if not any(totals):
        print("FAILED: no unit test has run", file=sys.stderr)
        totals[1] = 1
    print(*totals)


main()
