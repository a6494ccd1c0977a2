"""Login: `LoginPhase` fed with requests built from fuzz bytes, with CHAP, mutual CHAP and without."""

from dataclasses import replace

from lunaport.iscsi import limits
from lunaport.iscsi.chap import ChapCredential, chap_response
from lunaport.iscsi.enums import ChapAlgorithm, LoginStatus, Opcode
from lunaport.iscsi.keys import KEYS
from lunaport.iscsi.login import LoginPhase, LoginStep, TargetPolicy
from lunaport.iscsi.pdu import LoginRequest, parse_login_response
from lunaport.iscsi.text import parse_text
from tests.fuzz.source import Source
from tests.unit.iscsi.initiator import INITIATOR, ISID, TARGET, Directory, counting, split

USER, SECRET = "alice", b"alice-secret-1"
MUTUAL = ChapCredential(user=USER, secret=SECRET, mutual=("nas", b"nas-secret-123"))
POLICIES = (
    TargetPolicy(name=TARGET),
    TargetPolicy(name=TARGET, header_digest=True, data_digest=True),
    TargetPolicy(name=TARGET, credentials=(ChapCredential(user=USER, secret=SECRET),)),
    TargetPolicy(
        name=TARGET, credentials=(ChapCredential(user=USER, secret=SECRET, mutual=("nas", b"nas-secret-123")),)
    ),
)
DISCOVERY_POLICIES = (*POLICIES, replace(POLICIES[3], chap_is_optional=True))
NAMES = f"InitiatorName={INITIATOR}\0TargetName={TARGET}\0".encode()
KEY_NAMES = sorted(KEYS)
VALUES = tuple(
    f"{INITIATOR} {TARGET} Normal Discovery CHAP,None None CHAP 5 8,7,6,5 alice bob 0x0102 0bAQI= 0 1 255 256 Yes No "
    "512 16777215 16777216 65536 CRC32C,None CRC32C None,CRC32C Reject Irrelevant NotUnderstood RFC3720 0x200".split(
        " "
    )
)
REQUESTS_MAX = 40


class Run:
    """One login, and what it must not do."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.policy = source.pick(POLICIES)
        self.directory = Directory(self.policy, discovery=source.pick(DISCOVERY_POLICIES))
        self.phase = LoginPhase(self.directory, counting)
        self.proven = False
        self.over = False
        self.challenge: dict[str, str] = {}

    def text(self) -> bytes:
        """The data of one request: names, keys with plausible values, a right CHAP answer, or just bytes."""
        source = self.source
        kind = source.number()
        text = NAMES if kind & 1 else b""
        if kind & 2 and self.challenge.keys() >= {"CHAP_A", "CHAP_I", "CHAP_C"}:
            algorithm = ChapAlgorithm(int(self.challenge["CHAP_A"]))
            challenge = bytes.fromhex(self.challenge["CHAP_C"][2:])
            secret = SECRET if kind & 4 else b"another-secret"
            response = chap_response(algorithm, int(self.challenge["CHAP_I"]), secret, challenge)
            text += f"CHAP_N={USER}\0CHAP_R=0x{response.hex()}\0".encode()
            self.proven |= secret == SECRET
        for _ in range(kind >> 4 & 7):
            text += f"{source.pick(KEY_NAMES)}={source.pick(VALUES)}\0".encode()
        return text + source.take(source.number()) if kind & 8 else text

    def request(self) -> bytes:
        source = self.source
        base = LoginRequest(isid=ISID, initiator_task_tag=1, cid=1, cmd_sn=100, exp_stat_sn=500)
        stages = source.number()
        pdu = replace(
            base,
            current_stage=stages & 3,
            next_stage=stages >> 2 & 3,
            transit=stages & 16 != 0,
            continues=stages & 96 == 96,
            data=self.text(),
        ).serialize()
        if stages & 128:
            damaged = bytearray(pdu)
            damaged[source.number() % 48] ^= source.number()
            pdu = bytes(damaged)
        return pdu

    def check(self, step: LoginStep) -> None:
        if self.over:
            assert step == LoginStep(failed="the login is over")
            return
        assert bool(step.failed) == (step.status != LoginStatus.SUCCESS)
        self.over = bool(step.failed or step.outcome)
        if step.outcome:
            discovery = step.outcome.session_type == "Discovery"
            policy = self.directory.discovery if discovery else self.policy
            assert policy.credentials is None or policy.chap_is_optional or self.proven, "in without a proof"
            assert step.outcome.proven is None or self.proven, "known without a proof"
            assert step.outcome.parameters.first_burst_length <= step.outcome.parameters.max_burst_length
            assert step.outcome.initiator_name == INITIATOR or len(step.outcome.initiator_name) <= limits.NAME_BYTES_MAX
            assert self.directory.admitted == [step.outcome]
        assert step.responses or step.failed
        for wire in step.responses:
            assert len(wire) <= limits.BHS_BYTES + limits.LOGIN_DATA_SEGMENT_BYTES_MAX
            assert wire[0] == Opcode.LOGIN_RESPONSE
            response = parse_login_response(*split(wire))
            assert response.status == step.status
            assert SECRET not in response.data
            self.challenge = parse_text(response.data)


def run(data: bytes) -> None:
    """Any requests lead to a session or to one refusal, within the bounds, and never past CHAP without its secret."""
    source = Source(data)
    login = Run(source)
    for number in range(REQUESTS_MAX):
        if not source:
            break
        pdu = login.request()
        login.check(login.phase.receive(*split(pdu)))
        assert login.over or number < limits.LOGIN_PDUS_MAX
