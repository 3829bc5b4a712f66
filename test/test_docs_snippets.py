#!/usr/bin/env python3
"""test_docs_snippets.py ROOT CC...: whether the C code in README.md,
SECURITY.md and docs/ compiles, as TAP.

Every block fenced as ```c is checked, with warnings as errors: a block with
#include lines as a file of its own; one fenced as ```c body as the body of a
function that has a server `io`, a namespace `nsp`, a `socket` and an `event`;
any other behind the usual #include lines.
"""

import re
import subprocess
import sys
from pathlib import Path

FENCE = re.compile(r"^```c( body)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = [
    "-x", "c", "-std=c11", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra",
    "-Werror", "-Wpedantic", "-Wno-unused-parameter", "-Wno-unused-function",
    "-Wno-unused-variable", "-Wno-unused-but-set-variable",
]  # fmt: skip
PRELUDE = "\n".join(
    f"#include <{header}>"
    for header in [
        "stdio.h", "stdlib.h", "string.h", "ev.h", "socketio/jansson.h",
        "socketio/socketio.h",
    ]
)  # fmt: skip
BODY = """
void body(sio_server *io, sio_namespace *nsp, sio_socket *socket,
          sio_event *event);
void body(sio_server *io, sio_namespace *nsp, sio_socket *socket,
          sio_event *event)
{
"""


def blocks(page):
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        yield f"{page.name}:{line}", bool(match[1]), line, match[2]


def program(page, is_body, line, code):
    """The block as a file, whose errors bear the page's lines."""
    at = f'#line {line} "{page.name}"\n'
    if is_body:
        return f"{PRELUDE}{BODY}{at}{code}}}\n"
    return at + code if "#include" in code else f"{PRELUDE}\n{at}{code}"


def main():
    root, compiler = Path(sys.argv[1]).resolve(), sys.argv[2:] or ["cc"]
    tops = [root / "README.md", root / "SECURITY.md"]
    found = [
        (page, *block)
        for page in [*tops, *sorted((root / "docs").glob("*.md"))]
        for block in blocks(page)
    ]
    print(f"1..{len(found)}")
    failed = 0
    for number, (page, name, is_body, line, code) in enumerate(found, 1):
        done = subprocess.run(
            [*compiler, *FLAGS, "-I", root / "include", "-"],
            input=program(page, is_body, line, code),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        bad = done.returncode != 0
        failed += bad
        print(f"{'not ' if bad else ''}ok {number} - {name}")
        if bad:
            print("".join(f"# {text}\n" for text in done.stderr.splitlines()), end="")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
