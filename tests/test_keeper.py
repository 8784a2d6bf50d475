import json
import logging
import os
import re
import stat
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from house import EPOCH, open_house
from triochat import keeper
from triochat.folders import put_file
from triochat.keeper import keeping, open_rulings

pytestmark = pytest.mark.real_time  # a thread writes


class Disk:
    """A disk that says what was written to it, and is slow, or full, if a test wants it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.works = threading.Event()
        self.works.set()
        self._tell, self._told = trio.open_memory_channel[str](100)
        monkeypatch.setattr(keeper, "put_file", self._put)

    def _put(self, path: Path, text: bytes) -> None:
        self.works.wait(5)
        trio.from_thread.run_sync(self._tell.send_nowait, text.decode())
        if self.is_full:
            raise OSError(28, "No space left on device")
        put_file(path, text)

    async def written(self) -> str:
        """What is written next."""
        with trio.fail_after(5):
            return await self._told.receive()

    def all_written(self) -> list[str]:
        """What was written, and not asked for yet."""
        return [
            self._told.receive_nowait() for _ in range(self._told.statistics().current_buffer_used)
        ]


async def test_what_is_decided_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change is in the file soon, for its owner alone; a new server begins with it."""
    path = tmp_path / "state"
    open_rulings(path, EPOCH)
    disk = Disk(monkeypatch)
    async with open_house() as house, keeping(house.hub, path):
        boss = await house.operator()
        await boss.ask({"type": "ban", "handle": "Eve", "minutes": 10, "reason": "spam"})
        assert '"Eve"' in await disk.written()
        await boss.ask({"type": "topic", "text": "tea"}, {"type": "quiet", "on": True})
        while '"tea"' not in await disk.written():
            pass
    kept = json.loads(path.read_text())
    assert (kept["topic"], kept["quiet"]) == ("tea", True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.undo()
    again = open_rulings(path, EPOCH)
    assert (again.topic, again.is_quiet, again.bans.has("eve", EPOCH)) == ("tea", True, True)
    assert not open_rulings(path, EPOCH + 601).bans.has("eve", EPOCH + 601)


async def test_the_latest_is_what_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes while the file is written is written next, and nothing older after it."""
    path, disk = tmp_path / "state", Disk(monkeypatch)
    disk.works.clear()
    async with open_house() as house, keeping(house.hub, path):
        boss = await house.operator()
        for number in range(20):
            await boss.ask({"type": "topic", "text": f"t{number:02}"})
            await trio.testing.wait_all_tasks_blocked()
        disk.works.set()
    topics = [json.loads(text)["topic"] for text in disk.all_written()]
    assert topics == sorted(topics)
    assert len(topics) <= 3
    assert json.loads(path.read_text())["topic"] == topics[-1] == "t19"


async def test_a_disk_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The room goes on; the log says it, the operators are told once, others not."""
    disk = Disk(monkeypatch)
    disk.is_full = True
    caplog.set_level(logging.WARNING)
    async with open_house() as house, keeping(house.hub, tmp_path / "state"):
        boss, ann = await house.operator(), await house.plain("Ann")
        assert (await boss.event())["type"] == "joined"
        texts = []
        for topic in ("one", "two"):
            await boss.ask({"type": "topic", "text": topic})
            texts.append((await boss.event())["text"])
            await disk.written()
            if topic == "one":
                texts.append((await boss.event())["text"])
        await boss.ask({"type": "say", "text": "on"})
        texts.append((await boss.event())["text"])
        problem = "bans, mutes and the topic cannot be kept (no space left on device)"
        assert texts == [
            "the topic was set by Server: one",
            f"{problem}; they hold till the end",
            "the topic was set by Server: two",
            "on",
        ]
        assert (await ann.hear(3))[-1] == "Server> on"
    assert {record.getMessage() for record in caplog.records} == {
        f"cannot write {tmp_path / 'state'}: no space left on device"
    }


def test_where_nothing_can_be_kept(tmp_path: Path) -> None:
    """What cannot be read or written, or is something else, is told at the start."""
    other = tmp_path / "letter"
    other.write_text("Dear Ann")
    for path, problem in {
        other: f"{other} is not what a server keeps there; name another file, or move it away",
        tmp_path: f"{tmp_path} is no file: nothing can be kept there",
        Path(os.devnull): f"{os.devnull} is no file: nothing can be kept there",
        tmp_path / "no" / "state": (
            f"cannot write {tmp_path / 'no' / 'state'}: no such file or directory"
        ),
    }.items():
        with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
            open_rulings(path, EPOCH)
    assert other.read_text() == "Dear Ann"
    assert [*tmp_path.iterdir()] == [other]


def test_a_link_stays_one(tmp_path: Path) -> None:
    """Where the file is a link, what it leads to is replaced."""
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    open_rulings(link, EPOCH)
    open_rulings(link, EPOCH)
    assert link.is_symlink()
    assert target.read_bytes().startswith(b"{")
