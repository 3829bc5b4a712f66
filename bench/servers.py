"""The servers that are measured: how they are started, and ended."""

import os
import random
import resource
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "build/bench"
PEERS = ROOT / "bench/peers"

OURS = "libsocketio"
START_S, STOP_S = 15, 10
PORTS = range(20000, 30000)  # below those the kernel gives to clients


@dataclass(frozen=True)
class Peer:
    title: str
    command: list
    warm_s: int = 1  # more where code is compiled as it runs


def node(folder):
    return ["node", PEERS / folder / "server.js", "{port}"]


def bun():
    """npm has one for each kind of machine, and installs the one for this."""
    found = sorted((PEERS / "bun/node_modules/@oven").glob("*/bin/bun"))
    return [*found, "bun"][0]


ALL = {
    "floor_tcp": Peer("TCP floor", [BUILT / "floor_tcp", "{port}"]),
    "floor_ws": Peer("ws", [BUILT / "floor_ws", "{port}"]),
    "floor_ws_batch": Peer("ws, batched", [BUILT / "floor_ws", "{port}", "batch"]),
    "floor_poll": Peer("polling", [BUILT / "floor_poll", "{port}"]),
    OURS: Peer(
        OURS,
        [ROOT / "build/interop/testserver", "--profile", "bench", "--port", "{port}"],
    ),
    "node_ws": Peer("Node, ws", node("node"), 3),
    "node_uws": Peer("Node, uWebSockets.js", node("uws"), 3),
    "bun_engine": Peer(
        "Bun, bun-engine", [bun(), PEERS / "bun/server.js", "{port}"], 3
    ),
    "socketioxide": Peer("socketioxide", [BUILT / "socketioxide/peer", "{port}"]),
    "go": Peer("zishang520 (Go)", [BUILT / "go/peer", "{port}"]),
    "python": Peer(
        "python-socketio",
        [BUILT / "python/bin/python", PEERS / "python/server.py", "{port}"],
    ),
}


def cores():
    """The one for the server, and the one for the generator."""
    own = sorted(os.sched_getaffinity(0))
    return own[0], own[-1]


def pinned(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


def open_files():
    """How many a process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def raise_limit():
    hard = open_files()
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port():
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class DidNotStart(Exception):
    pass


class Server:
    """A process of its own, within `with`."""

    def __init__(self, name, more=(), pin=True):
        self.port = free_port()
        command = [str(c).replace("{port}", str(self.port)) for c in ALL[name].command]
        command += more
        self.command = pinned(cores()[0], command) if pin else command
        self.errors = tempfile.TemporaryFile()

    def __enter__(self):
        environment = dict(os.environ, NODE_ENV="production")
        try:
            self.process = subprocess.Popen(
                self.command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.errors,
                preexec_fn=raise_limit,
            )
        except OSError as err:
            raise DidNotStart(str(err)) from err
        try:
            self.wait_until_reached()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self.process.pid

    def wait_until_reached(self):
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise DidNotStart(self.last_words() or "it does not listen")

    def last_words(self):
        self.errors.seek(0)
        lines = self.errors.read().decode("utf-8", "replace").split("\n")
        lines = [line.strip() for line in lines if line.strip()]
        return lines[0].replace(f"{ROOT}/", "")[:200] if lines else ""

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()
