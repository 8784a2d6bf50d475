import ast
import re
import subprocess
import sys

import pytest

from triochat import release

CODE = '''
"""What this is."""

class Room:
    """One room."""

    def apply(self, asked):
        """What it leads to."""
        def one():
            """One of them."""
            return "one"
        return [one()]  # in order
'''


def means(code: str) -> str:
    """What this says to who runs it."""
    return release.meaning(ast.parse(code))


def test_what_is_said_to_readers_does_not_count() -> None:
    """Neither docstrings nor comments nor lines decide anything."""
    other = re.sub(r'""".*"""', '"""Otherwise."""', CODE).replace("# in", "# not in")
    other = other.replace("[one()]", "[\n\n            one()\n        ]")
    assert means(other) == means(CODE)


@pytest.mark.parametrize("changed", ['"two"', '"one" * 2', "asked"])
def test_what_is_run_counts(changed: str) -> None:
    """Another text, another operation, another name: it may decide otherwise."""
    assert means(CODE.replace('"one"', changed)) != means(CODE)


def test_the_same_code_has_the_same_rules() -> None:
    """They are eight digits, which a person can compare."""
    assert release.rules() == release.rules()
    assert re.fullmatch(r"[0-9a-f]{8}", release.rules())


def test_all_that_decides_counts() -> None:
    """What is loaded with the modules that decide, and nothing else."""
    names = [f"triochat.{name}" for name in release.DECIDING]
    code = f"import sys, {', '.join(names)}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    own = {name.partition(".")[2] for name in loaded.stdout.split() if name.startswith("triochat.")}
    assert {*release._closure(release.DECIDING)} == own


def test_a_rule_that_is_another_makes_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it stands in a module that only another one imports."""
    before = release.rules()
    parse = ast.parse

    def changed(source: bytes) -> ast.Module:
        return parse(source.replace(b"QUEUE = 1000", b"QUEUE = 1001"))

    monkeypatch.setattr("triochat.release.ast.parse", changed)
    assert release.rules() != before
