"""count_node.py RESULTS SPEC: reads what Node's test runner said, as lines of
interop/support/reporter.mjs and for people, prints "PASSED FAILED SKIPPED"
and, on stderr, what SPEC says of failures.
"""

import json
import sys
from pathlib import Path


def read(path):
    return Path(path).read_text("utf-8", "replace") if Path(path).exists() else ""


def main():
    lines, spec = read(sys.argv[1]).splitlines(), read(sys.argv[2])
    results = [json.loads(line) for line in lines if line.endswith("}")]
    tests = [r for r in results if "end" not in r]

    skipped = sum(t["skipped"] for t in tests)
    passed = sum(t["ok"] and not t["skipped"] for t in tests)
    failed = len(tests) - skipped - passed
    if len(results) == len(tests):
        print("FAILED: the test runner did not come to its end", file=sys.stderr)
        failed += 1
    elif not passed + failed:
        print("FAILED: no test has run", file=sys.stderr)
        failed += 1

    if failed:
        at = spec.rfind("failing tests:")
        print(spec[at:] if at >= 0 else spec[-20000:], file=sys.stderr)
    print(passed, failed, skipped)


main()
