from pathlib import Path

import pytest
import trio

from ledgers import MemoryLedger
from test_archiving import ids, kept_in, open_history
from test_sharing import Server

pytestmark = pytest.mark.real_time  # a thread writes


async def test_a_file_goes_on_with_the_room(tmp_path: Path) -> None:
    """A server whose file is older than the room starts: what was said meanwhile is in it, once.

    It has more than the snapshot by then: what came after that is read before. Seats of members of
    all servers are in it.
    """
    ledger, path = MemoryLedger(), tmp_path / "room.db"
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            one = Server("one", ledger.road())
            await nursery.start(one.run)
            file = open_history(path)
            two = Server("two", ledger.road(), file)
            await nursery.start(two.run)
            ann = await one.join("Ann", "a" * 22)
            await ann.ask({"type": "say", "text": "m1"})
            bob = await two.join("Bob", "b" * 22)
            await bob.ask({"type": "say", "text": "m2"})
            await ann.until('{"type":"said","id":4')
            two.scope.cancel()
            await file.aclose()
            await ann.ask({"type": "say", "text": "m3"})
            await ann.until('{"type":"said","id":5')
            await one.join("Dan", "d" * 22)
            file = open_history(path)
            three = Server("three", ledger.road(), file)
            await nursery.start(three.run)
            cid = await three.join("Cid", "c" * 22)
            await ann.ask({"type": "say", "text": "m4"})
            await cid.until('{"type":"said","id":8')
            nursery.cancel_scope.cancel()
        await file.aclose()
    async with kept_in(path) as history:
        assert await ids(history) == [2, 4, 5, 8]
        assert sorted(seat.handle for seat in history.seats) == ["Ann", "Bob", "Cid", "Dan"]
