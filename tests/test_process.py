import os
from pathlib import Path

import pytest

from triochat.process import PASSWORD, REDIS, take_password, take_redis


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that its owner alone may read, where the variable is not set."""
    monkeypatch.delenv(PASSWORD, raising=False)
    path = tmp_path / "password"
    path.touch(0o600)
    return path


@pytest.mark.parametrize(
    ("data", "password"),
    [
        (b"sesame", "sesame"),
        (b"sesame\nand what it is for\n", "sesame"),
        (b" se same \r\n", " se same "),
        ("\u5f00\u95e8".encode() * 128, "\u5f00\u95e8" * 128),
    ],
)
def test_the_first_line_of_a_file_is_the_password(file: Path, data: bytes, password: str) -> None:
    """A password is the first line as it stands, without its end."""
    file.write_bytes(data)
    assert take_password(str(file)) == password


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "has no password: its first line is empty"),
        (b"\nsesame\n", "has no password: its first line is empty"),
        (b"se\xffsame\n", "is not UTF-8 text"),
        (b"x" * 257, "is too long; a password has at most 256 characters"),
        ("\u5f00".encode() * 10_000, "is too long; a password has at most 256 characters"),
    ],
)
def test_what_is_no_password_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, problem: str
) -> None:
    """Where one was to be and none is, one sentence says why, and never what stands there."""
    file.write_bytes(data)
    with pytest.raises(ValueError, match=problem) as caught:
        take_password(str(file))
    assert "sesame" not in str(caught.value)
    if data:
        monkeypatch.setenv(PASSWORD, os.fsdecode(data))
        with pytest.raises(ValueError, match=problem) as caught:
            take_password(None)
        assert PASSWORD in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    """What is no file, or a folder, is said with the system's reason."""
    missing = f"cannot read the password file {file}-2: no such file or directory"
    with pytest.raises(ValueError, match=missing):
        take_password(f"{file}-2")
    with pytest.raises(ValueError, match="is a directory"):
        take_password(str(file.parent))


def test_the_variable_is_taken_away(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody inherits it, used or not; an empty one is none; a file counts before it."""
    monkeypatch.setenv(PASSWORD, "sesame")
    assert take_password(None) == "sesame"
    assert PASSWORD not in os.environ
    assert take_password(None) == ""
    monkeypatch.setenv(PASSWORD, "")
    assert take_password(None) == ""
    file.write_bytes(b"open")
    monkeypatch.setenv(PASSWORD, "sesame")
    assert take_password(str(file)) == "open"
    assert PASSWORD not in os.environ


def test_who_lets_others_read_it_is_told(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file that is not its owner's alone is used all the same, with a warning."""
    file.write_bytes(b"sesame")
    assert take_password(str(file)) == "sesame"
    assert capfd.readouterr().err == ""
    for mode in (0o640, 0o604):
        file.chmod(mode)
        assert take_password(str(file)) == "sesame"
        told = f"triochat: others may read the password file {file}; chmod 600 {file}\n"
        assert capfd.readouterr().err == told


URL = "redis://joe:sesame@localhost"


def test_a_url_of_a_redis_is_taken_like_a_password(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands on the command line counts, then the file, then the variable, which goes."""
    monkeypatch.delenv(REDIS, raising=False)
    assert take_redis(None, None) is None
    file.write_text("redis://other\n")
    for url, path, taken in [
        (URL, None, URL),
        (None, str(file), "redis://other"),
        (None, None, "redis://by"),
        ("", None, ""),
    ]:
        monkeypatch.setenv(REDIS, "redis://by")
        assert take_redis(url, path) == taken
        assert REDIS not in os.environ


def test_a_url_that_is_none_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one was to be and none is, one sentence says why, and never what stands there."""
    monkeypatch.delenv(REDIS, raising=False)
    for text, problem in {
        "": "has no Redis URL: its first line is empty",
        URL + "x" * 1000: "is too long; a Redis URL has at most 1000 characters",
    }.items():
        file.write_text(text)
        with pytest.raises(ValueError, match=problem) as caught:
            take_redis(None, str(file))
        assert "sesame" not in str(caught.value)
