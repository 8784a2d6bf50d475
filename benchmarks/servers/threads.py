"""The usual chat on threads: one per client, `sendall` to everybody under a lock.

Usage: threads.py PORT
"""

import socket
import sys
import threading

clients: set[socket.socket] = set()
lock = threading.Lock()


def broadcast(message: bytes) -> None:
    """Tell everybody; the lock makes one order of all messages."""
    with lock:
        for client in clients:
            try:
                client.sendall(message)
            except OSError:
                continue


def chat(client: socket.socket) -> None:
    """One client."""
    with client, client.makefile("rb") as lines:
        with lock:
            clients.add(client)
            client.sendall(b"* welcome\n")
        try:
            for line in lines:
                broadcast(line)
        except ConnectionError:
            pass
        finally:
            with lock:
                clients.discard(client)


def main(port: int) -> None:
    """Serve for ever."""
    with socket.create_server(("127.0.0.1", port), backlog=4096) as listener:
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=chat, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))
