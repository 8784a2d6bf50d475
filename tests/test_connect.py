from triochat.connect import reason_of
from triochat.exceptions import UnreachableError, UntrustedError


def test_the_reason_of_a_failure_is_short() -> None:
    """Whatever trio wraps it in, the reason is the system's own few words."""
    refused = ConnectionRefusedError(111, "Connection refused")
    wrapped = OSError("all attempts to connect failed")
    wrapped.__cause__ = ExceptionGroup("", [refused, refused])
    assert reason_of(refused) == "connection refused"
    assert reason_of(wrapped) == "connection refused"
    assert reason_of(ExceptionGroup("", [wrapped])) == "connection refused"
    assert reason_of(OSError("odd")) == "odd"
    ours = UntrustedError("its key is SHA256:Aa")
    assert reason_of(ExceptionGroup("", [ours])) == "its key is SHA256:Aa"
    unreachable = UnreachableError(reason_of(wrapped))
    unreachable.__cause__ = wrapped
    assert reason_of(unreachable) == "connection refused"
