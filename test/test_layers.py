#!/usr/bin/env python3
"""test_layers.py ROOT: the rules between the folders, as TAP.

Checks which headers each layer includes, that base/ knows no protocol word,
that no file is longer than a person reads, and that meson.build lists every
source file of a layer.
"""

import re
import sys
from pathlib import Path

MAX_LINES = 600
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

PUBLIC = (
    r"socketio/(adapter|broadcast|config|conn|error|event|handshake|http|jansson|log|"
    r"namespace|parser|server|socket|socketio|tls|types)\.h"
)
LIBC = (
    r"(arpa/inet|assert|ctype|dirent|errno|fcntl|getopt|inttypes|limits|locale|malloc|math|poll|pthread|"
    r"sched|signal|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|"
    r"string|strings|time|unistd|netdb|netinet/\w+|sys/\w+|"
    r"[a-z]mmintrin|arm_neon|linux/\w+)\.h"
)
# Sockets, a clock and threads, which sessions and meaning never see.
WORLD = (
    r"(arpa/inet|fcntl|poll|pthread|signal|unistd|netdb|netinet/\w+|"
    r"linux/\w+|sys/(epoll|event|eventfd|socket|time|timerfd|types|uio|un|wait))\.h"
)

# Folder: which quoted headers, which libraries' headers, which of libc's not.
LAYERS = {
    "include": ([PUBLIC], [r"jansson\.h"], WORLD),
    "base": ([r"base/\w+\.h", r"socketio/(error|log)\.h"], [], None),
    "engineio": ([r"engineio/\w+\.h", r"base/\w+\.h", PUBLIC], [], WORLD),
    "transport": (
        [
            r"transport/\w+\.h",
            r"engineio/(transport|burst|packet|protocol|payload\w*|handshake|table|engine|request)\.h",
            r"base/\w+\.h",
            PUBLIC,
        ],
        [r"ev\.h", r"mbedtls/\w+\.h", r"psa/\w+\.h", r"zlib\.h"],
        None,
    ),
    "socketio": (
        [
            r"socketio/\w+\.h",
            r"engineio/(session|events|engine)\.h",
            r"base/\w+\.h",
        ],
        [r"jansson\.h"],
        WORLD,
    ),
    "examples": (
        [PUBLIC, r"\w+\.h"],
        [PUBLIC, r"ev\.h", r"jansson\.h", r"sqlite3\.h"],
        None,
    ),
}
# <time.h> is there to write a date, not to ask for one.
CLOCK = re.compile(r"\b(time|clock|clock_gettime|gettimeofday|timespec_get)\s*\(")
# The composition root: the only files that include every layer.
ROOT_FILE = re.compile(r"socketio/server\w*\.[ch]$")

# A name of a layer above, or a word of a protocol, in code or comment.
BASE_WORDS = re.compile(
    r"\b(packets?|sid|namespaces?|websockets?|polling|handshakes?|"
    r"engine\.?io|socket\.io|http|eio_\w+|tp_\w+)\b",
    re.IGNORECASE,
)

CODE = {".c", ".h", ".cc"}
TEXT = CODE | {".js", ".mjs", ".py", ".sh", ".html", ".css", ".build"}
FOLDERS = [
    "include", "base", "engineio", "transport", "socketio", "examples",
    "interop", "test", "fuzz", "bench", "dev.d",
]  # fmt: skip


def files(root, folder, suffixes):
    found = (root / folder).rglob("*") if (root / folder).is_dir() else []
    return sorted(
        f
        for f in found
        if f.suffix in suffixes and f.is_file() and "node_modules" not in f.parts
    )


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def any_match(patterns, name):
    return any(re.fullmatch(p, name) for p in patterns)


def include_faults(root, folder):
    quoted, libraries, forbidden = LAYERS[folder]
    for path in files(root, folder, CODE):
        name = path.relative_to(root).as_posix()
        for number, line in enumerate(lines(path), 1):
            match = INCLUDE.match(line)
            if not match or ROOT_FILE.search(name):
                continue
            is_quoted, header = match[1] == '"', match[2]
            if is_quoted:
                allowed = any_match(quoted, header)
            elif forbidden and re.fullmatch(forbidden, header):
                allowed = False
            else:
                allowed = any_match([LIBC, *libraries], header)
            if not allowed:
                yield f"{name}:{number}: {folder}/ may not include {header}"


def clock_faults(root):
    for folder in ["engineio", "socketio"]:
        for path in files(root, folder, CODE):
            name = path.relative_to(root).as_posix()
            for number, line in enumerate(lines(path), 1):
                match = None if ROOT_FILE.search(name) else CLOCK.search(line)
                if match:
                    yield f"{name}:{number}: {folder}/ is told the time"


def word_faults(root):
    for path in files(root, "base", CODE):
        name = path.relative_to(root).as_posix()
        for number, line in enumerate(lines(path), 1):
            match = None if INCLUDE.match(line) else BASE_WORDS.search(line)
            if match:
                yield f"{name}:{number}: base/ knows no '{match[0]}'"


def length_faults(root):
    paths = [f for folder in FOLDERS for f in files(root, folder, TEXT)]
    for path in [*paths, root / "dev", root / "meson.build"]:
        count = len(lines(path)) if path.exists() else 0
        if count >= MAX_LINES:
            name = path.relative_to(root).as_posix()
            yield f"{name}: {count} lines, has to be below {MAX_LINES}"


def listing_faults(root):
    root_build = (root / "meson.build").read_text(encoding="utf-8")
    for folder in ["base", "engineio", "transport", "socketio"]:
        for path in files(root, folder, {".c"}):
            name = path.relative_to(root).as_posix()
            if f"'{name}'" not in root_build:
                yield f"{name}: not in meson.build"
    for folder, prefix in [("test", "test_"), ("fuzz", "fuzz_")]:
        listed = (root / folder / "meson.build").read_text(encoding="utf-8")
        for path in files(root, folder, {".c"}):
            key = path.stem.removeprefix(prefix)
            if path.stem == key or key == "headers":
                continue
            if f"'{key}':" not in listed:
                yield f"{folder}/{path.name}: not in {folder}/meson.build"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    checks = [(f"includes of {f}/", include_faults(root, f)) for f in LAYERS]
    checks.append(("engineio/ and socketio/ ask no clock", clock_faults(root)))
    checks.append(("base/ knows no protocol", word_faults(root)))
    checks.append((f"files below {MAX_LINES} lines", length_faults(root)))
    checks.append(("every source is in meson.build", listing_faults(root)))

    print(f"1..{len(checks)}")
    failed = 0
    for number, (name, faults) in enumerate(checks, 1):
        found = list(faults)
        failed += bool(found)
        print(f"{'not ' if found else ''}ok {number} - {name}")
        for fault in found:
            print(f"# {fault}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
