"""One command opens a chat room, a second one joins it; and the same as a library on trio.

A program joins with `open_client` (or `join`, over a stream of its own) and opens a room with
`serve`. Requests and events are the structs of `triochat.messages`; what a program needs to test
itself without a socket is in `triochat.testing`.
"""

TYPE_CHECKING = False  # as in `typing`, which takes its time, and nothing is ready for a Ctrl-C yet
if TYPE_CHECKING:
    from triochat.connect import open_client
    from triochat.exceptions import (
        ClosedError,
        RefusedError,
        RemoteProtocolError,
        TriochatError,
        UnreachableError,
        UntrustedError,
    )
    from triochat.hub import Hub
    from triochat.program import Client, join
    from triochat.room import Room
    from triochat.server import serve

__version__ = "0.1.0"

__all__ = [
    "Client",
    "ClosedError",
    "Hub",
    "RefusedError",
    "RemoteProtocolError",
    "Room",
    "TriochatError",
    "UnreachableError",
    "UntrustedError",
    "join",
    "open_client",
    "serve",
]

_MODULES = {
    "Client": "program",
    "Hub": "hub",
    "Room": "room",
    "join": "program",
    "open_client": "connect",
    "serve": "server",
}


def __getattr__(name: str) -> object:
    """Load a part when it is first asked for, so that ``triochat --help`` loads none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415  as above

    return getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'exceptions')}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
