"""How irctest starts our server: its controller. Only `test_real_irctest` needs it."""

import os
import socket
import time
from pathlib import Path

from irctest.basecontrollers import (  # type: ignore[import-not-found]
    BaseServerController,
    DirectoryBasedController,
)
from irctest.runner import NotImplementedByController  # type: ignore[import-not-found]

from real import ENVIRONMENT, PATIENCE, TRIOCHAT


class TriochatController(BaseServerController, DirectoryBasedController):  # type: ignore[misc]
    """A server for each test; the room's name is in the environment."""

    software_name = "triochat"
    supports_sts = False
    port_open: bool = False

    def run(self, hostname: str, port: int, *, password: str | None, **wanted: object) -> None:
        """Start it; what it does not have is a reason to skip."""
        if wanted["ssl"] or wanted["run_services"] or wanted["websocket_port"] is not None:
            raise NotImplementedByController("TLS by an option, services, a port for WebSockets")
        self.create_config()
        self.hostname, self.port = hostname, port
        options = ["--host", hostname, "--name", os.environ["TRIOCHAT_ROOM"], "--rate", "0"]
        if password:
            file = Path(self.directory) / "password"
            file.write_text(password)
            options += ["--password-file", str(file)]
        environment = ENVIRONMENT | {"XDG_STATE_HOME": str(self.directory)}
        self.proc = self.execute([*TRIOCHAT, "server", str(port), *options], env=environment)

    def wait_for_port(self) -> None:
        """Until somebody is let in."""
        deadline = time.monotonic() + PATIENCE
        while not self.port_open:
            self.check_is_alive()
            try:
                socket.create_connection((self.hostname, self.port), timeout=1).close()
                self.port_open = True
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)


def get_irctest_controller_class() -> type[TriochatController]:
    """What irctest asks for."""
    return TriochatController
