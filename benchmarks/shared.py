"""One room on several servers: `python benchmarks/shared.py`, some three minutes.

What does it cost that servers share a room, whose order is kept by Redis? One server without Redis,
one with it, and two; and beside these the usual way, Redis pub/sub from each server, which keeps
neither order nor history. Each run starts servers, and a Redis of its own with an append-only file.

Two servers, Redis and the generator share two cores here. So it is also measured what servers carry
that have half a core each: they are stopped half of the time, two of them in turns. And from the
CPU that a delivery takes follows what they would carry if each had a core for itself.
"""

import argparse
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from os import kill
from pathlib import Path

from generator import NoCompilerError, Result, compile_generator, generate
from lineup import LINEUP, SERVERS, DidNotStartError, Server, find_program, run_server, why_skipped
from report import table
from run import allow_many_files, merge, wait_quiet
from workloads import CPU, GENERATOR, Figure, Options, Workload

TURN = 0.005
"""Seconds for which a server runs, and then does not, where it has half a core."""

QUIET = 5.0
"""Seconds for which a run waits until nobody else uses the machine."""


@dataclass(frozen=True)
class Setup(Server):
    """Servers of one room; with a Redis, if there is more than one.

    Attributes:
        servers: how many.
        sync: when Redis writes its file through; empty where there is none.
        finds: the last words of the command that starts a server: where Redis is, by its port.
    """

    servers: int = 1
    sync: str = ""
    finds: Callable[[int], Sequence[str]] = lambda _: ()


def _has_redis() -> str:
    return "" if find_program("redis-server") else "redis-server is not installed"


def _shared(name: str, title: str, servers: int, sync: str = "everysec") -> Setup:
    return Setup(
        name,
        title,
        "ndjson",
        TRIOCHAT.command,
        _has_redis,
        reference="alone",
        servers=servers,
        sync=sync,
        finds=lambda port: ("--redis", f"redis://127.0.0.1:{port}", "--name", "room"),
    )


def _fanout(name: str, title: str, servers: int) -> Setup:
    return Setup(
        name,
        title,
        "ndjson",
        lambda port, _: [sys.executable, str(SERVERS / "redis_fanout.py"), str(port)],
        _has_redis,
        reference="alone",
        servers=servers,
        sync="everysec",
        finds=lambda port: (str(port),),
    )


TRIOCHAT = next(server for server in LINEUP if server.name == "triochat")

SETUPS = (
    Setup("alone", "one server, no Redis", "ndjson", TRIOCHAT.command, reference="alone"),
    _shared("one", "one server, with Redis", 1),
    _shared("two", "two servers", 2),
    _shared("one-always", "one, fsync always", 1, "always"),
    _shared("two-always", "two, fsync always", 2, "always"),
    _fanout("pubsub-one", "pub/sub, one server", 1),
    _fanout("pubsub-two", "pub/sub, two servers", 2),
)

LATENCY = (
    Figure("p50_us", "till the last has it, p50 ms", 1e-3, 2),
    Figure("p99_us", "p99 ms", 1e-3, 2),
    Figure("message_us", "servers' CPU us/message", digits=0),
    Figure("redis_us", "Redis' CPU us/message", digits=0, ratio=False),
)
SATURATED = (
    Figure("rate", "k deliveries/s", 1e-3, 0),
    CPU,
    Figure("capacity", "k deliveries/s with a core each", 1e-3, 0),
    Figure("server_load", "servers' load", digits=2, ratio=False),
    Figure("beside_load", "Redis' load", digits=2, ratio=False),
    GENERATOR,
)


def _one(members: int) -> Workload:
    options: Options = {"workload": "one", "members": members, "talkers": 1, "away": 1}
    title = f"one in flight: {members} members; with two servers the talker is at the other one"
    return Workload(f"one-{members}", title, LATENCY, {"": options})


def _saturated(members: int, window: int = 128, *, halved: bool = False) -> Workload:
    options: Options = {"workload": "saturated", "members": members, "talkers": 10}
    options |= {"window": window, "checking": 20, "halved": int(halved)}
    waiting = ", each waits for its answer" * (window == 1)
    halves = ", half a core for each server" * halved
    name = f"{'halved' if halved else 'saturated'}-{members}{'-waiting' * (window == 1)}"
    title = f"saturated: {members:,} members, 10 talking{waiting}{halves}"
    return Workload(name, title, SATURATED, {"": options})


WORKLOADS = (
    _one(10),
    _one(100),
    _saturated(100),
    _saturated(1000),
    _saturated(4000),
    _saturated(1000, 1),
    _saturated(2000, halved=True),
)

SHARED = "alone", "one", "two"

PUBSUB = "pubsub-one", "pubsub-two"

TAKE_PART = {
    "one-10": tuple(setup.name for setup in SETUPS),
    "one-100": tuple(setup.name for setup in SETUPS),
    "saturated-100": (*SHARED, *PUBSUB),
    "saturated-1000-waiting": (*SHARED, *PUBSUB),
}
"""Who takes part in which workloads; in the others, in which many messages wait, only we do."""


def main() -> int:
    """Measure, and print it."""
    options = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and clean up
    allow_many_files()
    for setup in SETUPS:
        if why := why_skipped(setup):
            sys.exit(f"{setup.title}: {why}")
    with tempfile.TemporaryDirectory(prefix="triochat-benchmark-") as name:
        folder = Path(name)
        try:
            compile_generator(folder)
        except NoCompilerError as error:
            sys.exit(f"the load generator is written in C, and {error}")
        for work in WORKLOADS:
            if not options.only or any(
                f"{work.name}-".startswith(f"{name}-") for name in options.only
            ):
                _measure(work, folder, options)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What it costs to share a room.")
    add = parser.add_argument
    names = ", ".join(work.name for work in WORKLOADS)
    add("--only", nargs="+", metavar="WORKLOAD", help=f"or how their names start: {names}")
    add("--quick", action="store_true", help="at most 100 members, at once: see whether it works")
    add("--runs", type=int, default=1, metavar="N", help="rounds; figures are medians (default: 1)")
    add("--seconds", type=float, default=2, metavar="S", help="of talking in each (default: 2)")
    return parser.parse_args()


# ---- measuring


def _measure(work: Workload, folder: Path, options: argparse.Namespace) -> None:
    setups = [setup for setup in SETUPS if setup.name in TAKE_PART.get(work.name, SHARED)]
    rounds: dict[str, list[Result]] = {setup.name: [] for setup in setups}
    for _ in range(options.runs):
        for setup in setups:
            room = work.parts[""] | {"seconds": options.seconds}
            if options.quick:
                room["members"] = min(100, int(room["members"]))
            else:
                wait_quiet(QUIET)
            rounds[setup.name].append(run_setup(setup, folder, room))
    merged = {name: merge(results) for name, results in rounds.items()}
    print(table(work, setups, merged))
    if "pubsub-one" in merged:
        pairs = [replace(setup, reference=f"pubsub-{setup.name}") for setup in setups[1:3]]
        print(table(replace(work, title="these beside pub/sub"), pairs, merged))
    else:
        pairs = [replace(setup, reference="one") for setup in setups[1:3]]
        print(table(replace(work, title="two servers beside one, both with Redis"), pairs, merged))
    sys.stdout.flush()


def run_setup(setup: Setup, folder: Path, room: Options) -> Result:
    """Start such servers, and put them through this; what was measured."""
    room = dict(room)
    halved = room.pop("halved", 0)
    with tempfile.TemporaryDirectory(dir=folder) as name, ExitStack() as stack:
        try:
            ports, pids, redis = _start(setup, Path(name), stack)
        except DidNotStartError as error:
            return {"why": str(error)}
        if halved:
            stack.enter_context(_half_cores(pids))
        where = {"port": ",".join(map(str, ports)), "pid": ",".join(map(str, pids))}
        result = generate(folder, dialect=setup.dialect, beside=redis, **where, **room)
    return result | _derived(setup, result, int(room["members"]))


def _start(setup: Setup, folder: Path, stack: ExitStack) -> tuple[list[int], list[int], int]:
    """Start all that it takes; the servers' ports and process ids, and Redis' (or 0)."""
    tail, redis = list[str](), 0
    if setup.sync:
        port, redis = stack.enter_context(run_server(redis_server(setup.sync), folder))
        tail += setup.finds(port)
    ports, pids = list[int](), list[int]()
    for number in range(setup.servers):
        server = replace(
            setup,
            name=f"server{number}",
            command=lambda port, where: [*setup.command(port, where), *tail],
        )
        port, pid = stack.enter_context(run_server(server, folder))
        ports.append(port)
        pids.append(pid)
    return ports, pids, redis


def redis_server(sync: str) -> Server:
    """A Redis that keeps what it is told in a file, and writes that through: a value of its own."""
    words = f"--bind 127.0.0.1 --appendonly yes --appendfsync {sync} --maxmemory-policy noeviction"
    return Server(
        "redis-server",
        f"Redis, fsync {sync}",
        "",
        lambda port, folder: [
            find_program("redis-server"),
            *f"--port {port} --dir {folder} {words} --save".split(),
            "",
        ],
    )


def _derived(setup: Setup, result: Result, members: int) -> Result:
    if "cpu_us" not in result:
        return {}
    cpu = float(result["cpu_us"])
    return {
        "message_us": cpu * members,
        "redis_us": float(result["beside_us"]) * members,
        "capacity": setup.servers / cpu * 1e6 if cpu else 0.0,
    }


@contextmanager
def _half_cores(pids: Sequence[int]) -> Iterator[None]:
    """Stop each of these half of the time; of two, one runs while the other does not."""
    over = threading.Event()

    def take_turns() -> None:
        turn = 0
        while not over.wait(TURN):
            turn += 1
            for place, pid in enumerate(pids):
                kill(pid, signal.SIGCONT if (turn + place) % 2 else signal.SIGSTOP)
        for pid in pids:
            kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=take_turns)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
