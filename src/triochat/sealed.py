"""TLS at the client: a stream is handed out when it is known who is at its other end.

Nothing is said before: handshake, compare, and only then the first byte. Where the authorities
decide they are asked by a handshake that fails without them; to see the certificate of whom they
do not know takes a second one.
"""

import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import trio

from triochat.exceptions import UnreachableError, UntrustedError
from triochat.fingerprints import fingerprint
from triochat.known_hosts import KnownHosts
from triochat.trust import AUTHORITY, BETWEEN, Seen, Server, judge

HANDSHAKE = 10.0
"""Seconds in which a server must have shown its certificate."""

TRIES = 3
"""Connections on which a handshake is tried."""

Open = Callable[[], Awaitable[trio.abc.Stream]]
"""Opens a stream to a server, on which nothing was said yet; raises `UnreachableError`."""

Tell = Callable[[str], object]
"""Tells the person a sentence."""

_PARTING = 1.0  # seconds for the few bytes of the good-bye of TLS
_TEXT = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
"""Why a handshake fails, in OpenSSL's words, if what answers is not TLS."""

_CLOSED = b"* Server closed the connection:"
"""What a server says that has no place, to whoever has said nothing yet."""


class _TextError(UnreachableError):
    """What answers is not TLS."""


class _EndedError(UnreachableError):
    """It ended the connection in the handshake."""


class _Hearing(trio.abc.ReceiveStream):
    """What a peer says; TLS does not tell how that began."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self.beginning = b""
        self._stream = stream

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        self.beginning += data[: len(_CLOSED) - len(self.beginning)]
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()


class Sealed(trio.abc.Stream):
    """An encrypted stream that says good-bye, and takes it when a peer does not.

    Trio's own either insists on being told (and then reports a loss), or says nothing itself.
    """

    def __init__(self, tls: trio.SSLStream[trio.abc.Stream]) -> None:
        self._tls = tls
        self._is_ended = False

    @property
    def certificate(self) -> bytes:
        """The peer's certificate (DER)."""
        der: bytes = self._tls.getpeercert(binary_form=True)
        return der

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send this, encrypted. Cancelled in the middle of it the stream is broken."""
        await self._tls.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As of any stream."""
        await self._tls.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """The next bytes; none when the peer has ended its direction, politely or not."""
        if self._is_ended:
            await trio.lowlevel.checkpoint()
            return b""
        try:
            return await self._tls.receive_some(max_bytes)
        except trio.BrokenResourceError as error:
            if not isinstance(error.__cause__, ssl.SSLEOFError):
                raise
            self._is_ended = True
            return b""

    async def aclose(self) -> None:
        """Say good-bye, which waits for nobody, and close."""
        with trio.move_on_after(_PARTING):
            await self._tls.aclose()


async def meet(
    open_stream: Open, server: Server, *, pin: str, given: str, known: KnownHosts, tell: Tell
) -> Sealed:
    """Open an encrypted stream to this server, and to no other.

    Args:
        open_stream: opens what it goes over; called again if another handshake is needed.
        server: who is meant.
        pin: what is remembered of it; empty if nothing.
        given: the fingerprint that the person says it has; empty if none was said.
        known: remembers who it is.
        tell: is told what is to be told of one that is trusted.

    Raises:
        UnreachableError: there is no way to it, or it does not encrypt.
        UntrustedError: it is not known that this is the server.
    """
    is_vouched = not given and pin in ("", AUTHORITY)
    try:
        if is_vouched:
            try:
                stream = await _encrypt(open_stream, server.host, must_vouch=True)
            except ssl.SSLCertVerificationError:
                is_vouched = False
        if not is_vouched:
            stream = await _encrypt(open_stream, server.host, must_vouch=False)
    except _TextError:
        if pin or given:
            raise UntrustedError(f"it has a key, and now it does not encrypt; {BETWEEN}") from None
        raise
    try:
        seen = Seen(fingerprint(stream.certificate), is_vouched)
        if words := await _trust(server, pin, given, seen, known):
            tell(words)
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def _encrypt(open_stream: Open, host: str, *, must_vouch: bool) -> Sealed:
    """Open a stream and shake hands; again if text is what answers, or if it ends meanwhile.

    A server greets whoever has said nothing for half a second, and the first byte may be late. One
    where more come than may begin turns away some of them.
    """
    for _ in range(TRIES - 1):
        with suppress(_TextError, _EndedError):
            return await shake_hands(await open_stream(), host, must_vouch=must_vouch)
    return await shake_hands(await open_stream(), host, must_vouch=must_vouch)


async def _trust(server: Server, pin: str, given: str, seen: Seen, known: KnownHosts) -> str:
    """Trust who was seen, and remember it; what is to be told of that, if anything.

    Raises `UntrustedError` as `meet` does.
    """
    verdict = judge(server, pin, given, seen)
    if verdict.is_trusted and verdict.pin:
        remember = partial(known.remember, server, verdict.pin)
        try:  # in a thread: it may wait for a lock, or for a disk
            pin = await trio.to_thread.run_sync(remember, abandon_on_cancel=True)
        except UntrustedError as error:
            if not verdict.words:
                return f"{server} is not remembered: {error}"
            hint = f"--fingerprint {seen.fingerprint}, if that is what the server printed"
            raise UntrustedError(f"{error}; nothing was said; or say {hint}") from None
        again = judge(server, pin, given, seen)  # another may just have met somebody else there
        verdict = verdict if again.is_trusted else again
    if not verdict.is_trusted:
        raise UntrustedError(verdict.words)
    return verdict.words


async def shake_hands(stream: trio.abc.Stream, host: str, *, must_vouch: bool) -> Sealed:
    """Begin to encrypt. The stream is closed if this does not go well.

    Raises:
        UnreachableError: the peer does not encrypt, or not as it must.
        ssl.SSLCertVerificationError: no authority vouches for it, though one must.
    """
    if must_vouch:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # whoever calls compares
    name = host.partition("%")[0]  # an address may have a scope, which is this machine's own
    try:
        hearing = _Hearing(stream)
        heard = trio.StapledStream(stream, hearing)
        tls = trio.SSLStream[trio.abc.Stream](heard, context, server_hostname=name)
        with trio.fail_after(HANDSHAKE):
            await tls.do_handshake()
    except BaseException as error:
        await trio.aclose_forcefully(stream)
        if isinstance(error, trio.TooSlowError):
            problem = f"it has not answered the handshake for {HANDSHAKE:g} seconds"
            raise UnreachableError(problem) from None
        if not isinstance(error, trio.BrokenResourceError):
            raise
        if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            raise error.__cause__ from None
        if hearing.beginning == _CLOSED:
            problem = "it ended the connection before the handshake; it may be full"
            raise UnreachableError(problem) from None  # its reason may be anybody's
        raise _failure(error.__cause__) from None
    return Sealed(tls)


def _failure(error: BaseException | None) -> UnreachableError:
    """Why a handshake failed."""
    reason = getattr(error, "reason", None) or ""
    if reason in _TEXT:
        return _TextError("it does not encrypt; --insecure if you trust the network")
    if isinstance(error, ssl.SSLEOFError) or not reason:
        return _EndedError("it ended the connection in the handshake")
    return UnreachableError(f"the handshake failed: {reason.replace('_', ' ').lower()}")
