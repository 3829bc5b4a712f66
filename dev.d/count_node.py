"""count_node.py TAP SPEC: reads what Node's test runner said in two formats,
prints "PASSED FAILED SKIPPED" and, on stderr, what SPEC says of failures.
"""

import re
import sys
from pathlib import Path


def read(path):
    return Path(path).read_text("utf-8", "replace") if Path(path).exists() else ""


def main():
    tap, spec = read(sys.argv[1]), read(sys.argv[2])
    summary = dict(re.findall(r"^# (\w+) (\d+)$", tap, re.MULTILINE))

    passed = int(summary.get("pass", 0))
    failed = int(summary.get("fail", 0)) + int(summary.get("cancelled", 0))
    skipped = int(summary.get("skipped", 0)) + int(summary.get("todo", 0))
    if "pass" not in summary:
        print("FAILED: the test runner did not come to its end", file=sys.stderr)
        failed += 1
    elif passed + failed == 0:
        print("FAILED: no test has run", file=sys.stderr)
        failed += 1

    if failed:
        at = spec.rfind("failing tests:")
        print(spec[at:] if at >= 0 else spec[-20000:], file=sys.stderr)
    print(passed, failed, skipped)


main()
