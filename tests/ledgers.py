"""A ledger in memory, which can be cut off, be slow, write twice, and lose what it has."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from triochat.ledger import (
    DUTY,
    LEASE,
    START,
    Access,
    Entry,
    GapError,
    LedgerError,
    LostError,
    Position,
    Reached,
    Standing,
)


class MemoryLedger:
    """What all servers of a test share; each of them has a `Road` to it.

    Attributes:
        entries: what was written, in order.
        run: counts its restarts.
        refuses: why nothing can be written now, if so.
    """

    def __init__(self, epoch: float = 1767322984.678) -> None:
        self.entries: list[Entry] = []
        self.run = 0
        self.refuses = ""
        self.roads: list[Road] = []
        self._epoch = epoch - trio.current_time()
        self._last = Position()
        self._snapshot: tuple[Position, bytes] | None = None
        self._held: dict[str, tuple[str, float]] = {}  # until when each key is held, and by whom
        self._roll: dict[str, tuple[Reached, float]] = {}
        self._grown = trio.Event()

    def road(self, **faults: float) -> "Road":
        """One server's way to it."""
        self.roads.append(Road(self, **faults))
        return self.roads[-1]

    def restart(self, keep: int | None = None) -> None:
        """End all connections; of the entries only so many are there afterwards, if told so."""
        self.run += 1
        if keep is not None:
            del self.entries[keep:]
            self._last = self.entries[-1].position if self.entries else Position()
        for road in self.roads:
            road.cut()

    # ---- what `Access` does, at once

    def _add(self, data: bytes) -> None:
        if self.refuses:
            raise LedgerError(self.refuses)
        if not self.entries:
            raise LostError("nothing is there")
        self._append(data)

    def _append(self, data: bytes) -> None:
        now = int((self._epoch + trio.current_time()) * 1000)
        last = self._last
        position = Position(now, 0) if now > last.time else Position(last.time, last.number + 1)
        self._last = position
        self.entries.append(Entry(position, data))
        self._grown.set()
        self._grown = trio.Event()

    def _after(self, position: Position) -> list[Entry]:
        return [entry for entry in self.entries if entry.position > position][:100]

    async def _wait_grown(self) -> None:
        with trio.move_on_after(1):
            await self._grown.wait()

    def _standing(self, position: Position) -> Standing:
        positions = [entry.position for entry in self.entries]
        if position in positions:
            return Standing.KEPT
        is_older = bool(positions) and position < positions[0]
        return Standing.TRIMMED if is_older else Standing.LOST

    def _found(self, entry: bytes, snapshot: bytes, former: Position | None, leader: str) -> bool:
        if self._holder("lead")[0] != leader if former else self.entries:
            return False
        self._last = max(self._last, former or self._last)
        self.entries.clear()
        self._append(entry)
        self._snapshot = self._last, snapshot
        return True

    def _load(self) -> tuple[Position, bytes] | None:
        return self._snapshot

    def _save(self, snapshot: bytes, position: Position, keep: Position) -> None:
        self._snapshot = position, snapshot
        least = min(position, keep)
        self.entries = [entry for entry in self.entries if entry.position >= least]

    def _holder(self, key: str) -> tuple[str, float]:
        who, until = self._held.get(key, ("", 0.0))
        left = until - trio.current_time()
        return (who, left) if left > 0 else ("", 0.0)

    def _hold(self, key: str, who: str, seconds: float) -> None:
        self._held[key] = who, trio.current_time() + seconds

    def _take(self, key: str, who: str) -> bool:
        if self._holder(key)[0] not in ("", who):
            return False
        self._hold(key, who, DUTY)
        return True

    def _release(self, key: str, who: str) -> None:
        if self._holder(key)[0] == who:
            del self._held[key]

    def _call_roll(self, name: str, reached: Reached) -> dict[str, Reached]:
        now = trio.current_time()
        self._roll[f"{self.run} {name}"] = reached, now + DUTY
        return {
            key.partition(" ")[2]: reached
            for key, (reached, until) in self._roll.items()
            if key.startswith(f"{self.run} ") and until > now
        }


class Road:
    """One server's way to a ledger in memory.

    Args:
        ledger: where it leads.
        delay: seconds that each way takes at most, and half of them at least.
        twice: how probable it is that an entry is written twice.
        lost: how probable it is that the answer is lost, and the connection with it.
        seed: of all that is random.

    Attributes:
        is_open: whether it can be gone now.
        delay: as it was given.
    """

    where = "the ledger"

    def __init__(
        self,
        ledger: MemoryLedger,
        *,
        delay: float = 0.0,
        twice: float = 0.0,
        lost: float = 0.0,
        seed: float = 0,
    ) -> None:
        self.ledger = ledger
        self.is_open = True
        self.delay, self._twice, self._lost = delay, twice, lost
        self._random = random.Random(seed)  # noqa: S311
        self._scopes: set[trio.CancelScope] = set()

    def cut(self) -> None:
        """End what connections there are."""
        for scope in self._scopes:
            scope.cancel()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Access]:
        """As `Ledger.open`."""
        await trio.lowlevel.checkpoint()
        self._check()
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                yield _Access(self)
            finally:
                self._scopes.discard(scope)
        if scope.cancelled_caught:
            raise LedgerError("the connection was cut")

    def _check(self) -> None:
        if not self.is_open:
            raise LedgerError("there is no way to it")

    async def go(self) -> None:
        """One way."""
        await trio.sleep(self.delay * self._random.uniform(0.5, 1.0))
        self._check()

    async def add(self, data: bytes) -> None:
        """Write this, or fail to."""
        await self.go()
        self.ledger._add(data)
        if self._random.random() < self._twice:
            self.ledger._add(data)
        if self._random.random() < self._lost:
            self.cut()
        await self.go()


class _Access:
    def __init__(self, road: Road) -> None:
        self.run = str(road.ledger.run)
        self._road = road
        self._leader = "nobody"
        self._ledger = road.ledger

    async def read(self, after: Position) -> Sequence[Entry]:
        await self._road.go()
        if not self._ledger.entries:
            raise LostError("nothing is there")
        if not self._ledger._after(after):
            await self._ledger._wait_grown()
        found, standing = self._ledger._after(after), self._ledger._standing(after)
        await self._road.go()
        if standing is not Standing.KEPT and not found:
            raise LostError("nothing is there")
        if standing is not Standing.KEPT and after != START:
            raise GapError("what came next is gone")
        return found

    async def last(self) -> Position | None:
        await self._road.go()
        entries = self._ledger.entries
        return entries[-1].position if entries else None

    async def standing(self, position: Position) -> Standing:
        await self._road.go()
        return self._ledger._standing(position)

    async def add(self, data: bytes) -> None:
        await self._road.add(data)

    async def found(self, entry: bytes, snapshot: bytes, former: Position | None = None) -> bool:
        await self._road.go()
        return self._ledger._found(entry, snapshot, former, self._leader)

    async def load(self) -> tuple[Position, bytes] | None:
        await self._road.go()
        return self._ledger._load()

    async def save(self, snapshot: bytes, position: Position, keep: Position) -> None:
        await self._road.go()
        self._ledger._save(snapshot, position, keep)

    async def holder(self, name: str) -> tuple[str, float]:
        await self._road.go()
        return self._ledger._holder(f"lease {name}")

    async def sign(self, name: str, incarnation: str, names: Sequence[str]) -> dict[str, str]:
        await self._road.go()
        self._ledger._hold(f"lease {name}", incarnation, LEASE)
        held = {each: self._ledger._holder(f"lease {each}")[0] for each in names}
        return {each: who for each, who in held.items() if who}

    async def resign(self, name: str, incarnation: str) -> None:
        await self._road.go()
        self._ledger._release(f"lease {name}", incarnation)
        self._ledger._release("duty", incarnation)

    async def take_duty(self, incarnation: str) -> bool:
        await self._road.go()
        return self._ledger._take("duty", incarnation)

    async def take_lead(self, incarnation: str) -> bool:
        await self._road.go()
        self._leader = incarnation
        return self._ledger._take("lead", incarnation)

    async def call_roll(self, name: str, reached: Reached) -> dict[str, Reached]:
        await self._road.go()
        return self._ledger._call_roll(name, reached)
