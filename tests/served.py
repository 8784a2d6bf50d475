"""A server that can be killed, and started again at the same port."""

import signal
import subprocess
from pathlib import Path

import trio

from real import ENVIRONMENT, TRIOCHAT, free_port, state_home

PATIENCE = 60.0
"""Seconds within which it does what it is to do; a busy machine is slow to start a server."""

PAUSE = 0.2
"""Seconds before it is started again."""


class Served:
    """``triochat server`` with these options, and a log in this file.

    Where it ``may_fail`` to start it is started again then, as a service manager does.

    Attributes:
        port: where it is, run after run.
        kills: how often it was killed.
        is_running: it listens, as far as is known.
    """

    def __init__(self, log: Path, *options: str, may_fail: bool = False) -> None:
        self.port = free_port()
        self.kills = 0
        self.is_running = False
        self._options = options
        self._may_fail = may_fail
        self._log = log.open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, and wait until it says that it listens."""
        with trio.fail_after(PATIENCE):
            while not await self._starts():
                assert self._may_fail, self.log()
                await trio.sleep(PAUSE)
        self.is_running = True

    async def _starts(self) -> bool:
        size = len(self.log())
        self._process = subprocess.Popen(  # noqa: ASYNC220  it takes no time
            [*TRIOCHAT, "server", str(self.port), *self._options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=ENVIRONMENT | {"XDG_STATE_HOME": state_home()},
            start_new_session=True,
        )
        while "Listening on" not in self.log()[size:]:
            if self._process.poll() is not None:
                return False
            await trio.sleep(0.02)
        return True

    async def kill(self) -> None:
        """End it as a power cut would, but for the disk."""
        self.kills += 1
        await self.stop(signal.SIGKILL)

    async def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, politely or not, and wait for that."""
        assert self._process
        assert self._process.poll() is None, self.log()
        self.is_running = False
        self._process.send_signal(number)
        with trio.CancelScope(shield=True), trio.move_on_after(PATIENCE):
            while self._process.poll() is None:  # noqa: ASYNC110  nobody tells
                await trio.sleep(0.01)
        assert self._process.returncode in (0, -signal.SIGKILL), self.log()

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def log(self) -> str:
        """What it printed."""
        return Path(self._log.name).read_text()
