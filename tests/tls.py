"""TLS for tests, with no code of ours in it but what reads files: certificates, and both ends."""

import re
import ssl
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import trio
import trustme
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from triochat.fingerprints import fingerprint
from triochat.link import Link
from triochat.tls import Identity, Tls, read_identity


class Certificate:
    """A server's certificate for these hosts, by an authority of its own."""

    def __init__(self, *hosts: str) -> None:
        self._authority = trustme.CA()
        self._issued = self._authority.issue_cert(*hosts)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._issued.configure_cert(self.context)
        pem = self._issued.cert_chain_pems[0].bytes().decode()
        self.fingerprint = fingerprint(ssl.PEM_cert_to_DER_cert(pem))

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write it and its key into this folder; the files."""
        certificate, key = folder / "server.pem", folder / "server.key"
        certificate.write_bytes(b"".join(pem.bytes() for pem in self._issued.cert_chain_pems))
        self._issued.private_key_pem.write_to_path(str(key))
        return certificate, key

    def write_authority(self, path: Path) -> str:
        """Write the authority's certificate there, for SSL_CERT_FILE; the path."""
        self._authority.cert_pem.write_to_path(str(path))
        return str(path)

    def trusting(self) -> ssl.SSLContext:
        """What a client trusts that knows its authority."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context


@cache
def _certificate() -> Certificate:
    return Certificate("localhost")


@cache
def identity() -> Identity:
    """What the servers of tests are known by."""
    with tempfile.TemporaryDirectory() as folder:
        return read_identity(*_certificate().write(Path(folder)))


def make_tls(*, is_required: bool = False) -> Tls:
    """How a server of a test encrypts."""
    return Tls(identity, is_required=is_required)


@cache
def client_context() -> ssl.SSLContext:
    """What clients of the servers of tests trust."""
    return _certificate().trusting()


def any_context() -> ssl.SSLContext:
    """What a client trusts that trusts anybody."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
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


class Hand:
    """A client's records of TLS 1.3, written by hand: also those that no library would write.

    Args:
        keys: the key log of the client whose handshake is done; nothing else it says is understood
            by the server from then on.
    """

    def __init__(self, keys: Path) -> None:
        found = re.search(r"CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)", keys.read_text())
        assert found
        self._secret = bytes.fromhex(found[1])
        self._count = 0

    def record(self, content: bytes, kind: bytes = b"\x17") -> bytes:
        """The next record, with so much as one has in it, of this kind: lines, if not said."""
        header = b"\x17\x03\x03" + (len(content) + 17).to_bytes(2, "big")
        nonce = int.from_bytes(self._expand(b"iv", 12), "big") ^ self._count
        self._count += 1
        key = AESGCM(self._expand(b"key", 32))
        return header + key.encrypt(nonce.to_bytes(12, "big"), content + kind, header)

    def update(self) -> bytes:
        """Say that other keys come from here on, and ask for the same."""
        wire = self.record(b"\x18\0\0\1\1", b"\x16")
        self._secret, self._count = self._expand(b"traffic upd", 48), 0
        return wire

    def _expand(self, label: bytes, size: int) -> bytes:
        info = size.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
        return HKDFExpand(hashes.SHA384(), size, info).derive(self._secret)


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


class Listening:
    """A server that encrypts, says nothing, and keeps what it is told.

    Attributes:
        heard: what it was told inside of TLS.
        ends: how many connections ended with the good-bye of TLS.
    """

    def __init__(self, certificate: Certificate) -> None:
        self.heard = b""
        self.ends = 0
        self._context = certificate.context

    async def hear(self, stream: trio.abc.Stream) -> None:
        """Listen to one connection until its end."""
        tls = trio.SSLStream(stream, self._context, server_side=True)
        try:
            while data := await tls.receive_some():
                self.heard += data
            self.ends += 1
        except trio.BrokenResourceError:  # as when the client does not like what it sees
            pass
        await trio.aclose_forcefully(tls)
