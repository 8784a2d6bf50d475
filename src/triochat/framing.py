r"""Bytes to lines: the framing of all dialects of lines, for whatever pieces the bytes come in.

A line ends in ``\n`` or ``\r\n``, is UTF-8, and has at most ``limit`` bytes without its ending.
A line that is longer, or is not UTF-8, comes out as a refusal in its place: it is skipped, and
the lines after it are as good as ever. A line that is too long is refused as soon as it is, whether
it ends or not, and never held in memory: at most ``limit`` + 1 bytes are kept between two calls.

What stands after the last line end is not a line. When the bytes end there it must not be
obeyed: ``secret > Joe`` cut short would be a secret told to everybody.
"""

from triochat.messages import Refused

LINE_LENGTH = 4096
"""The most bytes in a line, without its ending, where nothing else is said."""


class Lines:
    """Takes bytes, gives lines (`str`) and, in place of lines that break a rule, refusals."""

    __slots__ = ("_limit", "_rest", "_skipping")

    def __init__(self, limit: int = LINE_LENGTH) -> None:
        self._limit = limit
        self._rest = bytearray()  # grows in place: to copy it for each piece is quadratic
        self._skipping = False

    def feed(self, data: bytes | bytearray) -> list[str | Refused]:
        """The lines that these bytes complete, in order, without their endings."""
        kept = self._rest
        whole, end, rest = data.rpartition(b"\n")
        read = []
        if end:
            read = self._read_all(kept + whole if kept else whole)
            kept.clear()
        if rest and not self._skipping:
            kept += rest
            if len(kept) - kept.endswith(b"\r") > self._limit:
                kept.clear()
                self._skipping = True
                read.append(self._too_long())
        return read

    def end(self) -> Refused | None:
        """The refusal of what came after the last line end, if there was anything."""
        unfinished = bool(self._rest)
        self._rest.clear()
        self._skipping = False
        if not unfinished:
            return None
        return Refused("line-unfinished", "the last line has no line end; nothing was sent")

    def _read_all(self, whole: bytes | bytearray) -> list[str | Refused]:
        if whole.isascii() and not self._skipping:  # most lines, all at once
            text = whole.decode()
            if "\r" in text:
                text = (text + "\n").replace("\r\n", "\n")[:-1]
            texts = text.split("\n")
            if len(whole) <= self._limit or max(map(len, texts)) <= self._limit:
                return [*texts]
        lines = whole.split(b"\n")
        if self._skipping:
            self._skipping = False
            del lines[0]
        return [self._read(line) for line in lines]

    def _read(self, line: bytes | bytearray) -> str | Refused:
        if line.endswith(b"\r"):
            line = line[:-1]
        if len(line) > self._limit:
            return self._too_long()
        try:
            return line.decode()
        except UnicodeDecodeError:
            return Refused("not-utf8", "that line is not UTF-8 text; nothing was sent")

    def _too_long(self) -> Refused:
        return Refused(
            "line-too-long",
            f"a line of more than {self._limit} bytes is not allowed; nothing was sent",
        )
