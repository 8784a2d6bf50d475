"""Where a program keeps what it remembers between two runs."""

import os
import sys
from pathlib import Path


def state_folder() -> Path:
    """This platform's folder for it; nobody need have made it yet."""
    if sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    elif os.name == "nt":
        folder = Path(os.environ.get("LOCALAPPDATA", Path.home()))
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return folder / "triochat"
