"""The URL of a Redis: where it is, who one is there, and how the way to it is encrypted."""

import ssl
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

USAGE = (
    "a Redis is given as redis://[USER:PASSWORD@]HOST[:PORT][/NUMBER], as rediss:// if it encrypts,"
    " or as unix:///PATH; in a user or a password write %2F for /, %40 for @, %3A for :"
)

FILES = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
"""What a ``rediss://`` may say of TLS: which authority to trust, and what one is known by."""


class RedisUrl(NamedTuple):
    """A Redis, and how to come in: at a host's port, or else by a socket of this machine."""

    host: str
    port: int
    path: str
    user: str | None
    password: str | None
    database: int
    tls: ssl.SSLContext | None

    def __str__(self) -> str:
        """What operators know it by; without user and password."""
        return f"Redis at {self.path}" if self.path else f"Redis at {self.host} port {self.port}"

    def __repr__(self) -> str:
        """The same: this may be logged."""
        return str(self)


def read_redis_url(url: str) -> RedisUrl:
    """Read a URL, and the files that it names.

    Raises:
        ValueError: that is none; says what one looks like, and never quotes this one.
    """
    try:
        parts = urlsplit(url.strip())
        is_local = parts.scheme == "unix"
        host, port, path = parts.hostname or "", parts.port or 6379, unquote(parts.path)
        database = 0 if is_local else int(path.strip("/") or 0)
    except ValueError:  # its message may quote a part of the password
        raise ValueError(USAGE) from None
    if parts.scheme not in ("redis", "rediss", "unix") or not (path if is_local else host):
        raise ValueError(USAGE)
    if parts.username and not parts.password:
        raise ValueError("the URL of Redis has a user and no password; a password is :PASSWORD@")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    tls = _read_tls(parts)
    path = path if is_local else ""
    return RedisUrl(host, port, path, user or None, password or None, database, tls)


def _read_tls(parts: SplitResult) -> ssl.SSLContext | None:
    files = dict(parse_qsl(parts.query, keep_blank_values=True))
    if files.keys() - (FILES if parts.scheme == "rediss" else set()):
        known = ", ".join(sorted(FILES))  # the others may be a part of the password
        raise ValueError(f"behind the ? of a Redis URL only {known} may stand, and only of rediss:")
    if parts.scheme != "rediss":
        return None
    try:
        context = ssl.create_default_context(cafile=files.get("ssl_ca_certs"))
        if "ssl_certfile" in files:
            context.load_cert_chain(files["ssl_certfile"], files.get("ssl_keyfile"))
    except OSError as error:
        names = ", ".join(files.values())
        why = str(error.strerror).lower()
        raise ValueError(f"cannot read {names} for the way to Redis: {why}") from error
    return context
