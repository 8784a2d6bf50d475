"""Durations, as people write them: ``90s``, ``5m``, ``2h``, ``30d``. Pure."""

import math
import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str, unit: str = "s") -> float:
    """The seconds that are meant; a number alone is of this unit.

    Raises:
        ValueError: it is no duration above 0; the sentence says what one looks like.
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd]?)", text.strip(), re.ASCII)
    seconds = float(found[1]) * _UNITS[found[2] or unit] if found else math.nan
    if not seconds > 0:
        raise ValueError(f'"{text}" is no duration; write one as 90s, 5m, 2h or 30d')
    return seconds
