"""TLS for tests: a certificate, and clients with no code of ours."""

import ssl
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import trio
import trustme

from house import House, Peer
from triochat.link import Link
from triochat.tls import Identity, Tls, read_identity

_CA = trustme.CA()


@cache
def identity() -> Identity:
    """What the servers of tests are known by."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = write_certificate(Path(folder))
        return read_identity(certificate, key)


def write_certificate(folder: Path, host: str = "localhost") -> tuple[Path, Path]:
    """A new certificate and its key, as files."""
    certificate, key = folder / "server.pem", folder / "server.key"
    issued = _CA.issue_cert(host)
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    return certificate, key


def make_tls(*, is_required: bool = False) -> Tls:
    """How a server of a test encrypts."""
    return Tls(identity, is_required=is_required)


@cache
def client_context() -> ssl.SSLContext:
    """What clients trust: our own authority."""
    context = ssl.create_default_context()
    _CA.configure_trust(context)
    return context


class Sealer:
    """A client's end of TLS, without a stream."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or client_context()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.heard = b""
        self.answer = b""  # the last one, also where `hear` raised
        self.has_ended = False
        self._is_ready = False

    def hello(self) -> bytes:
        """The first bytes."""
        return self.hear(b"")

    def hear(self, wire: bytes) -> bytes:
        """Read this into `heard`; what is to be answered."""
        self._incoming.write(wire)
        try:
            if not self._is_ready:
                self.tls.do_handshake()
                self._is_ready = True
            while part := self.tls.read(1 << 16):
                self.heard += part
            self.has_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        finally:
            self.answer = self._outgoing.read()
        return self.answer

    def say(self, plain: bytes) -> bytes:
        """The wire bytes of this."""
        self.tls.write(plain)
        return self._outgoing.read()

    def quit(self) -> bytes:
        """The wire bytes that say that no more comes."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self._outgoing.read()


def any_context() -> ssl.SSLContext:
    """What a client trusts that trusts anybody."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Sheet:
    """What a link has written, for a client to read."""

    def __init__(self, link: Link) -> None:
        self.written: list[bytes] = []
        link.outbox.write_through(Sheet.write, self)

    def write(self, wire: bytes) -> int:
        """Take it all."""
        self.written.append(wire)
        return len(wire)

    def take(self) -> bytes:
        """What was written since the last time."""
        wire = b"".join(self.written)
        self.written.clear()
        return wire


async def sealed(house: House) -> Peer:
    """A peer that has said nothing yet, over TLS, and that insists on a good end."""
    stream: Any = trio.SSLStream(
        await house.listener.connect(), client_context(), server_hostname="localhost"
    )
    await stream.do_handshake()
    return Peer(stream)
