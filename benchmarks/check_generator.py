"""Is the load generator fooled? `python benchmarks/check_generator.py` shows it servers that lie.

Each wrong server is a chat of a few lines with one fault: it loses, doubles, changes or reorders a
message for one member. The generator must call each of those runs void, and the faultless one not;
also over TLS, where that can be.
"""

import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import product
from os import getpid
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

from generator import can_encrypt, generate
from lineup import make_certificate

Fault = Callable[[list[bytes]], list[bytes]]
"""What becomes of the lines of one chunk on their way to one of the members."""


def lose(lines: list[bytes]) -> list[bytes]:
    """Leave out the last."""
    return lines[:-1]


def double(lines: list[bytes]) -> list[bytes]:
    """Say the last one twice."""
    return [*lines, lines[-1]]


def change(lines: list[bytes]) -> list[bytes]:
    """Spoil one letter."""
    return [*lines[:-1], lines[-1].replace(b"quick", b"quack")]


def reorder(lines: list[bytes]) -> list[bytes]:
    """Turn them round."""
    return lines[::-1]


FAULTS: tuple[Fault, ...] = (lose, double, change, reorder)
CHUNKS = 20
"""Chunks of several lines that are told rightly before the fault."""


class Chat:
    """A broadcast server in a thread, with at most one fault."""

    def __init__(self, fault: Fault | None, tls: ssl.SSLContext | None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.stopped = False
        self._fault = fault
        self._tls = tls
        self._chunks = 0
        self._clients: list[socket.socket] = []
        self._selector = DefaultSelector()
        self._selector.register(self.listener, EVENT_READ)

    def run(self) -> None:
        """Serve until stopped."""
        with suppress(OSError):
            while not self.stopped:
                for key, _ in self._selector.select(0.05):
                    if key.fileobj is self.listener:
                        self._let_in()
                    else:
                        self._hear(self._clients[key.data])

    def _let_in(self) -> None:
        client, _ = self.listener.accept()
        if self._tls:
            client = self._tls.wrap_socket(client, server_side=True)
        self._selector.register(client, EVENT_READ, len(self._clients))
        self._clients.append(client)
        client.sendall(b"* welcome\n")

    def _hear(self, client: socket.socket) -> None:
        lines = client.recv(1 << 16).splitlines(keepends=True)
        self._chunks += len(lines) > 1
        for number, other in enumerate(self._clients):
            told = lines
            if self._fault and self._chunks == CHUNKS and len(lines) > 1 and number == 1:
                told = self._fault(lines)
            other.sendall(b"".join(told))


@contextmanager
def run_chat(fault: Fault | None, tls: ssl.SSLContext | None) -> Iterator[int]:
    """Run such a server; gives its port."""
    chat = Chat(fault, tls)
    thread = threading.Thread(target=chat.run, daemon=True)
    thread.start()
    try:
        yield chat.listener.getsockname()[1]
    finally:
        chat.stopped = True
        thread.join()
        chat.listener.close()


def main() -> int:
    """Show the generator every server; 1 if it was fooled."""
    fooled = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for tls, fault in product((None, *_contexts(folder)), (None, *FAULTS)):
            with run_chat(fault, tls) as port:
                result = generate(
                    folder,
                    port=port,
                    pid=getpid(),
                    dialect="line",
                    tls=int(tls is not None),
                    members=5,
                    talkers=5,
                    window=16,
                    seconds=1,
                    deadline=10,
                )
            right = ("why" in result) == bool(fault)
            fooled += not right
            what = fault.__name__ if fault else "no fault"
            verdict = "as it should be" if right else "FOOLED"
            where = " over TLS" if tls else ""
            print(f"{what + where:17} {verdict}: {result.get('why', 'valid')}")
    return 1 if fooled else 0


def _contexts(folder: Path) -> Iterator[ssl.SSLContext]:
    """With what to encrypt, if that can be."""
    if can_encrypt():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*make_certificate(folder))
        yield context


if __name__ == "__main__":
    sys.exit(main())
