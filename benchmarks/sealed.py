"""What attackers do over TLS: for each kind of them a class."""

import socket
import ssl
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hostile import CHUNK, Gang, Hostile

_KEYS = Path(tempfile.gettempdir()) / "triochat-attack-keys"


def _make_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_CONTEXT = _make_context()


def knock(port: int) -> None:
    """Shake hands once, so that the server has made its key, and loaded what that takes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        _CONTEXT.wrap_socket(plain).close()


class Sealed(Hostile):
    """A stranger who shakes hands, and then does nothing."""

    back: float | None = 0.05
    context = _CONTEXT

    def __init__(self, gang: Gang, number: int) -> None:
        super().__init__(gang, number)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self._incoming, self._outgoing)
        self.is_sealed = False

    def begin(self) -> bytes:
        """A hello."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self._incoming, self._outgoing)
        self.is_sealed = False
        return self._shake()

    def hear(self, data: bytes) -> None:
        """Shake hands, and then read."""
        self._incoming.write(data)
        try:
            if not self.is_sealed and (answer := self._shake()):
                self.send(answer + self.sealed())
            while self.is_sealed and (plain := self.tls.read(CHUNK)):
                self.heard(plain)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._put_out()

    def sealed(self) -> bytes:
        """What is sent as soon as hands are shaken; wire bytes."""
        return b""

    def heard(self, plain: bytes) -> None:
        """Take note of what the server has said."""

    def say(self, plain: bytes) -> bytes:
        """The wire bytes of this."""
        self.tls.write(plain)
        return self._outgoing.read()

    def _shake(self) -> bytes:
        try:
            self.tls.do_handshake()
            self.is_sealed = True
        except ssl.SSLWantReadError:
            pass
        return self._outgoing.read()


class Begun(Sealed):
    """Begins a handshake, lets the server work for it, goes, and comes back."""

    count = 100

    def hear(self, data: bytes) -> None:
        """That was what the server's answer cost."""
        self.gang.counts["done"] += bool(data)
        self.close(reset=True)
        self.due = time.monotonic() + 0.05


class Garbage(Sealed):
    """Shakes hands, and sends what is no record."""

    count = 20

    def sealed(self) -> bytes:
        """What cannot be opened."""
        self.gang.counts["done"] += 1
        return b"\x17\x03\x03\x00\x14" + bytes(20)


class SealedChurner(Sealed):
    """Joins over TLS and vanishes, again and again."""

    count = 100

    def sealed(self) -> bytes:
        """Join, each time under another handle."""
        return self.say(self.gang.wire.join(f"c{self.gang.counts['opened']}"))

    def heard(self, plain: bytes) -> None:
        """Once in, vanish."""
        if self.gang.wire.joined in plain:
            self.gang.counts["done"] += 1
            self.close(reset=True)
            self.due = 0.0


class NewKeys(Sealed):
    """Asks for new keys as fast as it can; each is answered by as many bytes."""

    count = 4

    def __init__(self, gang: Gang, number: int) -> None:
        self.context = _make_context()
        self.context.keylog_filename = str(_KEYS)
        super().__init__(gang, number)
        self._secret = b""

    def sealed(self) -> bytes:
        """The first ones; from then on it knows its keys."""
        last = [line for line in _KEYS.read_text().splitlines() if "CLIENT_TRAFFIC" in line][-1]
        self._secret = bytes.fromhex(last.split()[2])
        _KEYS.write_text("")
        return self.more()

    def more(self) -> bytes:
        """A hundred of them."""
        return b"".join(self._update() for _ in range(100)) if self._secret else b""

    def begin(self) -> bytes:
        """Begin anew."""
        self._secret = b""
        return super().begin()

    def _update(self) -> bytes:
        """A record that asks for new keys; each of them is the first one under its own."""
        self.gang.counts["done"] += 1
        header = b"\x17\x03\x03\x00\x16"
        key = AESGCM(self._expand(b"key", 32))
        record = key.encrypt(self._expand(b"iv", 12), b"\x18\0\0\1\1\x16", header)
        self._secret = self._expand(b"traffic upd", 48)
        return header + record

    def _expand(self, label: bytes, size: int) -> bytes:
        info = size.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
        return HKDFExpand(hashes.SHA384(), size, info).derive(self._secret)
