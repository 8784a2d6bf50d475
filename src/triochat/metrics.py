"""Metrics: how the server does, for Prometheus, at a door of their own.

One request a connection, and few connections at once: who comes when there are too many takes the
place of the one that has been there longest. `prometheus_client` only writes the text.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

import trio
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from triochat.dialects.http import HEAD, METHODS, PATIENCE, response
from triochat.hub import Hub
from triochat.sockets import end

CONNECTIONS = 8
"""Connections at once."""

GAUGES = {
    "away": ("away", "People who have lost their connection, and may come back."),
    "queue": ("queue", "Peers that wait for a place in the room."),
    "strangers": ("strangers", "Connections that have not joined."),
    "exposed": ("members_unencrypted", "Members whose connection others in a network can read."),
    "here": ("members_here", "People in the room that are connected to this server."),
    "servers": ("servers", "Servers that share the room; 0 where it is on one alone."),
    "lost": ("servers_lost_seconds", "How long the other servers have not been reached."),
    "lag": ("loop_lag_seconds", "How long it took of late until what was read was told."),
}
"""What goes up and down: the figure, and the metric's name and description."""

TOTALS = {
    "lines": ("messages", "Messages and other requests that were heard."),
    "deliveries": ("deliveries", "Events told, each counted for each who was told it."),
    "failures": ("tls_failures", "TLS handshakes and connections that failed."),
}
"""What only grows."""

LABELLED = {
    "members": (GaugeMetricFamily, "members", "People in the room, by door.", "dialect"),
    "refusals": (CounterMetricFamily, "refusals", "Requests that were refused.", "code"),
    "evictions": (CounterMetricFamily, "evictions", "Members that were put out.", "reason"),
}
"""What is counted by something."""


_REQUEST = re.compile(rb"(?P<method>[A-Z]+) (?P<path>/[^ ?#]*)(?:\?[^ ]*)? HTTP/1\.[01](?:\r\n|\Z)")


class Figured(Collector):
    """Makes metrics of a hub's figures."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        figures = self._hub.figures()
        info = GaugeMetricFamily("triochat_info", "Which server this is.", labels=["version"])
        info.add_metric([figures.version], 1)
        yield info
        for name, (metric, text) in GAUGES.items():
            yield GaugeMetricFamily(f"triochat_{metric}", text, getattr(figures, name))
        for name, (metric, text) in TOTALS.items():
            yield CounterMetricFamily(f"triochat_{metric}", text, getattr(figures, name))
        for name, (family, metric, text, label) in LABELLED.items():
            labelled = family(f"triochat_{metric}", text, labels=[label])
            for value, count in getattr(figures, name).items():
                labelled.add_metric([value], count)
            yield labelled


async def serve_metrics(listeners: Sequence[trio.abc.Listener[trio.abc.Stream]], hub: Hub) -> None:
    """Answer whoever asks at these listeners, until cancelled; they are closed then."""
    registry = CollectorRegistry()
    registry.register(Figured(hub))
    ProcessCollector(registry=registry)
    scopes: list[trio.CancelScope] = []

    async def serve_stream(stream: trio.abc.Stream) -> None:
        with trio.move_on_after(PATIENCE) as scope:  # with its answer
            scopes.append(scope)
            if len(scopes) > CONNECTIONS:
                scopes.pop(0).cancel()
            with suppress(trio.BrokenResourceError):  # it does not want to know any more
                await stream.send_all(_answer(await _read_head(stream), registry))
                await end(stream)
                while await stream.receive_some(HEAD):  # or what it says still would reset this
                    pass
        if scope in scopes:
            scopes.remove(scope)
        await trio.aclose_forcefully(stream)

    await trio.serve_listeners(serve_stream, list(listeners))


async def _read_head(stream: trio.abc.ReceiveStream) -> bytes:
    """What a request has before its first blank line, or as much of it as may be."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) <= HEAD:
        if not (data := await stream.receive_some(HEAD)):
            break
        head += data
    return head.partition(b"\r\n\r\n")[0] if b"\r\n\r\n" in head[: HEAD + 4] else b""


def _answer(head: bytes, registry: CollectorRegistry) -> bytes:
    """The response to a request with this head; it is empty where there is none."""
    found = _REQUEST.match(head)
    if not found or found["method"] not in METHODS:
        return response("400 Bad Request", b"this is no request of HTTP/1.1 that I understand\n")
    if found["path"] != b"/metrics":
        return response("404 Not Found", b"there is only /metrics here\n")
    if found["method"] not in (b"GET", b"HEAD"):
        return response("405 Method Not Allowed", b"GET it\n", "Allow: GET, HEAD")
    whole = response("200 OK", generate_latest(registry), kind=CONTENT_TYPE_LATEST)
    return whole if found["method"] == b"GET" else whole[: whole.index(b"\r\n\r\n") + 4]
