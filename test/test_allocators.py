#!/usr/bin/env python3
"""test_allocators.py ROOT LIBRARY: what the static library allocates by, as TAP.

The allocator that tests let fail (test/fault_alloc.c) has to have all of it:
what an object of a layer calls of libc that gives or keeps memory is either
one of its functions, or listed here with its reason.
"""

import re
import subprocess
import sys
from pathlib import Path

# Of libc: what gives memory, or keeps some for longer than the call.
GIVES = re.compile(
    r"(__)?(malloc|calloc|realloc|reallocarray|aligned_alloc|memalign|valloc|"
    r"pvalloc|posix_memalign|strdup|strndup|wcsdup|v?asprintf|getline|getdelim|"
    r"open_memstream|fmemopen|fd?open(64)?|freopen(64)?|popen|tmpfile(64)?|"
    r"fd?opendir|scandir(64)?|realpath|getcwd|get_current_dir_name|"
    r"canonicalize_file_name|getaddrinfo|getifaddrs|getgrouplist|regcomp|glob|"
    r"wordexp|newlocale|duplocale|setlocale|iconv_open|dlopen|hcreate|tsearch|"
    r"insque|putenv|setenv|atexit|pthread_create|pthread_key_create|mmap(64)?|"
    r"mremap|s?brk|qsort(_r)?|_Znwm|_Znam)(_chk)?"
)
# Those that are there, in which file, and why that is in order.  What libc
# allocates within them goes through the hook, too.
EXCEPTIONS = {
    ("fopen64", "transport/backend.c"): "closed before its function returns",
    ("opendir", "transport/backend.c"): "closed before its function returns",
    ("fopen64", "transport/tls_identity.c"): "closed before its function returns",
    ("getaddrinfo", "transport/listener.c"): "freed before its function returns",
    ("pthread_create", "transport/thread.c"): "test_fault_threads has it fail",
    ("qsort", "socketio/recovery_find.c"): "sorts in place where it gets none",
}
MEMBER = re.compile(r"(?:.*[:(/])?([a-z]+)_([\w]+)\.c\.o\)?:$")


def hooked(root):
    """The functions that test/fault_alloc.c defines."""
    text = (root / "test/fault_alloc.c").read_text(encoding="utf-8")
    return set(re.findall(r"^OURS [\w ]+?\**(\w+)\(", text, re.MULTILINE))


def calls(library):
    """What is undefined in which source file: (name, file) pairs."""
    listing = subprocess.run(
        ["nm", "-u", library], capture_output=True, text=True, check=True
    ).stdout
    source = None
    for line in listing.splitlines():
        member = MEMBER.match(line)
        if member:
            source = f"{member[1]}/{member[2]}.c"
        elif line.strip():
            yield line.split()[-1].split("@")[0], source


def main():
    root, library = Path(sys.argv[1]).resolve(), sys.argv[2]
    ours, seen = hooked(root), set(calls(library))
    used = {name for name, _ in seen}
    faults = {
        "every allocation goes through the hook": [
            f"{source} calls {name}()"
            for name, source in sorted(seen)
            if GIVES.fullmatch(name)
            and name not in ours
            and (name, source) not in EXCEPTIONS
        ],
        "every exception is there": [
            f"{name}() in {source} is not"
            for name, source in sorted(EXCEPTIONS)
            if (name, source) not in seen
        ],
        "the library was read": [
            f"it does not call {name}()"
            for name in ("malloc", "calloc", "realloc", "free")
            if name not in used or name not in ours
        ],
    }
    print(f"1..{len(faults)}")
    for number, (name, found) in enumerate(faults.items(), 1):
        print(f"{'not ' if found else ''}ok {number} - {name}")
        for fault in found:
            print(f"# {fault}")
    return 1 if any(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
