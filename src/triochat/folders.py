"""Where a program keeps what it remembers between two runs, and how it writes that."""

import errno
import os
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

NAME = "triochat"


def state_folder() -> Path:
    """This platform's folder for it; nobody need have made it yet, and perhaps nobody can.

    A service has what systemd says: its own folder, where that is named for us.
    """
    if own := os.environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(own) if NAME in Path(own).parts else Path(own) / NAME
    if sys.platform == "darwin":
        folder = _home() / "Library" / "Application Support"
    elif os.name == "nt":
        folder = Path(os.environ.get("LOCALAPPDATA") or _home())
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or _home() / ".local" / "state")
    return folder / NAME


def put_file(path: Path, text: bytes | Iterable[bytes], *, is_new: bool = False) -> None:
    """Put a file with this text, for its owner alone, in the place of the one that is there.

    Nobody ever reads half of it, and after a crash one of the two is there, whole. Raises
    `OSError` if that cannot be done, or if there is one and this is to be new; then the old one is
    as it was.
    """
    fd, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # 0600
    try:
        with open(fd, "wb") as file:  # noqa: PTH123  it is open already
            file.writelines([text] if isinstance(text, bytes) else text)
            file.flush()
            os.fsync(fd)
        if is_new and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # nobody knows one: then nothing can be kept
        return Path(os.devnull)
