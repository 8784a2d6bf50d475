"""Nothing is lost or doubled when a real server is killed, and real links are cut; see `crash`."""

import pytest
import trio

from accounts import Account, Asked
from crash import Plan, play
from cutter import Cutter
from real import PATIENCE, Server
from troubles import told
from wanderer import Wanderer


@pytest.mark.real_time
@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(Plan(seed=1, kills=3, cuts=30, seconds=8), id="killed"),
        pytest.param(Plan(seed=2, kills=0, cuts=40, seconds=5, is_kept=False), id="in memory"),
    ],
)
async def test_what_is_confirmed_is_with_everybody_once(plan: Plan) -> None:
    """In one order, and in the file; each whisper with its one reader; nobody hears of it."""
    report = await play(plan)
    assert not report.findings, told(report)
    assert "m0-end" in {heard.text for heard in report.accounts[1].heard}


@pytest.mark.real_time
async def test_a_cut_way_is_cut(server: Server) -> None:
    """The cutter cuts in each of its ways, and who is cut comes back to the same place."""
    cutter = Cutter(server.port, seed=1)
    with trio.fail_after(3 * PATIENCE):
        async with trio.open_nursery() as nursery:
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
            port = listener.socket.getsockname()[1]
            nursery.start_soon(trio.serve_listeners, cutter.carry, [listener])
            ann = Wanderer("Ann", [port], seed=1)
            nursery.start_soon(ann.run)
            while len(cutter.made) < 4:
                ann.ask(Asked(f"ann-{len(ann.account.asked)}"))
                cutter.cut()
                await trio.sleep(0.1)
            while ann.unanswered:  # noqa: ASYNC110  nobody tells
                await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
    assert _texts(ann.account) == [asked.text for asked in ann.account.asked]
    resumed = sum("resumed: True" in what for _, what in ann.account.happened)
    assert resumed >= 2, "some cuts may fall together"


def _texts(account: Account) -> list[str]:
    return [heard.text for heard in account.heard]
