from hypothesis import given
from hypothesis import strategies as st

from triochat.audience import Everyone

stories = st.lists(st.tuples(st.sampled_from(["comes", "goes", "settles"]), st.integers(0, 5)))


def tell(story: list[tuple[str, int]]) -> list[tuple[Everyone[int], list[int]]]:
    """Everyone at each moment of a story, and who that is."""
    everyone, here = Everyone[int](), list[int]()
    moments = [(everyone, here)]
    for what, peer in story:
        if what == "settles":
            everyone = everyone.settled()
        elif what == "comes" and peer not in here:
            everyone, here = everyone.including(peer), [*here, peer]
        elif what == "goes" and peer in here:
            everyone, here = everyone.excluding(peer), [one for one in here if one != peer]
        moments.append((everyone, here))
    return moments


@given(stories)
def test_everyone_stays_what_it_was(story: list[tuple[str, int]]) -> None:
    """Whoever comes or goes later, each moment keeps its peers, in the order in which they came."""
    for everyone, here in tell(story):
        assert list(everyone) == here
        assert len(everyone) == len(here)


@given(stories)
def test_two_that_are_akin_differ_in_who_came_and_who_went(story: list[tuple[str, int]]) -> None:
    """From one moment to a later one that is akin, gains and losses make the difference."""
    moments = tell(story)
    for index, (before, there) in enumerate(moments):
        for after, here in moments[index:]:
            if before.is_akin(after):
                gained, lost = after.gained_since(before), after.lost_since(before)
                assert [one for one in [*there, *gained] if one not in lost] == here
                assert list(before.union(after)) == [*there, *gained]
                assert list(after.union(before)) == [*there, *gained]


@given(stories)
def test_who_settles_holds_on_to_nobody(story: list[tuple[str, int]]) -> None:
    """After settling there are the same peers, and nobody has gone."""
    for everyone, here in tell(story):
        assert everyone.settled().is_settled
        assert list(everyone.settled()) == here
