"""Known hosts: a file of pins, each a line ``HOST PORT SHA256:...`` or ``HOST PORT authority``.

Whoever changes it holds a lock on its folder, and puts another file in its place: so nobody ever
reads half of one, and two who change it at once both do. What is in it and makes no sense is never
skipped: it may have been the very pin that is asked for.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triochat.exceptions import UntrustedError
from triochat.fingerprints import parse_fingerprint
from triochat.folders import put_file
from triochat.trust import AUTHORITY, Server, server_at


class KnownHosts:
    """The pins in this file, which nobody need have made yet.

    All methods raise `UntrustedError` if it cannot be read, or says what makes no sense; those
    that change it also if it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, server: Server) -> str:
        """This server's pin; empty if it has none."""
        return self._read().get(server, "")

    def remember(self, server: Server, pin: str) -> str:
        """Pin this server, if it has no pin; the one that stands then."""
        with self._change() as pins:
            return pins.setdefault(server, pin)

    def forget(self, server: Server) -> bool:
        """Remove this server's pin; whether there was one."""
        if not self.find(server):  # nor is a folder made for that
            return False
        with self._change() as pins:
            return bool(pins.pop(server, ""))

    def _read(self) -> dict[Server, str]:
        pins: dict[Server, str] = {}
        try:
            lines = self._path.read_bytes().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return pins
        except OSError as error:
            raise UntrustedError(f"cannot read {self._path}: {_reason(error)}") from None
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                host, port, pin = line.decode().split(" ")
                server = server_at(host, int(port))
                is_new = server not in pins
                pins[server] = pin if pin == AUTHORITY else parse_fingerprint(pin)
            except ValueError:
                is_new = False
            if not is_new:
                problem = f'line {number} of {self._path} is not one "HOST PORT SHA256:..."'
                raise UntrustedError(f"{problem}; mend it, or delete it, which trusts anew")
        return pins

    @contextmanager
    def _change(self) -> Iterator[dict[Server, str]]:
        """The pins, to be changed; what they are at the end of the block is written."""
        import fcntl  # noqa: PLC0415  there is none on Windows

        folder = self._path.parent
        try:
            folder.mkdir(0o700, parents=True, exist_ok=True)
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                before = self._read()
                pins = dict(before)
                yield pins
                if pins != before:
                    text = "".join(f"{host} {port} {pin}\n" for (host, port), pin in pins.items())
                    put_file(self._path, text.encode())
            finally:
                os.close(lock)
        except OSError as error:
            raise UntrustedError(f"cannot write {self._path}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return str(error.strerror or error).lower()
