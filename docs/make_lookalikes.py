"""Makes ``src/triochat/lookalike_table.py`` from two files of Unicode's, of one version.

    python docs/make_lookalikes.py confusables.txt Scripts.txt

Unicode publishes them under ``Public/security`` and ``Public/UCD/latest/ucd``. Kept is what can
stand in a handle, which is NFKC: letters, digits, and the marks that they are taken apart into.
"""

import re
import sys
import textwrap
import unicodedata
from pathlib import Path

TABLE = Path(__file__).parent.parent / "src" / "triochat" / "lookalike_table.py"

HEAD = '''\
"""Which characters look alike, and of which alphabet each is: Unicode {version}.

Written by ``docs/make_lookalikes.py`` from Unicode's ``confusables.txt`` and ``Scripts.txt``
(LICENSE-UNICODE). Read by `triochat.lookalikes`.
"""

'''

ALPHABETS_WORDS = '''"""Where the letters and digits of each alphabet begin: code points."""
'''

PROTOTYPES_WORDS = '''"""What is drawn like something simpler, and like what: code points."""
'''

_UNKNOWN = "Unknown"
_LINE = re.compile(r"(\w+)(?:\.\.(\w+))?\s*; (\w+) # (\w)")


def read_alphabets(path: Path) -> tuple[str, dict[int, tuple[str, str]]]:
    """The version, and of each character its alphabet and the first letter of its category."""
    text = path.read_text(encoding="utf-8-sig")
    characters = {}
    for line in text.splitlines():
        if found := _LINE.match(line):
            first, last, alphabet, kind = found.groups()
            for code in range(int(first, 16), int(last or first, 16) + 1):
                characters[code] = alphabet, kind
    return text.split("\n")[0].removeprefix("# Scripts-").removesuffix(".txt"), characters


def begin_alphabets(characters: dict[int, tuple[str, str]]) -> list[str]:
    """Where the letters and digits of each alphabet begin; a hole in one belongs to it."""
    begins: list[tuple[int, str]] = []
    for code in range(0x80, 0x110000):
        alphabet, kind = characters.get(code, (_UNKNOWN, "L"))
        if kind not in "LN" or (begins and alphabet == begins[-1][1]):
            continue
        if len(begins) > 1 and begins[-1][1] == _UNKNOWN and begins[-2][1] == alphabet:
            begins.pop()
        else:
            begins.append((code, alphabet))
    return [f"{code:X}={alphabet}" for code, alphabet in begins]


def read_prototypes(path: Path, characters: dict[int, tuple[str, str]], version: str) -> list[str]:
    """What is drawn like something simpler, and like what."""
    text = path.read_text(encoding="utf-8-sig")
    if f"# Version: {version}" not in text:
        sys.exit(f"{path} is not of Unicode {version}")
    pairs = []
    for line in text.splitlines():
        codes, separator, rest = line.partition(" ;\t")
        if not separator:
            continue
        code = int(codes, 16)
        is_kept = unicodedata.is_normalized("NFKC", chr(code)) and code > 0x7F
        if is_kept and characters.get(code, ("", "?"))[1] in "LNM":
            like = [f"{int(one, 16):X}" for one in rest.partition(" ;")[0].split()]
            pairs.append((code, f"{code:X}={'+'.join(like)}"))
    return [pair for _, pair in sorted(pairs)]


def literal(name: str, words: list[str], docstring: str) -> str:
    """The words as a constant, a line for as many as fit."""
    lines = textwrap.wrap(" ".join(words), 98, break_long_words=False, break_on_hyphens=False)
    return f'{name} = """\n' + "\n".join(lines) + f'\n"""\n{docstring}'


def main() -> None:
    """Write the table anew."""
    prototypes, alphabets = map(Path, sys.argv[1:])
    version, characters = read_alphabets(alphabets)
    TABLE.write_text(
        HEAD.format(version=version)
        + f'VERSION = "{version}"\n"""Of Unicode."""\n\n'
        + literal("ALPHABETS", begin_alphabets(characters), ALPHABETS_WORDS)
        + "\n"
        + literal("PROTOTYPES", read_prototypes(prototypes, characters, version), PROTOTYPES_WORDS),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
