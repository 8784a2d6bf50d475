"""Certificates, and a server that encrypts and writes down what it hears."""

import ssl
from pathlib import Path

import trio
import trio.testing
import trustme

from triochat.fingerprints import fingerprint


class Certificate:
    """A server's certificate for these hosts, by an authority of its own."""

    def __init__(self, *hosts: str) -> None:
        self._authority = trustme.CA()
        issued = self._authority.issue_cert(*hosts)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(self.context)
        pem = issued.cert_chain_pems[0].bytes().decode()
        self.fingerprint = fingerprint(ssl.PEM_cert_to_DER_cert(pem))

    def write_authority(self, path: Path) -> str:
        """Write the authority's certificate there, for SSL_CERT_FILE; the path."""
        self._authority.cert_pem.write_to_path(str(path))
        return str(path)


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
