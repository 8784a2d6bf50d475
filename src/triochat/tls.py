"""TLS at the server, as a codec of a link: no stream of its own, and no task.

What a sealed link is to be told is sealed, and written like anything else; what it says is opened
when it was read. A memory BIO never gives back the room that it once took, so there is one pair of
them for the whole server: whoever fills one empties it before anybody else has a turn. So nothing
here waits.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from triochat.fingerprints import fingerprint

_RECORD = 1 << 14  # the most plain bytes in a record
_PEM_END = "-----END CERTIFICATE-----"


class Identity(NamedTuple):
    """What a server is known by.

    Attributes:
        context: its certificate and key, for TLS.
        fingerprint: the certificate's.
    """

    context: ssl.SSLContext
    fingerprint: str


def read_identity(certificate: str | Path, key: str | Path) -> Identity:
    """The identity in these files, PEM both; the certificate's may hold a chain.

    Raises:
        ValueError: they cannot be read, or used; the sentence says why.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # or to write might have to wait for the peer
    context.num_tickets = 0  # nobody comes back by a ticket
    try:
        Path(key).open("rb").close()  # what TLS raises does not name the file
        pem = Path(certificate).read_text(encoding="ascii", errors="replace")
        context.load_cert_chain(certificate, key, password="")  # nobody is asked for one
        first = pem[pem.index(ssl.PEM_HEADER) : pem.index(_PEM_END) + len(_PEM_END)]
        der = ssl.PEM_cert_to_DER_cert(first)
    except ssl.SSLError as error:
        why = _words(error)
        raise ValueError(f"{certificate} and {key} are no certificate and its key: {why}") from None
    except OSError as error:
        raise ValueError(f"cannot read {error.filename}: {str(error.strerror).lower()}") from None
    return Identity(context, fingerprint(der))


class Tls:
    """How a server encrypts.

    Args:
        load: gives the identity; called when it is first needed, and by `reload`.
        is_required: only peers on this machine may do without.
    """

    def __init__(self, load: Callable[[], Identity], *, is_required: bool = False) -> None:
        self.is_required = is_required
        self._load = load
        self._identity: Identity | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    @property
    def identity(self) -> Identity:
        """What the server is known by."""
        if self._identity is None:
            self._identity = self._load()
        return self._identity

    def reload(self) -> None:
        """Load the identity again, for whoever comes from now on; raises what loading it does."""
        self._identity = self._load()

    def codec(self) -> "Codec":
        """A codec for one more link."""
        incoming, outgoing = self._incoming, self._outgoing
        tls = self.identity.context.wrap_bio(incoming, outgoing, server_side=True)
        return Codec(tls, incoming, outgoing)


class Codec:
    """Plain bytes to wire bytes and back, for one link.

    Both BIOs MUST be empty whenever one of its methods returns: they are everybody's.

    Attributes:
        is_open: the handshake is done, and nothing has gone wrong since.
        has_ended: nothing more is said, or nothing that would be heard.
        problem: what is not as it should be, in words; at first, that the handshake is not done.
    """

    __slots__ = ("_incoming", "_outgoing", "_tls", "has_ended", "is_open", "problem")

    def __init__(
        self, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        self.has_ended = False
        self.problem = "TLS handshake not finished"
        self.is_open = False
        self._tls = tls
        self._incoming = incoming
        self._outgoing = outgoing

    def open(self, wire: bytes | bytearray) -> tuple[bytes, bytes]:
        """Plain bytes, as far as these bytes from the wire tell; and wire bytes to answer with.

        After the end of either side there are none.
        """
        if self.has_ended:
            return b"", b""
        plain: list[bytes] = []
        self._incoming.write(wire)
        try:
            if not self.is_open:
                self._tls.do_handshake()
                self.is_open = True
                self.problem = ""
            while part := self._tls.read(_RECORD):
                plain.append(part)
            self.has_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            what = "TLS" if self.is_open else "TLS handshake"
            self.problem = f"{what} failed ({_words(error)})"
            self.has_ended = True
            self.is_open = False
        finally:
            self._incoming.read()
            answer = self._outgoing.read()
        return b"".join(plain), answer

    def seal(self, plain: bytes) -> bytes:
        """Wire bytes for these; none where nothing may be said, as before the handshake is done.

        Raises:
            ssl.SSLError: it cannot be done. A peer can bring that about: one that has sent a part
                of a handshake's message must send the rest before anything can be written.
        """
        if not self.is_open:
            return b""
        try:
            self._tls.write(plain)
        finally:
            wire = self._outgoing.read()
        return wire

    def end(self) -> bytes:
        """Wire bytes that say that nothing more comes; none where nothing may be said."""
        if self.is_open:
            with suppress(ssl.SSLError):  # the peer has not said so itself, and need not
                self._tls.unwrap()
        self.has_ended = True
        return self._outgoing.read()


def _words(error: ssl.SSLError) -> str:
    return (error.reason or "not understood").lower().replace("_", " ")
