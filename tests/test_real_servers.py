"""Nothing is lost or doubled where servers share a room, and all of it fails: `crash_servers`."""

import pytest

from crash_servers import Plan, play
from redis_server import needs_redis
from troubles import told

pytestmark = [needs_redis, pytest.mark.real_time]


async def test_what_is_confirmed_is_with_everybody_once() -> None:
    """In one order; each whisper with its one reader; and each handle is one member's alone."""
    report = await play(Plan(seed=1, kills=2, stops=1, restarts=1, cuts=6, seconds=5, members=15))
    assert not report.findings, told(report)
    assert "m0-end" in {heard.text for heard in report.accounts[1].heard}
