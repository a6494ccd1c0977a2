"""CHAP, initiator side, one-way and mutual (RFC 7143 section 12.1.3, RFC 1994). The exchange is drawn in `chap`.

Errors raise AuthenticationError, whose reason never holds a secret, a challenge or a response.
"""

import base64
import hmac
from collections.abc import Mapping

from lunaport.iscsi.chap import PREFERENCE, RandomBytes, chap_response
from lunaport.iscsi.enums import ChapAlgorithm
from lunaport.iscsi.errors import AuthenticationError, TextError, quoted
from lunaport.iscsi.initiator_options import ChapOptions
from lunaport.iscsi.limits import CHALLENGE_BYTES_MAX
from lunaport.iscsi.text import parse_binary, parse_number, serialize_binary


class ChapProver:
    """One authentication of the initiator, and of the target where mutual CHAP is wanted."""

    def __init__(self, options: ChapOptions, random_bytes: RandomBytes) -> None:
        self._options = options
        self._random_bytes = random_bytes
        self._algorithm = ChapAlgorithm.MD5
        self._identifier = 0
        self._challenge = b""
        self.done = False
        """All that has to be proven is, on both sides as far as asked for."""

    def offer(self) -> list[tuple[str, str]]:
        """The algorithms we know."""
        return [("CHAP_A", ",".join(str(int(algorithm)) for algorithm in self._options.algorithms))]

    def respond(self, pairs: Mapping[str, str]) -> list[tuple[str, str]]:
        """Answer the target's challenge, with one of our own for mutual CHAP. Raises AuthenticationError."""
        try:
            number = parse_number(pairs["CHAP_A"])
            identifier = parse_number(pairs["CHAP_I"])
            challenge = parse_binary(pairs["CHAP_C"], CHALLENGE_BYTES_MAX)
        except KeyError as error:
            raise AuthenticationError(f"CHAP: the target's challenge lacks {error.args[0]}") from error
        except TextError as error:
            raise AuthenticationError(f"CHAP: {error}") from error
        algorithm = next((known for known in PREFERENCE if known == number), None)
        if algorithm is None or number not in self._options.algorithms:
            raise AuthenticationError(f"CHAP: the target chose algorithm {number}, which was not offered")
        if identifier > 255:
            raise AuthenticationError("CHAP: CHAP_I is not within 0 to 255")
        self._algorithm = algorithm
        proof = chap_response(algorithm, identifier, self._options.secret, challenge)
        answers = [("CHAP_N", self._options.user), ("CHAP_R", self._binary(proof))]
        if self._options.mutual is None:
            self.done = True
            return answers
        self._identifier = self._random_bytes(1)[0]
        self._challenge = self._random_bytes(self._options.challenge_bytes)
        return [*answers, ("CHAP_I", str(self._identifier)), ("CHAP_C", self._binary(self._challenge))]

    def check(self, pairs: Mapping[str, str]) -> None:
        """Look at the target's proof. Raises AuthenticationError unless it is the one that was asked for."""
        assert self._options.mutual is not None, "nothing else asks a target to prove itself"
        name, secret = self._options.mutual
        try:
            proof = parse_binary(pairs["CHAP_R"], CHALLENGE_BYTES_MAX)
            claimed = pairs["CHAP_N"]
        except KeyError as error:
            raise AuthenticationError("CHAP: the target does not prove itself") from error
        except TextError as error:
            raise AuthenticationError(f"CHAP: {error}") from error
        expected = chap_response(self._algorithm, self._identifier, secret, self._challenge)
        if claimed != name:
            raise AuthenticationError(f"CHAP: the target calls itself {quoted(claimed)}")
        if not hmac.compare_digest(expected, proof):
            raise AuthenticationError("CHAP: the target does not know its secret")
        self.done = True

    def _binary(self, value: bytes) -> str:
        return "0b" + base64.b64encode(value).decode() if self._options.base64 else serialize_binary(value)
