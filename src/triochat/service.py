"""What runs us as a service, if anything does: systemd is told how far we have come."""

import os
import socket
import time
from contextlib import suppress


class Manager:
    """Who started us, and wants to know (see sd_notify(3)); else what is told goes nowhere.

    Whoever we start is not to speak for us: the variable that says where it listens is removed.
    """

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")

    def tell(self, *states: str) -> None:
        """Tell it this, as ``NAME=VALUE`` each. Nobody need listen."""
        if self._address and hasattr(socket, "AF_UNIX"):
            address = self._address
            if address.startswith("@"):  # no file: an abstract name
                address = f"\0{address[1:]}"
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.setblocking(False)
                to.sendto("\n".join(states).encode(), address)

    def tell_reloading(self) -> None:
        """We read files again; `tell` that we are ready must follow."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
