"""CHAP, target side, one-way and mutual (RFC 7143 section 12.1.3, RFC 1994).

    initiator                              target
    CHAP_A=8,7,6,5             ->
                               <-          CHAP_A=8 CHAP_I CHAP_C
    CHAP_N CHAP_R [CHAP_I CHAP_C]  ->
                               <-          [CHAP_N CHAP_R]

Challenges come from the random source that is passed in. One name may have several secrets: those of several targets
in discovery, or an old and a new one. A response is held against all of them. An initiator learns nothing from a
failure of proof: every name costs the same computation, and all such failures raise AuthenticationError, whose reason
is for the administrator and never holds a secret, a challenge or a response. What has not the form of its step is
answered by what is wrong with it (section 9.2), before any secret is looked at. Which secrets may be equal is for the
configuration to check.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from lunaport.iscsi.enums import ChapAlgorithm, LoginStatus
from lunaport.iscsi.errors import AuthenticationError, LoginRefused, Refusal, TextError, quoted
from lunaport.iscsi.limits import CHALLENGE_BYTES_MAX, CHAP_NAME_BYTES_MAX, CHAP_SECRETS_MAX
from lunaport.iscsi.text import parse_binary, parse_list, parse_number, serialize_binary

RandomBytes = Callable[[int], bytes]

PREFERENCE: Final = (ChapAlgorithm.SHA3_256, ChapAlgorithm.SHA256, ChapAlgorithm.SHA1, ChapAlgorithm.MD5)
"""Strongest first: the target picks (section 12.1.3)."""
DIGEST_NAMES: Final = {
    ChapAlgorithm.MD5: "md5",
    ChapAlgorithm.SHA1: "sha1",
    ChapAlgorithm.SHA256: "sha256",
    ChapAlgorithm.SHA3_256: "sha3_256",
}
UNKNOWN_USER_SECRET: Final = b"\0" * 16
"""Hashed in place of a secret when there is none; the outcome is not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChapCredential:
    """A name and secret of initiators, and what proves the target to those who know it, where it has to."""

    user: str
    secret: bytes = field(repr=False)
    mutual: tuple[str, bytes] | None = field(default=None, repr=False)
    """The target's own name and secret."""


class ChapState(Enum):
    """Where an exchange is."""

    AWAIT_ALGORITHM = auto()
    AWAIT_RESPONSE = auto()
    AUTHENTICATED = auto()
    FAILED = auto()


def chap_response(algorithm: ChapAlgorithm, identifier: int, secret: bytes, challenge: bytes) -> bytes:
    """Return the proof that one knows `secret` (RFC 1994 section 4.1)."""
    # MD5 and SHA-1 are what older initiators have; nothing but CHAP uses them here.
    computed = hashlib.new(DIGEST_NAMES[algorithm], bytes((identifier,)) + secret + challenge, usedforsecurity=False)
    return computed.digest()


def pick_algorithm(offered: str) -> ChapAlgorithm | None:
    """Return the strongest algorithm in a CHAP_A list, None if we know none of them. Raises TextError."""
    numbers = {parse_number(item) for item in parse_list(offered)}
    return next((algorithm for algorithm in PREFERENCE if algorithm in numbers), None)


def by_user(credentials: Iterable[ChapCredential]) -> Mapping[str, list[ChapCredential]]:
    """Credentials by name: each secret once, with a proof of the target if one of its kind has one.

    Of one name the first CHAP_SECRETS_MAX secrets count.
    """
    found: dict[str, dict[bytes, ChapCredential]] = {}
    for each in credentials:
        secrets = found.setdefault(each.user, {})
        known = secrets.get(each.secret)
        if (known is None and len(secrets) < CHAP_SECRETS_MAX) or (known is not None and known.mutual is None):
            secrets[each.secret] = each
    return {user: list(secrets.values()) for user, secrets in found.items()}


class ChapExchange:
    """One authentication. After a failure nothing else happens on it."""

    def __init__(self, credentials: Iterable[ChapCredential], random_bytes: RandomBytes) -> None:
        self._credentials = by_user(credentials)
        self._random_bytes = random_bytes
        self._algorithm = ChapAlgorithm.MD5
        self._identifier = 0
        self._challenge = b""
        self.state = ChapState.AWAIT_ALGORITHM
        self.proven: ChapCredential | None = None
        """What the initiator has proved to know, once it is authenticated."""

    def receive(self, pairs: Mapping[str, str]) -> list[tuple[str, str]]:
        """Take the CHAP keys of one request and return the answers.

        Raises AuthenticationError, and LoginRefused for keys or values that the step does not ask for.
        """
        state, self.state = self.state, ChapState.FAILED
        try:
            if state is ChapState.AWAIT_ALGORITHM and pairs.keys() == {"CHAP_A"}:
                return self._send_challenge(pairs["CHAP_A"])
            if state is ChapState.AWAIT_RESPONSE and "CHAP_A" not in pairs:
                return self._check_response(pairs)
        except TextError as error:
            raise _malformed(str(error)) from error
        raise _malformed(f"{', '.join(pairs)} out of turn")

    def _send_challenge(self, offered: str) -> list[tuple[str, str]]:
        algorithm = pick_algorithm(offered)
        if algorithm is None:
            raise AuthenticationError(f"CHAP: no known algorithm in {quoted(offered)}")
        self._algorithm = algorithm
        self._identifier = self._random_bytes(1)[0]
        self._challenge = self._random_bytes(hashlib.new(DIGEST_NAMES[algorithm], usedforsecurity=False).digest_size)
        self.state = ChapState.AWAIT_RESPONSE
        return [
            ("CHAP_A", str(int(algorithm))),
            ("CHAP_I", str(self._identifier)),
            ("CHAP_C", serialize_binary(self._challenge)),
        ]

    def _check_response(self, pairs: Mapping[str, str]) -> list[tuple[str, str]]:
        # Everything about the form first, so that a proof is looked at only in a message that is whole.
        missing = {"CHAP_N", "CHAP_R"} - pairs.keys()
        if missing:
            raise _missing(*sorted(missing))
        user = pairs["CHAP_N"]
        if not 0 < len(user.encode()) <= CHAP_NAME_BYTES_MAX:
            raise _malformed(f"a name of more than {CHAP_NAME_BYTES_MAX} bytes, or of none")
        response = parse_binary(pairs["CHAP_R"], CHALLENGE_BYTES_MAX)
        asked = self._parse_mutual(pairs)
        proven = self._find_proven(user, response)
        if user not in self._credentials:
            raise AuthenticationError(f"CHAP: unknown user {quoted(user)}", refusal=Refusal.UNKNOWN_USER)
        if proven is None:
            raise AuthenticationError(f"CHAP: wrong secret for user {quoted(user)}", refusal=Refusal.WRONG_SECRET)
        answers = self._prove_ourselves(proven, *asked) if asked else []
        self.state = ChapState.AUTHENTICATED
        self.proven = proven
        return answers

    def _find_proven(self, user: str, response: bytes) -> ChapCredential | None:
        """The credential that `response` proves. For each name, known or not, the same number of secrets is tried."""
        candidates = self._credentials.get(user, [])
        rounds = max(map(len, self._credentials.values()), default=1)
        proven = None
        for number in range(rounds):
            candidate = candidates[number] if number < len(candidates) else None
            secret = UNKNOWN_USER_SECRET if candidate is None else candidate.secret
            expected = chap_response(self._algorithm, self._identifier, secret, self._challenge)
            matches = hmac.compare_digest(expected, response)
            if matches and candidate is not None and proven is None:
                proven = candidate
        return proven

    def _parse_mutual(self, pairs: Mapping[str, str]) -> tuple[int, bytes] | None:
        identifier, challenge = pairs.get("CHAP_I"), pairs.get("CHAP_C")
        if identifier is None and challenge is None:
            return None
        if identifier is None or challenge is None:
            raise _missing("CHAP_I" if identifier is None else "CHAP_C")
        number = parse_number(identifier)
        if number > 255:
            raise _malformed("CHAP_I is not within 0 to 255")
        return number, parse_binary(challenge, CHALLENGE_BYTES_MAX)

    def _prove_ourselves(self, proven: ChapCredential, identifier: int, challenge: bytes) -> list[tuple[str, str]]:
        if proven.mutual is None:
            raise AuthenticationError("CHAP: the initiator asks the target to prove itself, which has no secret for it")
        # Section 12.1.3: a challenge of ours that comes back is someone who wants us to answer it for him.
        if hmac.compare_digest(challenge, self._challenge):
            raise AuthenticationError("CHAP: the initiator returned the target's own challenge")
        name, secret = proven.mutual
        # Section 9.2.1: the same proof in both directions is one that could be had from the other side.
        if hmac.compare_digest(secret, proven.secret):
            raise AuthenticationError("CHAP: the secret of the target is that of the initiator")
        response = chap_response(self._algorithm, identifier, secret, challenge)
        return [("CHAP_N", name), ("CHAP_R", serialize_binary(response))]


def _missing(*keys: str) -> LoginRefused:
    reason = f"CHAP: {' and '.join(keys)} missing"
    return LoginRefused(LoginStatus.MISSING_PARAMETER, reason, refusal=Refusal.AUTHENTICATION_FAILED)


def _malformed(reason: str) -> LoginRefused:
    return LoginRefused(LoginStatus.INITIATOR_ERROR, f"CHAP: {reason}", refusal=Refusal.AUTHENTICATION_FAILED)
