import json
import logging
from collections.abc import Callable

import pytest
import trio
import trio.testing

from house import open_house
from tls import Sealer, make_tls
from triochat.logs import JsonFormatter


@pytest.fixture(autouse=True)
def _log_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "triochat")


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged."""

    def lines() -> list[str]:
        return [message.removeprefix("a peer: ") for message in caplog.messages]

    return lines


async def test_what_somebody_says_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is typed, taken or refused, none of it stands in the log but handles."""
    async with open_house(turns=True) as house:
        stranger = await house.connect()
        await stranger.type("not a secret handle", "\\secret", "secret > Ann", '{"type":"secret"}')
        ann, bob = await house.plain("Ann"), await house.ndjson("Bob")
        await ann.type("secret", "secret", "secret > Bob", "secret > nobody", "\\secret", "s" * 501)
        await ann.stream.send_all(b"secret \xff\n" + b"secret" * 1000 + b"\nsecret")
        await bob.ask({"type": "say", "text": "secret"}, {"type": "secret"}, {"secret": 1})
        await bob.ask({"type": "kick", "handle": "Ann", "reason": "secret"})
        await bob.type("secret", "[1, 2")
        await trio.testing.wait_all_tasks_blocked()
        await ann.stream.send_eof()
        await ann.rest()
        await trio.sleep(200)
    assert "refused (bad-request)" in caplog.text
    assert "refused (line-unfinished)" in caplog.text
    for record in caplog.records:
        assert "secret" not in JsonFormatter().format(record)


async def test_a_rename_is_logged(logged: Callable[[], list[str]]) -> None:
    """Who has another handle is known by that from then on."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        await ann.type("\\nick Zoe", "psst > nobody", "\\quit")
        await ann.rest()
    assert logged() == [
        "is Ann (plain)",
        "is Zoe now",
        "refused (no-such-handle)",
        "gone (quit)",
    ]


async def test_a_kick_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With the address and handle of who was put out, and the operator's reason; and by whom."""
    async with open_house() as house:
        operator, bob = await house.operator(), await house.ndjson("Bob")
        await operator.ask({"type": "op", "handle": "Bob"})
        ann = await house.plain("Ann")
        await bob.ask({"type": "kick", "handle": "ann", "reason": "spam"})
        await ann.rest()
        await ann.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        by, record = caplog.records[-2:]
        assert by.getMessage() == "a peer: kicked Ann"
        assert json.loads(JsonFormatter().format(by))["handle"] == "Bob"
        assert record.getMessage() == "a peer: gone (kicked: spam)"
        assert json.loads(JsonFormatter().format(record)) == {
            "time": JsonFormatter().format(record)[10:34],
            "level": "info",
            "message": "a peer: gone (kicked: spam)",
            "event": "gone",
            "address": "a peer",
            "handle": "Ann",
            "reason": "kicked: spam",
        }


async def test_what_the_console_does_is_logged(logged: Callable[[], list[str]]) -> None:
    """Who is banned or muted, why and for how long; but no topic, which is what somebody said."""
    async with open_house() as house:
        console = await house.operator()
        await house.plain("Ann")
        await console.ask(
            {"type": "mute", "handle": "Ann", "minutes": 5},
            {"type": "ban", "handle": "Eve", "reason": "spam"},
            {"type": "topic", "text": "secret plans"},
        )
        await trio.testing.wait_all_tasks_blocked()
        assert [line for line in logged() if "by Server" in line] == [
            "Ann was muted by Server for 5 minutes",
            "Eve was banned by Server: spam",
            "the topic was set by Server",
        ]


async def test_an_eviction_is_logged(logged: Callable[[], list[str]]) -> None:
    """A reader that takes nothing is said to be evicted, and why."""
    async with open_house(lockstep=True) as house:
        talker, dead = await house.connect(), await house.connect()

        async def listen() -> None:
            while True:
                await talker.line()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await talker.type("Ann")
            await dead.type("dead")
            await talker.type("hello")
            await trio.sleep(60)
            nursery.cancel_scope.cancel()
    assert "evicted (fell behind)" in logged()


async def test_who_may_not_stay_is_logged(logged: Callable[[], list[str]]) -> None:
    """Also a stranger that must encrypt, and does not."""
    async with open_house() as house:
        house.hub.tls = make_tls(is_required=True)
        eve = await house.connect()
        await eve.type("Eve")
        await eve.rest()
        await eve.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        [line] = logged()
        assert line.startswith("gone (this room wants TLS from other machines")


@pytest.mark.parametrize("ending", ["cut", "reset", "silence"])
async def test_a_handshake_that_is_not_finished_is_logged(
    logged: Callable[[], list[str]], ending: str
) -> None:
    """However it ends, there is one line that says what was wrong."""
    async with open_house() as house:
        house.hub.tls = make_tls()
        stream = await house.listener.connect()
        await stream.send_all(Sealer().hello()[:40])
        await trio.testing.wait_all_tasks_blocked()
        if ending == "cut":
            await stream.send_eof()
        elif ending == "reset":
            await stream.aclose()
        await trio.sleep(200)
    assert logged()[0] == "TLS handshake not finished"
    assert logged().count("TLS handshake not finished") == 1


async def test_a_stop_in_the_middle_of_a_flood_counts_it(logged: Callable[[], list[str]]) -> None:
    """When the server has stopped, all that was refused is in the log, as a number at least."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        await ann.type(*["\\x"] * 60)
        await ann.hear(60)
    assert logged().count("refused (unknown-command)") == 20
    assert "40 more refused" in logged()


def test_a_bug_in_json() -> None:
    """What is not ASCII, a line end, and a traceback leave one line one line."""
    try:
        raise ValueError("a\nb\x9b")
    except ValueError as error:
        about = (type(error), error, error.__traceback__)
    record = logging.LogRecord("triochat", logging.ERROR, "", 0, "%s\n\x9b é", ("one",), about)
    record.created = 1767322984.678
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    found = json.loads(line)
    assert found.pop("exception").endswith("ValueError: a\nb\x9b")
    assert found == {
        "time": "2026-01-02T03:03:04.678Z",
        "level": "error",
        "message": "one\n\x9b é",
    }
