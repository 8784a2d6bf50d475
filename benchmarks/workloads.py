"""The workloads: what the generator is asked to do, and which of its figures are shown."""

from dataclasses import dataclass, field

Options = dict[str, str | float]
"""Options of the generator; see `load.c`."""


@dataclass(frozen=True)
class Figure:
    """A figure that is shown, and how: its key in a result, its heading, its scale and format."""

    key: str
    heading: str
    scale: float = 1.0
    digits: int = 1
    ratio: bool = True


@dataclass(frozen=True)
class Workload:
    """One thing that all servers are put through.

    Attributes:
        parts: options of one generator run each, by the prefix that its results get.
        quick: options that differ when it has to be quick.
        once: it takes long and changes little; one run will do.
    """

    name: str
    title: str
    figures: tuple[Figure, ...]
    parts: dict[str, Options]
    quick: Options = field(default_factory=dict)
    once: bool = False


RATE = Figure("rate", "k deliveries/s", 1e-3, 0)
CPU = Figure("cpu_us", "server CPU us/delivery", digits=3)
P50 = Figure("p50_us", "p50 ms", 1e-3, 2)
P99 = Figure("p99_us", "p99 ms", 1e-3, 2)
MAX = Figure("max_us", "max ms", 1e-3, 2)
LOAD = Figure("server_load", "server load", digits=2, ratio=False)
GENERATOR = Figure("generator_load", "generator load", digits=2, ratio=False)

SATURATED = (RATE, CPU, LOAD, GENERATOR)
STEADY = (P50, P99, MAX, CPU)
LAST = (
    CPU,
    Figure("p50_us", "till the last has it, p50 ms", 1e-3, 2),
    Figure("p99_us", "p99 ms", 1e-3, 2),
)
CROWD = (
    Figure("connections_per_s", "connections/s", digits=0),
    Figure("bytes_per_member", "kB/idle member", 1e-3, 1),
    Figure("to_all_us", "one to all, ms", 1e-3, 1),
    Figure("idle_load", "idle CPU %", 100, 2, ratio=False),
)
STALLED = (
    Figure("without_p99_us", "p99 ms without", 1e-3, 2),
    Figure("with_p99_us", "p99 ms with", 1e-3, 2),
    Figure("without_memory", "MB without", 1e-6, 1, ratio=False),
    Figure("with_memory", "MB with", 1e-6, 1, ratio=False),
)


def _saturated(members: int, talkers: int, window: int) -> Workload:
    who = "all talking" if talkers == members else f"{talkers} talking"
    name = f"saturated-{members}-{talkers}"
    if window == 1:
        who, name = f"{who}, each waits for its answer", f"{name}-waiting"
    options: Options = {"workload": "saturated", "members": members, "talkers": talkers}
    return Workload(
        name,
        f"saturated: {members:,} members, {who}",
        SATURATED,
        {"": options | {"window": window, "seconds": 3}},
        {"seconds": 1},
    )


def _one(members: int) -> Workload:
    return Workload(
        f"one-{members}",
        f"one in flight: {members:,} members",
        LAST,
        {"": {"workload": "one", "members": members, "talkers": 10, "seconds": 3}},
        {"seconds": 1},
    )


def _steady(members: int, rate: int) -> Workload:
    return Workload(
        f"steady-{members}",
        f"steady: {members:,} members, {rate} messages/s",
        STEADY,
        {"": {"workload": "steady", "members": members, "talkers": 10, "rate": rate, "seconds": 6}},
        {"seconds": 2},
    )


def _crowd(members: int, deadline: int, idle: int) -> Workload:
    options: Options = {"workload": "crowd", "members": members, "idle": idle, "deadline": deadline}
    return Workload(
        f"crowd-{members}",
        f"crowd: {members:,} members",
        CROWD,
        {"": options},
        {"idle": 1, "members": min(members, 2000)},
        once=True,
    )


def _stalled() -> Workload:
    options: Options = {"workload": "steady", "members": 100, "talkers": 10, "rate": 200}
    options |= {"fill": 6000, "seconds": 6, "window": 64}
    parts: dict[str, Options] = {"without_": options, "with_": options | {"stalled": 1}}
    return Workload(
        "stalled", "one stalled reader among 100, 200 messages/s", STALLED, parts, {"seconds": 2}
    )


WORKLOADS = (
    _saturated(100, 100, 32),
    _saturated(100, 100, 1),
    _saturated(100, 1, 256),
    _saturated(1000, 10, 32),
    _saturated(1000, 10, 1),
    _saturated(10, 10, 256),
    _one(100),
    _one(1000),
    _steady(100, 50),
    _steady(1000, 10),
    _stalled(),
    _crowd(1000, 60, 5),
    _crowd(9000, 240, 30),
)
