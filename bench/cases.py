"""What is measured, and what it is to reach."""

from dataclasses import dataclass

from servers import ALL, OURS

IDLE_CONNS = 19000
IDLE_WAVES = 10
IDLE_BYTES = 1024  # for each connection
# What may be resident after all have closed, by what was before any opened.
CLOSED_FACTOR, CLOSED_MORE_KB = 1.3, 2048
# Growth is measured from this wave on; the kernel's own counting of resident
# pages is off by less than the tolerance.
SETTLED_WAVE, GROWTH_KB = 3, 256


@dataclass(frozen=True)
class Case:
    title: str
    load: str  # options of sioload
    floor: str = ""  # what our server is compared with
    target: float | None = None  # of the floor
    kind: str = "rate"  # or "idle", "threads"
    threads: int = 0


CASES = {
    "echo_100x1_32": Case(
        "echo, 100 x 1, 32 B", "-m echo -n 100 -k 1 -s 32", "floor_ws", 0.95
    ),
    "echo_100x1_1k": Case(
        "echo, 100 x 1, 1 KiB", "-m echo -n 100 -k 1 -s 1024", "floor_ws", 0.95
    ),
    "echo_1000x1_32": Case(
        "echo, 1000 x 1, 32 B", "-m echo -n 1000 -k 1 -s 32", "floor_ws", 0.95
    ),
    "echo_1000x1_1k": Case(
        "echo, 1000 x 1, 1 KiB", "-m echo -n 1000 -k 1 -s 1024", "floor_ws", 0.95
    ),
    "echo_100x16_32": Case(
        "echo, 100 x 16, 32 B", "-m echo -n 100 -k 16 -s 32", "floor_ws", 0.75
    ),
    "echo_100x16_1k": Case(
        "echo, 100 x 16, 1 KiB", "-m echo -n 100 -k 16 -s 1024", "floor_ws"
    ),
    "ack_100x16_32": Case(
        "ack, 100 x 16, 32 B", "-m ack -n 100 -k 16 -s 32", "floor_ws", 0.75
    ),
    "bcast_k1_32": Case(
        "broadcast to 1000, k = 1, 32 B",
        "-m bcast -n 1000 -k 1 -s 32",
        "floor_ws_batch",
    ),
    "bcast_k4_32": Case(
        "broadcast to 1000, k = 4, 32 B",
        "-m bcast -n 1000 -k 4 -s 32",
        "floor_ws_batch",
        0.90,
    ),
    "bcast_k16_32": Case(
        "broadcast to 1000, k = 16, 32 B",
        "-m bcast -n 1000 -k 16 -s 32",
        "floor_ws_batch",
        0.90,
    ),
    "bcast_k4_1k": Case(
        "broadcast to 1000, k = 4, 1 KiB",
        "-m bcast -n 1000 -k 4 -s 1024",
        "floor_ws_batch",
        0.90,
    ),
    "bcast_k16_1k": Case(
        "broadcast to 1000, k = 16, 1 KiB",
        "-m bcast -n 1000 -k 16 -s 1024",
        "floor_ws_batch",
        0.90,
    ),
    "poll_100x1_32": Case(
        "polling echo, 100 x 1, 32 B", "-m poll -n 100 -k 1 -s 32", "floor_poll", 0.85
    ),
    "poll_100x1_1k": Case(
        "polling echo, 100 x 1, 1 KiB", "-m poll -n 100 -k 1 -s 1024", "floor_poll"
    ),
    "connect": Case("connect and close", "-m connect -c 64", "floor_ws", 0.85),
    "idle_19k": Case("idle", "-m idle -H 1 -c 128", "floor_ws", kind="idle"),
    "threads_1": Case(
        "echo, 2 x 100 x 1, 32 B, --threads 1",
        "-m echo -n 100 -k 1 -s 32",
        kind="threads",
        threads=1,
    ),
    "threads_2": Case(
        "echo, 2 x 100 x 1, 32 B, --threads 2",
        "-m echo -n 100 -k 1 -s 32",
        kind="threads",
        threads=2,
    ),
}


def peers_of(case, peers):
    """Those of `peers` that take part, in their order."""
    if case.kind == "threads":
        return [p for p in peers if p == OURS]
    floors = {case.floor}
    if case.load.startswith("-m echo"):
        floors.add("floor_tcp")
    return [p for p in peers if p in floors or not p.startswith("floor")]


def load_of(case, peer):
    """The options of sioload, which speaks without WebSocket to floor_tcp."""
    load = case.load
    if peer == "floor_tcp":
        load = load.replace("-m echo", "-m raw")
    return [*load.split(), "-w", str(ALL[peer].warm_s)]
