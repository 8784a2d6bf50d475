from hypothesis import given
from hypothesis import strategies as st

from strategies import any_request
from triochat.order import Asked, Peer, arrival

peers = st.builds(Peer, st.text(), st.text(), st.text(), st.booleans())
asked = st.builds(Asked, peers, st.lists(any_request, max_size=4), st.floats(0, 2**33))


@given(asked)
def test_alone_everything_has_its_place_at_once(one: Asked) -> None:
    """The order of one server is that in which it is asked."""
    assert arrival(one) == (one,)
