"""What the supervisor holds for the others over their restarts: the data directory's lock, and listening sockets."""

import errno
import fcntl
import os
import socket
from pathlib import Path
from typing import Final

from lunaport.model.address import HostPort, is_loopback, parse_host_port

HTTP_BACKLOG: Final = 512
HTTP_PORT: Final = 8080
HTTPS_PORT: Final = 8443


class SupervisorError(Exception):
    """The NAS cannot start; the text says why and what would help."""


def lock_data_directory(data_dir: Path) -> int:
    """Make the data directory and lock it: one NAS a directory. Returns the descriptor that holds the lock."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SupervisorError(f"the data directory {data_dir} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise SupervisorError(f"another Lunaport serves the data directory {data_dir} already") from None
    return fd


def is_local(address: str) -> bool:
    """Whether HOST[:PORT] is reached from this machine only."""
    return is_loopback(parse_host_port(address, HTTP_PORT).host)


def listen_http(address: str, default_port: int) -> socket.socket:
    """Open a listening HTTP or HTTPS socket on HOST:PORT."""
    where = parse_host_port(address, default_port)
    sock: socket.socket | None = None
    try:
        family, kind, protocol, _, bind_to = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(bind_to)
        sock.listen(HTTP_BACKLOG)
    except OSError as error:
        if sock is not None:
            sock.close()
        hint = "; another program listens there" if error.errno == errno.EADDRINUSE else ""
        raise SupervisorError(f"HTTP cannot listen on {address}: {error.strerror}{hint}") from error
    return sock


def http_url(sock: socket.socket, scheme: str) -> str:
    """The address of a listening socket as a browser takes it."""
    host, port = sock.getsockname()[:2]
    return f"{scheme}://{HostPort(host=host, port=port)}"


def make_pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of the line between two data processes, which carries whole messages in order."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def listen_control(path: str) -> socket.socket:
    """Open the listening Unix socket between control and data; only this user may connect."""
    Path(path).unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(before)
    sock.listen(8)
    return sock
