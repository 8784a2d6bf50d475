import os
import shutil
import subprocess
import sys

import pytest

from real import run

COMMANDS = ["server", "client", "send", "tail", "forget", "history", "completion"]
SHELLS = ["bash", "fish", "zsh"]

COMPLETE = {
    "bash": """
        COMP_WORDS=(triochat "$@") COMP_CWORD=$#
        [[ $(complete -p triochat) =~ -F\\ ([^ ]+) ]]
        ${BASH_REMATCH[1]} triochat "${@: -1}" ""
        printf '%s\\n' "${COMPREPLY[@]}"
        """,
    "fish": "\ncomplete -C \"triochat $argv\" | string replace -r '\\t.*' ''",
}
"""How a shell is asked what may stand in place of the last word; to stand after its script."""


def script_for(shell: str) -> str:
    """What ``triochat completion`` prints for this shell."""
    done = run("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def ask(
    program: str, *arguments: str, text: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """This program with these arguments; skips where it is not installed."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed here")
    return subprocess.run(
        [program, *arguments],
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def completions(shell: str, *words: str) -> list[str]:
    """What the shell offers in place of the last of these words after ``triochat``."""
    program = script_for(shell) + COMPLETE[shell]
    arguments = ["--norc", "-c", program, "x"] if shell == "bash" else ["-N", "-c", program]
    return sorted(ask(shell, *arguments, *words).stdout.split())


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_good_for_its_shell(shell: str) -> None:
    """The shell finds no error in its script, which knows every command."""
    script = script_for(shell)
    assert all(command in script for command in COMMANDS)
    done = ask(shell, "-n", text=script)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", COMPLETE)
def test_a_shell_completes(shell: str) -> None:
    """Commands, options and choices are offered where they may stand."""
    assert completions(shell, "") == sorted(COMMANDS)
    assert completions(shell, "se") == ["send", "server"]
    assert completions(shell, "send", "--t") == ["--timeout", "--to"]
    assert completions(shell, "completion", "") == SHELLS


def test_without_shtab_one_line_says_how_to_get_it() -> None:
    """Where shtab is not installed it is said what installs it; exit code 1, no traceback."""
    program = (
        "import sys; sys.modules['shtab'] = None\n"
        "from triochat.cli import main; sys.exit(main(['completion', 'bash']))"
    )
    done = ask(sys.executable, "-c", program)
    problem = "completion needs shtab; to install it: pip install 'triochat[completion]'"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"triochat: {problem}\n")


def test_an_old_shtab_is_told_apart() -> None:
    """A shtab that does not know the shell is to be replaced by a newer one."""
    program = (
        "import sys, shtab; shtab.SUPPORTED_SHELLS = ['bash']\n"
        "from triochat.cli import main; sys.exit(main(['completion', 'fish']))"
    )
    done = ask(sys.executable, "-c", program)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("triochat: this shtab is too old for fish; ")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_help_is_complete_and_quick(command: str) -> None:
    """Each help has examples, fits a terminal, and loads nothing that takes its time."""
    program = (
        "import sys\nfrom triochat.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print(*{'trio', 'rich', 'msgspec', 'shtab'} & set(sys.modules))"
    )
    done = ask(sys.executable, "-c", program, *([command] if command else []), "--help")
    *text, loaded = done.stdout.splitlines()
    assert (done.stderr, loaded) == ("", "")
    assert text[0].startswith(f"usage: triochat {command}".rstrip())
    assert "examples:" in text
    assert max(map(len, text)) < 80
    assert not command or "exit codes:" in text


def test_shtab_is_loaded_for_completion_alone() -> None:
    """Any other command runs where shtab is not installed."""
    program = (
        "import sys; sys.modules['shtab'] = None\n"
        "from triochat.cli import main\n"
        "sys.exit(main(['send', '127.0.0.1', '1', '--handle', 'x', 'hi']))"
    )
    assert ask(sys.executable, "-c", program).returncode == 3
