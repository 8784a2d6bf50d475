"""A Redis of one's own, for real: on a free port of this machine, in a folder of its own."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from real import PATIENCE, free_port
from tls import Certificate

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server") or ""
CLI = PROGRAM.replace("-server", "-cli")

needs_redis = pytest.mark.skipif(not PROGRAM, reason="redis-server is not installed")


class RedisServer:
    """A running redis-server; it keeps all in an append-only file, if it is not told otherwise.

    Args:
        folder: where it keeps what it has.
        certificate: it takes TLS as well, at `tls_port`.
        options: what goes into its redis.conf, as ``maxmemory="3mb"`` or ``appendonly="no"``.

    Attributes:
        folder: where it keeps what it has.
        port: where it listens, without TLS.
        authority: the file of the authority by which its certificate is.
    """

    def __init__(
        self, folder: Path, *, certificate: Certificate | None = None, **options: str
    ) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self.authority = ""
        password = options.get("requirepass")
        self._environment = os.environ | ({"REDISCLI_AUTH": password} if password else {})
        chosen = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(folder),
            "save": '""',
            "appendonly": "yes",
            "appendfsync": "always",
            "enable-debug-command": "yes",
            "logfile": "log",
        }
        if certificate:
            file, key = certificate.write(folder)
            self.authority = certificate.write_authority(folder / "authority.pem")
            chosen |= {
                "tls-port": str(self.tls_port),
                "tls-cert-file": str(file),
                "tls-key-file": str(key),
                "tls-ca-cert-file": self.authority,
                "tls-auth-clients": "no",
            }
        chosen |= {name.replace("_", "-"): value for name, value in options.items()}
        self._conf = folder / "redis.conf"
        self._conf.write_text("".join(f"{name} {value}\n" for name, value in chosen.items()))
        self.start()

    @property
    def url(self) -> str:
        """Where it is, without TLS and password."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen([PROGRAM, self._conf], stdout=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while self.cli("PING") not in ("PONG", "NOAUTH Authentication required."):
            assert self.process.poll() is None, (self._conf.parent / "log").read_text()
            assert time.monotonic() < end, "redis-server does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it politely: what it keeps in a file is there again when it starts."""
        self._end(signal.SIGTERM)

    def shut_down(self) -> None:
        """Stop it by a command, and write nothing that is not written yet."""
        self.cli("SHUTDOWN", "NOSAVE")
        self.process.wait(PATIENCE)

    def kill(self) -> None:
        """Have it die at once."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it, and start it."""
        self.stop()
        self.start()

    def _end(self, number: int) -> None:
        self.process.send_signal(signal.SIGCONT)  # one that hangs heeds nothing else
        self.process.send_signal(number)
        self.process.wait(PATIENCE)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Have it do nothing while the block runs; connections are taken by the kernel."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def count_clients(self) -> int:
        """How many connections it has, but for the one by which that is asked."""
        return len(self.cli("CLIENT", "LIST").splitlines()) - 1

    def cli(self, *words: str) -> str:
        """What it answers to this command, as redis-cli writes it; also what is wrong."""
        done = subprocess.run(
            [CLI, "-p", str(self.port), *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return (done.stdout + done.stderr).strip()


@contextmanager
def running_redis(
    *, certificate: Certificate | None = None, **options: str
) -> Iterator[RedisServer]:
    """A Redis that is ended with the block, whatever happens in it. See `RedisServer`."""
    with TemporaryDirectory() as folder:
        redis = RedisServer(Path(folder), certificate=certificate, **options)
        try:
            yield redis
        finally:
            redis.kill()
