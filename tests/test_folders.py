from pathlib import Path

import pytest

from triochat.folders import state_folder
from triochat.known_hosts import KnownHosts
from triochat.trust import server_at


def test_who_has_no_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody knows a home, as in some containers, there is a folder that cannot be made."""

    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", fail)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert KnownHosts(state_folder() / "known_hosts").find(server_at("localhost", 1)) == ""
    with pytest.raises(NotADirectoryError):
        state_folder().mkdir(parents=True)


def test_a_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """`XDG_STATE_HOME` says where, but not on a Mac."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert state_folder() == Path("/somewhere/triochat")


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ("/var/lib/triochat", "/var/lib/triochat"),
        ("/var/lib/triochat/lobby:/var/lib/other", "/var/lib/triochat/lobby"),
        ("/var/lib/backup", "/var/lib/backup/triochat"),
    ],
)
def test_a_service_has_its_own_folder(
    monkeypatch: pytest.MonkeyPatch, given: str, folder: str
) -> None:
    """`STATE_DIRECTORY` comes first; in the folder of another program we have one of our own."""
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    monkeypatch.setenv("STATE_DIRECTORY", given)
    assert state_folder() == Path(folder)
