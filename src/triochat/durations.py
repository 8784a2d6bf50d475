"""Durations, as people write them (``90s``, ``5m``, ``2h``, ``30d``), and read them. Pure."""

import re
from math import ceil

_UNITS = {"d": (86_400, "day"), "h": (3_600, "hour"), "m": (60, "minute"), "s": (1, "second")}


def parse_duration(text: str, unit: str = "s") -> float:
    """The seconds that are meant; a number alone is of this unit.

    Raises:
        ValueError: it is no duration; the sentence says what one looks like.
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd]?)", text.strip().lower(), re.ASCII)
    if not found:
        raise ValueError(f'"{text}" is no duration; write one as 90s, 5m, 2h or 30d')
    return float(found[1]) * _UNITS[found[2] or unit][0]


def spell(seconds: float) -> str:
    """So long, in words: in the largest unit of which there are two, or just one."""
    size, unit = next(
        (one for one in _UNITS.values() if seconds >= 2 * one[0] or seconds == one[0]), _UNITS["s"]
    )
    count = max(1, ceil(seconds / size))
    return f"{count} {unit}{'s' if count > 1 else ''}"
