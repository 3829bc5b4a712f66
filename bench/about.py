"""Where and with what a run is made."""

import json
import os
import platform
import re
import subprocess
import time

from servers import BUILT, PEERS, ROOT, bun


def first_line(*command):
    try:
        done = subprocess.run(
            [str(c) for c in command], capture_output=True, text=True, cwd=ROOT
        )
    except OSError:
        return ""
    return done.stdout.strip().split("\n")[0] if done.returncode == 0 else ""


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = re.findall(r"^model name\s*: (.+)$", lines.read(), re.MULTILINE)
    except OSError:
        names = []
    return f"{len(os.sched_getaffinity(0))} x {names[0] if names else 'unknown'}"


def build_options():
    """Of the server, as meson has them."""
    try:
        path = ROOT / "build/meson-info/intro-buildoptions.json"
        options = {o["name"]: o["value"] for o in json.loads(path.read_text("utf-8"))}
    except OSError:
        return "unknown"
    return f"buildtype={options['buildtype']}, b_sanitize={options['b_sanitize']}"


def commit():
    at = first_line("git", "rev-parse", "--short", "HEAD")
    changed = first_line(
        "git", "--no-optional-locks", "status", "--porcelain", "--untracked-files=no"
    )
    return at + (", with changes" if changed else "")


def npm_packages(folder):
    text = (PEERS / folder / "package.json").read_text("utf-8")
    pinned = json.loads(text)["dependencies"]
    return [f"{name} {version}" for name, version in pinned.items()]


def pinned_in(name, pattern):
    text = (PEERS / name).read_text("utf-8")
    return [" ".join(found) for found in re.findall(pattern, text, re.MULTILINE)]


def versions(peers):
    found = {"gcc": first_line("gcc", "-dumpfullversion")}
    packages = []
    if {"node_ws", "node_uws"} & set(peers):
        found["node"] = first_line("node", "--version")
    folders = {"node_ws": "node", "node_uws": "uws", "bun_engine": "bun"}
    for peer, folder in folders.items():
        if peer in peers:
            packages += npm_packages(folder)
    if "bun_engine" in peers:
        found["bun"] = first_line(bun(), "--version")
    if "socketioxide" in peers:
        found["rustc"] = first_line("rustc", "--version").removeprefix("rustc ")
        packages += pinned_in(
            "socketioxide/Cargo.toml", r'^(socketioxide|axum|tokio)\b.*?"=([\d.]+)"'
        )
    if "go" in peers:
        found["go"] = first_line("go", "env", "GOVERSION").removeprefix("go")
        packages += pinned_in("go/go.mod", r"^require (\S+) (\S+)$")
    if "python" in peers:
        found["python"] = platform.python_version()
        packages += pinned_in(
            "python/requirements.txt", r"^(python-socketio|uvicorn|uvloop)==(\S+)$"
        )
    tools = [f"{name} {version}" for name, version in found.items() if version]
    return ", ".join(tools), ", ".join(dict.fromkeys(packages))


def about(peers, reps, secs):
    tools, packages = versions(peers)
    found = {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "machine": f"{processor()}, {platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "libsocketio": f"{commit()} ({build_options()})",
        "runs": f"{reps} repetitions of {secs:g} s",
        "tools": tools,
    }
    return dict(found, packages=packages) if packages else found
