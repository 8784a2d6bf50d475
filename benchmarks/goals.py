"""What an attack has done, and which goals are met."""

from collections.abc import Callable
from dataclasses import dataclass, field

from harmless import Notes

BURST, RATE = 200.0, 20.0
"""Messages that a flooder may get through at once, and then a second."""

BACK = 8.0
"""Megabytes that a server may keep after an attack."""

JOIN = 1000.0
"""Milliseconds in which a newcomer must be in."""

MUCH = 20_000
"""Messages after which a member that takes none of them must be gone."""

SMALL = 1000
"""Bytes of log that an attack may cause."""


@dataclass
class Result:
    """What an attack has done.

    Attributes:
        notes: what the members measured.
        counts: what the attackers did.
        seconds: how long they were at it.
        cpu: of the server meanwhile, in cores.
        memory: of the server before, at most, and after; in megabytes.
        files: that the server had open before, and after.
        log: what the server has said on standard error meanwhile.
        lives: the server is still there.
        others: what other programs used of the machine, in cores.
    """

    notes: Notes = field(default_factory=Notes)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cpu: float = 0.0
    memory: tuple[float, float, float] = (0.0, 0.0, 0.0)
    files: tuple[int, int] = (0, 0)
    log: str = ""
    lives: bool = True
    others: float = 0.0


Goal = Callable[[Result], str]
"""Says in which way a goal is not met; nothing if it is."""


def nobody_suffers(result: Result) -> str:
    """Whoever does nothing wrong stays, gets in, and the server is what it was."""
    notes, (before, _, after) = result.notes, result.memory
    out = [name for name in notes.out if not name.startswith("k")]
    return "; ".join(
        filter(
            None,
            [
                "" if result.lives else "the server is gone",
                f"put out: {' '.join(out[:4])}{' ...' * (len(out) > 4)}" if out else "",
                f"join in {max(notes.joins):.0f} ms" if max(notes.joins, default=0) > JOIN else "",
                f"{after - before:.0f} MB kept" if after - before > BACK else "",
                f"log of {len(result.log)} bytes" if len(result.log) > SMALL else "",
            ],
        )
    )


def pings_within(milliseconds: float) -> Goal:
    """Nearly all pings are answered within this time."""

    def goal(result: Result) -> str:
        p99 = percentile(result.notes.pings, 0.99)
        return "" if p99 < milliseconds else f"ping p99 not below {milliseconds:.0f} ms"

    return goal


def joins_within(milliseconds: float) -> Goal:
    """Each newcomer is in within this time, and some came."""

    def goal(result: Result) -> str:
        slowest = max(result.notes.joins, default=float("inf"))
        return "" if slowest < milliseconds else f"join max not below {milliseconds:.0f} ms"

    return goal


def no_descriptor_is_left(result: Result) -> str:
    """As many files are open as before, but for newcomers who go just now."""
    before, after = result.files
    return "" if after <= before + 1 else f"{after - before} descriptors left"


def words_within(milliseconds: float) -> Goal:
    """Nearly all that others say arrives within this time."""

    def goal(result: Result) -> str:
        p99 = percentile(result.notes.words, 0.99)
        return "" if p99 < milliseconds else f"words p99 not below {milliseconds:.0f} ms"

    return goal


def heard_no_more_than_allowed(result: Result) -> str:
    """Nobody gets more through than a burst and then the rate."""
    most = max(result.notes.heard.values(), default=0)
    allowed = BURST + RATE * (result.seconds + 1)
    return "" if most <= allowed * 1.05 else f"{most / result.seconds:.0f} lines a second of one"


def coming_back_is_no_use(result: Result) -> str:
    """Ten who come back under other names get no more through than ten who stay."""
    allowed = 10 * (BURST + RATE * (result.seconds + 1))
    rate = result.notes.spam / result.seconds
    return "" if result.notes.spam <= allowed * 1.05 else f"{rate:.0f} lines a second of all"


def stuck_is_out(result: Result) -> str:
    """Who takes nothing is put out, if there was much to take."""
    is_out = "k0" in result.notes.out or max(result.notes.heard.values(), default=0) < MUCH
    return "" if is_out else "who reads nothing is still there"


def asker_stays(result: Result) -> str:
    """Who asks much, but reads, is not put out."""
    return "" if not result.counts.get("put out") else "the one who asks was put out"


def log_is_clean(result: Result) -> str:
    """Nothing is logged."""
    return f"logged: {result.log.splitlines()[0][:60]}" if result.log.strip() else ""


def percentile(values: list[float], part: float) -> float:
    """So much of the values is at most this; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0
