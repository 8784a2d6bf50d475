"""Attack chat servers: `python benchmarks/attacks.py` tells what the other members feel of it.

The server has one core; the members, in a process of their own, and the attackers, in another,
have the rest. Everything is bounded in number and time, and stays on the loopback. Whether a goal
is met stands in the last column; the exit code is 0 all the same.
"""

import argparse
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import attackers
import intruders
import sealed
from goals import (
    Goal,
    Result,
    asker_stays,
    coming_back_is_no_use,
    heard_no_more_than_allowed,
    joins_within,
    log_is_clean,
    no_descriptor_is_left,
    nobody_suffers,
    percentile,
    pings_within,
    stuck_is_out,
    words_within,
)
from harmless import PATIENCE, Plan, suffer
from hostile import Hostile, attack
from lineup import NGIRCD, DidNotStartError, Server, find_program, run_server
from run import allow_many_files
from wires import WIRES, Wire

DISTURBED = 0.2
"""Cores that other programs used, from which on a row says so."""

REST = 3.0
"""Seconds after an attack until the server's memory is looked at again."""


@dataclass(frozen=True)
class Attack:
    """An attack.

    Attributes:
        kind: what each attacker does; ``count`` of them, else as many as there are of this kind.
        seconds: how long, at most.
        plan: who is there besides.
        goals: what must be so, besides that nobody suffers.
        files: how many the server may have open, where that is limited.
        unlimited: the server lets everybody talk as fast as they like, if it can.
        is_sealed: the attackers speak TLS.
        door: of which servers it is about, besides triochat's: all, where there is none.
    """

    name: str
    kind: type[Hostile]
    count: int = 0
    seconds: float = 10.0
    plan: Plan = field(default_factory=Plan)
    goals: tuple[Goal, ...] = (pings_within(50),)
    files: int = 0
    unlimited: bool = False
    is_sealed: bool = False
    door: str = ""

    def is_about(self, server: Server) -> bool:
        """Whether it has what is attacked: ngircd has no door for browsers, and here no TLS."""
        return server.dialect != "irc" or (not self.is_sealed and self.door in ("", "irc"))


_LOST = (log_is_clean,)
_FLOOD = (words_within(200), heard_no_more_than_allowed)

ATTACKS = (
    Attack("strangers", attackers.Noisy),
    Attack("strangers-silent", attackers.Silent, files=200),
    Attack("strangers-stubborn", attackers.Stubborn, files=200),
    Attack("slowloris", attackers.Slow),
    Attack("strangers-deaf", attackers.Deaf),
    Attack("strangers-costly", attackers.Costly),
    Attack("flood-1", attackers.Flooder, 1, 30, Plan(5, 1, flooders=1), _FLOOD),
    Attack("flood-10", attackers.Flooder, 10, 30, Plan(5, 1, flooders=10), _FLOOD),
    Attack(
        "flood-slow-reader",
        attackers.Flooder,
        1,
        45,
        Plan(5, 1, slow=3, stuck=1, flooders=1),
        (words_within(1000), stuck_is_out),
        unlimited=True,
    ),
    Attack(
        "who-flood", attackers.Asker, plan=Plan(idle=289), goals=(pings_within(50), asker_stays)
    ),
    Attack("who-plain", attackers.PlainAsker, plan=Plan(idle=289)),
    Attack(
        "hit-and-run",
        attackers.HitAndRun,
        plan=Plan(5, 1),
        goals=(words_within(200), coming_back_is_no_use),
    ),
    Attack("refused", attackers.Refused),
    Attack("churn", attackers.Churner, goals=(pings_within(50), no_descriptor_is_left)),
    Attack(
        "strangers-many", attackers.Crowding, seconds=180, files=200, goals=(joins_within(2000),)
    ),
    Attack("restless-950", attackers.Restless, plan=Plan(idle=934)),
    Attack("web-half-head", intruders.HalfHead, files=200, door="web"),
    Attack("web-slow-head", intruders.SlowHead, door="web"),
    Attack("web-huge-head", intruders.HugeHead, door="web"),
    Attack("web-page", intruders.Page, door="web"),
    Attack("web-silent", intruders.SilentSocket, files=200, door="web"),
    Attack("web-unmasked", intruders.Unmasked, door="web"),
    Attack("web-announced", intruders.Announced, door="web"),
    Attack("web-fragments", intruders.Fragments, door="web"),
    Attack("web-empty", intruders.Empty, door="web"),
    Attack("web-pings", intruders.Pings, door="web"),
    Attack("web-pings-deaf", intruders.DeafPings, door="web"),
    Attack("irc-nicks", intruders.Nicks, door="irc"),
    Attack("irc-joins", intruders.Joins, door="irc"),
    Attack("irc-users", intruders.Users, door="irc"),
    Attack("irc-pings", intruders.IrcPings, door="irc"),
    Attack("irc-pings-deaf", intruders.DeafIrcPings, door="irc"),
    Attack("half-close", attackers.HalfClose, seconds=5, goals=_LOST),
    Attack("http", attackers.Http, seconds=5, goals=_LOST),
    Attack("tls", attackers.Tls, seconds=5, goals=_LOST),
    Attack("random", attackers.Random, seconds=5, goals=_LOST),
    Attack("tls-begun", sealed.Begun, is_sealed=True),
    Attack("tls-garbage", sealed.Garbage, is_sealed=True),
    Attack("tls-keys", sealed.NewKeys, is_sealed=True),
    Attack(
        "tls-churn",
        sealed.SealedChurner,
        goals=(pings_within(50), no_descriptor_is_left),
        is_sealed=True,
    ),
)

SERVERS = """triochat, whose members speak NDJSON; web and irc, where they come from browsers and
from IRC clients; other; ngircd (default: all but web and irc)"""

COLUMNS = (
    ("attack", 19),
    ("server", 9),
    ("ping p50", 8),
    ("p99", 7),
    ("max", 7),
    ("words p99", 9),
    ("join max", 8),
    ("CPU", 5),
    ("MB before", 9),
    ("peak", 6),
    ("after", 6),
    ("goals", 5),
)


def main() -> int:
    """Run what the command line asks for."""
    options = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and clean up
    allow_many_files()
    servers = _choose_servers(options)
    print("Times in milliseconds, CPU in cores.\n")
    print("  ".join(f"{name:<{width}}" for name, width in COLUMNS).rstrip(), flush=True)
    for work in ATTACKS:
        if not options.only or any(work.name.startswith(name) for name in options.only):
            for server in servers:
                if work.is_about(server):
                    _report(work, server, options)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Attack chat servers on this machine.")
    add = parser.add_argument
    names = ", ".join(work.name for work in ATTACKS)
    add("--only", nargs="+", metavar="ATTACK", help=f"{names}; or how their names start")
    add("--servers", nargs="+", metavar="SERVER", help=SERVERS)
    add("--against", metavar="PYTHON", help="an interpreter that has another triochat")
    add("--seconds", type=float, metavar="S", help="the longest that an attack may take")
    add("--options", default="", metavar="WORDS", help="options of triochat's server")
    return parser.parse_args()


# ---- the servers


def _choose_servers(options: argparse.Namespace) -> list[Server]:
    extra = shlex.split(options.options)
    servers = [_triochat("triochat", sys.executable, extra)]
    for name, dialect in (("web", "web"), ("irc", "irc-room")):
        if name in (options.servers or ()):
            servers.append(_triochat(name, sys.executable, extra, dialect))
    if options.against:
        servers.append(_triochat("other", options.against, extra))
    if find_program("ngircd"):
        servers.append(Server("ngircd", "ngircd", "irc", _ngircd))
    else:
        print("ngircd: skipped, it is not installed")
    chosen = [one for one in servers if not options.servers or one.name in options.servers]
    return chosen or sys.exit("nothing to attack; see --help")


def _triochat(name: str, python: str, extra: list[str], dialect: str = "ndjson") -> Server:
    words = [python, "-m", "triochat", "server"]
    return Server(name, name, dialect, lambda port, _: [*words, str(port), "--headless", *extra])


def _ngircd(port: int, folder: Path) -> list[str]:
    """As it comes, with its penalties, but for its limits of connections from one address."""
    lifted = ("MaxPenaltyTime", "PingTimeout", "PongTimeout")
    lines = NGIRCD.format(port=port).splitlines(keepends=True)
    config = folder / "ngircd.conf"
    config.write_text("".join(line for line in lines if not line.startswith(lifted)))
    return [find_program("ngircd"), "--nodaemon", "--config", str(config)]


def _prepared(server: Server, work: Attack) -> Server:
    """The same, with as many files as the attack leaves it, and without a rate if it wants none."""

    def command(port: int, folder: Path) -> list[str]:
        words = server.command(port, folder)
        if work.unlimited and server.dialect != "irc" and _has_rate(words[0]):
            words += ["--rate", "0"]
        limit = f"ulimit -n {work.files} && " if work.files else ""
        state = f"XDG_STATE_HOME={shlex.quote(str(folder))} "  # where it keeps its key
        return ["sh", "-c", f'{limit}{state}exec "$@"', "sh", *words]

    return Server(server.name, server.title, server.dialect, command)


def _has_rate(python: str) -> bool:
    """Whether this triochat knows ``--rate``."""
    asked = [python, "-m", "triochat", "server", "--help"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
    return "--rate" in done.stdout


# ---- one attack


def _report(work: Attack, server: Server, options: argparse.Namespace) -> None:
    """Run an attack, and print its row."""
    with tempfile.TemporaryDirectory(prefix="triochat-attack-") as name:
        try:
            result = _run(work, server, Path(name), options.seconds)
        except (DidNotStartError, EOFError, TimeoutError) as error:
            print(f"{work.name:<19}  {server.name:<9}  could not be run: {error}", flush=True)
            return
    notes = result.notes
    missed = [*filter(None, (goal(result) for goal in (nobody_suffers, *work.goals)))]
    cells = [
        work.name,
        server.name,
        f"{percentile(notes.pings, 0.5):.1f}",
        f"{percentile(notes.pings, 0.99):.1f}",
        f"{max(notes.pings, default=0):.1f}",
        f"{percentile(notes.words, 0.99):.1f}" if notes.words else "-",
        f"{max(notes.joins):.0f}" if notes.joins else "-",
        f"{result.cpu:.2f}",
        *(f"{megabytes:.0f}" for megabytes in result.memory),
        "met" if not missed else f"NOT MET: {'; '.join(missed)}",
    ]
    widths = [width for _, width in COLUMNS]
    left = [cell.ljust(width) for cell, width in zip(cells[:2], widths, strict=False)]
    right = [cell.rjust(width) for cell, width in zip(cells[2:-1], widths[2:], strict=False)]
    print("  ".join([*left, *right, cells[-1]]))
    print(f"{'':<19}  {_aside(result)}", flush=True)


def _aside(result: Result) -> str:
    """What else is worth knowing."""
    did = ", ".join(f"{what} {count}" for what, count in sorted(result.counts.items()))
    words = [f"attackers in {result.seconds:.0f} s: {did}"]
    if heard := result.notes.heard:
        words.append(f"heard of one flooder: {max(heard.values())} lines")
    elif spam := result.notes.spam:
        words.append(f"heard of all: {spam} lines")
    if out := result.notes.out:
        words.append(f"out: {len(out)}")
    if result.notes.late > 20:
        words.append(f"the members themselves were up to {result.notes.late:.0f} ms late")
    if result.others > DISTURBED:
        words.append(f"(disturbed: other programs had {result.others:.2f} cores)")
    return "; ".join(words)


def _run(work: Attack, server: Server, folder: Path, longest: float | None) -> Result:
    seconds = min(work.seconds, longest or work.seconds)
    busy, ours, start = _busy(), sum(os.times()[:4]), time.perf_counter()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])  # the server inherits it
    try:
        with run_server(_prepared(server, work), folder) as (port, pid):
            os.sched_setaffinity(0, cores[1:] or cores)
            place = (port, WIRES[server.dialect])
            with _process(suffer, place, work.plan, seconds + 60) as members:
                if not _receive(members, 4 * PATIENCE):
                    raise TimeoutError("not all members got in")
                result = _attack(work, place, seconds, pid, members)
        result.log = (folder / f"{server.name}.stderr").read_text(errors="replace")
    finally:
        os.sched_setaffinity(0, cores)
    others = _busy() - busy - (sum(os.times()[:4]) - ours)  # all that we started has ended
    result.others = others / (time.perf_counter() - start)
    return result


def _attack(
    work: Attack,
    place: tuple[int, Wire],
    seconds: float,
    pid: int,
    members: Connection,
) -> Result:
    """Let the attackers loose on those who are in; what came of it."""
    if work.is_sealed:
        sealed.knock(place[0])
    before, files = _memory(pid, "VmRSS"), _files(pid)
    with suppress(OSError):  # what the most was starts again here
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    result, cpu, start = Result(), _cpu(pid), time.perf_counter()
    with _process(attack, work.kind, work.count or work.kind.count, place, seconds) as others:
        result.counts = _receive(others, seconds + PATIENCE)
    result.seconds = time.perf_counter() - start
    result.cpu = (_cpu(pid) - cpu) / result.seconds
    members.send("over")
    result.notes = _receive(members, 3 * PATIENCE)
    time.sleep(REST)
    result.memory = (before, _memory(pid, "VmHWM"), _memory(pid, "VmRSS"))
    result.lives = result.memory[2] > 0
    result.files = (files, _files(pid))
    members.send("leave")
    return result


@contextmanager
def _process(act: Callable[..., None], *words: object) -> Iterator[Connection]:
    """Do this in a process of its own; gives our end of a pipe to it. It is gone afterwards."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=act, args=(*words, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
        process.join(timeout=PATIENCE)
    finally:
        process.kill()
        process.join()
        ours.close()


def _receive(tell: Connection, seconds: float) -> Any:  # noqa: ANN401  it knows what it sends
    """What the other process tells, if it does within this time."""
    if not tell.poll(seconds):
        raise TimeoutError("no result in time")
    return tell.recv()


def _memory(pid: int, which: str) -> float:
    """Megabytes of memory that a process has (``VmRSS``), or had at most (``VmHWM``)."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(which):
                return int(line.split()[1]) / 1024
    return 0.0


def _files(pid: int) -> int:
    """How many files a process has open."""
    with suppress(OSError):
        return len([*Path(f"/proc/{pid}/fd").iterdir()])
    return 0


def _busy() -> float:
    """Seconds that all processors have been busy."""
    user, nice, system, _, _, irq, soft, *_ = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, irq, soft))) / os.sysconf("SC_CLK_TCK")


def _cpu(pid: int) -> float:
    """Seconds of a processor that a process has used."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


if __name__ == "__main__":
    sys.exit(main())
