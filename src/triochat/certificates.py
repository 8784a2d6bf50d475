"""The certificate that a server makes for itself, once, and keeps.

It is what people compare, or what their client has remembered. So nothing here renews it or makes
another one in its place; and two servers that start at the same time agree on one.
"""

import ipaddress
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from triochat.tls import Identity, read_identity

log = logging.getLogger(__name__)

NAME = "triochat"
"""To whom the certificate is made out."""

AGE = timedelta(days=3650)
"""How long it is valid, for those who look."""


def own_identity(folder: Path, addresses: Callable[[], Sequence[str]]) -> Identity:
    """The identity that is kept in this folder, and made if there is none.

    Where it can be neither read nor kept it is a new one, and the log says why: the server can be
    joined, but nobody will know it again.

    Args:
        folder: where it is kept; made, if need be, for its owner alone.
        addresses: says under which the server can be reached.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _keep(folder, addresses)
    except (OSError, ValueError) as error:
        log.warning(
            "cannot keep a key in %s (%s); whoever knows the key that this server has until it ends"
            " will refuse the next one",
            folder,
            error,
        )
    key = _make_key()
    with _open_file(_make_certificate(key, addresses())) as ours, _open_file(key) as its_key:
        return read_identity(ours, its_key)


def _keep(folder: Path, addresses: Callable[[], Sequence[str]]) -> Identity:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    if not key.exists():
        _write_new(key, _make_key())
    if not certificate.exists():
        _write_new(certificate, _make_certificate(key.read_bytes(), addresses()))
    return read_identity(certificate, key)


@contextmanager
def _open_file(data: bytes) -> Iterator[str]:
    """A file, for the time of the block, as TLS reads from files alone; on no disk, if possible."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("triochat"), "wb", buffering=0) as file:
            file.write(data)
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile(buffering=0) as named:
            named.write(data)
            yield named.name


def _write_new(path: Path, data: bytes) -> None:
    """Write a file for its owner's eyes, whole or not at all; nothing, if somebody was faster."""
    fd, name = tempfile.mkstemp(dir=path.parent)  # nobody else may read it, from the start
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def _make_key() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _make_certificate(key_pem: bytes, addresses: Sequence[str]) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = serialization.load_pem_private_key(key_pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("key.pem holds a key that was not made here, and there is no cert.pem")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    known = dict.fromkeys(["127.0.0.1", "::1", *addresses])
    names = [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(a)) for a in known)]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + AGE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)
