"""Where a program keeps what it remembers between two runs."""

import os
import sys
from pathlib import Path


def state_folder() -> Path:
    """This platform's folder for it; nobody need have made it yet, and perhaps nobody can."""
    if sys.platform == "darwin":
        folder = _home() / "Library" / "Application Support"
    elif os.name == "nt":
        folder = Path(os.environ.get("LOCALAPPDATA") or _home())
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or _home() / ".local" / "state")
    return folder / "triochat"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # nobody knows one: then nothing can be kept
        return Path(os.devnull)
