"""Errors, named by guilt. An ordinary no is an event, `Refused`, never one of these."""


class TriochatError(Exception):
    """The base of all errors of this package."""


class UnreachableError(TriochatError, OSError):
    """There is no way to the server; says why, in a few words."""


class UntrustedError(TriochatError):
    """It is not known that what answers is the server that is meant; says why, and what to do."""


class _CodedError(TriochatError):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class RemoteProtocolError(_CodedError):
    """The peer broke a rule of the wire.

    Attributes:
        code: for programs, e.g. ``not-triochat``.
        text: a sentence for the person, which says what happened.
    """


class RefusedError(_CodedError):
    """A program asked to join and was refused; ``code`` and ``text`` are the refusal's."""


class ClosedError(RefusedError):
    """A program asked to join and the server closed the connection; ``text`` says why."""
