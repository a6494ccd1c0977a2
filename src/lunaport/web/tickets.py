"""Who is logged in to the page: signed tickets that a browser keeps as a cookie. Pure but for the clock.

A ticket says who, until when, and a number of its own; the signature is made with a key that derives from the NAS's.
It is bound to the user's password: another password ends it. Logging out ends it too, as long as this
process runs. Nothing is kept for a ticket that is valid, so there is no number of them that would be too many.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LIFE_S: Final = 7 * 86400.0
NONCE_BYTES: Final = 16
SIGNATURE_BYTES: Final = 32
TICKET_CHARS_MAX: Final = 1024
ENDED_COUNT_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a valid cookie says. `proof` is of the password that was given."""

    user: str
    until: float
    nonce: bytes
    proof: bytes


class Tickets:
    """Makes, checks and ends tickets."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock
        self._ended: OrderedDict[bytes, float] = OrderedDict()

    def proof(self, password_hash: str) -> bytes:
        """What binds a ticket to a password, without telling anything about it."""
        return hmac.digest(self._key, b"proof " + password_hash.encode(), hashlib.sha256)[:16]

    def issue(self, user: str, password_hash: str) -> str:
        """The text of a new ticket."""
        body = secrets.token_bytes(NONCE_BYTES) + self.proof(password_hash)
        body += int(self._clock() + LIFE_S).to_bytes(8) + user.encode()
        return base64.urlsafe_b64encode(body + self._sign(body)).decode().rstrip("=")

    def read(self, text: str) -> Ticket | None:
        """The ticket, if it is ours, not over, and nobody has ended it."""
        if not text or len(text) > TICKET_CHARS_MAX or not text.isascii():
            return None
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        body, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
        if len(body) <= NONCE_BYTES + 24 or not hmac.compare_digest(signature, self._sign(body)):
            return None
        nonce, proof, rest = body[:NONCE_BYTES], body[NONCE_BYTES : NONCE_BYTES + 16], body[NONCE_BYTES + 16 :]
        ticket = Ticket(user=rest[8:].decode(), until=int.from_bytes(rest[:8]), nonce=nonce, proof=proof)
        return None if self.is_over(ticket) else ticket

    def is_over(self, ticket: Ticket) -> bool:
        """Whether its time is over, or somebody has ended it."""
        return ticket.until <= self._clock() or ticket.nonce in self._ended

    def end(self, ticket: Ticket) -> None:
        """Take it as valid no more."""
        now = self._clock()
        self._ended[ticket.nonce] = ticket.until
        while self._ended and (len(self._ended) > ENDED_COUNT_MAX or next(iter(self._ended.values())) <= now):
            self._ended.popitem(last=False)

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._key, b"ticket " + body, hashlib.sha256)
