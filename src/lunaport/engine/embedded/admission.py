"""Which connections are taken: a count of all of them, by address, and of those that have not logged in.

Pure book-keeping: it says who has to go, and closes nothing. An address is the host without its port. Connections
that other processes have taken over count for their address and in all, but cannot be crowded out.
"""

from collections import Counter
from typing import Generic, TypeVar

from lunaport.engine.embedded.limits import ConnectionBounds
from lunaport.iscsi.session import count_down

C = TypeVar("C")


class Admission(Generic[C]):
    """The connections there are. `C` is whatever stands for one."""

    def __init__(self, bounds: ConnectionBounds) -> None:
        self.bounds = bounds
        self.connections: dict[C, str] = {}
        self.per_address: Counter[str] = Counter()
        self.away_count = 0
        # In the order in which they came: the first is the oldest.
        self.before_login: dict[C, None] = {}
        self.before_login_from: dict[str, dict[C, None]] = {}

    @property
    def count(self) -> int:
        """All connections."""
        return len(self.connections) + self.away_count

    def refusal(self, address: str) -> str:
        """Why one more from `address` cannot be taken; empty: it can, once those that `crowded_out` names are gone."""
        bounds = self.bounds
        if self.per_address[address] >= bounds.per_address and address not in self.before_login_from:
            return f"there are {bounds.per_address} connections from this address already"
        if self.count >= bounds.in_all and not self.before_login:
            return f"there are {bounds.in_all} connections already"
        return ""

    def crowded_out(self, address: str) -> C | None:
        """The connection that has to go before one more from `address` is taken."""
        bounds = self.bounds
        own = self.before_login_from.get(address)
        if own and (len(own) >= bounds.before_login_per_address or self.per_address[address] >= bounds.per_address):
            return next(iter(own))
        if self.before_login and (len(self.before_login) >= bounds.before_login or self.count >= bounds.in_all):
            return next(iter(self.before_login))
        return None

    def add(self, connection: C, address: str) -> None:
        """A connection is taken; it has not logged in."""
        self.connections[connection] = address
        self.per_address[address] += 1
        self.before_login[connection] = None
        self.before_login_from.setdefault(address, {})[connection] = None

    def end_login(self, connection: C) -> None:
        """It has logged in, or failed to."""
        if connection in self.before_login:
            del self.before_login[connection]
            address = self.connections[connection]
            own = self.before_login_from[address]
            del own[connection]
            if not own:
                del self.before_login_from[address]

    def remove(self, connection: C) -> None:
        """Its socket is closed."""
        self.end_login(connection)
        address = self.connections.pop(connection)
        count_down(self.per_address, address)

    def leave(self, connection: C) -> str:
        """Another process has taken it over; returns its address."""
        self.end_login(connection)
        self.away_count += 1
        return self.connections.pop(connection)

    def count_away(self, address: str) -> None:
        """Another process has a connection that was not known here."""
        self.per_address[address] += 1
        self.away_count += 1

    def end_away(self, address: str) -> None:
        """Another process has one connection less."""
        self.away_count -= 1
        count_down(self.per_address, address)
