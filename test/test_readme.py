#!/usr/bin/env python3
"""test_readme.py ROOT: whether README.md, SECURITY.md and docs/ tell the truth, as TAP.

Checks what a program can check: that the README's server is the example, that
links and paths lead somewhere, that the functions and constants that are named
exist, and that docs/limits.md has every limit, counter and log event of the
code, with the defaults of the header.
"""

import re
import sys
from pathlib import Path

LAYERS = ["include", "base", "engineio", "transport", "socketio"]
FOLDERS = [*LAYERS, "examples", "interop", "test", "fuzz", "docs", "dev.d", "client"]

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!`)\[[^\]\n]*\]\(([^)\s]+)\)")
NAME = re.compile(r"\b(?:(?:sio|eio|tp)_[a-z0-9_]+|(?:SIO|EIO|TP)_[A-Z0-9_]+)(?:\(|\*|\b)")
PATH = re.compile(rf"`((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*)`")
# An X-macro's row, whose name the code puts together.
ROW = re.compile(r"^ +X\((\w+), ", re.MULTILINE)
MAPS = ["SIO_ERR_", "SIO_DISCONNECT_", "SIO_COUNTER_"]


def read(path):
    return path.read_text(encoding="utf-8")


def pages(root):
    return [root / "README.md", root / "SECURITY.md", *sorted((root / "docs").glob("*.md"))]


def sources(root, folders):
    return [f for d in folders for f in sorted((root / d).rglob("*.[ch]"))]


def slug(heading):
    """The anchor that a heading gets."""
    text = re.sub(r"[`*]", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page):
    text = FENCE.sub("", read(page))
    return {slug(h) for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def example_faults(root):
    code = read(root / "examples/hello/hello.c")
    blocks = [body for lang, body in FENCE.findall(read(root / "README.md"))
              if lang == "c" and "int main" in body]  # fmt: skip
    if blocks != [code]:
        yield "README.md: its server is not examples/hello/hello.c"


def link_faults(root):
    for page in pages(root):
        for target in LINK.findall(FENCE.sub("", read(page))):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            aim = (page.parent / name).resolve() if name else page
            if not aim.exists():
                yield f"{page.name}: {target} is not there"
            elif anchor and anchor not in anchors(aim):
                yield f"{page.name}: {target} has no such heading"


def path_faults(root):
    for page in pages(root):
        for path in PATH.findall(read(page)):
            if not (root / path).exists() and not (root / "include" / path).exists():
                yield f"{page.name}: {path} is not there"


def name_faults(root):
    code = "\n".join(read(f) for f in sources(root, [*LAYERS, "interop"]))
    known = set(re.findall(r"\w+", code))
    known |= {m + row for m in MAPS for row in ROW.findall(code)}
    for page in pages(root):
        for name in NAME.findall(read(page)):
            bare = name.rstrip("(*")
            prefix = name.endswith("*") and any(k.startswith(bare) for k in known)
            if bare not in known and not prefix:
                yield f"{page.name}: there is no {bare}"


def headers(root):
    return "\n".join(read(h) for h in sorted((root / "include/socketio").glob("*.h")))


def limit_faults(root):
    header = headers(root)
    limits = read(root / "docs/limits.md")
    defaults = dict(re.findall(r"^    c\.(\w+) = (\d+);$", header, re.MULTILINE))
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d ]+) ", limits, re.MULTILINE))
    rows = {name: value.replace(" ", "") for name, value in rows.items()}
    for name, value in defaults.items():
        if rows.get(name) != value:
            yield f"limits.md: {name} is {value}, not {rows.get(name, 'missing')}"
    for name in rows.keys() - defaults.keys():
        yield f"limits.md: no {name} has a default in config.h"


def report_faults(root):
    header = headers(root)
    limits = read(root / "docs/limits.md")
    code = "\n".join(read(f) for f in sources(root, LAYERS))
    events = set(re.findall(r'SIO_LOG_[A-Z]+,\s*"(\w+)"', code))
    counters = set(re.findall(r'^    X\([A-Z_]+, "(\w+)"\)', header, re.MULTILINE))
    for what, names in [("log event", events), ("counter", counters)]:
        for name in sorted(names):
            if f"| `{name}` |" not in limits:
                yield f"limits.md: the {what} {name} is missing"


# What a docstring says about the threads that may call; see socketio.h.
RULE = re.compile(r"[Aa]ny\s+(\*\s+)?thread|Loop|Setup|One thread")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def thread_faults(root):
    for header in (root / "include/socketio").glob("*.h"):
        for block in re.split(r"\n\s*\n", read(header)):
            if "SIO_API" in block and "(" in block and not RULE.search(block):
                names = re.findall(r"(sio_\w+)\(", COMMENT.sub("", block))
                if names:
                    yield f"{header.name}: which thread may call {names[0]}?"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    checks = [
        ("the README's server is examples/hello", example_faults(root)),
        ("links lead somewhere", link_faults(root)),
        ("paths exist", path_faults(root)),
        ("functions and constants exist", name_faults(root)),
        ("public functions say which threads may call", thread_faults(root)),
        ("docs/limits.md has the defaults", limit_faults(root)),
        ("docs/limits.md has the counters and log events", report_faults(root)),
    ]
    print(f"1..{len(checks)}")
    failed = 0
    for number, (name, faults) in enumerate(checks, 1):
        found = list(dict.fromkeys(faults))
        failed += bool(found)
        print(f"{'not ' if found else ''}ok {number} - {name}")
        for fault in found:
            print(f"# {fault}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
