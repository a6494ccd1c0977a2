"""The last logins that were refused, so that "why can I not log in" has an answer. Bounded per initiator and in all.

Strangers choose their names, so an initiator's share of the memory is small, and the initiators that were refused
longest ago are forgotten first.
"""

from collections import OrderedDict, deque
from typing import Final

from lunaport.engine.interface import RefusedLogin

PER_INITIATOR_MAX: Final = 8
INITIATORS_MAX: Final = 256
TEXT_CHARS_MAX: Final = 256


class LoginFailures:
    """Refused logins by initiator name; those that did not give one share an entry for each address."""

    def __init__(self) -> None:
        self.by_initiator: OrderedDict[str, deque[RefusedLogin]] = OrderedDict()

    def add(self, refused: RefusedLogin) -> None:
        """Note one; the oldest go where there is no room."""
        key = refused.initiator or f"@{refused.address.rpartition(':')[0]}"
        self.by_initiator.setdefault(key, deque(maxlen=PER_INITIATOR_MAX)).append(refused)
        self.by_initiator.move_to_end(key)
        if len(self.by_initiator) > INITIATORS_MAX:
            self.by_initiator.popitem(last=False)

    def newest(self) -> list[RefusedLogin]:
        """All of them, the newest first."""
        found = [refused for each in self.by_initiator.values() for refused in each]
        return sorted(found, key=lambda refused: refused.at, reverse=True)


def printable(text: str) -> str:
    """A stranger's text, short and without what could confuse a terminal or a log."""
    return "".join(char if char.isprintable() else "?" for char in text[:TEXT_CHARS_MAX])
