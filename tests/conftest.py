"""What every test has."""

from collections.abc import Iterator

import pytest

from real import Peer


@pytest.fixture(autouse=True)
def _peers_are_closed() -> Iterator[None]:
    """No test leaves a connection open, also one that fails."""
    yield
    for peer in [*Peer.open]:
        peer.close()
