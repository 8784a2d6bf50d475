"""What limits a room on many servers: `python benchmarks/scaling.py`, two minutes.

It measures each part on this machine (`parts`, and `shared` for two servers and Redis together),
and says by arithmetic and simulation what a room would carry on 10, 100 and 1,000 servers, and how
many rooms a Redis Cluster would (`arithmetic`). Tables in Markdown; `--write FILE.md` puts them
into a page, as for `run.py`.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from statistics import median

from arithmetic import Costs, Room, busiest, coming_in, limits, pause, rooms_on
from generator import Result
from lineup import run_server
from parts import measure_redis, measure_roster, measure_server
from report import BEGIN, END, has_place_for_tables, replace_tables
from run import allow_many_files
from shared import SETUPS, redis_server, run_setup
from workloads import Options

SERVERS = 10, 100, 1000

ROSTERS = 1000, 10_000, 100_000

Found = dict[str, float]


def main() -> int:
    """Measure, reckon, and print it."""
    options = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and clean up
    allow_many_files()
    count = 500 if options.quick else 20_000
    server = measure_server(count)
    rosters = [measure_roster(size // 10 if options.quick else size) for size in ROSTERS]
    with tempfile.TemporaryDirectory(prefix="triochat-benchmark-") as name:
        folder = Path(name)
        redis = {sync: _redis(sync, folder, count // 4) for sync in ("everysec", "always")}
        shared = _share(folder, options)
    costs = _costs(redis["everysec"], server, rosters, shared)
    tables = {
        "The parts": _measured(redis, server, shared, costs),
        "The roster, on each server": _told_rosters(rosters),
        "One room": _carried(costs),
        "Until the last server has applied a message": _waited(costs, 0.2 if options.quick else 5),
        "Many rooms": _rooms(costs),
    }
    text = "\n\n".join(f"### {title}\n\n{table}" for title, table in tables.items())
    if options.write:
        replace_tables(options.write, text)
    print(text)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What limits a room on many servers.")
    add = parser.add_argument
    add("--quick", action="store_true", help="see whether it works")
    add("--runs", type=int, default=3, metavar="N", help="rounds with servers (default: 3)")
    add("--seconds", type=float, default=2, metavar="S", help="of talking in each (default: 2)")
    add("--write", type=Path, metavar="FILE.md", help="write the tables there")
    options = parser.parse_args()
    if options.write and not has_place_for_tables(options.write):
        parser.error(f"{options.write} has no place for tables between {BEGIN} and {END}")
    return options


# ---- measuring


def _redis(sync: str, folder: Path, count: int) -> Found:
    with (
        tempfile.TemporaryDirectory(dir=folder) as name,
        run_server(redis_server(sync), Path(name)) as (port, _),
    ):
        return measure_redis(port, Path(name), count)


def _share(folder: Path, options: argparse.Namespace) -> Found:
    """What is measured between servers, Redis and members, all of them running."""
    one: Options = {"workload": "one", "members": 10, "talkers": 1, "away": 1}
    hundred = one | {"members": 100}
    most, idle = (100, 0.5) if options.quick else (1000, 3.0)
    many: Options = {"workload": "saturated", "members": most, "talkers": 10, "checking": 20}
    setups = {setup.name: setup for setup in SETUPS}
    wanted = {f"one-{name}": (name, one) for name in ("alone", "one", "two")}
    wanted |= {"hundred": ("alone", hundred), "many": ("alone", many | {"window": 32})}
    wanted |= {"rest": ("one", {"workload": "crowd", "members": 10, "idle": idle})}
    results: dict[str, list[Result]] = {what: [] for what in wanted}
    for _ in range(options.runs):
        for what, (name, room) in wanted.items():
            result = run_setup(setups[name], folder, room | {"seconds": options.seconds})
            if "why" in result:
                sys.exit(f"void: {result['why']}")
            results[what].append(result)
    return {
        f"{what}_{key}": median(float(result[key]) for result in rounds)
        for what, rounds in results.items()
        for key in ("p50_us", "message_us", "cpu_us", "idle_load", "memory")
        if key in rounds[0]
    }


def _costs(redis: Found, server: Found, rosters: list[Found], shared: Found) -> Costs:
    """What they are; sharing takes a server as much for writing an entry as for reading it."""
    both = max(0.0, shared["one-one_message_us"] - shared["one-alone_message_us"])
    busy = redis["add"] + 2 * redis["serve"] + both
    waited = shared["one-two_p50_us"] - shared["one-alone_p50_us"] - busy
    last = rosters[-1]
    names = ("add", "add_byte", "serve", "serve_byte", "lease", "entry", "message")
    return Costs(
        **{name: redis[name] for name in names},
        write=both / 2,
        read=both / 2,
        request=server["request_10"],
        join=rosters[0]["join"],
        join_member=(last["join"] - rosters[0]["join"]) / (last["members"] - rosters[0]["members"]),
        put=shared["hundred_cpu_us"],
        delivery=shared["many_cpu_us"],
        member=last["member"],
        line=server["line"],
        name=last["welcome"] / last["members"],
        hop=max(50.0, waited / 2),
    )


# ---- telling


def _table(*rows: tuple[str, ...]) -> str:
    head, *others = rows
    rule = ("---", *("---:" for _ in head[1:]))
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *others))


def _measured(redis: dict[str, Found], server: Found, shared: Found, costs: Costs) -> str:
    kept, always = redis["everysec"], redis["always"]
    one = kept["add"] + kept["entry"] * kept["add_byte"]
    one_always = always["add"] + always["entry"] * always["add_byte"]
    told = kept["serve"] + kept["entry"] * kept["serve_byte"]
    hour = 36_000 * kept["kept"] / 1e6
    file = 36_000 * kept["written"] / 1e6
    requests = ", ".join(f"{server[f'request_{size}']:.1f}" for size in (1, 10, 100))
    own = shared["one-one_message_us"] - shared["one-alone_message_us"]
    other = shared["one-two_message_us"] - shared["one-one_message_us"]
    ratio = shared["one-two_p50_us"] / shared["one-alone_p50_us"]
    return _table(
        ("part", "here"),
        ("Redis: an entry with one message, which comes alone", f"{one:.1f} us"),
        ("... so many a second", f"{1e6 / one:,.0f}"),
        ("... with `appendfsync always`", f"{one_always:.0f} us, {1e6 / one_always:,.0f} a second"),
        ("Redis: tell one server that waits for it", f"{told:.1f} us"),
        ("Redis: look for one lease among 1,000", f"{kept['lease']:.2f} us"),
        ("an entry with one message", f"{kept['entry']:.0f} bytes"),
        ("... each further message in it", f"{kept['message']:.0f} bytes"),
        ("... in the memory of Redis", f"{kept['kept']:.0f} bytes"),
        ("... in its file", f"{kept['written']:.0f} bytes"),
        ("an hour of 10 messages a second: memory, file", f"{hour:.1f} MB, {file:.1f} MB"),
        ("a server: apply a message, of 1, 10, 100 in an entry", f"{requests} us"),
        ("a server: what an entry takes more than none, which comes alone", f"{own:.0f} us"),
        ("a server: an entry of another one, which comes alone", f"{other:.0f} us"),
        ("a server: write what is told to one member", f"{costs.put:.1f} us"),
        ("a server: a delivery, of many written at once", f"{costs.delivery:.3f} us"),
        ("... so many a second", f"{1e6 / costs.delivery:,.0f}"),
        ("a server at rest, of a core", f"{shared['rest_idle_load']:.2%}"),
        ("... its memory", f"{shared['rest_memory'] / 1e6:.0f} MB"),
        ("one in flight: two servers, beside one without Redis", f"{ratio:.1f}x"),
        ("from a server to Redis, with its code", f"{costs.hop:.0f} us"),
    )


def _told_rosters(rosters: list[Found]) -> str:
    head = ("members of the room", "on each server", "apply a join", "the roster that it is told")
    head += ("a snapshot", "write it", "load it")
    return _table(
        head,
        *(
            (
                f"{found['members']:,.0f}",
                f"{found['member'] * found['members'] / 1e6:,.1f} MB",
                f"{found['join'] / 1e3:,.2f} ms",
                f"{found['welcome'] / 1e3:,.0f} kB",
                f"{found['snapshot'] / 1e6:,.1f} MB",
                f"{found['dump'] / 1e3:,.0f} ms",
                f"{found['load'] / 1e3:,.0f} ms",
            )
            for found in rosters
        ),
    )


def _carried(costs: Costs) -> str:
    head = ("servers", "members", "messages a second", "what ends first", "then")
    rows = [(*head, "told each", "roster on each", "all are in after")]
    for servers in SERVERS:
        for members in (100 * servers, 1000 * servers, 10_000 * servers):
            first, then, *_ = limits(costs, servers, members)
            memory = members * costs.member / 1e6
            rows.append(
                (
                    f"{servers:,}",
                    f"{members:,}",
                    f"{first.rate:,.0f}",
                    first.part,
                    f"{then.part} ({then.rate:,.0f})",
                    _period(pause(costs, members / servers)),
                    f"{memory:,.0f} MB",
                    _period(coming_in(costs, servers, members)),
                )
            )
    return _table(*rows)


def _period(seconds: float) -> str:
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.1f} s"


def _waited(costs: Costs, seconds: float) -> str:
    rows = [("servers", "messages a second", "p50 ms", "p99 ms", "Redis is busy")]
    for servers in SERVERS:
        for rate in (10, 100, 1000):
            latency = Room(costs, servers, rate).run(max(50, int(rate * seconds)))
            told = (f"{latency.p50:.1f}", f"{latency.p99:.1f}", f"{latency.load:.0%}")
            rows.append((f"{servers:,}", f"{rate:,}", *told))
    return _table(*rows)


def _rooms(costs: Costs) -> str:
    rows = [("each room has", "0.1 messages a second", "1", "10")]
    for servers in (2, 3, 10):
        rooms = [f"{rooms_on(costs, servers, rate):,}" for rate in (0.1, 1, 10)]
        rows.append((f"{servers} servers: rooms of one Redis", *rooms))
    spread = [("masters", "10 rooms each", "100 rooms each", "1,000 rooms each")]
    for masters in (3, 10, 100):
        shares = [f"{busiest(rooms * masters, masters):.2f}x" for rooms in (10, 100, 1000)]
        spread.append((f"{masters}: what the busiest has, to the average", *shares))
    return f"{_table(*rows)}\n\n{_table(*spread)}"


if __name__ == "__main__":
    sys.exit(main())
