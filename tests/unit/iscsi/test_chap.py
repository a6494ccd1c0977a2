"""Tests of lunaport.iscsi.chap."""

import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi.chap import ChapCredential, ChapExchange, ChapState, by_user, chap_response, pick_algorithm
from lunaport.iscsi.enums import ChapAlgorithm, LoginStatus
from lunaport.iscsi.errors import AuthenticationError, LoginRefused, RemoteProtocolError, TextError

SECRET = b"alice-secret-1"
ALICE = ChapCredential(user="alice", secret=SECRET)
BOB = ChapCredential(user="bob", secret=b"bob-secret-123")
ONE_WAY = (ALICE, BOB)
MUTUAL = (replace(ALICE, mutual=("nas", b"nas-secret-123")),)


def counting(length: int) -> bytes:
    """A random source without randomness."""
    return bytes(range(1, length + 1))


def exchange(secrets: tuple[ChapCredential, ...] = ONE_WAY) -> ChapExchange:
    return ChapExchange(secrets, counting)


def proof(algorithm: ChapAlgorithm, secret: bytes = SECRET) -> str:
    size = {5: 16, 6: 20, 7: 32, 8: 32}[algorithm]
    return "0x" + chap_response(algorithm, 1, secret, counting(size)).hex()


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        (ChapAlgorithm.MD5, hashlib.md5(b"\x07secretchallenge", usedforsecurity=False)),
        (ChapAlgorithm.SHA1, hashlib.sha1(b"\x07secretchallenge", usedforsecurity=False)),
        (ChapAlgorithm.SHA256, hashlib.sha256(b"\x07secretchallenge")),
        (ChapAlgorithm.SHA3_256, hashlib.sha3_256(b"\x07secretchallenge")),
    ],
)
def test_the_response_covers_identifier_secret_challenge(algorithm: ChapAlgorithm, digest: "hashlib._Hash") -> None:
    assert chap_response(algorithm, 7, b"secret", b"challenge") == digest.digest()


@pytest.mark.parametrize(
    ("offered", "picked"),
    [
        ("5", ChapAlgorithm.MD5),
        ("5,6", ChapAlgorithm.SHA1),
        ("7,5", ChapAlgorithm.SHA256),
        ("5,6,7,8", ChapAlgorithm.SHA3_256),
        ("0x7,99", ChapAlgorithm.SHA256),
        ("4,9", None),
    ],
)
def test_the_strongest_algorithm_is_picked(offered: str, picked: ChapAlgorithm | None) -> None:
    assert pick_algorithm(offered) is picked


@pytest.mark.parametrize("offered", ["", "MD5", "5,,7"])
def test_a_list_that_is_none(offered: str) -> None:
    with pytest.raises(TextError):
        pick_algorithm(offered)


@pytest.mark.parametrize("algorithm", list(ChapAlgorithm))
def test_one_way(algorithm: ChapAlgorithm) -> None:
    chap = exchange()
    answers = dict(chap.receive({"CHAP_A": str(int(algorithm))}))
    size = {5: 16, 6: 20, 7: 32, 8: 32}[algorithm]
    assert answers == {"CHAP_A": str(int(algorithm)), "CHAP_I": "1", "CHAP_C": "0x" + counting(size).hex()}
    assert chap.receive({"CHAP_N": "alice", "CHAP_R": proof(algorithm)}) == []
    assert (chap.state, chap.proven) == (ChapState.AUTHENTICATED, ALICE)


def test_mutual() -> None:
    chap = exchange(MUTUAL)
    chap.receive({"CHAP_A": "7"})
    pairs = {"CHAP_N": "alice", "CHAP_R": proof(ChapAlgorithm.SHA256), "CHAP_I": "200", "CHAP_C": "0bAAECAw=="}
    expected = hashlib.sha256(b"\xc8nas-secret-123\x00\x01\x02\x03").hexdigest()
    assert chap.receive(pairs) == [("CHAP_N", "nas"), ("CHAP_R", "0x" + expected)]


def test_an_initiator_need_not_ask_for_mutual() -> None:
    chap = exchange(MUTUAL)
    chap.receive({"CHAP_A": "5"})
    assert chap.receive({"CHAP_N": "alice", "CHAP_R": proof(ChapAlgorithm.MD5)}) == []
    assert chap.state is ChapState.AUTHENTICATED


SAME_SECRET = (replace(ALICE, mutual=("nas", ALICE.secret)),)
STATUSES = {
    "missing": LoginStatus.MISSING_PARAMETER,
    "out of turn": LoginStatus.INITIATOR_ERROR,
    "more than 1024 bytes": LoginStatus.INITIATOR_ERROR,
    "neither 0x nor 0b": LoginStatus.INITIATOR_ERROR,
    "a name of": LoginStatus.INITIATOR_ERROR,
    "0 to 255": LoginStatus.INITIATOR_ERROR,
    "not a number": LoginStatus.INITIATOR_ERROR,
}
"""Section 9.2: what is wrong with the form of a step is told; of what was proved, only that it was not."""


def status_of(error: RemoteProtocolError) -> int:
    return error.status if isinstance(error, LoginRefused) else LoginStatus.AUTHENTICATION_FAILURE


GOOD = {"CHAP_N": "alice", "CHAP_R": proof(ChapAlgorithm.MD5)}
OWN_CHALLENGE = "0x" + counting(16).hex()


@pytest.mark.parametrize(
    ("secrets", "pairs", "reason"),
    [
        (ONE_WAY, {"CHAP_N": "mallory", "CHAP_R": proof(ChapAlgorithm.MD5)}, "unknown user 'mallory'"),
        (ONE_WAY, {"CHAP_N": "Alice", "CHAP_R": proof(ChapAlgorithm.MD5)}, "unknown user 'Alice'"),
        (ONE_WAY, {"CHAP_N": "bob", "CHAP_R": proof(ChapAlgorithm.MD5)}, "wrong secret for user 'bob'"),
        (ONE_WAY, {"CHAP_N": "alice", "CHAP_R": proof(ChapAlgorithm.SHA1)}, "wrong secret for user 'alice'"),
        (ONE_WAY, {"CHAP_N": "alice", "CHAP_R": "0x00"}, "wrong secret for user 'alice'"),
        (ONE_WAY, {"CHAP_N": "alice", "CHAP_R": "0x" + "00" * 1024}, "wrong secret for user 'alice'"),
        (ONE_WAY, {"CHAP_N": "alice", "CHAP_R": "0x" + "00" * 1025}, "more than 1024 bytes"),
        (ONE_WAY, {"CHAP_N": "alice", "CHAP_R": "nonsense"}, "neither 0x nor 0b"),
        (ONE_WAY, {"CHAP_N": "", "CHAP_R": proof(ChapAlgorithm.MD5)}, "a name of"),
        (ONE_WAY, {"CHAP_N": "n" * 224, "CHAP_R": proof(ChapAlgorithm.MD5)}, "a name of"),
        (ONE_WAY, {"CHAP_N": "alice"}, "CHAP_R missing"),
        (ONE_WAY, {"CHAP_R": "0x00"}, "CHAP_N missing"),
        (ONE_WAY, {}, "CHAP_N and CHAP_R missing"),
        (ONE_WAY, {"CHAP_A": "5"}, "out of turn"),
        (ONE_WAY, GOOD | {"CHAP_A": "5"}, "out of turn"),
        (ONE_WAY, GOOD | {"CHAP_I": "1", "CHAP_C": "0x01"}, "has no secret for it"),
        (MUTUAL, GOOD | {"CHAP_I": "1"}, "CHAP_C missing"),
        (MUTUAL, GOOD | {"CHAP_C": "0x01"}, "CHAP_I missing"),
        # Section 9.2: the attack that leaves out one's own proof.
        (MUTUAL, {"CHAP_N": "alice", "CHAP_I": "1", "CHAP_C": OWN_CHALLENGE}, "CHAP_R missing"),
        (MUTUAL, GOOD | {"CHAP_I": "256", "CHAP_C": "0x01"}, "0 to 255"),
        (MUTUAL, GOOD | {"CHAP_I": "x", "CHAP_C": "0x01"}, "not a number"),
        (MUTUAL, GOOD | {"CHAP_I": "2", "CHAP_C": OWN_CHALLENGE}, "own challenge"),
        (MUTUAL, GOOD | {"CHAP_I": "2", "CHAP_C": "0x" + "00" * 1025}, "more than 1024 bytes"),
        (SAME_SECRET, GOOD | {"CHAP_I": "2", "CHAP_C": "0x01"}, "is that of the initiator"),
        # No proof of ours for one who has not given his.
        (MUTUAL, GOOD | {"CHAP_N": "bob", "CHAP_I": "1", "CHAP_C": "0x01"}, "unknown user 'bob'"),
    ],
)
def test_refusals(secrets: tuple[ChapCredential, ...], pairs: dict[str, str], reason: str) -> None:
    chap = exchange(secrets)
    chap.receive({"CHAP_A": "5"})
    with pytest.raises(RemoteProtocolError, match=reason) as caught:
        chap.receive(pairs)
    assert status_of(caught.value) == next((status for part, status in STATUSES.items() if part in reason), 0x0201)
    assert SECRET.decode() not in str(caught.value)
    assert chap.state is ChapState.FAILED
    with pytest.raises(LoginRefused, match="out of turn"):
        chap.receive(GOOD)


def test_one_name_with_several_secrets_proves_the_one_that_it_knows() -> None:
    secrets = [ChapCredential(user="alice", secret=f"alice-secret-{number}".encode()) for number in range(3)]
    for known in secrets:
        chap = exchange((*secrets, BOB))
        chap.receive({"CHAP_A": "5"})
        chap.receive({"CHAP_N": "alice", "CHAP_R": proof(ChapAlgorithm.MD5, known.secret)})
        assert chap.proven == known


@pytest.mark.parametrize("user", ["alice", "bob", "mallory"])
def test_every_name_costs_the_same(user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []

    def counted(algorithm: ChapAlgorithm, identifier: int, secret: bytes, challenge: bytes) -> bytes:
        computed.append(secret)
        return chap_response(algorithm, identifier, secret, challenge)

    monkeypatch.setattr("lunaport.iscsi.chap.chap_response", counted)
    secrets = [ChapCredential(user="alice", secret=f"alice-secret-{number}".encode()) for number in range(7)]
    chap = exchange((*secrets, BOB))
    chap.receive({"CHAP_A": "5"})
    with pytest.raises(AuthenticationError):
        chap.receive({"CHAP_N": user, "CHAP_R": "0x00"})
    assert len(computed) == 7


def test_a_secret_counts_once_and_brings_the_proof_of_whoever_has_one() -> None:
    found = by_user((ALICE, BOB, *MUTUAL, ALICE))
    assert found == {"alice": list(MUTUAL), "bob": [BOB]}


def test_no_algorithm_in_common() -> None:
    with pytest.raises(AuthenticationError, match="no known algorithm in '4'"):
        exchange().receive({"CHAP_A": "4"})


def test_a_response_before_a_challenge() -> None:
    with pytest.raises(LoginRefused, match="out of turn"):
        exchange().receive(GOOD)


def test_secrets_do_not_show() -> None:
    assert "secret" not in repr(MUTUAL)


PAIRS = st.dictionaries(
    st.sampled_from(["CHAP_A", "CHAP_N", "CHAP_R", "CHAP_I", "CHAP_C"]),
    st.one_of(
        st.sampled_from(["5", "8,7,6,5", "alice", proof(ChapAlgorithm.MD5, b"wrong"), "0x00", "0bAA==", "255"]),
        st.binary(max_size=20).map(lambda value: value.decode("latin-1")),
    ),
)


@given(st.lists(PAIRS, max_size=4))
def test_without_the_secret_nothing_authenticates(requests: list[dict[str, str]]) -> None:
    chap = exchange(MUTUAL)
    for pairs in requests:
        try:
            chap.receive(pairs)
        except RemoteProtocolError:
            assert chap.state is ChapState.FAILED
    assert chap.state is not ChapState.AUTHENTICATED
    assert chap.proven is None


@pytest.mark.parametrize("algorithm", list(ChapAlgorithm))
@pytest.mark.parametrize("mutual", [False, True])
def test_an_unknown_user_costs_the_work_of_a_wrong_secret(
    algorithm: ChapAlgorithm, mutual: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many hashes and comparisons for each name, however many secrets it has: time tells nothing of who exists."""
    work: list[str] = []

    class Watched:
        """hashlib and hmac of the module, counting."""

        @staticmethod
        def new(name: str, data: bytes = b"", *, usedforsecurity: bool = True) -> object:
            work.append(name)
            return hashlib.new(name, data, usedforsecurity=usedforsecurity)

        @staticmethod
        def compare_digest(one: bytes, other: bytes) -> bool:
            work.append("compare")
            return hmac.compare_digest(one, other)

    known = [replace(ALICE, mutual=("nas", b"nas-secret-123")), replace(ALICE, secret=b"alice-secret-2"), BOB]
    wrong = proof(algorithm, b"not the secret")
    monkeypatch.setattr("lunaport.iscsi.chap.hashlib", Watched)
    monkeypatch.setattr("lunaport.iscsi.chap.hmac", Watched)
    done = []
    for user in ("alice", "bob", "mallory"):
        chap = exchange(tuple(known))
        chap.receive({"CHAP_A": str(int(algorithm))})
        work.clear()
        with pytest.raises(AuthenticationError):
            chap.receive({"CHAP_N": user, "CHAP_R": wrong} | ({"CHAP_I": "7", "CHAP_C": "0xff"} if mutual else {}))
        done.append(tuple(work))
    assert len(set(done)) == 1
    assert done[0].count("compare") == 2
