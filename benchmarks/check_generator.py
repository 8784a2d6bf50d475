"""Is the load generator fooled? `python benchmarks/check_generator.py` shows it servers that lie.

Each wrong server is a chat of a few lines with one fault: it loses, doubles, changes or reorders a
message for one member. The generator must call each of those runs void, and the faultless one not;
also over TLS, where that can be, and in frames of WebSocket. Where it only counts bytes, what is
lost and what is doubled must not escape it.
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

from generator import Result, can_encrypt, generate
from lineup import make_certificate
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

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
    """A broadcast server in a thread, with at most one fault; in lines, or in frames of lines."""

    def __init__(
        self, fault: Fault | None, tls: ssl.SSLContext | None, *, framed: bool = False
    ) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.stopped = False
        self._fault = fault
        self._tls = tls
        self._framed = framed
        self._protocols: dict[socket.socket, ServerProtocol] = {}
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
        if self._framed:
            self._protocols[client] = ServerProtocol()
        else:
            client.sendall(b"* welcome\n")

    def _lines(self, client: socket.socket) -> list[bytes]:
        """What it says next; who asks for an upgrade gets that, and says nothing yet."""
        data = client.recv(1 << 16)
        if not self._framed:
            return data.splitlines(keepends=True)
        protocol, lines = self._protocols[client], b""
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
                client.sendall(b"".join(protocol.data_to_send()) + self._written([b"* welcome\n"]))
            elif isinstance(event, Frame):
                lines += bytes(event.data)
        return lines.splitlines(keepends=True)

    def _written(self, lines: list[bytes]) -> bytes:
        """How this is sent."""
        text = b"".join(lines)
        return Frame(Opcode.TEXT, text).serialize(mask=False) if self._framed else text

    def _hear(self, client: socket.socket) -> None:
        lines = self._lines(client)
        self._chunks += len(lines) > 1
        for number, other in enumerate(self._clients):
            told = lines
            if self._fault and self._chunks == CHUNKS and len(lines) > 1 and number == 1:
                told = self._fault(lines)
            other.sendall(self._written(told))


@contextmanager
def run_chat(
    fault: Fault | None, tls: ssl.SSLContext | None, *, framed: bool = False
) -> Iterator[int]:
    """Run such a server; gives its port."""
    chat = Chat(fault, tls, framed=framed)
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
        contexts = (None, *_contexts(folder))
        for framed, tls, fault in product((False, True), contexts, (None, *FAULTS)):
            with run_chat(fault, tls, framed=framed) as port:
                result = _load(folder, port, framed=framed, tls=tls is not None, talkers=5)
            where = " in frames" * framed + " over TLS" * bool(tls)
            fooled += not _tell(fault, where, result)
        for fault in (None, lose, double):
            with run_chat(fault, None) as port:
                result = _load(folder, port, talkers=1, checking=1)
            fooled += not _tell(fault, " where bytes are counted", result)
    return 1 if fooled else 0


def _load(
    folder: Path, port: int, *, framed: bool = False, tls: bool = False, **options: float
) -> Result:
    return generate(
        folder,
        port=port,
        pid=getpid(),
        dialect="web-line" if framed else "line",
        together=int(framed),
        tls=int(tls),
        members=5,
        window=16,
        seconds=1,
        deadline=10,
        **options,
    )


def _tell(fault: Fault | None, where: str, result: Result) -> bool:
    """Say whether this fault was found, or none where there is none."""
    right = ("why" in result) == bool(fault)
    what = fault.__name__ if fault else "no fault"
    verdict = "as it should be" if right else "FOOLED"
    print(f"{what + where:35} {verdict}: {result.get('why', 'valid')}")
    return right


def _contexts(folder: Path) -> Iterator[ssl.SSLContext]:
    """With what to encrypt, if that can be."""
    if can_encrypt():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*make_certificate(folder))
        yield context


if __name__ == "__main__":
    sys.exit(main())
