"""The floor as a process: `python -m bench.floor PORT FILE LIBRARY`. Python logs in, C (`floor.c`) does the rest.

Anyone may log in to any name; a thread serves each connection. For measurements on loopback only.
"""

import ctypes
import os
import secrets
import socket
import sys
import threading
from pathlib import Path
from typing import Final

from lunaport.iscsi.login import LoginOutcome, LoginPhase, TargetPolicy

HEADER_BYTES: Final = 48


class Everybody:
    """`iscsi.login.TargetDirectory` without a question."""

    def find_target(self, target_name: str, initiator_name: str) -> TargetPolicy:
        """Any target."""
        return TargetPolicy(name=target_name)

    def find_discovery_policy(self, initiator_name: str) -> TargetPolicy:
        """Discovery is let in, and then gets no answer."""
        return TargetPolicy(name="")

    def admit(self, outcome: LoginOutcome) -> int:
        """One handle for all: nobody comes back with it."""
        return 1


def receive(sock: socket.socket, count: int) -> bytes:
    """Exactly so many bytes; raises ConnectionError where the stream ends before."""
    data = sock.recv(count, socket.MSG_WAITALL) if count else b""
    if len(data) != count:
        raise ConnectionError("the client went away during login")
    return data


def log_in(sock: socket.socket) -> LoginOutcome:
    """Take a client through its login. Raises ConnectionError."""
    login = LoginPhase(Everybody(), secrets.token_bytes)
    while True:
        header = receive(sock, HEADER_BYTES)
        length = int.from_bytes(header[5:8], "big")
        step = login.receive(header, receive(sock, length + -length % 4)[:length])
        sock.sendall(b"".join(step.responses))
        if step.outcome is not None:
            return step.outcome
        if step.failed:
            raise ConnectionError(step.failed)


def main() -> None:
    """Serve until killed."""
    port, file, library = int(sys.argv[1]), Path(sys.argv[2]), ctypes.CDLL(sys.argv[3])
    library.serve.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_uint64, ctypes.c_uint32]
    disk, disk_bytes = os.open(file, os.O_RDWR), file.stat().st_size

    def serve(sock: socket.socket) -> None:
        with sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            outcome = log_in(sock)
            if library.serve(sock.fileno(), disk, disk_bytes, outcome.stat_sn):
                print("floor: a request that it does not know, or an error of the disk", file=sys.stderr, flush=True)

    with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=serve, args=[sock], daemon=True).start()


if __name__ == "__main__":
    main()
