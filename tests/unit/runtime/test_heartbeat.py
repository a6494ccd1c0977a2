"""Signs of life over a socket that is standard input."""

import os
import socket

from lunaport.runtime.heartbeat import Heartbeat


def test_it_arrives() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        heart = Heartbeat(theirs.fileno())
        heart.beat()
        heart.beat()
        assert ours.recv(10) == b".."
        heart.close()


def test_nobody_reads_or_listens() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        heart = Heartbeat(theirs.fileno())
        for _ in range(100_000):
            heart.beat()
        ours.close()
        heart.beat()
        heart.close()


def test_what_is_no_socket_is_told_nothing() -> None:
    reading, writing = os.pipe()
    heart = Heartbeat(writing)
    heart.beat()
    heart.close()
    os.close(writing)
    assert os.read(reading, 10) == b""
    os.close(reading)
