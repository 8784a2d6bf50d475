import pytest

from triochat.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "unit", "seconds"),
    [
        ("90", "s", 90.0),
        ("90", "m", 5400.0),
        ("90s", "m", 90.0),
        ("5m", "s", 300.0),
        ("2h", "s", 7200.0),
        ("30d", "s", 2592000.0),
        ("0.5h", "s", 1800.0),
        (" 7m ", "s", 420.0),
        ("5M", "s", 300.0),
        ("0", "m", 0.0),
    ],
)
def test_durations(text: str, unit: str, seconds: float) -> None:
    """A number with a unit, or alone with the one that is usual there."""
    assert parse_duration(text, unit) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "m",
        "1 m",
        "1w",
        "1e9",
        "inf",
        "nan",
        "1m30s",
        "\u0665m",
        "1" * 99,
    ],
)
def test_what_is_no_duration(text: str) -> None:
    """It is refused with what one looks like."""
    with pytest.raises(ValueError, match="is no duration; write one as 90s, 5m, 2h or 30d"):
        parse_duration(text)
