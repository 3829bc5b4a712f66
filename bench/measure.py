"""One run: a fresh server, the generator, and what came of it."""

import json
import subprocess

from cases import IDLE_CONNS, IDLE_WAVES, load_of
from servers import BUILT, OURS, DidNotStart, Server, cores, open_files, pinned

SIOLOAD = BUILT / "sioload"
LIMIT_S = 300
SPARE_FILES = 500  # that are no connections


def command_of(server, load, secs, pin=True):
    command = [SIOLOAD, "-p", server.port, "-P", server.pid, "-t", secs, *load]
    return pinned(cores()[1], command) if pin else [str(c) for c in command]


def result_of(output, errors):
    """The line of JSON, or a failure that says why there is none."""
    errors = errors.strip().replace("\n", "; ")[:500]
    try:
        result = json.loads(output)
    except json.JSONDecodeError:
        result = {"ok": False}
        errors = errors or "sioload gave no result"
    return dict(result, error=errors) if errors else result


def load_once(server, load, secs):
    try:
        done = subprocess.run(
            command_of(server, load, secs),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return {"ok": False, "error": f"not done after {LIMIT_S} s"}
    return result_of(done.stdout, done.stderr)


# -- idle --------------------------------------------------------------------


def idle_conns():
    return min(IDLE_CONNS, open_files() - SPARE_FILES)


def run_idle(peer, load):
    """Opens and closes all connections, ours ten times: the first wave's
    result, and the memory of each."""
    load = [*load, "-n", str(idle_conns())]
    waves = []
    with Server(peer) as server:
        for _ in range(IDLE_WAVES if peer == OURS else 1):
            waves.append(load_once(server, load, 1))
            if not waves[-1]["ok"]:
                break
    first = dict(waves[0], ok=all(w["ok"] for w in waves))
    errors = [w["error"] for w in waves if "error" in w]
    if errors:
        first["error"] = errors[0]
    keys = ["rss_kb", "rss_closed_kb"]
    first["waves"] = [{k: w.get(k, 0) for k in keys} for w in waves]
    return first


# -- two threads -------------------------------------------------------------


def run_threads(peer, case, secs):
    """Two generators at once, and nothing pinned."""
    with Server(peer, ["--threads", str(case.threads)], pin=False) as server:
        command = command_of(server, case.load.split(), secs, pin=False)
        running = [
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        try:
            done = [r.communicate(timeout=LIMIT_S) for r in running]
        except subprocess.TimeoutExpired:
            return {"ok": False, "error": f"not done after {LIMIT_S} s"}
        finally:
            for r in running:
                r.kill()
                r.wait()
    parts = [result_of(*d) for d in done]
    return add_up(parts)


def add_up(parts):
    """Both have seen the same server's CPU, each over its own seconds."""
    ok = all(p["ok"] for p in parts)
    errors = [p["error"] for p in parts if "error" in p]
    total = {"ok": ok, "error": errors[0]} if errors else {"ok": ok}
    if all("per_s" in p for p in parts):
        per_s = sum(p["per_s"] for p in parts)
        used = sum(p["srv_util"] for p in parts) / len(parts)
        total |= {"per_s": per_s, "srv_util": used}
        total["per_srv_cpu_s"] = round(per_s / used) if used > 0 else 0
    return total


# -- any ---------------------------------------------------------------------


def run(case, peer, secs):
    """What sioload says, or {"ok": False, "error": why}; {"skip": why} for a
    server that does not have what the case is about."""
    try:
        if case.kind == "idle":
            return run_idle(peer, load_of(case, peer))
        if case.kind == "threads":
            return run_threads(peer, case, secs)
        with Server(peer) as server:
            return load_once(server, load_of(case, peer), secs)
    except DidNotStart as err:
        if case.kind == "threads":
            return {"skip": f"{peer} refuses --threads {case.threads}: {err}"}
        return {"ok": False, "error": f"did not start: {err}"}


def self_check():
    """Whether the generator notices one changed bit, and one lost event, in
    a thousand; None, or what is wrong with it."""
    for fault in ["flip", "drop", None]:
        with Server("floor_ws", [fault] if fault else []) as server:
            result = load_once(server, "-m echo -k 4 -w 0.2".split(), 0.3)
        if fault and (result["ok"] or not result.get("bad")):
            return f"sioload does not notice a server that has a fault ({fault})"
        if not fault and not result["ok"]:
            return f"sioload finds fault with floor_ws: {result}"
    return None
