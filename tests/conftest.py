"""What every test has."""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, settings

from faults import Road
from real import Peer, Server, member, running_server

# How fast the machine is, and how busy, is no property of what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


ROUGH = ("test_session", "test_hub", "test_tls", "test_program", "test_script", "test_hostile")
"""The tests of sessions: each runs over rough streams as well, and must end the same."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """More of what is drawn by a seed."""
    parser.addoption("--roads", type=int, default=1, help="rough roads for each test of sessions")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the tests of sessions run over smooth and rough streams."""
    is_rough = metafunc.module.__name__ in ROUGH and not metafunc.definition.get_closest_marker(
        "smooth"
    )
    if is_rough and inspect.iscoroutinefunction(metafunc.function):
        count = metafunc.config.getoption("--roads")
        roads = [pytest.param(seed, id=f"rough{seed}") for seed in range(1, count + 1)]
        metafunc.parametrize("road", [pytest.param(0, id="smooth"), *roads], indirect=True)


@pytest.fixture(autouse=True)
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Road | None:
    """The way to a room over memory streams, where it is rough."""
    seed = getattr(request, "param", 0)
    if not seed:
        return None
    road = Road(seed)
    road.pave(monkeypatch)
    return road


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Time is virtual: who waits jumps ahead. Where threads are waited for, time is real."""
    for item in items:
        if item.get_closest_marker("trio") and not item.get_closest_marker("real_time"):
            item.add_marker(pytest.mark.trio(run=run_in_virtual_time), append=False)


def run_in_virtual_time(
    main: Callable[[], Awaitable[None]],
    clock: trio.abc.Clock | None,
    instruments: Sequence[trio.abc.Instrument],
) -> None:
    """Run a test, by the clock that it asks for if it does."""
    clock = clock or trio.testing.MockClock(autojump_threshold=0)
    trio.run(main, clock=clock, instruments=instruments)


@pytest.fixture(autouse=True)
def _peers_are_closed() -> Iterator[None]:
    """No test leaves a connection open, also one that fails."""
    yield
    for peer in [*Peer.open]:
        peer.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server without a terminal."""
    with running_server() as server:
        yield server


@pytest.fixture
def ann(server: Server) -> Peer:
    """Ann, at a plain socket, who was here first."""
    return member(server.port, "Ann")
