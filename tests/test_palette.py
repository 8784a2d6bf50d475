from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color

from strategies import any_text
from triochat.terminals.screen import COLOURS, Palette

handles = st.text(min_size=1, max_size=10)


def luminance(number: int) -> float:
    """How bright one of the 256 colours is, as WCAG 2 has it."""

    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = map(linear, Color.from_ansi(number).get_truecolor())
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(number: int, ground: float) -> float:
    """The contrast of a colour to a background of this luminance, as WCAG 2 has it."""
    darker, lighter = sorted((luminance(number), ground))
    return (lighter + 0.05) / (darker + 0.05)


def test_colours_are_read_on_dark_and_on_light() -> None:
    """Each colour has a contrast of 3.6 or more, to black and to white."""
    for number in COLOURS:
        assert contrast(number, 0.0) >= 3.6
        assert contrast(number, 1.0) >= 3.6


def test_colours_differ() -> None:
    """No colour is there twice, and none is one of the 16 that a person's theme changes."""
    assert len(set(COLOURS)) == len(COLOURS)
    assert min(COLOURS) >= 16


def test_a_handle_keeps_its_colour() -> None:
    """A handle has one colour, in whatever case it is written, whoever comes after it."""
    palette = Palette()
    before = palette.colour("Ann")
    for number in range(100):
        palette.colour(f"guest{number}")
    assert palette.colour("Ann") == palette.colour("aNN") == before


def test_colours_are_the_same_on_every_screen() -> None:
    """The first handle of any screen has its own colour, everywhere the same."""
    assert Palette().colour("Ann") == Palette().colour("Ann")
    assert {Palette().colour(f"guest{number}") for number in range(100)} == set(COLOURS)


@given(st.lists(handles, min_size=2, max_size=60))
def test_neighbours_differ(people: list[str]) -> None:
    """As many people in a row as there are colours, one apart, have different ones."""
    palette = Palette()
    seen = list(dict.fromkeys(palette.colour(handle) for handle in people))
    assert set(seen) <= set(COLOURS)
    fresh = Palette()
    numbers = [fresh.colour(f"guest{number}") for number in range(60)]
    for start in range(60 - len(COLOURS) + 1):
        window = numbers[start : start + len(COLOURS)]
        assert len(set(window)) == len(COLOURS)


@given(any_text)
def test_any_handle_has_a_colour(handle: str) -> None:
    """Whatever a hostile server calls somebody, there is a colour for it."""
    assert Palette().colour(handle) in COLOURS
