"""Decisions drawn from fuzz input. What is used up gives zeros, so every input means something and ends."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Source:
    """Reads the input from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self.at < len(self.data)

    def take(self, length: int) -> bytes:
        """The next bytes, fewer at the end."""
        piece = self.data[self.at : self.at + length]
        self.at += len(piece)
        return piece

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self.data))

    def number(self, length: int = 1) -> int:
        """An unsigned number of `length` bytes."""
        return int.from_bytes(self.take(length).ljust(length, b"\0"), "big")

    def pick(self, choices: Sequence[T]) -> T:
        """One of at most 256 choices; the first where nothing is left."""
        return choices[self.number() % len(choices)]

    def flag(self) -> bool:
        """Yes or no."""
        return self.number() & 1 == 1
